"""Follow the audit log into the local index, so that a decision is found in it at once, and what was decided is counted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition

from broker.audit.index import AuditIndex
from broker.lag.tally import Tally
from broker.settings import Settings
from broker.stream.clients import kafka_errors, open_consumer, to_record
from broker.stream.kafka_identity import identity_of
from broker.stream.log_ends import log_ends
from broker.stream.topics import AUDIT
from broker.stream.watching.places import places_by

_FETCH_BYTES = 256 * 1024
INDEX_FILE = "audit-index.sqlite"


@dataclass(slots=True)
class AuditFollower:
    """Reads the audit log from where the index ends. `consumer` belongs to no group and serves nothing else."""

    consumer: AIOKafkaConsumer
    index: AuditIndex
    places: list[TopicPartition]
    _started: bool = False

    def _start(self) -> None:
        """Go to where the index ends."""
        self.consumer.assign(self.places)
        for place in self.places:
            self.consumer.seek(place, self.index.next_offset(place.partition))
        self._started = True

    async def catch_up(self) -> int:
        """Read up to where the log ends now and return how many entries were new; raises KafkaUnavailableError."""
        count = 0
        with kafka_errors("audit log"):
            ends = await log_ends(self.consumer, self.places)
            if all(self.index.next_offset(place.partition) >= ends[place] for place in self.places):
                return 0  # and nothing is fetched, behind which a look-up would have to stand
            if not self._started:
                self._start()
            behind = set(self.places)
            while behind := {place for place in behind if await self.consumer.position(place) < ends[place]}:
                for records in (await self.consumer.getmany(*behind, timeout_ms=500, max_records=2_000)).values():
                    count += self.index.follow([to_record(record) for record in records])
        return count

    def count_into(self, tally: Tally) -> None:
        """Put into a tally what was counted so far."""
        tally.records, tally.decisions = self.index.counted("records"), self.index.counted("decisions")


@asynccontextmanager
async def open_audit_follower(settings: Settings) -> AsyncIterator[AuditFollower]:
    """Open the index of this place and what follows the log into it; raises KafkaUnavailableError or DataLossError."""
    # A look-up must not stand behind a fetch that lingers at the end of the log, nor fetch thousands of entries with its one.
    async with open_consumer(settings.kafka, fetch_max_wait_ms=50, max_partition_fetch_bytes=_FETCH_BYTES) as consumer:
        with kafka_errors(f"ids of `{settings.kafka}`"):
            identity = await identity_of(consumer, [AUDIT])
        log_id = f"{identity.cluster}/{identity.topics.get(AUDIT)}" if identity else f"embedded/{settings.kafka}"
        places = await places_by(consumer, settings.kafka, [AUDIT])
        index = AuditIndex(index_path(settings), log_id)
        try:
            yield AuditFollower(consumer, index, places)
        finally:
            index.close()


def index_path(settings: Settings) -> Path:
    """Return where the index of this place lies."""
    return settings.data / INDEX_FILE
