"""The shelves of a partition's children in their state topic: a list of what waits, and each event beside it.

So no record grows with what waits: an event is at most as large as intake takes, and is kept once, however many are asked.
"""

from base64 import b64decode
from collections.abc import Sequence

from broker.core.model.identifiers import ChildRef, digest
from broker.core.model.ports import Table
from broker.errors import UnreadableRecordError
from broker.sealing.secrets import Secrets
from broker.stream.decide.shelf import CONTEXT, Waiting, list_from_bytes, list_to_bytes

_APART = "@"  # no event in base64 begins so


class Shelves:
    """What waits, by child."""

    def __init__(self, table: Table, secrets: Secrets) -> None:
        self._table = table
        self._secrets = secrets

    def get(self, child_ref: ChildRef) -> tuple[Waiting, ...]:
        """Return what waits for a child; raises UnreadableRecordError when the key is another broker's or an event is gone."""

        def event_of(said: str) -> bytes:
            if not said.startswith(_APART):
                return b64decode(said)  # as it was kept before events stood apart
            sealed = self._table.get(_place_of(child_ref, said))
            if not sealed:
                raise UnreadableRecordError("an event that waits is not in its state topic")
            return self._secrets.open(child_ref, CONTEXT, sealed)

        return list_from_bytes(self._table.get(_place_of(child_ref)), self._secrets, child_ref, event_of)

    def changes(self, child_ref: ChildRef, before: Sequence[Waiting], after: Sequence[Waiting]) -> list[tuple[bytes, bytes]]:
        """Return the keys and values that make what waited before into what waits after, in the order to write them.

        First the events that the list will name, then the list, then those that it names no more: in no order of failing
        does it name what is not there.
        """
        if after == before:
            return []
        old, new = ({_said(one): one.event for one in shelf} for shelf in (before, after))
        there = {said for said in old.keys() | new.keys() if self._table.get(_place_of(child_ref, said))}
        names = list_to_bytes(after, [_said(one) for one in after], self._secrets, child_ref)
        return [
            *((_place_of(child_ref, said), self._seal(child_ref, event)) for said, event in new.items() if said not in there),
            (_place_of(child_ref), names),
            *((_place_of(child_ref, said), b"") for said in old if said in there and said not in new),
        ]

    def _seal(self, child_ref: ChildRef, event: bytes) -> bytes:
        return self._secrets.seal(child_ref, CONTEXT, event)


def _said(one: Waiting) -> str:
    """Return what stands for an event in the list."""
    return f"{_APART}{digest(one.event)[:32]}"


def _place_of(child_ref: str, said: str = "") -> bytes:
    """Return the state key of a child's list, or of an event on it; no child_ref begins like it."""
    return f"shelf/{child_ref}{said}".encode()
