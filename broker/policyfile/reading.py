"""Reads the policy files of a folder: their tables together, where each stands, and every fault of shape at once."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from broker.policyfile.shapes import PolicyShape, RuleShape, When

CASES = ".cases.toml"
_TABLE = re.compile(r"^\s*\[\[\s*([a-z_]+)\s*\]\]|^\s*\[\s*(policy)\s*\]")
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


@dataclass(slots=True)
class Folder:
    """What was read: the tables by kind, where each stands, and what is wrong."""

    tables: _Raw = field(default_factory=dict)
    entries: dict[tuple[str, int], Entry] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def entry(self, kind: str, at: int) -> Entry:
        """Return where the n-th table of a kind stands."""
        return self.entries.get((kind, at), Entry("policy", 1))


def read_folder(folder: Path) -> Folder:
    """Read every policy file of a folder, in the order of their names; cases are read apart."""
    found = Folder()
    for path in sorted(folder.glob("*.toml")):
        if not path.name.endswith(CASES):
            _read_file(path, found)
    return found


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


def faults_of(error: ValidationError, folder: Folder) -> list[Fault]:
    """Say in plain words what does not fit, with file and line."""
    return [_fault(one["type"], tuple(one["loc"]), str(one["msg"]), folder) for one in error.errors()]


def _read_file(path: Path, found: Folder) -> None:
    try:
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        line = re.search(r"at line (\d+)", str(error))
        what = f"this is not TOML: {str(error).partition(' (at')[0].lower()}"
        found.faults.append(Fault(path.name, int(line[1]) if line else 1, "", what, "mend this line"))
        return
    _place(path.name, text.splitlines(), found)
    for kind, given in tables.items():
        _take(path.name, kind, given, found)


def _take(file: str, kind: str, given: object, found: Folder) -> None:
    """Take the tables of one kind from one file."""
    if not isinstance(given, list | dict):
        what = f"`{kind}` stands outside of every table"
        found.faults.append(
            Fault(file, 1, "", what, f"put it under its table, such as [policy]; or this is no policy file: {file}")
        )
    elif isinstance(given, list) and isinstance(found.tables.get(kind, []), list):
        found.tables.setdefault(kind, []).extend(given)
    elif kind in found.tables:
        found.faults.append(Fault(file, 1, kind, "this table is in two files", "keep one of them"))
    else:
        found.tables[kind] = given


def _place(file: str, lines: Sequence[str], found: Folder) -> None:
    starts = [(at, str(found_kind[1] or found_kind[2])) for at, line in enumerate(lines) if (found_kind := _TABLE.match(line))]
    for number, (at, kind) in enumerate(starts):
        end = starts[number + 1][0] if number + 1 < len(starts) else len(lines)
        count = sum(1 for known, _ in found.entries if known == kind)
        found.entries[kind, count] = Entry(file, at + 1, tuple(lines[at:end]))


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
        return Fault(entry.file, entry.first, name, f"`{key}` is missing", "add it")
    return Fault(entry.file, entry.line_of(key), name, f"`{key}` cannot be read", message[:1].lower() + message[1:])


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
