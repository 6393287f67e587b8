"""The enforcement point (PEP): turns what a child's line decided into an audit entry and the messages that it allows.

It gives every message its id, the recipient's own pseudonym of the child and a sealed return address. INVARIANT: nothing in
a message, its key, its headers or its size depends on what was withheld (I4): it is made from the notice alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from broker import codec
from broker.core.model import ledger
from broker.core.model.event import Header
from broker.core.model.facts import Facts
from broker.core.model.identifiers import ChildRef, DecisionId, DisclosureId, EventId, Millis, RecipientId, RoleName, digest
from broker.core.model.notice import Notice
from broker.core.model.ports import CAUSE, ORIGIN, OUTCOME, Headers, Outgoing, Position
from broker.core.model.protections import is_protected
from broker.core.model.question import Question
from broker.core.model.registers import Registers
from broker.core.model.turn import Turn
from broker.core.model.verdict import Decision, Verdict
from broker.core.waiting.clocks import Clock, clock_id, question_clock_id
from broker.sealing.reviews import seal_event
from broker.sealing.secrets import Secrets
from broker.stream.decide.facts_record import request_to_bytes
from broker.stream.decide.shelf import STAYS, Waiting
from broker.stream.topics import AUDIT, DISCLOSURES, REVIEWS, disclosures_topic

REQUEST = b"audit/request"  # the context under which a request is sealed
_CE: Headers = (("ce_specversion", b"1.0"), ("ce_source", b"safeguarding-broker"), ("ce_type", b"safeguarding.disclosure"))
_AVRO: Headers = (("content-type", b"application/avro"),)

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Decided:
    """Who decided where a person did: the holder of the key that signed the answer, that key, and the reason given."""

    by: str
    key: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The record that a turn comes from, as its audit entry names it; `accepted_at` is since when its clocks run."""

    subject: str
    record_id: str
    event_type: str
    producer: str
    place: Position
    origin: bytes | None
    accepted_at: Millis
    event: bytes | None = None
    decided: Decided | None = None


@dataclass(slots=True)
class Enforced:
    """What is to be written, and the facts with the ledger's new lines."""

    facts: Facts
    audit: Outgoing
    outputs: list[Outgoing] = field(default_factory=list)
    clocks: tuple[Clock, ...] = ()


