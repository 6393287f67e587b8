"""The chunk protocol: what is written in which order for some records of one partition, and when they count as done.

Plain code behind ports, so that the explorer can stop it at every await. It must know neither Faust nor Kafka.

INVARIANT: audit entries are acknowledged before outputs are sent, outputs before state, state before the chunk is done.
A chunk that did not come that far is read again; its ids and its state come out the same.
"""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from broker import codec
from broker.core.model.ports import ORIGIN, Effects, Headers, Outgoing, Position, Record, Task
from broker.errors import NOBODY, OURS, BrokerError, DeadLetterLimitError, RejectError, UnforeseenError
from broker.stream.senders import sender_within

DEAD_LETTERS = "dead-letters.v1"

# Headers of a dead letter. None of them says anything of a person.
REASON = "sb_reason"
TOPIC = "sb_topic"
PARTITION = "sb_partition"
OFFSET = "sb_offset"
SCHEMA_ID = "sb_schema_id"
ATTEMPT = "sb_attempt"

FAULT = "fault"  # the reason of a record at which a stage failed in a way that nobody foresaw
MALFORMED = "malformed"  # the reason of a record that is not as Kafka's clients write it: no stage sees it
# Topics that agencies and recipients write: what a header there says of the broker's own matters is not believed.
PUBLISHED = ("events.", "receipts.")

_DIGITS = 6  # of a count of attempts; longer is nobody's count, and may be longer than a number can be

Place = tuple[str, int, int]  # topic, partition and offset of a record


class Writer(Protocol):
    """Writes records and returns once every one of them is acknowledged."""

    async def write(self, batch: Sequence[Outgoing]) -> None:
        """Write them in this order per partition; raises SendFailedError when one of them was not acknowledged."""
        ...


@dataclass(slots=True)
class DeadLetterLimits:
    """How many dead letters are too many for one partition: then a release is bad, not the records.

    The line stops when so many records are refused that no single sender can be the cause: what nobody proved to have sent is
    not counted, nor is whoever sent most of what was refused, nor what no release would take, such as a time to come: two
    agencies whose clocks are fast must not stop the others. A sender alone never stops the line, not even its own; its records
    wait as dead letters and can be put back.

    `run` is how many in a row, `share` which part of the last `window` records. One per partition: it remembers.
    `quarantine` names the records at which a stage failed unforeseen; they are dead-lettered without being tried again.
    """

    quarantine: set[Place] = field(default_factory=set)
    run: int = 200
    share: float = 0.5
    window: int = 1_000
    in_a_row: int = 0  # whoever sent them
    _run: Counter[str] = field(default_factory=Counter)
    _refused: Counter[str] = field(default_factory=Counter)
    _last: deque[str | None] = field(default_factory=deque)

    def count(self, senders: Sequence[str | None], place: str) -> None:
        """Count the records of a chunk, who sent each that was refused; raises DeadLetterLimitError when it goes too far."""
        for sender in senders:
            self.in_a_row = self.in_a_row + 1 if sender else 0
            if sender == NOBODY:
                continue
            self._remember(sender)
            if sender is None:
                self._run.clear()
                continue
            self._run[sender] += 1
            self._refused[sender] += 1
            self._check(place)

    def _remember(self, sender: str | None) -> None:
        self._last.append(sender)
        if len(self._last) > self.window and (oldest := self._last.popleft()) is not None:
            self._refused[oldest] -= 1

    def _check(self, place: str) -> None:
        many, _ = without_the_worst(self._run)
        if many >= self.run:
            raise DeadLetterLimitError(f"{place}: {self.in_a_row} records in a row would be dead-lettered: {_REMEDY}")
        many, worst = without_the_worst(self._refused)
        others = max(self.window - worst, self.window / 2)
        if len(self._last) == self.window and many > self.share * others:
            raise DeadLetterLimitError(f"{place}: {many + worst} of {self.window} records would be dead-lettered: {_REMEDY}")


def without_the_worst(refused: Mapping[str, int]) -> tuple[int, int]:
    """Return how many were refused besides those of whoever sent most, and how many those are. Our own always count."""
    worst = max((number for sender, number in refused.items() if sender != OURS), default=0)
    return sum(refused.values()) - worst, worst


_REMEDY = (
    "look at the reasons with `broker dead-letters list`, mend the release, its keys, schemas or registers, and start again; "
    "nothing of this chunk was written"
)


