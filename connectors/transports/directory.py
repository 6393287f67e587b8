"""Take an agency's files from an inbox folder, publish what they say, and put each with a report where a person finds it.

    inbox/             where files are dropped; a name that ends in .part or .tmp, or that starts with a dot, waits; so does
                       what is still being written, and for a while what ends in the middle of something
    inbox/.working/    what is being read now; after a crash it is read again
    inbox/accepted/    what was read, with `<name>.report.txt` beside it
    inbox/rejected/    what could not be read, of which nothing could be taken, or what is no file but a link or a pipe, with
                       the reason beside it

Nothing of a delivery is published before all of it was read once without an error. What changes while it is read goes back
into the inbox. What the connector remembers lasts only after
Kafka acknowledged every event: a crash in between publishes the same events again under the same ids, which tells nobody twice.
What the broker would refuse is neither published nor remembered: the same files delivered again say it, once it is mended.
"""

import asyncio
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from broker.core.account.words import Words, instant_in_words
from broker.core.intake.delivery import Connector, Delivery, Finding, OfTables, Piece
from broker.core.model.event import Event
from broker.core.model.identifiers import Digest, Millis
from broker.core.model.registers import Agency
from broker.errors import CutOffError, DeliveryError, RejectError, StopError
from connectors.transports.entries import REPORT, free, is_folder, odd_kind, opened, report_of, said, write_anew
from connectors.transports.memory import SqliteMemory
from connectors.transports.refusing import Check, Refusing
from connectors.transports.report import Outcome, Tally, write_report
from connectors.transports.settling import Patience, Settling

UNFINISHED = (".part", ".tmp", ".partial", ".filepart", ".crdownload")
_PLACES = ("accepted", "rejected")
_COMPLETE = ".complete"  # the names of the set, written when all of it is here
_OUTCOME = ".outcome"  # what became of it, written before anything moves
_NOTHING_TAKEN = "there is an error in it, and nothing new beside that"
_LOST = "where what was published is lost, see --forget-all in `broker connect --help`"
_BREATH = 500  # records read before others may run
# What a value that nobody thought of makes code raise. The file is put aside then: the inbox goes on.
_UNFORESEEN = (
    ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, SyntaxError, TypeError, ValueError,
)  # fmt: skip

Publish = Callable[[Iterable[Event]], Awaitable[object]]  # returns when every event is acknowledged


@dataclass(frozen=True, slots=True)
class Job:
    """Whose files of which format are read. `sets`: files of this format may belong together.

    `messages`: a file holds messages, each said once whatever comes after. Else it shows what is so, and the same file says it
    anew once another one said something else: a wrong one is put right by the one before. `files`: how they are named.
    """

    connector: Connector
    agency: Agency
    sets: bool = False
    messages: bool = False
    files: tuple[str, ...] = ()
    accept_disappearances: bool = False


