"""An area on a Kafka of its own with workers, for benchmarks of the whole line; no benchmark itself."""

import asyncio
import io
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

from broker.core.intake.delivery import Delivery, Piece
from broker.core.model.event import Event
from broker.core.model.identifiers import Digest, Millis
from broker.core.model.ports import Outgoing
from broker.registerfile import load_registers
from broker.stream.clients import Writer, open_producer
from broker.stream.node.kafka_node import KafkaNode
from connectors.police.encompass_notice import EncompassNotice
from connectors.transports.memory import SqliteMemory
from tests.area import POLICE, Area, Child, create_topics, on_roll
from tests.feed import Feed, Ledger, Subscribers, prepare
from tests.worker import Worker

_TICKS = os.sysconf("SC_CLK_TCK")
PATIENCE = 300.0
_ROLL = 5_000


class RunningArea:
    """An area whose children become known as they are asked for, and one or more workers."""

    def __init__(self, folder: Path) -> None:
        self.node = KafkaNode(folder / "kafka", heap_mb=1024)
        self.area = Area(folder / "area", self.node.start(), schools=20)
        self.area.write()
        self.workers: list[Worker] = []
        self.children: list[Child] = []
        self._runs = 0
        asyncio.run(create_topics(self.area))
        asyncio.run(prepare(self.area, []))

    def start(self, count: int = 1) -> None:
        """Start workers that only work: no index, no metrics."""
        for _ in range(count):
            worker = Worker(self.area, f"worker-{len(self.workers)}", "--no-index").start()
            assert worker.said("worker_started"), worker.log.read_text()
            self.workers.append(worker)

    def stop(self) -> None:
        for worker in self.workers:
            if worker.running:
                worker.stop()
        self.node.stop()

    def know(self, count: int) -> None:
        """Have so many children on roll, one roll after the other: wait each time until alerts about the last come through."""
        while len(self.children) < count:
            fresh = [self.area.child(at) for at in range(len(self.children), min(count, len(self.children) + _ROLL))]
            self.children += fresh
            asyncio.run(self._register(fresh))
            self.alerts(10, fresh[-10:])

    def alerts(self, count: int, children: list[Child] | None = None) -> Ledger:
        """Publish alerts as fast as Kafka takes them and wait until every one is visible."""
        self._runs += 1
        ledger = Ledger(f"ES/{self._runs}-")
        feed = Feed(self.area, children or self.children, ledger, run=str(self._runs))
        asyncio.run(self._alerts(feed, ledger, feed.make(count)))
        return ledger

    def native_alerts(self, count: int) -> float:
        """Have the force's connector read a file of notices, publish what it says and wait until every alert is visible.

        Returns the processor time that reading and signing took, in seconds.
        """
        self._runs += 1
        ledger = Ledger(f"ES/{self._runs}-")
        feed = Feed(self.area, self.children, ledger, run=str(self._runs))
        content = feed.notices(count)
        began = time.process_time()
        records = self._read(content)
        spent = time.process_time() - began
        assert len(records) == count
        asyncio.run(self._alerts(feed, ledger, records))
        return spent

    def _read(self, content: bytes) -> list[Outgoing]:
        """Read a delivery as `broker connect` does: with what the agency told before, kept on disk."""
        piece = Piece("notices.txt", len(content), Digest(sha256(content).hexdigest()), lambda: io.BytesIO(content))
        force = load_registers(self.area.registers_file).agencies[POLICE]
        memory = SqliteMemory(self.area.folder / "memory" / f"{self._runs}.sqlite")
        with closing(memory):
            memory.begin()
            said = list(EncompassNotice().read(Delivery(force, Millis(time.time_ns() // 1_000_000), (piece,)), memory))
            memory.commit()
        return [self.area.sign(one) for one in said if isinstance(one, Event)]

    def steady(self, seconds: float, per_second: int) -> Ledger:
        """Publish alerts at a steady pace and wait until every one is visible."""
        self._runs += 1
        ledger = Ledger(f"ES/{self._runs}-")
        asyncio.run(self._steady(Feed(self.area, self.children, ledger, run=str(self._runs)), ledger, seconds, per_second))
        return ledger

    def cpu_seconds(self) -> float:
        """Return the processor time that the workers have used."""
        return sum(_cpu_seconds(worker) for worker in self.workers if worker.running)

    async def _register(self, children: list[Child]) -> None:
        async with open_producer(self.area.kafka) as producer:
            writer = Writer(producer)
            for at in range(0, len(children), 2_000):
                await writer.write([self.area.sign(on_roll(child)) for child in children[at : at + 2_000]])

    async def _alerts(self, feed: Feed, ledger: Ledger, records: list[Outgoing]) -> None:
        async with Subscribers(self.area, ledger, from_now=True) as subscribers, open_producer(self.area.kafka) as producer:
            await feed.send(Writer(producer), records)
            await _all_seen(subscribers, ledger)

    async def _steady(self, feed: Feed, ledger: Ledger, seconds: float, per_second: int) -> None:
        async with Subscribers(self.area, ledger, from_now=True) as subscribers:
            await feed.publish(seconds, per_second, slices=100)
            await _all_seen(subscribers, ledger)


@contextmanager
def running_area(workers: int = 1) -> Iterator[RunningArea]:
    """Run an area; nothing of it stays."""
    with tempfile.TemporaryDirectory() as folder:
        running = RunningArea(Path(folder))
        try:
            running.start(workers)
            yield running
        finally:
            running.stop()


async def _all_seen(subscribers: Subscribers, ledger: Ledger) -> None:
    seen = await subscribers.until(len(ledger.expected), PATIENCE)
    assert seen, f"{ledger.lost} of {len(ledger.expected)} alerts were not visible after {PATIENCE:.0f} s"
    assert (ledger.lost, ledger.misrouted, ledger.shown_twice) == (0, 0, 0)


def _cpu_seconds(worker: Worker) -> float:
    assert worker.process is not None
    fields = Path(f"/proc/{worker.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
