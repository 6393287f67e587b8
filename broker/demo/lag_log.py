"""Looks at the lag of every stage once a second while the demo runs, as `broker lag` does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from broker.errors import RetryError
from broker.settings import Settings
from broker.stream.watching.watch import Watch, open_watch

_LOOK_S = 1.0


@dataclass(slots=True)
class LagLog:
    """How many records waited in all stages together, as often as was looked."""

    watch: Watch
    history: list[int] = field(default_factory=list)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator["LagLog"]:
        """Look while the context is open; raises KafkaUnavailableError."""
        async with open_watch(settings) as watch:
            log = cls(watch)
            looking = asyncio.create_task(log._follow())
            try:
                yield log
            finally:
                looking.cancel()
                with suppress(asyncio.CancelledError):
                    await looking

    async def now(self) -> int:
        """Return how many records wait now."""
        async with self._one_at_a_time:
            return sum(one.lag for one in (await self.watch.look()).partitions)

    async def _follow(self) -> None:
        while True:
            with suppress(RetryError):
                self.history.append(await self.now())
            await asyncio.sleep(_LOOK_S)
