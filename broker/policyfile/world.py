"""The small area in which policy cases play: two councils, two schools, two practices, a hospital, a force, and their desks.

A desk is named `role@place`, as cases name it. Every role of the policy has its desk, so that a case needs no registers.
"""

from collections.abc import Iterable, Mapping

from broker.core.model.event import Sector
from broker.core.model.identifiers import AgencyId, Digest, RecipientId, RoleName
from broker.core.model.policy import Policy, Role
from broker.core.model.registers import Agency, Area, Recipient, Registers

HOME, AWAY = "E10000001", "E10000002"
PLACES: Mapping[str, str] = {
    "home": f"la:{HOME}",
    "away": f"la:{AWAY}",
    "school": "urn:100001",
    "other_school": "urn:100002",
    "practice": "ods:A00001",
    "other_practice": "ods:A00002",
    "trust": "ods:RX001",
    "force": "police:1",
}
AREAS: Mapping[str, str] = {"home": HOME, "away": AWAY}
SPEAKERS: Mapping[str, str] = {"police": "force", "school": "school", "health": "trust", "council": "home"}
_SECTORS = {"force": Sector.POLICE, "school": Sector.SCHOOLS, "other_school": Sector.SCHOOLS, "home": Sector.COUNCILS}
_SECTORS |= {"away": Sector.COUNCILS, "practice": Sector.HEALTH, "other_practice": Sector.HEALTH, "trust": Sector.HEALTH}
_COUNCILS = ("home", "away")
_OF_RELATION = {"school": ("school", "other_school"), "gp": ("practice", "other_practice"), "hospital": ("trust",)}
_REFERRING = ("dsl", "gp", "hospital", "police_desk", "hub")


def agency_of(place: str) -> AgencyId:
    """Return the agency that speaks at a place."""
    return AgencyId(PLACES[place].removeprefix("la:"))


def sector_of(place: str) -> Sector:
    """Return the sector of the agency at a place."""
    return _SECTORS[place]


def registers_for(policy: Policy) -> Registers:
    """Return registers in which every role of the policy has its desks, and each school and hub an alternate."""
    recipients = {one.id: one for role in policy.roles.values() for one in _desks(role)}
    areas = {
        area: Area(id=area, name=name, hub=RecipientId(f"hub@{name}"), out_of_hours=RecipientId(f"duty_team@{name}"))
        for name, area in AREAS.items()
    }
    agencies = {
        agency_of(name): Agency(id=agency_of(name), name=name, sector=_SECTORS[name], area=AWAY if name == "away" else HOME)
        for name in PLACES
    }
    return Registers(version="cases", digest=Digest("cases"), agencies=agencies, keys={}, recipients=recipients, areas=areas)


def _desks(role: Role) -> Iterable[Recipient]:
    for place in _places(role):
        stands_in = RecipientId(f"{role.name}-alternate@{place}") if role.name in ("dsl", "hub") else None
        yield _desk(role.name, place, RecipientId(f"{role.name}@{place}"), stands_in)
        if stands_in:
            yield _desk(role.name, place, stands_in, None)


def _desk(role: RoleName, place: str, named: RecipientId, stands_in: RecipientId | None) -> Recipient:
    serves = {PLACES[place]} if not named.startswith(f"{role}-") else set()
    if role == "police_desk" and place == "home":
        serves.add(PLACES["force"])  # the police decision-maker sits at the hub and speaks for the force
    roles = {role, RoleName("referrer")} if role in _REFERRING else {role}
    return Recipient(
        id=named,
        name=named,
        agency=agency_of(place),
        area=AWAY if place == "away" else HOME,
        roles=frozenset(roles),
        serves=frozenset(serves),
        alternate=stands_in,
    )


def _places(role: Role) -> tuple[str, ...]:
    if role.filled_by == "referrer":
        return ()
    return next((places for relation, places in _OF_RELATION.items() if relation in role.of), _COUNCILS)
