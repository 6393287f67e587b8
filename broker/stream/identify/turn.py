"""What one record makes in `identify`: the records to be written, each with the position that made it, counted in order."""

from dataclasses import dataclass, field, replace
from typing import Any

from broker import codec
from broker.core.model.event import Body, Event
from broker.core.model.identifiers import RecipientId, digest
from broker.core.model.ports import ACCEPTED, CAUSE, ORIGIN, OUTCOME, Headers, Outgoing, Position
from broker.core.model.question import BEHIND_A_RECORD
from broker.sealing.reviews import review_id, seal_event
from broker.sealing.secrets import Secrets
from broker.stream.identify.said import changed_by
from broker.stream.identify.state import Waiting
from broker.stream.topics import AUDIT, CANDIDATES, REVIEWS, SUBJECTS

UNIDENTIFIED, AMBIGUOUS, CONFLICT, HOLD = "UNIDENTIFIED", "AMBIGUOUS", "IDENTIFIER_CONFLICT", "HOLD"
OPEN, RESOLVED, WITHDRAWN = "OPEN", "RESOLVED", "WITHDRAWN"
# Which clock an event runs on only its child's line knows. Until somebody says whose it is, it may be on the shortest: that of
# police protection (Children Act 1989 s.46, DOMAIN event 3).
SHORTEST, SHORTEST_MS = "1_hour", 3_600_000
BORN = "m-"  # begins the key of the children of one birth date
NOBODYS = "w-"  # begins the key of a line in `subjects` that is no child's: of one question of whom an event is about

_WHY = {
    UNIDENTIFIED: "no child is known by what this record says of who it is about",
    AMBIGUOUS: "this record may be about more than one child, or a person must confirm whom it is about",
    CONFLICT: "an identifier in this record is held by a child under another birth date",
    HOLD: BEHIND_A_RECORD,
}
_ANSWERED = {
    "LINK": "a person said which child it is about",
    "REJECT": "a person said that it is about none of the children that it might be",
}
REJECTED = "a person said that it is about nobody who is known"
_ENDED = {
    RESOLVED: "a person has decided",
    WITHDRAWN: "nobody has to say any more whom this record is about",
}


