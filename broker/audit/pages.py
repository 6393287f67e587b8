"""One byte for each accepted record, in pages of a local file: what is in memory at once is bounded, however long the log."""

import re
import sqlite3
from collections.abc import Iterator

SIZE = 1 << 14  # records in a page
_MOST_OPEN = 256  # pages kept in memory that were not changed


class Pages:
    """Bytes by number, 0 where nothing was set. `save` within a transaction; what is not saved is lost with the object."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._open: dict[int, bytearray] = {}
        self._changed: set[int] = set()

    def get(self, number: int) -> int:
        """Return a byte."""
        return self._page(number // SIZE)[number % SIZE]

    def set(self, number: int, value: int) -> None:
        """Set a byte."""
        page = number // SIZE
        self._page(page)[number % SIZE] = value
        self._changed.add(page)

    def find(self, pattern: re.Pattern[bytes], first: int, end: int) -> Iterator[int]:
        """Return the numbers from `first` up to and without `end` whose byte matches a pattern of one byte, in order."""
        if first >= end:
            return
        for page in range(first // SIZE, (end - 1) // SIZE + 1):
            begin = page * SIZE
            for found in pattern.finditer(bytes(self._page(page)), max(0, first - begin), min(SIZE, end - begin)):
                yield begin + found.start()

    def forget(self, first: int, end: int) -> None:
        """Drop the whole pages from `first` up to and without `end`, both the beginning of a page."""
        pages = range(first // SIZE, end // SIZE)
        self._database.execute("DELETE FROM pages WHERE page >= ? AND page < ?", (pages.start, pages.stop))
        for page in [one for one in self._open if one in pages]:
            del self._open[page]
        self._changed.difference_update(pages)

    def save(self) -> None:
        """Write what was changed."""
        rows = ((page, self._open[page]) for page in sorted(self._changed))
        self._database.executemany("INSERT OR REPLACE INTO pages VALUES (?, ?)", rows)
        self._changed.clear()

    def _page(self, page: int) -> bytearray:
        found = self._open.get(page)
        if found is None:
            if len(self._open) - len(self._changed) >= _MOST_OPEN:
                self._open = {number: self._open[number] for number in self._changed}
            row = self._database.execute("SELECT marks FROM pages WHERE page = ?", (page,)).fetchone()
            found = self._open[page] = bytearray(row[0]) if row else bytearray(SIZE)
        return found
