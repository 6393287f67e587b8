"""Turns returns that show a whole caseload each time into what changed since the return before.

It knows no format: a connector hands it the facts of one child after the other, and learns which are news. Only what could be
read is compared: what a return holds and nobody could read is neither news nor gone. What it
remembers is one short record per child, so that a return of any size is compared in constant memory.
"""

import json
from collections.abc import Callable, Container, Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from broker.core.intake.delivery import Memory
from broker.core.model.event import Action

_FEW = 5  # children may lose records by somebody's correction
_SHARE = 0.02  # of all known children, where more do
_MUCH = 1 / 3  # of all known children: more is never a correction, however few they are
_SHARE_OF_YEAR = 0.05  # of all known children, in all returns of a year since a person last confirmed
UNDATED = "undated"  # second part of the key of what hangs on a date that could not be read
_STEP = ">"  # between the states that a fact went through
_STANDS = 2  # parts of the state of what stands: count and what it says; a third marks what is not shown
_UNTOLD = "~"  # before a first state that was remembered without an event


class OnChange(StrEnum):
    """What a known fact that now says something else means."""

    CORRECTS = "corrects"  # the same matter, told again: an update that supersedes
    HAPPENS = "happens"  # a state moved on: an event of its own
    STAYS = "stays"  # said once; what follows is told elsewhere


class Fact(NamedTuple):
    """One thing a return says of a child. `key` begins with its kind; `says` is all of it that can change.

    `silent` facts are remembered without an event, until they change. `partial`: some of it could not be read, so that it is
    told when it is new and corrects nothing that was said whole.
    """

    key: str
    says: str
    occurred_at: str | None
    body: dict[str, Any]
    on_change: OnChange = OnChange.CORRECTS
    silent: bool = False
    partial: bool = False


class Shown(NamedTuple):
    """What a return shows of one child.

    `unread` are the beginnings of the keys of what it holds and nobody could read: of those nothing known is taken back.
    `unsure`: who the child is could not be read whole, so that it corrects nothing.
    """

    who: dict[str, Any]
    facts: list[Fact]
    unread: tuple[str, ...] = ()
    unsure: bool = False


class Known(NamedTuple):
    """What is remembered of one child. `told`: the key of what was told last. `again`: this very return showed it before."""

    child: str
    year: int
    number: int
    elements: dict[str, list[Any]]
    who: dict[str, Any]
    told: str
    again: bool


class Change(NamedTuple):
    """A fact that is news. `version` goes into the event's id; `supersedes` is the key and version it takes the place of."""

    fact: Fact
    action: Action
    version: str
    supersedes: tuple[str, str] | None
    history: bool


class Gone(NamedTuple):
    """A fact that was told and is no longer in the return."""

    child: str
    who: dict[str, Any]
    key: str
    version: str
    supersedes: str


class Missing(NamedTuple):
    """How many of the known children lost records, and whether that needs a person's word before anything is taken back.

    `earlier`: how many had some taken back in this year since a person last confirmed. `kept`: children of whom something is
    not shown and stands, because it may be what could not be read.
    """

    children: int
    known: int
    held: bool
    earlier: int
    kept: int


