"""What `identify` keeps: the children under one birth date, and who holds one identifier; as values and as bytes.

Identifiers are kept as keyed hashes, names and places normalised: enough to match by, not to read.
"""

import base64
import json
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from broker.core.matching import Description

ASKED, GRANTED, REFUSED, IGNORED = "asked", "granted", "refused", "ignored"


@dataclass(frozen=True, slots=True)
class Link:
    """An identifier of a child: of which kind, and what its owner said.

    `ignored`: a person decided that records of this child may carry it though it is another's, `other`.
    """

    kind: str
    state: str = ASKED
    other: str | None = None


@dataclass(frozen=True, slots=True)
class Child:
    """A child known under this birth date. `forming` until every identifier is granted: nothing is told of it before.

    `guards` are protections under which nothing is linked without a person (R16), `holds` protecting events in review.
    """

    links: Mapping[str, Link] = field(default_factory=dict)
    names: frozenset[tuple[str, str]] = frozenset()
    places: frozenset[str] = frozenset()
    guards: frozenset[str] = frozenset()
    holds: frozenset[str] = frozenset()
    forming: bool = False
    merged_into: str | None = None

    def described(self) -> Description:
        """Return what is known of the child, as the matcher takes it; a refused or ignored identifier is another's."""
        found: dict[str, set[str]] = {}
        for identifier, link in self.links.items():
            if link.state in (ASKED, GRANTED):
                found.setdefault(link.kind, set()).add(identifier)
        return Description({kind: frozenset(values) for kind, values in found.items()}, self.names, self.places)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that is not with a child yet: claims are on their way, or a person is asked (`review` says about what)."""

    event_id: str
    producer: str
    event_type: str
    event: bytes
    origin: bytes
    hub: str
    opens: bool = False
    child: str | None = None  # the child that it opened here
    review: str | None = None
    candidates: tuple[str, ...] = ()
    opened_at: int = 0


class Children(MutableMapping[str, Child]):
    """The children of a roster, each read only when it is asked for: an event concerns one of them, not all.

    `changed` says which were set. A copy is cheap and its changes are its own.
    """

    __slots__ = ("_made", "_written", "changed")

    def __init__(self, written: Mapping[str, bytes] | None = None) -> None:
        self._written = dict(written or {})
        self._made: dict[str, Child] = {}
        self.changed: dict[str, Child] = {}

    def __getitem__(self, ref: str) -> Child:
        found = self.changed.get(ref) or self._made.get(ref)
        if found is None:
            found = self._made[ref] = _child_from(json.loads(self._written[ref]))
        return found

    def __setitem__(self, ref: str, child: Child) -> None:
        if ref not in self or self[ref] != child:
            self.changed[ref] = child

    def __delitem__(self, ref: str) -> None:
        raise KeyError(ref)  # a child is merged into another, never removed

    def __contains__(self, ref: object) -> bool:
        return ref in self._written or ref in self.changed

    def __iter__(self) -> Iterator[str]:
        yield from self._written
        yield from (ref for ref in self.changed if ref not in self._written)

    def __len__(self) -> int:
        return len(self._written) + sum(ref not in self._written for ref in self.changed)

    def copy(self) -> "Children":
        """Return children that can be changed without these."""
        made = Children(self.lines())
        made._made = {ref: child for ref, child in self._made.items() if ref not in self.changed}
        return made

    def lines(self) -> dict[str, bytes]:
        """Return every child as it is written, by its reference."""
        return {**self._written, **{ref: _json(_child(child)) for ref, child in self.changed.items()}}

    def mentioning(self, *words: str) -> list[str]:
        """Return, in a fixed order, the children whose written form holds one of these words; changed ones always."""
        sought = [word.encode() for word in words]
        found = {ref for ref, line in self._written.items() if any(word in line for word in sought)}
        return sorted(found | self.changed.keys())


@dataclass(frozen=True, slots=True)
class Roster:
    """The children of one birth date and the events that wait there.

    `beyond`: events in review that are too many to keep here; the reviewer's answer brings them back. `closed`: rejected.
    """

    children: Children = field(default_factory=Children)
    waiting: tuple[Waiting, ...] = ()
    beyond: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


def name_word(family: str, given: str) -> str:
    """Return how a full name stands in a child's written form."""
    return json.dumps([family, given], separators=(",", ":"))


