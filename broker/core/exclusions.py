"""Whom publishers exclude for a child because of a conflict (R11): they hear nothing more about it, whoever speaks.

An exclusion holds from the event that says so until its agency takes that event back, or says no more of it in a later version.
One that a person has to look at first is in question until then: it keeps nobody from hearing, and from being asked anything new.
"""

from dataclasses import replace

from broker.core.event import Event, Header
from broker.core.facts import Exclusion, Facts
from broker.core.identifiers import Millis, RecipientId


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
