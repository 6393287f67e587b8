"""The messages of the broker: `.avsc` files, the single source, and the lock file of their released versions.

Every field carries a `doc` and a `category`, the kind of information it holds; need-to-know filters by category.
A named type is defined once, in the first file that needs it; other files name it.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
NAMESPACE = "safeguarding"
LOCK_FILE = FOLDER / "lock.json"

# In the order in which they build on each other.
NAMES = (
    "event",
    "candidate",
    "receipt",
    "subject_record",
    "decision",
    "audit_entry",
    "disclosure",
    "review",
    "dead_letter",
    "release",
    "state_record",
)

Json = Any  # JSON as the standard library reads it


@cache
def texts() -> Mapping[str, Json]:
    """Return every schema as its file holds it, by name."""
    return {name: json.loads((FOLDER / f"{name}.avsc").read_text(encoding="utf-8")) for name in NAMES}


@cache
def whole(name: str) -> Json:
    """Return one schema with every type that it borrows from another file written out, so that it stands alone."""
    return _expand(texts()[name], _definitions(), set())


@cache
def lock() -> Mapping[str, Json]:
    """Return the released versions: `{name: [{"id": int, "schema": whole schema}, ...]}`, oldest first."""
    released: Mapping[str, Json] = json.loads(LOCK_FILE.read_text(encoding="utf-8"))
    return released


def _definitions() -> dict[str, Json]:
    found: dict[str, Json] = {}

    def collect(node: Json) -> None:
        if isinstance(node, list):
            for item in node:
                collect(item)
        elif isinstance(node, dict):
            if node.get("type") in ("record", "enum"):
                found[f"{NAMESPACE}.{node['name']}"] = node
            for value in node.values():
                collect(value)

    for text in texts().values():
        collect(text)
    return found


def _expand(node: Json, definitions: Mapping[str, Json], written: set[str]) -> Json:
    """Write each named type out where it is met first; later mentions name it."""
    if isinstance(node, str):
        unwritten = node in definitions and node not in written
        return _expand(definitions[node], definitions, written) if unwritten else node
    if isinstance(node, list):
        return [_expand(item, definitions, written) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("type") in ("record", "enum"):
        written.add(f"{NAMESPACE}.{node['name']}")
    if "fields" in node:
        fields = [{**field, "type": _expand(field["type"], definitions, written)} for field in node["fields"]]
        return {**node, "fields": fields}
    return {
        key: _expand(value, definitions, written) if key in {"type", "items", "values"} else value for key, value in node.items()
    }
