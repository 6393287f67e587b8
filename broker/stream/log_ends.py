"""Tell where logs end, of any Kafka: the embedded broker, asked for it, answers with the place where its last batch begins.

Whoever believed that would read less of a state, a release or an alert than there is.
"""

from collections.abc import Collection, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import NodeNotReadyError
from aiokafka.protocol.fetch import FetchRequest

_OFFSET_FOR_LEADER_EPOCH = 23  # a request's number in Kafka's protocol: Apache Kafka knows it, the embedded broker does not
_WAIT_MS, _BYTES, _READ_UNCOMMITTED = 5, 1, 0


async def log_ends(consumer: AIOKafkaConsumer, places: Collection[TopicPartition]) -> dict[TopicPartition, int]:
    """Return the offset that the next record of each partition will have; the consumer's own position stays.

    Raises aiokafka's KafkaError.
    """
    ends: dict[TopicPartition, int] = await consumer.end_offsets(list(places))
    client: Any = consumer._client  # noqa: SLF001 - aiokafka has no public way to ask what a node knows, or to fetch beside
    node = client.get_random_node()
    if node is None or not await client.ready(node):
        raise NodeNotReadyError("no node to ask where logs end")
    known: Mapping[int, Any] = next((conn._versions for (one, _), conn in client._conns.items() if one == node), {})  # noqa: SLF001 - as above
    if _OFFSET_FOR_LEADER_EPOCH in known:
        return ends
    return {place: max(end, await _high_watermark(client, node, place, end)) for place, end in ends.items()}


async def is_before(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> bool:
    """Tell whether a consumer has not come to all of these ends yet; raises aiokafka's KafkaError."""
    return any([await consumer.position(place) < end for place, end in ends.items()])


async def _high_watermark(client: Any, node: int, place: TopicPartition, offset: int) -> int:
    """Fetch from near the end: what comes with the records says where the log ends."""
    wanted = [(place.topic, [(place.partition, offset, _BYTES)])]
    answer = await client.send(node, FetchRequest(_WAIT_MS, 1, _BYTES, _READ_UNCOMMITTED, wanted, rack_id=""))
    return max((ended for _, partitions in answer.topics for _, _, ended, *_ in partitions), default=offset)
