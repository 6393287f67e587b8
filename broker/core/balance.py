"""The reconciler: from the log itself, show that every accepted record is accounted for (I2), per partition and offset range.

`accepted = decided + applied + duplicate + in review + dead-lettered + in flight`. It reads headers only and keeps one byte
for each accepted record. It takes what a reader brings and knows no Kafka client.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from broker.core.ports import Position

_NAMED_OFFSETS = 1_000  # faults named one by one in each partition; the rest is counted


class End(IntEnum):
    """How an accepted record ended; a later one of these outranks an earlier one that only waits."""

    NOWHERE = 0
    IN_FLIGHT = 1
    IN_REVIEW = 2
    DEAD_LETTERED = 3
    DUPLICATE = 4
    APPLIED = 5
    DECIDED = 6


FINAL = frozenset({End.DUPLICATE, End.APPLIED, End.DECIDED})
OUTCOMES: Mapping[str, End] = {
    "decided": End.DECIDED,
    "applied": End.APPLIED,
    "duplicate": End.DUPLICATE,
    "in_review": End.IN_REVIEW,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One accepted record that does not add up."""

    topic: str
    partition: int
    offset: int
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """The equation of one partition: offsets from `first` up to and without `end`."""

    topic: str
    partition: int
    first: int
    end: int
    counts: Mapping[str, int]
    faults: tuple[Fault, ...] = ()
    faults_in_all: int = 0

    @property
    def accepted(self) -> int:
        """Return how many records were accepted in this range."""
        return sum(self.counts.values())

    @property
    def balances(self) -> bool:
        """Tell whether every accepted record is accounted for exactly once."""
        return not self.faults_in_all


@dataclass(slots=True)
class _Sheet:
    """One partition's accepted records, one byte each."""

    first: int
    ends: bytearray
    present: bytearray
    torn: dict[int, tuple[End, End]] = field(default_factory=dict)

    def mark(self, offset: int, end: End) -> None:
        place = offset - self.first
        if not 0 <= place < len(self.ends):
            return
        before = End(self.ends[place])
        if before in FINAL and end in FINAL and before is not end:
            self.torn[offset] = (before, end)
        if end > before:
            self.ends[place] = end


class Books:
    """The books of all events topics, filled from headers and then balanced.

    The reader must take the ends of the events topics first, then the committed offsets, then the rest up to its end at
    that time; otherwise what moves meanwhile would look lost.
    """

    def __init__(self, ranges: Mapping[tuple[str, int], tuple[int, int]]) -> None:
        """Open the books for offset ranges, first inclusive and end exclusive, of each topic and partition."""
        self._sheets = {
            place: _Sheet(first, bytearray(end - first), bytearray(end - first)) for place, (first, end) in ranges.items()
        }

    def accept(self, topic: str, partition: int, offset: int) -> None:
        """Note that there is a record at this place: offsets may have gaps."""
        sheet = self._sheets.get((topic, partition))
        if sheet is not None and 0 <= offset - sheet.first < len(sheet.present):
            sheet.present[offset - sheet.first] = 1

    def end(self, origin: Position | None, end: End) -> None:
        """Note how a record ended; one without an origin (a clock, an epoch, a receipt) is not in this equation."""
        if origin is None:
            return
        topic, _, partition = origin.lane.rpartition("/")
        sheet = self._sheets.get((topic, int(partition)))
        if sheet is not None:
            sheet.mark(origin.offset, end)

    def review(self, origin: Position, *, is_open: bool) -> None:
        """Note a review, in the order of the log: an open one holds its record, a closed one holds it no more."""
        topic, _, partition = origin.lane.rpartition("/")
        sheet = self._sheets.get((topic, int(partition)))
        place = origin.offset - sheet.first if sheet is not None else -1
        if sheet is None or not 0 <= place < len(sheet.ends):
            return
        if is_open:
            sheet.mark(origin.offset, End.IN_REVIEW)
        elif sheet.ends[place] == End.IN_REVIEW:
            sheet.ends[place] = End.NOWHERE

    def unread(self, topic: str, partition: int, committed: int) -> None:
        """Note that the first stage has read up to here: what lies behind is in flight."""
        sheet = self._sheets.get((topic, partition))
        if sheet is None:
            return
        for place in range(max(0, committed - sheet.first), len(sheet.ends)):
            sheet.ends[place] = max(sheet.ends[place], End.IN_FLIGHT)

    def balance(self) -> list[Balance]:
        """Draw the line under every partition."""
        return [_balance(topic, partition, sheet) for (topic, partition), sheet in sorted(self._sheets.items())]


def total(balances: Iterable[Balance]) -> Mapping[str, int]:
    """Return the equation over all partitions: accepted, and each way to end."""
    counts: Counter[str] = Counter(dict.fromkeys(("accepted", *names()), 0))
    for one in balances:
        counts.update(one.counts)
        counts["accepted"] += one.accepted
    return dict(counts)


def names() -> tuple[str, ...]:
    """Return the terms of the equation in the order in which it is written."""
    return ("decided", "applied", "duplicate", "in_review", "dead_lettered", "in_flight", "nowhere")


def _balance(topic: str, partition: int, sheet: _Sheet) -> Balance:
    counts = Counter(end for end, present in zip(sheet.ends, sheet.present, strict=True) if present)
    faults = [Fault(topic=topic, partition=partition, offset=offset, problem=problem) for offset, problem in _faults(sheet)]
    return Balance(
        topic=topic,
        partition=partition,
        first=sheet.first,
        end=sheet.first + len(sheet.ends),
        counts={name: counts[End[name.upper()]] for name in names()},
        faults=tuple(faults[:_NAMED_OFFSETS]),
        faults_in_all=len(faults),
    )


def _faults(sheet: _Sheet) -> Iterator[tuple[int, str]]:
    for place, (end, present) in enumerate(zip(sheet.ends, sheet.present, strict=True)):
        offset = sheet.first + place
        if present and end == End.NOWHERE:
            yield offset, "accepted and then nowhere: neither decided, nor in review, dead-lettered or in flight"
        elif not present and end not in {End.NOWHERE, End.IN_FLIGHT}:
            yield offset, "accounted for, but there is no such record"
        if offset in sheet.torn:
            one, other = sheet.torn[offset]
            yield offset, f"accounted for twice: {one.name.lower()} and {other.name.lower()}"
