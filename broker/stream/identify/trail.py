"""The trail of one event: where it went or waits, and who must hear that it is over: changed, taken back, another child's (I7).

One partition owns an event's trail, by a key made of its producer and its id: nobody else's word gets here (I10).
INVARIANT: a child's line hears of what ended on it as soon as both are known, in whichever order they become known; and so does
whoever keeps a version that waits for a person.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from broker import codec
from broker.core.model.event import Action, Body, Event
from broker.core.model.identifiers import EventId
from broker.core.model.versions import superseded_by, takes_back
from broker.stream.identify.state import Waiting
from broker.stream.identify.turn import WITHDRAWN, Turn

BY_ITSELF = "n-"  # begins the key of an event that says nothing of whom it is about
TOOK_BACK = "it took back what had gone nowhere yet, or was told of it where that went"
_TAKEN_BACK = "its publisher took it back while a person was asked about it"
_CHANGED = "its publisher changed it while a person was asked about it"
_MEANWHILE = "its publisher took it back or changed it meanwhile"
_MOST = 32  # later versions of one event that are kept; the newest count


@dataclass(frozen=True, slots=True)
class Later:
    """An event that changes the trail's own or takes it back. `event` is its header, empty as long as only its place is known."""

    event_id: str
    event: bytes = b""
    places: tuple[str, ...] = ()
    told: tuple[str, ...] = ()  # the lines that heard of it without being its own, and the keys under which what it ends waited
    waits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trail:
    """Where an event went, and what changes it or takes it back, in the order in which that came. `at`: touched last.

    `places` are the children to whose lines it went, `waits` the keys under which it waited for a person: there it may be over by
    now. A version that is over and went nowhere has no child as its place.
    """

    places: tuple[str, ...] = ()
    later: tuple[Later, ...] = ()
    at: int = 0
    waits: tuple[str, ...] = ()
    counts: tuple[tuple[str, str], ...] = ()  # under which key, and for which child, something that it says counts
    answers: tuple[
        tuple[str, str, bool], ...
    ] = ()  # its publisher, by which name it, or a part of it, and whether that stands there


def bare(event: Event) -> Event:
    """Return of an event that changes another, or takes it back, that much and nothing of its content."""
    action = Action.RETRACT if takes_back(event) else event.header.action
    return Event(replace(event.header, action=action, supersedes=superseded_by(event)), Body(), None)


def went(trail: Trail, said: Mapping[str, Any], turn: Turn) -> Trail:
    """Take that an event went to a child's line, or waits for a person, or is over: the trail's own, or one that changes it."""
    ref, at = said["child_ref"], said["at"]
    if said["counts_at"] or said["answer_to"]:
        return _counted(trail, said, turn)
    if said["supersedes"] is None:
        after = replace(trail, waits=_with(trail.waits, at)) if at else replace(trail, places=_with(trail.places, ref))
        return _told(after, turn)
    one = _known(trail, said["event_id"])
    if not at:
        _taken_back_meanwhile(trail, one.event_id, ref, turn)
    return _told(
        _set(trail, replace(one, waits=_with(one.waits, at)) if at else replace(one, places=_with(one.places, ref))), turn
    )


def _taken_back_meanwhile(trail: Trail, event_id: str, ref: str, turn: Turn) -> None:
    """Tell a line of a version which came to it after what had taken it back: it had waited for an identifier's owner."""
    names = [one.event_id for one in trail.later]
    later = trail.later[names.index(event_id) + 1 :] if event_id in names else ()
    over = next((one for one in later if one.event and _ends(one) and ref in (*one.places, *one.told)), None)
    if over is not None:
        header = codec.decode_header(over.event)
        ends = replace(header, event_id=EventId(f"{header.event_id}/{event_id}"), supersedes=EventId(event_id))
        turn.moved(ref, codec.encode_event(Event(ends, Body())), "")


def _counted(trail: Trail, said: Mapping[str, Any], turn: Turn) -> Trail:
    """Take where something that the event says counts, or whether it stands; whichever comes last tells of it."""
    if said["answer_to"]:
        new = said["answer_to"], said["event_id"], said["stands"]
        after, tells = replace(trail, answers=tuple(dict.fromkeys((*trail.answers, new)))), ((at, new) for at in trail.counts)
    else:
        at = said["counts_at"], said["child_ref"]
        after = replace(trail, counts=tuple(dict.fromkeys((*trail.counts, at))))  # a publisher may send its event again and again
        tells = ((at, new) for new in trail.answers)
    for (key, ref), (by, name, stands) in tells:
        turn.answered(key, {"event_id": name, "child_ref": ref, "answer_to": by, "stands": stands})
    return after


def changes(trail: Trail, content: bytes, turn: Turn) -> Trail:
    """Take that an event changes this one or takes it back; it looks for its child by itself."""
    one = _known(trail, codec.decode_header(content).event_id)
    if one.event:
        return trail
    rest = tuple(other for other in trail.later if other.event_id != one.event_id)
    return _told(replace(trail, later=(*rest, replace(one, event=content))[-_MOST:]), turn)