class Snapshot:
    """One return compared with the last one accepted.

    `year` bounds the comparison: in a new year's first return what is missing has only fallen out of scope, and what is dated
    before the old year (from 1 April to 31 March) is history; what is of the old year and was not in its last return was
    entered late, and is news. In the first return of all everything is history.
    """

    def __init__(self, memory: Memory, prefix: str, *, year: int, taken: str) -> None:
        self._memory = memory
        self._prefix = prefix
        self._year = year
        self._taken = taken
        found = memory.get(f"{prefix}/last")
        self.last: dict[str, Any] | None = json.loads(found) if found else None
        self.number: int = self.last["number"] + 1 if self.last else 1
        if self.last and "year" not in self.last:
            self.last = None  # it was forgotten by a person's word; the count goes on
        self.first = self.last is None
        self._new_year = self.last is not None and self.last["year"] != year
        self._fresh = 0  # children that the return before did not show
        self._nobody = 0  # records that could not be taken, so that any child not shown may be theirs
        self._kept = 0  # children of whom something is not shown, and stands
        self._lost = self.last.get("lost", 0) if self.last and not self._new_year else 0

    def known(self, child: str) -> Known:
        """Return what is remembered of a child."""
        stored = self._memory.get(f"{self._prefix}/child/{child}")
        year, number, elements, who, told = _parse(stored) if stored else (self._year, 0, {}, {}, "")
        return Known(child, year, number, elements, who, told, again=number == self.number)

    def skip(self) -> None:
        """Note that a record could not be taken: nobody who is not shown is known to be gone."""
        self._nobody += 1

    def changes(self, known: Known, shown: Shown) -> list[Change]:
        """Return what is news about one child, and remember what the return says of it."""
        kept: dict[str, list[Any]] = dict(known.elements) if known.again else {}
        news: list[Change] = []
        facts = list(_recognised(shown.facts, known.elements))
        for fact in facts:
            state = known.elements.get(fact.key)
            if known.again and state and state[1] is not None and len(state) == _STANDS:
                continue  # the first record of a child counts
            change, kept[fact.key] = self._compare(fact, state)
            if change:
                news.append(change)
        if known.number and not known.again:
            self._kept += _keep_missing(known.elements, kept, shown.unread, in_scope=known.year == self._year)
            news = _moved(news, kept)
        who = known.who if known.number else shown.who
        if known.number and not known.again and not shown.unsure and _is_other(who, shown.who):
            renewed = _renewed(facts, news, kept, known.told)
            who = shown.who if news or renewed else who  # nothing stands that could carry it: at the next return
            news += renewed
        told = max((_newest(change) for change in news if not change.history), default=("", known.told))[1]
        self._fresh += not known.again and _stands(kept) and not (known.year == self._year and _stands(known.elements))
        self._memory.put(f"{self._prefix}/child/{known.child}", _pack(self._year, self.number, kept, who, told))
        return news

    def untell(self, known: Known, refused: list[Change]) -> None:
        """Forget what changes said that the broker refused: what was known before them stands, and the next return says them."""
        key = f"{self._prefix}/child/{known.child}"
        year, number, elements, who, told = _parse(self._memory.get(key) or _pack(self._year, self.number, {}, {}, ""))
        for name in (name for change in refused for name in (change.fact.key, *(change.supersedes or ())[:1])):
            elements.pop(name, None)
            if name in known.elements:
                elements[name] = known.elements[name]
            told = known.told if told == name else told
        self._memory.put(key, _pack(year, number, elements, known.who if known.number else who, told))

    def missing(self, *, accept: bool, children: int) -> Missing:
        """Count the children that lost records; `children` is how many the return shows.

        A person is asked when an empty return comes, when more than a third of the known children lost records, be it one of
        one or one of two, when more than five did that are more than one in fifty, and when more than five did that are, with
        those of the year's earlier returns, more than one in twenty.
        """
        known = affected = kept = 0
        for _, value in self._memory.items(f"{self._prefix}/child/"):
            year, number, gone, alive = map(int, value.split(b"|", 1)[0].split())
            if year == self._year and alive + gone:
                known += 1
                kept += number != self.number and self._nobody > 0
                affected += gone > 0 if number == self.number else self._nobody == 0
        known -= self._fresh
        share = affected / known if affected else 0
        mass = children == 0 or share > _MUCH or (affected > _FEW and share > _SHARE)
        so_far = affected + self._lost
        mass = mass or (so_far > _FEW and so_far > (known + self._lost) * _SHARE_OF_YEAR)
        missing = Missing(affected, known, bool(affected) and mass and not accept, self._lost, kept + self._kept)
        self._lost = 0 if accept else self._lost if missing.held else so_far
        return missing

    def take_back(self, refused: Container[Gone] = ()) -> Iterator[Gone]:
        """Yield what has gone and forget it; call it only when `missing` holds nothing. What is put into `refused` stands."""
        for key, value in self._memory.items(f"{self._prefix}/child/"):
            year, number, gone, _ = map(int, value.split(b"|", 1)[0].split())
            if year < self._year - 1:
                self._memory.delete(key)  # no longer needed to know old matters again
            if year != self._year or (not gone if number == self.number else self._nobody):
                continue
            _, _, elements, who, told_last = _parse(value)
            for name, state in elements.items():
                if state[1] is not None and (number != self.number or len(state) > 2):
                    child = key.removeprefix(f"{self._prefix}/child/")
                    lost = [Gone(child, who, name, f"{told}:gone", told) for told in _told(state)]
                    yield from lost
                    elements[name] = state if any(one in refused for one in lost) else [state[0], None]
            self._memory.put(key, _pack(year, number, elements, who, told_last))

    def close(self, **more: str) -> None:
        """Remember this return as the last one accepted."""
        before = {name: value for name, value in (self.last or {}).items() if name != "before"}
        last = {"number": self.number, "year": self._year, "taken": self._taken, "lost": self._lost, "before": before, **more}
        self._memory.put(f"{self._prefix}/last", json.dumps(last).encode())

    def _compare(self, fact: Fact, known: list[Any] | None) -> tuple[Change | None, list[Any]]:
        if known is None or known[1] is None:
            count = (known[0] if known else 0) + (not fact.silent)
            change = Change(fact, Action.NEW, f"{count}:{fact.says}", None, self._is_history(fact))
            return (None, [count, f"{_UNTOLD}{fact.says}"]) if fact.silent else (change, [count, fact.says])
        count, says = known[0], known[1]
        now = says.rpartition(_STEP)[2].removeprefix(_UNTOLD) if fact.on_change is OnChange.HAPPENS else says
        if now == fact.says or fact.on_change is OnChange.STAYS or fact.partial:
            return None, [count, says]
        if fact.on_change is OnChange.HAPPENS:
            chain = f"{says}{_STEP}{fact.says}"
            return Change(fact, Action.NEW, f"{count + 1}:{chain}", None, history=False), [count + 1, chain]
        change = Change(fact, Action.UPDATE, f"{count + 1}:{fact.says}", (fact.key, f"{count}:{says}"), history=False)
        return change, [count + 1, fact.says]

    def _is_history(self, fact: Fact) -> bool:
        if not self._new_year or self.last is None:
            return self.first
        return (fact.occurred_at or "") < f"{self.last['year'] - 1}-04-01"  # in its year the old return would have shown it