async def run_chunk(
    task: Task, records: Sequence[Record], writer: Writer, limits: DeadLetterLimits, dead_letters: str = DEAD_LETTERS
) -> None:
    """Take a chunk of one partition's records to its end; when this returns, the chunk may be committed.

    Raises SendFailedError when Kafka did not acknowledge everything, DeadLetterLimitError before anything is written when
    too many records would be rejected, and UnforeseenError when a stage failed in a way that nobody foresaw. After any of
    these, and when it is cancelled, the task holds state that Kafka may not: it must be dropped and the chunk read again.
    """
    effects = take(task, records, limits, dead_letters)
    for batch in (effects.audit, effects.outputs, list(effects.state.values())):
        if batch:
            await writer.write(batch)


def take(task: Task, records: Sequence[Record], limits: DeadLetterLimits, dead_letters: str = DEAD_LETTERS) -> Effects:
    """Let a task step through records and return what is to be written; nothing is."""
    effects = Effects()
    senders = [_step(task, record, effects, limits.quarantine, dead_letters) for record in records]
    effects.close()
    if records:
        limits.count(senders, f"`{records[0].topic}` partition {records[0].partition}")
    return effects


def _step(task: Task, record: Record, effects: Effects, quarantine: set[Place], dead_letters: str) -> str | None:
    """Let a task take one record; return who sent it when it was refused."""
    place = record.topic, record.partition, record.offset
    if place in quarantine or record.is_unreadable:
        reason, sender = (FAULT, OURS) if place in quarantine else (MALFORMED, NOBODY)
        effects.outputs.append(dead_letter(record, reason, dead_letters))
        return sender
    try:
        task.step(record, effects)
    except RejectError as error:
        effects.outputs.append(dead_letter(record, error.reason, dead_letters))
        return NOBODY if error.of_the_record else error.sender
    except BrokerError:
        raise
    except Exception as error:
        # The task may be half changed, so it cannot go on; read again, the record alone is passed by. No text of the error.
        where = f"`{record.topic}` partition {record.partition} offset {record.offset}"
        said = f"{where}: the stage failed with {type(error).__name__}{_where(error)}: report it as a fault"
        raise UnforeseenError(said, *place, sender=_said_by(record)) from error
    return None


def _said_by(record: Record) -> str:
    """Return who sent a record at which a stage failed, as it says itself; ours when it cannot be read either."""
    found = OURS
    with suppress(Exception):  # whatever made the stage fail may make this fail: nobody must be named
        name = codec.schema_name(record.value or b"")
        if name == "event":
            found = str(codec.decode_header(record.value or b"").producer)
        elif name in {"candidate", "subject_record"}:
            found = sender_within(name, record)
    return found


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f" in {trace.tb_frame.f_code.co_qualname} line {trace.tb_lineno}"


def dead_letter(record: Record, reason: str, topic: str = DEAD_LETTERS) -> Outgoing:
    """Return the dead letter of a record: its bytes as they came, and where, why and in which attempt it was refused."""
    content = {"value": record.value, "key": record.key, "headers": {name: said or b"" for name, said in record.headers}}
    return Outgoing(topic, _place(record), codec.encode("dead_letter", content), dead_letter_headers(record, reason))


def dead_letter_headers(record: Record, reason: str) -> Headers:
    """Return the headers that say where, why and in which attempt a record was refused."""
    number = codec.schema_id(record.value) if record.value is not None else None
    return (
        (REASON, reason.encode()),
        (TOPIC, record.topic.encode()),
        (PARTITION, b"%d" % record.partition),
        (OFFSET, b"%d" % record.offset),
        (SCHEMA_ID, b"%d" % number if number is not None else b""),
        (ATTEMPT, b"%d" % (attempt(record))),
        (ORIGIN, _origin(record)),
    )


def _origin(record: Record) -> bytes:
    """Return where the information came in; of a record that an agency wrote, that is where it stands, whatever it says."""
    said = None if record.topic.startswith(PUBLISHED) else record.header(ORIGIN)
    return said or _place(record)


def attempt(record: Record) -> int:
    """Return the how many-th time a record is tried: a redrive writes the header, a first attempt has none."""
    text = record.header(ATTEMPT) or b""
    return int(text) if text.isdigit() and len(text) <= _DIGITS else 1


def _place(record: Record) -> bytes:
    return bytes(Position(f"{record.topic}/{record.partition}", record.offset))