def arrives(trail: Trail, one: Waiting, event: Event, key: str, turn: Turn) -> Trail:
    """Take an event that says nothing of whom it is about but that it changes this one or takes it back.

    It goes where the version before it went. While that waits for a person, to take it back is all that there is to do; else, and
    while nothing is known of it, this one goes on to `key`, where a person is asked.
    """
    where = next((place for spot in reversed(list(_spots(trail))) for place in spot.places if place), None)
    said = codec.encode_event(bare(event))
    if where is not None:
        turn.forward(where, one)
        for at, ref in trail.counts:  # what it changes counts there, whatever the line makes of it
            turn.learn(at, ref, one)
        found = _known(trail, one.event_id)
        return changes(_set(trail, replace(found, places=_with(found.places, where))), said, turn)
    if takes_back(event) and any(spot.waits for spot in _spots(trail)):
        turn.record_end(one, "APPLIED", TOOK_BACK)
    else:
        turn.pass_on(key, one)
    return changes(trail, said, turn)


def let_go(one: Waiting, event: Event, to: str, turn: Turn) -> bool:
    """End the question about an event, since `event` changed it or took it back, or is itself the one and has done so.

    `to` is the line where `event` went, or where an event goes that says nothing of whom it is about. A version that changed an
    earlier one goes there too, without its content: else the ends of its chain would not meet. Return whether it ended here.
    """
    turn.review(one, WITHDRAWN, why=_MEANWHILE)
    is_itself = one.event_id == event.header.event_id
    if to and is_itself:
        turn.forward(to, one)
        return False
    if to and one.supersedes is not None:
        turn.forward(to, replace(one, event=codec.encode_event(bare(codec.decode_event(one.event)))))
        return False
    turn.record_end(one, "APPLIED", TOOK_BACK if is_itself else _TAKEN_BACK if takes_back(event) else _CHANGED)
    if not is_itself and one.supersedes is not None:
        turn.over(one, one.supersedes)
    return True


def trail_to_bytes(trail: Trail) -> bytes:
    """Write a trail; equal trails give equal bytes."""
    later = [[one.event_id, base64.b64encode(one.event).decode(), one.places, one.told, one.waits] for one in trail.later]
    ends = (trail.waits, trail.counts, trail.answers)
    return json.dumps([trail.at, trail.places, later, *ends], separators=(",", ":")).encode()


def trail_from_bytes(content: bytes) -> Trail:
    """Read a trail; one that was written before it was known what waits, or counts, has a shorter end."""
    found: list[Any] = json.loads(content)
    at, places, later, waits, counts, answers = [*found, (), (), ()][:6]
    versions = (Later(name, base64.b64decode(event), *map(tuple, rest)) for name, event, *rest in later)
    return Trail(tuple(places), tuple(versions), at, tuple(waits), tuple(map(tuple, counts)), tuple(map(tuple, answers)))


def _told(trail: Trail, turn: Turn) -> Trail:
    """Tell every line that holds a version of the event, and wherever one waits, of the last that came after it; once."""
    spots = list(_spots(trail))
    for after, spot in enumerate(spots):
        last = next((one for one in reversed(trail.later[after:]) if one.event and (one.places or _ends(one))), None)
        if last is not None:
            trail = _tell_lines(trail, spot, last.event_id, turn)
            change = _Change(last.event_id, _name(spot, last), next(iter(last.places), ""))
            trail = _tell_keys(trail, spot.waits, change, turn)
    return _ask_no_more(trail, turn)


def _ask_no_more(trail: Trail, turn: Turn) -> Trail:
    """End the question about a version itself, where it has nobody to tell whom it is about but the version before it.

    To take something back is done once that is known to be somewhere; what changes it goes to the same line.
    """
    spots = list(_spots(trail))
    for number, one in enumerate(trail.later, 1):
        before = spots[:number]
        to = next((place for spot in reversed(before) for place in spot.places if place), "")
        if not one.event or one.places:
            continue
        if _ends(one) and any(spot.places or spot.waits for spot in before):
            trail = _tell_keys(trail, one.waits, _Change(one.event_id, one.event_id, ""), turn)
        elif not _ends(one) and to:
            keys = [key for key in one.waits if key.startswith(BY_ITSELF)]
            trail = _tell_keys(trail, keys, _Change(one.event_id, one.event_id, to), turn)
    return trail


class _Change(NamedTuple):
    """That a version came after the one that `waits`, and to which line it went; or is that one itself, and to which it goes."""

    event_id: str
    waits: str
    to: str


def _tell_lines(trail: Trail, spot: Trail | Later, event_id: str, turn: Turn) -> Trail:
    for place in spot.places:
        one = _known(trail, event_id)
        if place and place not in one.told and place not in one.places:
            turn.moved(place, one.event, next(iter(one.places), ""))
            trail = _set(trail, replace(one, told=(*one.told, place)))
    return trail


def _tell_keys(trail: Trail, keys: Iterable[str], change: _Change, turn: Turn) -> Trail:
    """Tell every key under which a version waited that it is over, or where it goes."""
    for key in keys:
        one, mark = _known(trail, change.event_id), f"{key}/{change.waits}"
        if mark not in one.told:
            turn.changed(key, change.waits, one.event, change.to)
            trail = _set(trail, replace(one, told=(*one.told, mark)))
    return trail


def _name(spot: Trail | Later, last: Later) -> str:
    """Return the id of the event that is at a spot: of the trail's own, the one that its versions change."""
    return spot.event_id if isinstance(spot, Later) else codec.decode_header(last.event).supersedes or ""


def _spots(trail: Trail) -> Iterator[Trail | Later]:
    """Yield where the event went or waits, then each later version; one whose turn is not known yet counts as nowhere."""
    yield trail
    yield from (one if one.event else Later(one.event_id) for one in trail.later)


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
