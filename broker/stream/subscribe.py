"""Follow what one recipient is told: live, from where it ended last time, or from any point.

A recipient with a Kafka principal has a topic of its own; the others' messages come on a shared topic that the broker's own
desk reads, and are picked out here.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import OffsetOutOfRangeError

from broker import codec
from broker.core.model.identifiers import RecipientId
from broker.core.model.ports import Record
from broker.errors import BrokerError, DataLossError, RejectError
from broker.kafkaaccess import Kafka
from broker.stream.clients import kafka_errors, open_admin, open_consumer, to_record
from broker.stream.inbox import Inbox
from broker.stream.kafka_identity import check_topic, identity_of
from broker.stream.log_ends import is_before, log_ends
from broker.stream.recognise import absence
from broker.stream.topics import DISCLOSURES, disclosures_topic
from broker.stream.watching.places import places_where

BEGINNING = 0
_WAIT_MS = 500
_LOOK_S = 5.0  # aiokafka waits for a Kafka that is away without a word, and reads on in one that came back empty

Disclosure = dict[str, Any]
Offsets = Mapping[TopicPartition, int]


def _silently(words: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class From:
    """Where to begin: at an instant (milliseconds, 0 is the beginning), or None for where this inbox ended.

    `anew` says that a person means to begin in another log than the one that was read before. `remedy` is how to say that.
    """

    at: int | None = None
    until_now: bool = False
    anew: bool = False
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some disclosures in the order of the log, and up to where reading has come."""

    disclosures: list[Disclosure]
    read_up_to: list[tuple[str, int, int]]


async def check_log(kafka: Kafka, inbox: Inbox, start: From) -> None:
    """See that the topic that was followed last is still the same, before anything else is asked of this Kafka.

    Raises DataLossError when it is another, or gone; nothing that was read here would be in it. Raises KafkaUnavailableError.
    """
    if not start.anew and inbox.log() is not None:
        async with open_admin(kafka) as admin:
            await _check_log(admin, inbox, start.remedy)


@asynccontextmanager
async def following(
    kafka: Kafka, inbox: Inbox, start: From, say: Callable[[str], None] = _silently
) -> AsyncIterator[AsyncIterator[Batch]]:
    """Give what a recipient is told, batch by batch; it ends only with `until_now`.

    Before the next batch the caller tells the inbox how far it read. What was deleted before it could be read is said, and
    reading goes on with what is there. Raises TopicsMissingError, KafkaUnavailableError, also when Kafka goes away meanwhile, and
    DataLossError when the log is another than the one that was read here, or ends before it.
    """
    async with open_admin(kafka) as admin, open_consumer(kafka, auto_offset_reset="none") as consumer:
        places = await _places(admin, inbox.recipient)
        reading = _Reading(admin, consumer, inbox, start, places, say)
        with kafka_errors("disclosures"):
            consumer.assign(places)
            await reading.begin()
        yield reading.batches()


