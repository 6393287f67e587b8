"""See that this is the Kafka that the workers of this place know: one that came back empty looks as if all were well."""

from broker.settings import Settings
from broker.stream.engine.kafka_identity import KafkaIdentity, check_identity, read_identity
from broker.stream.topics import declared


async def same_kafka(settings: Settings) -> KafkaIdentity | None:
    """Return Kafka's ids; None when it does not tell them.

    Raises DataLossError when the cluster, or a topic of ours, is another than the one that was kept at this place; where
    nothing was kept there is nothing to compare with. Raises KafkaUnavailableError.
    """
    found = await read_identity(settings.kafka)
    if found is not None:
        check_identity(found, {topic.name for topic in declared(settings.partitions)}, settings.data)
    return found
