"""The trail of one event: where it went, and who must hear when a later version is about another child, or it is taken back (I7).

One partition owns an event's trail, by a key made of its producer and its id: nobody else's word gets here (I10).
INVARIANT: a child's line hears of what ended on it as soon as both are known, in whichever order they become known.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from broker import codec
from broker.core.corrections import superseded_by, takes_back
from broker.core.event import Action, Body, Event
from broker.stream.identify.state import Waiting
from broker.stream.identify.turn import Turn

_MOST = 32  # later versions of one event that are kept; the newest count


@dataclass(frozen=True, slots=True)
class Later:
    """An event that changes the trail's own or takes it back. `event` is its header, empty as long as only its place is known."""

    event_id: str
    event: bytes = b""
    places: tuple[str, ...] = ()
    told: tuple[str, ...] = ()  # the lines that heard of it without being its own


@dataclass(frozen=True, slots=True)
class Trail:
    """Where an event went, and what changes it or takes it back, in the order in which that came. `at`: touched last."""

    places: tuple[str, ...] = ()
    later: tuple[Later, ...] = ()
    at: int = 0


def bare(event: Event) -> Event:
    """Return of an event that changes another, or takes it back, that much and nothing of its content."""
    action = Action.RETRACT if takes_back(event) else event.header.action
    return Event(replace(event.header, action=action, supersedes=superseded_by(event)), Body(), None)


def went(trail: Trail, said: Mapping[str, Any], turn: Turn) -> Trail:
    """Take that an event went to a child's line: the trail's own, or one that changes it."""
    ref = said["child_ref"]
    if said["supersedes"] is None:
        return _told(replace(trail, places=_with(trail.places, ref)), turn)
    one = _known(trail, said["event_id"])
    return _told(_set(trail, replace(one, places=_with(one.places, ref))), turn)


def changes(trail: Trail, content: bytes, turn: Turn) -> Trail:
    """Take that an event changes this one or takes it back; it looks for its child by itself."""
    one = _known(trail, codec.decode_header(content).event_id)
    if one.event:
        return trail
    rest = tuple(other for other in trail.later if other.event_id != one.event_id)
    return _told(replace(trail, later=(*rest, replace(one, event=content))[-_MOST:]), turn)


def arrives(trail: Trail, one: Waiting, event: Event, key: str, turn: Turn) -> Trail:
    """Take an event that says nothing of whom it is about but that it changes this one or takes it back.

    It goes where the version before it went; while that is not known, on to `key`, where a person is asked.
    """
    where = next((place for places in reversed(list(_spots(trail))) for place in places), None)
    if where is None:
        turn.pass_on(key, one)
        return changes(trail, codec.encode_event(bare(event)), turn)
    turn.forward(where, one)
    found = _known(trail, one.event_id)
    return changes(_set(trail, replace(found, places=_with(found.places, where))), codec.encode_event(bare(event)), turn)


def trail_to_bytes(trail: Trail) -> bytes:
    """Write a trail; equal trails give equal bytes."""
    later = [[one.event_id, base64.b64encode(one.event).decode(), one.places, one.told] for one in trail.later]
    return json.dumps([trail.at, trail.places, later], separators=(",", ":")).encode()


def trail_from_bytes(content: bytes) -> Trail:
    """Read a trail."""
    at, places, later = json.loads(content)
    found = (Later(name, base64.b64decode(event), tuple(went_to), tuple(told)) for name, event, went_to, told in later)
    return Trail(tuple(places), tuple(found), at)


def _told(trail: Trail, turn: Turn) -> Trail:
    """Tell every line that holds a version of the event of the last one that came after it, unless that is there too; once."""
    for after, places in enumerate(list(_spots(trail))):
        last = next((one for one in reversed(trail.later[after:]) if one.event and (one.places or _ends(one))), None)
        for place in places if last is not None else ():
            one = _known(trail, last.event_id) if last is not None else Later("")
            if place not in one.told and place not in one.places:
                turn.moved(place, one.event, next(iter(one.places), ""))
                trail = _set(trail, replace(one, told=(*one.told, place)))
    return trail


def _spots(trail: Trail) -> Iterator[tuple[str, ...]]:
    """Yield where the event went, then where each later version went; one whose turn is not known yet counts as nowhere."""
    yield trail.places
    yield from (one.places if one.event else () for one in trail.later)


def _ends(one: Later) -> bool:
    return codec.decode_header(one.event).action is Action.RETRACT


def _known(trail: Trail, event_id: str) -> Later:
    return next((one for one in trail.later if one.event_id == event_id), Later(event_id))


def _set(trail: Trail, one: Later) -> Trail:
    if all(other.event_id != one.event_id for other in trail.later):
        return replace(trail, later=(*trail.later, one)[-_MOST:])
    return replace(trail, later=tuple(one if other.event_id == one.event_id else other for other in trail.later))


def _with(places: tuple[str, ...], ref: str) -> tuple[str, ...]:
    return places if ref in places else (*places, ref)
