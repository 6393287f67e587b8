"""The ports between a stage's pure code and whatever carries its records.

A stage says, for one record and the state of that record's key, what is to be written. Whoever runs the stage (the Faust
agent on Kafka, or the in-process broker of the explorer) writes it in the order audit, outputs, state, each
acknowledged before the next, and commits the input only then.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

Headers = tuple[tuple[str, bytes], ...]
_DIGITS = 18  # of an instant in milliseconds: what is longer is none


@dataclass(frozen=True, slots=True)
class Record:
    """A record as Kafka gave it. `timestamp` is Kafka's own (log append time), milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    def header(self, name: str) -> bytes | None:
        """Return the last header of that name."""
        for header_name, value in reversed(self.headers):
            if header_name == name:
                return value
        return None

    @property
    def accepted_at(self) -> int:
        """Return when Kafka took the accepted record that this one is of; of a record without that, when it took this one."""
        said = self.header(ACCEPTED) or b""
        return min(int(said), self.timestamp) if said.isdigit() and len(said) <= _DIGITS else self.timestamp

    @property
    def is_unreadable(self) -> bool:
        """Tell whether it, or the name of a header of it, could not be read."""
        return bool(self.headers) and self.headers[0][0] == UNREADABLE


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be written; `partition` only where the key does not choose it (state follows its input's partition)."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


class Position(NamedTuple):
    """Where a record comes from: a lane keeps the order of what travels on it.

    `lane` is `topic/partition` of the record that a stage read when it wrote this one, `offset` that record's offset and
    `output` the count among the outputs of that record. Deterministic: a replay gives the same position.
    """

    lane: str
    offset: int
    output: int = 0

    @property
    def order(self) -> int:
        """Return one number that grows along the lane, for state: offset and output together (up to 4,096 outputs a record)."""
        return self.offset * 4096 + self.output

    def __bytes__(self) -> bytes:
        """Return the form that travels in a Kafka header: `lane@offset+index`."""
        return f"{self.lane}@{self.offset}+{self.output}".encode()

    @classmethod
    def parse(cls, text: bytes) -> "Position":
        """Read the header form; raises ValueError when it is none."""
        lane, _, place = text.decode().rpartition("@")
        offset, _, output = place.partition("+")
        return cls(lane, int(offset), int(output))


ORIGIN = "sb_origin"  # header: position in events.* of the accepted record, for the reconciler
ACCEPTED = "sb_accepted"  # header: when Kafka took the accepted record, milliseconds since 1970; its clocks run from there
ANSWERS = "sb_answers"  # header of a person's answer: the origin of the event in review; the answer itself is no record of it
CAUSE = "sb_cause"  # header: position of the record that the last stage read, for effect once
OUTCOME = "sb_outcome"  # header of audit entries: decided, applied, duplicate or in_review
UNREADABLE = "sb_unreadable"  # first header of a record that is not as Kafka's clients write it: the bytes that could not be read
WAITS = "sb_waits"  # header of state records: origins of the events that wait in that state, with nothing else to show for them
STATE_VERSION = "sb_version"  # header of state records: how many records were applied to the key


@dataclass(slots=True)
class Effects:
    """What a chunk of records makes; later state of a key replaces earlier.

    `at_end` is what a task puts off until its chunk is at its end, by what it concerns: state that many records of the chunk
    change is written once.
    """

    audit: list[Outgoing] = field(default_factory=list)
    outputs: list[Outgoing] = field(default_factory=list)
    state: dict[tuple[str, bytes], Outgoing] = field(default_factory=dict)
    at_end: dict[object, Callable[["Effects"], None]] = field(default_factory=dict)

    def close(self) -> None:
        """Carry out what was put off: whoever runs a task calls this after the last record of a chunk."""
        put_off, self.at_end = self.at_end, {}
        for carry_out in put_off.values():
            carry_out(self)


class Table(Protocol):
    """The state of one state topic for one partition. The highest version of a key wins, whatever order records come in."""

    def get(self, key: bytes) -> bytes | None:
        """Return the state of a key in its wire form, or None."""
        ...

    def version(self, key: bytes) -> int:
        """Return how many records were applied to the key; 0 when it has no state."""
        ...

    def put(self, key: bytes, value: bytes, effects: Effects, headers: Headers = (), *, version: int = 0) -> None:
        """Set the state of a key, and what its headers say; have it written with this chunk's effects.

        It is the key's next version, or `version` if that is higher. An empty value ends the key's state.
        """
        ...

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Walk every key and its state."""
        ...


class Task(Protocol):
    """One stage on one partition of its inputs, holding that partition's state."""

    def step(self, record: Record, effects: Effects) -> None:
        """Take one record and add what follows from it to the effects.

        All or nothing: when it raises RejectError, neither effects nor state may have changed; the runner then adds the
        dead letter. Anything else that it raises stops the worker before the chunk is committed.
        """
        ...

    def due(self, now: int) -> Iterable[Outgoing]:
        """Return the timer records that fell due by now (milliseconds since 1970).

        Each has an id of its own, so that writing one twice is harmless.
        """
        ...


class Stage(Protocol):
    """One of intake, identify, decide, deliver."""

    @property
    def name(self) -> str:
        """Its name, in metrics and lag."""
        ...

    @property
    def inputs(self) -> tuple[str, ...]:
        """The topics that it reads, co-partitioned."""
        ...

    @property
    def state_topics(self) -> tuple[str, ...]:
        """The compacted topics that hold its state, partitioned as its inputs."""
        ...

    def open(self, partition: int, tables: Mapping[str, Table]) -> Task:
        """Take a partition up; the tables hold its whole state."""
        ...