@dataclass(slots=True)
class Directory:
    """An inbox folder and what is done with its files. `publish` and `check` are the port to the broker.

    `agency` gives the entry of the agency in the registers, as it is when a delivery is taken up; `words` say in the reports
    what each type of event means; `say` hears once for what a file waits when that may take long.
    """

    inbox: Path
    job: Job
    publish: Publish
    memory: SqliteMemory
    patience: Patience = field(default_factory=Patience)
    check: Check = lambda _: None
    words: Words = field(default_factory=Words)
    agency: Callable[[], Agency] | None = None
    say: Callable[[str], None] = lambda _: None
    _waiting: dict[tuple[Path, ...], str] = field(default_factory=dict)
    _told: set[Path] = field(default_factory=set)
    _settling: Settling = field(init=False)
    _refusing: Refusing = field(init=False)

    def __post_init__(self) -> None:
        self._settling = Settling(self.patience)
        self._refusing = Refusing(self.check)

    async def deliveries(self, *, once: bool = False) -> AsyncIterator[Outcome]:
        """Yield what became of each delivery, for ever; with `once`, until the inbox holds nothing that could be read.

        Raises what publishing raises; the delivery in hand then stays in `.working` and is read again at the next start.
        Raises StopError when another process works on this inbox.
        """
        for name in (*_PLACES, ".working"):
            (self.inbox / name).mkdir(parents=True, exist_ok=True)
        with _alone(self.inbox):
            for folder in self._interrupted():
                if outcome := await self._deliver(folder):
                    yield outcome
            async for outcome in self._rounds(once=once):
                yield outcome

    async def _rounds(self, *, once: bool) -> AsyncIterator[Outcome]:
        while True:
            for path in self._entries():
                if (kind := odd_kind(path)) is not None and path not in self._told:
                    yield self._refuse(path, kind)
            ready, waiting = self._look(once=once)
            for paths in ready:
                claimed = self._claim(paths)
                if claimed is not None and (outcome := await self._deliver(claimed)):
                    yield outcome
            if once and not ready and not waiting:
                return
            if not ready:
                await asyncio.sleep(self.patience.look)

    def _interrupted(self) -> Iterator[Path]:
        """Yield deliveries that a crash left half done; what was only half claimed goes back, what was done is put away."""
        for folder in sorted((self.inbox / ".working").iterdir()):
            if not (folder / _COMPLETE).exists():
                _put_back(folder, self.inbox)
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
        at, _ = self.memory.delivered(_digest_of(delivery)) or (None, False)
        return at == delivery.received_at

    def _entries(self) -> list[Path]:
        """Return what was dropped into the inbox, files or not."""
        return sorted(path for path in self.inbox.iterdir() if not _waits(path) and path.name not in _PLACES)

    def _refuse(self, path: Path, kind: str) -> Outcome:
        """Put aside what is no file, with the reason beside it; a folder, which may still be filled, is left where it is."""
        left = is_folder(path)
        reason = f"it is {kind}"
        outcome = Outcome((said(path.name),), accepted=False, tally=Tally(), reason=reason, left=left)
        text = write_report(outcome, Delivery(self.job.agency, _now(), ()), self.job.connector.name, self.words)
        target = self.inbox / "rejected" / path.name
        if not left:
            _put(path, free(target), text)
        else:
            self._told.add(path)
            write_anew(report_of(target), text)
        return outcome

    def _look(self, *, once: bool) -> tuple[list[list[Path]], bool]:
        """Return the deliveries that are whole and no longer growing, and whether others are still on their way."""
        paths = self._settling.look(path for path in self._entries() if odd_kind(path) is None)
        ready: list[list[Path]] = []
        waiting: dict[tuple[Path, ...], str] = {}
        for one in self._sets(paths):
            lacking = not once and self._lacks(one)
            if self._settling.settled(one, sets=self.job.sets, lacking=lacking):
                ready.append(one)
            else:
                waiting[tuple(one)] = self._settling.why(one, lacking=lacking) or ""
        for files, why in waiting.items():
            if why and why != self._waiting.get(files):
                self.say(f"{', '.join(said(path.name) for path in files)} {why}")
        self._waiting = waiting
        return ready, bool(waiting)

    def _lacks(self, paths: Sequence[Path]) -> bool:
        """Tell whether more of a set has to come."""
        connector = self.job.connector
        names = tuple(path.name for path in paths)
        return self.job.sets and isinstance(connector, OfTables) and not connector.is_whole(names)

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
        folder = free(self.inbox / ".working" / str(_now()))
        folder.mkdir()
        for path in paths:
            with suppress(FileNotFoundError):  # taken away by a person meanwhile
                path.rename(folder / path.name)
        if not _files(folder):
            folder.rmdir()
            return None
        (folder / _COMPLETE).write_text("\n".join(said(path.name) for path in _files(folder)), encoding="utf-8")
        return folder

    async def _deliver(self, folder: Path) -> Outcome | None:
        """Read and publish a delivery and put it away; None when it is not whole yet and went back into the inbox."""
        if self.agency is not None:
            self.job = replace(self.job, agency=self.agency())
        delivery = self._delivery(folder)
        names = tuple(piece.name for piece in delivery.pieces)
        digest = _digest_of(delivery)
        before, whole = self.memory.delivered(digest) or (0, False)
        again = whole and (self.job.messages or self.memory.is_latest(digest))
        if again and not self.job.accept_disappearances and before != delivery.received_at:
            why = f"these very files were delivered before, on {instant_in_words(Millis(before))}: {_LOST}"
            outcome = self._note(folder, delivery, Outcome(names, accepted=True, tally=Tally(), reason=why))
        else:
            done = await self._read(folder, delivery, names, digest)
            if done is None:
                self._wait_for_the_rest(folder, delivery)
                return None
            outcome = done
        _put_away(folder, self.inbox)
        return outcome

    def _wait_for_the_rest(self, folder: Path, delivery: Delivery) -> None:
        """Put a delivery back that was read before it was whole; unless it changed since, it waits for as long as it may."""
        names = [path.name for path in _files(folder)]
        unchanged = self._is_still(folder, delivery)
        _put_back(folder, self.inbox)
        if unchanged:
            for name in names:
                self._settling.hold(self.inbox / name)

    def _is_still(self, folder: Path, delivery: Delivery) -> bool:
        """Tell whether a delivery's files are what they were when it was claimed, and nobody has one open to write in it."""
        if any(self._settling.in_hand(self.inbox / path.name, now_at=path) for path in _files(folder)):
            return False
        now = [(piece.name, piece.size, piece.digest) for piece in self._delivery(folder).pieces]
        return now == [(piece.name, piece.size, piece.digest) for piece in delivery.pieces]

    def _delivery(self, folder: Path) -> Delivery:
        return Delivery(
            self.job.agency,
            Millis(int(folder.name.partition(".")[0])),
            tuple(_piece(path) for path in _files(folder)),
            accept_disappearances=self.job.accept_disappearances,
            takes=self._refusing.takes,
        )

    async def _read(self, folder: Path, delivery: Delivery, names: tuple[str, ...], digest: Digest) -> Outcome | None:
        """Read everything once to see that it can be read, then again to publish it; None when it is not whole yet."""
        tally = Tally()
        young = any(self._settling.is_young(self.inbox / path.name, now_at=path) for path in _files(folder))
        try:
            if not self.job.connector.claims(names):
                named = ", ".join(self.job.files) or "as `broker connect --help` says"
                raise DeliveryError(f"the name is none that {self.job.connector.name} reads: name it {named}")
            await self._rehearse(delivery, young=young)
            if not self._is_still(folder, delivery):
                return None
            self.memory.begin()
            await self.publish(self._refusing.counted(self.job.connector.read(delivery, self.memory), tally))
            if not self._is_still(folder, delivery):  # INVARIANT: nothing counts as delivered that was not read to its end
                return None
            if tally.nothing_taken:  # whoever watches `rejected` or the exit status has to hear of it
                return self._note(folder, delivery, Outcome(names, accepted=False, tally=tally, reason=_NOTHING_TAKEN))
            outcome = self._note(folder, delivery, Outcome(names, accepted=True, tally=tally))
            self.memory.note_delivered(digest, delivery.received_at, whole=not tally.later)
            self.memory.commit()
        except RejectError as error:
            if not self._is_still(folder, delivery) or (isinstance(error, CutOffError) and young):
                return None
            outcome = self._note(folder, delivery, Outcome(names, accepted=False, tally=Tally(), reason=str(error)))
        finally:
            self.memory.rollback()
        return outcome

    def _note(self, folder: Path, delivery: Delivery, outcome: Outcome) -> Outcome:
        """Write down what became of a delivery before its files move, so that a crash cannot tear a set apart."""
        text = write_report(outcome, delivery, self.job.connector.name, self.words)
        written = folder / f"{_OUTCOME}.tmp"
        written.write_text(f"{'accepted' if outcome.accepted else 'rejected'}\n{text}", encoding="utf-8")
        written.rename(folder / _OUTCOME)
        return outcome

    async def _rehearse(self, delivery: Delivery, *, young: bool) -> None:
        """Read everything and publish nothing; raises DeliveryError for whatever stops the reading.

        Of what is `young`, a record that is cut off stops it too.
        """
        self.memory.begin()
        try:
            for number, one in enumerate(self.job.connector.read(delivery, self.memory)):
                if young and isinstance(one, Finding) and one.cut_off:
                    raise CutOffError(one.message)
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


