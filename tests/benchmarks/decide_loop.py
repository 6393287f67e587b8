"""Decide in a process of its own: `-m tests.benchmarks.decide_loop KIND KAFKA FOLDER COUNT`.

`stage` is the stage as the broker runs it; `bare` is a loop of the client itself that calls the same pure functions, sends
everything at once, and checks nothing. Prints events per CPU second, from the first record taken to the last acknowledged.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from broker.bootstrap import make_book
from broker.core.model.ports import Effects, Outgoing, Record, Table, Task
from broker.policyfile import load_policy, policy_content
from broker.registerfile import load_content, load_registers
from broker.sealing.secrets import Secrets
from broker.stream.clients import open_admin, open_consumer, open_producer, partition_of, to_record
from broker.stream.decide.stage import Decide
from broker.stream.engine.app import Extras, work
from broker.stream.engine.table import StateTable
from broker.stream.releases.book import Release
from broker.stream.topics import declared, recipient_topics
from tests.benchmarks.pass_through import Meter, Worker

PARTITIONS = 4


@dataclass(frozen=True)
class Metered:
    """The stage, counting what it has taken."""

    inner: Decide
    meter: Meter

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.inner.inputs

    @property
    def state_topics(self) -> tuple[str, ...]:
        return self.inner.state_topics

    def open(self, partition: int, tables: Mapping[str, Table]) -> Task:
        return MeteredTask(self.inner.open(partition, tables), self.meter)


@dataclass
class MeteredTask:
    inner: Task
    meter: Meter

    def step(self, record: Record, effects: Effects) -> None:
        self.meter.begin()
        self.inner.step(record, effects)
        self.meter.add(1)

    def due(self, now: int) -> Iterable[Outgoing]:
        return self.inner.due(now)


def the_stage(folder: Path) -> tuple[Decide, list[str]]:
    """Return the stage under this project's own policy, and every topic that it may write to."""
    book, registers_file = make_book(), folder / "registers.toml"
    registers = load_registers(registers_file)
    for of, version, content in (
        ("policy", load_policy().version, policy_content()),
        ("registers", registers.version, load_content(registers_file)),
    ):
        book.enter(Release(of, version, content))
    topics = [one.name for one in (*declared(PARTITIONS), *recipient_topics(registers))]
    return Decide(Secrets.load(folder / "keys"), book), topics


async def stage(kafka: str, folder: Path, meter: Meter) -> None:
    """The whole stage on our transport: audit first, everything acknowledged, state, contiguous commit."""
    inner, topics = the_stage(folder)
    stop = asyncio.Event()
    settings = Worker(kafka, Path(tempfile.mkdtemp()), f"stage-{time.time_ns()}")
    running = asyncio.create_task(work([Metered(inner, meter)], settings, Extras(outputs=lambda: topics), stop))
    await meter.finished.wait()
    async with open_admin(kafka) as admin:  # taken is not yet acknowledged: done is what is committed
        done = 0
        while done < meter.count:
            await asyncio.sleep(0.1)
            done = sum(one.offset for one in (await admin.list_consumer_group_offsets(settings.group)).values())
    meter.ended = (time.process_time(), time.perf_counter())
    stop.set()
    await running


async def bare(kafka: str, folder: Path, meter: Meter) -> None:
    """The smallest honest loop: the same functions on tables in memory, one batch for each partition written to."""
    inner, topics = the_stage(folder)
    tasks: dict[int, Task] = {}
    async with (
        open_consumer(kafka, *inner.inputs, group=f"bare-{time.time_ns()}", max_poll_records=1_000) as consumer,
        open_producer(kafka, topics=topics) as producer,
    ):
        committed = time.monotonic()
        while not meter.finished.is_set():
            for where, records in (await consumer.getmany(timeout_ms=200)).items():
                meter.begin()
                if where.partition not in tasks:
                    tables = {topic: StateTable(topic, where.partition) for topic in inner.state_topics}
                    tasks[where.partition] = inner.open(where.partition, tables)
                effects = Effects()
                for record in records:
                    tasks[where.partition].step(to_record(record), effects)
                await _send(producer, [*effects.audit, *effects.outputs, *effects.state.values()])
                meter.add(len(records))
            if time.monotonic() - committed > 1:
                await consumer.commit()
                committed = time.monotonic()


async def _send(producer: Any, written: list[Outgoing]) -> None:
    lanes: dict[tuple[str, int], list[Outgoing]] = {}
    for one in written:
        count = len(producer.client.cluster.partitions_for_topic(one.topic))
        partition = one.partition if one.partition is not None else partition_of(one.key or b"", count)
        lanes.setdefault((one.topic, partition), []).append(one)
    sent = []
    for (topic, partition), records in lanes.items():
        batch = producer.create_batch()
        for one in records:
            if batch.append(timestamp=None, key=one.key, value=one.value, headers=list(one.headers)) is None:
                sent.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(timestamp=None, key=one.key, value=one.value, headers=list(one.headers))
        sent.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*sent)


async def run(kind: str, kafka: str, folder: Path, count: int) -> dict[str, float]:
    meter = Meter(count)
    await {"stage": stage, "bare": bare}[kind](kafka, folder, meter)
    return meter.result()


if __name__ == "__main__":
    kind, kafka, folder, count = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(run(kind, kafka, Path(folder), int(count)))))
