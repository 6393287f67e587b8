"""What a release changes: which entries of its canonical form are new, changed or gone."""

import json
from collections.abc import Collection
from typing import Any

_NAMES = ("id", "of", "name")


def changes(before: bytes | None, after: bytes, kinds: Collection[str]) -> list[str]:
    """Say in one line each which entries of these kinds are new, changed or gone."""
    old, new = entries(before, kinds), entries(after, kinds)
    lines = [f"new {kind} {name}" for kind, name in sorted(new.keys() - old.keys())]
    lines += [f"changed {kind} {name}" for kind, name in sorted(new.keys() & old.keys()) if new[kind, name] != old[kind, name]]
    return lines + [f"gone {kind} {name}" for kind, name in sorted(old.keys() - new.keys())]


def entries(content: bytes | None, kinds: Collection[str]) -> dict[tuple[str, str], Any]:
    """Return the entries of a release's canonical form, by kind and name; what has no entries of its own is one."""
    tables = json.loads(content) if content else {}
    found: dict[tuple[str, str], Any] = {}
    for kind in kinds:
        said = tables.get(kind, [])
        for one in said if isinstance(said, list) else [said]:
            found[kind, next((str(one[name]) for name in _NAMES if name in one), "")] = one
    return found
