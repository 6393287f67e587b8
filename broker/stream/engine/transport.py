"""The transport that Faust uses here: chunks of records instead of single ones, and a commit that never runs ahead.

Registered with Faust as the driver `chunks` (`chunks://host:port`). What stock Faust loses, and what is done about it:

* It acknowledges an event whose agent raised, and those that it skips: here only `acknowledge` counts, which the agent
  calls after every send of the chunk was acknowledged by Kafka.
* It commits past an event that is still in work: here the position is the end of the longest run of acknowledged chunks.
* It may drop fetched records at a rebalance or shutdown: here a chunk that does not follow the one before stops the line.
* Its client cannot read what any raw client may write, and reads it for ever: here it becomes a dead letter.
* Its client skips to the start of the log when a position is gone: here that is data loss, said and not passed over.
* Its work per record costs more than the record: here it is paid per chunk.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, ClassVar

import faust
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, NoOffsetForPartitionError
from faust.transport.drivers import aiokafka as stock
from faust.types import TP, ConsumerMessage
from mode.threads import WorkerThread

from broker.errors import DataLossError
from broker.stream.engine.progress import Chunk, Progress
from broker.stream.log_ends import log_ends
from broker.stream.record_batches import read_every_record

OUTSTANDING = 4  # chunks of a partition between Kafka and the stage; then it is not fetched from
FETCH_WAIT_MS = 100
BUSY_SECONDS = 0.05

Assign = Callable[[set[TP]], None]
Revoke = Callable[[set[TP]], Awaitable[None]]


class PassThrough(faust.Schema):
    """Hand a chunk to the Faust agent as it is."""

    def loads_key(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:  # noqa: ARG002 - Faust's
        """Return the key: a chunk has none."""
        return message.key

    def loads_value(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:  # noqa: ARG002 - Faust's
        """Return the chunk."""
        return message.value


class _Daemon(WorkerThread):
    """A thread that does not keep the process: Kafka's client waits in it for ever for a Kafka that is away."""

    def __init__(self, service: Any, **options: Any) -> None:
        super().__init__(service, **options)
        self.daemon = True


class ChunkConsumerThread(stock.AIOKafkaConsumerThread):
    """The thread that fetches. It alone knows in which order fetching and positioning happen, so it numbers the chunks."""

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        conf = self.app.conf
        self._assignor = RangePartitionAssignor
        read_every_record()
        return AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            bootstrap_servers=stock.server_list(transport.url, transport.default_port),
            **stock.credentials_to_aiokafka_auth(conf.broker_credentials),  # as `client_options` made them
            # By range, so that the same partition of all inputs of a stage comes to the same worker.
            partition_assignment_strategy=[RangePartitionAssignor],
            enable_auto_commit=False,
            # A position that is gone is never replaced by another one silently.
            auto_offset_reset="none",
            max_poll_records=conf.broker_max_poll_records,
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            check_crcs=True,
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
        )

    async def _fetch_records(self, consumer: Any, active_partitions: Any, **bounds: Any) -> Any:
        """Fetch, and give every run of records its place in the order of its partition. No await between the two."""
        try:
            found = await super()._fetch_records(consumer, active_partitions, **bounds)
        except NoOffsetForPartitionError:
            return {}  # the client looked for a committed position before `restart` gave it one
        chunks: dict[TP, Chunk] = {}
        for where, records in found.items():
            tp = TP(where.topic, where.partition)
            progress = self.consumer.progress.get(tp)
            if progress is not None:
                chunks[tp] = progress.fetch(tp.topic, tp.partition, records)
        return chunks

    async def restart(self) -> Mapping[TP, int]:
        """Position every assigned partition at what is committed, or at the start of its log when nothing is."""
        return dict(await self.call_thread(self._restart))

    async def _restart(self) -> Mapping[TP, int]:
        consumer = self._ensure_consumer()
        assigned = list(consumer.assignment())
        if not assigned:
            return {}
        committed = await consumer._coordinator.fetch_committed_offsets(assigned)  # noqa: SLF001 - one request for all
        starts = await consumer.beginning_offsets(assigned)
        ends = await log_ends(consumer, assigned)
        positions = {}
        try:
            for where in assigned:
                offset = committed[where].offset if where in committed else starts[where]
                _require_present(where, offset, starts[where], ends[where])
                consumer.seek(where, offset)
                tp = TP(where.topic, where.partition)
                self.consumer.progress[tp] = Progress()
                positions[tp] = offset
        except IllegalStateError:
            return {}  # taken away meanwhile: another rebalance follows, and with it another restart
        return positions

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        try:
            await self._ensure_consumer().commit({stock.ensure_aiokafka_TP(tp): offset for tp, offset in offsets.items()})
        except (CommitFailedError, IllegalStateError):
            return False  # no longer ours: whoever has the partition reads the rest again
        return True

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Leave out Faust's guesses about slow processing, which know nothing of chunks; lag is measured by the broker."""


