"""What an event set is undone when its agency takes the event, or any version of it, back or changes it.

What follows the last word (birth date, home, wishes, what a family was told) goes back to what was last said by an event that
still stands. A protection that an event set stays: only its lifting ends it (R10).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, TypeVar

from broker.core.agencies import matters
from broker.core.model.event import Event, ToldFamily
from broker.core.model.facts import OVERTAKEN, Connection, Facts, Protection, Statement, Status
from broker.core.model.identifiers import EventId
from broker.core.model.ledger import root_of

_MOST = 4  # events that say the same are kept each: when one is taken back, the others still hold
_WISH, TOLD = "wish/", "told/"

_Ending = TypeVar("_Ending", Connection, Status, Protection)
_Changes = dict[str, Any]


def linked(facts: Facts, event_id: EventId, superseded: EventId) -> Facts:
    """Remember that an event is a later version of another, by the first event of their chain."""
    return replace(facts, roots={**facts.roots, event_id: facts.roots.get(superseded, superseded)})


def with_link(facts: Facts, event_id: EventId, superseded: EventId) -> Facts:
    """Remember an event as a later version of another when versions of its own came before it: one chain is made of two."""
    facts = linked(facts, event_id, superseded)
    return by_first(replace(facts, roots={name: _first(facts.roots, name) for name in facts.roots}))


def by_first(facts: Facts) -> Facts:
    """Keep what families were told by the first event of each chain, as far as chains are known by now.

    Whoever is asked by the name of a later version is asked anew.
    """
    moved = {name: root for name in facts.told if (root := root_of(facts, name)) != name}
    if not moved:
        return facts
    about = {f"{TOLD}{name}": f"{TOLD}{root}" for name, root in moved.items()}
    unsafe = (replace(one, about=moved[one.about], asked=False) if one.about in moved else one for one in facts.unsafe)
    statements = tuple(replace(one, about=about.get(one.about, one.about)) for one in facts.statements)
    told = {moved.get(name, name): said for name, said in facts.told.items()}
    last = {EventId(one.about.removeprefix(TOLD)): one.value for one in statements if one.about in about.values()}
    return replace(facts, told={**told, **last}, unsafe=tuple(unsafe), statements=statements)


def undone(facts: Facts, event_id: EventId) -> Facts:
    """Take out everything that any version of an event began, and let what it ended last again.

    Versions are those of one agency: another's that names the same event is not touched (I10).
    """
    return _without(facts, _versions(facts, event_id))


def replaced(facts: Facts, event_id: EventId) -> Facts:
    """Undo an event in whose place a later version comes; what was said apart of what its family was told stands on (R5).

    Most versions say nothing of that: a corrected grade takes no word back that it is not safe.
    """
    return _but_words(facts, _versions(facts, event_id))


def passed_over(facts: Facts, other: Facts) -> frozenset[EventId]:
    """Return the events of one record of a child of which the other record of it holds a later version."""
    return frozenset(
        name
        for name, sequence in facts.seen.items()
        if sequence != OVERTAKEN and other.seen.get(name) == OVERTAKEN and facts.voices.get(name) == other.voices.get(name)
    )


def unclaimed(facts: Facts, name: EventId) -> Facts:
    """Return the facts without what another agency said of an event before its own agency's came: it binds nobody but itself."""
    theirs = {one for one, root in facts.roots.items() if root == name}
    return replace(
        facts,
        seen={one: sequence for one, sequence in facts.seen.items() if one != name},
        voices={one: voice for one, voice in facts.voices.items() if one != name},
        roots={one: root for one, root in facts.roots.items() if root != name},
        cancelled=facts.cancelled - {name},
        ledger=tuple(replace(one, root=None) if one.event_id in theirs else one for one in facts.ledger),
    )


def own(facts: Facts, other: Facts) -> Facts:
    """Return one record of a child without what was said in it of another agency's events that came to the other record (I10)."""
    for name, sequence in sorted(other.seen.items()):
        came_here = facts.seen.get(name, OVERTAKEN) != OVERTAKEN
        if sequence != OVERTAKEN and not came_here and facts.voices.get(name, other.voices.get(name)) != other.voices.get(name):
            facts = unclaimed(facts, name)
    return facts


def settled(facts: Facts, other: Facts) -> Facts:
    """Undo in one record of a child what the other record of it knows to be changed or taken back by its own agency."""
    for name in sorted(other.cancelled):
        if name in facts.seen and facts.voices.get(name) == other.voices.get(name):
            facts = undone(facts, name)
    return _but_words(facts, passed_over(facts, other))


def joined_roots(facts: Facts, other: Facts) -> Mapping[EventId, EventId]:
    """Return the chains of two records as one: a version may be in one of them and the event that it changes in the other."""
    roots = {**other.roots, **facts.roots}
    for name in roots:
        roots[name] = _first(roots, name)
    return roots


