"""Topics of one test, what is in them, and the processes that work on them."""

import asyncio
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import TopicPartition
from aiokafka.admin import NewTopic

from broker.core.model.ports import Outgoing, Record
from broker.stream.clients import Writer, open_admin, open_consumer, open_producer, to_record
from broker.stream.engine.chunk import DEAD_LETTERS
from tests.patience import LONG

PARTITIONS = 2
KEYS = 10


@dataclass
class Run:
    """One test's topics on a Kafka, and its folder."""

    kafka: str
    data: Path
    name: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    async def prepare(self) -> None:
        """Make the topics."""
        async with open_admin(self.kafka) as admin:
            there = await admin.list_topics()
            names = [f"{kind}-{self.name}" for kind in ("in", "out", "audit", "state")]
            new = [NewTopic(name, PARTITIONS, 1) for name in names]
            await admin.create_topics(new + [NewTopic(DEAD_LETTERS, 1, 1)] * (DEAD_LETTERS not in there))

    async def feed(self, values: Sequence[bytes]) -> None:
        """Put records in."""
        async with open_producer(self.kafka) as producer:
            batch = [Outgoing(f"in-{self.name}", b"key-%d" % (n % KEYS), value) for n, value in enumerate(values)]
            await Writer(producer).write(batch)

    async def read(self, kind: str) -> list[Record]:
        """Return all that a topic holds."""
        topic = kind if kind == DEAD_LETTERS else f"{kind}-{self.name}"
        count = 1 if kind == DEAD_LETTERS else PARTITIONS
        places = [TopicPartition(topic, one) for one in range(count)]
        found: list[Record] = []
        async with open_consumer(self.kafka) as consumer:
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            starts = await consumer.beginning_offsets(places)
            while len(found) < sum(ends.values()) - sum(starts.values()):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [to_record(record) for record in records]
        return found

    async def committed(self) -> int:
        """Return how many records were committed as done."""
        async with open_consumer(self.kafka, group=f"group-{self.name}") as consumer:
            places = [TopicPartition(f"in-{self.name}", one) for one in range(PARTITIONS)]
            return sum([await consumer.committed(place) or 0 for place in places])

    async def written(self, kind: str) -> int:
        """Return how many records a topic got."""
        async with open_consumer(self.kafka) as consumer:
            return sum(
                (await consumer.end_offsets([TopicPartition(f"{kind}-{self.name}", n) for n in range(PARTITIONS)])).values()
            )

    def start(self, *options: str, module: str = "worker", data: Path | None = None) -> subprocess.Popen[str]:
        """Start a worker."""
        command = [sys.executable, "-m", f"tests.integration.{module}", self.kafka, str(data or self.data), self.name, *options]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.processes.append(process)
        return process

    async def until_committed(self, count: int, seconds: float = LONG) -> bool:
        """Wait until so many records are committed, or every process has ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if await self.committed() >= count:
                return True
            if self.processes and all(process.poll() is not None for process in self.processes):
                return False
            await asyncio.sleep(0.1)
        return False

    async def lost(self, fed: Sequence[bytes]) -> list[bytes]:
        """Return what went in and did not come out."""
        out = Counter(record.value for record in await self.read("out"))
        return [value for value in fed if not out[value]]

    def end(self) -> None:
        """Leave no process behind."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.communicate()


@asynccontextmanager
async def a_run(kafka: str, data: Path) -> AsyncIterator[Run]:
    """Make the topics of one test, and leave no process behind."""
    run = Run(kafka, data)
    await run.prepare()
    try:
        yield run
    finally:
        run.end()


async def ended(process: subprocess.Popen[str], seconds: float = LONG) -> tuple[int, str]:
    """Wait for a process to end; return its status and what it said."""
    _, said = await asyncio.to_thread(process.communicate, timeout=seconds)
    return process.returncode, said


async def leave(process: subprocess.Popen[str], seconds: float = LONG) -> tuple[int, float]:
    """Ask a process to end; return its status and how long it took."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    status, _ = await ended(process, seconds)
    return status, time.monotonic() - began
