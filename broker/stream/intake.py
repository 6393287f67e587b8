"""The first stage: take an agency's record in, or say why not. Nothing of its content is changed.

What passes is what its agency said (I10): signed with a key in force, on its own sector's topic, in a schema that was
released, and not from the future. It goes on under the matching key of the child's birth date, byte for byte.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from broker import codec
from broker.core.agencies.exclusions import with_conflicts
from broker.core.agencies.roles import stand_in
from broker.core.intake.matching import keys_of
from broker.core.intake.publishing import (
    REGISTRATIONS,
    TOLERANCE_MS,
    cannot_have_happened,
    impossible_times,
    names_nothing_to_take_back,
    names_numbers_of_others,
    permits,
)
from broker.core.model.dates import whole_birth_date
from broker.core.model.event import Event, Sector
from broker.core.model.identifiers import Millis, RecipientId, is_event_id
from broker.core.model.ports import ACCEPTED, CAUSE, ORIGIN, Effects, Outgoing, Position, Record, Table, Task
from broker.core.model.registers import Agency, Area, Registers
from broker.errors import EventIdError, ImpossibleTimeError, NotPermittedError, RejectError, TimeError, UnreadableRecordError
from broker.sealing.secrets import Secrets
from broker.sealing.signatures import sender_of, signed_by
from broker.stream.cloudevents import check_headers
from broker.stream.event_size import check_head, check_numbers, check_whole
from broker.stream.identify.said import MERGE, changed_by
from broker.stream.identify.trail import BY_ITSELF, bare
from broker.stream.topics import CANDIDATES, EVENTS

_SECTOR_OF = {EVENTS[sector]: sector for sector in Sector}


class RegistersSource(Protocol):
    """Follows `registers.v1`."""

    def newest(self) -> Registers:
        """Return the newest release of the registers; raises RetryError while there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Intake:
    """The stage `intake`; it keeps no state."""

    secrets: Secrets
    registers: RegistersSource
    name: str = "intake"
    inputs: tuple[str, ...] = tuple(EVENTS.values())
    state_topics: tuple[str, ...] = ()

    def open(self, partition: int, tables: Mapping[str, Table]) -> Task:  # noqa: ARG002 - the port's signature
        """Take a partition up; there is nothing to load."""
        return _IntakeTask(self.secrets, self.registers)


@dataclass(frozen=True, slots=True)
class _IntakeTask:
    secrets: Secrets
    registers: RegistersSource

    def step(self, record: Record, effects: Effects) -> None:
        """Check one record and pass it on as a candidate; raises RejectError with the reason when it cannot be taken."""
        try:
            self._take(record, effects)
        except RejectError as error:
            error.sender = sender_of(self.registers.newest(), record, record.header("ce_id"))
            raise

    def _take(self, record: Record, effects: Effects) -> None:
        value = _whole(record)
        event = codec.decode_event(value)
        check_head(event, len(value))
        check_numbers(event)
        _check_ids(event)
        _check_calendar(event)
        check_headers(record, event.header)
        registers = self.registers.newest()
        agency = _publisher(registers, record, event)
        _check_time(record, event)
        area = _area(registers, agency, event)
        hubs = _hubs(registers, area, with_conflicts(event, registers))
        message = {
            "kind": "EVENT",
            "event": value,
            "opens_child": agency.registers_people and event.header.event_type in REGISTRATIONS,
            "hub": hubs[0] if hubs else "",
            "stand_ins": hubs[1:],
            "own_area": area is None or area.id == agency.area,
        }
        place = Position(f"{record.topic}/{record.partition}", record.offset)
        accepted = (ACCEPTED, b"%d" % record.timestamp)
        headers = (
            (ORIGIN, bytes(place)),
            accepted,
            (CAUSE, bytes(place)),
        )  # never the publisher's own words about where it stands
        trail = trail_of(self.secrets, event)
        key = candidate_key(self.secrets, event)
        says_nothing = key.startswith(BY_ITSELF)
        first = trail if trail is not None and says_nothing else key
        effects.outputs.append(Outgoing(CANDIDATES, first.encode(), codec.encode("candidate", message), headers))
        if trail is not None and not says_nothing:
            value = codec.encode("candidate", {"kind": "EVENT", "event": codec.encode_event(bare(event)), "changes": True})
            cause = bytes(place._replace(output=1))
            effects.outputs.append(Outgoing(CANDIDATES, trail.encode(), value, ((CAUSE, cause),)))

    def due(self, now: int) -> Iterable[Outgoing]:  # noqa: ARG002 - the port's signature
        """Return nothing: intake has no timers."""
        return ()


