"""Where each audit entry lies: ids of events, decisions and disclosures to partition and offset, in a small local file.

The log is the truth and this only finds things in it: it can be deleted at any time and is then built again. It holds no
ids, only the first eight bytes of their hashes, so the reader must check that the entry found is the one meant.
"""

import hashlib
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from broker import codec
from broker.audit.local_file import open_local, transaction
from broker.codec import Message
from broker.core.ports import Record
from broker.errors import RejectError

_BATCH = 5_000
_SHIFT = 1 << 48  # a place is one number: partition above, offset below
_TABLES = """
CREATE TABLE IF NOT EXISTS places (key INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (key, place)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS followed (partition INTEGER PRIMARY KEY, next_offset INTEGER NOT NULL);
"""

_FOLLOWED = """
INSERT INTO followed VALUES (?, ?) ON CONFLICT (partition) DO UPDATE SET next_offset = max(next_offset, excluded.next_offset)
"""


class Place(NamedTuple):
    """Where an audit entry lies."""

    partition: int
    offset: int


class AuditIndex:
    """An index that follows the audit log. Several processes may follow at once: the same entry indexed twice is there once."""

    def __init__(self, path: Path, log_id: str) -> None:
        """Open or make the index; `log_id` names the log: an index of another log is emptied, a damaged one made anew."""
        self._database = open_local(path, _TABLES, log_id)

    def next_offset(self, partition: int) -> int:
        """Return the first offset of a partition that is not indexed yet."""
        row = self._database.execute("SELECT next_offset FROM followed WHERE partition = ?", (partition,)).fetchone()
        return int(row[0]) if row else 0

    def follow(self, records: Iterable[Record]) -> int:
        """Index audit entries in the order of the log and return how many; safe to break off at any time."""
        remaining, count = iter(records), 0
        while batch := list(islice(remaining, _BATCH)):
            with transaction(self._database):
                self._add(batch)
            count += len(batch)
        return count

    def find(self, some_id: str) -> list[Place]:
        """Return where entries that mention an event, decision or disclosure id may lie, oldest place first."""
        rows = self._database.execute("SELECT place FROM places WHERE key = ? ORDER BY place", (_key(some_id),))
        return [Place(*divmod(place, _SHIFT)) for (place,) in rows]

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _add(self, batch: list[Record]) -> None:
        rows = [(_key(one), record.partition * _SHIFT + record.offset) for record in batch for one in _ids_of(record)]
        self._database.executemany("INSERT OR IGNORE INTO places VALUES (?, ?)", rows)
        ends = {record.partition: record.offset + 1 for record in batch}
        self._database.executemany(_FOLLOWED, ends.items())


def mentions(entry: Message, some_id: str) -> bool:
    """Tell whether an audit entry is about an event, decision or disclosure."""
    return some_id in _ids(entry)


def _ids_of(record: Record) -> Iterable[str]:
    if record.value is None:
        return ()
    try:
        return _ids(codec.decode("audit_entry", record.value))
    except RejectError:
        return ()  # not ours: the reconciler names it, the index goes on


def _ids(entry: Message) -> set[str]:
    decisions = entry["decisions"]
    found = {entry["entry_id"], entry["event_id"], *entry["concerns"]}
    found.update(decision["decision_id"] for decision in decisions)
    found.update(decision["disclosure_id"] for decision in decisions if decision["disclosure_id"])
    return found


def _key(some_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(some_id.encode(), digest_size=8).digest(), "big", signed=True)
