"""Run stages on Kafka: one Faust app, one Faust agent per stage, and what surrounds them.

A round lasts until the worker is told to leave, or cannot go on. What may pass (Kafka away, a send refused) ends the round
uncommitted and begins another; what would be wrong (data gone, a bad release) stops the worker.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import faust
import uvloop
from faust.types import TP

from broker.core.model.ports import Stage
from broker.errors import (
    BrokerError,
    KafkaUnavailableError,
    RetryError,
    StopError,
    TopicsMissingError,
    WorkerStuckError,
)
from broker.kafkaaccess import Kafka
from broker.log import Entry, log
from broker.stream.client_options import faust_credentials
from broker.stream.clients import Writer, check_known, is_idempotent, kafka_errors, open_admin, open_producer
from broker.stream.engine.faults import Faults
from broker.stream.engine.garbage import look_for_garbage_less
from broker.stream.engine.line import Hold, Line, Surroundings
from broker.stream.engine.progress import Chunk
from broker.stream.engine.state_log import StateFollower
from broker.stream.engine.transport import OUTSTANDING, PassThrough
from broker.stream.recognise import recognise_kafka

CHUNK_RECORDS = 1_000
FETCH_BYTES = 4 * 1024 * 1024
COMMIT_SECONDS = 1.0
SESSION_SECONDS = 6.0
LEAVE_SECONDS = 2.5  # closing the clients takes up to two seconds more: less than five in all
_IN_HAND_SECONDS = 1.5
_PATIENT_SECONDS = 10.0
_LONGEST_WAIT = 4.0  # an alert waits no longer than this once Kafka is back
_STEADY_SECONDS = 60.0
_MIND_SECONDS = 2.0


class WorkerSettings(Protocol):
    """What a worker needs of the settings."""

    @property
    def kafka(self) -> Kafka:
        """Where Kafka is and how one gets in."""
        ...

    @property
    def data(self) -> Path:
        """The folder for local state."""
        ...

    @property
    def group(self) -> str:
        """The consumer group that the workers share."""
        ...


@dataclass(frozen=True, slots=True)
class Extras:
    """What else a worker may be given.

    `beside` opens what must run beside the stages (the releases of policy and registers); it may give a function that
    every chunk waits for. `outputs` names the topics written to, so that their metadata is there before the first send.
    `chunk_records` bounds a chunk.
    """

    beside: Callable[[], AbstractAsyncContextManager[Hold | None]] | None = None
    outputs: Callable[[], Collection[str]] = tuple
    chunk_records: int = CHUNK_RECORDS


def run_worker(stages: Sequence[Stage], settings: WorkerSettings, extras: Extras | None = None) -> None:
    """Run stages until SIGTERM or SIGINT; then leave within five seconds.

    Waits with back-off while Kafka is away. Raises StopError when going on would be wrong; nothing is committed then that
    was not wholly written.
    """
    look_for_garbage_less()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # for the thread that fetches, too: it makes a loop of its own
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_until_told(stages, settings, extras or Extras()))
    finally:
        _end_tasks(loop)
        asyncio.set_event_loop(None)
        asyncio.set_event_loop_policy(None)
        loop.close()


def _end_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what libraries left running, and wait no longer than a moment: some of it never ends while Kafka is away."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=0.3))


async def _until_told(stages: Sequence[Stage], settings: WorkerSettings, extras: Extras) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await work(stages, settings, extras, stop)


async def work(stages: Sequence[Stage], settings: WorkerSettings, extras: Extras, stop: asyncio.Event) -> None:
    """Run stages until `stop` is set; raises StopError when going on would be wrong."""
    _require_one_input_with_state(stages)
    wait = 0.5
    faults = Faults()
    while not stop.is_set():
        began = time.monotonic()
        try:
            await _until_over(_Round(stages, settings, extras, faults), stop)
        except RetryError as error:
            wait = 0.5 if time.monotonic() - began > _STEADY_SECONDS else min(wait * 2, _LONGEST_WAIT)
            waits = isinstance(error, KafkaUnavailableError | TopicsMissingError)
            entry = Entry.KAFKA_WAITED_FOR if waits else Entry.WORKER_RESTARTED
            log(entry, reason=str(error), seconds=wait)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait)
        except StopError as error:
            log(Entry.WORKER_FAILED, reason=str(error))
            raise
    log(Entry.WORKER_STOPPED, group=settings.group)


async def _until_over(a_round: "_Round", stop: asyncio.Event) -> None:
    """Run a round; when told to leave before it serves (Kafka may not answer for long), do not wait for it."""
    running = asyncio.create_task(a_round.run(stop))
    told = asyncio.create_task(stop.wait())
    await asyncio.wait({running, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if stop.is_set() and not a_round.serving:
        running.cancel()
    try:
        await running
    except asyncio.CancelledError:
        if not stop.is_set():
            raise


def _require_one_input_with_state(stages: Sequence[Stage]) -> None:
    """Refuse a stage whose state would depend on how two topics interleave: a replay could not repeat it."""
    for stage in stages:
        if stage.state_topics and len(stage.inputs) != 1:
            raise StopError(f"stage `{stage.name}` keeps state and reads {len(stage.inputs)} topics: it may read one only")


class _Round:
    """One run of the Faust app, from a fresh start to its end."""

    def __init__(self, stages: Sequence[Stage], settings: WorkerSettings, extras: Extras, faults: Faults) -> None:
        self._faults = faults
        self._stages = stages
        self._settings = settings
        self._extras = extras
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines: dict[tuple[str, int], Line] = {}
        self._app = make_app(settings, extras.chunk_records)
        self._around: Surroundings | None = None
        self.serving = False

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, and leave in time; raises what ended the round before."""
        await self._recognise_kafka()
        async with AsyncExitStack() as stack:
            await self._surround(stack)
            for stage in self._stages:
                self._add_agent(stage)
            try:
                await self._serve(stop)
            finally:
                await self._leave(stop)

    async def _recognise_kafka(self) -> None:
        topics = {topic for stage in self._stages for topic in (*stage.inputs, *stage.state_topics)}
        await recognise_kafka(self._settings.kafka, topics, self._settings.data)

    async def _surround(self, stack: AsyncExitStack) -> None:
        kafka = self._settings.kafka
        # First: which topics there are to write to may only be known from the releases.
        hold = await stack.enter_async_context(self._extras.beside()) if self._extras.beside else None
        producer = await stack.enter_async_context(open_producer(kafka, topics=self._extras.outputs()))
        if not is_idempotent(producer):
            log(Entry.KAFKA_LIMITED)
        writer = Writer(producer)
        follower = StateFollower(kafka, writer, _say_repaired)
        await stack.enter_async_context(self._watched(follower.run()))
        await stack.enter_async_context(self._watched(self._mind_kafka()))
        consumer: Any = self._app.consumer
        consumer.on_revoke = self._revoke
        consumer.on_assign = self._assign
        self._around = Surroundings(kafka, writer, follower, consumer.take, consumer.acknowledge, self._fail, hold, self._faults)

    async def _mind_kafka(self) -> None:
        """Look again and again whether it is the Kafka that the place knows: clients read on in one that came back empty."""
        kafka = self._settings.kafka
        async with open_admin(kafka) as admin:
            while True:
                await asyncio.sleep(_MIND_SECONDS)
                with suppress(KafkaUnavailableError):  # away it is waited for, by the clients themselves
                    await check_known(admin, kafka)

    @asynccontextmanager
    async def _watched(self, work_: Any) -> AsyncIterator[None]:
        """Run something beside; when it fails, the round fails."""
        task = asyncio.create_task(work_)
        task.add_done_callback(lambda done: None if done.cancelled() else self._fail(done.exception()))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    def _add_agent(self, stage: Stage) -> None:
        topic = self._app.topic(*stage.inputs, schema=PassThrough(), acks=True, allow_empty=True)

        async def agent(stream: Any) -> None:
            async for event in stream.noack().events():
                chunk: Chunk = event.value
                line = self._lines.get((stage.name, chunk.partition))
                if line is not None:  # else it was taken away while the chunk was on its way: it is read again elsewhere
                    line.put(chunk)

        self._app.agent(topic, name=f"{self._settings.group}.{stage.name}")(agent)

    def _assign(self, assigned: set[TP]) -> None:
        """Open a line for every stage and partition that is new here; it loads its state and looks at its timers at once.

        INVARIANT: the position was found before the state is read. A position that was read later could be ahead of the
        state, and what lies between would be decided from a state that does not know it.
        """
        assert self._around is not None
        places = {(stage.name, tp.partition): stage for stage in self._stages for tp in assigned if tp.topic in stage.inputs}
        for place in sorted(places.keys() - self._lines.keys()):
            self._lines[place] = Line(places[place], place[1], self._around)
            self._lines[place].start()
        log(Entry.PARTITIONS_TAKEN, count=len(places))

    async def _revoke(self, revoked: set[TP]) -> None:
        """Let the lines of partitions that are taken away finish what they have in hand."""
        gone = [
            self._lines.pop((stage.name, tp.partition))
            for stage in self._stages
            for tp in revoked
            if tp.topic in stage.inputs and (stage.name, tp.partition) in self._lines
        ]
        await asyncio.gather(*(line.leave(_IN_HAND_SECONDS) for line in gone))
        if gone:
            log(Entry.PARTITIONS_LEFT, count=len(gone))

    def _fail(self, error: BaseException | None) -> None:
        if error is not None and not self._failed.done():
            self._failed.set_exception(error)

    async def _serve(self, stop: asyncio.Event) -> None:
        with kafka_errors("joining the group"):
            await self._app.start()
        self.serving = True
        log(Entry.WORKER_STARTED, group=self._settings.group, stages=[stage.name for stage in self._stages])
        told = asyncio.create_task(stop.wait())
        crashed = asyncio.create_task(self._app._crashed.wait())  # noqa: SLF001 - mode has no public way to wait for it
        try:
            await asyncio.wait({told, crashed, self._failed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told.cancel()
            crashed.cancel()
        if self._failed.done():
            self._failed.result()
        if self._app.crashed:
            raise _in_our_words(self._app.crash_reason)

    async def _leave(self, stop: asyncio.Event) -> None:
        """Leave in time: what is in hand is finished or dropped uncommitted.

        Raises WorkerStuckError when the app of this round does not end and another round would begin beside it: its consumer
        could still be a member of the group.
        """
        lines, self._lines = list(self._lines.values()), {}
        await asyncio.gather(*(line.leave(_IN_HAND_SECONDS) for line in lines))
        ending, told = asyncio.ensure_future(self._app.stop()), asyncio.ensure_future(stop.wait())
        await asyncio.wait({ending, told}, timeout=_PATIENT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done() and stop.is_set():
            await asyncio.wait({ending}, timeout=LEAVE_SECONDS - _IN_HAND_SECONDS)
        told.cancel()
        if not ending.done():
            ending.cancel()
            if not stop.is_set():
                raise WorkerStuckError("the Kafka client does not let go of a Kafka that is away: the worker begins afresh")


def make_app(settings: WorkerSettings, chunk_records: int = CHUNK_RECORDS) -> Any:
    """Return a Faust app on our transport, without its web server."""
    return faust.App(
        settings.group,
        broker=[f"chunks://{address}" for address in str(settings.kafka).split(",")],
        broker_credentials=faust_credentials(settings.kafka),
        datadir=settings.data / "faust",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        agent_supervisor="mode.CrashingSupervisor",
        stream_wait_empty=False,
        # Wider than what the transport lets out: every partition of every input has its own bound there.
        stream_buffer_maxsize=OUTSTANDING * 1_024,
        broker_commit_interval=COMMIT_SECONDS,
        broker_commit_every=None,
        broker_max_poll_records=chunk_records,
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=1.0,
        broker_request_timeout=20.0,
        broker_rebalance_timeout=30.0,
        consumer_max_fetch_size=FETCH_BYTES,
        producer_linger=0,
    )


def _in_our_words(error: BaseException | None) -> BaseException:
    if error is None or isinstance(error, BrokerError):
        return error or KafkaUnavailableError("the Faust app ended without a reason")
    return KafkaUnavailableError(f"the Kafka client gave up: {type(error).__name__}")


def _say_repaired(topic: str, partition: int, count: int) -> None:
    log(Entry.STATE_REPAIRED, topic=topic, partition=partition, count=count)


__all__ = ["Extras", "WorkerSettings", "make_app", "run_worker", "work"]
