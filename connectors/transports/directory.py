"""Take an agency's files from an inbox folder, publish what they say, and put each with a report where a person finds it.

    inbox/             where files are dropped; a name that ends in .part or .tmp, or that starts with a dot, waits
    inbox/.working/    what is being read now; after a crash it is read again
    inbox/accepted/    what was read, with `<name>.report.txt` beside it
    inbox/rejected/    what could not be read, with the reason beside it

Nothing of a delivery is published before all of it was read once without an error. What the connector remembers lasts only after
Kafka acknowledged every event: a crash in between publishes the same events again under the same ids, which tells nobody twice.
"""

import asyncio
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedReader
from itertools import chain, count
from pathlib import Path

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
_LONGEST_NAME = 255  # bytes of a file's name on every common file system
# What a value that nobody thought of makes code raise. The file is put aside then: the inbox goes on.
_UNFORESEEN = (
    ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, SyntaxError, TypeError, ValueError,
)  # fmt: skip

Publish = Callable[[Iterable[Event]], Awaitable[object]]  # returns when every event is acknowledged
Check = Callable[[Event], object]  # raises RejectError for an event that publishing would refuse


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
    """An inbox folder and what is done with its files. `publish` and `check` are the port to the broker."""

    inbox: Path
    job: Job
    publish: Publish
    memory: SqliteMemory
    patience: Patience = field(default_factory=Patience)
    check: Check = lambda _: None
    _looked: dict[Path, tuple[int, int]] = field(default_factory=dict)

    async def deliveries(self, *, once: bool = False) -> AsyncIterator[Outcome]:
        """Yield what became of each delivery, for ever; with `once`, until the inbox holds nothing that could be read.

        Raises what publishing raises; the delivery in hand then stays in `.working` and is read again at the next start.
        Raises StopError when another process works on this inbox.
        """
        for name in ("accepted", "rejected", ".working"):
            (self.inbox / name).mkdir(parents=True, exist_ok=True)
        with _alone(self.inbox):
            for folder in self._interrupted():
                yield await self._deliver(folder)
            async for outcome in self._rounds(once=once):
                yield outcome

    async def _rounds(self, *, once: bool) -> AsyncIterator[Outcome]:
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
        (folder / _COMPLETE).write_text("\n".join(_said(path.name) for path in _files(folder)), encoding="utf-8")
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
            await self.publish(_counted(self.job.connector.read(delivery, self.memory), tally, self.check))
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
        """Read everything and publish nothing; raises DeliveryError for whatever stops the reading."""
        self.memory.begin()
        try:
            for number, _ in enumerate(self.job.connector.read(delivery, self.memory)):
                if number % _BREATH == 0:
                    await asyncio.sleep(0)
        except OSError as error:
            raise DeliveryError(f"file cannot be read: {error.strerror}: give the connector the right, drop it again") from error
        except _UNFORESEEN as error:
            what = f"{self.job.connector.name} cannot read it ({type(error).__name__})"
            raise DeliveryError(f"{what}: export it again, and report this as a fault of the connector") from error
        self.memory.rollback()


@contextmanager
def _alone(inbox: Path) -> Iterator[None]:
    """Hold the inbox; raises StopError when another process does. A process that dies lets go of it."""
    held = os.open(inbox / ".working", os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise StopError(f"inbox `{inbox}`: another connector works on it: give each its own inbox") from error
    finally:
        os.close(held)


def _digest_of(delivery: Delivery) -> Digest:
    return Digest(hashlib.sha256("".join(sorted(piece.digest for piece in delivery.pieces)).encode()).hexdigest())


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _put_away(folder: Path, inbox: Path) -> None:
    """Write the report beside each file's new place, then move the file there."""
    place, _, text = (folder / _OUTCOME).read_text(encoding="utf-8").partition("\n")
    for path in _files(folder):
        target = _free(inbox / place / path.name)
        target.with_name(_fitting(target.name, REPORT)).write_text(text, encoding="utf-8")
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
    others = (path.with_name(_fitting(path.name, f".{number}")) for number in count(2))
    return next(one for one in chain((path,), others) if not one.exists())


def _fitting(name: str, ending: str) -> str:
    """Return a name with an ending; of a name that would be too long with it, as much as fits and a mark of the rest."""
    whole = os.fsencode(name)
    room = _LONGEST_NAME - len(os.fsencode(ending))
    if len(whole) > room:
        mark = f"~{hashlib.sha256(whole).hexdigest()[:8]}"
        name = os.fsdecode(whole[: room - len(mark)]) + mark
    return name + ending


def _said(name: str) -> str:
    """Return a file's name as it can be written down, whatever bytes it is made of."""
    return "".join(sign if sign.isprintable() else "?" for sign in name)


def _piece(path: Path) -> Piece:
    def opened() -> BufferedReader:
        return os.fdopen(os.open(path, os.O_RDONLY), "rb")  # without its name, which a parser need not understand

    sha = ""
    with suppress(OSError), opened() as stream:  # what cannot be read is rejected when it is read
        sha = hashlib.file_digest(stream, "sha256").hexdigest()
    return Piece(_said(path.name), path.stat().st_size, Digest(sha), opened)


def _counted(read: Iterable[Event | Finding], tally: Tally, check: Check) -> Iterator[Event]:
    """Yield the events and count everything; one that would be refused is a finding, the others go on."""
    for one in read:
        refused = _refused(one, check) if isinstance(one, Event) else None
        tally.count(refused or one)
        if isinstance(one, Event) and not refused:
            yield one


def _refused(event: Event, check: Check) -> Finding | None:
    try:
        check(event)
    except RejectError as error:
        return Finding("error", error.reason, event.header.source.location, f"{error}: left out", "shorten the record")
    return None
