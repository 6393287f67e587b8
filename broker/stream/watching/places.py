"""Find which partitions topics have: a consumer without a group learns of none by itself."""

from collections.abc import Callable, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError

from broker.kafkaaccess import Kafka
from broker.stream.clients import kafka_errors, open_admin
from broker.stream.recognise import why_absent


async def places_where(admin: AIOKafkaAdminClient, wanted: Callable[[str], bool]) -> list[TopicPartition]:
    """Return every partition of the topics whose names are wanted, in order; raises KafkaUnavailableError."""
    with kafka_errors("topics"):
        names = sorted(name for name in await admin.list_topics() if wanted(name))
        found = await admin.describe_topics(names) if names else []
    return sorted(
        TopicPartition(topic["topic"], one["partition"])
        for topic in found
        if not topic["error_code"]
        for one in topic["partitions"]
    )


async def places_from(admin: AIOKafkaAdminClient, topics: Iterable[str]) -> list[TopicPartition]:
    """Return every partition of these topics.

    Raises TopicsMissingError while one of them is not there, StopError where an access list hides one.
    """
    names = set(topics)
    places = await places_where(admin, names.__contains__)
    missing = names - {place.topic for place in places}
    if missing:
        raise await why_absent(admin, missing)
    return places


async def places_of(kafka: Kafka, topics: Iterable[str]) -> list[TopicPartition]:
    """Return every partition of these topics, with a client of its own; raises as `places_from`."""
    async with open_admin(kafka) as admin:
        return await places_from(admin, topics)


async def places_by(consumer: AIOKafkaConsumer, kafka: Kafka, topics: Iterable[str]) -> list[TopicPartition]:
    """Return the same, asked by a consumer that was just opened: where all is well, no client has to be made for it.

    The consumer knows then who leads each partition: else it would wait a tenth of a second for that when it is first asked.
    """
    names = set(topics)
    client: Any = consumer._client  # noqa: SLF001 - aiokafka tells the partitions of topics that are subscribed to alone
    with kafka_errors("topics"):
        if not await client.force_metadata_update():
            raise KafkaConnectionError("no node tells which topics there are")
    partitions = {name: client.cluster.partitions_for_topic(name) for name in names}
    if not all(partitions.values()):
        return await places_of(kafka, names)  # which finds out why
    return sorted(TopicPartition(name, one) for name, found in partitions.items() for one in found)
