"""The state of one state topic for one partition, as raw bytes, true to the log whatever order records come in.

A worker that was paused beyond its session (a zombie) may write an older state record after a newer one, and compaction
keeps the later. So the highest version wins when loading, and the owner follows the log and writes its state again when
a lower version comes after a higher one.
"""

from collections.abc import Iterator
from typing import Protocol

from broker.core.model.ports import STATE_VERSION, Effects, Headers, Outgoing, Record


class Stated(Protocol):
    """A state record as it comes: all that is looked at of one when a whole log of them is loaded."""

    @property
    def key(self) -> bytes | None:
        """Whose state it is."""
        ...

    @property
    def value(self) -> bytes | None:
        """The state."""
        ...

    @property
    def headers(self) -> Headers:
        """Its version, and what else is said of it."""
        ...


class StateTable:
    """Hold the newest state of every key; `ports.Table`.

    `load` it from the start of the log to its end, write what `repairs` returns, and `follow` the log from there.
    """

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self._states: dict[bytes, tuple[int, bytes, Headers]] = {}
        # Of keys whose newest record has not come by in the log yet: the highest version that has.
        self._behind: dict[bytes, int] = {}
        self._to_repair: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._states)

    def get(self, key: bytes) -> bytes | None:
        """Return the state of a key in its wire form, or None."""
        found = self._states.get(key)
        return None if found is None else found[1]

    def version(self, key: bytes) -> int:
        """Return how many records were applied to the key; 0 when it has no state."""
        found = self._states.get(key)
        return 0 if found is None else found[0]

    def put(self, key: bytes, value: bytes, effects: Effects, headers: Headers = (), *, version: int = 0) -> None:
        """Set the state of a key, and what its headers say; have it written with this chunk's effects.

        It is the key's next version, or `version` if that is higher. An empty value ends the key's state: compaction forgets
        it, and so does a worker that starts after that.
        """
        known = self.version(key)
        self._behind.setdefault(key, known)
        self._states[key] = (max(known + 1, version), value, headers)
        effects.state[self.topic, key] = self._outgoing(key)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Walk every key and its state."""
        return ((key, value) for key, (_, value, _) in self._states.items())

    def load(self, record: Stated) -> None:
        """Take a record of the log as it was before this worker wrote: the highest version wins."""
        key, (version, said) = record.key or b"", _said(record.headers)
        found = self._states.get(key)
        known = 0 if found is None else found[0]
        if version > known:
            self._states[key] = (version, record.value or b"", said)
            self._to_repair.discard(key)
        elif version < known:
            self._to_repair.add(key)

    def follow(self, record: Record) -> Outgoing | None:
        """Take a record that came after loading; return the state to write again when a lower version came last."""
        key, value, (version, said) = record.key or b"", record.value or b"", _said(record.headers)
        mine = self.version(key)
        seen = self._behind.get(key, mine)
        if version > mine:
            # Somebody else owned the key and got further: what they wrote was acknowledged after its outputs were.
            self._states[key] = (version, value, said)
            self._behind.pop(key, None)
            return None
        if version == mine:
            self._behind.pop(key, None)
            held = self._states.get(key)  # none where a record that no stage wrote names a key without state
            return None if held is None or value == held[1] else self._outgoing(key)
        if key in self._behind:
            # What was put last is on its way, after this record, and must not arrive before the outputs that it tells of. If
            # it never arrives, whoever loads the log then finds the lower version last.
            self._behind[key] = max(version, seen)
            return None
        return self._outgoing(key)

    def repairs(self) -> list[Outgoing]:
        """Return, once, the states of which the log holds a lower version last."""
        keys, self._to_repair = self._to_repair, set()
        return [self._outgoing(key) for key in keys]

    def _outgoing(self, key: bytes) -> Outgoing:
        version, value, said = self._states[key]
        return Outgoing(self.topic, key, value or None, ((STATE_VERSION, b"%d" % version), *said), self.partition)


def _said(headers: Headers) -> tuple[int, Headers]:
    """Return the version that a state record's headers say, and what they say besides: written again, it says the same.

    One without a version counts as the lowest; where several stand there, the last is meant.
    """
    if len(headers) == 1 and headers[0][0] == STATE_VERSION:  # most of them, and there are as many as there are states
        return _number(headers[0][1]), ()
    text = next((value for name, value in reversed(headers) if name == STATE_VERSION), b"")
    return _number(text), tuple(header for header in headers if header[0] != STATE_VERSION)


def _number(text: bytes | None) -> int:
    return int(text) if text and text.isdigit() else 0