@dataclass(frozen=True, slots=True)
class Enforcer:
    """Carries a turn out under the registers in force."""

    secrets: Secrets

    def carry_out(self, turn: Turn, before: Facts, cause: Cause, registers: Registers | None) -> Enforced:
        """Return the audit entry that comes first and everything that it allows."""
        named = [(one, self._disclosure_id(one)) for one in turn.notices]
        lines = [ledger.line_of(notice, made, turn.facts) for notice, made in named]
        held = ledger.with_lines(turn.facts.ledger, (*lines, *turn.unchanged))
        facts = replace(turn.facts, ledger=held, version=before.version + 1)
        found = Enforced(facts, self._audit(turn, before, cause, named))
        found.outputs.extend(self._disclosure(notice, made, facts, registers) for notice, made in named)
        found.outputs.extend(self.review(one, facts, cause) for one in turn.questions)
        found.clocks = (
            *(_clock(notice, made, facts.at, stage) for notice, made in named if notice.clock for stage in notice.bells),
            *(_review_clock(one, cause, facts.at, stage) for one in turn.questions for stage in one.bells),
        )
        return found

    def _disclosure_id(self, notice: Notice) -> DisclosureId:
        said = EventId(f"{notice.producer}/{notice.event_id}")  # its id alone may be that of another agency's event (I10)
        return self.secrets.disclosure_id(said, notice.recipient, notice.view_digest, notice.version)

    def _disclosure(self, notice: Notice, made: DisclosureId, facts: Facts, registers: Registers | None) -> Outgoing:
        """Make the message of a notice."""
        pseudonym = self.secrets.pseudonym(notice.recipient, facts.child_ref)
        message = {
            **notice.view,
            "disclosure_id": made,
            "recipient": notice.recipient,
            "role": notice.role,
            "child": pseudonym,
            "kind": notice.kind,
            "event_type": notice.event_type,
            "issued_at": facts.at,
            "replaces": notice.replaces,
            "answers": notice.answers,
            "own_reference": notice.reference,
            "because": list(notice.because),
            "lawful_basis": notice.lawful_basis,
            "gateway": notice.gateway,
            "rules": list(notice.rules),
            "obligations": list(notice.obligations),
            "due_at": notice.due_at,
            "token": self.secrets.seal_token(facts.child_ref, made, notice.recipient, notice.event_id),
        }
        headers = (*_CE, ("ce_id", made.encode()), *_AVRO)
        return Outgoing(_topic(notice.recipient, registers), pseudonym.encode(), codec.encode("disclosure", message), headers)

    def review(self, question: Question, facts: Facts, cause: Cause, known: str = "") -> Outgoing:
        """Make the review of a question, `known` by its id already; what its reader may see of the event goes with it, sealed."""
        made = known or question.review_id(cause.producer, cause.record_id)
        sealed = seal_event(self.secrets, made, codec.encode_event(question.shown)) if question.shown else None
        message = {
            "review_id": made,
            "kind": question.kind,
            "state": "OPEN",
            "for_recipient": question.for_recipient,
            "opened_at": facts.at,
            "accepted_at": cause.accepted_at,
            "due_at": question.due_at,
            "clock": question.clock,
            "event_id": cause.record_id,
            "event_type": cause.event_type,
            **_publisher(cause.producer, facts, restricted=_is_restricted(cause.event)),
            "why": question.why,
            "matching_key": "",
            "sealed_event": sealed,
            "child_ref": facts.child_ref,
        }
        return Outgoing(REVIEWS, made.encode(), codec.encode("review", message), headers_of(cause))

    def _audit(self, turn: Turn, before: Facts, cause: Cause, named: Sequence[tuple[Notice, DisclosureId]]) -> Outgoing:
        """Make the audit entry: every decision with its reasons, the disclosures it allows, and the sealed request."""
        facts, verdict = turn.facts, turn.verdict
        used = dict(verdict.used) if verdict else {}
        message = {
            "entry_id": entry_id(facts.child_ref, cause, before.version),
            "at": facts.at,
            "child_ref": facts.child_ref,
            "outcome": turn.outcome,
            "subject": cause.subject,
            "event_id": cause.record_id,
            "event_type": cause.event_type,
            "producer": cause.producer,
            "policy_digest": facts.policy or "",
            "registers_digest": facts.registers or "",
            "decisions": _decisions(turn, cause, named),
            "others": turn.others,
            "request": self.secrets.seal(facts.child_ref, REQUEST, request_to_bytes(verdict.request, used)) if verdict else b"",
            "facts_version": before.version,
            "concerns": list(turn.concerns),
            **_decider(cause.decided),
        }
        headers = (*headers_of(cause), (OUTCOME, turn.outcome.lower().encode()))
        return Outgoing(AUDIT, facts.child_ref.encode(), codec.encode("audit_entry", message), headers)


def _decider(decided: Decided | None) -> Message:
    return {"decided_by": decided.by, "decided_with": decided.key, "decided_because": decided.because} if decided else {}


def closed_review(waiting: Waiting, header: Header, facts: Facts, resolution: Message, cause: Cause) -> Outgoing:
    """Make the record that closes a review with what a person decided; the event is no longer in it."""
    return _closed(waiting, header, facts, cause, state="RESOLVED", why="a person has decided", resolution=resolution)


def filled_review(waiting: Waiting, header: Header, facts: Facts, cause: Cause) -> Outgoing:
    """Make the record that takes back the review of a gap: somebody fills the role now and was told."""
    return _closed(waiting, header, facts, cause, state="WITHDRAWN", why="somebody fills the role now and was told")


def freed_review(waiting: Waiting, header: Header, facts: Facts, cause: Cause) -> Outgoing:
    """Make the record that takes back the review of an event that nothing holds any more."""
    return _closed(waiting, header, facts, cause, state="WITHDRAWN", why="what held it was taken back or changed meanwhile")


