"""Events of one child that wait: for a person, or for somebody to fill a role; sealed under the child's key.

Nothing else of an event is ever kept; what is resolved is taken off, and a gap that nobody filled in time is, too.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from broker.codec import decode_event, decode_header
from broker.core.agencies.exclusions import said_in
from broker.core.model.event import Category
from broker.core.model.facts import Exclusion
from broker.core.model.identifiers import ChildRef, Millis
from broker.core.model.policy import SHAREABLE
from broker.core.model.question import ASK, GAP, HOLD, WHO, Question
from broker.core.waiting.bells import Asked, Bell
from broker.core.waiting.clocks import question_clock_id
from broker.core.waiting.judgements import is_judgement
from broker.core.waiting.questions import GAP_STAYS
from broker.core.waiting.unsafe import asked_of, is_about_unsafe
from broker.sealing.secrets import Secrets

RELEASE = "RELEASE"  # nobody is asked: it is kept in case its originator releases it
RELEASE_STAYS = GAP_STAYS  # how long a release still reaches what came before it; later its originator publishes it again
STAYS = {GAP: GAP_STAYS, RELEASE: RELEASE_STAYS}
CONTEXT = b"shelf"
_ALL = tuple(SHAREABLE)  # of a question that was put before it was kept what it asks about


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One event that waits.

    `about` is the recipient that an `ASK` is about, the event that a `HOLD` holds or that a `RELEASE` keeps in case its
    originator releases it, or the role of a `GAP`.

    `until` is when it is taken off unresolved, milliseconds since 1970; 0 for what waits as long as it takes. `since` is when
    the event was accepted. `asks` are the categories that an `ASK` is about; `why`, `clock` and `due_at` are its review's.
    """

    review_id: str
    kind: str
    about: str
    for_recipient: str
    event: bytes
    origin: bytes | None = None
    until: int = 0
    since: int = 0
    asks: tuple[str, ...] = _ALL
    why: str = ""
    clock: str = ""
    due_at: int = 0

    @property
    def is_about_finding(self) -> bool:
        """Whether it is asked if a finding still holds, and not if something may be shared."""
        return self.kind == ASK and is_judgement(decode_header(self.event), self.about)

    @property
    def is_about_unsafe(self) -> bool:
        """Whether it is asked if it is still not safe to tell the family, and not if something may be shared."""
        return self.kind == ASK and is_about_unsafe(decode_header(self.event), self.about)

    def is_rung_by(self, clock_id: str, bell: Bell) -> bool:
        """Tell whether a clock's bell is that of the question that this event waits for."""
        return clock_id == question_clock_id(self.review_id, bell.name, bell.stage)

    def question(self) -> Question:
        """Return the question as it was put."""
        asks = tuple(map(Category, self.asks)) if self.kind == ASK else ()
        return Question(
            kind=self.kind,
            for_recipient=self.for_recipient,
            about=self.about,
            why=self.why,
            asks=asks,
            clock=self.clock or None,
            due_at=Millis(self.due_at) if self.due_at else None,
        )

    def asked(self) -> Asked:
        """Return the question as its clock sees it."""
        event = asked_of(decode_event(self.event)) if self.is_about_unsafe else decode_event(self.event)
        return Asked(self.review_id, self.for_recipient, event, is_nobodys=self.kind == WHO)


def doubts(waiting: Iterable[Waiting]) -> tuple[Exclusion, ...]:
    """Return whom something that waits for a person would exclude: until it is answered nothing new is asked of them (R11)."""
    held = ((one, decode_header(one.event)) for one in waiting if one.kind == HOLD)
    found = (said for one, header in held for said in said_in(header, Millis(one.since)))
    return tuple({(said.recipient, said.by): said for said in found}.values())  # once, however often an agency says so


def shelf_to_bytes(waiting: Sequence[Waiting], secrets: Secrets, child_ref: ChildRef) -> bytes:
    """Seal what waits, events and all, as it is handed to another line; an empty shelf is empty bytes."""
    return list_to_bytes(waiting, [b64encode(one.event).decode() for one in waiting], secrets, child_ref)


def shelf_from_bytes(value: bytes | None, secrets: Secrets, child_ref: ChildRef) -> tuple[Waiting, ...]:
    """Open a shelf; raises UnreadableRecordError when the key is another broker's."""
    return list_from_bytes(value, secrets, child_ref, b64decode)


def list_to_bytes(waiting: Sequence[Waiting], events: Sequence[str], secrets: Secrets, child_ref: ChildRef) -> bytes:
    """Seal what waits, where `events` stand for its events, one for each; nothing is empty bytes."""
    if not waiting:
        return b""
    rows = [_row(one, event) for one, event in zip(waiting, events, strict=True)]
    return secrets.seal(child_ref, CONTEXT, json.dumps(rows, separators=(",", ":")).encode())


def list_from_bytes(
    value: bytes | None, secrets: Secrets, child_ref: ChildRef, event_of: Callable[[str], bytes]
) -> tuple[Waiting, ...]:
    """Open such a list; `event_of` finds the event that a text stands for."""
    if not value:
        return ()
    return tuple(
        Waiting(
            review_id=review,
            kind=kind,
            about=about,
            for_recipient=asked,
            event=event_of(event),
            origin=origin.encode() or None,
            until=until,
            **_later(*rest),
        )
        for review, kind, about, asked, event, origin, until, *rest in json.loads(secrets.open(child_ref, CONTEXT, value))
    )


def _row(one: Waiting, event: str) -> list[str | int | list[str]]:
    return [
        one.review_id,
        one.kind,
        one.about,
        one.for_recipient,
        event,
        (one.origin or b"").decode(),
        one.until,
        one.since,
        list(one.asks),
        one.why,
        one.clock,
        one.due_at,
    ]


def _later(since: int = 0, asks: Sequence[str] = _ALL, why: str = "", clock: str = "", due_at: int = 0) -> dict[str, Any]:
    """Return what rows have that were not written from the beginning."""
    return {"since": since, "asks": tuple(asks), "why": why, "clock": clock, "due_at": due_at}
