"""What one worker of a place does besides its stages: the audit index, lag and open work for metrics and health.

It runs in a thread with clients of its own, so that neither waits for the other, and only in one process for each data
folder: whoever holds the lock file. When that one leaves, the next takes over.
"""

import asyncio
import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

from broker.errors import BrokerError
from broker.lag.exposition import Standing
from broker.lag.health import health
from broker.lag.tally import Tally
from broker.log import Entry, log
from broker.settings import Settings
from broker.stream.watching.audit_follower import open_audit_follower
from broker.stream.watching.watch import open_watch

EVERY_S = 2.0
_AGAIN_S = 5.0
_LOOKS = 15  # before a worker asks again whether it is now the one that keeps the index
_LOCK_FILE = "keeper.lock"


@dataclass(slots=True)
class Keeper:
    """Keeps the index, and what metrics and health show, up to date until it is told to stop."""

    settings: Settings
    serving: bool = True  # somebody reads metrics or health of this process
    standing: Standing = field(default_factory=Standing)
    _stop: Event = field(default_factory=Event)
    _problem: str | None = None

    def health(self) -> tuple[bool, str]:
        """Return whether all is well, and the words for it."""
        return health(self.standing.report, time.time_ns() // 1_000_000, problem=self._problem)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep until left."""
        thread = Thread(target=self._run, name="keeper", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(timeout=0.3)

    def _run(self) -> None:
        while not self._stop.is_set():
            with suppress(BrokerError), _locked(self.settings.data / _LOCK_FILE) as mine:
                if mine or self.serving:
                    asyncio.run(self._keep() if mine else self._look_only())
            self._stop.wait(_AGAIN_S)

    async def _keep(self) -> None:
        try:
            tally = Tally()
            async with open_audit_follower(self.settings, tally) as audit, open_watch(self.settings, tally) as watch:
                while not self._stop.is_set():
                    await audit.catch_up()
                    self.standing.report, self.standing.tally = await watch.look(), tally
                    self._problem = None
                    await self._pause()
        except BrokerError as error:
            self._say(error)

    async def _look_only(self) -> None:
        """Another worker of this place keeps the index: show lag and open work all the same."""
        try:
            async with open_watch(self.settings) as watch:
                for _ in range(_LOOKS):
                    if self._stop.is_set():
                        return
                    self.standing.report = await watch.look()
                    self._problem = None
                    await self._pause()
        except BrokerError as error:
            self._say(error)

    def _say(self, error: BrokerError) -> None:
        self._problem = str(error)
        log(Entry.KAFKA_WAITED_FOR, reason=str(error), seconds=_AGAIN_S)

    async def _pause(self) -> None:
        await asyncio.to_thread(self._stop.wait, EVERY_S)


@contextmanager
def _locked(file: Path) -> Iterator[bool]:
    """Give whether this process holds the lock file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
