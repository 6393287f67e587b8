"""A Kafka in memory with a scripted clock: logs, commits, compaction, and sends that fail where the script says so.

Deterministic: the same calls give the same records, offsets and time stamps.
"""

from bisect import bisect_left
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.core.model.ports import Outgoing, Record
from broker.errors import SendFailedError
from broker.stream.clients import partition_of

START = 1_700_000_000_000

Lane = tuple[str, int]


class Point:
    """An await at which the script may stop the one who waits, for a while or for ever."""

    def __await__(self) -> Generator[str, None, None]:
        yield "point"


@dataclass(slots=True)
class InProcessKafka:
    """Logs per topic and partition. An offset is never given twice, also when compaction removed the record."""

    partitions: Mapping[str, int]
    now: int = START
    logs: dict[Lane, list[Record]] = field(default_factory=dict)
    committed: dict[tuple[str, Lane], int] = field(default_factory=dict)
    watchers: list[Callable[[Record], None]] = field(default_factory=list)
    _next: dict[Lane, int] = field(default_factory=dict)

    def lane(self, outgoing: Outgoing) -> Lane:
        """Return the topic and partition that a record goes to."""
        if outgoing.partition is not None:
            return outgoing.topic, outgoing.partition
        return outgoing.topic, partition_of(outgoing.key or b"", self.partitions[outgoing.topic])

    def append(self, lane: Lane, outgoing: Outgoing) -> Record:
        """Write a record; it gets the broker's time, which never goes back."""
        self.now += 1
        offset = self._next.get(lane, 0)
        self._next[lane] = offset + 1
        record = Record(lane[0], lane[1], offset, self.now, outgoing.key, outgoing.value, outgoing.headers)
        self.logs.setdefault(lane, []).append(record)
        for watcher in self.watchers:
            watcher(record)
        return record

    def write(self, batch: Iterable[Outgoing]) -> None:
        """Write records at once."""
        for outgoing in batch:
            self.append(self.lane(outgoing), outgoing)

    def read(self, lane: Lane, offset: int, count: int | None = None) -> list[Record]:
        """Return the records from an offset on."""
        log = self.logs.get(lane, [])
        first = bisect_left(log, offset, key=lambda record: record.offset)
        return log[first:] if count is None else log[first : first + count]

    def end(self, lane: Lane) -> int:
        """Return the offset that the next record will have."""
        return self._next.get(lane, 0)

    def topic(self, name: str) -> list[Record]:
        """Return every record of a topic, in the order in which they were written."""
        found = [record for lane, log in self.logs.items() if lane[0] == name for record in log]
        return sorted(found, key=lambda record: record.timestamp)

    def compact(self, lane: Lane, before: int) -> None:
        """Keep only the last record of every key among those before an offset; the rest is too young."""
        log = self.logs.get(lane, [])
        last = {record.key: record.offset for record in log if record.offset < before}
        self.logs[lane] = [record for record in log if record.offset >= before or last[record.key] == record.offset]


@dataclass(slots=True)
class Fate:
    """What becomes of one batch: after how many records of it the send fails, and whether all arrive twice."""

    fails_after: int | None = None
    twice: bool = False


@dataclass(slots=True)
class ScriptedWriter:
    """A chunk.Writer on the in-process Kafka. It waits before, between and after the records of each partition."""

    kafka: InProcessKafka
    fate: Callable[[], Fate] = Fate

    async def write(self, batch: Sequence[Outgoing]) -> None:
        """Write per partition, in order; each partition holds a first part of its records when the send fails."""
        fate = self.fate()
        await Point()
        left = len(batch) if fate.fails_after is None else fate.fails_after
        lanes: dict[Lane, list[Outgoing]] = {}
        for outgoing in batch:
            lanes.setdefault(self.kafka.lane(outgoing), []).append(outgoing)
        for lane, records in lanes.items():
            for _ in range(2 if fate.twice else 1):
                for outgoing in records[:left]:
                    self.kafka.append(lane, outgoing)
            left = max(left - len(records), 0)
            await Point()
        if fate.fails_after is not None:
            raise SendFailedError(f"scripted: {fate.fails_after} of {len(batch)} records were acknowledged")


def finish(work: Any) -> Any:
    """Run a coroutine of the in-process world to its end, without any stop."""
    try:
        while True:
            work.send(None)
    except StopIteration as done:
        return done.value
