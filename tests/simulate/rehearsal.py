"""Rehearses a synthetic area's week in memory: the real files, connectors and stages, in any order in which stages may run.

What arrives on a day is decided before the next day begins, as in the demo. Within a day nothing has an order: which
agency is first, how much a stage takes at once and how long it lags are drawn from a seed, and some lag very far.
"""

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from broker.core.model.ports import Headers, Outgoing, Stage, Task
from broker.core.model.registers import Registers
from broker.demo.notebook import Notebook
from broker.demo.post import Post
from broker.demo.scene import Scene, set_scene
from broker.policyfile import load_policy
from broker.simulate.area import Area
from broker.simulate.arrival import REGISTERS
from broker.simulate.compare import Comparison, compare
from broker.stream.decide.stage import Decide
from broker.stream.deliver import Deliver
from broker.stream.engine.chunk import DeadLetterLimits, run_chunk
from broker.stream.engine.table import StateTable
from broker.stream.identify.stage import Identify
from broker.stream.intake import Intake
from broker.stream.topics import declared, recipient_topics
from tests.stream.chains.whole_line import epochs
from tests.stream.identify_runner import FixedRegisters
from tests.stream.inprocess import InProcessKafka, ScriptedWriter, finish
from tests.stream.lines import SECRETS, HeldReleases

PARTITIONS = 2
MOST_AT_ONCE = 200
SLOWEST = 0.02  # of the turns that the quickest gets


@dataclass(slots=True)
class Letterbox:
    """A Kafka producer that keeps what agencies publish."""

    posted: list[Outgoing] = field(default_factory=list)

    async def send(
        self, topic: str, value: bytes | None = None, key: bytes | None = None, *, headers: Headers | None = None
    ) -> "asyncio.Future[object]":
        self.posted.append(Outgoing(topic, key, value, tuple(headers or ())))
        sent: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        sent.set_result(None)
        return sent


@dataclass(frozen=True)
class Week:
    """What the agencies of an area publish, day by day; -1 is what the registers hold before."""

    scene: Scene
    days: Sequence[tuple[int, Sequence[Outgoing]]]


def write_week(area: Area, folder: Path) -> Week:
    """Write the files of an area and have the agencies' connectors read them, once."""
    scene, letterbox = set_scene(area, folder), Letterbox()
    days = []
    with closing(Post(scene, letterbox)) as post:  # type: ignore[arg-type] # all that it needs of a producer
        for wave, dispatches in groupby(scene.arrivals, key=lambda one: one.wave):
            asyncio.run(post.deliver(list(dispatches)))
            days.append((-1 if wave == REGISTERS else int(wave), tuple(letterbox.posted)))
            letterbox.posted.clear()
    return Week(scene, days)


@dataclass(slots=True)
class Place:
    """One stage on one partition of one of its inputs."""

    stage: Stage
    lane: tuple[str, int]
    task: Task
    pace: float
    position: int = 0


class Rehearsal:
    """One run of a week, in the order that a seed draws."""

    def __init__(self, week: Week, seed: int) -> None:
        self.dice = random.Random(seed)
        self.book = Notebook()
        registers = week.scene.registers
        counts = {topic.name: topic.partitions for topic in (*declared(PARTITIONS), *recipient_topics(registers))}
        self.kafka = InProcessKafka(counts, now=time.time_ns() // 1_000_000)
        self.kafka.watchers.append(lambda record: self.book.note(record, self.kafka.now))
        self._writer, self._limits = ScriptedWriter(self.kafka), DeadLetterLimits(run=1_000)
        self.places = [self._place(stage, lane, topics) for stage, lane, topics in self._stages(registers)]
        self.week = week

    def run(self) -> Comparison:
        """Run the week and hold what everybody was told against the truth of the stories."""
        registers, policy = self.week.scene.registers, load_policy()
        self.kafka.write([*epochs("policy", policy.digest), *epochs("registers", registers.digest)])
        for day, posted in self.week.days:
            self.book.day = max(day, 0)
            self._arrive(posted)
            self._come_to_rest()
            assert not self.book.waiting, f"day {day}: {self.book.waiting} events have not ended"
        return compare(self.week.scene.truth, self.book.timed())

    def _stages(self, registers: Registers) -> Iterator[tuple[Stage, tuple[str, int], Any]]:
        policy = load_policy()
        releases = HeldReleases({policy.digest: policy}, {registers.digest: registers})
        newest = FixedRegisters(registers)
        for stage in (Intake(SECRETS, newest), Identify(SECRETS, newest), Decide(SECRETS, releases), Deliver(SECRETS, newest)):
            for topic in stage.inputs:
                for partition in range(self.kafka.partitions[topic]):
                    yield stage, (topic, partition), {one: StateTable(one, partition) for one in stage.state_topics}

    def _place(self, stage: Stage, lane: tuple[str, int], tables: dict[str, StateTable]) -> Place:
        return Place(stage, lane, stage.open(lane[1], tables), SLOWEST ** self.dice.random())

    def _arrive(self, posted: Sequence[Outgoing]) -> None:
        """Everybody speaks at the same time; what goes to one partition of one topic keeps the order of its agency."""
        by_key: dict[object, list[Outgoing]] = {}
        for one in posted:
            by_key.setdefault((one.topic, self.kafka.lane(one), _agency(one)), []).append(one)
        turns = [key for key, said in by_key.items() for _ in said]
        self.dice.shuffle(turns)
        left = {key: iter(said) for key, said in by_key.items()}
        self.kafka.write(next(left[key]) for key in turns)

    def _come_to_rest(self) -> None:
        for one in self.places:
            one.pace = SLOWEST ** self.dice.random()
        while busy := [one for one in self.places if self.kafka.end(one.lane) > one.position]:
            one = self.dice.choices(busy, [each.pace for each in busy])[0]
            records = self.kafka.read(one.lane, one.position, self.dice.randint(1, MOST_AT_ONCE))
            finish(run_chunk(one.task, records, self._writer, self._limits))
            one.position = records[-1].offset + 1


def _agency(one: Outgoing) -> bytes:
    return next((value for name, value in one.headers if name == "ce_source"), b"")
