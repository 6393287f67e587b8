"""Follow the audit log into the local index, so that a decision is found in it at once; and count what was decided."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition

from broker.audit.index import AuditIndex
from broker.codec import decode
from broker.core.ports import Record
from broker.errors import RejectError
from broker.lag.tally import Tally
from broker.settings import Settings
from broker.stream.clients import kafka_errors, open_consumer, to_record
from broker.stream.engine.kafka_identity import read_identity
from broker.stream.log_ends import log_ends
from broker.stream.topics import AUDIT
from broker.stream.watching.places import places_of

INDEX_FILE = "audit-index.sqlite"


@dataclass(slots=True)
class AuditFollower:
    """Reads the audit log from where the index ends. `consumer` belongs to no group and serves nothing else.

    With a tally it reads the log from its beginning, once, because a count has to begin there.
    """

    consumer: AIOKafkaConsumer
    index: AuditIndex
    places: list[TopicPartition]
    tally: Tally | None = None

    def start(self) -> None:
        """Go to where the index ends, or to the beginning when there is something to count."""
        self.consumer.assign(self.places)
        for place in self.places:
            self.consumer.seek(place, 0 if self.tally is not None else self.index.next_offset(place.partition))

    async def catch_up(self) -> int:
        """Read up to where the log ends now and return how many entries were new; raises KafkaUnavailableError."""
        count = 0
        with kafka_errors("audit log"):
            ends = await log_ends(self.consumer, self.places)
            behind = set(self.places)
            while behind := {place for place in behind if await self.consumer.position(place) < ends[place]}:
                for records in (await self.consumer.getmany(*behind, timeout_ms=500, max_records=2_000)).values():
                    count += self._take([to_record(record) for record in records])
        return count

    def _take(self, records: list[Record]) -> int:
        if self.tally is not None:
            for record in records:
                _count(self.tally, record)
        return self.index.follow(one for one in records if one.offset >= self.index.next_offset(one.partition))


@asynccontextmanager
async def open_audit_follower(settings: Settings, tally: Tally | None = None) -> AsyncIterator[AuditFollower]:
    """Open the index of this place and what follows the log into it; raises KafkaUnavailableError."""
    identity = await read_identity(settings.kafka)
    log_id = f"{identity.cluster}/{identity.topics.get(AUDIT)}" if identity else f"embedded/{settings.kafka}"
    places = await places_of(settings.kafka, [AUDIT])
    index = AuditIndex(index_path(settings), log_id)
    try:
        # Short waits: a look-up must not stand behind a fetch that lingers at the end of the log.
        async with open_consumer(settings.kafka, fetch_max_wait_ms=50) as consumer:
            follower = AuditFollower(consumer, index, places, tally)
            follower.start()
            yield follower
    finally:
        index.close()


def index_path(settings: Settings) -> Path:
    """Return where the index of this place lies."""
    return settings.data / INDEX_FILE


def _count(tally: Tally, record: Record) -> None:
    if record.value is None:
        return
    try:
        tally.audited(decode("audit_entry", record.value))
    except RejectError:
        return  # not ours: the reconciler names it, counting goes on
