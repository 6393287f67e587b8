"""Read dead letters and put them back on their way, as they came, once their cause is mended; or close them.

One that was put back, or that nobody has to put back any more, is marked by an empty record under its key. Nothing here
shows personal data: of an event only what routing reads is told.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from broker import codec
from broker.core.model.identifiers import is_event_id
from broker.core.model.ports import ACCEPTED, CAUSE, ORIGIN, Headers, Outgoing, Position, Record
from broker.errors import RejectError, SendFailedError
from broker.kafkaaccess import Kafka
from broker.stream.cloudevents import is_plain
from broker.stream.engine.chunk import ATTEMPT, OFFSET, PARTITION, REASON, TOPIC, Writer
from broker.stream.topics import DEAD_LETTERS, EVENTS
from broker.stream.watching.log_reader import read_whole

REDRIVEN = "sb_redriven"  # header of the mark that a dead letter was put back
CLOSED = "sb_closed"  # header of the mark that nobody has to put it back any more: why, as one of the following
WHY_CLOSED: Mapping[str, str] = {
    "sent-again": "its publisher has sent it again, or what takes its place",
    "not-an-event": "nobody meant it as a record of this broker: noise, a test, or a try to break in",
}
_CARRY_AN_EVENT = frozenset({"candidate", "subject_record"})  # what travels between stages
_BROKERS_OWN = frozenset({ORIGIN, ACCEPTED, CAUSE, ATTEMPT})


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record that could not be taken: where it came from, why, and the record as it came."""

    place: str
    reason: str
    topic: str
    partition: int
    offset: int
    attempt: int
    at: int
    record: Record
    closed: str = ""  # a key of `WHY_CLOSED`, once an operator has closed it

    @property
    def can_be_put_back(self) -> bool:
        """Tell whether it can be written as it came: no client of ours writes what it could not read."""
        return not self.record.is_unreadable

    def about(self) -> dict[str, str | int | None]:
        """Say what can safely be said of it: sizes, schema, and of an event its type, publisher and id; never its content."""
        value = self.record.value
        told: dict[str, str | int | None] = {"bytes": len(value or b""), "schema": None}
        if value is None:
            return told
        try:
            told["schema"] = name = codec.schema_name(value)
            event = value if name == "event" else codec.decode(name, value)["event"] if name in _CARRY_AN_EVENT else None
            if event is not None:
                header = codec.decode_header(event)
                said = {"event_type": header.event_type, "producer": header.producer}
                told |= {name: value if is_plain(value) else "not shown: no plain name" for name, value in said.items()}
                told["event_id"] = header.event_id if is_event_id(header.event_id) else "not shown: no UUID"
        except RejectError:
            told["schema"] = told["schema"] or "unknown"
        return told


async def read_dead_letters(kafka: Kafka) -> list[DeadLetter]:
    """Return the dead letters that were not put back, closed ones too, the oldest first.

    Raises KafkaUnavailableError or TopicsMissingError.
    """
    found: dict[bytes, DeadLetter] = {}
    async for records in read_whole(kafka, DEAD_LETTERS):
        for record in records:
            key = record.key or b""
            if record.value is not None:
                with suppress(RejectError, ValueError):  # not written by the broker: there is nothing to put back
                    found[key] = read_dead_letter(record)
            elif (letter := found.pop(key, None)) and (closed := _text(record, CLOSED)):
                found[key] = replace(letter, closed=closed)
    return sorted(found.values(), key=lambda one: (one.at, one.place))


def read_dead_letter(record: Record) -> DeadLetter:
    """Read a record of `dead-letters.v1`; raises RejectError or ValueError when it is none."""
    content = codec.decode("dead_letter", record.value or b"")
    headers: Headers = tuple(content["headers"].items())
    topic, partition, offset = _text(record, TOPIC), int(_text(record, PARTITION)), int(_text(record, OFFSET))
    return DeadLetter(
        place=f"{topic}/{partition}@{offset}",
        reason=_text(record, REASON),
        topic=topic,
        partition=partition,
        offset=offset,
        attempt=int(_text(record, ATTEMPT) or 1),
        at=record.timestamp,
        record=Record(topic, partition, offset, record.timestamp, content["key"], content["value"], headers),
    )


async def redrive(writer: Writer, letters: Iterable[DeadLetter]) -> int:
    """Put dead letters back where they came from and mark them; return how many. Those that cannot be put back stay.

    Broken off in between, one may be put back a second time: the broker recognises what it had. Raises SendFailedError.
    """
    chosen = [one for one in letters if one.can_be_put_back]
    try:
        await writer.write([back(one) for one in chosen])
        await writer.write([_mark(one, REDRIVEN, str(one.attempt + 1)) for one in chosen])
    except SendFailedError as error:
        raise SendFailedError(
            f"kafka did not take all of {len(chosen)} dead letters: redrive again, repeats are recognised"
        ) from error
    return len(chosen)


async def close(writer: Writer, letters: Iterable[DeadLetter], why: str) -> None:
    """Say that nobody has to put dead letters back any more; `why` is a key of `WHY_CLOSED`. Raises SendFailedError.

    They stay in the log, are accounted for as dead letters for ever, and can still be put back.
    """
    await writer.write([_mark(one, CLOSED, why) for one in letters])


def back(letter: DeadLetter) -> Outgoing:
    """Return the record as it came, counted as one attempt more.

    Between stages it travels on a lane of its own: its old position lies behind what its key has seen since, and would be
    taken for a repeat. What a later version of the same record has taken the place of is still refused there.
    """
    attempt = letter.attempt + 1
    kept = [header for header in letter.record.headers if header[0] not in _BROKERS_OWN]
    if letter.topic not in EVENTS.values():
        kept += [(name, value) for name in (ORIGIN, ACCEPTED) if (value := letter.record.header(name))]
        kept.append((CAUSE, bytes(Position(f"redriven:{letter.place}", attempt))))
    headers = (*kept, (ATTEMPT, b"%d" % attempt))
    return Outgoing(letter.topic, letter.record.key, letter.record.value, headers, letter.partition)


def _mark(letter: DeadLetter, header: str, value: str) -> Outgoing:
    key = bytes(Position(f"{letter.topic}/{letter.partition}", letter.offset))
    return Outgoing(DEAD_LETTERS, key, None, ((header, value.encode()),))


def _text(record: Record, header: str) -> str:
    return (record.header(header) or b"").decode()
