"""Who has to do with a child, and in which areas that is, as the registers say."""

from collections.abc import Iterable

from broker.core.model.facts import Connection, Facts, Status
from broker.core.model.identifiers import AgencyId, Millis
from broker.core.model.protections import is_protected
from broker.core.model.registers import Registers

REGISTERED = "registered"  # what a statement is about that names whose register of people the child came from
COUNCIL = "la:"  # before a council's code, as organisations are named


def ties_of(facts: Facts) -> list[Connection | Status]:
    """Return what lasts between organisations and the child; a status that ends by itself is none that anybody works under."""
    statuses = (one for one in facts.statuses if one.until is None)
    return [*(one for one in facts.connections if lasts(one, facts.at)), *statuses]


def involved(facts: Facts) -> set[str]:
    """Return the organisations that have to do with the child now."""
    return {one.organisation for one in ties_of(facts) if one.organisation}


def lasts(one: Connection, at: Millis) -> bool:
    """Tell whether an organisation still has to do with the child: one that is said to let go later has until then."""
    return one.until is None or one.until > at


def areas_of(organisations: Iterable[str], registers: Registers) -> frozenset[str]:
    """Return the areas in which some organisations are."""
    known = (registers.agencies.get(AgencyId(one.removeprefix(COUNCIL))) for one in organisations)
    return frozenset(one.area for one in known if one is not None)


def registering_councils(facts: Facts) -> tuple[str, ...]:
    """Return the councils whose register of people the child is in."""
    return tuple(one.value for one in facts.statements if one.about == REGISTERED and one.value.startswith(COUNCIL))


def where_else_it_lives(facts: Facts, registers: Registers) -> str | None:
    """Return the area in which all are that have to do with a child, where its home is another's and nobody's there.

    An old row of one council's extract, read first, makes the child its own for ever: whoever answers for it really would hear
    nothing. So where another council has the child in its register and everybody who has to do with the child is of that area,
    the hub there hears, too, until the two have agreed (R26). Never of a protected child: it may have fled from there.
    """
    if facts.home_area is None or is_protected(facts.protections):
        return None
    there = areas_of(involved(facts), registers)
    if len(there) != 1 or facts.home_area in there:  # nearly always: so what was registered is looked through for few
        return None
    [area] = there
    registering = registering_councils(facts)
    return area if len(registering) > 1 and f"{COUNCIL}{area}" in registering else None
