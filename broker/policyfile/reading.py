"""Reads the policy files of a folder: their tables together, where each stands, and every fault of shape at once."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from broker.errors import reason_in_words
from broker.policyfile.shapes import PolicyShape, RuleShape, When

CASES = ".cases.toml"
_MOST = 2 * 1024 * 1024  # bytes of one file: nobody reads more, and so nobody can sign it
_TABLE = re.compile(r"^\s*\[\[?\s*([A-Za-z_-]+)\s*\]\]?\s*(#.*)?$")
_Raw = dict[str, Any]


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """Something wrong in a policy file: where, in which rule or entry, what, and what to do about it."""

    file: str
    line: int
    entry: str
    what: str
    remedy: str

    def __str__(self) -> str:
        entry = f"`{self.entry}`: " if self.entry else ""
        return f"{self.file}:{self.line}: {entry}{self.what}: {self.remedy}"


@dataclass(frozen=True, slots=True)
class Entry:
    """Where one table stands, with its lines, so that a key can be found in it."""

    file: str
    first: int
    lines: tuple[str, ...] = ()

    def line_of(self, key: str) -> int:
        """Return the line of a key in this table, or the table's own."""
        sought = re.compile(rf"^\s*(\[+[a-z_]+\.)?\"?{re.escape(key)}\"?(\.[a-z_]+)*\s*(=|\])|[{{,]\s*\"?{re.escape(key)}\"?\s*=")
        return next((self.first + at for at, line in enumerate(self.lines) if sought.search(line)), self.first)


@dataclass(frozen=True, slots=True)
class Piece:
    """What can be read of a file: the whole, or where it is not TOML one of its tables. `first`: how many lines come before."""

    first: int
    text: str
    tables: _Raw


@dataclass(slots=True)
class Folder:
    """What was read: the tables by kind, where each stands, and what is wrong.

    `lost`: something could not be read that may hold names which other tables use.
    """

    name: str = "policy"
    tables: _Raw = field(default_factory=dict)
    entries: dict[tuple[str, int], Entry] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    lost: bool = False

    def entry(self, kind: str, at: int) -> Entry:
        """Return where the n-th table of a kind stands."""
        return self.entries.get((kind, at), Entry(self.name, 1))


def read_folder(folder: Path) -> Folder:
    """Read every policy file of a folder, in the order of their names; cases are read apart."""
    found = Folder(folder.name)
    for path in sorted(folder.glob("*.toml")):
        if not path.name.endswith(CASES):
            _read_file(path, found)
    return found


def read_toml(path: Path, faults: list[Fault]) -> list[Piece]:
    """Read one file; where a part of it is not TOML, add that fault and read the other tables all the same."""
    what, remedy = "", "put a file there that can be read, or take it out"
    try:
        if path.stat().st_size > _MOST:
            what, remedy = f"it is larger than {_MOST // 1024 // 1024} MB", "cut it into files that people can read"
        else:
            return _pieces(path.name, path.read_text(encoding="utf-8-sig"), faults)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        faults.append(Fault(path.name, line, "", "this is not TOML: a letter is not in UTF-8", "save the file as UTF-8"))
        return []
    except OSError as error:
        what = f"cannot be read: {reason_in_words(error)}"
    faults.append(Fault(path.name, 1, "", what, remedy))
    return []


def _pieces(file: str, text: str, faults: list[Fault]) -> list[Piece]:
    """Return a file as one piece; one that is not TOML table by table, so that each table tells its own fault."""
    whole = _piece(file, 0, text)
    if isinstance(whole, Piece):
        return [whole]
    lines = text.splitlines(keepends=True)
    starts = [at for at, line in enumerate(lines) if _TABLE.match(line)]
    cuts = sorted({0, *starts})
    found = [_piece(file, at, "".join(lines[at:end])) for at, end in zip(cuts, [*cuts[1:], len(lines)], strict=True)]
    wrong = [one for one in found if isinstance(one, Fault)]
    faults += wrong or [whole]  # alone each may be right, as of two that may stand but once
    return [one for one in found if isinstance(one, Piece)] if wrong else []


