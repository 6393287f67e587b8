"""Who fills a role for one child: facts say which organisation, the registers say which desk there, conflicts are avoided.

A role that nobody fills is a gap that the area's hub hears, never silence.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from broker.core.agencies.exclusions import excluded_here
from broker.core.agencies.ties import where_else_it_lives
from broker.core.model.event import Header
from broker.core.model.facts import Facts
from broker.core.model.identifiers import AgencyId, RecipientId, RoleName
from broker.core.model.known import Known
from broker.core.model.policy import Role
from broker.core.model.registers import Area, Registers, Subscription


@dataclass(slots=True)
class Seats:
    """Who is possible here: recipients with their roles, roles in which nobody can be told, and conflicts with who stands in.

    Of a role in `vacant` stands whether an organisation holds it for the child: then somebody is there whom nobody can reach.
    """

    filled: dict[RecipientId, tuple[RoleName, ...]] = field(default_factory=dict)
    vacant: dict[RoleName, bool] = field(default_factory=dict)
    conflicts: dict[RecipientId, tuple[RoleName, ...]] = field(default_factory=dict)
    narrowed: dict[RecipientId, tuple[RoleName, ...]] = field(default_factory=dict)


def seats(roles: Sequence[Role], known: Known, facts: Facts, registers: Registers) -> Seats:
    """Find who fills the roles that the rules name for this event."""
    found = Seats()
    place = _Place(known, facts, registers)
    for role in roles:
        for recipients in _asked(role, place):
            if recipients is None:
                found.vacant.setdefault(role.name, False)
            elif not recipients:
                found.vacant[role.name] = True
            for recipient in recipients or ():
                _seat(found, role.name, recipient, place)
    return found


def hub_of(header: Header, facts: Facts, registers: Registers) -> RecipientId | None:
    """Return who hears a gap about this child and decides what nobody else can.

    The hub of its area; when that is in conflict its alternate, else the area's duty team, or nobody.
    """
    area = area_of(header, facts, registers)
    if area is None:
        return None
    excluded = excluded_here(header, facts)
    asked = (stand_in(one, excluded, registers) for one in (area.hub, area.out_of_hours) if one)
    return next((one for one in asked if one is not None), None)


def area_of(header: Header, facts: Facts, registers: Registers) -> Area | None:
    """Return the area that answers for a child; where no council said so yet, the one that an event names, or its publisher's."""
    area = registers.areas.get(home_of(header, facts.home_area or header.area, registers) or "")
    if area is None and facts.home_area is None:
        return registers.areas.get(home_of(header, None, registers) or "")  # it names one that nobody knows
    return area


def organisation_of(agency: AgencyId) -> str:
    """Return an agency as the organisation that connections and statuses name: a council by its code, `la:E…`."""
    return agency if ":" in agency else f"la:{agency}"


def desks_of(role: Role, registers: Registers) -> Iterator[tuple[str, tuple[RecipientId, ...]]]:
    """Yield for each place that the registers know who would be seated in a role there: an area, or an organisation."""
    seated = _BY_AREA.get(role.filled_by) or _ELSEWHERE.get(role.filled_by)
    if seated is not None:
        yield from ((area.id, found) for area in registers.areas.values() if (found := seated(area)))
        return
    served = sorted({place for one in registers.recipients.values() for place in one.serves})
    yield from ((place, found) for place in served if (found := desk_at(role, place, registers)))


def desk_at(role: Role, organisation: str, registers: Registers) -> tuple[RecipientId, ...]:
    """Return who fills a role at an organisation: the first of the role's desks that is there."""
    for name in role.desks or (role.name,):
        found = registers.filling(name, organisation)
        if found:
            return found
    return ()


class _Place:
    """Where roles are looked for."""

    __slots__ = ("also", "excluded", "header", "home", "known", "referrers", "registers")

    def __init__(self, known: Known, facts: Facts, registers: Registers) -> None:
        self.known = known
        self.header = known.header
        self.home = home_of(known.header, known.area, registers)
        self.also = where_else_it_lives(facts, registers)
        self.referrers = facts.referrers
        self.excluded = excluded_here(known.header, facts)
        self.registers = registers

    def area(self) -> Area | None:
        return self.registers.areas.get(self.home or "")

    def involved(self, names: tuple[str, ...]) -> dict[str, None]:
        found: dict[str, None] = {}
        for name in names:
            for of in (self.known.ties, self.known.held):
                if name in of:
                    found.update(dict.fromkeys(of[name]))
        return found


