"""Follow what one recipient is told: live, from where it ended last time, or from any point.

A recipient with a Kafka principal has a topic of its own; the others' messages come on a shared topic that the broker's own
desk reads, and are picked out here.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from broker import codec
from broker.core.identifiers import RecipientId
from broker.core.ports import Record
from broker.errors import RejectError, TopicsError
from broker.kafkaaccess import Kafka
from broker.stream.clients import kafka_errors, open_admin, open_consumer, to_record
from broker.stream.inbox import Inbox
from broker.stream.log_ends import log_ends
from broker.stream.topics import DISCLOSURES, disclosures_topic
from broker.stream.watching.places import places_where

BEGINNING = 0
_WAIT_MS = 500

Disclosure = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class From:
    """Where to begin: at an instant (milliseconds, 0 is the beginning), or None for where this inbox ended."""

    at: int | None = None
    until_now: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Some disclosures in the order of the log, and up to where reading has come."""

    disclosures: list[Disclosure]
    read_up_to: list[tuple[str, int, int]]


async def follow(kafka: Kafka, inbox: Inbox, start: From) -> AsyncIterator[Batch]:
    """Yield what a recipient is told; ends only with `until_now`.

    The caller tells the inbox what it has shown and how far it read. Raises TopicsError and KafkaUnavailableError.
    """
    places = await _places(kafka, inbox.recipient)
    async with open_consumer(kafka) as consumer:
        with kafka_errors("disclosures"):
            consumer.assign(places)
            ends = await log_ends(consumer, places)
            starts = await _starts(consumer, places, inbox, start)
            for place, offset in starts.items():
                consumer.seek(place, min(offset, ends[place]))
            while not start.until_now or await _is_behind(consumer, ends):
                fetched = await consumer.getmany(timeout_ms=_WAIT_MS)
                if fetched:
                    yield _batch(fetched, inbox.recipient)


async def _places(kafka: Kafka, recipient: str) -> list[TopicPartition]:
    """Return the partitions of the recipient's own topic where it has one, else of the shared one."""
    own = disclosures_topic(RecipientId(recipient))
    async with open_admin(kafka) as admin:
        places = await places_where(admin, {own, DISCLOSURES}.__contains__)
    chosen = [place for place in places if place.topic == own] or places
    if not chosen:
        raise TopicsError(f"neither `{own}` nor `{DISCLOSURES}` is there for this principal to see: run `broker topics apply`")
    return chosen


async def _starts(
    consumer: AIOKafkaConsumer, places: list[TopicPartition], inbox: Inbox, start: From
) -> Mapping[TopicPartition, int]:
    first = await consumer.beginning_offsets(places)
    if start.at is None:
        return {one: max(inbox.next_offset(one.topic, one.partition) or 0, first[one]) for one in places}
    if start.at == BEGINNING:
        return dict(first)
    found = await consumer.offsets_for_times(dict.fromkeys(places, start.at))
    ends = await log_ends(consumer, places)
    return {one: found[one].offset if found.get(one) else ends[one] for one in places}


async def _is_behind(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> bool:
    return any([await consumer.position(place) < end for place, end in ends.items()])


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