def _require_present(where: Any, offset: int, start: int, end: int) -> None:
    place = f"`{where.topic}` partition {where.partition}"
    if offset < start:
        raise DataLossError(
            f"{place}: records {offset} to {start - 1} were never processed and Kafka no longer has them: raise the topic's "
            "retention, then say with `broker reconcile` what was lost"
        )
    if offset > end:
        raise DataLossError(f"{place}: {offset} records were processed but Kafka holds {end}: it came back without its data")


class ChunkConsumer(stock.Consumer):
    """A Faust consumer whose events are chunks, and whose commit position is what was acknowledged without a gap."""

    def __init__(self, *args: Any, **options: Any) -> None:
        # Before anything runs: the fetching thread writes here, too (one assignment, so no lock is needed).
        self.progress: dict[TP, Progress] = {}
        self._room = asyncio.Event()
        self.on_revoke: Revoke | None = None
        self.on_assign: Assign | None = None
        super().__init__(*args, **options)

    def _new_consumer_thread(self) -> ChunkConsumerThread:
        return ChunkConsumerThread(self, loop=self.loop, beacon=self.beacon, Worker=_Daemon)

    # From Kafka to the stage

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109 - Faust's signature
        """Fetch, and yield one message per chunk."""
        chunks, _ = await self._wait_next_records(timeout)
        if self.should_stop or not self.flow_active or not chunks:
            return
        for tp, chunk in chunks.items():
            progress: Progress = chunk.progress
            if self.progress.get(tp) is progress:
                progress.give(chunk)
                yield tp, self._message_of(tp, chunk)

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:  # noqa: ASYNC109 - Faust's signature
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        active = self._get_active_partitions()
        ready = {tp for tp in active if len(self.progress.get(tp, ())) < OUTSTANDING}
        if not ready:
            # Back-pressure: everything that may be in memory is.
            await self._until_there_is_room()
            return {}, active
        return await self._getmany(active_partitions=ready, timeout=timeout if ready == active else BUSY_SECONDS), active

    async def _until_there_is_room(self) -> None:
        self._room.clear()
        try:
            await asyncio.wait_for(self._room.wait(), BUSY_SECONDS)
        except TimeoutError:
            return

    def _message_of(self, tp: TP, chunk: Chunk) -> ConsumerMessage:
        last = chunk.records[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000,
            last.timestamp_type,
            [],
            None,
            chunk,
            None,
            0,
            0,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    def on_buffer_full(self, tp: TP) -> None:
        """Keep the partition: `OUTSTANDING` bounds what is in memory, and the Faust agent's buffer is wider than that."""

    def on_buffer_drop(self, tp: TP) -> None:
        """Keep the partition, as above."""

    # From the stage to the commit

    def take(self, chunk: Chunk) -> bool:
        """Say that the stage begins with a chunk; False when it is no longer ours to do.

        Raises ChunkSkippedError when the one before it never came.
        """
        if self.progress.get(TP(chunk.topic, chunk.partition)) is not chunk.progress:
            return False
        chunk.progress.take(chunk)
        return True

    def acknowledge(self, chunk: Chunk) -> None:
        """Say that a chunk is done: all that follows from it is acknowledged by Kafka."""
        chunk.progress.acknowledge(chunk)
        self._room.set()

    def ack(self, message: Any) -> bool:
        """Ignore what Faust acknowledges by itself: it does so for events that failed or were skipped, too."""
        message.acked = True
        self._unacked_messages.discard(message)
        return False

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterable[TP]:
        return [tp for tp in self.progress if topics is None or tp in topics or tp.topic in topics]

    def _new_offset(self, tp: TP) -> int | None:
        progress = self.progress.get(tp)
        return None if progress is None else progress.position

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Need no gaps: a chunk knows where it ends."""

    # Positioning

    async def perform_seek(self) -> None:
        """Start every assigned partition again from what is committed; raises DataLossError when that is gone."""
        positions = await self._thread.restart()
        for tp, offset in positions.items():
            self._read_offset[tp] = None
            self._committed_offset[tp] = offset
        if self.on_assign is not None:
            self.on_assign(set(positions))

    async def seek(self, partition: TP, offset: int) -> None:
        """Position a partition somewhere else; what was outstanding of it counts for nothing any more."""
        self.progress.pop(partition, None)
        await super().seek(partition, offset)
        self.progress[partition] = Progress()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let the stages finish or abandon what they have in hand, commit what is done, then forget the partitions."""
        if self.on_revoke is not None:
            await self.on_revoke(revoked)
        if not self.should_stop:
            await self.commit()
        for tp in revoked:
            self.progress.pop(tp, None)
        await super().on_partitions_revoked(revoked)


class Transport(stock.Transport):
    """Faust's aiokafka transport with chunks."""

    Consumer: ClassVar[Any] = ChunkConsumer
    driver_version = f"chunks on {stock.Transport.driver_version}"
