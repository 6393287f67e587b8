"""Watch lag and open work together: one report after another, for the command line, metrics and health."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from broker.lag.evaluation import PATIENCE_MS, Status
from broker.lag.open_work import OpenWork
from broker.lag.report import PartitionLag, Report
from broker.lag.tally import Tally
from broker.settings import Settings
from broker.stream.clients import check_known, open_admin, open_consumer
from broker.stream.watching.lag_plan import plan_of
from broker.stream.watching.lag_reader import LagReader
from broker.stream.watching.work_follower import WorkFollower

_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Watch:
    """Everything that is needed to say how things stand, held open."""

    settings: Settings
    reader: LagReader
    follower: WorkFollower

    async def look(self) -> Report:
        """Return how things stand now; raises KafkaUnavailableError, or DataLossError when the log is another than it was."""
        await check_known(self.reader.admin, self.settings.kafka)
        lag, work = await asyncio.gather(self.reader.look(), self.follower.catch_up())
        return with_work(lag, work)

    async def look_until_sure(self, seconds: float, waiting: Callable[[], None] = lambda: None) -> Report:
        """Look again until it is clear of every partition whether it moves, or for so many seconds; return the last report.

        `waiting` is called each time that another look is needed.
        """
        until = asyncio.get_running_loop().time() + seconds
        while True:
            report = await self.look()
            left = until - asyncio.get_running_loop().time()
            if left <= 0 or not any(_unclear(one) for one in report.partitions):
                return report
            waiting()
            await asyncio.sleep(min(_PAUSE_S, left))


@asynccontextmanager
async def open_watch(settings: Settings, tally: Tally | None = None) -> AsyncIterator[Watch]:
    """Open the clients that a watch needs, and count into a tally; raises KafkaUnavailableError."""
    async with (
        open_admin(settings.kafka) as admin,
        open_consumer(settings.kafka, max_partition_fetch_bytes=64 * 1024) as lag_consumer,
        open_consumer(settings.kafka) as work_consumer,
    ):
        follower = WorkFollower(admin, work_consumer, settings.group, tally=tally or Tally())
        yield Watch(settings, LagReader(plan_of(settings), lag_consumer, admin), follower)


def with_work(report: Report, work: OpenWork) -> Report:
    """Return a report with the open work in it."""
    return replace(
        report,
        undelivered=work.undelivered(report.at),
        reviews=work.reviews_by_kind(),
        oldest_review_seconds=work.oldest_review_seconds(report.at),
        reviews_past_due=work.reviews_past_due(report.at),
        dead_letters=len(work.dead_letters),
        oldest_dead_letter_seconds=work.oldest_dead_letter_seconds(report.at),
    )


def _unclear(one: PartitionLag) -> bool:
    """Tell whether more readings could say more: behind, read by somebody, and neither seen to shrink nor watched for long."""
    watched = one.status is Status.OK and one.lag > 0
    return watched and one.trend >= 0 and one.window_ms < PATIENCE_MS
