"""Reads on past what cannot be read, so that no mistake hides another: what is left, and of which tables it is not the whole.

What stands in for what cannot be read is never taken for what somebody wrote: nothing is told of it.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from broker.policyfile.reading import Folder, faults_of
from broker.policyfile.shapes import PolicyShape

UNSAID = "?"  # stands in for words
NAMELESS = "without-an-id-"  # begins what stands in for the id of a rule that has none
_ROUNDS = 8  # each takes out what the one before uncovered
_STAND_INS: Mapping[str, object] = {
    "effect": "disclose", "because": UNSAID, "when": {}, "owner": UNSAID, "source": UNSAID, "verified": True,
    "in_force_from": date.min, "says": UNSAID, "title": UNSAID, "filled_by": "area_team", "values": [], "rung": 0,
    "version": UNSAID, "purposes": [], "why": UNSAID, "event": UNSAID,
}  # fmt: skip
_OWN_NAME = frozenset({"id", "name"})

_Model = TypeVar("_Model", bound=BaseModel)
_Raw = dict[str, Any]
_Path = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Readable:
    """What can be read of a policy. `doubted` are the tables of which something could not, by kind and place."""

    shape: PolicyShape
    doubted: frozenset[tuple[str, int]]


def readable(folder: Folder) -> Readable | None:
    """Return what can be read of a policy, with a fault in the folder for what cannot.

    None where names may be lost that other tables use: then nobody can tell whether they are misspelt.
    """
    tables, doubted = folder.tables, set[tuple[str, int]]()
    for number in range(_ROUNDS):
        try:
            shape = PolicyShape.model_validate(tables)
        except ValidationError as error:
            if not number:
                folder.faults += [one for one in faults_of(error, folder) if not (folder.lost and _is_a_table(one.what))]
                tables = deepcopy(tables)
            if not all(_mend_table(tables, one["type"], tuple(one["loc"]), doubted) for one in error.errors()):
                return None
        else:
            return None if folder.lost else Readable(shape, frozenset(doubted))
    return None


def mended(table: _Raw, shape: type[_Model], error: ValidationError) -> _Model | None:
    """Return what can be read of one table of which `error` says what cannot; None when that is nothing."""
    left = deepcopy(table)
    for _ in range(_ROUNDS):
        for one in error.errors():
            _mend(left, one["type"], tuple(one["loc"]))
        try:
            return shape.model_validate(left)
        except ValidationError as further:
            error = further
    return None


def _is_a_table(what: str) -> bool:
    """Tell whether a fault says that a kind of table is missing: it may stand in what could not be read."""
    return any(what == f"`{kind}` is missing" for kind in PolicyShape.model_fields)


def _mend_table(tables: _Raw, error: str, loc: _Path, doubted: set[tuple[str, int]]) -> bool:
    """Mend the table in which a fault is; tell whether its name is left."""
    kind = str(loc[0])
    at, path = (0, loc[1:]) if kind == "policy" else (loc[1] if len(loc) > 1 else 0, loc[2:])
    if kind not in tables or not path or not isinstance(at, int):
        return False
    table = tables[kind] if kind == "policy" else tables[kind][at]
    doubted.add((kind, at))
    if path[0] in _OWN_NAME and len(path) == 1 and kind != "policy":
        if kind != "rule":
            return False
        table["id"] = f"{NAMELESS}{at}"
        return True
    _mend(table, error, path)
    return True


def _mend(table: _Raw, error: str, path: _Path) -> None:
    """Take out the smallest part that cannot be read, and put in what the table cannot be without."""
    holder, key = table, path[0]
    node: Any = table
    for part in path:
        if isinstance(node, dict) and part in node:
            holder, key, node = node, part, node[part]
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:
            break
    if error == "missing" and len(path) > 1:  # a part of a part: without it the whole says nothing
        holder, key = table, path[0]
    holder.pop(str(key), None)
    if holder is table and key in _STAND_INS:
        table[str(key)] = deepcopy(_STAND_INS[str(key)])
    elif holder is table and key in _OWN_NAME:
        table[str(key)] = UNSAID
