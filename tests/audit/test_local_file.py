"""A local file that is damaged is noticed, and made anew from the log; one that is merely in the way is left alone."""

import sqlite3
from pathlib import Path

import pytest

from broker.audit.local_file import is_damaged, open_local

TABLES = "CREATE TABLE IF NOT EXISTS places (key INTEGER PRIMARY KEY, place INTEGER NOT NULL);"
GARBAGE = bytes(range(256)) * 64


def a_file(path: Path, rows: int = 4_000) -> Path:
    database = open_local(path, TABLES, "log-1")
    database.executemany("INSERT INTO places VALUES (?, ?)", ((at, at) for at in range(rows)))
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path


def test_a_whole_file_and_one_that_is_not_there_are_well(tmp_path: Path) -> None:
    assert not is_damaged(a_file(tmp_path / "index.sqlite"))
    assert not is_damaged(tmp_path / "nowhere.sqlite")


@pytest.mark.parametrize("begin", [0, 8_192])
def test_a_file_with_garbage_in_it_is_damaged(tmp_path: Path, begin: int) -> None:
    file = a_file(tmp_path / "index.sqlite")
    content = file.read_bytes()
    file.write_bytes(content[:begin] + GARBAGE + content[begin + len(GARBAGE) :])

    assert is_damaged(file)


def test_a_file_that_is_no_database_is_made_anew(tmp_path: Path) -> None:
    file = a_file(tmp_path / "index.sqlite")
    file.write_bytes(GARBAGE)

    database = open_local(file, TABLES, "log-1")

    assert database.execute("SELECT count(*) FROM places").fetchone() == (0,)
    database.close()
    assert not is_damaged(file)


def test_a_folder_that_cannot_be_used_is_told_and_nothing_is_removed(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite").mkdir()

    with pytest.raises(sqlite3.OperationalError):
        open_local(tmp_path / "index.sqlite", TABLES, "log-1")
    assert (tmp_path / "index.sqlite").is_dir()
