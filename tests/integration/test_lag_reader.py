"""Lag read from a real Kafka is exact: offsets, seconds, who reads, what was deleted."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from broker.errors import TopicsMissingError
from broker.lag.evaluation import Status
from broker.lag.report import Report
from broker.stream.watching.lag_reader import LagReader, Plan

pytestmark = pytest.mark.kafka


class Line:
    """A topic of two partitions, a group that reads it, and a reader of its lag."""

    def __init__(self, address: str, admin: AIOKafkaAdminClient, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer):
        self.address, self.admin, self.producer = address, admin, producer
        self.topic, self.group = f"events.{uuid.uuid4().hex[:8]}.v1", f"group-{uuid.uuid4().hex[:8]}"
        plan = Plan(self.group, {"intake": (self.topic,)}, frozenset({self.topic}), {self.topic: 3_600_000})
        self.reader = LagReader(plan, consumer, admin)

    async def write(self, count: int, partition: int = 0) -> None:
        for _ in range(count):
            await self.producer.send_and_wait(self.topic, b"x", partition=partition)

    @asynccontextmanager
    async def member(self, commit: int) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            self.topic,
            bootstrap_servers=self.address,
            group_id=self.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        while not consumer.assignment():
            await consumer.getmany(timeout_ms=500)
        await consumer.commit({TopicPartition(self.topic, 0): commit})
        yield consumer
        await consumer.stop()

    async def look(self) -> Report:
        return await self.reader.look()


@pytest.fixture
async def line(kafka: str) -> AsyncIterator[Line]:
    async with AsyncExitStack() as stack:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        stack.push_async_callback(admin.close)
        producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all")
        await producer.start()
        stack.push_async_callback(producer.stop)
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=None, enable_auto_commit=False)
        await consumer.start()
        stack.push_async_callback(consumer.stop)
        line = Line(kafka, admin, producer, consumer)
        await admin.create_topics([NewTopic(line.topic, 2, 1)])
        yield line


async def test_offsets_and_seconds_are_those_of_the_next_record_to_be_read(line: Line) -> None:
    await line.write(3)
    await asyncio.sleep(1.2)
    before = time.time()
    await line.write(4)
    async with line.member(commit=3):
        report = await line.look()
        elapsed = time.time() - before

    behind, level = report.partitions
    assert (behind.committed, behind.end, behind.lag) == (3, 7, 4)
    assert 0 < behind.seconds <= elapsed, "the fourth record's age, not the first's"
    assert behind.headroom_hours == pytest.approx(1, abs=0.01)
    assert (level.lag, level.seconds, level.headroom_hours) == (0, 0.0, None)
    assert report.members == 1


async def test_a_backlog_that_nobody_reads_is_stopped_and_one_that_is_read_is_not(line: Line) -> None:
    await line.write(4)
    alone = await line.look()
    async with line.member(commit=1) as consumer:
        read = await line.look()
        await consumer.commit({TopicPartition(line.topic, 0): 4})
        level = await line.look()

    assert [report.status for report in (alone, read, level)] == [Status.STOP, Status.OK, Status.OK]
    assert alone.partitions[0].lag == 4, "a group that never was starts at the beginning"
    assert level.partitions[0].history == (4, 3, 0)


async def test_a_topic_that_is_missing_does_not_look_as_if_nothing_waited_there(line: Line) -> None:
    plan = Plan(line.group, {"intake": (line.topic, "events.nowhere.v1")}, frozenset(), {})
    reader = LagReader(plan, line.reader.consumer, line.admin)

    with pytest.raises(TopicsMissingError, match=r"topic `events.nowhere.v1` is not there yet: run `broker topics apply`"):
        await reader.look()


async def test_records_that_retention_deleted_unread_are_told_as_lost(line: Line) -> None:
    await line.write(6)
    async with line.member(commit=1):
        await line.admin.delete_records({TopicPartition(line.topic, 0): RecordsToDelete(before_offset=4)})
        report = await line.look()

    assert report.status is Status.LOST
    assert report.partitions[0].reason == "3 records were deleted by retention before they were read"
