"""Whoever looks at Kafka compares it with what a worker of the place has kept, and changes nothing of that."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import IncompatibleBrokerVersion, NodeNotReadyError

from broker.errors import DataLossError
from broker.stream.engine.kafka_identity import KafkaIdentity, check_identity, compare_identity, identity_of

KEPT = KafkaIdentity("first", {"events.v1": "a", "facts.v1": "b"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    compare_identity(KEPT, KEPT.topics, tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("found", "says", "why"),
    [
        (KafkaIdentity("second", {"events.v1": "a", "facts.v1": "b"}), "another Kafka, or empty", "another cluster"),
        (KafkaIdentity("first", {"events.v1": "c", "facts.v1": "b"}), "`events.v1` was made anew", "another topic"),
        (KafkaIdentity("first", {"facts.v1": "b"}), "`events.v1` is gone", "no such topic"),
    ],
)
def test_who_only_looks_says_what_the_worker_says(folder: Path, found: KafkaIdentity, says: str, why: str) -> None:
    with pytest.raises(DataLossError, match=says):
        check_identity(found, KEPT.topics, folder)
    with pytest.raises(DataLossError, match=says):
        compare_identity(found, KEPT.topics, folder)
    assert check_identity(KEPT, KEPT.topics, folder) == KEPT, why


def test_a_topic_that_is_no_longer_used_may_go(folder: Path) -> None:
    assert check_identity(KafkaIdentity("first", {"events.v1": "a"}), ["events.v1"], folder) == KEPT


def test_who_only_looks_keeps_nothing(tmp_path: Path) -> None:
    assert check_identity(KEPT, KEPT.topics, tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_what_one_keeps_another_of_the_same_place_adds_to(folder: Path) -> None:
    """A connector at the place of the worker uses other topics than that one."""
    found = KafkaIdentity("first", {**KEPT.topics, "events.police.v1": "d"})
    compare_identity(found, ["events.police.v1"], folder)

    assert check_identity(found, found.topics, folder) == found


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
