"""What an agency is to a child: its own council, tied to it, or neither. Not everybody may say everything of every child."""

from broker.core.event import Header, Sector
from broker.core.facts import Facts
from broker.core.registers import Registers
from broker.core.roles import organisation_of

# A force and the health bodies of an area meet its children without being on any list of theirs first.
_SERVE_AN_AREA = frozenset({Sector.POLICE, Sector.HEALTH})


def answers_for(header: Header, facts: Facts) -> bool:
    """Tell whether the publisher is the council that answers for the child; where none does yet, every council may be."""
    return header.sector is Sector.COUNCILS and facts.home_area in {None, header.producer}


def is_tied(header: Header, facts: Facts, registers: Registers) -> bool:
    """Tell whether the publisher has to do with the child by what is known already, never by what this event itself says.

    Of a child of whom nobody knows where it lives everybody may speak: there is no hub yet that could be asked.
    """
    return facts.home_area is None or is_known_to(header, facts, registers)


def is_known_to(header: Header, facts: Facts, registers: Registers) -> bool:
    """Tell whether something that is known says what the publisher has to do with the child."""
    home = facts.home_area
    agency = registers.agencies.get(header.producer)
    if home is not None and header.sector in _SERVE_AN_AREA and agency is not None and agency.area == home:
        return True
    return organisation_of(header.producer) in {f"la:{home}", *_involved(facts), *facts.referrers.values(), *_heard(facts)}


def guards(facts: Facts) -> frozenset[str]:
    """Return the organisations that may know what a protection hides: the child's council, and whoever set one that lasts."""
    setters = frozenset(organisation_of(one.by) for one in facts.protections if one.until is None)  # type: ignore[arg-type] # agency ids
    return setters | {f"la:{facts.home_area}"} if facts.home_area else setters


def _involved(facts: Facts) -> set[str]:
    ties = {one.organisation for one in facts.connections if one.until is None}
    return ties | {one.organisation for one in facts.statuses if one.until is None and one.organisation}


def _heard(facts: Facts) -> set[str]:
    """Whose word about the child was passed on before."""
    return {organisation_of(one.producer) for one in facts.ledger if one.producer}  # type: ignore[arg-type] # agency ids
