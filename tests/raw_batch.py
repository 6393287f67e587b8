"""Kafka record batches as a raw client may write them, byte by byte, and a way to produce them past every check of a client."""

import asyncio
import struct
import time
from collections.abc import Iterable

from aiokafka import TopicPartition
from aiokafka.errors import NotLeaderForPartitionError, for_code
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from broker.core.model.ports import Outgoing
from broker.stream.clients import open_producer

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
_CRC_AT, _CHECKED_FROM = 17, 21


def a_batch(records: Iterable[Outgoing], codec: int = NONE) -> bytes:
    """Return a batch of records as Kafka's clients write it."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=codec, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=64 * 1024 * 1024,
    )  # fmt: skip
    now = int(time.time() * 1000)  # one for all: each record is written with its distance from the first
    for at, record in enumerate(records):
        builder.append(at, now, record.key, record.value, list(record.headers))
    return bytes(builder.build())


def patched(batch: bytes, old: bytes, new: bytes) -> bytes:
    """Return a batch with bytes replaced by as many others, and its checksum made right again."""
    assert batch.count(old) == 1
    assert len(old) == len(new)
    return checked(batch.replace(old, new))


def checked(batch: bytes) -> bytes:
    """Return a batch with the right checksum."""
    return batch[:_CRC_AT] + struct.pack(">I", calc_crc32c(batch[_CHECKED_FROM:])) + batch[_CHECKED_FROM:]


async def produce(kafka: str, topic: str, partition: int, batch: bytes) -> int:
    """Write a batch as it is; return Kafka's error code, 0 when it was taken."""
    async with open_producer(kafka, topics=[topic], idempotent=False) as producer:
        request = ProduceRequest(transactional_id=None, required_acks=-1, timeout=10_000, topics=[(topic, [(partition, batch)])])
        while True:  # a topic that was just created may have no leader yet
            leader = producer.client.cluster.leader_for_partition(TopicPartition(topic, partition))
            response = await producer.client.send(leader, request)
            [(_, [(_, code, *_)])] = response.topics
            if for_code(code) is not NotLeaderForPartitionError:
                return int(code)
            await asyncio.sleep(0.1)
