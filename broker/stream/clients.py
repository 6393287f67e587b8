"""The one place that makes Kafka clients, with our defaults, and turns their errors into ours.

A send counts when every replica has it; nothing is committed by itself; a record whose checksum is wrong is an error.

INVARIANT: no client is handed out for another Kafka than the one that the place knows, so that no command can forget to ask.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from struct import Struct
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    InvalidTopicError,
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from broker.core.model.ports import Outgoing, Record
from broker.errors import KafkaUnavailableError, RetryError, SendFailedError, StopError, TopicsError, TopicsMissingError
from broker.kafkaaccess import Kafka
from broker.stream.client_options import client_options
from broker.stream.kafka_identity import check_identity, identity_of, read_known
from broker.stream.record_batches import read_every_record
from broker.stream.topics import declared

BATCH_BYTES = 512 * 1024
REQUEST_TIMEOUT_MS = 20_000
MAX_RECORD_BYTES = 8 * 1024 * 1024
_IDEMPOTENCE_SECONDS = 10
CLOSE_SECONDS = 0.4
_WORDS = Struct("<I")
_NOT_PERMITTED = (TopicAuthorizationFailedError, ClusterAuthorizationFailedError, GroupAuthorizationFailedError)

Lane = tuple[str, int]  # topic and partition
# For those outside of this package who hold a client and hand it back.
KafkaProducer = AIOKafkaProducer
KafkaConsumer = AIOKafkaConsumer
KafkaAdmin = AIOKafkaAdminClient


_MISSING = "the topic is not there yet: run `broker topics apply`"
_REMEDY = "see that it runs, that `kafka` in the settings is its address, and that `kafka_access` is how it lets you in"
FORBIDDEN = (
    "Kafka does not permit it to this principal: `broker topics access` says who may do what, `broker topics apply` makes it so"
)


@contextmanager
def kafka_errors(doing: str) -> Iterator[None]:
    """Turn a client's error into ours: KafkaUnavailableError, TopicsMissingError, or StopError where waiting cannot help."""
    try:
        yield
    except (MessageSizeTooLargeError, RecordTooLargeError) as error:
        raise StopError(f"{doing}: a record is larger than the topic takes: raise its max.message.bytes") from error
    except UnknownTopicOrPartitionError as error:
        raise TopicsMissingError(f"{doing}: {_MISSING}") from error
    except InvalidTopicError as error:
        raise TopicsError(f"{doing}: Kafka takes no topic of this name") from error
    except _NOT_PERMITTED as error:
        raise StopError(f"{doing}: {FORBIDDEN}") from error
    except (KafkaError, OSError, TimeoutError) as error:
        raise KafkaUnavailableError(f"{doing}: Kafka does not answer ({_name(error)}): {_REMEDY}") from error


@asynccontextmanager
async def open_producer(
    kafka: Kafka, *, topics: Collection[str] = (), idempotent: bool = True
) -> AsyncIterator[AIOKafkaProducer]:
    """Open a producer that waits for all replicas; it learns about all `topics` at once.

    It is idempotent where Kafka can do it; the embedded broker cannot, and there a retried batch may stand twice in the log.
    Raises KafkaUnavailableError, or DataLossError as `check_known`.
    """
    producer = await _start_producer(kafka, idempotent=idempotent)
    try:
        await check_known(producer, kafka)
        if topics:
            with kafka_errors(f"metadata of {len(topics)} topics"):
                await producer.client.set_topics(list(topics))
        yield producer
    finally:
        await _close_producer(producer)


def is_idempotent(producer: AIOKafkaProducer) -> bool:
    """Tell whether Kafka recognises a batch that this producer sends again."""
    return producer._txn_manager is not None  # noqa: SLF001 - aiokafka has no public way to ask


