"""While Kafka is away it is said in words, and waited for longer each time."""

from types import SimpleNamespace

import pytest

from broker.cli import patience
from broker.cli.patience import patiently
from broker.errors import DataLossError, KafkaUnavailableError

ATTEMPTS = 7


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(patience, "asyncio", SimpleNamespace(sleep=sleep))
    return waits


async def test_it_waits_longer_each_time_and_goes_on_when_kafka_is_back(
    slept: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    async def attempt() -> None:
        if len(slept) < ATTEMPTS:
            raise KafkaUnavailableError("Kafka does not answer")

    await patiently(attempt)

    assert slept == [1, 2, 4, 8, 10, 10, 10]
    assert capsys.readouterr().err.startswith("broker: Kafka does not answer: trying again in 1 s\n")


async def test_after_a_steady_time_it_begins_with_a_short_wait_again(slept: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 61))
    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=lambda: next(clock)))

    async def attempt() -> None:
        if len(slept) < ATTEMPTS:
            raise KafkaUnavailableError("Kafka does not answer")

    await patiently(attempt)

    assert slept == [1] * ATTEMPTS


async def test_what_waiting_cannot_help_is_not_waited_for(slept: list[float]) -> None:
    async def attempt() -> None:
        raise DataLossError("another Kafka")

    with pytest.raises(DataLossError):
        await patiently(attempt)

    assert slept == []
