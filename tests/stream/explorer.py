"""Drive stages through crashes, failed sends, repeats, rebalances and zombies, as a seed says, and judge what is left.

A schedule is a number: the same number gives the same schedule. Faults stop after a while; then everything that is still
alive runs to the end of every log, and what the logs hold must be what they would hold without any fault.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import accumulate
from pkgutil import iter_modules
from typing import Any

from broker.core.model.ports import Outgoing, Record, Stage, Task
from broker.errors import RetryError
from broker.stream.engine.chunk import DeadLetterLimits, run_chunk
from broker.stream.engine.table import StateTable
from tests.stream import chains
from tests.stream.inprocess import Fate, InProcessKafka, Point, ScriptedWriter, finish

STEPS_OF_AN_OWNER = 30
DAY = 24 * 3600 * 1000
DAYS_THAT_PASS = 6  # fewer than what waits for somebody to fill a role stays


@dataclass(frozen=True, slots=True)
class Chain:
    """Stages to explore, in the order in which information passes them, and how to tell what went wrong.

    `feed` gives the records to put in; `watch` is called for every record written and `judge` at the end: both return
    faults in words. `react` gives what people put in once they read a record, each thing once. `timers` says that the stages
    have timers to look at: time passes then, and at the end long enough for every clock to fall due.
    `share` tells how much of the schedules is of this chain.
    """

    name: str
    partitions: Mapping[str, int]
    stages: Callable[[], Sequence[Stage]]
    feed: Callable[[random.Random], Sequence[Outgoing]]
    judge: Callable[[InProcessKafka, Sequence[Outgoing]], list[str]]
    watch: Callable[[InProcessKafka, Record], list[str]] = lambda _kafka, _record: []
    react: Callable[[Record], Sequence[Outgoing]] = lambda _record: ()
    timers: bool = False
    share: float = 0.75


@dataclass(slots=True)
class Protections:
    """What the explorer can take out, to see that it finds what is lost without it."""

    run_chunk: Callable[..., Coroutine[Any, Any, None]] = run_chunk
    table: Callable[[str, int], StateTable] = StateTable
    fence: bool = True  # a worker that lost its partition cannot commit
    follow: bool = True  # the owner follows its state topic
    commit_early: bool = False  # commit what was fetched instead of what was acknowledged
    position_first: bool = True  # find the position before reading the state, which then is at least as far


def chains_there_are() -> dict[str, Chain]:
    """Return every chain under tests/stream/chains."""
    found = (import_module(f"{chains.__name__}.{module.name}") for module in iter_modules(chains.__path__))
    return {module.CHAIN.name: module.CHAIN for module in found if hasattr(module, "CHAIN")}


@dataclass(slots=True, eq=False)
class Owner:
    """A worker's hold on one partition of one input of a stage: its state in memory, and the chunk that it has in hand."""

    stage: Stage
    topic: str
    partition: int
    world: World
    tables: dict[str, StateTable] = field(default_factory=dict)
    task: Task | None = None
    position: int = 0
    done: int = 0
    followed: dict[str, int] = field(default_factory=dict)
    work: Coroutine[Any, Any, None] | None = None
    zombie: bool = False
    dead: bool = False
    patience: int = 0

    @property
    def lane(self) -> tuple[str, int]:
        return self.topic, self.partition

    @property
    def group(self) -> tuple[str, tuple[str, int]]:
        return self.stage.name, self.lane

    def step(self) -> bool:
        """Go on to the next await; return whether there was anything to do."""
        if self.dead:
            return False
        self.work = self.work or self._next_work()
        if self.work is None:
            return False
        try:
            self.work.send(None)
        except StopIteration:
            self.work = None
        except RetryError:
            self.world.crash(self)  # what was in hand is dropped uncommitted, and read again
        return True

    def _next_work(self) -> Coroutine[Any, Any, None] | None:
        if self.task is None:
            return self._open()
        records = self.world.kafka.read(self.lane, self.position, self.world.dice.randint(1, 4))
        if records:
            self.position = records[-1].offset + 1
            return self._take(records)
        return None

    async def _open(self) -> None:
        """Begin as the worker does: the committed position first, the state to its end after that, repairs, then records."""
        if self.world.protections.position_first:
            self._find_position()
            await Point()
        tables = await self._load()
        if not self.world.protections.position_first:
            self._find_position()
        self.tables = tables
        self.task = self.stage.open(self.partition, tables)

    def _find_position(self) -> None:
        self.position = self.done = self.world.kafka.committed.get(self.group, 0)

    async def _load(self) -> dict[str, StateTable]:
        kafka = self.world.kafka
        tables = {topic: self.world.protections.table(topic, self.partition) for topic in self.stage.state_topics}
        for topic, table in tables.items():
            for record in kafka.read((topic, self.partition), 0):
                table.load(record)
            self.followed[topic] = kafka.end((topic, self.partition))
        await Point()
        for table in tables.values():
            repairs = table.repairs() if self.world.protections.follow else []
            if repairs:
                await ScriptedWriter(kafka, self.world.fate).write(repairs)
        return tables

    async def _take(self, records: list[Record]) -> None:
        assert self.task is not None
        writer = ScriptedWriter(self.world.kafka, self.world.fate)
        if self.world.protections.commit_early:
            self.done = records[-1].offset + 1
            self.commit()
        await self.world.protections.run_chunk(self.task, records, writer, DeadLetterLimits(run=1_000))
        self.done = records[-1].offset + 1

    def commit(self) -> None:
        """Commit what is done; Kafka refuses it from a worker that lost the partition."""
        if self.task is not None and not (self.zombie and self.world.protections.fence):
            self.world.kafka.committed[self.group] = self.done

    def follow(self) -> None:
        """Read what was written to the state topics since, and write again what a late record would undo."""
        if self.task is None or not self.world.protections.follow:
            return
        for topic, table in self.tables.items():
            lane = (topic, self.partition)
            records = self.world.kafka.read(lane, self.followed[topic])
            repairs = [again for record in records if (again := table.follow(record)) is not None]
            self.followed[topic] = self.world.kafka.end(lane)
            self.world.kafka.write(repairs)

    def tick(self) -> None:
        """Write the timer records that fell due."""
        if self.task is not None and self.work is None:
            self.world.kafka.write(list(self.task.due(self.world.kafka.now)))