def last_return(memory: Memory, prefix: str) -> dict[str, Any] | None:
    """Return what is remembered of the last accepted return, with the one `before` it."""
    found = memory.get(f"{prefix}/last")
    last: dict[str, Any] | None = json.loads(found) if found else None
    return last if last and "year" in last else None


def forget_last_return(memory: Memory, prefix: str) -> None:
    """Put the return before in the place of the last one; the count of returns goes on, as it tells them apart."""
    last = last_return(memory, prefix)
    if last is None:
        return
    before = last.get("before") or {}
    memory.put(f"{prefix}/last", json.dumps(before | {"number": last["number"]}).encode())
    if before.get("year", last["year"]) == last["year"]:
        return
    for key, value in memory.items(f"{prefix}/child/"):
        year, number, elements, who, told = _parse(value)
        if year == last["year"]:  # or what the wrong year showed would be out of scope for ever
            memory.put(key, _pack(before["year"], number, elements, who, told))


def _stands(elements: dict[str, list[Any]]) -> bool:
    """Tell whether anything of a child was told and not taken back."""
    return any(state[1] is not None for state in elements.values())


def _recognised(facts: list[Fact], elements: dict[str, list[Any]]) -> Iterator[Fact]:
    """Give what hangs on a date that could not be read the key under which it is known, where such a one is not shown."""
    shown = {fact.key for fact in facts}
    left = [key for key, state in elements.items() if state[1] is not None and key not in shown]
    for fact in facts:
        kind, *rest = fact.key.split("/", 2)
        before = None
        if rest and rest[0].startswith(UNDATED):
            before = next((key for key in left if key.split("/", 2)[::2] == [kind, *rest[1:]]), None)
        if before is None:
            yield fact
        else:
            left.remove(before)
            yield fact._replace(key=before, partial=fact.partial or fact.occurred_at is None)


