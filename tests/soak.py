"""Run two workers with faults and count what became of every event: `make soak SECONDS=120 KILLS=10`.

Prints one JSON object. Exit status 1 when anything was lost, shown twice or sent to the wrong recipient.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from broker.cli.options import quiet_clients
from broker.stream.node.kafka_node import KafkaNode
from tests.area import Area, create_topics
from tests.feed import Feed, Ledger, Subscribers, prepare
from tests.worker import Worker

CHILDREN = 400
PER_SECOND = 60
SETTLE_SECONDS = 90.0
TERMS = ("accepted", "decided", "applied", "duplicate", "in_review", "dead_lettered", "in_flight")


class Soak:
    """One run: an area on a real Kafka, two workers, a feed, and somebody who pulls plugs."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.node = KafkaNode(folder / "kafka")
        self.area = Area(folder / "area", self.node.start())
        self.area.write()
        self.workers = [Worker(self.area, f"worker-{at}") for at in range(2)]
        self.ledger = Ledger()
        self._random = random.Random(seed)

    async def run(self, seconds: float, kills: int) -> dict[str, object]:
        children = self.area.children(CHILDREN)
        await create_topics(self.area)
        await prepare(self.area, children)
        for worker in self.workers:
            worker.start()
        feed = Feed(self.area, children, self.ledger)
        async with Subscribers(self.area, self.ledger) as subscribers:
            await self._warm_up(feed, subscribers)
            await asyncio.gather(feed.publish(seconds, PER_SECOND), self._faults(seconds, kills))
            say(f"published {len(self.ledger.expected):,}, {feed.retried:,} of them again; waiting for the rest to be seen")
            await subscribers.until(len(self.ledger.expected), SETTLE_SECONDS)
            await asyncio.sleep(3)  # a second showing of something would come now
        return await asyncio.to_thread(self._result, seconds, kills)

    async def _warm_up(self, feed: Feed, subscribers: Subscribers) -> None:
        """Wait until the children are known and alerts arrive, so that what is timed is the faults and not the start."""
        await feed.publish(1, PER_SECOND)
        if not await subscribers.until(len(self.ledger.expected), SETTLE_SECONDS):
            raise SystemExit(f"no alert arrived: see {self.workers[0].log}")
        self.ledger.published_at.clear()

    async def _faults(self, seconds: float, kills: int) -> None:
        """Pull plugs at random times, each kind at least once where there are enough of them."""
        kinds: list[Callable[[], Awaitable[None]]] = [self._kill_worker, self._stop_worker, self._kill_kafka, self._stop_kafka]
        chosen = [kinds[at % 4] if at < 4 else self._random.choice([*kinds, self._kill_worker]) for at in range(kills)]
        times = sorted(self._random.uniform(0.05, 0.85) * seconds for _ in range(kills))
        began = time.monotonic()
        for at, fault in zip(times, chosen, strict=True):
            await asyncio.sleep(max(0.0, began + at - time.monotonic()))
            say(f"{time.monotonic() - began:5.1f} s: {(fault.__doc__ or '').rstrip('.')}")
            await fault()

    async def _kill_worker(self) -> None:
        """SIGKILL to a worker."""
        worker = self._random.choice(self.workers)
        await asyncio.to_thread(worker.kill)
        worker.start()

    async def _stop_worker(self) -> None:
        """SIGTERM to a worker."""
        worker = self._random.choice(self.workers)
        code, took = await asyncio.to_thread(worker.stop)
        if code != 0 or took > 5:
            say(f"the worker left with {code} after {took:.1f} s")
        worker.start()

    async def _kill_kafka(self) -> None:
        """SIGKILL to Kafka, back after 2 s."""
        await asyncio.to_thread(self.node.kill)
        await asyncio.sleep(2)
        await asyncio.to_thread(self.node.start)

    async def _stop_kafka(self) -> None:
        """SIGTERM to Kafka, back after 1 s."""
        await asyncio.to_thread(self.node.stop)
        await asyncio.sleep(1)
        await asyncio.to_thread(self.node.start)

    def _result(self, seconds: float, kills: int) -> dict[str, object]:
        equation = self._reconcile()
        waited = self.ledger.latencies()
        nowhere = int(equation.get("nowhere", 0))
        return {
            "seconds": seconds,
            "kills": kills,
            **{term: int(equation[term]) for term in TERMS},
            "lost": self.ledger.lost + nowhere,
            "shown_twice": self.ledger.shown_twice,
            "misrouted": self.ledger.misrouted,
            "recovery_s_max": round(waited[-1], 1) if waited else None,
        }

    def _reconcile(self) -> dict[str, int]:
        """Ask the reconciler, as an operator does."""
        command = [sys.executable, "-m", "broker", "reconcile", "--json", "--settings", str(self.area.settings_file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        if not done.stdout.strip():
            raise SystemExit(f"broker reconcile said nothing: {done.stderr.strip()}")
        told = json.loads(done.stdout.strip().splitlines()[-1])
        equation: dict[str, int] = told.get("total", told)
        return equation

    def close(self) -> None:
        for worker in self.workers:
            if worker.running:
                worker.stop()
        self.node.stop()


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="keep everything in this folder, to look at afterwards")
    given = parser.parse_args()
    if not (1 <= given.seconds <= 86_400 and 0 <= given.kills <= given.seconds):
        parser.error("--seconds must be 1 to 86400, and --kills at most one each second")
    quiet_clients()  # a Kafka that is away is the point: what is done to it is said, not each try to reach it
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(given.keep or Path(folder), given.seed)
        try:
            result = asyncio.run(soak.run(given.seconds, given.kills))
        finally:
            soak.close()
    print(json.dumps(result))
    return int(any(result[name] for name in ("lost", "shown_twice", "misrouted")))


if __name__ == "__main__":
    raise SystemExit(main())
