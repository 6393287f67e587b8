"""Rows of delimited text: one bad row costs itself, and neither the rows after it nor the memory of the machine."""

import csv
from collections import deque
from collections.abc import Iterator
from enum import StrEnum
from typing import TextIO

_LONGEST_LINE = 1 << 16
_LINES_AHEAD = 20  # a quoted cell may go over lines; a stray quotation mark must not swallow the file


class BadRow(StrEnum):
    """Why a row could not be split."""

    FORM = "row-form"
    TOO_LONG = "row-too-long"


def rows_of(stream: TextIO) -> Iterator[tuple[int, list[str] | BadRow]]:
    """Yield the first line's number and the cells of each row, or why it could not be split.

    The separator is the comma, semicolon or tab that the first row has most of, and its width is what a cell that goes over
    several lines has to complete. The stream must keep its line ends, as `open_text` does.
    """
    ahead: deque[str] = deque()
    number, width, separator = 0, 0, ""
    while line := ahead.popleft() if ahead else stream.readline(_LONGEST_LINE):
        number += 1
        if len(line) >= _LONGEST_LINE and not line.endswith(("\n", "\r")):
            while (rest := stream.readline(_LONGEST_LINE)) and not rest.endswith(("\n", "\r")):
                pass
            yield number, BadRow.TOO_LONG
            continue
        separator = separator or max(",;\t", key=line.count)
        if width and '"' not in line:
            yield number, line.rstrip("\r\n").split(separator)
            continue
        cells, lines = _cells(line, stream, ahead, separator, width)
        width = width or len(cells or ())
        yield number, cells if cells is not None else BadRow.FORM
        number += lines - 1


def _cells(line: str, stream: TextIO, ahead: deque[str], separator: str, width: int) -> tuple[list[str] | None, int]:
    """Split one row; a quoted cell may go on in the next lines, which are given back when they do not complete it."""
    if '"' not in line:
        return line.rstrip("\r\n").split(separator), 1
    lines = [line]
    while True:
        cells = _split("".join(lines), separator)
        if cells is not None and (len(lines) == 1 or len(cells) == width):
            return cells, len(lines)
        following = ""
        if len(lines) <= _LINES_AHEAD:
            following = ahead.popleft() if ahead else stream.readline(_LONGEST_LINE)
        if not following:
            ahead.extendleft(reversed(lines[1:]))
            return None, 1
        lines.append(following)


def _split(text: str, separator: str) -> list[str] | None:
    try:
        found = list(csv.reader([text], delimiter=separator, strict=True))
    except csv.Error:
        return None
    return found[0] if len(found) == 1 else None
