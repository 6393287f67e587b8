"""Judge one partition's lag without thresholds, by Burrow's rules over a sliding window.

Source of the rules: LinkedIn Burrow, `core/internal/evaluator/caching.go`. Burrow sees commits; we see readings of the
committed offset, and know besides whether anybody reads the partition at all, so STOP is a fact and not a guess.
Two rules are ours: LOST (Kafka deleted records before they were read) and SILENT (nothing comes any more, see `measures`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

WINDOW = 10  # readings, as Burrow
PATIENCE_MS = 10_000  # a window shorter than this cannot tell standing still from pausing


class Status(StrEnum):
    """How a reader stands, from best to worst."""

    OK = "OK"
    SILENT = "SILENT"
    WARN = "WARN"
    REWIND = "REWIND"
    STALL = "STALL"
    STOP = "STOP"
    LOST = "LOST"

    @property
    def rank(self) -> int:
        """Return a number that grows with how bad it is."""
        return list(Status).index(self)

    @property
    def needs_help(self) -> bool:
        """Tell whether it will not get better by itself."""
        return self.rank >= Status.REWIND.rank


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a partition: `committed` is the next offset to be read, `end` the next to be written.

    `alive`: somebody read it at that moment; while nobody does, standing still says nothing about who reads it later.
    """

    at: int
    committed: int
    end: int
    alive: bool = True

    @property
    def lag(self) -> int:
        """Return how many records wait."""
        return max(0, self.end - self.committed)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A status and its reason in a few plain words; `complete` once the window is full."""

    status: Status
    reason: str
    complete: bool = True


def slide(window: Sequence[Reading], reading: Reading, size: int = WINDOW) -> tuple[Reading, ...]:
    """Return the window with one more reading, without those that are too old to count."""
    return (*window, reading)[-size:]


def judge(window: Sequence[Reading], *, alive: bool, begin: int = 0) -> Judgement:
    """Judge a window of readings, oldest first, of which there is at least one.

    `alive`: somebody in the group reads this partition now. `begin`: the oldest offset that Kafka still holds.
    """
    status, reason = _status(window, alive=alive, begin=begin)
    return Judgement(status, reason, complete=len(window) >= WINDOW)


def worst(statuses: Sequence[Status]) -> Status:
    """Return the worst of some statuses: a stage is as well as its worst partition."""
    return max(statuses, key=lambda status: status.rank, default=Status.OK)


def _status(window: Sequence[Reading], *, alive: bool, begin: int) -> tuple[Status, str]:
    last = window[-1]
    if last.committed < begin:
        return Status.LOST, f"{begin - last.committed:,} records were deleted by retention before they were read"
    if last.lag == 0:
        return Status.OK, "nothing waits"
    if not alive:
        return Status.STOP, "no worker reads it"
    if any(reading.lag == 0 for reading in window):
        return Status.OK, "keeps up"
    return _moving(window)


def _lately_alive(window: Sequence[Reading]) -> Sequence[Reading]:
    """Return the readings since somebody reads it again; the last at least."""
    dead = [at for at, reading in enumerate(window[:-1]) if not reading.alive]
    return window[dead[-1] + 1 :] if dead else window


def _moving(window: Sequence[Reading]) -> tuple[Status, str]:
    last, window = window[-1], _lately_alive(window)
    if last.committed < max(reading.committed for reading in window):
        return Status.REWIND, "went back to earlier records"
    if last.at - window[0].at < PATIENCE_MS:
        return Status.OK, "behind; too early to say more"
    if all(reading.committed == last.committed for reading in window):
        return Status.STALL, f"has not moved for {(last.at - window[0].at) // 1000} s"
    if all(after.lag >= before.lag for before, after in pairwise(window)):
        return Status.WARN, "moves, but the backlog does not shrink"
    return Status.OK, "catching up"
