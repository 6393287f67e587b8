"""Read the CSV tables that COLLECT exports for a school census, and join them, in memory that does not grow with them.

It knows tables, columns and keys, and nothing of what they mean: that is `school_census.py`.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from pathlib import PurePath

import msgspec

from broker.core.intake.delimited import BadRow, rows_of
from broker.core.intake.delivery import Delivery, Finding, Piece, open_text
from broker.errors import DeliveryError

# Every table of the census that a set may hold, pupils first (names as in the DfE's COLLECT exports, 2015-2026).
PUPILS = ("pupilnolongeronroll", "pupilonroll")
READ = (
    *PUPILS, "termlyexclusionsonroll", "termlyexclusionsoffroll", "termlysessiondetailsonroll", "termlysessiondetailsoffroll",
    "addressesonroll", "addressesoffroll", "schoolcensus",
)  # fmt: skip
NOT_NEEDED = (
    "annualsessiondetailsoffroll", "annualsessiondetailsonroll", "childcare", "fsmperiod", "fsmperiods", "fsmperiodsonroll",
    "learnerfamoffroll", "learnerfamonroll", "learningaimsoffroll", "learningaimsonroll", "levels", "programmeaimsonroll",
    "school", "schoolarrangedapdetailoffroll", "schoolarrangedapdetailonroll", "senneeds", "summerhalfterm2sessiondetailsoffroll",
    "summerhalfterm2sessiondetailsonroll", "workplaceentityoffroll", "workplaceentityonroll",
)  # fmt: skip
_NAME = re.compile(rf"^(?P<prefix>.*?)(?P<table>{'|'.join(sorted((*READ, *NOT_NEEDED), key=len, reverse=True))})\.csv$")
_YEAR = re.compile(r"(?<!\d)(20\d\d)(?!\d)")
_TERMS = {"spring": "1", "spr": "1", "summer": "2", "sum": "2", "autumn": "3", "aut": "3"}
_MONTHS = {
    name.lower(): place
    for place, name in enumerate(("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"))
}
_ISO = re.compile(r"(\d{4})-(\d{1,2}|[A-Za-z]{3})-(\d{1,2})(?:[ T][\d:.]*)?Z?")
_UK = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: [\d:.]*)?")
_SPILL = 20_000  # rows kept in memory before the rest goes to disk
_BATCH = 10_000


def name_parts(name: str) -> tuple[str, str] | None:
    """Split a file's name into what its set has in common and its table; None when it names no census table."""
    found = _NAME.match(PurePath(name).name.lower())
    return (found["prefix"], found["table"]) if found else None


def term_of(text: str) -> str:
    """Return a name that orders the terms of the calendar years, for example `2025-1` for spring; empty when not said."""
    year, term = _YEAR.search(text), re.search("|".join(_TERMS), text.lower())
    return f"{year[1]}-{_TERMS[term[0]]}" if year and term else ""


@lru_cache(maxsize=65_536)
def iso_date(text: str) -> str | None:
    """Return `2025-Feb-14 00:00:00`, `2025-02-14` or `14/02/2025` as an ISO date; None when it is no date."""
    found = _ISO.fullmatch(text)
    if found:
        year, month, day = found.groups()
    else:
        found = _UK.fullmatch(text)
        if not found:
            return None
        day, month, year = found.groups()
    number = int(month) if month.isdigit() else _MONTHS.get(month.lower(), 0)
    with suppress(ValueError):
        return date(int(year), number, int(day)).isoformat()
    return None


@lru_cache(maxsize=4_096)
def whole(text: str) -> int | None:
    """Return `10` or `10.0` as a number; None when it is none."""
    number, _, rest = text.partition(".")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 7 and not rest.strip("0") else None


