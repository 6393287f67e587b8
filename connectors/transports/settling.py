"""Whether a file in an inbox is whole: it grows no longer, and nobody has it open to write in it.

A writer that pauses is not done. Where the system tells who has a file open, that counts; elsewhere only patience does.
"""

import fcntl
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from connectors.transports.entries import opened

State = tuple[int, int]  # size and time of the last change


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait, in seconds, for a file to be whole: since its last change, unless something else is said.

    `settled` where the system says that nobody writes in it, `unsure` where it cannot say, `together` for the rest of its
    set, `lacking` when something of it has to come; `cut_off` when it ends in the middle of something; `forgotten` when
    somebody has it open and writes nothing. `look` is the time between two looks.
    """

    settled: float = 2.0
    unsure: float = 10.0
    together: float = 5.0
    lacking: float = 60.0
    cut_off: float = 60.0
    forgotten: float = 900.0
    look: float = 0.5


@dataclass(slots=True)
class Settling:
    """The files of an inbox as they were at the last looks. A state counts from when it was first seen, or from its own time."""

    patience: Patience
    _seen: dict[Path, tuple[State, float]] = field(default_factory=dict)
    _before: dict[Path, tuple[State, float]] = field(default_factory=dict)
    _cut_off: dict[Path, State] = field(default_factory=dict)

    def look(self, paths: Iterable[Path]) -> list[Path]:
        """Look at the files and return those that are there."""
        now = time.time()
        self._before, seen = self._seen, {}
        for path in paths:
            state = state_of(path)
            known = self._before.get(path)
            seen[path] = known if known and known[0] == state else (state, now)
        self._seen = seen
        self._cut_off = {path: state for path, state in self._cut_off.items() if path in seen}
        return list(seen)

    def settled(self, paths: Sequence[Path], *, sets: bool, lacking: bool = False) -> bool:
        """Tell whether nothing more is to come of these files; `sets`: others may still join them, `lacking`: others have to."""
        if any(self._before.get(path) != self._seen[path] for path in paths):
            return False
        age = min(self.age(path) for path in paths)
        if any(self._cut_off.get(path) == self._seen[path][0] for path in paths) and age < self.patience.cut_off:
            return False
        writing = [self.in_hand(path, now_at=path) for path in paths]
        if True in writing:
            return False
        wait = self.patience.unsure if None in writing else self.patience.settled
        if lacking and time.time() - max(self._seen[path][1] for path in paths) < self.patience.lacking:
            return False  # counted from when it was first seen: copying keeps a file's own time on some systems
        return age >= max(wait, self.patience.together if sets else 0)

    def why(self, paths: Sequence[Path], *, lacking: bool = False) -> str | None:
        """Say for what files that are not settled wait, and how long at most; None where it is a moment."""
        if any(self._cut_off.get(path) == self._seen[path][0] for path in paths):
            return f"ends in the middle: waiting up to {self.patience.cut_off:.0f} s for the rest"
        still = (path for path in paths if self.age(path) >= self.patience.settled)
        if any(self.in_hand(path, now_at=path) for path in still):
            return f"stays open to whoever writes it: waiting up to {self.patience.forgotten:.0f} s"
        return f"is part of a set: waiting up to {self.patience.lacking:.0f} s for the others" if lacking else None

    def age(self, path: Path, *, now_at: Path | None = None) -> float:
        """Return for how many seconds a file is as it is: since it was first seen so, or by its own time when that is past."""
        now = time.time()
        state, since = self._seen.get(path) or (state_of(now_at or path), now)
        changed = state[1] / 1e9
        return max(now - since, now - changed if changed <= now else 0.0)

    def in_hand(self, path: Path, *, now_at: Path) -> bool | None:
        """Tell whether somebody has a file open to write in it, and did not just forget that; `now_at` is where it was moved."""
        writing = being_written(now_at)
        return writing if not writing else self.age(path, now_at=now_at) < self.patience.forgotten

    def is_young(self, path: Path, *, now_at: Path) -> bool:
        """Tell whether a file that is cut off may still be being written; `now_at` is where it was moved."""
        return self.age(path, now_at=now_at) < self.patience.cut_off

    def hold(self, path: Path) -> None:
        """Let a file that is cut off wait until it changes or is no longer young."""
        self._cut_off[path] = state_of(path)


def state_of(path: Path) -> State:
    """Return a file's size and the time of its last change; zeroes when it has gone."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def being_written(path: Path) -> bool | None:
    """Tell whether anybody has a file open to write in it; None where the system does not say.

    A read lease is given only while nobody has; it is handed back at once. Whoever opens the file in between waits for that,
    and the signal that would come is one that nobody minds: the usual one would end this process.
    """
    with suppress(OSError, AttributeError), opened(path) as stream:
        fcntl.fcntl(stream, fcntl.F_SETSIG, signal.SIGURG)
        try:
            fcntl.fcntl(stream, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError:
            return True
        fcntl.fcntl(stream, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False
    return None