def home_of(header: Header, area: str | None, registers: Registers) -> str | None:
    """Return the child's own area, or the one that the event names, or else the publisher's."""
    if area:
        return area
    agency = registers.agencies.get(header.producer)
    return agency.area if agency else None


def _asked(role: Role, place: _Place) -> Iterator[Sequence[RecipientId] | None]:
    """Yield for each organisation concerned whom it seats in the role; None once when no organisation is concerned."""
    if role.filled_by in _BY_AREA:
        yield _BY_AREA[role.filled_by](place.area())
        if place.also and (found := _BY_AREA[role.filled_by](place.registers.areas.get(place.also))):
            yield found
    elif role.filled_by in _ELSEWHERE:
        yield from _elsewhere(place, _ELSEWHERE[role.filled_by])
    else:
        organisations = _organisations(role, place)
        if not organisations:
            yield None
        for organisation in organisations:
            yield desk_at(role, organisation, place.registers)


def _organisations(role: Role, place: _Place) -> Mapping[str, None]:
    if role.filled_by == "involved":
        involved = place.involved(role.of)
        if involved or not role.or_area_team:
            return involved
    if role.filled_by != "referrer":
        return {f"la:{place.home}": None} if place.home else {}
    return dict.fromkeys(place.referrers.values())


def _hub(area: Area | None) -> tuple[RecipientId, ...]:
    return (area.hub,) if area else ()


def _duty(area: Area | None) -> tuple[RecipientId, ...]:
    return (area.out_of_hours,) if area and area.out_of_hours else ()


def area_desks(role: Role, area: Area | None) -> tuple[RecipientId, ...]:
    """Return who fills a role that every area fills by itself; nobody for any other role."""
    return _BY_AREA[role.filled_by](area) if role.filled_by in _BY_AREA else ()


_BY_AREA = {"area_hub": _hub, "area_duty": _duty}
_ELSEWHERE = {"event_area_hub": _hub, "event_area_duty": _duty}


def _elsewhere(place: _Place, seated: Callable[[Area | None], tuple[RecipientId, ...]]) -> Iterator[Sequence[RecipientId]]:
    """Whom the area where it happened seats, when that is not the child's own; else nobody is wanted in the role."""
    where = place.header.area
    if where and where != place.home:
        yield seated(place.registers.areas.get(where))


def _seat(found: Seats, role: RoleName, recipient: RecipientId, place: _Place) -> None:
    told = stand_in(recipient, place.excluded, place.registers) if place.excluded else recipient
    if told != recipient:
        found.conflicts[recipient] = _joined(found.conflicts, recipient, role)
    if told is None:
        found.vacant[role] = True
        return
    entry = place.registers.recipients.get(told)
    hears = entry is None or wants(entry.subscription, place.header.event_type, role)
    seated = found.filled if hears else found.narrowed
    seated[told] = _joined(seated, told, role) if told in seated else (role,)


def wants(wanted: Subscription, event_type: str, role: RoleName) -> bool:
    """Tell whether a subscription lets it through; one that says nothing lets everything through."""
    return (not wanted.event_types or event_type in wanted.event_types) and (not wanted.roles or role in wanted.roles)


def _joined(of: Mapping[RecipientId, tuple[RoleName, ...]], recipient: RecipientId, role: RoleName) -> tuple[RoleName, ...]:
    roles = of.get(recipient)
    if roles is None:
        return (role,)
    return roles if role in roles else (*roles, role)


def alternates(recipient: RecipientId, registers: Registers) -> tuple[RecipientId, ...]:
    """Return a recipient and everybody who may stand in for it, in turn."""
    found: dict[RecipientId, None] = {}
    told: RecipientId | None = recipient
    while told is not None and told not in found:
        found[told] = None
        entry = registers.recipients.get(told)
        told = entry.alternate if entry else None
    return tuple(found)


def stand_in(recipient: RecipientId, excluded: Collection[RecipientId], registers: Registers) -> RecipientId | None:
    """Follow alternates past every recipient that the publisher excludes (R11); None when nobody is left."""
    told: RecipientId | None = recipient
    tried: set[RecipientId] = set()
    while told is not None and told in excluded:
        tried.add(told)
        entry = registers.recipients.get(told)
        told = entry.alternate if entry else None
        told = None if told in tried else told
    return told
