"""Bring the audit index up to date and read the entries that it finds."""

from collections.abc import Callable
from pathlib import Path

from aiokafka import TopicPartition

from broker import codec
from broker.audit.index import AuditIndex, mentions
from broker.codec import Message
from broker.core.ports import Record
from broker.errors import NotFoundError
from broker.settings import Settings
from broker.stream.kafka_identity import read_identity
from broker.stream.log_reader import LogReader, open_log
from broker.stream.places import places_of
from broker.stream.topics import AUDIT

INDEX_FILE = Path("audit") / "index.sqlite"

Progress = Callable[[int, int], None]  # entries indexed so far, and in all


async def entries_about(settings: Settings, some_id: str, progress: Progress) -> list[Message]:
    """Return the audit entries about an event, decision or disclosure, in the order of their instants.

    Indexes what was written since the last time first. Raises NotFoundError when there is none.
    """
    index = AuditIndex(settings.data / INDEX_FILE, await _log_id(settings))
    try:
        async with open_log(settings.kafka) as log:
            await catch_up(index, log, await places_of(settings.kafka, [AUDIT]), progress)
            entries = [await _entry(log, place.partition, place.offset) for place in index.find(some_id)]
    finally:
        index.close()
    found = [one for one in entries if mentions(one, some_id)]
    if not found:
        raise NotFoundError(
            f"`{some_id}`: no audit entry is about it: give a decision, a disclosure, or --event with an event id"
        )
    return sorted(found, key=_instant)


async def catch_up(index: AuditIndex, log: LogReader, places: list[TopicPartition], progress: Progress) -> int:
    """Index the entries written since the last time and return how many."""
    ends = await log.ends(places)
    starts = {place: index.next_offset(place.partition) for place in places}
    in_all = sum(max(0, ends[place] - starts[place]) for place in places)
    done = 0
    async for records in log.between(starts, ends):
        done += _follow(index, records)
        progress(done, in_all)
    return done


def _follow(index: AuditIndex, records: list[Record]) -> int:
    return index.follow(records)


async def _entry(log: LogReader, partition: int, offset: int) -> Message:
    record = await log.one(AUDIT, partition, offset)
    return codec.decode("audit_entry", record.value or b"")


async def _log_id(settings: Settings) -> str:
    """Name the log, so that the index of another cluster is never asked."""
    identity = await read_identity(settings.kafka)
    return f"{identity.cluster}/{identity.topics.get(AUDIT)}" if identity else settings.kafka


def _instant(entry: Message) -> tuple[int, int]:
    return entry["at"], entry["facts_version"]
