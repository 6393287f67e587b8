"""The owner of one identifier: who holds it, and who claims it under another birth date.

INVARIANT: an identifier has one holder. A claim under a second birth date is refused and asks a person; nothing merges here.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from broker import codec
from broker.core.model.event import Event
from broker.errors import ReviewClosedError
from broker.sealing.reviews import review_id
from broker.stream.identify.children import MOST_CLOSED
from broker.stream.identify.room import check_share, has_room
from broker.stream.identify.state import Holding, Waiting
from broker.stream.identify.trail import let_go
from broker.stream.identify.turn import CONFLICT, OPEN, REJECTED, RESOLVED, UNIDENTIFIED, WITHDRAWN, Turn


def claimed(holding: Holding, claim: Mapping[str, Any], turn: Turn) -> Holding:
    """Take a claim or its giving up, answer it, and let what waits go on when it is clear who holds the identifier."""
    asker, key = claim["holder"], claim["reply_to"]
    if claim["given_up"]:
        return _settled(replace(holding, contested=_without(holding, key, asker)), turn)
    if holding.holder is None or holding.key == key:
        hubs = tuple(dict.fromkeys((*holding.hubs, *claim["hubs"])))
        after = replace(holding, holder=asker, key=key, contested=_without(holding, key, asker), hubs=hubs)
    elif holding.holder == asker:  # a person said that this child is known under two birth dates
        after = replace(holding, contested=tuple(one for one in holding.contested if one[1] != key))
    else:
        after = replace(holding, contested=(*_without(holding, key, asker), (asker, key)))
        turn.answer(dict(claim), conflict_with=holding.holder, hubs=holding.hubs)
        return after
    turn.answer(dict(claim), conflict_with=None)
    return _settled(after, turn)


def arrived(holding: Holding, one: Waiting, turn: Turn) -> Holding:
    """Take an event without a birth date that names this identifier; raises TooManyReviewsError."""
    if one.name in (*holding.closed, *holding.beyond) or any(one.name == w.name for w in holding.waiting):
        turn.record_end(one, "DUPLICATE")
        return holding
    if _is_clear(holding):
        turn.pass_on(str(holding.key), one)
        return holding
    asked = _asked(holding, one, turn)
    if asked.review == UNIDENTIFIED:
        check_share(one.producer, (*(w.producer for w in holding.waiting), *holding.beyond.values()))
    turn.review(asked, OPEN)
    turn.waits(asked)
    if not has_room(one, holding.waiting):
        return replace(holding, beyond={**holding.beyond, one.name: one.producer})
    return replace(holding, waiting=(*holding.waiting, asked))


def resolved(holding: Holding, resolution: Mapping[str, Any], brought: Waiting | None, turn: Turn) -> Holding:
    """Take a person's answer; raises ReviewClosedError when the review is not open here."""
    one = under_review(holding, resolution["review_id"])
    if one is None and brought is not None and brought.name in holding.beyond:
        one = brought
    if one is None:
        raise ReviewClosedError("review is not open here: it was resolved or withdrawn before")
    kept = tuple(w for w in holding.waiting if w.name != one.name)
    after = replace(holding, waiting=kept, beyond={e: who for e, who in holding.beyond.items() if e != one.name})
    turn.review(one, RESOLVED, dict(resolution))
    if resolution["decision"] == "LINK":
        turn.forward(resolution["child_ref"], one)
        if resolution["child_key"]:
            turn.learn(resolution["child_key"], resolution["child_ref"], one)
        return after
    turn.record_end(one, "APPLIED", REJECTED)
    return _closed(after, one)


def changed(holding: Holding, event: Event, event_id: str, to: str, turn: Turn) -> Holding:
    """Take that an event which waits here is over, as its trail says: `event` of its publisher changed it, and went to `to`."""
    one = next((w for w in holding.waiting if w.name == f"{event.header.producer}/{event_id}"), None)
    if one is None:
        return holding
    after = replace(holding, waiting=tuple(w for w in holding.waiting if w is not one))
    return _closed(after, one) if let_go(one, event, to, turn) else after


def under_review(holding: Holding, review: str) -> Waiting | None:
    """Return the event of an open review that is kept here."""
    return next((w for w in holding.waiting if review_id(w.producer, w.event_id) == review), None)


def _settled(holding: Holding, turn: Turn) -> Holding:
    if not _is_clear(holding):
        return holding
    for one in holding.waiting:
        turn.review(one, WITHDRAWN)
        turn.pass_on(str(holding.key), one)
    return replace(holding, waiting=())


def _asked(holding: Holding, one: Waiting, turn: Turn) -> Waiting:
    claimants = {ref for ref, _ in holding.contested} | {str(holding.holder)}
    candidates, known = tuple(sorted(claimants)) if holding.holder else (), set(holding.hubs)
    hubs = one.hubs if not known or known & set(one.hubs) else holding.hubs
    left = tuple(hub for hub in hubs if hub not in codec.decode_header(one.event).excluded)
    hub, stand_ins = next(iter(left), ""), left[1:]
    kind = CONFLICT if candidates else UNIDENTIFIED
    return replace(one, review=kind, candidates=candidates, hub=hub, stand_ins=stand_ins, opened_at=turn.at)


def _closed(holding: Holding, one: Waiting) -> Holding:
    return replace(holding, closed=(*holding.closed, one.name)[-MOST_CLOSED:])


def _is_clear(holding: Holding) -> bool:
    return holding.holder is not None and not holding.contested


def _without(holding: Holding, key: str, child_ref: str) -> tuple[tuple[str, str], ...]:
    return tuple(one for one in holding.contested if one != (child_ref, key))
