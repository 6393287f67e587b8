"""Whom publishers exclude for a child because of a conflict (R11): they hear nothing more about it, whoever speaks.

An exclusion holds from the event that says so until its agency takes that event back, or says no more of it in a later version.
One that a person has to look at first is in question until then: it keeps nobody from hearing, and from being asked anything new.
"""

from collections.abc import Iterator
from dataclasses import replace

from broker.core.model.event import Event, Header
from broker.core.model.facts import Exclusion, Facts
from broker.core.model.identifiers import Millis, RecipientId, canonical
from broker.core.model.registers import Registers

_BY_OFFICE = frozenset({"worker", "referrer"})  # named for the work that they do about the child, and not as of its family


def with_conflicts(event: Event, registers: Registers) -> Event:
    """Return the event with everybody excluded in whose team somebody works whom it names; itself where nobody does.

    An event says where somebody works and not in which team. So the desks of that organisation do not hear of the child, and
    whoever the registers name as the alternate of one does (R11); the hub hears of a gap where they name nobody. A hub and its
    duty team without an alternate go on to hear: with them excluded, nobody would know that anybody ought to.
    """
    found = set(_in_conflict(event, registers)).difference(event.header.excluded)
    if not found:
        return event
    return replace(event, header=replace(event.header, excluded=(*event.header.excluded, *sorted(found))))


def in_the_place_of(before: Registers, after: Registers) -> Iterator[tuple[RecipientId, RecipientId]]:
    """Yield each desk that a release of the registers leaves out, with one that comes new into a role of it at its organisation.

    Exclusions name desks by id: under another id the same people hear what they were kept from.
    """
    new = [one for name, one in after.recipients.items() if name not in before.recipients]
    for name, gone in before.recipients.items():
        there = (one for one in new if one.agency == gone.agency and gone.roles & one.roles)
        if name not in after.recipients and (found := next(there, None)):
            yield name, found.id


def _in_conflict(event: Event, registers: Registers) -> Iterator[RecipientId]:
    third_party = event.body.get("third_party")
    people = third_party.get("people", ()) if third_party else ()
    places = {canonical(one.get("organisation") or "") for one in people if one.get("role") not in _BY_OFFICE} - {""}
    if places:
        desks = registers.recipients.values()
        stand_ins = {one.alternate for one in desks}
        last = {name for area in registers.areas.values() for name in (area.hub, area.out_of_hours)}
        there = (one for one in desks if canonical(one.agency) in places or places & set(map(canonical, one.serves)))
        yield from (one.id for one in there if one.id not in stand_ins and (one.alternate or one.id not in last))


def excluded_here(header: Header, facts: Facts) -> frozenset[RecipientId]:
    """Return whom this event and every earlier one about the child exclude; an event cannot let in whom another keeps out."""
    return frozenset((*header.excluded, *excluded_for(facts)))


def excluded_for(facts: Facts) -> frozenset[RecipientId]:
    """Return whom any event about the child excludes so far."""
    return frozenset([one.recipient for one in facts.exclusions])


def doubted_for(facts: Facts) -> frozenset[RecipientId]:
    """Return of whom it is in question whether they are excluded."""
    return frozenset([one.recipient for one in facts.doubted])


def said_in(header: Header, at: Millis) -> tuple[Exclusion, ...]:
    """Return whom an event excludes, each once."""
    named = dict.fromkeys(header.excluded)
    return tuple(Exclusion(recipient=one, by=header.producer, since=at, event_id=header.event_id) for one in named)


def with_exclusions(facts: Facts, event: Event, at: Millis) -> Facts:
    """Keep whom an event excludes, each event's word by itself: when one is taken back, the others still hold."""
    said = said_in(event.header, at)
    return replace(facts, exclusions=(*facts.exclusions, *said)) if said else facts
