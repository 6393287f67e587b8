"""Take an agency's files from an inbox folder, publish what they say, and put each with a report where a person finds it.

    inbox/             where files are dropped; a name that ends in .part or .tmp, or that starts with a dot, waits
    inbox/.working/    what is being read now; after a crash it is read again
    inbox/accepted/    what was read, with `<name>.report.txt` beside it
    inbox/rejected/    what could not be read, with the reason beside it

Nothing of a delivery is published before all of it was read once without an error. What the connector remembers lasts only after
Kafka acknowledged every event: a crash in between publishes the same events again under the same ids, which tells nobody twice.
"""

import asyncio
import hashlib
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import BinaryIO

from broker.core.delivery import Connector, Delivery, Finding, Piece
from broker.core.event import Event
from broker.core.identifiers import Digest, Millis
from broker.core.registers import Agency
from broker.errors import DeliveryError, RejectError, StopError
from connectors.transports.memory import SqliteMemory
from connectors.transports.report import Outcome, Tally, moment, write_report

UNFINISHED = (".part", ".tmp", ".partial", ".filepart", ".crdownload")
REPORT = ".report.txt"
_COMPLETE = ".complete"  # the names of the set, written when all of it is here
_OUTCOME = ".outcome"  # what became of it, written before anything moves
_BREATH = 500  # records read before others may run

