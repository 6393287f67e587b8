"""Put a version of the registers in force: its recipients' topics first, then the release and its epoch."""

from broker.core.registers import Registers
from broker.errors import RegistersError
from broker.kafkaaccess import Kafka
from broker.policyfile import policy_from_content
from broker.stream.clients import open_consumer, open_producer
from broker.stream.releases.book import Release, ReleaseBook
from broker.stream.releases.follow import Releases, release
from broker.stream.topic_admin import apply
from broker.stream.topics import SUBJECTS, disclosures_topic, recipient_topics


async def released(kafka: Kafka) -> ReleaseBook:
    """Return everything released so far; raises KafkaUnavailableError or TopicsError."""
    async with open_consumer(kafka) as consumer:
        following = Releases(kafka, consumer, ReleaseBook(policy_from_content))
        await following.start()
        await following.stop()
        return following.book


async def release_registers(kafka: Kafka, registers: Registers, content: bytes) -> Release:
    """Release the registers; a recipient's topic is there before anything can be decided for it.

    Raises RegistersError when this version was released before with another content, or two recipients' topics would be one.
    """
    check_topics_apart(registers)
    for one in (await released(kafka)).all("registers"):
        if one.version == registers.version and one.digest != registers.digest:
            raise RegistersError(
                f"registers version `{registers.version}` was released before with other entries: give it a new version"
            )
    await apply(kafka, recipient_topics(registers))
    async with open_producer(kafka, topics=[SUBJECTS]) as kafka_producer:
        return await release(kafka_producer, "registers", registers.version, content)


def check_topics_apart(registers: Registers) -> None:
    """Check that no two recipients' topics have one name; raises RegistersError."""
    seen: dict[str, str] = {}
    for recipient in registers.recipients.values():
        other = seen.setdefault(disclosures_topic(recipient.id), recipient.id)
        if recipient.own_topic and other != recipient.id:
            raise RegistersError(f"recipients `{other}` and `{recipient.id}` would share a topic: give one of them another id")
