"""Which of what waits about a child is over, because its publisher takes back or changes what it said.

Nobody is asked any more about what was said before the change: to grant it would tell what is over.
"""

from collections.abc import Iterable, Sequence

from broker import codec
from broker.core import ledger
from broker.core.corrections import superseded_by
from broker.core.event import Event
from broker.core.facts import Facts
from broker.core.identifiers import EventId
from broker.core.questions import HOLD
from broker.stream.decide.shelf import Waiting


def overtaken_by(event: Event, shelf: Sequence[Waiting], facts: Facts) -> list[Waiting]:
    """Return what waits about any version of an event that this one takes back or changes.

    What is held is over by its own agency's word alone; it is in no chain yet that the facts know of.
    """
    superseded = superseded_by(event)
    if superseded is None or not shelf:
        return []
    root = ledger.root_of(facts, superseded)
    versions = _versions({superseded, root}, event, shelf)
    return [one for one in shelf if _is_over(one, event, versions, root, facts)]


def events_of(waiting: Iterable[Waiting]) -> tuple[Event, ...]:
    """Return the events that are held among what waits."""
    return tuple(codec.decode_event(one.event) for one in waiting if one.kind == HOLD)


def over_among(released: Iterable[Waiting]) -> frozenset[EventId]:
    """Return which events that are let go on another of them takes back or changes: what is known to be wrong never goes."""
    events = events_of(released)
    by = {event.header.event_id: event.header.producer for event in events}
    gone = ((superseded_by(event), event.header.producer) for event in events)
    return frozenset(name for name, producer in gone if name is not None and by.get(name) == producer)


def _versions(names: set[EventId], event: Event, shelf: Sequence[Waiting]) -> set[EventId]:
    """Add the versions of an event that wait in review and were published by its own agency."""
    held = [one for one in events_of(shelf) if one.header.producer == event.header.producer]
    chains = [{one.header.event_id, superseded_by(one) or one.header.event_id} for one in held]
    found = set(names)
    while more := [chain for chain in chains if chain & found and not chain <= found]:
        found.update(*more)
    return found


def _is_over(one: Waiting, event: Event, versions: set[EventId], root: EventId, facts: Facts) -> bool:
    header = codec.decode_header(one.event)
    if one.kind == HOLD:
        return header.event_id in versions and header.producer == event.header.producer
    return ledger.root_of(facts, header.event_id) == root