def candidate_key(secrets: Secrets, event: Event) -> str:
    """Return where an event looks for its child: under the birth date, else its strongest identifier, else by itself."""
    birth_date = whole_birth_date(event.body.get("identity", {}).get("birth_date"))
    if birth_date is not None:
        return secrets.matching_key(birth_date)
    strongest = next(iter(keys_of(event)), None)
    if strongest is not None:
        return secrets.identifier_hash(strongest.scheme, strongest.value, strongest.issuer)
    return BY_ITSELF + secrets.identifier_hash("event", event.header.event_id)[2:]


def trail_of(secrets: Secrets, event: Event) -> str | None:
    """Return who keeps the trail of the event that this one changes or takes back; None when it does neither."""
    superseded = changed_by(event)
    return secrets.trail_key(event.header.producer, superseded) if superseded is not None else None


def _whole(record: Record) -> bytes:
    if record.value is None:
        raise UnreadableRecordError("record has no value: an event is never deleted, publish a retraction")
    check_whole(len(record.value))
    return record.value


def _check_ids(event: Event) -> None:
    """Check the event's id and the ids that it names; raises EventIdError, which repeats none of them."""
    named = {
        "event_id": event.header.event_id,
        "supersedes": event.header.supersedes,
        "concerns_event": (event.control or {}).get("concerns_event"),
    }
    for field, value in named.items():
        if value is not None and not is_event_id(value):
            raise EventIdError(f"field `{field}` is no UUID in lower case: publish it again under one")


def _publisher(registers: Registers, record: Record, event: Event) -> Agency:
    """Return the agency that published the event; raises SignatureError or NotPermittedError when it may not have."""
    header = event.header
    key = signed_by(registers, record, header.event_id)
    if key.holder != header.producer:
        raise NotPermittedError(f"key `{key.id}` belongs to `{key.holder}`, which cannot publish as another agency")
    agency = registers.agencies.get(header.producer)
    if agency is None:
        raise NotPermittedError(f"`{key.holder}` is not an agency in the registers: release them with its entry")
    if not agency.sector == header.sector == _SECTOR_OF.get(record.topic):
        raise NotPermittedError(f"agency `{agency.id}` is of sector {agency.sector.value} and publishes on its own topic only")
    if not permits(header.event_type, agency.sector, agency):
        raise NotPermittedError(f"agency `{agency.id}` may not publish this event type: see its entry in the registers")
    if names_numbers_of_others(event):
        raise NotPermittedError("a registration names local ids of another agency: publish it again without them")
    if names_nothing_to_take_back(event):
        raise NotPermittedError("a retraction names no event in `supersedes`: publish it again with the id of what it takes back")
    if not header.purpose.strip():
        raise NotPermittedError("field `purpose` is empty: say why it is shared")
    return agency


def _check_calendar(event: Event) -> None:
    for name in impossible_times(event):
        raise ImpossibleTimeError(f"field `{name}` is no time between 1830 and 2200: publish it again without it")


def _check_time(record: Record, event: Event) -> None:
    ahead = event.header.recorded_at - record.timestamp
    if ahead > TOLERANCE_MS:
        raise TimeError(f"field `recorded_at` is {ahead // 1000} s ahead of Kafka's clock: correct the clock of the source")
    if cannot_have_happened(event, Millis(record.timestamp)):
        raise TimeError("field `occurred_at` is in the future: publish it again with when it happened, or without the field")


def _area(registers: Registers, agency: Agency, event: Event) -> Area | None:
    """Return the area that an event names, else its publisher's; whose hub may allow a merge is not for it to say."""
    named = None if event.header.event_type == MERGE else event.header.area
    return registers.areas.get(named or "") or registers.areas.get(agency.area)


def _hubs(registers: Registers, area: Area | None, event: Event) -> list[RecipientId]:
    """Return who is asked when it is not known whose event this is, in turn: never whom the publisher excludes (R11).

    The hub and whoever stands in there, and then the duty team: a question may come at night.
    """
    found: list[RecipientId] = []
    for desk in (area.hub, area.out_of_hours) if area else ():
        told = stand_in(desk, (*event.header.excluded, *found), registers) if desk else None
        while told is not None:
            found.append(told)
            told = stand_in(told, (*event.header.excluded, *found), registers)
    return found
