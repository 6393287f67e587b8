"""Facts about a child as bytes and back: the form in which the child's line keeps its state.

Every event reads and writes it, so the form is quick and small: lists by position, no field names, one version byte.
A field may be added at the end of a value's class with a default; older bytes then still read. Equal facts give equal bytes.
"""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from itertools import islice
from operator import attrgetter
from typing import Any, TypeVar

import msgspec

from broker.codec import decode_event, encode_event
from broker.core.agencies.ties import REGISTERED, registering_councils
from broker.core.model.event import Category
from broker.core.model.facts import Agreement, Connection, Exclusion, Facts, Finding, Protection, Sent, Statement, Status, Unsafe
from broker.core.model.identifiers import ChildRef
from broker.core.model.policy import Cut
from broker.core.model.verdict import Request
from broker.core.waiting.clocks import Clock
from broker.errors import StopError

VERSION = b"\x01"
# Bookkeeping of the line: no decision reads it, but of `voices` who tied somebody to a protected child.
NOT_USED = frozenset(
    {"ledger", "seen", "lanes", "voices", "matters", "statements", "roots", "contents", "told", "references", "unsafe"}
)

Plain = Any  # what JSON has a form for
_Value = TypeVar("_Value")

_ROWS: Mapping[str, type] = {
    "connections": Connection,
    "statuses": Status,
    "protections": Protection,
    "findings": Finding,
    "agreements": Agreement,
    "ledger": Sent,
    "exclusions": Exclusion,
    "doubted": Exclusion,
    "statements": Statement,
    "unsafe": Unsafe,
}
_SETS: Mapping[type, tuple[str, ...]] = {
    Finding: ("recipients",),
    Agreement: ("recipients", "categories"),
    Sent: ("categories", "excluded", "roles", "cuts", "left", "agreed", "agreed_by"),
}
_MEMBERS: Mapping[type, Mapping[str, Callable[[str], Plain]]] = {
    Sent: dict.fromkeys(("categories", "left", "agreed"), Category) | {"cuts": Cut}
}
_PLAIN_SETS = ("cancelled", "holds")
_MAPPINGS = ("told", "wishes", "seen", "referrers", "lanes", "voices", "matters", "roots", "contents", "allowed", "references")
_NAMES: Mapping[type, tuple[str, ...]] = {of: tuple(one.name for one in fields(of)) for of in (Facts, Clock, *_ROWS.values())}
_READ = {of: attrgetter(*names) for of, names in _NAMES.items()}


def facts_to_bytes(facts: Facts) -> bytes:
    """Write facts in their stored form."""
    return _dump([write(value) if write else value for write, value in zip(_WRITE, _READ[Facts](facts), strict=True)])


def facts_from_bytes(value: bytes) -> Facts:
    """Read facts; raises StopError when the bytes are of a later version of the program."""
    return _facts(_load(value))


def changes_to_bytes(before: Facts, after: Facts) -> bytes:
    """Write what became of facts: for each field that is another, what is new in it. It counts behind `before` alone."""
    pairs = zip(_READ[Facts](before), _READ[Facts](after), strict=True)
    return _dump([before.version, [[at, *_CHANGE[at](old, new)] for at, (old, new) in enumerate(pairs) if new is not old]])


class Stored:
    """Facts as they are stored, to which changes are made one after the other; read once all of them are."""

    def __init__(self, whole: bytes) -> None:
        self._plain: list[Plain] = _load(whole)
        self._plain.extend(_load(facts_to_bytes(_NOTHING))[len(self._plain) :])

    def change(self, change: bytes) -> bool:
        """Make a change; return whether it was one of these facts, else it is left. Raises StopError as for facts."""
        version, changed = _load(change)
        if version != self._plain[_VERSION_AT]:
            return False
        for at, how, value in changed:
            if how == _NEW:
                self._plain[at] = value
            elif how == _NAMED:
                self._plain[at].update(value)
            else:
                for place, row in value:
                    self._plain[at][place : place + 1] = [row]
        return True

    def facts(self) -> Facts:
        """Read the facts."""
        return _facts(self._plain)


def clocks_to_bytes(clocks: Sequence[Clock]) -> bytes:
    """Write the open clocks of one child."""
    return _dump([_row(one) for one in clocks])


def clocks_with(value: bytes, started: Sequence[Clock]) -> bytes:
    """Return the open clocks of one child with one or more at their end; those that are there are not read or written again."""
    before, more = value.removesuffix(b"]"), clocks_to_bytes(started).removeprefix(VERSION + b"[")
    return before + (b"" if before == VERSION + b"[" else b",") + more


def clocks_from_bytes(value: bytes) -> tuple[Clock, ...]:
    """Read the open clocks of one child; raises StopError as for facts."""
    return rows(Clock, _load(value))


