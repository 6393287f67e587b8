"""Find which partitions topics have: a consumer without a group learns of none by itself."""

from collections.abc import Callable, Iterable

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from broker.errors import TopicsError
from broker.kafkaaccess import Kafka
from broker.stream.clients import kafka_errors, open_admin


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
    """Return every partition of these topics; raises TopicsError when one of them is not there."""
    names = set(topics)
    places = await places_where(admin, names.__contains__)
    missing = names - {place.topic for place in places}
    if missing:
        names_ = ", ".join(f"`{one}`" for one in sorted(missing))
        raise TopicsError(f"{names_}: not there, or not for this principal to see: run `broker topics apply`")
    return places


async def places_of(kafka: Kafka, topics: Iterable[str]) -> list[TopicPartition]:
    """Return every partition of these topics, with a client of its own; raises TopicsError when one of them is not there."""
    async with open_admin(kafka) as admin:
        return await places_from(admin, topics)