def _piece(file: str, first: int, text: str) -> Piece | Fault:
    lines = text.splitlines() or [""]
    try:
        return Piece(first, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at line (\d+)", str(error))
        line, what = int(at[1]) if at else len(lines), f"this is not TOML: {str(error).partition(' (at')[0].lower()}"
    except RecursionError:
        line, what = 1, "this is not TOML: brackets in brackets without end"
    return Fault(file, first + line, "", what, f"mend this line{_hint(lines[min(line, len(lines)) - 1])}")


def _hint(line: str) -> str:
    """Return how a line is written rightly that is wrong in one of the ways in which people write; else nothing."""
    value = line.partition("=")[2].strip()
    return next((f": {hint}" for looks_like, hint in _HINTS if looks_like.match(value)), "")


_HINTS = (
    (re.compile(r"[^\"]*[\u2018-\u201f]"), 'write straight quotes: "…"'),
    (re.compile(r"\d+[-/.]\d+[-/.]\d+"), "write a date as year-month-day, without quotes: 2027-03-31"),
    (re.compile(r"(true|false|yes|no)\b", re.IGNORECASE), "write true or false, in small letters"),
    (re.compile(r"\[?\s*[A-Za-z]"), 'write words in quotes: "…"'),
    (re.compile(r'"[^"]*"[^",#\]}]'), 'within words write \\" for a quotation mark'),
)


def shape_of(folder: Folder) -> PolicyShape | None:
    """Return the tables in their shape, or None with the faults added to the folder."""
    try:
        return PolicyShape.model_validate(folder.tables)
    except ValidationError as error:
        folder.faults += faults_of(error, folder)
        return None


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a remedy: the known name that is nearest, or the list of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"use one of {', '.join(f'`{one}`' for one in names[:40])}" if names else "there is none to use yet"


def in_words(error: str, message: str) -> str:
    """Return what to write instead, in words for who does not know the library that found it."""
    plain = next((words for part, words in _IN_WORDS.items() if error.startswith(part)), "")
    said = message.removeprefix("Value error, ").replace("Input should be", "it should be")
    return plain or said[:1].lower() + said[1:]


_IN_WORDS = {
    "string_type": 'write words in quotes: "…"',
    "string_too_short": "say something",
    "string_pattern": "use small letters, digits and hyphens, a letter first",
    "tuple": 'write a list: ["…", "…"]',
    "dict": 'write a table: { name = "…" }',
    "model": 'write a table: { name = "…" }',
    "bool": "write true or false",
    "date": "write a date, without quotes: 2027-03-31",
    "int": "write a whole number",
}


def faults_of(error: ValidationError, folder: Folder) -> list[Fault]:
    """Say in plain words what does not fit, with file and line."""
    return [_fault(one["type"], tuple(one["loc"]), str(one["msg"]), folder) for one in error.errors()]


def _read_file(path: Path, found: Folder) -> None:
    before = len(found.faults)
    pieces = read_toml(path, found.faults)
    found.lost = found.lost or len(found.faults) > before
    for piece in pieces:
        for kind, given in piece.tables.items():
            _take(path.name, kind, given, piece, found)


def _take(file: str, kind: str, given: object, piece: Piece, found: Folder) -> None:
    """Take the tables of one kind from one file, and where each stands."""
    lines = piece.text.splitlines()
    starts = [at for at, line in enumerate(lines) if (heading := _TABLE.match(line)) and heading[1] == kind]
    at = starts[0] if starts else next((at for at, line in enumerate(lines) if line.lstrip().startswith(kind)), 0)
    known = PolicyShape.model_fields
    what = remedy = ""
    if not isinstance(given, list | dict):
        what, remedy = f"`{kind}` stands outside of every table", "put it under its table, such as [policy]"
    elif kind not in known:
        what, remedy = f"unknown table `{kind}`", nearest(kind, known)
    elif isinstance(given, dict) and kind != "policy":
        what, remedy = f"`{kind}` is one table, and there may be several", f"write [[{kind}]]"
    elif isinstance(given, list) and (kind == "policy" or not all(isinstance(one, dict) for one in given)):
        what, remedy = f"`{kind}` is no table", "write [policy]" if kind == "policy" else f"write [[{kind}]]"
    elif isinstance(given, dict) and kind in found.tables:
        what, remedy = "this table is in two files", "keep one of them"
    if what:
        found.faults.append(Fault(file, piece.first + at + 1, "", what, remedy))
        found.lost = found.lost or (isinstance(given, list | dict) and what != "this table is in two files")
        return
    tables = given if isinstance(given, list) else [given]
    before = sum(1 for name, _ in found.entries if name == kind)
    for number, entry in enumerate(_entries(file, starts if len(starts) == len(tables) else [at] * len(tables), piece)):
        found.entries[kind, before + number] = entry
    found.tables[kind] = [*found.tables.get(kind, ()), *given] if isinstance(given, list) else given


def _entries(file: str, starts: Iterable[int], piece: Piece) -> Iterator[Entry]:
    """Yield where tables stand that start at these lines; those that are written in one line stand all in that one."""
    lines = piece.text.splitlines()
    headings = [at for at, line in enumerate(lines) if _TABLE.match(line)]
    for at in starts:
        end = next((one for one in headings if one > at), len(lines))
        yield Entry(file, piece.first + at + 1, tuple(lines[at:end]))


def _fault(error: str, loc: tuple[int | str, ...], message: str, folder: Folder) -> Fault:
    kind = str(loc[0]) if loc else "policy"
    at = next((one for one in loc[1:] if isinstance(one, int)), 0)
    key = next((str(one) for one in reversed(loc) if isinstance(one, str)), kind)
    entry = folder.entry(kind, at)
    name = _name(folder.tables.get(kind), at)
    if error == "extra_forbidden":
        what = f"unknown {'condition' if 'when' in loc or 'unless' in loc else 'key'} `{key}`"
        return Fault(entry.file, entry.line_of(key), name, what, nearest(key, _keys(kind, loc)))
    if error == "missing":
        remedy = "add it" if len(loc) > 1 else f"no file here holds {'[policy]' if kind == 'policy' else f'[[{kind}]]'}: add one"
        return Fault(entry.file, entry.first, name, f"`{key}` is missing", remedy)
    what = f"`{key}` is empty" if error == "string_too_short" else f"`{key}` cannot be read"
    return Fault(entry.file, entry.line_of(key), name, what, in_words(error, message))


def _keys(kind: str, loc: tuple[int | str, ...]) -> Iterable[str]:
    if "when" in loc[:-1] or "unless" in loc[:-1]:
        return When.model_fields
    if kind == "rule" and len(loc) > 1:
        return RuleShape.model_fields
    if len(loc) < 2:
        return PolicyShape.model_fields
    annotation = PolicyShape.model_fields[kind].annotation
    of = next((one for one in getattr(annotation, "__args__", (annotation,)) if isinstance(one, type)), None)
    return of.model_fields if of is not None and issubclass(of, BaseModel) else ()


def _name(tables: Any, at: int) -> str:
    table: Mapping[str, Any] = {}
    if isinstance(tables, list) and at < len(tables) and isinstance(tables[at], dict):
        table = tables[at]
    return str(table.get("id") or table.get("name") or "")
