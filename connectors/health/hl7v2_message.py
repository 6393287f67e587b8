"""One HL7 version 2 message opened: its trigger, its patients, and its times as far as they can be.

A clock that is wrong, or a year of two digits, makes a time that cannot be: it is left out and named, never reckoned with.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from broker.core.model.identifiers import Millis
from connectors.health.hl7v2_fields import Segment, iso_time, millis
from connectors.health.hl7v2_person import Patient

_DAY = 86_400_000
_AHEAD = _DAY  # clocks differ by minutes, zones by hours
_BACK = 120 * 365 * _DAY  # nothing that a message tells of is older than anybody
_TIMES = (("EVN", 2), ("EVN", 6), ("MSH", 7), ("PV1", 44), ("PV1", 45))
_LOCAL = ZoneInfo("Europe/London")


@dataclass(slots=True)
class Message:
    """One message: its segments and what every event of it needs. `wrong` are the times that cannot be, by their fields."""

    place: str
    content: bytes
    segments: list[Segment]
    received_at: Millis
    trigger: str = ""
    control_id: str = ""
    recorded_at: Millis = Millis(0)
    occurred_at: str | None = None
    wrong: list[str] = field(default_factory=list)

    def first(self, name: str) -> Segment | None:
        """Return the first segment of a name."""
        return next((segment for segment in self.segments if segment.name == name), None)

    def text(self, name: str, number: int, component: int = 1) -> str:
        """Return a component of a field of the first segment of a name, empty when it is not there."""
        segment = self.first(name)
        return segment.text(number, component) if segment else ""

    def time(self, name: str, number: int) -> str | None:
        """Return a time as ISO 8601 with its precision; None when there is none, or one that cannot be."""
        stamp = self.text(name, number)
        if self.can_be(stamp):
            return iso_time(stamp)
        if (where := f"{name}-{number}") not in self.wrong:
            self.wrong.append(where)
        return None

    def can_be(self, stamp: str) -> bool:
        """Tell whether a stamp is no time that lies days ahead of its receipt or is older than anybody."""
        at = millis(stamp)
        return at is None or -_AHEAD <= self.received_at - at <= _BACK

    def day_of_age(self) -> str:
        """Return the day on which an age counts: of the event or of its receipt, whichever was earlier."""
        received = datetime.fromtimestamp(self.received_at / 1000, _LOCAL).date().isoformat()
        occurred = (self.occurred_at or received)[:10]
        return occurred if occurred <= received[: len(occurred)] else received

    def patients(self) -> Iterator[list[Segment]]:
        """Yield each PID with what follows it: a merge may name several."""
        groups: list[list[Segment]] = []
        for segment in self.segments:
            if segment.name == "PID":
                groups.append([])
            if groups:
                groups[-1].append(segment)
        yield from groups


@dataclass(slots=True)
class Case:
    """One patient of one message, with the segments that belong to them; a merge may be about several."""

    message: Message
    patient: Patient
    segments: list[Segment]
    number: int


def open_message(content: bytes, segments: list[Segment], place: str, received_at: Millis) -> Message:
    """Read what every event of a message needs from MSH, EVN and PV1."""
    message = Message(place, content, segments, received_at)
    kind = message.text("MSH", 9, 2) or message.text("EVN", 1)
    what = message.text("MSH", 9, 1)
    message.trigger = kind[:12].upper() if what.upper() == "ADT" else f"{what[:12]} {kind[:12]}".strip()
    if control := message.text("MSH", 10):
        message.control_id, message.place = control, f"{place}, message {control[:40]}"
    stamps = (millis(message.text("EVN", 2)), millis(message.text("MSH", 7)), received_at)
    message.recorded_at = min(next(at for at in stamps if at), received_at)
    times = {(name, number): message.time(name, number) for name, number in _TIMES}
    visited = ("PV1", 45 if message.trigger == "A03" else 44)
    message.occurred_at = times["EVN", 6] or times[visited] or times["EVN", 2] or times["MSH", 7]
    return message
