"""Follow disclosures, receipts, reviews and dead letters to know what is open: undelivered, undecided, not taken."""

from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from broker.codec import decode
from broker.errors import RejectError
from broker.lag.open_work import Alert, OpenWork
from broker.lag.tally import Tally
from broker.stream.clients import kafka_errors
from broker.stream.engine.chunk import REASON
from broker.stream.log_ends import log_ends
from broker.stream.topics import DEAD_LETTERS, RECEIPTS, REVIEWS
from broker.stream.watching.places import places_where

_DISCLOSURES = "disclosures."  # the shared topic and those of recipients begin so


@dataclass(slots=True)
class WorkFollower:
    """Reads from the beginning once and then only what is new. `consumer` belongs to no group and serves nothing else."""

    admin: AIOKafkaAdminClient
    consumer: AIOKafkaConsumer
    work: OpenWork = field(default_factory=OpenWork)
    tally: Tally = field(default_factory=Tally)
    _places: frozenset[TopicPartition] = frozenset()

    async def catch_up(self) -> OpenWork:
        """Read up to where the topics end now and return what is open; raises KafkaUnavailableError."""
        with kafka_errors("open work"):
            await self._assign()
            ends = await log_ends(self.consumer, list(self._places))
            behind = set(self._places)
            while behind:
                behind = {place for place in behind if await self.consumer.position(place) < ends[place]}
                if behind:
                    await self._take(behind)
        return self.work

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
            for record in records:
                try:
                    self._note(place.topic, record)
                except RejectError:
                    continue  # not one of ours: the reconciler names it, a count of open work goes on

    def _note(self, topic: str, record: Any) -> None:
        if topic == DEAD_LETTERS:
            place = (record.key or b"").decode(errors="replace")
            if record.value is None:
                self.work.redriven(place)
            else:
                self.work.dead_lettered(place, record.timestamp)
                self.tally.dead_lettered(dict(record.headers).get(REASON, b"").decode(errors="replace"))
        elif record.value is None:
            return
        elif topic == RECEIPTS:
            self.work.received(decode("receipt", record.value)["disclosure_id"])
        elif topic == REVIEWS:
            self._note_review(decode("review", record.value))
        else:
            told = decode("disclosure", record.value)
            self.work.disclosed(told["disclosure_id"], Alert(told["recipient"], told["issued_at"], told["due_at"]))

    def _note_review(self, review: dict[str, Any]) -> None:
        if review["state"] == "OPEN":
            self.tally.review_opened(review["kind"])
            self.work.review_opened(review["review_id"], review["kind"], review["opened_at"], review["due_at"])
        else:
            self.work.review_closed(review["review_id"])


def _concerns(topic: str) -> bool:
    return topic.startswith(_DISCLOSURES) or topic in {RECEIPTS, REVIEWS, DEAD_LETTERS}
