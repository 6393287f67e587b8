"""Read what the reconciler needs from the log: headers only, in the order that makes a moving log look still.

First where the events topics end, then how far every stage has committed, then everything else up to its end at that time,
reviews before what they let go on: so whatever was in flight at the first look is found still in flight or further on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition

from broker import codec
from broker.audit.reconcile import OUTCOMES, Balance, Books, End
from broker.core.ports import ORIGIN, OUTCOME, Position, Record
from broker.errors import RejectError
from broker.settings import Settings
from broker.stream.clients import open_admin
from broker.stream.engine.chunk import OFFSET, PARTITION, TOPIC
from broker.stream.topics import AUDIT, CANDIDATES, DEAD_LETTERS, EVENTS, REVIEWS, SUBJECTS
from broker.stream.watching.group_view import view_group
from broker.stream.watching.log_reader import LogReader, open_log
from broker.stream.watching.places import places_of

Progress = Callable[[str, int, int], None]  # topic, records read of it, and in all
Offsets = Mapping[TopicPartition, int]

_BETWEEN = (CANDIDATES, SUBJECTS)


@dataclass(slots=True)
class _Reading:
    """What is read, by topic, and how far each stage had come."""

    log: LogReader
    books: Books
    committed: Offsets
    progress: Progress

    async def read(self, places: list[TopicPartition], ends: Offsets | None = None) -> None:
        """Read one topic into the books."""
        topic = places[0].topic
        ends, starts = ends or await self.log.ends(places), await self.log.starts(places)
        if topic in _BETWEEN:  # only what the next stage has not taken yet
            starts = {place: max(starts[place], self.committed.get(place, 0)) for place in places}
        note, done, in_all = _NOTES[topic], 0, sum(max(0, ends[place] - starts[place]) for place in places)
        async for records in self.log.between(starts, ends):
            for record in records:
                note(self.books, record)
            done += len(records)
            self.progress(topic, done, in_all)


async def reconcile(settings: Settings, progress: Progress) -> list[Balance]:
    """Draw the balance of every partition of the events topics; raises KafkaUnavailableError."""
    topics = [*EVENTS.values(), REVIEWS, CANDIDATES, SUBJECTS, AUDIT, DEAD_LETTERS]
    places = await places_of(settings.kafka, topics)
    events = [place for place in places if place.topic in EVENTS.values()]
    async with open_log(settings.kafka) as log:
        starts, ends = await log.starts(events), await log.ends(events)
        books = Books({(one.topic, one.partition): (starts[one], ends[one]) for one in events})
        reading = _Reading(log, books, await _committed(settings, places), progress)
        for topic in topics:
            of_topic = [place for place in places if place.topic == topic]
            await reading.read(of_topic, ends if topic in EVENTS.values() else None)
    for one in events:
        books.unread(one.topic, one.partition, reading.committed.get(one, starts[one]))
    return books.balance()


async def _committed(settings: Settings, places: list[TopicPartition]) -> Offsets:
    async with open_admin(settings.kafka) as admin:
        found = (await view_group(admin, settings.group, places)).committed
    return {TopicPartition(*place): offset for place, offset in found.items()}


def _event(books: Books, record: Record) -> None:
    books.accept(record.topic, record.partition, record.offset)


def _in_flight(books: Books, record: Record) -> None:
    books.end(_origin(record), End.IN_FLIGHT)


def _audit(books: Books, record: Record) -> None:
    books.end(_origin(record), OUTCOMES.get((record.header(OUTCOME) or b"").decode(), End.NOWHERE))


def _review(books: Books, record: Record) -> None:
    """Only an open review holds a record; one that was closed has sent it on."""
    origin = _origin(record)
    if origin is None or record.value is None:
        return
    try:
        state = codec.decode("review", record.value)["state"]
    except RejectError:
        return
    books.review(origin, is_open=state == "OPEN")


def _dead_letter(books: Books, record: Record) -> None:
    if record.value is None:
        return
    origin = _origin(record)
    if origin is None:
        lane = f"{_text(record, TOPIC)}/{_text(record, PARTITION)}"
        origin = Position(lane, int(_text(record, OFFSET) or -1))
    books.end(origin, End.DEAD_LETTERED)


_NOTES: Mapping[str, Callable[[Books, Record], None]] = {
    **dict.fromkeys(EVENTS.values(), _event),
    CANDIDATES: _in_flight,
    SUBJECTS: _in_flight,
    AUDIT: _audit,
    REVIEWS: _review,
    DEAD_LETTERS: _dead_letter,
}


def _origin(record: Record) -> Position | None:
    found = record.header(ORIGIN)
    try:
        return Position.parse(found) if found else None
    except ValueError:
        return None


def _text(record: Record, name: str) -> str:
    return (record.header(name) or b"").decode(errors="replace")