@dataclass(frozen=True)
class Holding:
    """Who holds one identifier, who else claims it under another birth date, and events without a birth date that wait."""

    holder: str | None = None
    key: str | None = None  # the holder's matching key
    contested: tuple[tuple[str, str], ...] = ()  # child_ref and matching key of who was refused
    waiting: tuple[Waiting, ...] = ()
    beyond: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


def roster_to_bytes(roster: Roster) -> bytes:
    """Write a roster: what waits on the first line, then a line for each child. Equal rosters give equal bytes."""
    lines = roster.children.lines()
    return b"\n".join([_json(_queues(roster)), *(ref.encode() + b" " + lines[ref] for ref in sorted(lines))])


def roster_from_bytes(content: bytes) -> Roster:
    """Read a roster."""
    first, *lines = content.split(b"\n")
    written = {ref.decode(): line for ref, _, line in (one.partition(b" ") for one in lines)}
    return Roster(Children(written), **_queues_from(json.loads(first)))


def holding_to_bytes(holding: Holding) -> bytes:
    """Write a holding; equal holdings give equal bytes."""
    return _json({"holder": holding.holder, "key": holding.key, "contested": holding.contested, **_queues(holding)})


def holding_from_bytes(content: bytes) -> Holding:
    """Read a holding."""
    found = json.loads(content)
    contested = tuple((ref, key) for ref, key in found["contested"])
    return Holding(found["holder"], found["key"], contested, **_queues_from(found))


def _queues(state: Roster | Holding) -> dict[str, Any]:
    return {"waiting": [_waiting(one) for one in state.waiting], "beyond": state.beyond, "closed": state.closed}


def _queues_from(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "waiting": tuple(_waiting_from(one) for one in found["waiting"]),
        "beyond": tuple(found["beyond"]),
        "closed": tuple(found["closed"]),
    }


def _child(child: Child) -> dict[str, Any]:
    made: dict[str, Any] = {"links": {one: [link.kind, link.state, link.other] for one, link in child.links.items()}}
    sets = {
        "names": sorted(child.names),
        "places": sorted(child.places),
        "guards": sorted(child.guards),
        "holds": sorted(child.holds),
    }
    made.update({name: values for name, values in sets.items() if values})
    if child.forming:
        made["forming"] = True
    if child.merged_into is not None:
        made["merged_into"] = child.merged_into
    return made


def _child_from(found: Mapping[str, Any]) -> Child:
    return Child(
        links={one: Link(*link) for one, link in found["links"].items()},
        names=frozenset((family, given) for family, given in found.get("names", ())),
        places=frozenset(found.get("places", ())),
        guards=frozenset(found.get("guards", ())),
        holds=frozenset(found.get("holds", ())),
        forming=found.get("forming", False),
        merged_into=found.get("merged_into"),
    )


def _waiting(one: Waiting) -> list[Any]:
    event, origin = base64.b64encode(one.event).decode(), one.origin.decode()
    return [
        one.event_id,
        one.producer,
        one.event_type,
        event,
        origin,
        one.hub,
        one.opens,
        one.child,
        one.review,
        one.candidates,
        one.opened_at,
    ]


def _waiting_from(found: list[Any]) -> Waiting:
    event_id, producer, event_type, event, origin, hub, opens, child, review, candidates, opened_at = found
    content = base64.b64decode(event)
    return Waiting(
        event_id, producer, event_type, content, origin.encode(), hub, opens, child, review, tuple(candidates), opened_at
    )


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
