"""Where rosters are kept: what changed is written, not the whole.

A roster has parts: a line for each child and each waiting event, and its queues. Its head holds the lanes' places and a journal
of the parts that changed; when the journal is long, parts get records of their own. The bytes of a waiting event never
change and stand beside it. Where nothing changed but the lanes' places, these alone are written, under `#lanes`.

INVARIANT: the head says what is so, and is written after all else: a partition takes a chunk's state in order. A part's own
record holds only what an acknowledged head said before, so a crash or a late writer between any two records changes nothing.
INVARIANT: versions count the records applied to the roster, so two workers that took the same records agree on them.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from broker import codec
from broker.core.model.ports import Effects, Headers, Table

LANES = b"#lanes"
QUEUES = "q"
_IN = b"/"
_LONG = 8 * 1024  # bytes of a journal above which parts get records of their own
_EVENT, _WAITING, _CHILD = "e", "w", "c"

Journal = dict[str, tuple[int, bytes]]  # part -> the version at which it was so, and what it was; empty when it ended


@dataclass(slots=True)
class Kept:
    """How one roster stands in its records. `count` is how many records were applied to it."""

    lanes: dict[str, int] = field(default_factory=dict)
    count: int = 0
    next_number: int = 0
    journal: Journal = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)  # events whose bytes nobody needs once the next chunk begins
    says: Headers = ()  # what the head's Kafka headers say


class Store:
    """The rosters of one partition in its state table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._own: dict[bytes, set[str]] = {}
        self.look()

    def look(self) -> None:
        """Find which parts have records of their own."""
        self._own = {}
        for key, parted, part in (state[0].partition(_IN) for state in self._table.items()):
            if parted:
                self._own.setdefault(key, set()).add(part.decode())

    def marks(self, key: bytes) -> tuple[bytes | None, bytes | None]:
        """Return what tells whether somebody else wrote the roster."""
        return self._table.get(key), self._table.get(key + LANES)

    def read(self, key: bytes) -> tuple[Kept, dict[str, bytes], dict[str, bytes]]:
        """Read a roster: how it stands, its parts by name, and the bytes of its waiting events by their number."""
        head, side = self.marks(key)
        kept = Kept()
        for value in (one for one in (head, side) if one is not None):
            message = codec.decode("state_record", value)
            kept.count = max(kept.count, message["version"])
            later = {lane: order for lane, order in message["lanes"].items() if order > kept.lanes.get(lane, -1)}
            kept.lanes.update(later)
            if value is head:
                kept.next_number, kept.journal = _from_bytes(message["content"])
        own = {part: self._table.get(_at(key, part)) for part in self._own.get(key, ())}
        parts = {part: codec.decode("state_record", value)["content"] for part, value in own.items() if value}
        events = {part[1:]: parts.pop(part) for part in sorted(parts) if part.startswith(_EVENT)}
        parts.update({part: content for part, (_, content) in kept.journal.items()})
        parts = {part: content for part, content in parts.items() if content}
        # one that the head has not counted yet is of a chunk that will be taken again
        kept.ended = sorted(number for number in events if _WAITING + number not in parts and int(number) < kept.next_number)
        return kept, parts, events

    def write(self, key: bytes, kept: Kept, changed: Mapping[str, bytes], events: Mapping[str, bytes], effects: Effects) -> None:
        """Write what changed in this chunk, with its events' bytes; the chunk before is acknowledged by now."""
        for number in kept.ended:
            self._put(key, _EVENT + number, kept.count, b"", effects)
        kept.ended = [part[1:] for part, content in changed.items() if part.startswith(_WAITING) and not content]
        for number, content in events.items():
            self._put(key, _EVENT + number, kept.count, content, effects)
        if not changed:
            self._table.put(key + LANES, _record(kept, b""), effects, version=kept.count)
            return
        self._write_out(key, kept, changed, effects)
        own = self._own.get(key, set())
        for part, content in changed.items():
            if content or part in own:
                kept.journal[part] = kept.count, content
            else:
                kept.journal.pop(part, None)
        self._table.put(key, _record(kept, _to_bytes(kept.next_number, kept.journal)), effects, kept.says, version=kept.count)

    def _write_out(self, key: bytes, kept: Kept, changed: Mapping[str, bytes], effects: Effects) -> None:
        """Give what stood in a long journal before this chunk records of its own."""
        if sum(len(part) + len(content) for part, (_, content) in kept.journal.items()) <= _LONG:
            return
        for part in [one for one in kept.journal if one not in changed]:
            version, content = kept.journal.pop(part)
            self._put(key, part, version, content, effects)

    def _put(self, key: bytes, part: str, version: int, content: bytes, effects: Effects) -> None:
        own = self._own.setdefault(key, set())
        if not content and part not in own:
            return
        (own.add if content else own.discard)(part)
        value = codec.encode("state_record", {"version": version, "lanes": {}, "content": content}) if content else b""
        self._table.put(_at(key, part), value, effects, version=version)


def children_lines(states: Mapping[bytes, bytes]) -> Iterator[tuple[str, str, bytes]]:
    """Return every child as it is written, by matching key and reference, from all records of the state topic."""
    parts: dict[bytes, bytes] = {}
    for at, value in states.items():
        if value and at.partition(_IN)[2].startswith(_CHILD.encode()):
            parts[at] = codec.decode("state_record", value)["content"]
    for key, value in states.items():
        if value and _IN not in key and not key.endswith(LANES):
            journal = _from_bytes(codec.decode("state_record", value)["content"])[1]
            parts.update({_at(key, part): content for part, (_, content) in journal.items() if child_of(part)})
    for at, content in parts.items():
        whose, _, part = at.partition(_IN)
        yield whose.decode(), child_of(part.decode()) or "", content


def child_part(ref: str) -> str:
    """Return under which name a child is kept."""
    return _CHILD + quote(ref)


def child_of(part: str) -> str | None:
    """Return the reference of a child by its part's name; None when the part is none."""
    return unquote(part[1:]) if part.startswith(_CHILD) else None


def waiting_part(number: int) -> str:
    """Return under which name a waiting event is kept."""
    return f"{_WAITING}{number}"


def number_of(part: str) -> int | None:
    """Return the number of a waiting event by its part's name; None when the part is none."""
    return int(part[1:]) if part.startswith(_WAITING) else None


def _at(key: bytes, part: str) -> bytes:
    return key + _IN + part.encode()


def _record(kept: Kept, content: bytes) -> bytes:
    return codec.encode("state_record", {"version": kept.count, "lanes": kept.lanes, "content": content})


def _to_bytes(next_number: int, journal: Journal) -> bytes:
    lines = (b"%s %d %s" % (part.encode(), version, content) for part, (version, content) in sorted(journal.items()))
    return b"\n".join([json.dumps({"next": next_number}).encode(), *lines])


def _from_bytes(content: bytes) -> tuple[int, Journal]:
    first, *lines = content.split(b"\n")
    split = (line.split(b" ", 2) for line in lines)
    return json.loads(first)["next"], {part.decode(): (int(version), text) for part, version, text in split}
