"""Kafka away at start, killed while it is worked with, back without its data; the embedded one; and too much at once."""

import asyncio
import dataclasses
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from broker.errors import DataLossError, SettingsError
from broker.stream.engine.app import make_app
from broker.stream.engine.transport import OUTSTANDING, PassThrough
from broker.stream.kafka_identity import KafkaIdentity, keep_identity
from broker.stream.node.kafka_embedded import EmbeddedNode
from broker.stream.node.kafka_node import KafkaNode
from broker.stream.node.kafka_probe import free_port
from broker.stream.recognise import read_identity
from tests.integration.log_of_a_run import PARTITIONS, Run, a_run, ended
from tests.patience import LONG, within

pytestmark = pytest.mark.kafka

HUNDRED = [b"%d" % number for number in range(100)]


@pytest.fixture
async def run(kafka: str, tmp_path: Path) -> AsyncIterator[Run]:
    async with a_run(kafka, tmp_path) as made:
        yield made


async def test_kafka_away_killed_and_back_empty(tmp_path: Path) -> None:
    """The worker waits for it, goes on when it is back, and stops when what it held is gone."""
    node = KafkaNode(tmp_path / "kafka", port=free_port())
    run = Run(node.address, tmp_path / "worker")
    worker = run.start()
    try:
        await asyncio.sleep(within(3))  # it has started and found no Kafka
        await asyncio.to_thread(node.start)
        await run.prepare()
        await run.feed(HUNDRED)
        assert await run.until_committed(100), "it was away at start"

        await asyncio.to_thread(node.kill)
        await asyncio.sleep(2)
        await asyncio.to_thread(node.start)
        await run.feed([b"later-%d" % number for number in range(100)])
        assert await run.until_committed(200), "it was killed"
        assert await run.lost(HUNDRED) == []

        worker.terminate()
        status, said = await ended(worker)
        assert status == 0
        assert said.count("event=kafka_waited_for") >= 1
        assert "Traceback" not in said
        await asyncio.to_thread(node.stop)
        shutil.rmtree(tmp_path / "kafka")
        empty = KafkaNode(tmp_path / "kafka", port=int(node.address.rpartition(":")[2]))
        await asyncio.to_thread(empty.start)
        node = empty
        await run.prepare()

        status, said = await ended(run.start())
        assert status == 2
        assert "another Kafka, or empty" in said
    finally:
        run.end()
        node.stop()


async def until_it_minds_sigterm(pid: int) -> None:
    """Wait until a process has taken SIGTERM into its own hands: before that it dies of it, as any would."""
    for _ in range(int(LONG / 0.1)):
        status = await asyncio.to_thread(Path(f"/proc/{pid}/status").read_text)
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
        if int(caught.split()[1], 16) & 1 << (signal.SIGTERM - 1):
            return
        await asyncio.sleep(0.1)


async def test_a_worker_waits_for_its_topics_and_leaves_at_once_when_told_meanwhile(kafka: str, tmp_path: Path) -> None:
    run = Run(kafka, tmp_path)
    worker = run.start()
    try:
        await until_it_minds_sigterm(worker.pid)
        await asyncio.sleep(within(3))
        worker.terminate()
        status, said = await ended(worker, within(5))
    finally:
        run.end()

    assert status == 0
    assert "are not there yet: run `broker topics apply`" in said


async def test_a_worker_that_cannot_reach_kafka_leaves_at_once_when_told(tmp_path: Path) -> None:
    """The address is one that never answers (set aside for documentation)."""
    run = Run("192.0.2.1:9092", tmp_path)
    worker = run.start()
    try:
        await until_it_minds_sigterm(worker.pid)
        await asyncio.sleep(within(1))
        worker.terminate()
        status, _ = await ended(worker, within(5))
    finally:
        run.end()

    assert status == 0


async def test_a_topic_that_was_made_anew_is_noticed(run: Run) -> None:
    found = await read_identity(run.kafka)
    assert found is not None
    topic = f"in-{run.name}"
    keep_identity(found, [topic], run.data / "kafka.json")
    keep_identity(found, [topic], run.data / "kafka.json")

    with pytest.raises(DataLossError, match="was made anew: its records are lost"):
        keep_identity(KafkaIdentity(found.cluster, {topic: "another"}), [topic], run.data / "kafka.json")
    with pytest.raises(DataLossError, match="is gone"):
        keep_identity(KafkaIdentity(found.cluster, {}), [topic], run.data / "kafka.json")
    with pytest.raises(DataLossError, match="another Kafka, or empty: if that is meant"):
        keep_identity(dataclasses.replace(found, cluster="another"), [topic], run.data / "kafka.json")


def test_a_damaged_note_of_kafkas_ids_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "kafka.json").write_text("{", encoding="utf-8")

    with pytest.raises(SettingsError, match=r"kafka\.json` cannot be read"):
        keep_identity(KafkaIdentity("cluster", {}), [], tmp_path / "kafka.json")


async def test_memory_stays_flat_when_the_stage_is_slower_than_kafka(run: Run, tmp_path: Path) -> None:
    """Of 50,000 records only a few chunks per partition leave Kafka while none is acknowledged."""
    for _ in range(5):
        await run.feed([b"x" * 200] * 10_000)
    app = make_app(_Settings(run.kafka, tmp_path, f"slow-{run.name}"), 100)
    consumer: Any = app.consumer
    given, full = 0, asyncio.Event()

    async def agent(stream: Any) -> None:
        nonlocal given
        async for _ in stream.noack().events():
            given += 1
            if given == PARTITIONS * OUTSTANDING:
                full.set()

    app.agent(app.topic(f"in-{run.name}", schema=PassThrough()), name="slow")(agent)
    await app.start()
    await asyncio.wait_for(full.wait(), LONG)
    await asyncio.sleep(1)  # more would come by now
    held = sum(len(progress) for progress in consumer.progress.values())
    await app.stop()

    assert held == given == PARTITIONS * OUTSTANDING


@dataclasses.dataclass(frozen=True)
class _Settings:
    kafka: str
    data: Path
    group: str


async def test_the_embedded_broker_carries_the_same_line(tmp_path: Path) -> None:
    """Also over a worker that dies between outputs and state; and it tells the ids of its topics."""
    node = EmbeddedNode()
    address = await asyncio.to_thread(node.start)
    try:
        async with a_run(address, tmp_path) as run:
            await run.feed(HUNDRED)
            status, said = await ended(run.start("--fault", "die"))
            run.start()

            assert status == -9
            assert said.count("event=kafka_limited") == 1, "it takes no idempotent producer"
            assert await run.until_committed(100)
            assert await run.lost(HUNDRED) == []
            identity = await read_identity(address)
            assert identity is not None
            assert f"in-{run.name}" in identity.topics
    finally:
        node.stop()
