"""Read state topics into tables, and follow them: the highest version of a state wins, and the log is put right."""

import asyncio
import time
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from broker.core.model.ports import Outgoing
from broker.kafkaaccess import Kafka
from broker.stream.clients import kafka_errors, open_consumer, to_record
from broker.stream.engine.chunk import Writer
from broker.stream.engine.garbage import without_looking_for_garbage
from broker.stream.engine.table import StateTable
from broker.stream.log_ends import log_ends

_POLL_MS = 500
_SAY_SECONDS = 2.0

Progress = Callable[[int, int], None]  # records read, records to read


async def load_tables(kafka: Kafka, tables: Sequence[StateTable], say: Progress) -> dict[TopicPartition, int]:
    """Read the state topics of some tables from start to end; return where the log of each ended.

    Calls `say` every two seconds while it reads. Raises KafkaUnavailableError.
    """
    by_place = {TopicPartition(table.topic, table.partition): table for table in tables}
    if not by_place:
        return {}
    async with open_consumer(kafka, max_poll_records=None) as consumer:
        with kafka_errors("reading state"), without_looking_for_garbage():
            consumer.assign(list(by_place))
            starts = await consumer.beginning_offsets(list(by_place))
            ends: dict[TopicPartition, int] = await log_ends(consumer, list(by_place))
            await consumer.seek_to_beginning(*by_place)
            await _read_to(consumer, by_place, ends, lambda done: say(done, sum(ends.values()) - sum(starts.values())))
    return ends


async def _read_to(
    consumer: AIOKafkaConsumer,
    tables: dict[TopicPartition, StateTable],
    ends: dict[TopicPartition, int],
    say: Callable[[int], None],
) -> None:
    done, said = 0, time.monotonic()
    open_places = {place for place in tables if ends[place] > 0}
    while open_places:
        for place, records in (await consumer.getmany(*open_places, timeout_ms=_POLL_MS)).items():
            load, end = tables[place].load, ends[place]
            for record in records:
                if record.offset < end:
                    load(record)
            done += len(records)
        open_places = {place for place in open_places if await consumer.position(place) < ends[place]}
        if time.monotonic() - said > _SAY_SECONDS:
            say(done)
            said = time.monotonic()
        await asyncio.sleep(0)


class StateFollower:
    """Follow the state topics of the partitions that this worker owns, and write again what a late record would undo."""

    def __init__(self, kafka: Kafka, writer: Writer, repaired: Callable[[str, int, int], None]) -> None:
        self._kafka = kafka
        self._writer = writer
        self._repaired = repaired
        self._tables: dict[TopicPartition, StateTable] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._changed = asyncio.Event()

    def add(self, table: StateTable, position: int) -> None:
        """Follow a table's topic from where loading it ended."""
        place = TopicPartition(table.topic, table.partition)
        self._tables[place], self._positions[place] = table, position
        self._changed.set()

    def remove(self, table: StateTable) -> None:
        """Follow a table no more."""
        place = TopicPartition(table.topic, table.partition)
        if self._tables.get(place) is table:
            del self._tables[place], self._positions[place]
            self._changed.set()

    async def run(self) -> None:
        """Follow until cancelled; raises KafkaUnavailableError or SendFailedError."""
        async with open_consumer(self._kafka, fetch_max_wait_ms=_POLL_MS) as consumer:
            with kafka_errors("following state"):
                while True:
                    if self._changed.is_set() or not self._tables:
                        await self._assign(consumer)
                    await self._take(consumer)

    async def _assign(self, consumer: AIOKafkaConsumer) -> None:
        while not self._tables:
            consumer.unsubscribe()
            self._changed.clear()
            await self._changed.wait()
        self._changed.clear()
        consumer.assign(list(self._tables))
        for place, position in self._positions.items():
            consumer.seek(place, position)

    async def _take(self, consumer: AIOKafkaConsumer) -> None:
        for place, records in (await consumer.getmany(timeout_ms=_POLL_MS)).items():
            table = self._tables.get(place)
            if table is None or records[0].offset < self._positions[place]:
                continue  # taken away, or positioned anew, while they were on their way
            repairs: dict[bytes | None, Outgoing] = {}
            for record in records:
                again = table.follow(to_record(record))
                if again is not None:
                    repairs[again.key] = again
            self._positions[place] = records[-1].offset + 1
            if repairs:
                await self._writer.write(list(repairs.values()))
                self._repaired(place.topic, place.partition, len(repairs))
