"""The children of one birth date and the events that wait there, each found by the words that could bring them together.

INVARIANT: whatever could move a waiting event marks it. An event that is not marked would end as it stands if it were tried.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field

from broker.core.intake.matching import Description
from broker.stream.identify.room import weight_of
from broker.stream.identify.said import Said
from broker.stream.identify.state import (
    ASKED,
    GRANTED,
    Child,
    Waiting,
    child_from_bytes,
    child_to_bytes,
    waiting_from_bytes,
    waiting_to_bytes,
)
from broker.stream.identify.store import QUEUES, child_of, child_part, number_of, waiting_part
from broker.stream.identify.turn import AMBIGUOUS, UNIDENTIFIED

_SCANNED = 64  # up to so many children are looked through as they are written; an index costs more than it saves

Undo = list[Callable[[], None]]


class Words:
    """Who of many says a word."""

    __slots__ = ("_said", "_sayers")

    def __init__(self) -> None:
        self._said: dict[str, frozenset[str]] = {}
        self._sayers: dict[str, set[str]] = {}

    def say(self, name: str, words: frozenset[str]) -> None:
        """Say which words somebody says, in place of those before."""
        before = self._said.pop(name, frozenset())
        if words:
            self._said[name] = words
        for word in before - words:
            self._sayers[word].discard(name)
            if not self._sayers[word]:
                del self._sayers[word]
        for word in words - before:
            self._sayers.setdefault(word, set()).add(name)

    def sayers(self, words: Iterable[str]) -> set[str]:
        """Return who says one of these words."""
        return set().union(*(self._sayers.get(word, ()) for word in words))


class Children(MutableMapping[str, Child]):
    """The children of a roster, each read only when it is asked for: an event concerns one of them, not all.

    `watch` is called with the reference and the child before and after, whenever one changes.
    """

    __slots__ = ("_lines", "_made", "_watch", "_words", "changed")

    def __init__(self, lines: Mapping[str, bytes], watch: Callable[[str, Child | None, Child], None]) -> None:
        self._lines: dict[str, bytes | None] = dict(lines)  # None: changed since it was written
        self._made: dict[str, Child] = {}
        self._words: Words | None = None
        self._watch = watch
        self.changed: set[str] = set()

    def __getitem__(self, ref: str) -> Child:
        found = self._made.get(ref)
        if found is None:
            found = self._made[ref] = child_from_bytes(self._lines[ref] or b"")
        return found

    def __setitem__(self, ref: str, child: Child) -> None:
        before = self.get(ref)
        if before != child:
            self._set(ref, child)
            self._watch(ref, before, child)

    def __delitem__(self, ref: str) -> None:
        raise KeyError(ref)  # a child is merged into another, never removed

    def __contains__(self, ref: object) -> bool:
        return ref in self._lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def restore(self, ref: str, before: Child | None) -> None:
        """Set a child back to what it was."""
        if before is not None:
            self._set(ref, before)
            return
        del self._lines[ref], self._made[ref]
        self.changed.discard(ref)
        if self._words is not None:
            self._words.say(ref, frozenset())

    def written(self) -> dict[str, bytes]:
        """Return as it is written every child that changed since this was last asked; what was read is forgotten."""
        made = {ref: child_to_bytes(self[ref]) for ref in sorted(self.changed)}
        self._lines.update(made)
        self._made.clear()
        self.changed.clear()
        return made

    def mentioning(self, words: Collection[str]) -> list[str]:
        """Return, in a fixed order, at least the children that say one of these words."""
        if not words:
            return []
        if len(self._lines) <= _SCANNED:
            sought = [word.encode() for word in words]
            return sorted(ref for ref, line in self._lines.items() if line is None or any(word in line for word in sought))
        if self._words is None:
            self._words = Words()
            for ref in self._lines:
                child = self._made.get(ref) or child_from_bytes(self._lines[ref] or b"")
                self._words.say(ref, words_of(child))
        return sorted(self._words.sayers(words))

    def holders(self, identifiers: Iterable[str]) -> dict[str, str]:
        """Return which child holds or claims each of these identifiers; a merged one holds none."""
        sought = frozenset(identifiers)
        found: dict[str, str] = {}
        for ref in self.mentioning(sought):
            links = self[ref].links
            found.update({i: ref for i in sought if i in links and links[i].state in (ASKED, GRANTED)})
        return found

    def resolve(self, ref: str) -> str:
        """Return the child that another became; itself where it became none."""
        while ref in self and self[ref].merged_into is not None:
            ref = str(self[ref].merged_into)
        return ref

    def _set(self, ref: str, child: Child) -> None:
        self._made[ref], self._lines[ref] = child, None
        self.changed.add(ref)
        if self._words is not None:
            self._words.say(ref, words_of(child))


@dataclass(slots=True)
class Roster:
    """The children of one birth date and the events that wait there, in the order in which they came.

    `beyond`: events in review that are too many to keep here, and their publishers; the reviewer's answer brings them back.
    `closed`: rejected in review. `may_move`: waiting events of which something changed since they were last tried.
    """

    said_by: Callable[[Waiting], Said]
    lines: Mapping[str, bytes] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)  # of each waiting event, in the order in which they came
    beyond: dict[str, str] = field(default_factory=dict)
    closed: tuple[str, ...] = ()
    next_number: int = 0
    by_words: bool = True
    children: Children = field(init=False)
    may_move: set[str] = field(init=False)
    changed: dict[int, str] = field(default_factory=dict)  # waiting events that came, changed or left since they were written
    unwritten: set[int] = field(default_factory=set)  # of these, those that came
    queues_changed: bool = False
    children_changed: bool = False  # since `begin`
    _weights: dict[str, int] = field(default_factory=dict)  # of the children that changed since they were written
    _marked: set[str] = field(default_factory=set)
    _words: Words | None = None
    _said: dict[str, Said] = field(default_factory=dict)
    _undo: Undo = field(default_factory=list)

    def __post_init__(self) -> None:
        self.children = Children(self.lines, self._child_changed)
        self.may_move = set(self.waiting)  # nobody knows what changed before

    @property
    def weight(self) -> int:
        """How many bytes the children that changed since they were written have at most."""
        return sum(self._weights.values())

    def begin(self) -> None:
        """Begin with a record; `take_back` returns to here."""
        self._undo.clear()
        self.children_changed = False

    def take_back(self) -> None:
        """Undo what happened since `begin`."""
        while self._undo:
            self._undo.pop()()

    def said(self, one: Waiting) -> Said:
        """Return what an event says, read once as long as it waits."""
        found = self._said.get(one.name)
        return found if found is not None else self.said_by(one)

    def keep(self, one: Waiting, said: Said) -> None:
        """Keep an event that waits, in place of what was known of it before."""
        before = self.waiting.get(one.name)
        if before == one:
            return
        self._undo.append(lambda: self._put_back(one.name, before))
        if before is None:
            self.numbers[one.name] = self.next_number
            self.unwritten.add(self.next_number)
            self.next_number += 1  # never given twice: what is kept of an event stands under it
        self._said[one.name] = said
        self._wait(one.name, one)
        self._note({one.name})

    def drop(self, event_id: str) -> None:
        """Let an event go that waits here, or beyond."""
        if event_id in self.waiting:
            before, number, said = self.waiting[event_id], self.numbers[event_id], self.said(self.waiting[event_id])

            def back() -> None:
                self.numbers[event_id], self._said[event_id] = number, said
                self._put_back(event_id, before)

            self._undo.append(back)
            self._wait(event_id, None)
        if event_id in self.beyond:
            self.set_queues(beyond={one: who for one, who in self.beyond.items() if one != event_id})

    def set_queues(self, beyond: dict[str, str] | None = None, closed: tuple[str, ...] | None = None) -> None:
        """Set what is in review beyond what is kept here, or what was rejected."""
        before = self.beyond, self.closed

        def back() -> None:
            self.beyond, self.closed = before

        self._undo.append(back)
        self.beyond = self.beyond if beyond is None else beyond
        self.closed = self.closed if closed is None else closed
        self.queues_changed = True

    def in_order(self, event_ids: Iterable[str]) -> list[tuple[tuple[bool, int], str]]:
        """Return waiting events with their turns: registrations first, for they say who is to be told."""
        return sorted(((not self.waiting[one].opens, self.numbers[one]), one) for one in event_ids if one in self.waiting)

    def written(self) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """Return what changed since this was last asked: parts as they are written, and the bytes of events that came."""
        parts = {child_part(ref): line for ref, line in self.children.written().items()}
        events = {}
        for number, event_id in self.changed.items():
            one = self.waiting.get(event_id) if self.numbers.get(event_id) == number else None
            parts[waiting_part(number)] = waiting_to_bytes(one) if one is not None else b""
            if one is not None and number in self.unwritten:
                events[str(number)] = one.event
        if self.queues_changed:
            parts[QUEUES] = json.dumps([self.beyond, self.closed], separators=(",", ":")).encode()
        self.changed, self.unwritten, self.queues_changed = {}, set(), False
        self._weights.clear()
        return parts, events

    def newly_marked(self) -> set[str]:
        """Return what was marked since this was last asked."""
        marked, self._marked = self._marked, set()
        return marked

    def unsettled(self, said: Said, but: str) -> dict[str, Description]:
        """Return the registrations that a person is asked about and that have a word in common with an event."""
        names = self._index().sayers(_matching_words(said)) if self.waiting and self.by_words else set(self.waiting)
        found = (self.waiting[one] for one in sorted(names) if one != but)
        return {one.name: self.said(one).description for one in found if _is_unsettled(one)}

    def _wait(self, event_id: str, one: Waiting | None) -> None:
        """Set or end a waiting event, and mark those that it could move."""
        index = self._index()
        before, said = self.waiting.get(event_id), self._said.get(event_id)
        if said is not None and _is_unsettled(before) != _is_unsettled(one):
            self._mark(_matching_words(said))
        self.changed[self.numbers[event_id]] = event_id
        if one is None:
            del self.waiting[event_id], self.numbers[event_id]
            self._said.pop(event_id, None)
            self.may_move.discard(event_id)
            index.say(event_id, frozenset())
            return
        self.waiting[event_id] = one
        index.say(event_id, self._words_of(one))

    def _put_back(self, event_id: str, before: Waiting | None) -> None:
        self._wait(event_id, before)
        if before is not None:
            self.waiting = dict(sorted(self.waiting.items(), key=lambda item: self.numbers[item[0]]))

    def _child_changed(self, ref: str, before: Child | None, after: Child) -> None:
        was = self._weights.get(ref, 0)

        def back() -> None:
            self._weights[ref] = was
            self.children.restore(ref, before)

        self._undo.append(back)
        self.children_changed = True
        self._weights[ref] = weight_of(after)
        if not self.waiting:
            return
        words = {_means(ref), *words_of(after), *(words_of(before) if before is not None else ())}
        self._mark(words)
        if after.merged_into is not None:  # who meant the one means the other from now on
            for event_id in self._index().sayers([_means(ref)]):
                self._index().say(event_id, self._words_of(self.waiting[event_id]))

    def _mark(self, words: Iterable[str]) -> None:
        self._note(self._index().sayers(words) if self.by_words else set(self.waiting))

    def _note(self, event_ids: set[str]) -> None:
        self.may_move |= event_ids
        self._marked |= event_ids

    def _index(self) -> Words:
        if self._words is None:
            self._words = Words()
            for one in self.waiting.values():
                self._said[one.name] = self.said(one)
                self._words.say(one.name, self._words_of(one))
        return self._words

    def _words_of(self, one: Waiting) -> frozenset[str]:
        """Return the words by which a child or another event could move this one."""
        said, words = self._said[one.name], set(_matching_words(self._said[one.name]))
        about = (one.child, *one.candidates) if one.review != UNIDENTIFIED else (one.child,)  # whom they exclude is not asked
        for meant in about:
            ref = meant
            while ref is not None:
                words.add(_means(ref))
                ref = self.children[ref].merged_into if ref in self.children else None
        if one.review == UNIDENTIFIED:
            words |= resembling_words(said.description)
        return frozenset(words)


def read_roster(
    parts: Mapping[str, bytes], events: Mapping[str, bytes], said_by: Callable[[Waiting], Said], *, by_words: bool
) -> Roster:
    """Return a roster as `written` gave it."""
    lines = {ref: content for part, content in parts.items() if (ref := child_of(part)) is not None}
    numbers = sorted(number for part in parts if (number := number_of(part)) is not None)
    waiting = [waiting_from_bytes(parts[waiting_part(number)], events[str(number)]) for number in numbers]
    beyond, closed = json.loads(parts.get(QUEUES, b"[{},[]]"))
    return Roster(
        said_by,
        lines,
        waiting={one.name: one for one in waiting},
        numbers={one.name: number for one, number in zip(waiting, numbers, strict=True)},
        beyond=beyond,
        closed=tuple(closed),
        by_words=by_words,
    )


def words_of(child: Child) -> frozenset[str]:
    """Return every word by which a child is looked for; each stands so in its written form."""
    return frozenset({*child.links, *map(event_word, child.holds), *name_words(child.names), *_parts_of(child.names)})


def name_words(names: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Return how full names stand in a child's written form."""
    return frozenset(json.dumps(name, separators=(",", ":")) for name in names)


def resembling_words(described: Description) -> frozenset[str]:
    """Return the family and given names, by any of which a person might want to see a child."""
    return frozenset(_parts_of(described.full_names))


def event_word(event_id: str) -> str:
    """Return how the id of an event that holds a child stands in its written form."""
    return json.dumps(event_id)


def _parts_of(names: Iterable[tuple[str, str]]) -> Iterator[str]:
    for family, given in names:
        yield f"[{json.dumps(family)},"
        yield f",{json.dumps(given)}]"


def _matching_words(said: Said) -> frozenset[str]:
    ids = (*said.identifiers, *said.losing.every_identifier, *said.hints)
    return frozenset({*ids, *name_words(said.description.full_names)})


def _means(ref: str) -> str:
    return f"@{ref}"


def _is_unsettled(one: Waiting | None) -> bool:
    return one is not None and one.opens and one.review == AMBIGUOUS
