"""What an agency is to a child: its own council, tied to it, or neither. Not everybody may say everything of every child."""

from collections.abc import Collection, Iterable, Mapping

from broker.core.agencies.roles import area_desks, desk_at, organisation_of, stand_in
from broker.core.agencies.ties import REGISTERED, areas_of, involved, ties_of
from broker.core.model.event import Header, Sector
from broker.core.model.facts import Connection, Facts, Protection, Status
from broker.core.model.identifiers import AgencyId, RecipientId, RoleName
from broker.core.model.policy import Role
from broker.core.model.registers import Registers

# A force and the health bodies of an area meet its children without being on any list of theirs first.
_SERVE_AN_AREA = frozenset({Sector.POLICE, Sector.HEALTH})


def homes(facts: Facts, registers: Registers) -> frozenset[str]:
    """Return the areas that may be the child's own: its home; where no council said so yet, where those are who know it.

    Who knows it: whoever has to do with it; of a child with whom nobody has, whoever registered it first. Of a child that is
    protected they are those of these areas alone that protect it. None where nobody knows it: then nobody is trusted either.
    """
    return _known_in(facts, registers) or areas_of(_first_to_register(facts), registers)


def answers_for(header: Header, facts: Facts, registers: Registers) -> bool:
    """Tell whether the publisher is the council that answers for the child; where none does yet, it may be one of its areas."""
    return header.sector is Sector.COUNCILS and header.producer in _areas_but_for(
        organisation_of(header.producer), facts, registers
    )


def is_tied(header: Header, facts: Facts, registers: Registers) -> bool:
    """Tell whether the publisher may silence, withdraw and judge: others know what it is to the child, not it alone.

    To have spoken of the child is no tie: by one alert everybody would have one. Nor is a roll, an admission or a register of
    its own, where it is of another area than the child: by one record everybody would have that. So it is of an area of the
    child and has to do with it, serves that area, was named by somebody of there, or is a council, whose work with another's
    child a person has allowed.
    """
    itself = organisation_of(header.producer)
    areas = _areas_but_for(itself, facts, registers)
    if _is_of(itself, areas, registers):
        return True
    ties = [one for one in ties_of(facts) if one.organisation == itself]
    near = not areas_of([itself], registers).isdisjoint(areas) or header.sector is Sector.COUNCILS
    return bool(ties) and (near or any(_is_of(_who_said(facts, one), areas, registers) for one in ties))


def serves_home(header: Header, facts: Facts, registers: Registers) -> bool:
    """Tell whether it is the child's council, or a force or health body of its area: no word of its own makes it so."""
    itself = organisation_of(header.producer)
    return _is_of(itself, _areas_but_for(itself, facts, registers), registers)


def is_near(organisation: str, facts: Facts, registers: Registers) -> bool:
    """Tell whether an organisation has to do with the child now, or is its council, or a force or health body of its area."""
    return organisation in involved(facts) or _is_of(organisation, _known_in(facts, registers), registers)


def is_at_home(organisation: str, facts: Facts, registers: Registers) -> bool:
    """Tell whether the registers have an organisation in one of the child's own areas."""
    return not areas_of([organisation], registers).isdisjoint(homes(facts, registers))


def has_neighbours(organisation: str, facts: Facts, registers: Registers) -> bool:
    """Tell whether others of an organisation's area have to do with the child, by their own word and not by its.

    Not those in whose place somebody of another area came later: of where a child was before, a school or practice seldom says
    that it has left.
    """
    others = [one for one in ties_of(facts) if one.organisation and organisation not in (one.organisation, _who_said(facts, one))]
    there = areas_of([organisation], registers)
    near = [one for one in others if not there.isdisjoint(areas_of([one.organisation or ""], registers))]
    elsewhere = [one for one in others if one not in near]
    return any(all(_relation(other) != _relation(one) or other.since <= one.since for other in elsewhere) for one in near)


def guards(facts: Facts, registers: Registers) -> frozenset[str]:
    """Return the organisations that may know what a protection hides: the child's council, and whoever set one that lasts.

    Who protects a child that another protects already lets itself in nowhere by that. Nor does who protected it first, from
    elsewhere than its home, where nobody else of that area has to do with the child: it may have said so long before the child
    fled, and be where it fled from.
    """
    first = (one for one in facts.protections if one.until is None and not any(_stood(other, one) for other in facts.protections))
    setters = frozenset(organisation_of(one.by) for one in first)  # type: ignore[arg-type] # agency ids
    if not facts.home_area:
        return setters
    near = frozenset(
        one for one in setters if facts.home_area in areas_of([one], registers) or has_neighbours(one, facts, registers)
    )
    return near | {f"la:{facts.home_area}"}


def trusted(
    roles: Iterable[Role], facts: Facts, registers: Registers, *, home: str | None, excluded: Collection[RecipientId] = ()
) -> Mapping[RoleName, frozenset[RecipientId]]:
    """Return who fills each role for an organisation that may know what a protection hides, or stands in there (R11).

    `home` is the area whose hub and duty team answer for the child.
    """
    keep = guards(facts, registers)
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


def _known_in(facts: Facts, registers: Registers) -> frozenset[str]:
    """Return the home, else the areas of those who have to do with the child; replay knows no more than this reads."""
    if facts.home_area is not None:
        return frozenset((facts.home_area,))
    known = areas_of(involved(facts), registers)
    return known & areas_of(guards(facts, registers), registers) or known


def _areas_but_for(organisation: str, facts: Facts, registers: Registers) -> frozenset[str]:
    """Return the areas that may be the child's own by what others say, and by whose register it came from first."""
    if facts.home_area is not None:
        return frozenset((facts.home_area,))
    others = {one.organisation for one in ties_of(facts) if one.organisation and _who_said(facts, one) != organisation}
    known = areas_of(others, registers)
    return (known & areas_of(guards(facts, registers), registers) or known) | areas_of(_first_to_register(facts), registers)


def _relation(one: Connection | Status) -> str:
    return one.relation if isinstance(one, Connection) else one.name


def _who_said(facts: Facts, one: Connection | Status) -> str:
    return organisation_of(AgencyId(facts.voices.get(one.event_id, one.organisation or "")))


def _first_to_register(facts: Facts) -> tuple[str, ...]:
    return next(((one.value,) for one in facts.statements if one.about == REGISTERED), ())
