"""Read what the reconciler needs from the log: headers only, in the order that makes a moving log look still.

First where the events topics end, then how far every stage has committed, then everything else up to its end at that time:
what waits in state before the reviews that it may become, both before what they let go on. So whatever was in flight at the
first look is found still in flight or further on.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from broker.audit.books import Books
from broker.core.account.balance import OUTCOMES, Balance, End
from broker.core.model.ports import ORIGIN, OUTCOME, WAITS, Position, Record
from broker.settings import Settings
from broker.stream.clients import open_admin
from broker.stream.engine.chunk import OFFSET, PARTITION, TOPIC
from broker.stream.recognise import read_identity
from broker.stream.topics import AUDIT, CANDIDATES, DEAD_LETTERS, EVENTS, IDENTITIES, REVIEWS, SUBJECTS
from broker.stream.watching.group_view import view_group
from broker.stream.watching.log_reader import LogReader, open_log
from broker.stream.watching.places import places_from
from broker.stream.watching.review_record import review_in

Progress = Callable[[str, int, int], None]  # topic, records read of it, and in all
Offsets = Mapping[TopicPartition, int]

BOOKS_FILE = "reconciler.sqlite"
_BETWEEN = (CANDIDATES, SUBJECTS)
_TOPICS = (*EVENTS.values(), IDENTITIES, REVIEWS, *_BETWEEN, AUDIT, DEAD_LETTERS)
_SECOND_LOOK_S = 1.0


def _silently(topic: str, done: int, in_all: int) -> None:
    """Show no progress."""


@dataclass(slots=True)
class Reconciler:
    """Follows the log into the books, round after round. `log` and `admin` serve nothing else."""

    books: Books
    log: LogReader
    admin: AIOKafkaAdminClient
    group: str
    progress: Progress = _silently
    _known: int = field(default=0)

    async def balance(self) -> list[Balance]:
        """Bring the books up to date and draw the line under every partition; raises KafkaUnavailableError or TopicsMissingError.

        What does not add up is looked at twice: a stage writes to several topics at once, and one may be acknowledged first.
        """
        found = await self._round()
        if sum(one.faults_in_all for one in found) > self._known:
            await asyncio.sleep(_SECOND_LOOK_S)
            found = await self._round()
        self._known = sum(one.faults_in_all for one in found)
        return found

    async def _round(self) -> list[Balance]:
        places = await places_from(self.admin, _TOPICS)
        events = [place for place in places if place.topic in EVENTS.values()]
        starts, event_ends = await self.log.starts(places), await self.log.ends(events)
        committed = await self._committed(places)
        with self.books.batch():
            self.books.begin({_name(one): starts[one] for one in events}, {_name(one): at for one, at in committed.items()})
            for place in places:
                if place.topic in _BETWEEN:
                    self.books.committed(_name(place), committed.get(place, 0))
        for topic in _TOPICS:
            of_topic = [place for place in places if place.topic == topic]
            ends = {one: event_ends[one] for one in of_topic} if topic in EVENTS.values() else await self.log.ends(of_topic)
            begin = {one: max(self.books.next_offset(_name(one)), starts[one]) for one in of_topic}
            if topic in _BETWEEN:  # only what the next stage has not taken yet
                begin = {one: max(offset, committed.get(one, 0)) for one, offset in begin.items()}
            await self._read(topic, begin, ends)
        return self.books.balance()

    async def _read(self, topic: str, begin: Offsets, ends: Offsets) -> None:
        done, in_all = 0, sum(max(0, ends[place] - begin[place]) for place in begin)
        async for records in self.log.between(begin, ends):
            with self.books.batch():
                for record in records:
                    note(self.books, record)
                if records:
                    self.books.read_to(f"{topic}/{records[0].partition}", records[-1].offset + 1)
            done += len(records)
            self.progress(topic, done, in_all)
        with self.books.batch():
            for place in (one for one in begin if ends[one] > begin[one]):
                self.books.read_to(_name(place), ends[place])
                if topic in EVENTS.values():
                    self.books.accepted_to(_name(place), ends[place])

    async def _committed(self, places: list[TopicPartition]) -> Offsets:
        found = (await view_group(self.admin, self.group, places)).committed
        return {TopicPartition(*place): offset for place, offset in found.items()}


@asynccontextmanager
async def open_reconciler(
    settings: Settings, file: Path | None = None, progress: Progress = _silently
) -> AsyncIterator[Reconciler]:
    """Open the books in a file, or new ones that are gone afterwards, and what follows the log into them.

    Raises DataLossError when the log is another than this place knows: it would balance, for nothing is in it.
    """
    identity = await read_identity(settings.kafka, _TOPICS)
    topics = "/".join(str(identity.topics.get(topic)) for topic in _TOPICS) if identity else ""
    books = Books(file, f"{identity.cluster}/{topics}" if identity else f"embedded/{settings.kafka}")
    try:
        async with open_admin(settings.kafka) as admin, open_log(settings.kafka) as log:
            yield Reconciler(books, log, admin, settings.group, progress)
    finally:
        books.close()


async def reconcile(settings: Settings, progress: Progress) -> list[Balance]:
    """Draw the balance of every partition of the events topics from the log alone; raises as `open_reconciler` does."""
    async with open_reconciler(settings, None, progress) as reconciler:
        return await reconciler.balance()


def note(books: Books, record: Record) -> None:
    """Note in the books what one record of the log says."""
    _NOTES[record.topic](books, record)


def _event(books: Books, record: Record) -> None:
    books.accept(f"{record.topic}/{record.partition}", record.offset)


def _waits(books: Books, record: Record) -> None:
    """The state of the children of a birth date names the events that wait there for an answer to a claim."""
    named = (_position(one) for one in (record.header(WAITS) or b"").split())
    books.waits(record.key or b"", [one for one in named if one is not None])


def _on_its_way(books: Books, record: Record) -> None:
    books.on_its_way(f"{record.topic}/{record.partition}", record.offset, _origin(record))


def _audit(books: Books, record: Record) -> None:
    books.end(_origin(record), OUTCOMES.get((record.header(OUTCOME) or b"").decode(errors="replace"), End.NOWHERE))


def _review(books: Books, record: Record) -> None:
    """Only an open review holds a record; one that was closed has sent it on."""
    review = review_in(record)
    if review is not None:
        books.review((record.key or b"").decode(errors="replace"), _origin(record), is_open=review["state"] == "OPEN")


def _dead_letter(books: Books, record: Record) -> None:
    if record.value is None:
        return
    place = f"{_text(record, TOPIC)}/{_text(record, PARTITION)}@{_text(record, OFFSET)}+0"
    books.end(_origin(record) or _position(place.encode()), End.DEAD_LETTERED)


_NOTES: Mapping[str, Callable[[Books, Record], None]] = {
    **dict.fromkeys(EVENTS.values(), _event),
    IDENTITIES: _waits,
    REVIEWS: _review,
    CANDIDATES: _on_its_way,
    SUBJECTS: _on_its_way,
    AUDIT: _audit,
    DEAD_LETTERS: _dead_letter,
}


def _origin(record: Record) -> Position | None:
    found = record.header(ORIGIN)
    return _position(found) if found else None


def _position(text: bytes) -> Position | None:
    try:
        return Position.parse(text)
    except ValueError:
        return None


def _name(place: TopicPartition) -> str:
    return f"{place.topic}/{place.partition}"


def _text(record: Record, name: str) -> str:
    return (record.header(name) or b"").decode(errors="replace")
