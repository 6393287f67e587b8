"""The facts of a partition's children in their state topic: a child's whole facts now and then, and each record's changes since.

So a record costs what it changes, and not what is known of the child: a child of a thousand events writes as little for the
next as one of ten. The whole is written again when the changes have grown as large as it is; then they are counted from one.
"""

from dataclasses import dataclass

from broker.core.model.facts import Facts
from broker.core.model.identifiers import ChildRef
from broker.core.model.ports import Effects, Table
from broker.stream.decide.facts_record import Stored, changes_to_bytes, facts_to_bytes

_LEAST = 4096  # bytes of changes that are kept beside however small a whole
_CACHED = 20_000  # children whose facts are kept as values beside their bytes


@dataclass(slots=True)
class _Held:
    """A child's facts as values, and the bytes that they were read from or written to."""

    facts: Facts
    whole: bytes | None = None
    count: int = 0  # of the changes since
    size: int = 0
    newest: bytes | None = None
    behind: bytes | None = None  # what stands in the next change's place: of before the whole, and no change of it


@dataclass(frozen=True, slots=True)
class Change:
    """What a record does to a child's facts: the one key that it writes, and the facts behind it."""

    key: bytes
    value: bytes
    after: _Held


class Journal:
    """Facts by child.

    INVARIANT: one record writes one key, so that facts are never half written. A change counts only behind the version that it
    changes: what an earlier whole left in its place is of an earlier version.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._cache: dict[bytes, _Held] = {}

    def get(self, key: bytes) -> Facts:
        """Return what is known of a child; of an unknown one nothing is."""
        return self._held(key).facts

    def change(self, key: bytes, facts: Facts) -> Change:
        """Return what sets what is known of a child, whose version is higher than before."""
        held = self._held(key)
        if held.whole is None or held.size >= max(len(held.whole), _LEAST):
            whole = facts_to_bytes(facts)
            return Change(key, whole, _Held(facts, whole, behind=self._table.get(_place(key, 1))))
        value = changes_to_bytes(held.facts, facts)
        count = held.count + 1
        behind = self._table.get(_place(key, count + 1))
        return Change(_place(key, count), value, _Held(facts, held.whole, count, held.size + len(value), value, behind))

    def put(self, key: bytes, change: Change, effects: Effects) -> None:
        """Carry the change out."""
        self._table.put(change.key, change.value, effects)
        self._keep(key, change.after)

    def _held(self, key: bytes) -> _Held:
        """Return a child's facts as they are in the table, which somebody else's later record may have changed."""
        held = self._cache.get(key)
        if held is None or not self._is_current(key, held):
            held = self._load(key)
            self._keep(key, held)
        return held

    def _is_current(self, key: bytes, held: _Held) -> bool:
        newest = self._table.get(_place(key, held.count)) if held.count else None
        behind = self._table.get(_place(key, held.count + 1))
        return (self._table.get(key), newest, behind) == (held.whole, held.newest, held.behind)

    def _load(self, key: bytes) -> _Held:
        whole = self._table.get(key)
        if whole is None:
            return _Held(Facts(child_ref=ChildRef(key.decode())), behind=self._table.get(_place(key, 1)))
        stored, count, size, newest = Stored(whole), 0, 0, None
        change = self._table.get(_place(key, 1))
        while change is not None and stored.change(change):
            count, size, newest = count + 1, size + len(change), change
            change = self._table.get(_place(key, count + 1))
        return _Held(stored.facts(), whole, count, size, newest, change)

    def _keep(self, key: bytes, held: _Held) -> None:
        if len(self._cache) >= _CACHED:
            self._cache.clear()
        self._cache[key] = held


def _place(key: bytes, count: int) -> bytes:
    """Return the state key of a change; no child_ref has a slash."""
    return b"%b/%d" % (key, count)
