"""Whoever looks at Kafka compares it with what a worker of the place has kept, and changes nothing of that."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import IncompatibleBrokerVersion, NodeNotReadyError

from broker.errors import DataLossError, StopError, TopicsMissingError
from broker.kafkaaccess import KNOWN_FILE, KafkaPlace
from broker.stream.clients import check_known
from broker.stream.kafka_identity import KafkaIdentity, check_identity, identity_of, keep_identity
from broker.stream.recognise import absence

KEPT = KafkaIdentity("first", {"events.v1": "a", "facts.v1": "b"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    keep_identity(KEPT, KEPT.topics, tmp_path / KNOWN_FILE)
    return tmp_path / KNOWN_FILE


@pytest.mark.parametrize(
    ("found", "says", "why"),
    [
        (KafkaIdentity("second", {"events.v1": "a", "facts.v1": "b"}), "another Kafka, or empty", "another cluster"),
        (KafkaIdentity("first", {"events.v1": "c", "facts.v1": "b"}), "`events.v1` was made anew", "another topic"),
        (KafkaIdentity("first", {"facts.v1": "b"}), "`events.v1` is gone", "no such topic"),
    ],
)
def test_who_only_looks_says_what_the_worker_says(file: Path, found: KafkaIdentity, says: str, why: str) -> None:
    with pytest.raises(DataLossError, match=says):
        check_identity(found, KEPT.topics, file)
    with pytest.raises(DataLossError, match=says):
        keep_identity(found, KEPT.topics, file)
    assert check_identity(KEPT, KEPT.topics, file) == KEPT, why


def test_a_topic_that_is_no_longer_used_may_go(file: Path) -> None:
    assert check_identity(KafkaIdentity("first", {"events.v1": "a"}), ["events.v1"], file) == KEPT


def test_who_only_looks_keeps_nothing(tmp_path: Path) -> None:
    assert check_identity(KEPT, KEPT.topics, tmp_path / KNOWN_FILE) is None
    assert list(tmp_path.iterdir()) == []


def test_what_one_keeps_another_of_the_same_place_adds_to(file: Path) -> None:
    """A connector at the place of the worker uses other topics than that one."""
    found = KafkaIdentity("first", {**KEPT.topics, "events.police.v1": "d"})
    keep_identity(found, ["events.police.v1"], file)

    assert check_identity(found, found.topics, file) == found


def an_admin(error: Exception) -> Any:
    """A client whose request ends with an error."""

    async def send(node: int, request: object) -> None:
        raise error

    return SimpleNamespace(_client=SimpleNamespace(get_random_node=lambda: 0, send=send))


async def test_a_kafka_that_goes_away_while_it_is_asked_is_not_one_without_ids() -> None:
    """aiokafka's errors are all RuntimeErrors: whoever took them for `not known here` would go on uncompared."""
    with pytest.raises(NodeNotReadyError):
        await identity_of(an_admin(NodeNotReadyError()))


@pytest.mark.parametrize("error", [IncompatibleBrokerVersion(), RuntimeError()])
async def test_a_kafka_that_does_not_know_ids_is_told_from_one_that_is_away(error: Exception) -> None:
    assert await identity_of(an_admin(error)) is None


def test_a_topic_that_an_access_list_hides_is_not_taken_for_one_that_is_gone(file: Path) -> None:
    """The cluster is compared all the same."""
    hidden = KafkaIdentity("first", {"facts.v1": "b"}, frozenset(("events.v1",)))

    assert check_identity(hidden, KEPT.topics, file) == KEPT
    with pytest.raises(DataLossError, match="another Kafka"):
        check_identity(KafkaIdentity("second", {}, frozenset(KEPT.topics)), KEPT.topics, file)


def test_what_is_hidden_is_not_waited_for_and_what_is_not_there_yet_is() -> None:
    found = KafkaIdentity("first", {}, frozenset(("facts.v1",)))

    assert isinstance(absence(["events.v1", "facts.v1"], found), StopError)
    assert "`facts.v1`: Kafka does not permit it to this principal" in str(absence(["events.v1", "facts.v1"], found))
    assert isinstance(absence(["events.v1"], found), TopicsMissingError)
    assert str(absence(["events.v1"], None)) == "topic `events.v1` is not there yet: run `broker topics apply`"


def a_client(cluster: str, asked: list[object]) -> Any:
    """A client whose Kafka has an id, and no topic."""

    async def send(node: int, request: Any) -> object:
        asked.append(request)
        return SimpleNamespace(topics=[], cluster_id=cluster)

    return SimpleNamespace(_client=SimpleNamespace(get_random_node=lambda: 0, send=send))


async def test_a_client_is_asked_whom_it_speaks_to_where_the_place_knows_one(tmp_path: Path) -> None:
    asked: list[object] = []
    file = tmp_path / KNOWN_FILE
    keep_identity(KafkaIdentity("first", {}), [], file)
    known, unknown = KafkaPlace("kafka:9", known=file), KafkaPlace("kafka:9", known=file.with_name("none"))

    await check_known(a_client("first", asked), known)
    with pytest.raises(DataLossError, match="another Kafka"):
        await check_known(a_client("second", asked), known)
    await check_known(a_client("second", asked), unknown)
    await check_known(a_client("second", asked), "kafka:9")

    assert len(asked) == 2
