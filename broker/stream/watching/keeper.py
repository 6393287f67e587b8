"""What one worker of a place does besides its stages: the audit index, the reconciler's books, lag and open work.

It runs in a thread with clients of its own, so that neither waits for the other, and only in one process for each data
folder: whoever holds the lock file. When that one leaves, the next takes over. What it found lies in that folder, so that every
worker of the place shows the same, whichever of them Prometheus asks.
"""

import asyncio
import fcntl
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Thread

from broker.audit.local_file import is_damage, remove
from broker.errors import BrokerError, reason_in_words
from broker.lag.exposition import Standing
from broker.lag.health import health
from broker.lag.tally import Tally
from broker.log import Entry, log
from broker.settings import Settings
from broker.stream.watching.audit_follower import INDEX_FILE, AuditFollower, open_audit_follower
from broker.stream.watching.noted import Noted, read_noted, with_noted, write_noted
from broker.stream.watching.reconcile_reader import BOOKS_FILE, Reconciler, open_reconciler
from broker.stream.watching.watch import Watch, open_watch

EVERY_S = 2.0
_AGAIN_S = 5.0
_LOOKS = 15  # before a worker asks again whether it is now the one that keeps the index
_POLL_S = 0.2
_LOCK_FILE = "keeper.lock"


@dataclass(slots=True)
class Keeper:
    """Keeps the index, the books, and what metrics and health show, up to date until it is told to stop."""

    settings: Settings
    serving: bool = True  # somebody reads metrics or health of this process
    standing: Standing = field(default_factory=Standing)
    _noted: Noted = field(default_factory=Noted)
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
            try:
                with _locked(self.settings.data / _LOCK_FILE) as mine:
                    if mine or self.serving:
                        asyncio.run(self._keep() if mine else self._look_only())
            except* (BrokerError, OSError, sqlite3.Error) as errors:
                self._say(errors)
            except* Exception as errors:
                names = ", ".join(sorted({type(error).__name__ for error in _flat(errors)}))
                self._problem = f"what watches the log here failed with {names}: events go on; report it as a fault, start again"
                raise
            self._stop.wait(_AGAIN_S)

    async def _keep(self) -> None:
        """Do all of it, each at its own pace: a log that is read for the first time must not hide how far behind events are."""
        self._noted = replace(read_noted(self.settings.data) or Noted(), tally=Tally())
        async with (
            open_audit_follower(self.settings) as audit,
            open_watch(self.settings, self._noted.tally) as watch,
            open_reconciler(self.settings, self.settings.data / BOOKS_FILE) as reconciler,
        ):
            await self._together(
                lambda: self._with(INDEX_FILE, self._index(audit)),
                lambda: self._with(BOOKS_FILE, self._reconcile(reconciler)),
                lambda: self._look(watch, keeping=True),
            )

    async def _look_only(self) -> None:
        """Another worker of this place keeps the index: show lag and open work, and what that one found, all the same."""
        async with open_watch(self.settings) as watch:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOKS * EVERY_S):
                    await self._together(lambda: self._look(watch, keeping=False))

    async def _together(self, *acts: Callable[[], Awaitable[None]]) -> None:
        """Do some things again and again beside each other, until it is time to stop or one of them fails."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_again(act)) for act in acts]
            while not self._stop.is_set():  # noqa: ASYNC110 - a thread's event, which cannot be awaited
                await asyncio.sleep(_POLL_S)
            for task in tasks:
                task.cancel()

    async def _with(self, file: str, act: Awaitable[object]) -> None:
        """Do something that uses a local file; one that proves damaged is removed, and made anew from the log next time."""
        try:
            await act
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                remove(self.settings.data / file)
            raise

    async def _index(self, audit: AuditFollower) -> None:
        await audit.catch_up()
        audit.count_into(self._noted.tally)

    async def _reconcile(self, reconciler: Reconciler) -> None:
        balances = tuple(await reconciler.balance())
        self._noted = replace(self._noted, balances=balances, reconciled_at=time.time_ns() // 1_000_000)

    async def _look(self, watch: Watch, *, keeping: bool) -> None:
        report = await watch.look()
        if keeping:
            write_noted(self.settings.data, self._noted)
        else:
            self._noted = read_noted(self.settings.data) or Noted()
        self.standing.report = with_noted(report, self._noted)
        self.standing.tally, self.standing.balances = self._noted.tally, self._noted.balances
        self.standing.reconciled_at = self._noted.reconciled_at
        self._problem = None

    def _say(self, errors: BaseExceptionGroup[BaseException]) -> None:
        self._problem = "; ".join(dict.fromkeys(_words(error) for error in _flat(errors)))
        log(Entry.KEEPER_WAITED, reason=self._problem, seconds=_AGAIN_S)


async def _again(act: Callable[[], Awaitable[None]]) -> None:
    while True:
        await act()
        await asyncio.sleep(EVERY_S)


def _flat(errors: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in errors.exceptions:
        yield from _flat(error) if isinstance(error, BaseExceptionGroup) else (error,)


def _words(error: BaseException) -> str:
    if isinstance(error, BrokerError):
        return str(error)
    said = reason_in_words(error) if isinstance(error, OSError) else str(error)
    return f"the folder of local state (`data` in the settings): {said}: see `broker doctor`"


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
