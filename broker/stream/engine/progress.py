"""How far a partition is: what was fetched, in which order, and up to where everything is acknowledged.

Plain bookkeeping, without Faust and Kafka. One per time that the partition was positioned: a seek, a rebalance or a
restart makes a new one, and chunks of the old one count for nothing any more.

INVARIANT: a chunk is only taken after the one before it was. Skipping one and going on would be worse than stopping: the
state of a key would say that later records were applied, and the skipped ones would count as duplicates when read again.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.errors import ChunkSkippedError


@dataclass(eq=False, slots=True)
class Chunk:
    """Some records of one partition that were fetched together and count as done together."""

    topic: str
    partition: int
    records: Sequence[Any]
    progress: "Progress"
    sequence: int
    end: int
    done: bool = False


@dataclass(eq=False, slots=True)
class Progress:
    """One run of a partition from a position on."""

    fetched: int = 0
    taken: int = 0
    position: int | None = None
    _outstanding: deque[Chunk] = field(default_factory=deque)

    def fetch(self, topic: str, partition: int, records: Sequence[Any]) -> Chunk:
        """Give what was just fetched its place in the order."""
        chunk = Chunk(topic, partition, records, self, self.fetched, records[-1].offset + 1)
        self.fetched += 1
        return chunk

    def give(self, chunk: Chunk) -> None:
        """Note that a chunk is on its way to the stage."""
        self._outstanding.append(chunk)

    def take(self, chunk: Chunk) -> None:
        """Note that the stage begins with a chunk; raises ChunkSkippedError when it is not the next in order."""
        if chunk.sequence != self.taken:
            raise ChunkSkippedError(
                f"`{chunk.topic}` partition {chunk.partition}: chunk {chunk.sequence} came where {self.taken} was due: "
                "starting again from what is committed"
            )
        self.taken += 1

    def acknowledge(self, chunk: Chunk) -> None:
        """Note that a chunk is done; the position moves to the end of the longest run that is."""
        chunk.done = True
        while self._outstanding and self._outstanding[0].done:
            self.position = self._outstanding.popleft().end

    def __len__(self) -> int:
        return len(self._outstanding)