class World:
    """One schedule of one chain."""

    def __init__(self, chain: Chain, seed: int, protections: Protections | None = None) -> None:
        self.chain = chain
        self.dice = random.Random(seed)
        self.protections = protections or Protections()
        self.kafka = InProcessKafka(chain.partitions)
        self.kafka.watchers.append(self._watch)
        self.faults: list[str] = []
        self.fed: list[Outgoing] = []
        self.answers: list[Outgoing] = []
        self._answered: set[bytes | None] = set()
        self._days = 0
        self._calm = False
        self.owners = [
            Owner(stage, topic, partition, self)
            for stage in chain.stages()
            for topic in stage.inputs
            for partition in range(chain.partitions[topic])
        ]
        self.zombies: list[Owner] = []

    def run(self) -> list[str]:
        """Run the schedule and return its faults in words."""
        feed = list(self.chain.feed(self.dice))
        for _ in range(STEPS_OF_AN_OWNER * len(self.owners)):
            if feed and self.dice.random() < 0.3:
                self._feed(feed, self.dice.randint(1, 3))
            if self.answers and self.dice.random() < 0.1:
                self._feed(self.answers, 1)
            self._act()
        self._feed(feed, len(feed))
        self._settle()
        return self.faults + self.chain.judge(self.kafka, self.fed)

    def fate(self) -> Fate:
        """Say what becomes of the next batch."""
        if self._calm:
            return Fate()
        luck = self.dice.random()
        return Fate(fails_after=self.dice.randint(0, 3)) if luck < 0.06 else Fate(twice=luck < 0.10)

    def crash(self, owner: Owner) -> None:
        """Take everything that a worker had in memory; somebody else begins again from the logs."""
        if owner.work is not None:
            owner.work.close()
        owner.work, owner.task, owner.dead = None, None, True
        if owner in self.zombies:
            self.zombies.remove(owner)
        if owner in self.owners:
            self.owners[self.owners.index(owner)] = Owner(owner.stage, owner.topic, owner.partition, self)

    def _feed(self, feed: list[Outgoing], count: int) -> None:
        for outgoing in feed[:count]:
            self.kafka.write([outgoing])
            self.fed.append(outgoing)
        del feed[:count]

    def _act(self) -> None:
        """Let one thing happen to one owner; most of the time it just goes on."""
        owner = self.dice.choice(self.owners)
        happens = self.dice.choices(HAPPENS, cum_weights=HOW_OFTEN)[0]
        happens(self, owner)

    def _time_passes(self, owner: Owner) -> None:
        if self.chain.timers:
            if self._days < DAYS_THAT_PASS and self.dice.random() < 0.3:
                self.kafka.now += DAY
                self._days += 1
            owner.tick()

    def _rebalance(self, owner: Owner) -> None:
        """Give the partition to somebody else: the old owner leaves properly, or does not know and goes on."""
        if self.dice.random() < 0.3:
            owner.commit()
            self.crash(owner)
            return
        self.owners[self.owners.index(owner)] = Owner(owner.stage, owner.topic, owner.partition, self)
        owner.zombie, owner.patience = True, self.dice.randint(1, 25)
        self.zombies.append(owner)

    def _zombie_acts(self) -> None:
        if not self.zombies:
            return
        zombie = self.dice.choice(self.zombies)
        zombie.patience -= 1
        if zombie.patience < 0:
            self.crash(zombie)
        elif self.dice.random() < 0.2:
            zombie.commit()
        elif self.dice.random() < 0.1:
            zombie.follow()
        else:
            zombie.step()

    def _compact(self, owner: Owner) -> None:
        """Compact what the owner has followed: young records are kept a day, and an owner follows within seconds."""
        if owner.task is not None:
            owner.follow()
            for topic in owner.tables:
                self.kafka.compact((topic, owner.partition), owner.followed[topic])

    def _settle(self) -> None:
        """End all faults and run to the end of every log."""
        self._calm = True
        for zombie in list(self.zombies):
            self.crash(zombie)
        self._come_to_rest()
        if self.chain.timers:
            self.kafka.now += 10 * DAY
            self._come_to_rest()

    def _come_to_rest(self) -> None:
        for _ in range(100):
            busy = bool(self.answers)
            self._feed(self.answers, len(self.answers))
            for owner in list(self.owners):
                while owner.step():
                    busy = True
                owner.follow()
                owner.commit()
                if self.chain.timers:
                    owner.tick()
            if not busy and not self._unread():
                return
        self.faults.append("the line does not come to rest")

    def _unread(self) -> bool:
        return any(self.kafka.end(owner.lane) > owner.position for owner in self.owners)

    def _watch(self, record: Record) -> None:
        self.faults.extend(self.chain.watch(self.kafka, record))
        for answer in self.chain.react(record):
            if answer.value not in self._answered:
                self._answered.add(answer.value)
                self.answers.append(answer)


_HAPPENS: dict[Callable[[World, Owner], object], int] = {
    lambda _world, owner: owner.step(): 62,
    lambda _world, owner: owner.commit(): 10,
    lambda _world, owner: owner.follow(): 6,
    lambda world, _owner: world._zombie_acts(): 10,
    World.crash: 5,
    World._rebalance: 4,
    World._compact: 2,
    World._time_passes: 1,
}
HAPPENS, HOW_OFTEN = list(_HAPPENS), list(accumulate(_HAPPENS.values()))


def explore(chain: Chain, seeds: Sequence[int], protections: Protections | None = None) -> tuple[int, list[str]] | None:
    """Run schedules until one shows a fault; return its seed and the faults, or None."""
    for seed in seeds:
        faults = World(chain, seed, protections).run()
        if faults:
            return seed, faults
    return None


def undisturbed(chain: Chain, fed: Sequence[Outgoing]) -> InProcessKafka:
    """Run a chain over records with no fault at all, and return what its logs hold."""
    world = World(chain, 0)
    world._calm = True
    world.kafka.write(fed)
    world._settle()
    return world.kafka


__all__ = ["Chain", "Protections", "World", "chains_there_are", "explore", "finish", "undisturbed"]