@dataclass(slots=True)
class _Reading:
    """Reads one log for one inbox."""

    admin: AIOKafkaAdminClient
    consumer: AIOKafkaConsumer
    inbox: Inbox
    start: From
    places: list[TopicPartition]
    say: Callable[[str], None]

    async def begin(self) -> None:
        """See that the log is the one that was read here, and go to where reading begins."""
        topic = self.places[0].topic
        identity = await identity_of(self.admin, [topic])
        here = (topic, identity.topics[topic]) if identity and topic in identity.topics else None
        ends = await log_ends(self.consumer, self.places)
        known, kept = self.inbox.log(), self._kept()
        if self.start.anew and (known not in {None, here} or any(at > ends[one] for one, at in kept.items())):
            self.inbox.begin_anew()
            kept = {}
        elif known and identity and known[0] == topic:
            check_topic(*known, identity, self.start.remedy)
        if here:
            self.inbox.follow(*here)
        await self._seek(kept, at=self.start.at)

    async def batches(self) -> AsyncIterator[Batch]:
        ends = await log_ends(self.consumer, self.places)
        looked = time.monotonic()
        while not self.start.until_now or await is_before(self.consumer, ends):
            fetched = await self._fetch()
            if fetched:
                yield _batch(fetched, self.inbox.recipient)
            if time.monotonic() - looked > _LOOK_S:
                await _check_log(self.admin, self.inbox, self.start.remedy)
                looked = time.monotonic()

    async def _fetch(self) -> Mapping[TopicPartition, list[Any]]:
        with kafka_errors("disclosures"):
            try:
                found: Mapping[TopicPartition, list[Any]] = await self.consumer.getmany(timeout_ms=_WAIT_MS)
            except OffsetOutOfRangeError:
                await _check_log(self.admin, self.inbox, self.start.remedy)
                await self._seek({one: await self.consumer.position(one) for one in self.places})
                return {}
            return found

    async def _seek(self, kept: Offsets, at: int | None = None) -> None:
        """Go to an instant, or on from the offsets that were kept; those have to lie within the log."""
        first = await self.consumer.beginning_offsets(self.places)
        ends = await log_ends(self.consumer, self.places)
        check_reach(kept, ends, self.start.remedy)
        if at is None:
            for words in deleted_unread(kept, first):
                self.say(words)
        for one, offset in (await self._starts(kept, first, ends, at)).items():
            self.consumer.seek(one, max(offset, first[one]))

    async def _starts(self, kept: Offsets, first: Offsets, ends: Offsets, at: int | None) -> Offsets:
        if at is None:
            return {one: kept.get(one, first[one]) for one in self.places}
        if at == BEGINNING:
            return first
        found = await self.consumer.offsets_for_times(dict.fromkeys(self.places, at))
        return {one: found[one].offset if found.get(one) else ends[one] for one in self.places}

    def _kept(self) -> dict[TopicPartition, int]:
        """Return how far this inbox has read, where it has."""
        found = {one: self.inbox.next_offset(one.topic, one.partition) for one in self.places}
        return {one: offset for one, offset in found.items() if offset is not None}


def check_reach(kept: Offsets, ends: Offsets, remedy: str) -> None:
    """Check that the log holds what was read of it; raises DataLossError."""
    for one, offset in kept.items():
        if offset > ends[one]:
            place = f"topic `{one.topic}` partition {one.partition}"
            raise DataLossError(f"{place} ends at {ends[one]}, and was read here up to {offset}: its records are lost: {remedy}")


def deleted_unread(kept: Offsets, first: Offsets) -> Iterator[str]:
    """Say for each partition what was deleted, as a log is trimmed, before it was read here."""
    for one, offset in kept.items():
        if offset < first[one]:
            count = f"{first[one] - offset:,} record(s) were deleted before they were read here"
            yield f"topic `{one.topic}` partition {one.partition}: {count}: going on with the oldest that are kept"


async def _check_log(admin: AIOKafkaAdminClient, inbox: Inbox, remedy: str) -> None:
    known = inbox.log()
    if known is None:
        return
    with kafka_errors(f"id of topic `{known[0]}`"):
        found = await identity_of(admin, [known[0]])
    if found is None:
        return
    if known[0] in found.hidden:
        raise absence([known[0]], found)
    check_topic(*known, found, remedy)


async def _places(admin: AIOKafkaAdminClient, recipient: str) -> list[TopicPartition]:
    """Return the partitions of the recipient's own topic where it has one, else of the shared one."""
    own = disclosures_topic(RecipientId(recipient))
    places = await places_where(admin, {own, DISCLOSURES}.__contains__)
    chosen = [place for place in places if place.topic == own] or places
    if not chosen:
        raise await _unseen(admin, own)
    return chosen


async def _unseen(admin: AIOKafkaAdminClient, own: str) -> BrokerError:
    """Say why a recipient sees no topic: its own may come yet where it may see that one, else the shared one."""
    with kafka_errors("topics"):
        found = await identity_of(admin, [own, DISCLOSURES])
    hidden = found.hidden if found else frozenset()
    seen = [one for one in (own, DISCLOSURES) if one not in hidden]
    return absence(seen or [own], found)


def _batch(fetched: Mapping[TopicPartition, list[Any]], recipient: str) -> Batch:
    records = [to_record(one) for batch in fetched.values() for one in batch]
    found = [told for told in map(_disclosure, records) if told is not None and told["recipient"] == recipient]
    found.sort(key=_issued)
    return Batch(found, [(place.topic, place.partition, batch[-1].offset + 1) for place, batch in fetched.items() if batch])


def _disclosure(record: Record) -> Disclosure | None:
    """Read a disclosure; bytes that are none are passed over, the reconciler names them."""
    if record.value is None:
        return None
    try:
        return codec.decode("disclosure", record.value)
    except RejectError:
        return None


def _issued(disclosure: Disclosure) -> int:
    return int(disclosure["issued_at"])
