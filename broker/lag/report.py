"""A report of how far behind everything is: values only, for the command line, metrics, health and pages alike."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from broker.lag.evaluation import Judgement, Reading, Status, judge, worst
from broker.lag.measures import hours_of_headroom, seconds_behind, seconds_to_drain, trend
from broker.lag.open_work import Undelivered


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was seen of one partition that a stage reads: the window of readings and what surrounds it.

    `begin` is the oldest offset that Kafka holds, `waiting_since` the time stamp of the next record to be read.
    """

    stage: str
    topic: str
    partition: int
    window: Sequence[Reading]
    begin: int
    waiting_since: int | None
    retention_ms: int
    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionLag:
    """How far behind a stage is on one partition."""

    stage: str
    topic: str
    partition: int
    committed: int
    end: int
    lag: int
    seconds: float
    trend: int
    drain_seconds: float | None
    headroom_hours: float | None
    status: Status
    reason: str
    complete: bool
    window_ms: int = 0
    history: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentFeed:
    """A feed from which nothing has come for unusually long."""

    topic: str
    seconds: float
    usual_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How everything stands at one instant."""

    at: int
    group: str
    members: int
    partitions: tuple[PartitionLag, ...]
    silent: tuple[SilentFeed, ...] = ()
    undelivered: tuple[Undelivered, ...] = ()
    reviews: dict[str, int] = field(default_factory=dict)
    oldest_review_seconds: float = 0.0
    reviews_past_due: int = 0
    dead_letters: int = 0
    oldest_dead_letter_seconds: float = 0.0
    unaccounted: dict[str, int] = field(default_factory=dict)  # topic -> accepted records that do not add up, where there are any

    @property
    def status(self) -> Status:
        """Return the worst status of all partitions; a silent feed counts when nothing is worse."""
        lags = worst([one.status for one in self.partitions])
        return max(lags, Status.SILENT, key=lambda one: one.rank) if self.silent else lags

    @property
    def needs_help(self) -> bool:
        """Tell whether something will not get better by itself."""
        return self.status.needs_help or bool(self.unaccounted)

    @property
    def is_late(self) -> bool:
        """Tell whether somebody should look: a stage is slow, a feed silent, an alert not received or a question not answered."""
        return self.status is not Status.OK or bool(self.reviews_past_due) or any(one.past_due for one in self.undelivered)

    def as_json(self) -> dict[str, Any]:
        """Return it as a value that JSON can hold."""
        return {**asdict(self), "status": str(self.status)}


def partition_lag(seen: Observation) -> PartitionLag:
    """Work out one line of the report from what was seen."""
    last = seen.window[-1]
    verdict: Judgement = judge(seen.window, alive=seen.alive, begin=seen.begin)
    waiting = seen.waiting_since if last.lag else None
    return PartitionLag(
        stage=seen.stage,
        topic=seen.topic,
        partition=seen.partition,
        committed=last.committed,
        end=last.end,
        lag=last.lag,
        seconds=seconds_behind(last, waiting),
        trend=trend(seen.window),
        drain_seconds=seconds_to_drain(seen.window),
        headroom_hours=hours_of_headroom(last.at, waiting, seen.retention_ms),
        status=verdict.status,
        reason=verdict.reason,
        complete=verdict.complete,
        window_ms=last.at - seen.window[0].at,
        history=tuple(reading.lag for reading in seen.window),
    )