def late_review(waiting: Waiting, header: Header, facts: Facts, cause: Cause) -> Outgoing:
    """Make the record that takes back the review of a gap: who comes to the child now is not told of it any more."""
    return _closed(waiting, header, facts, cause, state="WITHDRAWN", why="nobody came in time who fills the role")


def overtaken_review(waiting: Waiting, header: Header, facts: Facts, cause: Cause) -> Outgoing:
    """Make the record that takes back a review: what it asks about was taken back or changed by its publisher."""
    return _closed(waiting, header, facts, cause, state="WITHDRAWN", why="it was taken back or changed meanwhile")


def _is_restricted(event: bytes | None) -> bool:
    return codec.decode_header(event).is_restricted if event else False


def _publisher(producer: str, facts: Facts, *, restricted: bool) -> dict[str, Any]:
    """Say who published the event of a review; of a protected child, or record, that would say in the clear where it is (I8)."""
    guarded = restricted or is_protected(facts.protections)
    return {"producer": "" if guarded else producer, "guarded": guarded}


def _closed(waiting: Waiting, header: Header, facts: Facts, cause: Cause, **how: Any) -> Outgoing:
    message = {
        "review_id": waiting.review_id,
        "kind": waiting.kind,
        "for_recipient": "",
        "opened_at": facts.at,
        "event_id": header.event_id,
        "event_type": header.event_type,
        **_publisher(header.producer, facts, restricted=header.is_restricted),
        "matching_key": "",
        "child_ref": facts.child_ref,
        **how,
    }
    return Outgoing(REVIEWS, waiting.review_id.encode(), codec.encode("review", message), headers_of(cause))


def headers_of(cause: Cause) -> Headers:
    """Return where a record comes from, as every record inside the broker says it."""
    origin: Headers = ((ORIGIN, cause.origin),) if cause.origin else ()
    return (*origin, (CAUSE, bytes(cause.place)))


def shelved(question: Question, cause: Cause, at: Millis) -> Waiting:
    """Return an event as it waits for the answer to a question."""
    return Waiting(
        review_id=question.review_id(cause.producer, cause.record_id),
        kind=question.kind,
        about=question.about,
        for_recipient=question.for_recipient,
        event=cause.event or b"",
        origin=cause.origin,
        until=at + STAYS[question.kind] if question.kind in STAYS else 0,
        since=cause.accepted_at,
        asks=question.asks,
        why=question.why,
        clock=question.clock or "",
        due_at=question.due_at or 0,
    )


def entry_id(child_ref: ChildRef, cause: Cause, version: int) -> str:
    """Derive an audit entry's id: the same record at the same place of the same line always gives the same."""
    return "a-" + digest(f"{child_ref}\x1f{cause.subject}\x1f{cause.record_id}\x1f{version}".encode())[:32]


def decision_id(record_id: str, recipient: str, role: str, verdict: Verdict | None) -> DecisionId:
    """Derive a decision's id from what was decided about, for whom, and under which policy and registers."""
    under = f"{verdict.policy}\x1f{verdict.registers}" if verdict else ""
    return DecisionId("n-" + digest(f"{record_id}\x1f{recipient}\x1f{role}\x1f{under}".encode())[:32])


def _topic(recipient: RecipientId, registers: Registers | None) -> str:
    entry = registers.recipients.get(recipient) if registers else None
    return disclosures_topic(recipient) if entry is not None and entry.own_topic else DISCLOSURES


def _clock(notice: Notice, made: DisclosureId, at: Millis, stage: str) -> Clock:
    name = notice.clock or ""
    return Clock(
        clock_id=clock_id(made, name, stage),
        name=name,
        event_id=notice.event_id,
        event_type=notice.event_type,
        disclosure_id=made,
        recipient=notice.recipient,
        role=notice.role,
        started_at=at,
        due_at=notice.bells[stage],
        stops_on=notice.stops_on,
        correction=notice.replaces is not None,
        stage=stage,
    )


