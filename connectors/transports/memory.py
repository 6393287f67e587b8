"""What a connector remembers, kept in one SQLite file: it lasts only when it is committed, after publication."""

import sqlite3
from bisect import bisect_left, insort
from collections.abc import Iterator
from pathlib import Path

from broker.core.model.identifiers import Digest
from broker.errors import StopError

_TABLES = """
CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS delivered (digest TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS latest (one INTEGER PRIMARY KEY CHECK (one = 1), digest TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS log (topic TEXT PRIMARY KEY, id TEXT NOT NULL) WITHOUT ROWID;
"""
_LAST = chr(0x10FFFF)
_PAGE = 500
_AT_ONCE = 5_000  # changes held before they are written


class SqliteMemory:
    """The memory of one agency's deliveries in one format. Only one process can hold it: a second one is told so.

    Everything between `begin` and `commit` is one transaction; a crash in between leaves what was committed before.
    """

    def __init__(self, file: Path) -> None:
        """Open or make the file; raises StopError when another process holds it or it is no such file."""
        self._waiting: dict[str, bytes | None] = {}
        self._order: list[str] = []  # the keys of what waits, in order
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = sqlite3.connect(file, isolation_level=None, timeout=1)
            self._database.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.executescript(_TABLES)
        except sqlite3.Error as error:
            raise StopError(
                f"memory `{file}`: {error}: stop the other connector that works for this agency, or put a sound copy back"
            ) from error

    def begin(self) -> None:
        """Begin what is to last together, and drop what was begun and not committed."""
        self.rollback()
        self._database.execute("BEGIN IMMEDIATE")

    def rollback(self) -> None:
        """Drop what was not committed."""
        self._forget_waiting()
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")

    def commit(self) -> None:
        """Make it last, on disk."""
        self._write()
        self._database.execute("COMMIT")

    def close(self) -> None:
        """Drop what was not committed and let go of the file."""
        self.rollback()
        self._database.close()

    def delivered(self, digest: Digest) -> tuple[int, bool] | None:
        """Return when these very files were delivered, in milliseconds since 1970, and whether all of them was taken; or None."""
        row = self._database.execute("SELECT at FROM delivered WHERE digest = ?", (digest,)).fetchone()
        return (abs(int(row[0])), int(row[0]) > 0) if row else None

    def note_delivered(self, digest: Digest, at: int, *, whole: bool = True) -> None:
        """Remember that these very files were delivered, and that they may say more later where they were not taken `whole`."""
        self._database.execute("INSERT OR REPLACE INTO delivered VALUES (?, ?)", (digest, at if whole else -at))
        self._database.execute("INSERT OR REPLACE INTO latest VALUES (1, ?)", (digest,))

    def is_latest(self, digest: Digest) -> bool:
        """Tell whether nothing else was delivered since these very files were."""
        return self._database.execute("SELECT 1 FROM latest WHERE digest = ?", (digest,)).fetchone() is not None

    def deliveries(self) -> tuple[int, int]:
        """Return how many deliveries are remembered, and when the last came, in milliseconds since 1970."""
        number, last = self._database.execute("SELECT count(*), max(abs(at)) FROM delivered").fetchone()
        return int(number), int(last or 0)

    def log(self, topic: str) -> str | None:
        """Return Kafka's id of the topic that was published to, as it was noted; None where it was not."""
        row = self._database.execute("SELECT id FROM log WHERE topic = ?", (topic,)).fetchone()
        return str(row[0]) if row else None

    def note_log(self, topic: str, log_id: str) -> None:
        """Remember Kafka's id of the topic that is published to."""
        self._database.execute("INSERT OR REPLACE INTO log VALUES (?, ?)", (topic, log_id))

    def forget_all(self) -> None:
        """Forget everything, and make that last: what comes next is the first delivery."""
        self.begin()
        for table in ("kept", "delivered", "latest", "log"):
            self._database.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own
        self.commit()

    def get(self, key: str) -> bytes | None:
        """Return what was put under a key, or None."""
        if key in self._waiting:
            return self._waiting[key]
        row = self._database.execute("SELECT value FROM kept WHERE key = ?", (key,)).fetchone()
        return bytes(row[0]) if row else None

    def put(self, key: str, value: bytes) -> None:
        """Remember a value."""
        self._wait(key, value)

    def delete(self, key: str) -> None:
        """Forget a key."""
        self._wait(key, None)

    def items(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Yield all keys that start with a prefix, in their order; what was yielded may be changed meanwhile."""
        query = "SELECT key, value FROM kept WHERE key >= ? AND key < ? ORDER BY key LIMIT ?"
        after = prefix
        self._write_what_begins(prefix)
        while page := self._database.execute(query, (after, prefix + _LAST, _PAGE)).fetchall():
            for key, value in page:
                yield str(key), bytes(value)
            after = f"{page[-1][0]}\x00"
            self._write_what_begins(prefix)

    def _wait(self, key: str, value: bytes | None) -> None:
        """Keep a change until there are many: written in the order of keys, they cost a third."""
        if key not in self._waiting:
            insort(self._order, key)
        self._waiting[key] = value
        if len(self._waiting) >= _AT_ONCE:
            self._write()

    def _write_what_begins(self, prefix: str) -> None:
        """Write what waits, if any of it begins so: else a look at one pupil would write a few rows each time."""
        place = bisect_left(self._order, prefix)
        if place < len(self._order) and self._order[place].startswith(prefix):
            self._write()

    def _write(self) -> None:
        changes = [(key, self._waiting[key]) for key in self._order]
        self._forget_waiting()
        kept = [(key, value) for key, value in changes if value is not None]
        self._database.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", kept)
        self._database.executemany("DELETE FROM kept WHERE key = ?", [(key,) for key, value in changes if value is None])

    def _forget_waiting(self) -> None:
        self._waiting.clear()
        self._order.clear()
