"""Two stages that count: the smallest chain in which loss, repeats, disorder and sending too early can be seen.

`tally` counts the records of each key and passes each on under another key; `ledger` counts those. Both keep, per key and
lane, the highest position applied. Every output tells the count at which it was decided, so a replay that decides from
another state gives another value.
"""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from broker.core.model.ports import CAUSE, ORIGIN, Effects, Outgoing, Position, Record, Stage, Table, Task
from broker.errors import RejectError
from broker.stream.engine.chunk import DEAD_LETTERS
from tests.stream.explorer import Chain
from tests.stream.inprocess import InProcessKafka

PARTITIONS = {"in": 2, "middle": 2, "out": 1, "audit": 1, "tally-state": 2, "ledger-state": 2, DEAD_LETTERS: 1}
BAD = b"bad"


@dataclass(frozen=True, slots=True)
class Counting:
    """A stage that counts per key and passes on."""

    name: str
    reads: str
    writes: str
    state: str

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.reads,)

    @property
    def state_topics(self) -> tuple[str, ...]:
        return (self.state,)

    def open(self, partition: int, tables: Mapping[str, Table]) -> Task:
        return CountingTask(self, tables[self.state])


@dataclass(slots=True)
class CountingTask:
    stage: Counting
    table: Table

    def step(self, record: Record, effects: Effects) -> None:
        if record.value is None or record.value.startswith(BAD):
            raise RejectError("it says so")
        assert record.key is not None
        here = Position(f"{record.topic}/{record.partition}", record.offset)
        cause = Position.parse(record.header(CAUSE) or bytes(here))
        origin = record.header(ORIGIN) or bytes(here)
        state = json.loads(self.table.get(record.key) or b'{"count": 0, "lanes": {}}')
        if cause.order <= state["lanes"].get(cause.lane, -1):
            return
        state["count"] += 1
        state["lanes"][cause.lane] = cause.order
        value = record.value + b" %s:%d" % (self.stage.name.encode(), state["count"])
        effects.audit.append(Outgoing("audit", record.key, value, ((ORIGIN, origin),)))
        headers = ((ORIGIN, origin), (CAUSE, bytes(here)))
        effects.outputs.append(Outgoing(self.stage.writes, next_key(record.key), value, headers))
        self.table.put(record.key, json.dumps(state).encode(), effects)

    def due(self, now: int) -> Iterable[Outgoing]:
        return ()


def next_key(key: bytes) -> bytes:
    """Two keys of the first stage meet in one key of the second, from both partitions."""
    return b"pair-%d" % (int(key[-1:]) // 2)


def stages() -> Sequence[Stage]:
    return (Counting("tally", "in", "middle", "tally-state"), Counting("ledger", "middle", "out", "ledger-state"))


def feed(dice: random.Random) -> Sequence[Outgoing]:
    """Some records under four keys, one in ten of them bad."""
    values = [b"%d" % number if dice.random() > 0.1 else BAD + b"%d" % number for number in range(dice.randint(6, 14))]
    return [Outgoing("in", b"%d" % dice.randrange(4), value) for value in values]


def watch(kafka: InProcessKafka, record: Record) -> list[str]:
    """An output may be written only when an audit entry with its content is in the log."""
    if record.topic in ("middle", "out") and all(entry.value != record.value for entry in kafka.topic("audit")):
        return [f"`{record.topic}` holds {record.value!r} before the audit does"]
    return []


def judge(kafka: InProcessKafka, fed: Sequence[Outgoing]) -> list[str]:
    good = [one for one in fed if one.value is not None and not one.value.startswith(BAD)]
    return [
        *_lost_or_counted_twice(kafka, good),
        *_decided_differently(kafka),
        *_dead_letters(kafka, fed),
        *_out_of_order(kafka, good),
    ]


def _lost_or_counted_twice(kafka: InProcessKafka, good: Sequence[Outgoing]) -> Iterable[str]:
    expected = {
        "tally-state": Counter(one.key for one in good),
        "ledger-state": Counter(next_key(one.key) for one in good if one.key is not None),
    }
    for topic, counts in expected.items():
        found = {key: count for key, count in _counts(kafka, topic).items() if count}
        if found != dict(counts):
            yield f"`{topic}` says {found}, it should say {dict(counts)}"
    out = {_number(record) for record in kafka.topic("out")}
    if out != {one.value for one in good}:
        yield f"`out` holds {sorted(out)}, it should hold {sorted(one.value or b'' for one in good)}"


def _counts(kafka: InProcessKafka, topic: str) -> dict[bytes | None, int]:
    """The state as the log's last record of each key tells it: what compaction keeps."""
    last: dict[bytes | None, Any] = {}
    for record in kafka.topic(topic):
        last[record.key] = json.loads(record.value or b"{}")["count"]
    return last


def _decided_differently(kafka: InProcessKafka) -> Iterable[str]:
    for topic in ("middle", "out"):
        values = defaultdict(set)
        for record in kafka.topic(topic):
            values[record.header(ORIGIN)].add(record.value)
        yield from (f"`{topic}`: {origin!r} was decided as {found}" for origin, found in values.items() if len(found) > 1)


def _dead_letters(kafka: InProcessKafka, fed: Sequence[Outgoing]) -> Iterable[str]:
    bad = sum(one.value is not None and one.value.startswith(BAD) for one in fed)
    places = {record.key for record in kafka.topic(DEAD_LETTERS)}
    if len(places) != bad:
        yield f"{bad} bad records, {len(places)} dead letters"


def _out_of_order(kafka: InProcessKafka, good: Sequence[Outgoing]) -> Iterable[str]:
    """The first time that each record of a key comes out, it comes in the order in which it went in."""
    order: dict[bytes | None, list[bytes | None]] = defaultdict(list)
    for record in kafka.topic("middle"):
        number = _number(record)
        key = next(one.key for one in good if one.value == number)
        if number not in order[key]:
            order[key].append(number)
    for key, found in order.items():
        if found != [one.value for one in good if one.key == key]:
            yield f"key {key!r} came out as {found}"


def _number(record: Record) -> bytes:
    return (record.value or b"").split(b" ")[0]


CHAIN = Chain("counting", PARTITIONS, stages, feed, judge, watch)
