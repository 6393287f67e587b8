"""Read single records by offset for their time stamps: lag in seconds is read, never estimated."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition

TAIL = 16  # how many of a partition's latest records say what is usual for it
GIVE_UP_S = 3.0
_PATIENCE_MS = 200


@dataclass(slots=True)
class RecordTimes:
    """Time stamps of records at given offsets, remembered, so that a backlog that stands still costs no second read.

    `consumer` belongs to no group and is used for nothing else.
    """

    consumer: AIOKafkaConsumer
    _known: dict[TopicPartition, tuple[int, int]] = field(default_factory=dict)
    _tails: dict[TopicPartition, tuple[int, tuple[int, ...]]] = field(default_factory=dict)

    async def at(self, offsets: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Return the time stamp of the first record at or after each offset, milliseconds; absent when none came in time."""
        missing = {place: offset for place, offset in offsets.items() if self._known.get(place, (-1, 0))[0] != offset}
        for place, times in (await self._read(missing, enough=1)).items():
            self._known[place] = (missing[place], times[0])
        return {place: self._known[place][1] for place, offset in offsets.items() if self._known.get(place, (-1, 0))[0] == offset}

    async def latest(self, spans: Mapping[TopicPartition, tuple[int, int]]) -> dict[TopicPartition, tuple[int, ...]]:
        """Return the time stamps of the latest records of partitions, given their first and end offsets."""
        moved = {
            place: max(begin, end - TAIL)
            for place, (begin, end) in spans.items()
            if end > begin and self._tails.get(place, (-1, ()))[0] != end
        }
        for place, times in (await self._read(moved, enough=TAIL)).items():
            self._tails[place] = (spans[place][1], times)
        return {place: self._tails[place][1] for place in spans if place in self._tails}

    async def _read(self, offsets: Mapping[TopicPartition, int], *, enough: int) -> dict[TopicPartition, tuple[int, ...]]:
        """Read up to `enough` records of each partition from an offset on; stop when all have some and nothing more comes."""
        found: dict[TopicPartition, tuple[int, ...]] = {}
        if not offsets:
            return found
        self.consumer.assign(list(offsets))
        for place, offset in offsets.items():
            self.consumer.seek(place, offset)
        until = asyncio.get_running_loop().time() + GIVE_UP_S
        while len(found) < len(offsets) and asyncio.get_running_loop().time() < until:
            waiting = [place for place in offsets if place not in found]
            for place, records in (await self.consumer.getmany(*waiting, timeout_ms=_PATIENCE_MS)).items():
                if records:
                    found[place] = tuple(record.timestamp for record in records[:enough])
        return found