@dataclass(slots=True)
class Turn:
    """Collects what one record makes. `cause` is the place of that record, `at` its instant, `key` whose turn it is."""

    secrets: Secrets
    key: str
    cause: Position
    at: int
    outputs: list[Outgoing] = field(default_factory=list)
    audit: list[Outgoing] = field(default_factory=list)
    _count: int = 0

    def forward(self, child_ref: str, one: Waiting) -> None:
        """Put an event into a child's line, byte for byte."""
        message = {"kind": "EVENT", "child_ref": child_ref, "event": one.event}
        self._write(SUBJECTS, child_ref, codec.encode("subject_record", message), one)
        self._went(child_ref, one, one.event_id, None)
        if one.supersedes is not None:
            self._went(child_ref, one, one.supersedes, one.supersedes)

    def waits(self, one: Waiting) -> None:
        """Tell who keeps an event's trail that it waits here for a person, and who keeps that of the event that it changes."""
        self._went("", one, one.event_id, None, at=self.key)
        earlier = changed_by(codec.decode_event(one.event))
        if earlier is not None:
            self._went("", one, earlier, earlier, at=self.key)

    def over(self, one: Waiting, earlier: str) -> None:
        """Tell who keeps the trail of the event that this one changed that it is over and went nowhere."""
        self._went("", one, earlier, earlier)

    def _went(self, child_ref: str, one: Waiting, trail: str, supersedes: str | None, at: str | None = None) -> None:
        """Tell who keeps an event's trail where it went or waits, or the version that changes it."""
        went = {"event_id": one.event_id, "supersedes": supersedes, "child_ref": child_ref, "at": at}
        key = self.secrets.trail_key(one.producer, trail)
        self._write(CANDIDATES, key, codec.encode("candidate", {"kind": "ANSWER", "went": went}))

    def counts(self, child_ref: str, one: Waiting) -> None:
        """Tell who keeps an event's trail that something which it says counts here, as long as it stands on the child's line."""
        went = {"event_id": one.event_id, "supersedes": None, "child_ref": child_ref, "counts_at": self.key}
        key = self.secrets.trail_key(one.producer, one.event_id)
        self._write(CANDIDATES, key, codec.encode("candidate", {"kind": "ANSWER", "went": went}))

    def answered(self, key: str, went: dict[str, Any]) -> None:
        """Tell where something that an event said counts whether it stands on the child's line."""
        self._write(CANDIDATES, key, codec.encode("candidate", {"kind": "ANSWER", "went": went}))

    def changed(self, key: str, event_id: str, event: bytes, to: str) -> None:
        """Tell where an event waits for a person that another changed it or took it back, and to which line that went."""
        went = {"event_id": event_id, "supersedes": None, "child_ref": to}
        message = {"kind": "EVENT", "event": event, "changes": True, "went": went}
        self._write(CANDIDATES, key, codec.encode("candidate", message))

    def moved(self, child_ref: str, event: bytes, to: str) -> None:
        """Tell a child's line that what was said on it was about another child, or was taken back."""
        message = {"kind": "EVENT", "child_ref": child_ref, "event": event, "moved_to": to}
        self._write(SUBJECTS, child_ref, codec.encode("subject_record", message))

    def hand_over(self, losing: str, winning: str) -> None:
        """Tell a child's line to hand all it holds over to another's."""
        self._write(SUBJECTS, losing, codec.encode("subject_record", {"kind": "HANDOVER", "child_ref": winning}))

    def pass_on(self, matching_key: str, one: Waiting) -> None:
        """Send an event that carries no birth date to where its child is known."""
        message = {"kind": "EVENT", "event": one.event, "opens_child": one.opens, **_hubs_of(one)}
        self._write(CANDIDATES, matching_key, codec.encode("candidate", message), one)

    def learn(self, matching_key: str, child_ref: str, one: Waiting) -> None:
        """Tell where a child is known what an event said of it that went to its line from elsewhere."""
        if not matching_key.startswith(BORN):
            return
        event = codec.decode_event(one.event)
        went = {"event_id": one.event_id, "supersedes": None, "child_ref": child_ref}
        said = codec.encode_event(Event(event.header, Body(), event.control))
        message = {"kind": "EVENT", "event": said, "went": went, **_hubs_of(one)}
        self._write(CANDIDATES, matching_key, codec.encode("candidate", message))

    def claim(self, identifier: str, child_ref: str, hubs: tuple[str, ...] = (), *, given_up: bool = False) -> None:
        """Ask the owner of an identifier to make a child its holder, or say that it no longer asks."""
        claim = {
            "identifier": identifier,
            "holder": child_ref,
            "reply_to": self.key,
            "birth_hash": self.key,
            "given_up": given_up,
            "hubs": list(hubs),
        }
        self._write(CANDIDATES, identifier, codec.encode("candidate", {"kind": "CLAIM", "claim": claim}))

    def answer(self, claim: dict[str, Any], conflict_with: str | None, hubs: tuple[str, ...] = ()) -> None:
        """Answer a claim: granted, or held by another child under another birth date, which `hubs` know."""
        said = {**claim, "hubs": list(hubs), "granted": conflict_with is None, "conflict_with": conflict_with}
        self._write(CANDIDATES, claim["reply_to"], codec.encode("candidate", {"kind": "ANSWER", "claim": said}))

    def review(self, one: Waiting, state: str, resolution: dict[str, Any] | None = None, why: str = "") -> None:
        """Open, withdraw or close the review of an event, and say why; only an open one holds the event, sealed."""
        review = review_id(one.producer, one.event_id)
        kind = one.review or UNIDENTIFIED
        message = {
            "review_id": review,
            "kind": kind,
            "state": state,
            "for_recipient": one.hub,
            "opened_at": one.opened_at,
            "accepted_at": one.accepted_at or None,
            "due_at": one.accepted_at + SHORTEST_MS if state == OPEN and one.accepted_at else None,
            "clock": SHORTEST if state == OPEN and one.accepted_at else None,
            "event_id": one.event_id,
            "event_type": one.event_type,
            "producer": "" if one.guarded else one.producer,
            "guarded": one.guarded,
            "stand_ins": list(one.stand_ins) if state == OPEN else [],
            "why": why or (_WHY[kind] if state == OPEN else _ENDED[state]),
            "candidates": list(one.candidates),
            "matching_key": self.key,
            "sealed_event": seal_event(self.secrets, review, one.event) if state == OPEN else None,
            "resolution": resolution,
        }
        self._write(REVIEWS, review, codec.encode("review", message), one)
        self._clock_of(review, one, is_open=state == OPEN)
        if resolution is not None:
            self._record_answer(review, one, resolution)

    def _clock_of(self, review: str, one: Waiting, *, is_open: bool) -> None:
        """Start the clock of a question, or stop it, on a line of its own: it warns and escalates as on any child's line (I11).

        One line for each place where the event may wait: what one partition says of it comes in order. It is no record of the
        accepted event, which is accounted for by its review.
        """
        place = f"{self.key}\x1f{review}"
        line = NOBODYS + digest(place.encode())[:32]
        question = {
            "review_id": review,
            "for_recipient": one.hub,
            "is_open": is_open,
            "clock": SHORTEST,
            "protections": list(one.guards),
        }
        message: dict[str, Any] = {"kind": "CLOCK", "child_ref": line, "question": question}
        since: Headers = ((ACCEPTED, b"%d" % one.accepted_at),) if one.accepted_at else ()
        if is_open:
            header = codec.decode_header(one.event)
            silent = tuple(dict.fromkeys((*header.excluded, *map(RecipientId, one.silent))))
            message["event"] = codec.encode_event(Event(replace(header, excluded=silent), Body(), None))
        self._write(SUBJECTS, line, codec.encode("subject_record", message), more=since)

    def record_end(self, one: Waiting, outcome: str, why: str = "") -> None:
        """Write the audit entry of an event that goes no further: a duplicate, taken back, or rejected by a person in review."""
        about = {"outcome": outcome, "subject": "event", "event_id": one.event_id, "others": why}
        self._record(one, about, ((ORIGIN, one.origin),))

    def _record_answer(self, review: str, one: Waiting, answer: dict[str, Any]) -> None:
        """Write the audit entry of a person's answer: who said whom an event is about, and why. It ends no accepted record."""
        key = answer["by"]
        decider = {"decided_by": key.rpartition("/")[0] or key, "decided_with": key, "decided_because": answer["reason"]}
        about = {"outcome": "APPLIED", "subject": "resolution", "event_id": review, "concerns": [one.event_id]}
        self._record(one, {**about, **decider, "others": _ANSWERED[answer["decision"]]}, ())

    def _record(self, one: Waiting, about: dict[str, Any], origin: Headers) -> None:
        outcome = about["outcome"]
        message = {
            "entry_id": digest(f"{self.cause.lane}@{self.cause.offset}+{self._count}/{outcome}".encode())[:32],
            "at": self.at,
            "child_ref": "",
            "event_type": one.event_type,
            "producer": one.producer,
            "policy_digest": "",
            "registers_digest": "",
            "request": b"",
            "facts_version": 0,
            **about,
        }
        headers = (*origin, (CAUSE, self._next()), (OUTCOME, outcome.lower().encode()))
        self.audit.append(Outgoing(AUDIT, one.event_id.encode(), codec.encode("audit_entry", message), headers))

    def _write(self, topic: str, key: str, value: bytes, of: Waiting | None = None, more: Headers = ()) -> None:
        headers = (*(_came_with(of) if of is not None else more), (CAUSE, self._next()))
        self.outputs.append(Outgoing(topic, key.encode(), value, headers))

    def _next(self) -> bytes:
        place = bytes(Position(self.cause.lane, self.cause.offset, self._count))
        self._count += 1
        return place


def _hubs_of(one: Waiting) -> dict[str, Any]:
    return {"hub": one.hubs[0] if one.hubs else "", "stand_ins": list(one.hubs[1:]), "own_area": one.own_area}


def _came_with(one: Waiting) -> Headers:
    """Return what every record of an accepted event says of it: where it stands, and since when."""
    accepted: Headers = ((ACCEPTED, b"%d" % one.accepted_at),) if one.accepted_at else ()
    return ((ORIGIN, one.origin), *accepted)
