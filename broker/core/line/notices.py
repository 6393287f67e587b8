"""What a turn tells and asks, and by when: its notices, gaps and questions put together from what was decided."""

from dataclasses import replace

from broker.core.agencies import matters
from broker.core.deciding.betrayal import would_go, would_stay
from broker.core.deciding.disclose import granted_view, view_digest
from broker.core.deciding.tables import EXISTENCE_ONLY
from broker.core.line import corrections
from broker.core.line.corrections import Corrected
from broker.core.model.event import Event
from broker.core.model.facts import Facts
from broker.core.model.identifiers import Digest, Millis, RecipientId, RoleName, digest
from broker.core.model.notice import Notice
from broker.core.model.question import GAP, review_id
from broker.core.model.rules import Rules
from broker.core.model.turn import APPLIED, DECIDED, Turn
from broker.core.model.verdict import Decision, Gap, Verdict
from broker.core.model.versions import superseded_by
from broker.core.waiting import questions
from broker.core.waiting.clocks import due_for, stages

GAP_BASIS, GAP_GATEWAY = "PUBLIC_TASK", "Children Act 2004 section 11"
_SEE_REVIEW = "See `broker reviews show {review}`: it says who the child is, and what else the hub is told of it."


def turn_of(after: Facts, event: Event, corrected: Corrected, rules: Rules, verdict: Verdict | None) -> Turn:
    """Put notices, gaps and questions of an event together; every earlier disclosure that ends is marked in the ledger."""
    facts = corrections.marked(after, corrected)
    gaps = verdict.gaps if verdict else ()
    told = (*corrected.notices, *(_gap_notice(event, one) for one in gaps if one.hub))
    decided = verdict is not None and (verdict.decisions or gaps)
    superseded = superseded_by(event)
    return Turn(
        outcome=DECIDED if decided or told else APPLIED,
        facts=facts,
        verdict=verdict,
        others=verdict.others if verdict else "",
        notices=told,
        questions=(*questions.asks(event, verdict, facts, rules), *(questions.gap(event, one, facts) for one in gaps)),
        unchanged=corrected.unchanged,
        concerns=(*((superseded,) if superseded else ()), *corrected.retracted, *corrected.replaced),
        ended=(*corrected.retracted, *corrected.replaced),
    )


def with_dues(turn: Turn, rules: Rules, since: Millis) -> Turn:
    """Say by when what a turn tells has to be confirmed, and what it asks has to be answered.

    What a rule wants told, and what a person is asked, runs from when its event was accepted, `since`: nobody has more time
    because it waited (I11). What goes by the ledger is new, and runs from now.
    """
    at = turn.facts.at
    asked = tuple(questions.with_due(one, since, at, rules) for one in turn.questions)
    gaps = {_gap_digest(one.about): one.due_at for one in asked if one.kind == GAP}
    told = (
        replace(one, due_at=gaps.get(one.view_digest)) if one.kind == "GAP" else _with_due(one, since, at, rules)
        for one in turn.notices
    )
    return replace(turn, notices=tuple(told), questions=asked)


def notice_of(event: Event, decision: Decision, facts: Facts, rules: Rules) -> Notice:
    """Return what a decision gives its recipient, as a notice."""
    view = granted_view(event, decision, facts)
    clock = rules.policy.clocks.get(decision.clock or "")
    answers, reference = matters.answered(facts, event, decision.roles)
    return Notice(
        event_id=event.header.event_id,
        event_type=event.header.event_type,
        producer=event.header.producer,
        recipient=decision.recipient,
        role=decision.role,
        kind=decision.kind,
        because=(*decision.because, *((EXISTENCE_ONLY.because,) if event.header.is_existence_only else ())),
        lawful_basis=decision.lawful_basis or "",
        view=view,
        view_digest=view_digest(view),
        categories=frozenset(decision.granted),
        gateway=decision.gateway,
        rules=tuple(decision.rules),
        obligations=decision.obligations,
        clock=decision.clock,
        stops_on=clock.stops_on if clock else "read",
        excluded=frozenset(event.header.excluded),
        roles=frozenset(decision.roles),
        cuts=would_go(view),
        left=would_stay(view, decision.granted),
        agreed=frozenset(decision.agreed),
        agreed_by=frozenset(decision.agreed_by),
        answers=answers,
        reference=reference,
    )


def _gap_notice(event: Event, gap: Gap) -> Notice:
    """Tell the hub that nobody could be told in a role, and by when somebody has to be; its review says whom it is about."""
    review = review_id(GAP, event.header.producer, event.header.event_id, gap.role)
    return Notice(
        event_id=event.header.event_id,
        event_type=event.header.event_type,
        producer=event.header.producer,
        recipient=RecipientId(gap.hub or ""),
        role=RoleName("hub"),
        kind="GAP",
        because=(gap.because, *((_SEE_REVIEW.format(review=review),) if gap.hears else ())),
        lawful_basis=GAP_BASIS,
        gateway=GAP_GATEWAY,
        rules=tuple(gap.rules),
        view_digest=_gap_digest(gap.role),
    )


def _gap_digest(role: str) -> Digest:
    return digest(f"gap\x1f{role}".encode())


def _with_due(notice: Notice, since: Millis, at: Millis, rules: Rules) -> Notice:
    """Say by when, on the calendars of the recipient; who hears an outcome has nothing to confirm by then."""
    if notice.clock is None or notice.kind == "OUTCOME":
        return replace(notice, clock=None)
    due = due_for(notice.clock, since if notice.is_chosen else at, notice.recipient, rules.registers)
    return replace(notice, due_at=due, bells=stages(rules.policy.clocks.get(notice.clock), at, due))