def _now() -> Millis:
    return Millis(time.time_ns() // 1_000_000)


def _digest_of(delivery: Delivery) -> Digest:
    return Digest(hashlib.sha256("".join(sorted(piece.digest for piece in delivery.pieces)).encode()).hexdigest())


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _put_away(folder: Path, inbox: Path) -> None:
    """Write the report beside each file's new place, then move the file there."""
    place, _, text = (folder / _OUTCOME).read_text(encoding="utf-8").partition("\n")
    for path in _files(folder):
        _put(path, free(inbox / place / path.name), text)
    shutil.rmtree(folder)


def _put_back(folder: Path, inbox: Path) -> None:
    """Undo a claim; first the mark that all of the set is here, so that a crash in between puts the rest back, too."""
    (folder / _COMPLETE).unlink(missing_ok=True)
    for path in _files(folder):
        path.rename(free(inbox / path.name))
    shutil.rmtree(folder)


def _put(path: Path, target: Path, report: str) -> None:
    write_anew(report_of(target), report)
    path.rename(target)


def _waits(path: Path) -> bool:
    """Tell whether whoever wrote an entry says that it is not to be taken (yet)."""
    return path.name.startswith(".") or path.name.endswith((*UNFINISHED, REPORT))


def _piece(path: Path) -> Piece:
    sha = ""
    with suppress(OSError), opened(path) as stream:  # what cannot be read is rejected when it is read
        sha = hashlib.file_digest(stream, "sha256").hexdigest()
    return Piece(said(path.name), path.lstat().st_size, Digest(sha), partial(opened, path))
