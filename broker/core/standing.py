"""What an agency is to a child: its own council, tied to it, or neither. Not everybody may say everything of every child."""

from collections.abc import Collection, Iterable, Mapping

from broker.core.event import Header, Sector
from broker.core.facts import Facts, Protection
from broker.core.identifiers import AgencyId, RecipientId, RoleName
from broker.core.policy import Role
from broker.core.registers import Registers
from broker.core.roles import area_desks, desk_at, organisation_of, stand_in

# A force and the health bodies of an area meet its children without being on any list of theirs first.
_SERVE_AN_AREA = frozenset({Sector.POLICE, Sector.HEALTH})


def homes(facts: Facts, registers: Registers) -> frozenset[str]:
    """Return the areas that may be the child's own: its home; where no council said so yet, where those are who know it.

    None while nobody has to do with the child: then everybody may speak of it, as there is no hub yet that could be asked.
    """
    if facts.home_area is not None:
        return frozenset((facts.home_area,))
    known = (registers.agencies.get(AgencyId(one.removeprefix("la:"))) for one in _involved(facts))
    return frozenset(one.area for one in known if one is not None)


def answers_for(header: Header, facts: Facts, registers: Registers) -> bool:
    """Tell whether the publisher is the council that answers for the child; where none does yet, it may be one of its areas."""
    near = homes(facts, registers)
    return header.sector is Sector.COUNCILS and (not near or header.producer in near)


def is_tied(header: Header, facts: Facts, registers: Registers) -> bool:
    """Tell whether the publisher has to do with the child by what is known already, never by what this event itself says.

    To have spoken of the child is no tie: by one alert everybody would have one.
    """
    return not homes(facts, registers) or is_known_to(header, facts, registers)


def is_known_to(header: Header, facts: Facts, registers: Registers) -> bool:
    """Tell whether it is known what the publisher has to do with the child: to have spoken of it before is not enough."""
    return is_near(organisation_of(header.producer), facts, registers)


def serves_home(header: Header, facts: Facts, registers: Registers) -> bool:
    """Tell whether it is the child's council, or a force or health body of its area: no word of its own makes it so."""
    near = homes(facts, registers)
    return not near or _is_of(organisation_of(header.producer), near, registers)


def is_near(organisation: str, facts: Facts, registers: Registers) -> bool:
    """Tell whether an organisation has to do with the child now, or is its council, or a force or health body of its area."""
    return organisation in _involved(facts) or _is_of(organisation, homes(facts, registers), registers)


def guards(facts: Facts) -> frozenset[str]:
    """Return the organisations that may know what a protection hides: the child's council, and whoever set one that lasts.

    Who protects a child that another protects already lets itself in nowhere by that.
    """
    first = (one for one in facts.protections if one.until is None and not any(_stood(other, one) for other in facts.protections))
    setters = frozenset(organisation_of(one.by) for one in first)  # type: ignore[arg-type] # agency ids
    return setters | {f"la:{facts.home_area}"} if facts.home_area else setters


def trusted(
    roles: Iterable[Role], facts: Facts, registers: Registers, *, home: str | None, excluded: Collection[RecipientId] = ()
) -> Mapping[RoleName, frozenset[RecipientId]]:
    """Return who fills each role for an organisation that may know what a protection hides, or stands in there (R11).

    `home` is the area whose hub and duty team answer for the child.
    """
    keep = guards(facts)
    found = {}
    for role in roles:
        desks = area_desks(role, registers.areas.get(home or "")) or [
            one for organisation in keep for one in desk_at(role, organisation, registers)
        ]
        found[role.name] = frozenset(told for one in desks if (told := stand_in(one, excluded, registers)))
    return found


def _is_of(organisation: str, areas: frozenset[str], registers: Registers) -> bool:
    """Tell whether it is the council of one of some areas, or a force or health body there."""
    agency = registers.agencies.get(AgencyId(organisation.removeprefix("la:")))
    serves = agency is not None and agency.sector in _SERVE_AN_AREA and agency.area in areas
    return serves or organisation.removeprefix("la:") in areas


def _stood(other: Protection, new: Protection) -> bool:
    """Tell whether another's protection stood when a new one was set."""
    return other.by != new.by and other.since <= new.since and (other.until is None or other.until > new.since)


def _involved(facts: Facts) -> set[str]:
    ties = {one.organisation for one in facts.connections if one.until is None}
    return ties | {one.organisation for one in facts.statuses if one.until is None and one.organisation}