async def _start_producer(kafka: Kafka, *, idempotent: bool) -> AIOKafkaProducer:
    producer = AIOKafkaProducer(
        **client_options(kafka),
        acks="all",
        enable_idempotence=idempotent,
        max_batch_size=BATCH_BYTES,
        max_request_size=MAX_RECORD_BYTES,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )
    with kafka_errors(f"writing to `{kafka}`"):
        try:
            await asyncio.wait_for(producer.start(), _IDEMPOTENCE_SECONDS)
        except BaseException as error:
            await _close_producer(producer)
            if not idempotent or not isinstance(error, KafkaError | TimeoutError):
                raise
        else:
            return producer
    return await _start_producer(kafka, idempotent=False)


@asynccontextmanager
async def open_consumer(kafka: Kafka, *topics: str, group: str | None = None, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """Open a consumer that commits nothing by itself; without topics the caller assigns partitions.

    Raises KafkaUnavailableError, or DataLossError as `check_known`.
    """
    read_every_record()
    consumer = AIOKafkaConsumer(
        *topics,
        **client_options(kafka),
        group_id=group,
        **{
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "check_crcs": True,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "max_partition_fetch_bytes": MAX_RECORD_BYTES,
            **options,
        },
    )
    try:
        with kafka_errors(f"reading from `{kafka}`"):
            await consumer.start()
        await check_known(consumer, kafka)
        yield consumer
    finally:
        await asyncio.sleep(0)  # a task of aiokafka's that was never begun would end as if we had been cancelled
        await _within(consumer.stop())


@asynccontextmanager
async def open_admin(kafka: Kafka) -> AsyncIterator[AIOKafkaAdminClient]:
    """Open a client for topics and groups; raises KafkaUnavailableError, or DataLossError as `check_known`."""
    admin = AIOKafkaAdminClient(**client_options(kafka), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        with kafka_errors(f"reaching `{kafka}`"):
            await admin.start()
        await check_known(admin, kafka)
        yield admin
    finally:
        await _within(admin.close())


async def check_known(client: AIOKafkaProducer | AIOKafkaConsumer | AIOKafkaAdminClient, kafka: Kafka) -> None:
    """Check that a client speaks to the Kafka that its place knows: every client when it is opened, and who holds one for long.

    Raises DataLossError when the cluster or a topic of ours is another, or gone; where nothing was kept there is nothing to
    compare with. Raises KafkaUnavailableError.
    """
    file = None if isinstance(kafka, str) else kafka.known
    known = read_known(file) if file else None
    if file is None or known is None:
        return
    used = known.topics.keys() & {topic.name for topic in declared(1)}
    with kafka_errors(f"ids of `{kafka}`"):
        found = await identity_of(client, used)
    if found is not None:
        check_identity(found, used, file)


async def _close_producer(producer: AIOKafkaProducer) -> None:
    """Close a producer. What Kafka has not acknowledged by now was given up by whoever sent it: it may not arrive later.

    aiokafka would wait for it as long as Kafka is away.
    """
    if await _within(producer.stop()):
        return
    producer._message_accumulator.fail_all(KafkaConnectionError())  # noqa: SLF001 - aiokafka has no public way to give up
    await _within(producer._sender.close())  # noqa: SLF001 - as above
    await _within(producer.client.close())


async def _within(closing: Coroutine[Any, Any, None]) -> bool:
    """Let a client close itself, but not for longer than a moment; return whether it did."""
    task = asyncio.ensure_future(closing)
    done, _ = await asyncio.wait({task}, timeout=CLOSE_SECONDS)
    task.cancel()
    await asyncio.wait({task}, timeout=0.1)
    if task in done and not task.cancelled():
        task.exception()  # looked at, so that nobody is told of an error while closing
    return task in done


def to_record(consumed: Any) -> Record:
    """Return a consumed record as the core knows it."""
    return Record(
        consumed.topic,
        consumed.partition,
        consumed.offset,
        consumed.timestamp,
        consumed.key,
        consumed.value,
        tuple(consumed.headers),
    )


class Writer:
    """Send batches of records and wait until Kafka acknowledged every one of them; `chunk.Writer`."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._round_robin = 0

    async def write(self, batch: Sequence[Outgoing]) -> None:
        """Send the records, in this order per partition, and return once every one is acknowledged.

        Raises SendFailedError when one was not, TopicsMissingError when there is no such topic yet, and StopError when trying
        again cannot help: too large, not permitted.
        """
        lanes: dict[Lane, list[Outgoing]] = {}
        await self._learn({outgoing.topic for outgoing in batch if outgoing.partition is None})
        for outgoing in batch:
            lanes.setdefault(self._lane(outgoing), []).append(outgoing)
        done = await asyncio.gather(*(self._send(lane, records) for lane, records in lanes.items()), return_exceptions=True)
        failures = [error for error in done if error is not None]
        if failures:
            raise min(failures, key=lambda error: isinstance(error, RetryError))

    async def _send(self, lane: Lane, records: Sequence[Outgoing]) -> None:
        """Send to one partition, batch after batch.

        INVARIANT: a later batch leaves only once the earlier one is acknowledged. If it could arrive while the earlier one
        failed, the reader would count the earlier records as duplicates when they come again.
        """
        topic, partition = lane
        with _send_errors(lane):
            for builder in self._builders(records):
                await (await self._producer.send_batch(builder, topic, partition=partition))

    def _builders(self, records: Sequence[Outgoing]) -> Iterator[Any]:
        builder = self._producer.create_batch()
        for record in records:
            headers = list(record.headers)
            if builder.append(timestamp=None, key=record.key, value=record.value, headers=headers) is None:
                yield builder
                builder = self._producer.create_batch()
                builder.append(timestamp=None, key=record.key, value=record.value, headers=headers)
        builder.close()
        yield builder

    async def _learn(self, topics: Collection[str]) -> None:
        """Learn the partition counts of topics that were not primed."""
        unknown = [topic for topic in topics if not self._producer.client.cluster.partitions_for_topic(topic)]
        for topic in unknown:
            with kafka_errors(f"metadata of `{topic}`"):
                await self._producer.partitions_for(topic)

    def _lane(self, outgoing: Outgoing) -> Lane:
        if outgoing.partition is not None:
            return outgoing.topic, outgoing.partition
        count = len(self._producer.client.cluster.partitions_for_topic(outgoing.topic))
        return outgoing.topic, self._partition(outgoing.key, count)

    def _partition(self, key: bytes | None, count: int) -> int:
        if key is not None:
            return partition_of(key, count)
        self._round_robin += 1
        return self._round_robin % count


@contextmanager
def _send_errors(lane: Lane) -> Iterator[None]:
    place = f"`{lane[0]}` partition {lane[1]}"
    try:
        with kafka_errors(place):
            yield
    except KafkaUnavailableError as error:
        raise SendFailedError(f"{place}: Kafka did not acknowledge a send: {_name(error.__cause__ or error)}") from error


def partition_of(key: bytes, count: int) -> int:
    """Return the partition that Kafka's own clients choose for a key."""
    return (murmur2(key) & 0x7FFFFFFF) % count


@lru_cache(maxsize=65_536)
def murmur2(data: bytes) -> int:
    """Return Kafka's hash of a key: murmur2 as its Java client computes it."""
    length = len(data)
    whole = length & ~3
    result = 0x9747B28C ^ length
    for (word,) in _WORDS.iter_unpack(data[:whole]):
        mixed = word * 0x5BD1E995 & 0xFFFFFFFF
        mixed = (mixed ^ mixed >> 24) * 0x5BD1E995 & 0xFFFFFFFF
        result = (result * 0x5BD1E995 & 0xFFFFFFFF) ^ mixed
    if whole != length:
        result = (result ^ int.from_bytes(data[whole:], "little")) * 0x5BD1E995 & 0xFFFFFFFF
    result = (result ^ result >> 13) * 0x5BD1E995 & 0xFFFFFFFF
    return result ^ result >> 15


def _name(error: BaseException) -> str:
    return type(error).__name__.removesuffix("Error")