Publish = Callable[[Iterable[Event]], Awaitable[object]]  # returns when every event is acknowledged


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait, in seconds: for a file to stop growing, for the rest of its set, between two looks."""

    settled: float = 1.0
    together: float = 5.0
    look: float = 0.5


@dataclass(frozen=True, slots=True)
class Job:
    """Whose files of which format are read. `sets`: files of this format may belong together."""

    connector: Connector
    agency: Agency
    sets: bool = False
    accept_disappearances: bool = False


@dataclass(slots=True)
class Directory:
    """An inbox folder and what is done with its files. `publish` is the port to the broker; only one process per inbox."""

    inbox: Path
    job: Job
    publish: Publish
    memory: SqliteMemory
    patience: Patience = field(default_factory=Patience)
    _looked: dict[Path, tuple[int, int]] = field(default_factory=dict)

    async def deliveries(self, *, once: bool = False) -> AsyncIterator[Outcome]:
        """Yield what became of each delivery, for ever; with `once`, until the inbox holds nothing that could be read.

        Raises what publishing raises; the delivery in hand then stays in `.working` and is read again at the next start.
        """
        for name in ("accepted", "rejected", ".working"):
            (self.inbox / name).mkdir(parents=True, exist_ok=True)
        for folder in self._interrupted():
            yield await self._deliver(folder)
        while True:
            ready, waiting = self._look()
            for paths in ready:
                claimed = self._claim(paths)
                if claimed is not None:
                    yield await self._deliver(claimed)
            if once and not ready and not waiting:
                return
            if not ready:
                await asyncio.sleep(self.patience.look)

    def _interrupted(self) -> Iterator[Path]:
        """Yield deliveries that a crash left half done; what was only half claimed goes back, what was done is put away."""
        for folder in sorted((self.inbox / ".working").iterdir()):
            if not (folder / _COMPLETE).exists():
                for path in _files(folder):
                    path.rename(_free(self.inbox / path.name))
                shutil.rmtree(folder)
            elif self._is_done(folder):
                _put_away(folder, self.inbox)
            else:
                yield folder

    def _is_done(self, folder: Path) -> bool:
        """Tell whether a delivery's outcome was written down and its memory committed before the crash."""
        note = folder / _OUTCOME
        if not note.exists():
            return False
        moved = len(_files(folder)) < len((folder / _COMPLETE).read_text(encoding="utf-8").splitlines())
        if moved or note.read_text(encoding="utf-8").startswith("rejected"):
            return True
        delivery = self._delivery(folder)
        return self.memory.delivered(_digest_of(delivery)) == delivery.received_at

    def _look(self) -> tuple[list[list[Path]], bool]:
        """Return the deliveries that are whole and no longer growing, and whether others are still on their way."""
        seen = {path: _state(path) for path in sorted(self.inbox.iterdir()) if _is_delivery(path)}
        known, self._looked = self._looked, seen
        ready, waiting = [], False
        for paths in self._sets(list(seen)):
            wait = self.patience.together if self.job.sets else self.patience.settled
            newest = max(seen[path][1] for path in paths) / 1e9
            if all(known.get(path) == seen[path] for path in paths) and not 0 <= time.time() - newest < wait:
                ready.append(paths)
            else:
                waiting = True
        return ready, waiting

    def _sets(self, paths: Sequence[Path]) -> list[list[Path]]:
        """Put together what the connector claims as one delivery; what it does not claim is a set of its own."""
        sets: list[list[Path]] = []
        for path in paths:
            fits = (one for one in sets if self.job.connector.claims(tuple(each.name for each in (*one, path))))
            mine = next(fits, None) if self.job.sets else None
            if mine is None:
                sets.append([path])
            else:
                mine.append(path)
        return sets

    def _claim(self, paths: Sequence[Path]) -> Path | None:
        """Move a set out of the way of whoever writes into the inbox; the folder's name is when it was received."""
        folder = _free(self.inbox / ".working" / str(time.time_ns() // 1_000_000))
        folder.mkdir()
        for path in paths:
            with suppress(FileNotFoundError):  # taken away by a person meanwhile
                path.rename(folder / path.name)
        if not _files(folder):
            folder.rmdir()
            return None
        (folder / _COMPLETE).write_text("\n".join(path.name for path in _files(folder)), encoding="utf-8")
        return folder

    async def _deliver(self, folder: Path) -> Outcome:
        delivery = self._delivery(folder)
        names = tuple(piece.name for piece in delivery.pieces)
        digest = _digest_of(delivery)
        before = self.memory.delivered(digest)
        if before and not self.job.accept_disappearances and before != delivery.received_at:
            why = f"these very files were delivered before, on {moment(before)}"
            outcome = self._note(folder, delivery, Outcome(names, accepted=True, tally=Tally(), reason=why))
        else:
            outcome = await self._read(folder, delivery, names, digest)
        _put_away(folder, self.inbox)
        return outcome

    def _delivery(self, folder: Path) -> Delivery:
        return Delivery(
            self.job.agency,
            Millis(int(folder.name.partition(".")[0])),
            tuple(_piece(path) for path in _files(folder)),
            accept_disappearances=self.job.accept_disappearances,
        )

    async def _read(self, folder: Path, delivery: Delivery, names: tuple[str, ...], digest: Digest) -> Outcome:
        """Read everything once to see that it can be read, then again to publish it."""
        tally = Tally()
        try:
            if not self.job.connector.claims(names):
                raise DeliveryError(f"the name is none that {self.job.connector.name} reads: see `broker connect --help`")
            await self._rehearse(delivery)
            self.memory.begin()
            await self.publish(_counted(self.job.connector.read(delivery, self.memory), tally))
            outcome = self._note(folder, delivery, Outcome(names, accepted=True, tally=tally))
            self.memory.note_delivered(digest, delivery.received_at)
            self.memory.commit()
        except RejectError as error:
            outcome = self._note(folder, delivery, Outcome(names, accepted=False, tally=Tally(), reason=str(error)))
        finally:
            self.memory.rollback()
        return outcome

    def _note(self, folder: Path, delivery: Delivery, outcome: Outcome) -> Outcome:
        """Write down what became of a delivery before its files move, so that a crash cannot tear a set apart."""
        text = write_report(outcome, delivery, self.job.connector.name)
        written = folder / f"{_OUTCOME}.tmp"
        written.write_text(f"{'accepted' if outcome.accepted else 'rejected'}\n{text}", encoding="utf-8")
        written.rename(folder / _OUTCOME)
        return outcome

    async def _rehearse(self, delivery: Delivery) -> None:
        self.memory.begin()
        for number, _ in enumerate(self.job.connector.read(delivery, self.memory)):
            if number % _BREATH == 0:
                await asyncio.sleep(0)
        self.memory.rollback()


def _digest_of(delivery: Delivery) -> Digest:
    return Digest(hashlib.sha256("".join(sorted(piece.digest for piece in delivery.pieces)).encode()).hexdigest())


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _put_away(folder: Path, inbox: Path) -> None:
    """Write the report beside each file's new place, then move the file there."""
    place, _, text = (folder / _OUTCOME).read_text(encoding="utf-8").partition("\n")
    for path in _files(folder):
        target = _free(inbox / place / path.name)
        target.with_name(target.name + REPORT).write_text(text, encoding="utf-8")
        path.rename(target)
    shutil.rmtree(folder)


def _is_delivery(path: Path) -> bool:
    name = path.name
    return not name.startswith(".") and not name.endswith((*UNFINISHED, REPORT)) and path.is_file() and not path.is_symlink()


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _free(path: Path) -> Path:
    """Return the path, or the next like it that nothing stands at."""
    others = (path.with_name(f"{path.name}.{number}") for number in count(2))
    return next(one for one in chain((path,), others) if not one.exists())


def _piece(path: Path) -> Piece:
    def opened() -> BinaryIO:
        return path.open("rb")

    try:
        with path.open("rb") as stream:
            sha = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise StopError(f"file `{path}` cannot be read: {error.strerror}: give the connector the right to read it") from error
    return Piece(path.name, path.stat().st_size, Digest(sha), opened)


def _counted(read: Iterable[Event | Finding], tally: Tally) -> Iterator[Event]:
    for one in read:
        tally.count(one)
        if isinstance(one, Event):
            yield one
