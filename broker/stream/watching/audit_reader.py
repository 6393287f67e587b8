"""Read the audit entries about an event, a decision, a disclosure or a child, by the index, which is brought up to date first."""

from collections.abc import Sequence

from aiokafka import TopicPartition

from broker import codec
from broker.audit.index import Place, mentions
from broker.codec import Message
from broker.errors import NotFoundError
from broker.settings import Settings
from broker.stream.topics import AUDIT
from broker.stream.watching.audit_follower import open_audit_follower
from broker.stream.watching.log_reader import LogReader


async def entries_about(settings: Settings, ids: Sequence[str]) -> list[Message]:
    """Return the audit entries about any of some ids, in the order of their instants; raises NotFoundError when there is none."""
    async with open_audit_follower(settings) as follower:
        await follower.catch_up()
        log = LogReader(follower.consumer)
        entries = [await _entry(log, place) for place in sorted({one for name in ids for one in follower.index.find(name)})]
    found = [one for one in entries if any(mentions(one, name) for name in ids)]
    if not found:
        raise NotFoundError(
            f"`{ids[0]}`: the log knows no event, decision or disclosure of this id: see that it is whole; "
            "what its agency has just published is decided in a moment"
        )
    return sorted(found, key=_instant)


async def _entry(log: LogReader, place: Place) -> Message:
    record = await log.one(TopicPartition(AUDIT, place.partition), place.offset)
    return codec.decode("audit_entry", record.value or b"")


def _instant(entry: Message) -> tuple[int, int]:
    return entry["at"], entry["facts_version"]
