"""The elements of a children in need census, read one level deep, and its dates."""

import re
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

_ISO = re.compile(r"(\d{4}-\d\d-\d\d)(?:Z|[+-]\d\d:\d\d)?\Z")


@lru_cache(maxsize=1 << 16)
def iso_date(text: str) -> str | None:
    """Return a date of XML Schema as YYYY-MM-DD, or None when it is none."""
    found = _ISO.match(text)
    if not found:
        return None
    try:
        date.fromisoformat(found[1])
    except ValueError:
        return None
    return found[1]


class Part(NamedTuple):
    """An element: the text of its simple children by name, its children that hold others, and its line."""

    values: dict[str, str]
    lists: list[Any]
    line: int

    def texts(self) -> list[str]:
        """Return the text of what its lists hold."""
        return [(sub.text or "").strip() for group in self.lists for sub in group]


def part_of(element: Any) -> Part:
    """Read an element one level deep."""
    values: dict[str, str] = {}
    lists: list[Any] = []
    for sub in element:
        if len(sub):
            lists.append(sub)
        else:
            values[sub.tag] = (sub.text or "").strip()
    return Part(values, lists, element.sourceline)
