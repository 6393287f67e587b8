"""What `identify` keeps: the children under one birth date, and who holds one identifier; as values and as bytes.

Identifiers are kept as keyed hashes, names and places normalised: enough to match by, not to read.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from broker.core.intake.matching import Description

UNLINKED = frozenset({"identity_changed", "protected_person"})
ASKED, GRANTED, REFUSED, IGNORED = "asked", "granted", "refused", "ignored"
PERSON = ""  # by whose word a child is known in an area where a person said so


@dataclass(frozen=True, slots=True)
class Link:
    """An identifier of a child: of which kind, and what its owner said.

    `ignored`: a person decided that records of this child may carry it though it is another's, `other`.
    """

    kind: str
    state: str = ASKED
    other: str | None = None
    hubs: tuple[str, ...] = ()  # of where that other one is known


class Guard(NamedTuple):
    """What protects a child: which kind, which agency and event set it, and the hubs of where that agency is.

    `doubted` where it is of another area and the line has not said that it counts: then its hubs are asked about nothing.
    """

    kind: str
    by: str
    event_id: str = ""  # of one that was kept before this was known: only its lifting ends it
    hubs: tuple[str, ...] = ()
    doubted: bool = False


class Exclusion(NamedTuple):
    """Whom an agency's event excludes for a child; `root` is the first version of that event.

    `doubted` where its agency is nothing to the child, and nobody has said that it counts: then it leaves nobody without a voice.
    """

    recipient: str
    by: str
    event_id: str
    root: str
    doubted: bool = False


Name = tuple[str, str]  # family and given name


@dataclass(frozen=True, slots=True)
class Child:
    """A child known under this birth date. `forming` until every identifier is granted: nothing is told of it before.

    `names_by` and `places_by` say of each name and place which agency said it; the last stands last.
    `guards` are protections, under which nothing is joined without a person (R16), `lifted` those that were, `holds` protecting
    events in review, `exclusions` whom its events exclude (R11), `hubs` those of where it was registered or protected, or is a
    council's, the first one first. `known_by` says through which agencies it is known to each hub, the first two of each: by
    the word of one alone no child is known to the area that this one is of.
    """

    links: Mapping[str, Link] = field(default_factory=dict)
    names_by: tuple[tuple[Name, str], ...] = ()
    places_by: tuple[tuple[str, str], ...] = ()
    guards: frozenset[Guard] = frozenset()
    lifted: frozenset[Guard] = frozenset()  # whoever lifted one may take that back
    holds: frozenset[str] = frozenset()
    exclusions: frozenset[Exclusion] = frozenset()
    hubs: tuple[str, ...] = ()
    known_by: tuple[tuple[str, str], ...] = ()
    forming: bool = False
    merged_into: str | None = None

    @property
    def names(self) -> frozenset[Name]:
        """Return the full names by which it is known."""
        return frozenset(name for name, _ in self.names_by)

    @property
    def places(self) -> frozenset[str]:
        """Return the postcodes and schools by which it is known."""
        return frozenset(place for place, _ in self.places_by)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return of what kind each of its identifiers is."""
        return tuple(link.kind for link in self.links.values())

    @property
    def is_linked_by_people(self) -> bool:
        """Tell whether a protection stands under which no event is linked by anything new without a person (R16)."""
        return any(guard.kind in UNLINKED for guard in self.guards)

    def formed(self) -> "Child":
        """Return the child as one that came about, once no identifier is asked for or refused any more."""
        pending = any(link.state in (ASKED, REFUSED) for link in self.links.values())
        return replace(self, forming=self.forming and pending)

    def described(self) -> Description:
        """Return what is known of the child, as the matcher takes it; a refused or ignored identifier is another's."""
        found: dict[str, set[str]] = {}
        for identifier, link in self.links.items():
            if link.state in (ASKED, GRANTED):
                found.setdefault(link.kind, set()).add(identifier)
        return Description({kind: frozenset(values) for kind, values in found.items()}, self.names, self.places)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that is not with a child yet: claims are on their way, or a person is asked (`review` says about what).

    `hubs` are who may be asked, in turn; `hub` is who is asked, or nobody. `silent` hear nothing of it, not that it is late
    either. `guards` are the kinds of protection of children that it may be about; it is `guarded` also where something that waits
    may protect one. `own_area`: whether `hubs` are those of its publisher's own area, and not of another that the event names.
    """

    event_id: str
    producer: str
    event_type: str
    event: bytes
    origin: bytes
    hubs: tuple[str, ...] = ()
    hub: str = ""
    opens: bool = False
    child: str | None = None  # the child that it opened here
    review: str | None = None
    candidates: tuple[str, ...] = ()
    opened_at: int = 0
    supersedes: str | None = None  # the event of which it is a later version
    accepted_at: int = 0
    silent: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()
    guarded: bool = False
    stand_ins: tuple[str, ...] = ()  # who may be shown it besides
    own_area: bool = True

    @property
    def name(self) -> str:
        """Under which it is kept. An id is its publisher's own: another's event of the same id is another event (I10)."""
        return f"{self.producer}/{self.event_id}"


@dataclass(frozen=True)
class Holding:
    """Who holds one identifier, who else claims it under another birth date, and events without a birth date that wait."""

    holder: str | None = None
    key: str | None = None  # the holder's matching key
    contested: tuple[tuple[str, str], ...] = ()  # child_ref and matching key of who was refused
    waiting: tuple[Waiting, ...] = ()
    beyond: Mapping[str, str] = field(default_factory=dict)  # events in review that are too many to keep, and their publishers
    closed: tuple[str, ...] = ()
    hubs: tuple[str, ...] = ()  # of where the holder was known when it came to hold it


def child_to_bytes(child: Child) -> bytes:
    """Write a child on one line; equal children give equal bytes."""
    return _json(_child(child))


def child_from_bytes(content: bytes) -> Child:
    """Read a child."""
    return _child_from(json.loads(content))


def waiting_to_bytes(one: Waiting) -> bytes:
    """Write on one line what is known of a waiting event; its own bytes are kept beside it."""
    return _json(_waiting(replace(one, event=b"")))


def waiting_from_bytes(content: bytes, event: bytes) -> Waiting:
    """Read a waiting event."""
    return replace(_waiting_from(json.loads(content)), event=event)


def holding_to_bytes(holding: Holding) -> bytes:
    """Write a holding; equal holdings give equal bytes."""
    queues = {"waiting": [_waiting(one) for one in holding.waiting], "beyond": holding.beyond, "closed": holding.closed}
    held = {"holder": holding.holder, "key": holding.key, "contested": holding.contested, "hubs": holding.hubs}
    return _json({**held, **queues})


def holding_from_bytes(content: bytes) -> Holding:
    """Read a holding."""
    found = json.loads(content)
    contested = tuple((ref, key) for ref, key in found["contested"])
    waiting = tuple(_waiting_from(one) for one in found["waiting"])
    queues = found["beyond"], tuple(found["closed"])
    return Holding(found["holder"], found["key"], contested, waiting, *queues, tuple(found.get("hubs", ())))


def _child(child: Child) -> dict[str, Any]:
    made: dict[str, Any] = {"links": {one: _link(link) for one, link in child.links.items()}}
    sets = {
        "names": child.names_by,
        "places": child.places_by,
        "guards": sorted(child.guards),
        "lifted": sorted(child.lifted),
        "holds": sorted(child.holds),
        "exclusions": sorted(child.exclusions),
        "hubs": list(child.hubs),
        "known_by": child.known_by,
    }
    made.update({name: values for name, values in sets.items() if values})
    if child.forming:
        made["forming"] = True
    if child.merged_into is not None:
        made["merged_into"] = child.merged_into
    return made


def _link(link: Link) -> list[Any]:
    return [link.kind, link.state, link.other, *((list(link.hubs),) if link.hubs else ())]


def _child_from(found: Mapping[str, Any]) -> Child:
    return Child(
        links={one: Link(*link[:3], *map(tuple, link[3:])) for one, link in found["links"].items()},
        names_by=tuple(_name_from(one) for one in found.get("names", ())),
        places_by=tuple((one, "") if isinstance(one, str) else tuple(one) for one in found.get("places", ())),
        guards=frozenset(_guard_from(one) for one in found.get("guards", ())),
        lifted=frozenset(_guard_from(one) for one in found.get("lifted", ())),
        holds=frozenset(found.get("holds", ())),
        exclusions=frozenset(Exclusion(*one) for one in found.get("exclusions", ())),
        hubs=tuple(found.get("hubs", ())),
        known_by=tuple(map(tuple, found.get("known_by", ()))),
        forming=found.get("forming", False),
        merged_into=found.get("merged_into"),
    )


def _name_from(found: list[Any]) -> tuple[Name, str]:
    """Read it; what was written before it was kept who said a name is the name alone."""
    (family, given), by = (found, "") if isinstance(found[0], str) else found
    return (family, given), by


def _guard_from(found: str | list[Any]) -> Guard:
    """Read it; what was written before it was known which event set it is its kind and its agency alone."""
    if isinstance(found, str):
        kind, _, by = found.partition("/")
        return Guard(kind, by)
    kind, by, event_id, hubs, *rest = found
    return Guard(kind, by, event_id, tuple(hubs), *rest)


def _waiting(one: Waiting) -> list[Any]:
    event, origin = base64.b64encode(one.event).decode(), one.origin.decode()
    return [
        one.event_id,
        one.producer,
        one.event_type,
        event,
        origin,
        one.hubs,
        one.hub,
        one.opens,
        one.child,
        one.review,
        one.candidates,
        one.opened_at,
        one.supersedes,
        one.accepted_at,
        one.silent,
        one.guards,
        one.guarded,
        one.stand_ins,
        one.own_area,
    ]


def _waiting_from(found: list[Any]) -> Waiting:
    """Read it; what was written before a field came has a shorter end."""
    event_id, producer, event_type, event, origin, hubs, hub, opens, child, review, *rest = found
    content, asked = base64.b64decode(event), (tuple(hubs), hub)
    more: Any = (tuple(one) if isinstance(one, list) else one for one in rest)
    return Waiting(event_id, producer, event_type, content, origin.encode(), *asked, opens, child, review, *more)


def _json(value: Mapping[str, Any] | list[Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