def _first(roots: Mapping[EventId, EventId], name: EventId) -> EventId:
    passed = {name}
    while (before := roots.get(name)) is not None and before not in passed:
        passed.add(before)
        name = before
    return name


def _without(facts: Facts, gone: frozenset[EventId]) -> Facts:
    if not gone:
        return facts
    changes: _Changes = {
        "connections": _revived([one for one in facts.connections if one.event_id not in gone], gone),
        "statuses": _revived([one for one in facts.statuses if one.event_id not in gone], gone),
        "protections": _revived(facts.protections, gone),
        "findings": tuple(one for one in facts.findings if one.event_id not in gone),
        "agreements": tuple(one for one in facts.agreements if one.event_id not in gone),
        "exclusions": tuple(one for one in facts.exclusions if one.event_id not in gone),
        "unsafe": tuple(one for one in facts.unsafe if one.about not in gone),
        **matters.without(facts, gone),
    }
    return replace(facts, **changes, **_unsaid(facts, gone))


def _but_words(facts: Facts, gone: frozenset[EventId]) -> Facts:
    """Take out what some events said, and not what others said of what a family was told of them."""
    about = {f"{TOLD}{one}" for one in gone}
    words = tuple(one for one in facts.statements if one.about in about and one.event_id not in gone)
    after = _without(facts, gone)
    if not words:
        return after
    told = {EventId(one.about.removeprefix(TOLD)): one.value for one in words}
    unsafe = (
        replace(one, asked=False)  # a question about what was changed is withdrawn: it is asked anew
        for one in facts.unsafe
        if one.about in gone and told.get(one.about) == ToldFamily.NOT_SAFE
    )
    kept = {*after.statements, *words}
    return replace(
        after,
        statements=tuple(one for one in facts.statements if one in kept),
        told={**told, **after.told},
        unsafe=(*after.unsafe, *unsafe),
    )


def with_statements(facts: Facts, event: Event, changes: Mapping[str, Any]) -> Sequence[Statement]:
    """Return the child's statements with those of an event: who said what follows the last word, so that it can be undone."""
    control, said = event.control or {}, {}
    for name in ("birth_date", "home_area"):
        if name in changes:
            said[name] = str(changes[name])
    if "wishes" in changes:
        said[f"{_WISH}{control.get('kind') or ''}"] = str(control.get("state") or "")
    named = (event.header.event_id, EventId(control.get("concerns_event") or "")) if "told" in changes else ()
    for about in {root_of(facts, one) for one in named} & changes.get("told", {}).keys():
        said[f"{TOLD}{about}"] = changes["told"][about]
    made = (Statement(about=about, value=value, event_id=event.header.event_id) for about, value in said.items())
    new = tuple(one for one in made if not _often_said(facts, one))
    return (*facts.statements, *new) if new else facts.statements


def _often_said(facts: Facts, new: Statement) -> bool:
    """Tell whether the last that was said of it was this, often enough."""
    last = list(islice((one.value for one in reversed(facts.statements) if one.about == new.about), _MOST))
    return last == [new.value] * _MOST


def _versions(facts: Facts, event_id: EventId) -> frozenset[EventId]:
    root = facts.roots.get(event_id, event_id)
    voice = facts.voices.get(event_id)
    chain = (root, *(one for one, first in facts.roots.items() if first == root))
    return frozenset((event_id, *(one for one in chain if facts.voices.get(one) == voice)))


def _unsaid(facts: Facts, gone: frozenset[EventId]) -> _Changes:
    """Let what was said last by an event that still stands count again."""
    about_gone = {f"{TOLD}{one}" for one in gone}
    left = tuple(one for one in facts.statements if one.event_id not in gone and one.about not in about_gone)
    last = {one.about: one.value for one in left}
    open_again = {one.about for one in facts.statements if one.event_id in gone}
    changes: _Changes = {name: last.get(name) for name in ("birth_date", "home_area") if name in open_again}
    told = {one: said for one, said in facts.told.items() if one not in gone}
    return {
        **changes,
        "statements": left,
        "wishes": _said_again(facts.wishes, _WISH, open_again, last),
        "told": _said_again(told, TOLD, open_again - about_gone, last),
    }


def _said_again(held: Mapping[Any, str], kind: str, open_again: set[str], last: Mapping[str, str]) -> Mapping[Any, str]:
    after = dict(held)
    for about in sorted(open_again):
        if about.startswith(kind):
            after.pop(about.removeprefix(kind), None)
            if about in last:
                after[about.removeprefix(kind)] = last[about]
    return after


def _revived(lasting: Sequence[_Ending], gone: frozenset[EventId]) -> tuple[_Ending, ...]:
    return tuple(replace(one, until=None, ended_by=None) if one.ended_by in gone else one for one in lasting)
