"""Recognise the Kafka that a place works with, and keep what it is: for those who act on where they are in its log."""

from collections.abc import Collection
from pathlib import Path

from broker.errors import BrokerError, StopError, TopicsMissingError
from broker.kafkaaccess import KNOWN_FILE, Kafka
from broker.stream.clients import FORBIDDEN, KafkaAdmin, kafka_errors, open_admin
from broker.stream.kafka_identity import KafkaIdentity, identity_of, keep_identity


async def read_identity(kafka: Kafka, topics: Collection[str] | None = None) -> KafkaIdentity | None:
    """Ask Kafka for the ids of some topics or of all; None where it knows no ids.

    Raises KafkaUnavailableError, and DataLossError as every client of `clients` does.
    """
    async with open_admin(kafka) as admin:
        with kafka_errors(f"ids of `{kafka}`"):
            return await identity_of(admin, topics)


async def recognise_kafka(kafka: Kafka, used: set[str], folder: Path) -> None:
    """Compare Kafka with what was kept in a folder, and keep what is new there. `used` are the topics that matter here.

    Raises DataLossError when it is another Kafka or one of the topics is; TopicsMissingError while one of them is not there;
    SettingsError when the folder cannot be used; KafkaUnavailableError.
    """
    found = await read_identity(kafka, used)
    if found is None:
        return
    keep_identity(found, used, folder / KNOWN_FILE)
    if missing := used - found.topics.keys():
        raise absence(missing, found)


async def why_absent(admin: KafkaAdmin, topics: Collection[str]) -> BrokerError:
    """Return why some topics cannot be used: hidden by an access list, or not there yet; raises KafkaUnavailableError."""
    with kafka_errors("topics"):
        return absence(topics, await identity_of(admin, topics))


def absence(topics: Collection[str], found: KafkaIdentity | None) -> BrokerError:
    """Say why topics that nobody finds are not there: one waits for those that will be made, and for no permission."""
    hidden = sorted(found.hidden.intersection(topics)) if found else []
    if hidden:
        return StopError(f"{_names(hidden)}: {FORBIDDEN}")
    are = "topics {} are" if len(topics) > 1 else "topic {} is"
    return TopicsMissingError(f"{are.format(_names(sorted(topics)))} not there yet: run `broker topics apply`")


def _names(topics: Collection[str]) -> str:
    return ", ".join(f"`{one}`" for one in topics)
