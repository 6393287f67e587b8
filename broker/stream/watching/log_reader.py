"""Read topics from given offsets to where they end now, as records; belongs to no group and commits nothing."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition

from broker.core.model.ports import Record
from broker.errors import DataLossError
from broker.kafkaaccess import Kafka
from broker.stream.clients import kafka_errors, open_consumer, partition_of, to_record
from broker.stream.log_ends import log_ends
from broker.stream.watching.places import places_of

_WAIT_MS = 500
_MANY = 5_000
_LINGER_MS = 20  # what is asked for is there: a fetch that lingers would hold up the next topic


class LogReader:
    """Reads some partitions; one at a time uses it."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def starts(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the first offset that each partition still holds."""
        with kafka_errors("log starts"):
            return dict(await self._consumer.beginning_offsets(places)) if places else {}

    async def ends(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offset at which each partition ends now."""
        with kafka_errors("log ends"):
            return await log_ends(self._consumer, places) if places else {}

    async def between(
        self, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int], at_once: int = _MANY
    ) -> AsyncIterator[list[Record]]:
        """Read from given offsets, or where the log now begins, up to and without given ends, in batches of a size at most."""
        behind = {place for place in starts if starts[place] < ends[place]}
        if not behind:
            return
        with kafka_errors("reading the log"):
            self._consumer.assign(list(behind))
            for place in behind:
                self._consumer.seek(place, starts[place])
            while behind := {place for place in behind if await self._consumer.position(place) < ends[place]}:
                for place, records in (await self._consumer.getmany(*behind, timeout_ms=_WAIT_MS, max_records=at_once)).items():
                    yield [to_record(record) for record in records if record.offset < ends[place]]

    async def one(self, place: TopicPartition, offset: int) -> Record:
        """Read the record at one offset; raises DataLossError when the log no longer holds it."""
        async for records in self.between({place: offset}, {place: offset + 1}, at_once=1):
            for record in records:
                return record
        raise DataLossError(f"`{place.topic}` partition {place.partition} no longer holds offset {offset}")


@asynccontextmanager
async def open_log(kafka: Kafka) -> AsyncIterator[LogReader]:
    """Open a reader; raises KafkaUnavailableError."""
    async with open_consumer(kafka, max_poll_records=_MANY, fetch_max_wait_ms=_LINGER_MS) as consumer:
        yield LogReader(consumer)


async def read_whole(kafka: Kafka, topic: str, keys: Collection[bytes] | None = None) -> AsyncIterator[list[Record]]:
    """Read a topic from its beginning to where it ends now, in batches; raises KafkaUnavailableError or TopicsMissingError.

    With `keys`, only the partitions that may hold them.
    """
    places = await places_of(kafka, [topic])
    if keys is not None:
        holding = {partition_of(key, len(places)) for key in keys}
        places = [one for one in places if one.partition in holding]
    async with open_log(kafka) as log:
        async for records in log.between(await log.starts(places), await log.ends(places)):
            yield records