def _keep_missing(elements: dict[str, list[Any]], kept: dict[str, list[Any]], unread: tuple[str, ...], *, in_scope: bool) -> bool:
    """Carry on what this return does not show: as it stands, where it may be what could not be read; else marked as gone.

    What was never told is dropped. Tell whether anything stands for that reason.
    """
    stands = False
    for name, state in elements.items():
        if name in kept:
            continue
        if state[1] is None:
            kept[name] = state
        elif in_scope and name.startswith(unread):
            kept[name], stands = state[:_STANDS], True
        elif in_scope and _told(state):
            kept[name] = [state[0], state[1], 1]
    return stands


def _is_other(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Tell whether who a child is was corrected; that a code for the sex is written in another form is no correction."""
    return any(before.get(part) != said for part, said in now.items() if part != "sex_as_recorded")


def _newest(change: Change) -> tuple[str, str]:
    return change.fact.occurred_at or "", change.fact.key


def _renewed(facts: list[Fact], news: list[Change], kept: dict[str, list[Any]], told: str) -> list[Change]:
    """Tell again, with who the child is now, what was told last of it; as history when nobody was told anything."""
    fresh = {change.fact.key for change in news}
    if told in fresh:
        return []  # that carries it
    whole = [
        fact
        for fact in facts
        if fact.on_change is OnChange.CORRECTS and not fact.partial and kept[fact.key] == [kept[fact.key][0], fact.says]
    ]
    fact = max((fact for fact in whole if fact.key not in fresh), key=_rank(told), default=None)
    if fact is None:
        return []
    count, says = kept[fact.key]
    kept[fact.key] = [count + 1, says]
    return [Change(fact, Action.UPDATE, f"{count + 1}:{says}", (fact.key, f"{count}:{says}"), history=not told)]


def _rank(told: str) -> Callable[[Fact], tuple[bool, str]]:
    return lambda fact: (fact.key == told, fact.occurred_at or "")


def _moved(news: list[Change], kept: dict[str, list[Any]]) -> list[Change]:
    """Tell a new fact that stands where one of its kind has gone, as when a date was corrected, as its correction.

    Else the new one would come before the old one is taken back, and what the old one began would end with it.
    """
    gone = sorted(key for key, state in kept.items() if len(state) > 2 and len(_told(state)) == 1)
    if not gone:
        return news
    moved = []
    for change in news:
        kind = change.fact.key.partition("/")[0]
        before = next((key for key in gone if key.partition("/")[0] == kind), None)
        if before is None or change.action is not Action.NEW:
            moved.append(change)
            continue
        gone.remove(before)
        (version,) = _told(kept[before])
        kept[before] = [kept[before][0], None]
        moved.append(change._replace(action=Action.UPDATE, supersedes=(before, version)))
    return moved


def _told(state: list[Any]) -> list[str]:
    """Return the versions of a fact that stand as events: the last, or each step of a state that moved on."""
    count, steps = state[0], state[1].split(_STEP)
    untold = steps[0].startswith(_UNTOLD)
    first = count - len(steps) + untold + 1
    return [f"{first + at - untold}:{_STEP.join(steps[: at + 1])}" for at in range(untold, len(steps))]


def _pack(year: int, number: int, elements: dict[str, list[Any]], who: dict[str, Any], told: str) -> bytes:
    gone = alive = 0
    for state in elements.values():
        if len(state) > 2:
            gone += 1
        elif state[1] is not None:
            alive += 1
    return f"{year} {number} {gone} {alive}|{json.dumps({'e': elements, 'who': who, 'told': told})}".encode()


def _parse(value: bytes) -> tuple[int, int, dict[str, list[Any]], dict[str, Any], str]:
    head, _, rest = value.partition(b"|")
    year, number, _gone, _alive = head.split()
    found = json.loads(rest)
    return int(year), int(number), found["e"], found["who"], found.get("told", "")
