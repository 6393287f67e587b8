"""Where each audit entry lies: ids of events, decisions, disclosures and children to partition and offset, in a small local file.

The log is the truth and this only finds things in it: it can be deleted at any time and is then built again. It holds no
ids, only the first eight bytes of their hashes, so the reader must check that the entry found is the one meant.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from broker import codec
from broker.audit.local_file import open_local, transaction
from broker.codec import Message
from broker.core.model.ports import Record
from broker.errors import RejectError

_BATCH = 5_000
_SHIFT = 1 << 48  # a place is one number: partition above, offset below
_TABLES = """
CREATE TABLE IF NOT EXISTS places (key INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (key, place)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counts (kind TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (kind, name));
CREATE TABLE IF NOT EXISTS followed (partition INTEGER PRIMARY KEY, next_offset INTEGER NOT NULL);
"""

_FOLLOWED = """
INSERT INTO followed VALUES (?, ?) ON CONFLICT (partition) DO UPDATE SET next_offset = max(next_offset, excluded.next_offset)
"""


_COUNTED = """
INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT (kind, name) DO UPDATE SET number = number + excluded.number
"""
_FORM = 3  # of the tables; a file of another form is made anew


class Place(NamedTuple):
    """Where an audit entry lies."""

    partition: int
    offset: int


class AuditIndex:
    """An index that follows the audit log. Several processes may follow at once: the same entry indexed twice is there once."""

    def __init__(self, path: Path, log_id: str) -> None:
        """Open or make the index; `log_id` names the log: an index of another log is emptied, a damaged one made anew."""
        self._database = open_local(path, _TABLES, f"{_FORM}:{log_id}")

    def next_offset(self, partition: int) -> int:
        """Return the first offset of a partition that is not indexed yet."""
        row = self._database.execute("SELECT next_offset FROM followed WHERE partition = ?", (partition,)).fetchone()
        return int(row[0]) if row else 0

    def follow(self, records: Iterable[Record]) -> int:
        """Index and count audit entries in the order of the log; return how many were new. Safe to break off at any time."""
        remaining, count = iter(records), 0
        while batch := list(islice(remaining, _BATCH)):
            with transaction(self._database):
                count += self._add(batch)
        return count

    def counted(self, kind: str) -> Counter[str]:
        """Return how many there are so far by outcome: of `records`, or of the `decisions` in them."""
        return Counter(dict(self._database.execute("SELECT name, number FROM counts WHERE kind = ?", (kind,))))

    def find(self, some_id: str) -> list[Place]:
        """Return where entries that mention an event, decision, disclosure or child by its id may lie, oldest place first."""
        rows = self._database.execute("SELECT place FROM places WHERE key = ? ORDER BY place", (_key(some_id),))
        return [Place(*divmod(place, _SHIFT)) for (place,) in rows]

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _add(self, batch: list[Record]) -> int:
        """Add what no other process has added meanwhile: an entry must count once."""
        begins = {partition: self.next_offset(partition) for partition in {record.partition for record in batch}}
        new = [record for record in batch if record.offset >= begins[record.partition]]
        entries = [(record, entry) for record in new if (entry := _entry(record)) is not None]
        rows = [(_key(one), record.partition * _SHIFT + record.offset) for record, entry in entries for one in _ids(entry)]
        self._database.executemany("INSERT OR IGNORE INTO places VALUES (?, ?)", rows)
        counts = Counter(("records", entry["outcome"].lower()) for _, entry in entries)
        counts.update(("decisions", one["outcome"].lower()) for _, entry in entries for one in entry["decisions"])
        self._database.executemany(_COUNTED, [(*what, number) for what, number in counts.items()])
        ends = {record.partition: record.offset + 1 for record in new}
        self._database.executemany(_FOLLOWED, ends.items())
        return len(new)


def mentions(entry: Message, some_id: str) -> bool:
    """Tell whether an audit entry is about an event, decision, disclosure or child."""
    return some_id in _ids(entry)


def _entry(record: Record) -> Message | None:
    try:
        return codec.decode("audit_entry", record.value) if record.value is not None else None
    except RejectError:
        return None  # not ours: the reconciler names it, the index goes on


def _ids(entry: Message) -> set[str]:
    decisions = entry["decisions"]
    found = {entry["entry_id"], entry["event_id"], *entry["concerns"]}
    found.update({entry["child_ref"]} if entry["child_ref"] else ())
    found.update(decision["decision_id"] for decision in decisions)
    found.update(decision["disclosure_id"] for decision in decisions if decision["disclosure_id"])
    return found


def _key(some_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(some_id.encode(), digest_size=8).digest(), "big", signed=True)
