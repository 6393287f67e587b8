"""Follow disclosures, receipts, reviews and dead letters to know what is open: undelivered, undecided, not taken.

A receipt counts once the stage that checks who signed it has taken it, and refused it not: anybody who can write there could
else hide an alert that nobody received.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from broker.codec import Message, decode
from broker.core.model.ports import Position, Record
from broker.errors import RejectError
from broker.lag.open_work import Alert, OpenWork
from broker.lag.tally import Tally
from broker.stream.clients import kafka_errors, to_record
from broker.stream.dead_letters import read_dead_letter
from broker.stream.log_ends import log_ends
from broker.stream.topics import DEAD_LETTERS, RECEIPTS, REVIEWS
from broker.stream.watching.group_view import Place, view_group
from broker.stream.watching.places import places_where
from broker.stream.watching.review_record import review_in

_OF_RECEIPTS = f"{RECEIPTS}/".encode()
_DISCLOSURES = "disclosures."  # the shared topic and those of recipients begin so


@dataclass(slots=True)
class WorkFollower:
    """Reads from the beginning once and then only what is new. `consumer` belongs to no group and serves nothing else."""

    admin: AIOKafkaAdminClient
    consumer: AIOKafkaConsumer
    group: str  # the workers', one of whose stages takes receipts
    work: OpenWork = field(default_factory=OpenWork)
    tally: Tally = field(default_factory=Tally)
    _places: frozenset[TopicPartition] = frozenset()
    _receipts: dict[bytes, tuple[TopicPartition, int, str]] = field(default_factory=dict)  # not taken yet, by place
    _refused: set[bytes] = field(default_factory=set)  # places of receipts that became dead letters

    async def catch_up(self) -> OpenWork:
        """Read up to where the topics end now and return what is open; raises KafkaUnavailableError."""
        with kafka_errors("open work"):
            await self._assign()
            # Looked up first: whatever was refused before that place is among the dead letters that are read now.
            taken = (await view_group(self.admin, self.group, [one for one in self._places if one.topic == RECEIPTS])).committed
            ends = await log_ends(self.consumer, list(self._places))
            behind = set(self._places)
            while behind:
                behind = {place for place in behind if await self.consumer.position(place) < ends[place]}
                if behind:
                    await self._take(behind)
        self._count_receipts(taken)
        return self.work

    def _count_receipts(self, taken: Mapping[Place, int]) -> None:
        for place, (lane, offset, disclosure_id) in list(self._receipts.items()):
            if offset < taken.get((lane.topic, lane.partition), 0):
                del self._receipts[place]
                if place not in self._refused:
                    self.work.received(disclosure_id)

    async def _assign(self) -> None:
        """Take in the topics of new recipients without losing the place in the others."""
        places = frozenset(await places_where(self.admin, _concerns))
        if places == self._places:
            return
        positions = {place: await self.consumer.position(place) for place in self._places & places}
        self.consumer.assign(list(places))
        await self.consumer.seek_to_beginning(*(places - set(positions)))
        for place, position in positions.items():
            self.consumer.seek(place, position)
        self._places = places

    async def _take(self, behind: set[TopicPartition]) -> None:
        for place, records in (await self.consumer.getmany(*behind, timeout_ms=500)).items():
            for record in map(to_record, records):
                try:
                    self._note(place, record)
                except RejectError:
                    continue  # not one of ours: the reconciler names it, a count of open work goes on

    def _note(self, lane: TopicPartition, record: Record) -> None:
        topic = lane.topic
        if topic == DEAD_LETTERS:
            self._note_dead_letter(record)
        elif topic == REVIEWS:
            if review := review_in(record):
                self._note_review(review)
        elif record.value is None:
            return
        elif topic == RECEIPTS:
            said_at = bytes(Position(f"{topic}/{lane.partition}", record.offset))
            self._receipts[said_at] = (lane, record.offset, decode("receipt", record.value)["disclosure_id"])
        else:
            told = decode("disclosure", record.value)
            self.work.disclosed(told["disclosure_id"], Alert(told["recipient"], told["issued_at"], told["due_at"]))

    def _note_dead_letter(self, record: Record) -> None:
        key = record.key or b""
        if record.value is not None:
            with suppress(ValueError):  # written by none of our stages: no list shows it, so no count has it
                letter = read_dead_letter(record)
                self.work.dead_lettered(key.decode(errors="replace"), record.timestamp)
                self.tally.dead_lettered(letter.reason)
        else:
            self.work.settled(key.decode(errors="replace"))
        if key.startswith(_OF_RECEIPTS):
            self._refused.add(key)

    def _note_review(self, review: Message) -> None:
        if review["state"] == "OPEN":
            self.tally.review_opened(review["kind"])
            self.work.review_opened(review["review_id"], review["kind"], review["opened_at"], review["due_at"])
        else:
            self.work.review_closed(review["review_id"])


def _concerns(topic: str) -> bool:
    return topic.startswith(_DISCLOSURES) or topic in {RECEIPTS, REVIEWS, DEAD_LETTERS}
