"""Small local files that follow the log: made when missing, emptied when they are of another log, made anew when damaged."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

_LOCK_SECONDS = 30


def open_local(path: Path | None, tables: str, log_id: str) -> sqlite3.Connection:
    """Open a file that follows the log of this id; no path: one that is gone when it is closed.

    The caller commits by itself. Raises sqlite3.OperationalError when the folder cannot be used.
    """
    if path is None:
        return _open("", tables, log_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _open(str(path), tables, log_id)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        remove(path)
        return _open(str(path), tables, log_id)


def is_damage(error: sqlite3.Error) -> bool:
    """Tell whether a file is no database, or not a whole one, rather than locked, full or not permitted."""
    return type(error) is sqlite3.DatabaseError


def is_damaged(path: Path) -> bool:
    """Look at a file, without changing it, and tell whether it is damaged; one that is not there is well."""
    if not path.exists():
        return False
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_LOCK_SECONDS)
    except sqlite3.Error:
        return False
    with closing(database):
        try:
            return bool(database.execute("PRAGMA quick_check(1)").fetchone() != ("ok",))
        except sqlite3.DatabaseError as error:
            return is_damage(error)


def remove(path: Path) -> None:
    """Remove a file and what SQLite keeps beside it."""
    for name in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + name).unlink()


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """Keep what is written within, all or nothing."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def _open(name: str, tables: str, log_id: str) -> sqlite3.Connection:
    database = sqlite3.connect(name, isolation_level=None, timeout=_LOCK_SECONDS)
    try:
        database.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; {tables}")
        database.execute("CREATE TABLE IF NOT EXISTS log (id TEXT NOT NULL)")
        known = database.execute("SELECT id FROM log").fetchone()
        if known is None or known[0] != log_id:
            _start_again(database, log_id)
    except BaseException:
        database.close()
        raise
    return database


def _start_again(database: sqlite3.Connection, log_id: str) -> None:
    with transaction(database):
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            database.execute(f"DELETE FROM {table}")  # noqa: S608 - a name that SQLite itself gave
        database.execute("INSERT INTO log VALUES (?)", (log_id,))
