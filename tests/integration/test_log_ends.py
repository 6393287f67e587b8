"""Where a log ends is told exactly, whichever Kafka it is."""

from collections.abc import Iterator

import pytest
from aiokafka import TopicPartition

from broker.core.model.ports import Outgoing
from broker.stream.clients import Writer, open_consumer, open_producer
from broker.stream.log_ends import log_ends
from broker.stream.node.kafka_embedded import EmbeddedNode
from broker.stream.topic_admin import apply
from broker.stream.topics import Topic

pytestmark = pytest.mark.kafka
PLACES = [TopicPartition("ends", 0), TopicPartition("ends", 1)]


@pytest.fixture(scope="module")
def embedded() -> Iterator[str]:
    node = EmbeddedNode()
    yield node.start()
    node.stop()


@pytest.fixture(params=["kafka", "embedded"])
def address(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


async def test_the_end_is_behind_the_last_record_of_the_last_batch(address: str) -> None:
    await apply(address, [Topic("ends", 2)])
    found = []

    async with open_producer(address) as producer, open_consumer(address) as consumer:
        for count in (0, 1, 7, 300):
            await Writer(producer).write([Outgoing("ends", b"k", b"v", (), 0)] * count)
            ends = await log_ends(consumer, PLACES)
            found.append([ends[place] for place in PLACES])

    assert found == [[0, 0], [1, 0], [8, 0], [308, 0]]


async def test_asking_where_a_log_ends_moves_no_reader(address: str) -> None:
    await apply(address, [Topic("ends", 2)])

    async with open_producer(address) as producer, open_consumer(address) as consumer:
        await Writer(producer).write([Outgoing("ends", b"k", b"%d" % one, (), 1) for one in range(5)])
        consumer.assign(PLACES[1:])
        consumer.seek(PLACES[1], 2)
        await log_ends(consumer, PLACES)
        read = await consumer.getmany(timeout_ms=5_000)

    assert [record.value for record in read[PLACES[1]]] == [b"2", b"3", b"4"]
