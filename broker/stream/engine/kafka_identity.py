"""Notice that Kafka came back without what it held: the ids of cluster and topics are kept locally and compared.

A Kafka that lost its disk looks like a new one: no records, no committed positions. Going on would pretend that nothing had
ever been decided.
"""

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from broker.errors import DataLossError, SettingsError
from broker.kafkaaccess import Kafka
from broker.stream.clients import kafka_errors, open_admin

_FILE = "kafka.json"
_TEXT = CompactString("utf-8")
_NO_ID = bytes(16)
_METADATA = 3  # the number of the request in Kafka's protocol
_WITH_IDS = 12  # its first version that tells the ids of all topics


class _Uuid:
    """Sixteen bytes, Kafka's form of a topic id; aiokafka's types have none."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        """Return the bytes as they are."""
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        """Read sixteen bytes."""
        return data.read(16)

    @classmethod
    def repr(cls, value: bytes) -> str:
        """Write an id."""
        return str(UUID(bytes=value))


class _MetadataResponse(Response):
    API_KEY = _METADATA
    API_VERSION = _WITH_IDS
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT), ("tags", TaggedFields))),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", _TEXT),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataRequestStruct(RequestStruct):
    API_KEY = _METADATA
    API_VERSION = _WITH_IDS
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", _TEXT), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestStruct]):
    API_KEY = _METADATA

    def __init__(self, topics: Collection[str] | None) -> None:
        """Ask about some topics, or all of them."""
        self._topics: list[tuple[bytes, str, dict[int, bytes]]] | None = None
        if topics is not None:
            self._topics = [(_NO_ID, topic, {}) for topic in topics]

    def build(self, request_struct_class: type[_MetadataRequestStruct]) -> _MetadataRequestStruct:
        return request_struct_class(self._topics, False, False, {})  # noqa: FBT003 - Kafka's own order of fields


@dataclass(frozen=True, slots=True)
class KafkaIdentity:
    """Which cluster this is, and the id of each topic: a topic that was made anew has another."""

    cluster: str
    topics: Mapping[str, str]


async def read_identity(kafka: Kafka) -> KafkaIdentity | None:
    """Ask Kafka for its ids; None when it does not know topic ids (the embedded broker). Raises KafkaUnavailableError."""
    async with open_admin(kafka) as admin:
        with kafka_errors(f"ids of `{kafka}`"):
            return await identity_of(admin)


async def identity_of(admin: AIOKafkaAdminClient, topics: Collection[str] | None = None) -> KafkaIdentity | None:
    """Ask for the ids by a client that is open, of some topics or of all; raises aiokafka's KafkaError."""
    client: Any = admin._client  # noqa: SLF001 - aiokafka has no public way to send this request
    try:
        answer = await client.send(client.get_random_node(), _MetadataRequest(topics))
    except IncompatibleBrokerVersion:
        return None
    except KafkaError:  # which is a RuntimeError too: a Kafka that is away is not one without ids
        raise
    except RuntimeError:  # aiokafka's way of saying that no version of this request is known to both sides
        return None
    ids = {
        topic: str(UUID(bytes=number)) for _, topic, number, internal, *_ in answer.topics if not internal and number != _NO_ID
    }
    return KafkaIdentity(answer.cluster_id, ids)


async def recognise_kafka(kafka: Kafka, used: Collection[str], folder: Path) -> KafkaIdentity | None:
    """Ask Kafka for its ids and compare them as `compare_identity` does; None when it does not tell them."""
    found = await read_identity(kafka)
    if found is not None:
        compare_identity(found, used, folder)
    return found


def compare_identity(found: KafkaIdentity, used: Collection[str], folder: Path) -> None:
    """Compare with what was found before, and remember it; `used` are the topics that matter here.

    Raises DataLossError when this is another Kafka, or a topic is gone or was made anew; SettingsError when the folder
    cannot be used.
    """
    known = check_identity(found, used, folder)
    topics = {**(known.topics if known else {}), **{topic: found.topics[topic] for topic in used if topic in found.topics}}
    here = KafkaIdentity(found.cluster, topics)
    if here != known:
        _write(folder / _FILE, here)


def check_identity(found: KafkaIdentity, used: Collection[str], folder: Path) -> KafkaIdentity | None:
    """Compare with what was kept in a folder, and return that; None where nothing was. Changes nothing, raises the same."""
    file = folder / _FILE
    known = _read(file)
    if known is None:
        return None
    meant = f"if that is meant, and what was decided before may be forgotten, remove `{file}`"
    if known.cluster != found.cluster:
        raise DataLossError(
            f"Kafka has cluster id `{found.cluster}`, here it was `{known.cluster}`: another Kafka, or empty: {meant}"
        )
    for topic, number in known.topics.items():
        if topic in used and found.topics.get(topic) != number:
            what = "was made anew" if topic in found.topics else "is gone"
            raise DataLossError(f"topic `{topic}` {what}: its records are lost: {meant}")
    return known


def _read(file: Path) -> KafkaIdentity | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return KafkaIdentity(content["cluster"], content["topics"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"`{file}` cannot be read ({type(error).__name__}): mend it from a copy, or remove it") from error


def _write(file: Path, identity: KafkaIdentity) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps({"cluster": identity.cluster, "topics": dict(identity.topics)}, indent=1), encoding="utf-8")
        fresh.replace(file)
    except OSError as error:
        raise SettingsError(f"folder `{file.parent}` cannot be written to: {error.strerror}: give another in `data`") from error
