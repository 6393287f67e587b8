"""Find which partitions topics have: a consumer without a group learns of none by itself."""

from collections.abc import Callable, Iterable

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

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