@dataclass(slots=True)
class Table:
    """One table of the set. `problems` holds what was wrong with its rows until somebody takes it."""

    name: str
    piece: Piece
    columns: Mapping[str, int]
    problems: list[Finding] = field(default_factory=list)

    def rows(self, wanted: Sequence[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Yield line number and values of the wanted columns, empty where the table has no such column."""
        width = len(self.columns)
        pick = itemgetter(*(self.columns.get(column, width) for column in wanted))
        with open_text(self.piece) as text:
            lines = rows_of(text)
            next(lines, None)
            for line, row in lines:
                if isinstance(row, BadRow):
                    self._unreadable(line)
                elif len(row) == width:
                    row.append("")
                    yield line, pick(row)
                elif any(row):
                    self._short(line, len(row), width)

    def _short(self, line: int, found: int, width: int) -> None:
        self.problems.append(
            Finding(
                "error",
                "row_length",
                self.place(line),
                f"the row has {found} columns where the heading has {width}: left out",
                "export the table again; a file that ends in mid-row was cut off on its way",
            )
        )

    def _unreadable(self, line: int) -> None:
        self.problems.append(
            Finding(
                "error",
                "unreadable",
                self.place(line),
                "the row cannot be read (a quotation mark that never ends, or far too much text): left out",
                "correct it in the school's own system, or export the table again",
            )
        )

    def place(self, line: int) -> str:
        """Say where a row stands."""
        return f"{self.piece.name} line {line}"

    def take_problems(self) -> list[Finding]:
        """Hand over what was wrong since the last time."""
        taken, self.problems = self.problems, []
        return taken


def open_tables(delivery: Delivery) -> tuple[dict[str, Table], list[Finding]]:
    """Find out which tables were delivered; raises DeliveryError when none is of the census."""
    tables: dict[str, Table] = {}
    findings: list[Finding] = []
    for piece in delivery.pieces:
        with open_text(piece) as text:
            _, first = next(rows_of(text), (0, BadRow.FORM))
        header = [] if isinstance(first, BadRow) else first
        columns = {column.strip().lower(): place for place, column in enumerate(header)}
        name = _table_name(piece.name, columns)
        trouble = _trouble(name, columns, len(header), tables)
        if trouble:
            findings.append(Finding("warning", "table_left_out", piece.name, *trouble))
        elif name in READ:
            tables[name] = Table(name, piece, columns)
    if not tables:
        raise DeliveryError(
            "not one table of a school census is in the delivery: export pupilonroll, pupilnolongeronroll, termlyexclusions "
            "and termlysessiondetails from COLLECT as CSV, with their headings"
        )
    return tables, findings


def _table_name(name: str, columns: Mapping[str, int]) -> str:
    ordered = next((column.removesuffix("orderseqcolumn") for column in columns if column.endswith("orderseqcolumn")), "")
    parts = name_parts(name)
    return ordered or (parts[1] if parts else "")


def _trouble(name: str, columns: Mapping[str, int], width: int, tables: Mapping[str, Table]) -> tuple[str, str] | None:
    if name in tables:
        return f"the table {name} came twice: only the first is read", "deliver one term of one export at a time"
    if name in READ and len(columns) != width:
        return "two columns have the same heading: not read", "export the table again"
    if name in READ and name != "schoolcensus" and key_column(name) not in columns:
        return (
            f"the column {key_column(name)} is missing, by which tables are joined: not read",
            "export the table with all columns",
        )
    if name and name not in READ and name not in NOT_NEEDED:
        return "the table is none that the census is known to have: not read", "nothing, unless it was meant to be read"
    return None if name else ("no heading says which table this is: not read", "export the table with its headings")


def key_column(table: str) -> str:
    """Return the column that names the pupil in a table."""
    return "pupilnolongeronrolltableid" if table.endswith("offroll") or table == "pupilnolongeronroll" else "pupilonrolltableid"


class Index:
    """Rows of the smaller tables by pupil: in memory while they are few, in a temporary file on disk beyond that."""

    def __init__(self, spill: int = _SPILL) -> None:
        self._spill = spill
        self._memory: dict[str, list[list[object]]] = {}
        self._count = 0
        self._disk: sqlite3.Connection | None = None
        self._waiting: list[tuple[str, bytes]] = []
        self._taken: dict[str, list[tuple[int]]] = {}

    def add(self, key: str, row: list[object]) -> None:
        """Keep a row under a pupil's key."""
        if self._count < self._spill:
            self._memory.setdefault(key, []).append(row)
            self._count += 1
            return
        self._waiting.append((key, msgspec.json.encode(row)))
        if len(self._waiting) >= _BATCH:
            self._write()

    def _write(self) -> None:
        if self._disk is None:
            self._disk = sqlite3.connect("", isolation_level=None)  # "" is a private temporary file that nobody else sees
            self._disk.executescript(
                "PRAGMA journal_mode=OFF; PRAGMA cache_size=-8192; CREATE TABLE kept (key TEXT, value BLOB);"
            )
        self._disk.execute("BEGIN")
        self._disk.executemany("INSERT INTO kept VALUES (?, ?)", self._waiting)
        self._disk.execute("COMMIT")
        self._waiting.clear()

    def close_writing(self) -> None:
        """Make what was added ready to be taken."""
        if self._waiting:
            self._write()
        if self._disk is not None:
            self._disk.execute("CREATE INDEX by_key ON kept (key)")

    def take(self, key: str) -> list[list[object]]:
        """Return a pupil's rows in the order of the file, once."""
        rows = self._memory.pop(key, [])
        if self._disk is not None and key not in self._taken:
            found = self._disk.execute("SELECT rowid, value FROM kept WHERE key = ? ORDER BY rowid", (key,)).fetchall()
            rows.extend(msgspec.json.decode(value) for _, value in found)
            self._taken[key] = [(place,) for place, _ in found]
            if len(self._taken) >= _BATCH:
                self._forget_taken()
        return rows

    def _forget_taken(self) -> None:
        if self._disk is not None:
            self._disk.execute("BEGIN")
            self._disk.executemany("DELETE FROM kept WHERE rowid = ?", sorted(chain.from_iterable(self._taken.values())))
            self._disk.execute("COMMIT")
        self._taken.clear()

    def left(self) -> Iterator[list[object]]:
        """Yield the rows that nobody took."""
        self._forget_taken()
        for rows in self._memory.values():
            yield from rows
        if self._disk is not None:
            for (value,) in self._disk.execute("SELECT value FROM kept ORDER BY rowid"):
                yield msgspec.json.decode(value)

    def close(self) -> None:
        """Give the temporary file back."""
        if self._disk is not None:
            self._disk.close()
