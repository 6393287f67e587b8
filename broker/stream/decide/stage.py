"""The stage that decides: one task for each partition of the children's lines, over the state of those children.

It takes each record once (by the position that caused it), under the policy and registers in force at its place, and at an
instant that is Kafka's and never a worker's. What follows from it is pure: `broker.core.line`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from broker import codec
from broker.core.model.facts import Facts
from broker.core.model.identifiers import Digest, Millis
from broker.core.model.policy import Policy
from broker.core.model.ports import CAUSE, Effects, Outgoing, Position, Record, Table, Task
from broker.core.model.registers import Registers
from broker.core.model.rules import Rules
from broker.errors import NothingInForceError, RejectError, ReleaseRefusedError, TooLargeError, UnreadableRecordError
from broker.sealing.secrets import Secrets
from broker.stream.decide.agenda import Agenda, put_first
from broker.stream.decide.answers import answers
from broker.stream.decide.draft import Draft
from broker.stream.decide.epochs import KEY, InForce, epochs_from_bytes, epochs_to_bytes, in_force, with_epoch
from broker.stream.decide.journal import Journal
from broker.stream.decide.shelves import Shelves
from broker.stream.decide.work import Work
from broker.stream.senders import sender_within
from broker.stream.topics import CLOCKS, FACTS, LARGEST_RECORD, SUBJECTS

Message = dict[str, Any]


class Releases(Protocol):
    """The releases that this worker holds."""

    def policy(self, wanted: Digest) -> Policy:
        """Return a version of the policy; raises RetryError while it is not here."""
        ...

    def registers(self, wanted: Digest) -> Registers:
        """Return a version of the registers; raises RetryError while it is not here."""
        ...


@dataclass(frozen=True, slots=True)
class Decide:
    """The stage `decide`."""

    secrets: Secrets
    releases: Releases
    name: str = "decide"
    inputs: tuple[str, ...] = (SUBJECTS,)
    state_topics: tuple[str, ...] = (FACTS, CLOCKS)

    def open(self, partition: int, tables: Mapping[str, Table]) -> Task:
        """Take a partition up with the whole of its state."""
        return Line(self, partition, tables[FACTS], tables[CLOCKS])


class Line:
    """The children's lines of one partition."""

    def __init__(self, stage: Decide, partition: int, facts: Table, clocks: Table) -> None:
        self._stage = stage
        self._facts = facts
        self._agenda = Agenda(clocks, partition)
        self._epochs = epochs_from_bytes(facts.get(KEY))
        self._journal = Journal(facts)
        self._shelves = Shelves(facts, stage.secrets)

    def step(self, record: Record, effects: Effects) -> None:
        """Take one record of a child's line; raises RejectError, and RetryError while a release in force is not here yet."""
        try:
            self._take(record, effects)
        except NothingInForceError:
            raise  # ours alone
        except RejectError as error:
            error.sender = sender_within("subject_record", record)
            raise

    def _take(self, record: Record, effects: Effects) -> None:
        if record.value is None:
            raise UnreadableRecordError("record has no value: nothing is ever deleted from a child's line")
        message = codec.decode("subject_record", record.value)
        if message["kind"] == "EPOCH":
            self._epoch(record, message["epoch"], effects)
            return
        key = record.key or b""
        stored = self._journal.get(key)
        place = _place(record)
        if stored.lanes.get(place.lane, -1) >= place.order:
            return  # taken before: what it made was acknowledged before this state was
        draft = Draft(
            secrets=self._stage.secrets,
            rules=self._rules(record),
            record=record,
            place=place,
            facts=_now(stored, place, record.timestamp),
            shelf=self._shelves.get(stored.child_ref),
        )
        shelf = draft.shelf
        Work(draft, message).take()
        draft.outputs.extend([*answers(draft)])
        self._write(key, draft, self._shelves.changes(stored.child_ref, shelf, draft.shelf), effects)

    def due(self, now: int) -> Iterable[Outgoing]:
        """Return the bells of clocks that fell due."""
        return self._agenda.due(now)

    def _epoch(self, record: Record, epoch: Message, effects: Effects) -> None:
        """Put a release in force from here; a worker that does not hold it waits."""
        wanted, releases = Digest(epoch["digest"]), self._stage.releases
        try:
            (releases.policy if epoch["of"] == "policy" else releases.registers)(wanted)
        except ReleaseRefusedError:
            return  # no administrator signed it: what was in force stays
        after = with_epoch(self._epochs, record.offset, epoch["of"], wanted)
        if after != self._epochs:
            self._epochs = after
            self._facts.put(KEY, epochs_to_bytes(after), effects)

    def _rules(self, record: Record) -> Callable[[], Rules]:
        epoch = in_force(self._epochs, record.offset)
        return lambda: _rules(epoch, self._stage.releases)

    def _write(self, key: bytes, draft: Draft, waiting: Sequence[tuple[bytes, bytes]], effects: Effects) -> None:
        """Write what a record made: everything else is acknowledged before the facts that say it was taken.

        Raises TooLargeError before anything is written: one child's history must not stop the line of all others.
        """
        change = self._journal.change(key, draft.facts)
        made = (one.value or b"" for one in (*draft.audit, *draft.outputs))
        if max(map(len, (change.value, *(value for _, value in waiting), *made))) > LARGEST_RECORD:
            raise TooLargeError("what this record makes of the child's line is more than a topic takes: answer what waits there")
        effects.audit.extend(draft.audit)
        effects.outputs.extend(draft.outputs)
        for place, value in waiting:
            put_first(self._facts, place, value, effects)
        self._agenda.change(key, draft.started, draft.stopped(self._agenda.of(key)), effects)
        self._journal.put(key, change, effects)


def _now(stored: Facts, place: Position, timestamp: int) -> Facts:
    """Return the facts as this record finds them: its instant never goes back, and its place counts as taken."""
    return replace(stored, lanes={**stored.lanes, place.lane: place.order}, at=Millis(max(timestamp, stored.at)))


def _place(record: Record) -> Position:
    """Return the position that caused a record; one that no stage wrote (a person's decision, a bell) stands for itself."""
    cause = record.header(CAUSE)
    own = Position(f"{record.topic}/{record.partition}/own", record.offset)
    try:
        return Position.parse(cause) if cause else own
    except ValueError:
        raise UnreadableRecordError(f"header `{CAUSE}` is no position") from None


def _rules(epoch: InForce, releases: Releases) -> Rules:
    if epoch.policy is None or epoch.registers is None:
        missing = "policy" if epoch.policy is None else "registers"
        raise NothingInForceError(f"no {missing} in force yet: run `broker {missing} release`, then redrive this record")
    return Rules(releases.policy(epoch.policy), releases.registers(epoch.registers))
