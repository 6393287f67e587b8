"""Which of what waits about a child is over, because its publisher takes back or changes what it said.

Nobody is asked any more about what was said before the change: to grant it would tell what is over.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from broker import codec
from broker.core.line import taking
from broker.core.line.corrections import is_cancelled
from broker.core.line.undoing import passed_over
from broker.core.model import ledger
from broker.core.model.event import Event
from broker.core.model.facts import OVERTAKEN, Facts
from broker.core.model.identifiers import EventId
from broker.core.model.question import HOLD
from broker.core.model.versions import superseded_by, takes_back
from broker.stream.decide.shelf import Waiting


def overtaken_by(event: Event, shelf: Sequence[Waiting], facts: Facts) -> list[Waiting]:
    """Return what waits about any version of an event that this one takes back or changes.

    What is held is over by its own agency's word alone; it is in no chain yet that the facts know of.
    """
    superseded = superseded_by(event)
    if superseded is None or not shelf:
        return []
    root = ledger.root_of(facts, superseded)
    versions = _versions({superseded, root}, event, shelf, facts)
    return [one for one in shelf if _is_over(one, event, versions, root, facts)]


def events_of(waiting: Iterable[Waiting]) -> tuple[Event, ...]:
    """Return the events that are held among what waits."""
    return tuple(codec.decode_event(one.event) for one in waiting if one.kind == HOLD)


def without_overtaken(facts: Facts, released: Iterable[Waiting]) -> Facts:
    """Note which events that are let go on another of them takes back or changes: what is known to be wrong never goes."""
    events = events_of(released)
    by = {event.header.event_id: event.header.producer for event in events}
    gone = [(name, event) for event in events if (name := superseded_by(event)) is not None]
    own = [(name, event) for name, event in gone if by.get(name) == event.header.producer]
    back = frozenset(name for name, event in own if takes_back(event))
    changed = frozenset(name for name, _ in own) - back
    facts = taking.without_held(facts, [one for one in events if one.header.event_id in changed | back])
    return replace(facts, seen={**facts.seen, **dict.fromkeys(changed, OVERTAKEN)}, cancelled=facts.cancelled | back)


def over_elsewhere(shelf: Sequence[Waiting], here: Facts, other: Facts, joined: Facts) -> tuple[list[Waiting], Facts]:
    """Return what waited in one record of a child, `here`, and is over by what the `other` record of it knows.

    With it come the facts of both in which nothing of that holds the line, and what was taken back counts so.
    """
    passed, gone = passed_over(here, other), _taken_back_elsewhere(shelf, here, joined)
    found = []
    for one in shelf:
        header = codec.decode_header(one.event)
        asked = one.kind != HOLD and is_cancelled(joined, header.event_id, header.producer)
        if asked or header.event_id in passed | gone:
            found.append(one)
    held = {one.header.event_id for one in events_of(found)}
    return found, replace(joined, holds=joined.holds - held, cancelled=joined.cancelled | gone)


def _taken_back_elsewhere(shelf: Iterable[Waiting], here: Facts, joined: Facts) -> frozenset[EventId]:
    """Return the events held in one record of a child of which a version was taken back in the other record of it."""
    held = [one for one in events_of(shelf) if not takes_back(one)]
    gone: frozenset[EventId] = frozenset()
    for _ in held:  # a version may wait before the one that it changes
        known = replace(joined, cancelled=joined.cancelled | gone)
        for one in held:
            names = (one.header.event_id, superseded_by(one) or one.header.event_id)
            if any(_is_new(name, one, here, known) for name in names):
                gone |= {one.header.event_id}
    return gone


def _is_new(name: EventId, event: Event, here: Facts, known: Facts) -> bool:
    producer = event.header.producer
    return is_cancelled(known, name, producer) and not is_cancelled(here, name, producer)


def _versions(names: set[EventId], event: Event, shelf: Sequence[Waiting], facts: Facts) -> set[EventId]:
    """Add the versions of an event that wait in review and were published by its own agency."""
    held = [one for one in events_of(shelf) if one.header.producer == event.header.producer]
    before = [(one.header.event_id, superseded_by(one) or one.header.event_id) for one in held]
    chains = [{name, changed, ledger.root_of(facts, changed)} for name, changed in before]
    found = set(names)
    while more := [chain for chain in chains if chain & found and not chain <= found]:
        found.update(*more)
    return found


def _is_over(one: Waiting, event: Event, versions: set[EventId], root: EventId, facts: Facts) -> bool:
    header = codec.decode_header(one.event)
    if one.kind == HOLD:
        return header.event_id in versions and header.producer == event.header.producer and not _is_disputed(one, facts)
    return ledger.root_of(facts, header.event_id) == root


def _is_disputed(one: Waiting, facts: Facts) -> bool:
    """Tell whether a person has to say whose the event is that a held one changes: another agency spoke of it before it came."""
    event = codec.decode_event(one.event)
    name = superseded_by(event)
    if name is None or facts.seen.get(name, OVERTAKEN) != OVERTAKEN:
        return False
    return facts.voices.get(name, event.header.producer) != event.header.producer