def request_to_bytes(request: Request, used: Plain) -> bytes:
    """Write what one decision used, for its audit entry: condition values, facts, and what it read of the event."""
    written = zip(_NAMES[Facts], _WRITE, _READ[Facts](request.facts), strict=True)
    kept = {"voices": _who_tied(request.facts), "statements": _who_registered(request.facts)}
    facts = [kept.get(name) if name in NOT_USED else write(value) if write else value for name, write, value in written]
    return _dump([used, facts, base64.b64encode(encode_event(request.event)).decode()])


def request_from_bytes(value: bytes) -> tuple[Request, Plain]:
    """Read what one decision used: what was asked, and the condition values."""
    used, stored, event = _load(value)
    values = [
        ([] if name in _ROWS else {}) if name in NOT_USED and one is None else one
        for name, one in zip(_NAMES[Facts], stored, strict=False)
    ]
    asked = decode_event(base64.b64decode(event))
    people = (asked.body.get("third_party") or {}).get("people", ())
    return Request(asked.header, tuple(one["role"] for one in people), facts_from_bytes(_dump(values))), used


def _who_tied(facts: Facts) -> Plain:
    """Return who said of a protected child that somebody has to do with it: that decides who may know what is hidden."""
    if not facts.protections:
        return None
    said = {*(one.event_id for one in facts.connections), *(one.event_id for one in facts.statuses)}
    return {one: facts.voices[one] for one in sorted(said & facts.voices.keys())} or None


def _who_registered(facts: Facts) -> Plain:
    """Return in which councils' registers the child is, where it is in several: that decides which hubs hear."""
    if len(registering_councils(facts)) < 2:
        return None
    return _all_rows(one for one in facts.statements if one.about == REGISTERED)


def rows(of: type[_Value], stored: Sequence[Sequence[Plain]]) -> tuple[_Value, ...]:
    """Read values of one class from their rows."""
    names, sets, members = _NAMES[of], _SETS.get(of, ()), _MEMBERS.get(of, {})
    found = []
    for row in stored:
        values = dict(zip(names, row, strict=False))
        for name in sets:
            if name in values:
                values[name] = frozenset(map(members[name], values[name]) if name in members else values[name])
        found.append(of(**values))
    return tuple(found)


def _facts(plain: Sequence[Plain]) -> Facts:
    values = dict(zip(_NAMES[Facts], plain, strict=False))
    for name, of in _ROWS.items():
        if name in values:
            values[name] = rows(of, values[name]) if values[name] else ()
    for name in _PLAIN_SETS:
        if name in values:
            values[name] = frozenset(values[name])
    return Facts(**values)


def _rows_change(old: Sequence[Any], new: Sequence[Any]) -> tuple[str, Plain]:
    """Name the rows that are other or more, each with its place."""
    old, new, length = tuple(old), tuple(new), len(old)
    if len(new) < length:
        return _NEW, _all_rows(new)
    first = length if new[:length] == old else 0
    return _PLACED, [[at, _row(one)] for at, one in enumerate(new[first:], first) if at >= length or one != old[at]]


def _mapping_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, Plain]:
    """Name what is other or more, where everything else stands as it stood: equal facts keep their order."""
    length = len(old)
    if list(islice(new, length)) != list(old):
        return _NEW, dict(new)
    if list(islice(new.values(), length)) == list(old.values()):
        return _NAMED, dict(islice(new.items(), length, None))
    return _NAMED, {name: value for name, value in new.items() if name not in old or old[name] != value}


def _dump(plain: Plain) -> bytes:
    return VERSION + msgspec.json.encode(plain)


def _load(value: bytes) -> Plain:
    if value[:1] != VERSION:
        raise StopError("state is of a later version of this program: upgrade this worker")
    return msgspec.json.decode(value[1:])


def _all_rows(values: Iterable[Any]) -> list[list[Plain]]:
    return [_row(one) for one in values]


def _row(value: Any) -> list[Plain]:
    return [sorted(one) if type(one) is frozenset else one for one in _READ[type(value)](value)]


def _writer(name: str) -> Callable[[Any], Plain] | None:
    """Return what makes a field of the facts plain; None for one that is plain already."""
    if name in _ROWS:
        return _all_rows
    return sorted if name in _PLAIN_SETS else dict if name in _MAPPINGS else None


def _change(name: str) -> Callable[[Any, Any], tuple[str, Plain]]:
    """Return what names the change of a field."""
    if name in _ROWS:
        return _rows_change
    if name in _MAPPINGS:
        return _mapping_change
    return (lambda _, new: (_NEW, sorted(new))) if name in _PLAIN_SETS else lambda _, new: (_NEW, new)


_NEW, _NAMED, _PLACED = "=", "+", "#"  # a field's change: another value, more by name, rows in their places
_NOTHING = Facts(child_ref=ChildRef(""))
_VERSION_AT = _NAMES[Facts].index("version")
_WRITE = tuple(_writer(name) for name in _NAMES[Facts])
_CHANGE = tuple(_change(name) for name in _NAMES[Facts])
