"""Notice that Kafka came back without what it held: the ids of cluster and topics are kept locally and compared.

A Kafka that lost its disk looks like a new one: no records, no committed positions. Going on would pretend that nothing had
ever been decided. `clients` compares before it hands out any client; `recognise` keeps what a place works with.

Kafka is asked for topics by name: of all topics it tells only those that one may see, and one that an access list hides would
look as if it were gone.
"""

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

from aiokafka.errors import IncompatibleBrokerVersion, KafkaError, NodeNotReadyError, TopicAuthorizationFailedError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from broker.errors import DataLossError, SettingsError

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
    """Which cluster this is, and the id of each topic: a topic that was made anew has another.

    `hidden` are the topics that were asked for and that Kafka does not let this principal see, whether they are there or not.
    """

    cluster: str
    topics: Mapping[str, str]
    hidden: frozenset[str] = frozenset()


async def identity_of(client: Any, topics: Collection[str] | None = None) -> KafkaIdentity | None:
    """Ask for the ids by a client of aiokafka that is open, of some topics or of all that one may see.

    None where Kafka knows no ids. Raises aiokafka's KafkaError.
    """
    inner: Any = getattr(client, "_client", None) or client.client  # aiokafka has no public way to send this request
    node = inner.get_random_node()
    if node is None:
        raise NodeNotReadyError("no node to ask for ids")
    try:
        answer = await inner.send(node, _MetadataRequest(topics))
    except IncompatibleBrokerVersion:
        return None
    except KafkaError:  # which is a RuntimeError too: a Kafka that is away is not one without ids
        raise
    except RuntimeError:  # aiokafka's way of saying that no version of this request is known to both sides
        return None
    ids = {
        topic: str(UUID(bytes=number)) for _, topic, number, internal, *_ in answer.topics if not internal and number != _NO_ID
    }
    hidden = frozenset(topic for code, topic, *_ in answer.topics if code == TopicAuthorizationFailedError.errno)
    return KafkaIdentity(answer.cluster_id, ids, hidden)


def check_identity(found: KafkaIdentity, used: Collection[str], file: Path) -> KafkaIdentity | None:
    """Compare with what was kept in a file, and return that; None where nothing was. Changes nothing.

    Raises DataLossError when this is another Kafka, or one of the topics `used` is gone or was made anew; SettingsError when
    the file cannot be read. What Kafka hides cannot be compared: the cluster is.
    """
    known = read_known(file)
    if known is None:
        return None
    meant = f"if that is meant, and what was decided before may be forgotten, remove `{file}`"
    if known.cluster != found.cluster:
        raise DataLossError(
            f"Kafka has cluster id `{found.cluster}`, here it was `{known.cluster}`: another Kafka, or empty: {meant}"
        )
    for topic, number in known.topics.items():
        if topic in used:
            check_topic(topic, number, found, meant)
    return known


def check_topic(topic: str, known: str, found: KafkaIdentity, meant: str) -> None:
    """Check that a topic is the one that was known here; raises DataLossError. `meant` says what to do if it is not to be."""
    if topic in found.hidden or found.topics.get(topic) == known:
        return
    what = "was made anew" if topic in found.topics else "is gone"
    raise DataLossError(f"topic `{topic}` {what}: its records are lost: {meant}")


def read_known(file: Path) -> KafkaIdentity | None:
    """Return what was kept in a file; None where nothing was. Raises SettingsError when it cannot be read."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return KafkaIdentity(content["cluster"], content["topics"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"`{file}` cannot be read ({type(error).__name__}): mend it from a copy, or remove it") from error


def keep_identity(found: KafkaIdentity, used: Collection[str], file: Path) -> None:
    """Compare as `check_identity` does, and keep what is new: which cluster it is, and the ids of the topics `used`.

    Raises the same, and SettingsError when the folder cannot be used.
    """
    known = check_identity(found, used, file)
    topics = {**(known.topics if known else {}), **{topic: found.topics[topic] for topic in used if topic in found.topics}}
    here = KafkaIdentity(found.cluster, topics)
    if here != known:
        _write(file, here)


def _write(file: Path, identity: KafkaIdentity) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps({"cluster": identity.cluster, "topics": dict(identity.topics)}, indent=1), encoding="utf-8")
        fresh.replace(file)
    except OSError as error:
        raise SettingsError(f"folder `{file.parent}` cannot be written to: {error.strerror}: give another in `data`") from error
