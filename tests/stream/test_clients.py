"""Writing: the partition that Kafka's own clients choose, every send waited for, and errors in our words."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.partitioner import murmur2 as murmur2_of_the_client
from hypothesis import given
from hypothesis import strategies as st

from broker.core.model.ports import Outgoing
from broker.errors import KafkaUnavailableError, SendFailedError, StopError, TopicsMissingError
from broker.stream.clients import Writer, kafka_errors, murmur2, partition_of


@given(st.binary(max_size=70))
def test_the_hash_of_a_key_is_the_clients(key: bytes) -> None:
    assert murmur2(key) == murmur2_of_the_client(key)


@pytest.mark.parametrize(
    ("key", "expected", "why"),
    [
        (b"21", -973932308, "from Kafka's own tests of its Java client"),
        (b"foobar", -790332482, "the same"),
        (b"a-little-bit-long-string", -985981536, "the same"),
        (b"a-little-bit-longer-string", -1486304829, "the same"),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971, "the same"),
    ],
)
def test_the_hash_of_a_key_is_the_java_clients(key: bytes, expected: int, why: str) -> None:
    assert murmur2(key) == expected & 0xFFFFFFFF, why


def test_a_key_goes_to_the_partition_of_its_hash() -> None:
    assert partition_of(b"21", 8) == (-973932308 & 0x7FFFFFFF) % 8


@dataclass
class Batch:
    """Holds two records, as a full batch of the client would."""

    values: list[bytes] = field(default_factory=list)

    def append(self, *, timestamp: None, key: bytes, value: bytes, headers: list[Any]) -> object | None:
        if len(self.values) == 2:
            return None
        self.values.append(value)
        return object()

    def close(self) -> None:
        """Nothing to close."""


@dataclass
class Producer:
    """A client whose sends are acknowledged, or fail, when it is told to."""

    fails: dict[bytes, Exception] = field(default_factory=dict)
    sent: list[tuple[str, int, list[bytes]]] = field(default_factory=list)
    waiting: int = 0
    most_waiting: dict[tuple[str, int], int] = field(default_factory=dict)
    client: Any = field(default_factory=lambda: SimpleNamespace(cluster=SimpleNamespace(partitions_for_topic=lambda _: {0, 1})))

    def create_batch(self) -> Batch:
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> Any:
        self.sent.append((topic, partition, batch.values))
        return asyncio.ensure_future(self._acknowledge(batch, (topic, partition)))

    async def _acknowledge(self, batch: Batch, lane: tuple[str, int]) -> None:
        self.waiting += 1
        self.most_waiting[lane] = max(self.most_waiting.get(lane, 0), self.waiting)
        await asyncio.sleep(0)
        self.waiting -= 1
        for value in batch.values:
            if value in self.fails:
                raise self.fails[value]


def records(count: int, partition: int | None = 0) -> list[Outgoing]:
    return [Outgoing("out", b"key", b"%d" % number, partition=partition) for number in range(count)]


async def test_records_keep_their_order_per_partition_and_a_given_partition_is_honoured() -> None:
    producer = Producer()

    await Writer(producer).write([*records(3, partition=1), *records(1, partition=0)])

    assert [batch for batch in producer.sent if batch[1] == 1] == [("out", 1, [b"0", b"1"]), ("out", 1, [b"2"])]
    assert ("out", 0, [b"0"]) in producer.sent


async def test_a_key_chooses_the_partition_where_none_is_given() -> None:
    producer = Producer()

    await Writer(producer).write(records(1, partition=None))

    assert producer.sent == [("out", partition_of(b"key", 2), [b"0"])]


async def test_a_later_batch_does_not_leave_when_an_earlier_one_of_its_partition_failed() -> None:
    """Otherwise its reader would take the earlier records for duplicates when they come again."""
    producer = Producer(fails={b"1": KafkaTimeoutError()})

    with pytest.raises(SendFailedError, match="`out` partition 0: Kafka did not acknowledge a send: KafkaTimeout"):
        await Writer(producer).write(records(5))

    assert producer.sent == [("out", 0, [b"0", b"1"])]
    assert producer.most_waiting["out", 0] == 1


async def test_every_send_is_waited_for_even_when_one_failed() -> None:
    producer = Producer(fails={b"0": KafkaTimeoutError()})

    with pytest.raises(SendFailedError):
        await Writer(producer).write([Outgoing("out", None, b"0", partition=0), Outgoing("out", None, b"slow", partition=1)])

    assert producer.waiting == 0


@pytest.mark.parametrize(
    ("error", "ours", "words"),
    [
        (MessageSizeTooLargeError(), StopError, "a record is larger than the topic takes"),
        (UnknownTopicOrPartitionError(), TopicsMissingError, "not there yet: run `broker topics apply`"),
        (TopicAuthorizationFailedError(), StopError, "Kafka does not permit it"),
        (KafkaConnectionError(), SendFailedError, "Kafka did not acknowledge a send: KafkaConnection"),
    ],
)
async def test_what_waiting_cannot_mend_stops_and_the_rest_is_tried_again(
    error: Exception, ours: type[Exception], words: str
) -> None:
    with pytest.raises(ours, match=words):
        await Writer(Producer(fails={b"0": error})).write(records(1))


async def test_of_several_failures_the_one_that_waiting_cannot_mend_is_told() -> None:
    producer = Producer(fails={b"0": KafkaTimeoutError(), b"1": MessageSizeTooLargeError()})

    with pytest.raises(StopError, match="larger than the topic takes"):
        await Writer(producer).write([Outgoing("out", None, b"%d" % one, partition=one) for one in range(2)])


def test_an_error_of_the_client_is_told_in_our_words() -> None:
    with (
        pytest.raises(KafkaUnavailableError, match=r"reading state: Kafka does not answer \(KafkaConnection\): see that it runs"),
        kafka_errors("reading state"),
    ):
        raise KafkaConnectionError
