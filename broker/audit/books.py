"""The reconciler's books, kept in a small local file that follows the log, so that each round reads only what is new.

The log is the truth and the file is only a summary of it: it can be deleted at any time and is then written again. It holds no id
of anybody: one byte for each accepted record, and the places of what is on its way or with people now.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import merge
from itertools import islice
from pathlib import Path

from broker.audit.local_file import open_local, transaction
from broker.audit.pages import SIZE, Pages
from broker.core.account.balance import FINAL, Balance, End, Fault, terms
from broker.core.model.ports import Position

NAMED = 1_000  # faults named one by one in each partition; the rest is counted
_END, _PRESENT = 7, 8  # of a byte: how the record ended, and whether there is one at this offset
_LOST = re.compile(b"\x08")  # a record that ended nowhere
_MADE_UP = re.compile(b"[\x03-\x07]")  # an end without a record
_UNSETTLED = re.compile(b"\x09")  # a record in flight
_ANY = re.compile(b"[\x08-\x0f]")  # a record, however it ended
_PASSING = frozenset({End.IN_FLIGHT, End.IN_REVIEW})
_NOWHERE = "accepted and then nowhere: neither decided, nor in review, dead-lettered or in flight"
_NO_RECORD = "accounted for, but there is no such record"
_SHIFT = 1 << 44  # a record is one number: lane above, offset below
_TABLES = """
CREATE TABLE IF NOT EXISTS lanes (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, first INTEGER NOT NULL,
    end INTEGER NOT NULL, taken INTEGER NOT NULL, ends TEXT NOT NULL, made_up INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS pages (page INTEGER PRIMARY KEY, marks BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS held (place TEXT NOT NULL, key INTEGER NOT NULL, record INTEGER NOT NULL,
    PRIMARY KEY (place, key, record)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS held_by_record ON held (record, place);
CREATE TABLE IF NOT EXISTS torn (record INTEGER PRIMARY KEY, words TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS followed (place TEXT PRIMARY KEY, next_offset INTEGER NOT NULL) WITHOUT ROWID;
"""
_REVIEWS = "reviews"
_WAITS = "waits"


@dataclass(slots=True)
class _Lane:
    """One partition of an events topic: from which offset to which it is in the books, and how far it was taken in."""

    number: int
    name: str
    first: int
    end: int
    taken: int = 0
    ends: list[int] = field(default_factory=lambda: [0] * len(End))
    made_up: int = 0

    def record(self, offset: int) -> int:
        return self.number * _SHIFT + offset


class Books:
    """The books of all events topics, filled from headers and balanced at the end of each round.

    A round must look first where the events topics end, then how far every stage has committed, then `begin`, then read on:
    events, waits, reviews, what is on its way, audit, dead letters, each up to its end at that time. Otherwise what moves
    meanwhile would look lost. Everything that changes them happens within `batch`.
    """

    def __init__(self, path: Path | None, log_id: str) -> None:
        """Open or make the books of a log; books of another log, or damaged ones, are begun again. No path: for once only."""
        self._database = open_local(path, _TABLES, log_id)
        self._pages = Pages(self._database)
        self._lanes: dict[str, _Lane] = {}
        self._numbered: dict[int, _Lane] = {}
        self._next: dict[str, int] = {}
        self._load()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Keep what is noted within, all or nothing: when it fails, these books must be closed and opened again."""
        with transaction(self._database):
            yield
            self._save()

    def next_offset(self, place: str) -> int:
        """Return the first offset of a topic's partition that was not read yet."""
        return self._next.get(place, 0)

    def read_to(self, place: str, offset: int) -> None:
        """Note how far a topic's partition was read."""
        self._next[place] = offset

    def begin(self, firsts: Mapping[str, int], taken: Mapping[str, int]) -> None:
        """Begin a round: the first offset that Kafka still holds of each lane, and how far the first stage has taken it in."""
        for name, first in firsts.items():
            if name not in self._lanes:
                self._add(_Lane(len(self._lanes), name, first, first, first))
            lane = self._lanes[name]
            self._forget(lane, first)
            before, lane.taken = lane.taken, max(lane.taken, taken.get(name, first))
            for record in list(self._pages.find(_UNSETTLED, lane.record(before), lane.record(min(lane.taken, lane.end)))):
                self._settle(record)

    def accept(self, lane_name: str, offset: int) -> None:
        """Note that there is a record at this offset of a lane: offsets may have gaps."""
        lane = self._lanes[lane_name]
        record = lane.record(offset)
        mark = self._pages.get(record)
        if mark & _PRESENT or offset < lane.first:
            return
        end = mark or (End.IN_FLIGHT if offset >= lane.taken else End.NOWHERE)
        self._pages.set(record, end | _PRESENT)
        lane.ends[end] += 1
        if mark in _PASSING:
            self._settle(record)  # what held it may have let go before it was known here

    def accepted_to(self, lane_name: str, end: int) -> None:
        """Note that every record of a lane before `end` was brought."""
        lane = self._lanes[lane_name]
        lane.made_up += sum(1 for _ in self._pages.find(_MADE_UP, lane.record(lane.end), lane.record(end)))
        lane.end = max(lane.end, end)

    def end(self, origin: Position | None, end: End) -> None:
        """Note how a record ended; one without an origin (a clock, an epoch, a receipt) is not in this equation."""
        found = self._find(origin)
        if found is None:
            return
        lane, record = found
        before = End(self._pages.get(record) & _END)
        if before in FINAL and end in FINAL and before is not end:
            words = f"accounted for twice: {before.name.lower()} and {end.name.lower()}"
            self._database.execute("INSERT OR IGNORE INTO torn VALUES (?, ?)", (record, words))
        if end > before:
            self._set(lane, record, end)

    def on_its_way(self, place: str, offset: int, origin: Position | None) -> None:
        """Note a record between two stages: what it is of is in flight until the next stage has committed it."""
        found = self._find(origin)
        if found is not None:
            self._hold(place, offset, *found)

    def committed(self, place: str, offset: int) -> None:
        """Note that a stage has committed all before an offset: nothing is on its way there any more."""
        self._release(place, 0, offset - 1)

    def review(self, name: str, origin: Position | None, *, is_open: bool) -> None:
        """Note a review, in the order of the log: an open one holds its record, a closed one holds it no more."""
        key, found = _key(name.encode()), self._find(origin)
        if not is_open:
            self._release(_REVIEWS, key, key)
        elif found is not None:
            self._hold(_REVIEWS, key, *found)

    def waits(self, name: bytes, origins: Iterable[Position]) -> None:
        """Note which records wait in a piece of state: those that were named before and are not now wait no more."""
        key = _key(name)
        self._release(_WAITS, key, key)
        for found in map(self._find, origins):
            if found is not None:
                self._hold(_WAITS, key, *found)

    def balance(self) -> list[Balance]:
        """Draw the line under every partition."""
        return [self._balance(lane) for _, lane in sorted(self._lanes.items())]

    def _find(self, origin: Position | None) -> tuple[_Lane, int] | None:
        """Return the lane and the number of an accepted record, when it is in these books."""
        lane = self._lanes.get(origin.lane) if origin is not None else None
        if lane is None or origin is None or origin.offset < lane.first:
            return None
        return lane, lane.record(origin.offset)

    def _hold(self, place: str, key: int, lane: _Lane, record: int) -> None:
        self._database.execute("INSERT OR IGNORE INTO held VALUES (?, ?, ?)", (place, key, record))
        end = End.IN_REVIEW if place == _REVIEWS else End.IN_FLIGHT
        if end > self._pages.get(record) & _END:
            self._set(lane, record, end)

    def _release(self, place: str, first: int, last: int) -> None:
        """Let go of what one place holds under keys from `first` up to and with `last`."""
        which = (place, first, last)
        records = self._database.execute("SELECT record FROM held WHERE place = ? AND key BETWEEN ? AND ?", which).fetchall()
        if records:
            self._database.execute("DELETE FROM held WHERE place = ? AND key BETWEEN ? AND ?", which)
        for (record,) in records:
            self._settle(record)

    def _settle(self, record: int) -> None:
        """See what still holds a record that has not ended, now that something holds it no more."""
        lane = self._numbered.get(record // _SHIFT)
        if lane is None or self._pages.get(record) & _END not in _PASSING:
            return
        places = {place for (place,) in self._database.execute("SELECT place FROM held WHERE record = ?", (record,))}
        moving = places or record % _SHIFT >= lane.taken
        self._set(lane, record, End.IN_REVIEW if _REVIEWS in places else End.IN_FLIGHT if moving else End.NOWHERE)

    def _set(self, lane: _Lane, record: int, end: End) -> None:
        mark = self._pages.get(record)
        self._pages.set(record, mark & _PRESENT | end)
        if mark & _PRESENT:
            lane.ends[mark & _END] -= 1
            lane.ends[end] += 1
        elif mark < End.LEFT_TO_PEOPLE <= end and record < lane.record(lane.end):
            lane.made_up += 1

    def _forget(self, lane: _Lane, first: int) -> None:
        """Leave out what Kafka no longer holds, by whole pages."""
        begin = min(first, lane.end) // SIZE * SIZE
        if begin <= lane.first:
            return
        span = lane.record(lane.first), lane.record(begin)
        lane.made_up -= sum(1 for _ in self._pages.find(_MADE_UP, *span))
        for record in self._pages.find(_ANY, *span):
            lane.ends[self._pages.get(record) & _END] -= 1
        self._pages.forget(lane.record(lane.first // SIZE * SIZE), span[1])
        for table in ("torn", "held"):
            self._database.execute(f"DELETE FROM {table} WHERE record >= ? AND record < ?", span)  # noqa: S608 - two names
        lane.first = begin

    def _balance(self, lane: _Lane) -> Balance:
        topic, _, partition = lane.name.rpartition("/")
        span = lane.record(lane.first), lane.record(lane.end)
        torn = self._database.execute("SELECT record, words FROM torn WHERE record >= ? AND record < ?", span).fetchall()
        faults = (
            Fault(topic=topic, partition=int(partition), offset=record % _SHIFT, problem=problem)
            for record, problem in merge(
                ((one, _NOWHERE) for one in self._pages.find(_LOST, *span)) if lane.ends[End.NOWHERE] else (),
                ((one, _NO_RECORD) for one in self._pages.find(_MADE_UP, *span)) if lane.made_up else (),
                sorted(torn),
            )
        )
        return Balance(
            topic=topic,
            partition=int(partition),
            first=lane.first,
            end=lane.end,
            counts=terms({end: lane.ends[end] for end in End}),
            faults=tuple(islice(faults, NAMED)),
            faults_in_all=lane.ends[End.NOWHERE] + lane.made_up + len(torn),
        )

    def _load(self) -> None:
        for number, name, first, end, taken, ends, made_up in self._database.execute("SELECT * FROM lanes"):
            self._add(_Lane(number, name, first, end, taken, json.loads(ends), made_up))
        self._next = dict(self._database.execute("SELECT place, next_offset FROM followed"))

    def _add(self, lane: _Lane) -> None:
        self._lanes[lane.name] = self._numbered[lane.number] = lane

    def _save(self) -> None:
        self._pages.save()
        lanes = self._lanes.values()
        rows = ((one.number, one.name, one.first, one.end, one.taken, json.dumps(one.ends), one.made_up) for one in lanes)
        self._database.executemany("INSERT OR REPLACE INTO lanes VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        self._database.executemany("INSERT OR REPLACE INTO followed VALUES (?, ?)", self._next.items())


def _key(some: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(some, digest_size=8).digest(), "big", signed=True)
