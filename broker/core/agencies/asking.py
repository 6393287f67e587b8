"""Who is asked about a child in the name of its hub, and who where the hub is in conflict (R11): asking tells.

While a person has to say whether somebody is excluded, nothing new is asked of them wherever anybody else at the hub can be:
its alternate, else the duty team. Where all of the hub is in question it goes on being asked, since a false word must silence
nobody; the exclusion itself is then judged by somebody apart from it. INVARIANT: nobody comes to be asked by its own word.
"""

from collections.abc import Iterator
from dataclasses import replace

from broker.core.agencies.exclusions import doubted_for, excluded_here, said_in
from broker.core.agencies.roles import alternates, area_of, hub_of, organisation_of
from broker.core.agencies.standing import answers_for, homes, is_near, is_tied
from broker.core.model.event import Event, Header
from broker.core.model.facts import Facts
from broker.core.model.identifiers import AgencyId, EventId, RecipientId, RoleName
from broker.core.model.registers import Registers
from broker.core.model.versions import superseded_by

# Who judges a conflict of the whole hub: the council's designated officer, whose task are concerns about people who work with
# children (Working Together; KCSIE part four), else who decides there for the other partners (Children Act 2004 s.16E).
JUDGES = tuple(map(RoleName, ("lado", "police_desk", "health_desk")))


def hub_asked(header: Header, facts: Facts, registers: Registers) -> RecipientId | None:
    """Return who hears a gap about this child and is asked what its hub decides; None where the whole hub is excluded."""
    hub = hub_of(header, facts, registers)
    return next(_at_hub(header, facts, registers), hub) if hub is not None and facts.doubted else hub


def asked_about(event: Event, facts: Facts, registers: Registers) -> str:
    """Return who is asked about an event that waits: the hub, else who judges apart from it, else the publisher, never nobody.

    Whom it would exclude is not asked whether that holds, as long as anybody else is there, nor is a desk of its publisher apart
    from the hub, unless that is the child's council; where an agency that is nothing to the child leaves nobody else, the hub is.
    Where no council said yet that the child is its own, it is the hub of the agency whose record an event would change, or of
    those who know the child; never one that the event names.
    """
    header = _as_if_at_home(event, facts, registers)
    named = _named(event)
    bound = replace(header, excluded=(*header.excluded, *named))
    unbound = bound if is_tied(header, facts, registers) else replace(header, excluded=named)
    doubting = replace(facts, doubted=(*facts.doubted, *said_in(event.header, facts.at)))
    asked = next(_at_hub(bound, doubting, registers), None)
    if asked is None and not event.header.excluded:
        asked = hub_of(bound, facts, registers)
    own = None if answers_for(event.header, facts, registers) else event.header.producer
    asked = asked or next((one for one in _apart(bound, doubting, registers) if registers.recipients[one].agency != own), None)
    return asked or hub_of(unbound, facts, registers) or event.header.producer


def _as_if_at_home(event: Event, facts: Facts, registers: Registers) -> Header:
    """Return its header with the area of those who know the child, where no council said yet that the child is its own."""
    header = event.header
    spoke = facts.voices.get(superseded_by(event) or EventId(""), header.producer)
    if facts.home_area is None and spoke != header.producer:
        return replace(header, producer=AgencyId(spoke), area=None)
    if facts.home_area is None and not is_tied(header, facts, registers):
        return replace(header, area=min(homes(facts, registers), default=None))
    return header


def _named(event: Event) -> tuple[RecipientId, ...]:
    """Return whom a finding would keep alerts from: somebody else is asked about it, where anybody else is there."""
    named = (event.control or {}).get("recipients") or ()
    return tuple(RecipientId(one) for one in named) if (event.control or {}).get("by_role") else ()


def _at_hub(header: Header, facts: Facts, registers: Registers) -> Iterator[RecipientId]:
    """Yield who may be asked at the hub, in turn: it, its alternates, the duty team and its own."""
    area = area_of(header, facts, registers)
    passed = excluded_here(header, facts) | doubted_for(facts)
    for first in (area.hub, area.out_of_hours) if area else ():
        desks = alternates(first, registers) if first else ()
        yield from (one for one in desks if one not in passed and not _speaks_for_itself(one, facts, registers))


def _apart(header: Header, facts: Facts, registers: Registers) -> Iterator[RecipientId]:
    """Yield who judges a conflict of the whole hub, in turn."""
    area = area_of(header, facts, registers)
    passed = excluded_here(header, facts) | doubted_for(facts)
    council = organisation_of(AgencyId(area.id)) if area else ""
    yield from (one for role in JUDGES for one in registers.filling(role, council) if one not in passed)


def _speaks_for_itself(desk: RecipientId, facts: Facts, registers: Registers) -> bool:
    """Tell whether it is a desk of an agency that is nothing to the child, and would be asked by its own word alone."""
    entry = registers.recipients.get(desk)
    speakers = {one.by for one in facts.doubted}
    return entry is not None and entry.agency in speakers and not is_near(organisation_of(entry.agency), facts, registers)
