"""Pass records from one topic to another in a process of its own: `-m tests.benchmarks.pass_through KIND KAFKA IN OUT COUNT`.

Prints records per CPU second and per second of the clock, from the first record taken to the last acknowledged.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop
from aiokafka import TopicPartition

from broker.core.model.ports import Effects, Outgoing, Record, Stage, Table, Task
from broker.stream.clients import open_consumer, open_producer
from broker.stream.engine.app import Extras, make_app, work
from broker.stream.engine.progress import Chunk
from broker.stream.engine.transport import PassThrough


@dataclass
class Meter:
    """Measures from the first record to the last."""

    count: int
    done: int = 0
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    began: tuple[float, float] | None = None
    ended: tuple[float, float] = (0.0, 0.0)

    def begin(self) -> None:
        if self.began is None:
            self.began = (time.process_time(), time.perf_counter())

    def add(self, records: int) -> None:
        self.done += records
        if self.done >= self.count and not self.finished.is_set():
            self.ended = (time.process_time(), time.perf_counter())
            self.finished.set()

    def result(self) -> dict[str, float]:
        assert self.began is not None
        return {
            "per_cpu_second": self.count / (self.ended[0] - self.began[0]),
            "per_second": self.count / (self.ended[1] - self.began[1]),
        }


@dataclass
class Worker:
    kafka: str
    data: Path
    group: str


async def bare(kafka: str, reads: str, writes: str, meter: Meter) -> None:
    """The smallest honest loop of the client itself: same batches, acknowledged by all, committed once a second."""
    async with (
        open_consumer(kafka, reads, group=f"bare-{time.time_ns()}", max_poll_records=1_000) as consumer,
        open_producer(kafka, topics=[writes]) as producer,
    ):
        committed = time.monotonic()
        while not meter.finished.is_set():
            found = await consumer.getmany(timeout_ms=200)
            if found:
                meter.begin()
            for where, records in found.items():
                batch = producer.create_batch()
                for record in records:
                    batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers))
                await (await producer.send_batch(batch, writes, partition=where.partition))
                meter.add(len(records))
            if time.monotonic() - committed > 1:
                await consumer.commit()
                committed = time.monotonic()
        await consumer.commit()


async def ours(kafka: str, reads: str, writes: str, meter: Meter) -> None:
    """A Faust agent on our transport that does what the bare loop does: verified, and committed without a gap."""
    app = make_app(Worker(kafka, Path(tempfile.mkdtemp()), f"ours-{time.time_ns()}"))
    consumer: Any = app.consumer
    async with open_producer(kafka, topics=[writes]) as producer:

        async def agent(stream: Any) -> None:
            async for event in stream.noack().events():
                chunk: Chunk = event.value
                if not consumer.take(chunk):
                    continue
                meter.begin()
                batch = producer.create_batch()
                for record in chunk.records:
                    batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers))
                await (await producer.send_batch(batch, writes, partition=chunk.partition))
                consumer.acknowledge(chunk)
                meter.add(len(chunk.records))

        app.agent(app.topic(reads, schema=PassThrough()), name="pass-through")(agent)
        await app.start()
        await meter.finished.wait()
        await app.stop()


@dataclass
class PassStage:
    """A whole stage: records as the core knows them, effects, the chunk protocol."""

    name: str
    reads: str
    writes: str
    meter: Meter

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.reads,)

    @property
    def state_topics(self) -> tuple[str, ...]:
        return ()

    def open(self, partition: int, tables: Mapping[str, Table]) -> Task:
        return self

    def step(self, record: Record, effects: Effects) -> None:
        self.meter.begin()
        effects.outputs.append(Outgoing(self.writes, record.key, record.value, record.headers, record.partition))
        self.meter.add(1)

    def due(self, now: int) -> Iterable[Outgoing]:
        return ()


async def whole_stage(kafka: str, reads: str, writes: str, meter: Meter) -> None:
    """The same through a stage, as the broker runs its own."""
    stop = asyncio.Event()
    stage: Stage = PassStage("pass-through", reads, writes, meter)
    settings = Worker(kafka, Path(tempfile.mkdtemp()), f"stage-{time.time_ns()}")
    running = asyncio.create_task(work([stage], settings, Extras(outputs=lambda: [writes]), stop))
    await meter.finished.wait()
    stop.set()
    await running


async def stock(kafka: str, reads: str, writes: str, meter: Meter) -> None:
    """Stock Faust: one event at a time, `topic.send`, as its documentation shows."""
    import faust  # noqa: PLC0415 - only where it is measured

    app = faust.App(
        f"stock-{time.time_ns()}",
        broker=f"kafka://{kafka}",
        datadir=tempfile.mkdtemp(),
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        producer_acks=-1,
        consumer_auto_offset_reset="earliest",
    )
    target = app.topic(writes, value_type=bytes, value_serializer="raw")

    async def agent(stream: Any) -> None:
        async for event in stream.events():
            meter.begin()
            await target.send(key=event.key, value=event.value)
            meter.add(1)

    app.agent(app.topic(reads, key_type=bytes, value_type=bytes, value_serializer="raw"), name="stock")(agent)
    await app.start()
    await meter.finished.wait()
    await app.stop()


KINDS: dict[str, Callable[[str, str, str, Meter], Coroutine[Any, Any, None]]] = {
    "bare": bare,
    "ours": ours,
    "stage": whole_stage,
    "stock": stock,
}


async def run(kind: str, kafka: str, reads: str, writes: str, count: int) -> dict[str, float]:
    """Run one kind and return its figures."""
    meter = Meter(count)
    await KINDS[kind](kafka, reads, writes, meter)
    return meter.result()


async def written(kafka: str, topic: str, partitions: int) -> int:
    """Return how many records a topic holds."""
    async with open_consumer(kafka) as consumer:
        ends: dict[TopicPartition, int] = await consumer.end_offsets([TopicPartition(topic, one) for one in range(partitions)])
        return sum(ends.values())


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(run(*sys.argv[1:5], count=int(sys.argv[5])))))