def _review_clock(question: Question, cause: Cause, at: Millis, stage: str) -> Clock:
    """Make a clock of a question: closing its review is what stops it, and no receipt does."""
    made, name = question.review_id(cause.producer, cause.record_id), question.clock or ""
    return Clock(
        clock_id=question_clock_id(made, name, stage),
        name=name,
        event_id=EventId(cause.record_id),
        event_type=cause.event_type,
        disclosure_id=DisclosureId(made),
        recipient=RecipientId(question.for_recipient),
        role=RoleName(""),
        started_at=at,
        due_at=question.bells[stage],
        stops_on="outcome",
        stage=stage,
    )


def _decisions(turn: Turn, cause: Cause, named: Iterable[tuple[Notice, DisclosureId]]) -> list[Message]:
    """One for each possible recipient, then one for each message that goes by the ledger and not by a rule's choice."""
    made = {(notice.recipient, notice.is_chosen): (notice, found) for notice, found in named}
    same = {one.recipient: one for one in turn.unchanged}
    verdict = turn.verdict
    found = []
    for decision in verdict.decisions if verdict else ():
        notice, disclosure = made.get((decision.recipient, True), (None, None))
        kept = same.get(decision.recipient)
        found.append(_decision(decision, cause, verdict, notice, disclosure or (kept.disclosure_id if kept else None)))
    found.extend(_by_ledger(notice, disclosure, cause) for notice, disclosure in named if not notice.is_chosen)
    return found


def _decision(
    decision: Decision, cause: Cause, verdict: Verdict | None, notice: Notice | None, disclosure: DisclosureId | None
) -> Message:
    return {
        **_whatever_event(decision),
        "decision_id": decision_id(cause.record_id, decision.recipient, decision.role, verdict),
        "due_at": notice.due_at if notice else None,
        "disclosure_id": disclosure,
        "view_digest": notice.view_digest if notice else None,
    }


def _whatever_event(decision: Decision) -> Message:
    """Return what an entry says of a decision that is the same for every event: decisions are remembered, and so is this."""
    kept = _written.get(id(decision))
    if kept is not None:
        return kept[1]
    reasons = [{"rule": one.rule, "because": one.because, "categories": one.categories} for one in decision.reasons]
    said = {
        "recipient": decision.recipient,
        "role": decision.role,
        "outcome": decision.outcome,
        "granted": codec.written("decision", "granted", decision.granted),
        "withheld": codec.written("decision", "withheld", decision.withheld),
        "asked": codec.written("decision", "asked", decision.asked),
        "asked_of": decision.asked_of,
        "reasons": codec.written("decision", "reasons", reasons),
        "lawful_basis": decision.lawful_basis,
        "gateway": decision.gateway,
        "obligations": codec.written("decision", "obligations", decision.obligations),
        "clock": decision.clock,
    }
    if len(_written) >= _REMEMBERED:
        _written.clear()
    _written[id(decision)] = decision, said  # holding the decision keeps its id its own
    return said


_REMEMBERED = 20_000
_written: dict[int, tuple[Decision, Message]] = {}


def _by_ledger(notice: Notice, disclosure: DisclosureId, cause: Cause) -> Message:
    """A correction, gap or escalation: that there is something, and nothing of its content."""
    about = notice.view_digest if notice.kind == "GAP" else notice.replaces or notice.role  # one for each role that nobody fills
    return {
        "decision_id": decision_id(cause.record_id, notice.recipient, f"{notice.kind}/{about}", None),
        "recipient": notice.recipient,
        "role": notice.role,
        "outcome": "DISCLOSE",
        "granted": ["existence"],
        "reasons": [{"rule": next(iter(notice.rules), notice.kind.lower()), "because": one} for one in notice.because],
        "lawful_basis": notice.lawful_basis,
        "gateway": notice.gateway,
        "clock": notice.clock,
        "due_at": notice.due_at,
        "disclosure_id": disclosure,
        "view_digest": notice.view_digest or None,
    }
