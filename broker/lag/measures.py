"""Measure lag in time: seconds behind, trend, time to drain, hours until records are deleted, and unusual silence."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from broker.lag.evaluation import Reading

HOUR_MS = 3_600_000
SILENCE_FLOOR_MS = 15 * 60_000  # shorter gaps are nothing to speak of
SILENCE_FACTOR = 3
ENOUGH_GAPS = 8  # fewer arrivals say nothing about what is usual


def seconds_behind(reading: Reading, waiting_since: int | None) -> float:
    """Return how long the next record to be read has waited; exact, from that record's own time stamp in Kafka.

    `waiting_since` is that time stamp in milliseconds; None when nothing waits.
    """
    if reading.lag == 0 or waiting_since is None:
        return 0.0
    return max(0, reading.at - waiting_since) / 1000


def records_per_second(window: Sequence[Reading]) -> tuple[float, float]:
    """Return how fast records are read and written over a window."""
    first, last = window[0], window[-1]
    span = (last.at - first.at) / 1000
    if span <= 0:
        return 0.0, 0.0
    return (last.committed - first.committed) / span, (last.end - first.end) / span


def seconds_to_drain(window: Sequence[Reading]) -> float | None:
    """Return when nothing will wait if things go on like this: 0 when nothing waits, None when they would never."""
    lag = window[-1].lag
    if lag == 0:
        return 0.0
    read, written = records_per_second(window)
    return lag / (read - written) if read > written else None


def trend(window: Sequence[Reading]) -> int:
    """Return how many records more (or fewer) wait than at the start of the window."""
    return window[-1].lag - window[0].lag


def hours_of_headroom(now: int, waiting_since: int | None, retention_ms: int) -> float | None:
    """Return in how many hours Kafka will delete the oldest unread record; None when nothing waits or nothing is deleted."""
    if waiting_since is None or retention_ms < 0:
        return None
    return (waiting_since + retention_ms - now) / HOUR_MS


@dataclass(frozen=True, slots=True)
class Silence:
    """A feed from which nothing has come for longer than is usual for it."""

    seconds: float
    usual_seconds: float


def silence(arrivals: Sequence[int], now: int) -> Silence | None:
    """Say whether a feed is unusually silent, from the times of its latest arrivals (milliseconds, any order).

    Usual is the longest gap among them. A feed that has hardly begun is never called silent.
    """
    times = sorted(arrivals)
    gaps = [after - before for before, after in pairwise(times)]
    if len(gaps) < ENOUGH_GAPS:
        return None
    usual, quiet = max(gaps), now - times[-1]
    if quiet <= max(SILENCE_FLOOR_MS, SILENCE_FACTOR * usual):
        return None
    return Silence(quiet / 1000, usual / 1000)
