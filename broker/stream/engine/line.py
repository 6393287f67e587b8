"""One stage on one partition: its state, its chunks one after the other, its timers.

Everything of a partition happens in one task, so nothing of it needs a lock.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from broker.core.model.ports import Record, Stage, Task
from broker.errors import UnforeseenError
from broker.kafkaaccess import Kafka
from broker.log import Entry, log
from broker.stream.clients import to_record
from broker.stream.engine.chunk import DeadLetterLimits, Writer, run_chunk
from broker.stream.engine.faults import Faults
from broker.stream.engine.progress import Chunk
from broker.stream.engine.state_log import StateFollower, load_tables
from broker.stream.engine.table import StateTable

TICK_SECONDS = 1.0

Hold = Callable[[Sequence[Record]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every line of a worker shares."""

    kafka: Kafka
    writer: Writer
    follower: StateFollower
    take: Callable[[Chunk], bool]
    acknowledge: Callable[[Chunk], None]
    fail: Callable[[BaseException], None]
    hold: Hold | None = None
    faults: Faults = field(default_factory=Faults)


class Line:
    """Run a stage on a partition from `start` until `leave`."""

    def __init__(self, stage: Stage, partition: int, around: Surroundings) -> None:
        self._stage = stage
        self._partition = partition
        self._around = around
        self._tables: dict[str, StateTable] = {}
        self._limits = DeadLetterLimits(around.faults.quarantine)
        self._waiting: deque[Chunk] = deque()
        self._wake = asyncio.Event()
        self._leaving = False
        self._next_tick = 0.0
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Load the state and then take chunks as they come."""
        self._running = asyncio.create_task(self._run(), name=f"{self._stage.name} {self._partition}")

    def put(self, chunk: Chunk) -> None:
        """Queue a chunk; the transport bounds how many there are."""
        self._waiting.append(chunk)
        self._wake.set()

    async def leave(self, patience: float) -> None:
        """Finish the chunk in hand, or abandon it uncommitted when that takes too long; leave the rest untouched."""
        self._leaving = True
        self._wake.set()
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=patience)
            self._running.cancel()
            with suppress(asyncio.CancelledError):
                await self._running
        self._drop_state()

    async def _run(self) -> None:
        try:
            task = await self._open()
            while not self._leaving:
                task = await self._turn(task)
        except Exception as error:  # noqa: BLE001 - the edge of a Faust agent: the worker stops with whatever this is
            self._around.fail(error)

    async def _turn(self, task: Task) -> Task:
        """Take the next chunk, or wait for one; look at the timers once a tick, however busy the line is."""
        if self._waiting:
            chunk = self._waiting.popleft()
            if self._around.take(chunk):
                task = await self._take(task, chunk)
        else:
            await self._wait()
        if time.monotonic() >= self._next_tick:
            self._next_tick = time.monotonic() + TICK_SECONDS
            due = list(task.due(time.time_ns() // 1_000_000))
            if due:
                await self._around.writer.write(due)
        return task

    async def _take(self, task: Task, chunk: Chunk) -> Task:
        records = [to_record(record) for record in chunk.records]
        if self._around.hold is not None:
            await self._around.hold(records)
        before = self._limits.in_a_row
        task = await self._finish(task, records)
        if before // self._limits.run < self._limits.in_a_row // self._limits.run:
            log(Entry.RECORDS_REFUSED, topic=chunk.topic, partition=chunk.partition, count=self._limits.in_a_row)
        self._around.acknowledge(chunk)
        return task

    async def _finish(self, task: Task, records: Sequence[Record]) -> Task:
        """Take a chunk to its end, and return the task that goes on.

        Where a stage fails at a record unforeseen, its task may be half changed and nothing of the chunk was written: state and
        task are made anew from what Kafka holds, here alone, and the chunk is taken again.
        """
        while True:
            try:
                await run_chunk(task, records, self._around.writer, self._limits)
            except UnforeseenError as error:
                self._around.faults.note(error)
                self._drop_state()
                task = await self._open()
            else:
                return task

    async def _wait(self) -> None:
        """Wait for a chunk, but no longer than a tick."""
        self._wake.clear()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), TICK_SECONDS)

    async def _open(self) -> Task:
        """Load the state, put right what a late record would undo, and open the stage."""
        self._tables = {topic: StateTable(topic, self._partition) for topic in self._stage.state_topics}
        tables = list(self._tables.values())
        ends = await load_tables(self._around.kafka, tables, self._say)
        for table in tables:
            await self._repair(table)
        for place, end in ends.items():
            self._around.follower.add(self._tables[place.topic], end)
        return self._stage.open(self._partition, self._tables)

    def _drop_state(self) -> None:
        for table in self._tables.values():
            self._around.follower.remove(table)

    async def _repair(self, table: StateTable) -> None:
        repairs = table.repairs()
        if repairs:
            await self._around.writer.write(repairs)
            log(Entry.STATE_REPAIRED, topic=table.topic, partition=table.partition, count=len(repairs))

    def _say(self, done: int, of: int) -> None:
        log(Entry.STATE_LOADING, stage=self._stage.name, partition=self._partition, done=done, of=of)
