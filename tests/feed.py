"""A steady feed of signed events for known children, and subscribers that see what comes of it: an own ledger of both.

The ledger knows by hand who must hear of what: police attended a child's home, so the child's school hears of it, and nobody
else. It asks the program under test nothing.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from broker.codec import decode
from broker.core.model.ports import Outgoing
from broker.core.model.registers import ADMINISTRATOR
from broker.errors import BrokerError
from broker.policyfile import policy_content
from broker.registerfile import load_content
from broker.stream.clients import Writer, open_admin, open_consumer, open_producer
from broker.stream.releases.follow import release
from broker.stream.watching.places import places_where
from tests.area import Area, Child, encompass, notice_of, register_all


@dataclass
class Ledger:
    """What was published and what was seen. A sighting is one disclosure id; the same id again is no second one.

    Only alerts whose reference begins with `prefix` count, where an area is shared with others.
    """

    prefix: str = ""
    expected: dict[str, str] = field(default_factory=dict)  # reference of the matter -> who must hear of it
    published_at: dict[str, float] = field(default_factory=dict)
    sightings: dict[tuple[str, str], set[str]] = field(default_factory=dict)  # recipient, reference -> disclosure ids
    seen_at: dict[str, float] = field(default_factory=dict)
    repeats: int = 0

    def published(self, reference: str, recipient: str, at: float) -> None:
        self.expected[reference] = recipient
        self.published_at[reference] = at

    def seen(self, recipient: str, reference: str, disclosure_id: str, at: float) -> None:
        if not reference.startswith(self.prefix):
            return
        ids = self.sightings.setdefault((recipient, reference), set())
        self.repeats += disclosure_id in ids
        ids.add(disclosure_id)
        self.seen_at.setdefault(reference, at)

    @property
    def lost(self) -> int:
        """Events that whoever must hear of them did not."""
        return sum((recipient, reference) not in self.sightings for reference, recipient in self.expected.items())

    @property
    def shown_twice(self) -> int:
        """Alerts that a subscriber was shown under a second id."""
        return sum(len(ids) - 1 for ids in self.sightings.values())

    @property
    def misrouted(self) -> int:
        """Sightings by somebody who must not hear of it, or of something nobody published."""
        return sum(self.expected.get(reference) != recipient for recipient, reference in self.sightings)

    def latencies(self) -> list[float]:
        """Seconds from publishing to being visible, of everything seen, in order."""
        return sorted(seen - self.published_at[one] for one, seen in self.seen_at.items() if one in self.published_at)


async def prepare(area: Area, children: Iterable[Child], *, at_once: int = 2_000) -> None:
    """Release registers and policy, and make the children known."""
    async with open_producer(area.kafka) as producer:
        await release(producer, "registers", "tests-1", load_content(area.registers_file), area.signers[ADMINISTRATOR])
        await release(producer, "policy", "tests-1", policy_content(), area.signers[ADMINISTRATOR])
        writer, batch = Writer(producer), []
        for event in register_all(children):
            batch.append(area.sign(event))
            if len(batch) >= at_once:
                await writer.write(batch)
                batch = []
        await writer.write(batch)


class Feed:
    """Publishes alerts about known children at a steady pace; what Kafka did not acknowledge it publishes again."""

    def __init__(self, area: Area, children: list[Child], ledger: Ledger, *, run: str = "run") -> None:
        self._area, self._children, self._ledger, self._run = area, children, ledger, run
        self._next = 0
        self.retried = 0

    def make(self, count: int) -> list[Outgoing]:
        """Build and sign the next alerts; they count as published from the time that they are handed to Kafka."""
        return [self._one() for _ in range(count)]

    async def publish(self, seconds: float, per_second: int, *, slices: int = 20) -> None:
        """Publish for so long; falls behind rather than leave one out."""
        async with contextlib.AsyncExitStack() as stack:
            writer = Writer(await stack.enter_async_context(open_producer(self._area.kafka)))
            began, done = time.monotonic(), 0
            while (elapsed := time.monotonic() - began) < seconds:
                due = int(elapsed * per_second) - done
                if due > 0:
                    await self.send(writer, self.make(due))
                    done += due
                await asyncio.sleep(1 / slices)

    async def send(self, writer: Writer, records: list[Outgoing]) -> None:
        while True:
            try:
                await writer.write(records)
            except BrokerError:
                self.retried += len(records)
                await asyncio.sleep(0.5)
            else:
                return

    def notices(self, count: int) -> bytes:
        """Write the next alerts as the force's system does: in a file of notices."""
        return "".join(notice_of(child, reference) for child, reference in (self._next_one() for _ in range(count))).encode()

    def _one(self) -> Outgoing:
        return self._area.sign(encompass(*self._next_one()))

    def _next_one(self) -> tuple[Child, str]:
        at, self._next = self._next, self._next + 1
        child = self._children[at % len(self._children)]
        reference = f"{self._run}-{at}"
        self._ledger.published(f"ES/{reference}", f"dsl-{child.school[4:]}", time.time())
        return child, reference


class Subscribers:
    """Follow every topic of disclosures, as their recipients do, until told to stop."""

    def __init__(self, area: Area, ledger: Ledger, *, from_now: bool = False) -> None:
        self._area, self._ledger, self._from_now = area, ledger, from_now
        self._following: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._following = asyncio.create_task(self._follow())
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({self._following, ready}, return_when=asyncio.FIRST_COMPLETED)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._following is not None
        self._following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._following

    async def until(self, seen: int, seconds: float) -> bool:
        """Wait until so many alerts were seen; return whether they were."""
        end = time.monotonic() + seconds
        while len(self._ledger.seen_at.keys() & self._ledger.expected.keys()) < seen:
            assert self._following is not None
            if self._following.done():
                self._following.result()
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.05)
        return True

    async def _follow(self) -> None:
        async with open_admin(self._area.kafka) as admin:
            places = await places_where(admin, lambda topic: topic.startswith("disclosures."))
        async with open_consumer(self._area.kafka) as consumer:
            consumer.assign(places)
            await (consumer.seek_to_end if self._from_now else consumer.seek_to_beginning)(*places)
            if self._from_now:  # the end is looked up only now: before anything is published
                await asyncio.gather(*(consumer.position(place) for place in places))
            self._ready.set()
            while True:
                await self._take(consumer, places)

    async def _take(self, consumer: AIOKafkaConsumer, places: list[TopicPartition]) -> None:
        try:
            found = await consumer.getmany(*places, timeout_ms=200)
        except KafkaError:
            await asyncio.sleep(0.5)
            return
        now = time.time()
        for records in found.values():
            for record in records:
                told = decode("disclosure", record.value)
                reference = (told["concern"] or {}).get("reference") or "none"
                self._ledger.seen(told["recipient"], reference, told["disclosure_id"], now)
