"""The clocks of one partition: when the next falls due, and the record that says so.

The agenda is only a list of bells: whether a bell still counts is decided on the child's line, from the ledger.
"""

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush

from broker import codec
from broker.core.model.ports import Effects, Outgoing, Table
from broker.core.waiting.clocks import Clock
from broker.stream.decide.facts_record import clocks_from_bytes, clocks_to_bytes, clocks_with
from broker.stream.topics import SUBJECTS

_EMPTY = clocks_to_bytes(())
_CACHED = 20_000  # children whose clocks are kept as values beside their bytes


class Agenda:
    """The open clocks of a partition, kept in its state topic, by child."""

    def __init__(self, table: Table, partition: int) -> None:
        self._table = table
        self._partition = partition
        self._values: dict[bytes, tuple[bytes, tuple[Clock, ...]]] = {}
        self._heap = [(one.due_at, key, one.clock_id) for key, value in table.items() for one in clocks_from_bytes(value)]
        heapify(self._heap)

    def __len__(self) -> int:
        return len(self._heap)

    def of(self, key: bytes) -> tuple[Clock, ...]:
        """Return the open clocks of a child."""
        value = self._table.get(key) or _EMPTY
        held = self._values.get(key)
        return held[1] if held is not None and held[0] == value else self._kept(key, value, clocks_from_bytes(value))

    def change(self, key: bytes, started: Sequence[Clock], stopped: frozenset[str], effects: Effects) -> None:
        """Start clocks and take others off, as outputs: acknowledged before the facts are.

        INVARIANT: facts never say that a record was applied whose clocks Kafka does not hold. Taking one off too early is
        harmless: its bell is a record of its own, and the ledger says what it means.
        """
        if not started and not stopped:
            return
        before = self.of(key)
        gone = stopped | {one.clock_id for one in started}
        left = tuple(one for one in before if one.clock_id not in gone)
        after = (*left, *started)
        if after == before:
            return
        for one in started:
            heappush(self._heap, (one.due_at, key, one.clock_id))
        whole = len(left) < len(before)
        value = clocks_to_bytes(after) if whole else clocks_with(self._table.get(key) or _EMPTY, started)
        put_first(self._table, key, value, effects)
        self._kept(key, value, after)

    def _kept(self, key: bytes, value: bytes, clocks: tuple[Clock, ...]) -> tuple[Clock, ...]:
        if len(self._values) >= _CACHED:
            self._values.clear()
        self._values[key] = value, clocks
        return clocks

    def due(self, now: int) -> Iterator[Outgoing]:
        """Return the bells that fell due; each once while this worker holds the partition, and again if it dies."""
        while self._heap and self._heap[0][0] <= now:
            due_at, key, clock_id = heappop(self._heap)
            clock = next((one for one in self.of(key) if (one.clock_id, one.due_at) == (clock_id, due_at)), None)
            if clock is not None:
                yield self._bell(key, clock)

    def _bell(self, key: bytes, clock: Clock) -> Outgoing:
        due = {"clock_id": clock.clock_id, "name": clock.name, "due_at": clock.due_at, "stage": clock.stage}
        message = {"kind": "CLOCK", "child_ref": key.decode(), "clock": due}
        return Outgoing(SUBJECTS, key, codec.encode("subject_record", message), partition=self._partition)


def put_first(table: Table, key: bytes, value: bytes, effects: Effects) -> None:
    """Put state that must be acknowledged before the facts of the same record are: it goes with the outputs."""
    made = Effects()
    table.put(key, value, made)
    effects.outputs.extend(made.state.values())
