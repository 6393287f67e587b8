"""What comes back: receipts that say how far a recipient is.

A receipt stops clocks. Who referred hears that the referral arrived, what came of it, and when that was put right (R22): each
is decided like any event, for the referrer of that matter alone. Of whatever else somebody does with a message nobody hears.
"""

from dataclasses import dataclass, replace

from broker.core.agencies import matters
from broker.core.deciding.decide import decide
from broker.core.line import corrections
from broker.core.line.notices import notice_of
from broker.core.line.undoing import linked
from broker.core.model import ledger
from broker.core.model.event import Action, Body, Category, Concern, Event, Header, Narrative, Source
from broker.core.model.facts import Facts, Sent
from broker.core.model.identifiers import DisclosureId, EventId, Millis, RecipientId, event_id
from broker.core.model.policy import REFERRER, Effect, Policy
from broker.core.model.rules import Rules
from broker.core.model.turn import APPLIED, DECIDED, DUPLICATE, Turn
from broker.core.model.verdict import Outcome
from broker.errors import NotPermittedError

OUTCOME_TYPE = "council.referral.outcome"
ACKNOWLEDGEMENT_TYPE = "council.referral.received"
_ACKNOWLEDGES = frozenset({"read", "acted"})
_SOURCE = Source(system="safeguarding-broker", format="receipt", format_version="1", native_digest="", location="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a recipient says of a disclosure, verified. `state`: delivered, read, acted or outcome."""

    disclosure_id: DisclosureId
    recipient: RecipientId
    state: str
    said_at: Millis
    outcome: str | None = None
    note: str | None = None


def take_receipt(facts: Facts, line: Sent, said: Said, rules: Rules) -> Turn:
    """Note how far a recipient is with a disclosure that the ledger holds, and let who referred hear what is theirs to hear.

    Raises NotPermittedError when the outcome is none of the policy's: it is a code, never free text.
    """
    known = rules.policy.outcomes
    if said.state == "outcome" and known and said.outcome not in known:
        raise NotPermittedError(f"the outcome is none of the policy's: say one of {', '.join(known)}")
    after = ledger.with_state(facts, (said.disclosure_id,), said.state)
    if said.state == "outcome":
        after = ledger.with_outcome(after, said.disclosure_id, _outcome_id(said), said.said_at)
    about = (said.disclosure_id, line.event_id)
    if after is facts:
        return Turn(outcome=DUPLICATE, facts=facts, others=f"{said.recipient} had said this, or more, before", concerns=about)
    turn = Turn(outcome=APPLIED, facts=after, others=f"{said.recipient} says: {said.state}", concerns=about)
    matter = matters.matter_of(after, line.event_id)
    if matter is None or line.kind in ledger.ABOUT_A_MESSAGE or line.state in {ledger.RETRACTED, ledger.REPLACED}:
        return turn
    if said.state == "outcome":
        return _outcome(turn, line, said, matter, rules)
    return _acknowledged(turn, said, matter, rules) if said.state in _ACKNOWLEDGES and _answers(line, rules) else turn


def note_may_go(policy: Policy) -> bool:
    """Tell whether any rule gives whoever referred the note that somebody adds to an outcome."""
    return any(
        rule.effect is Effect.DISCLOSE
        and REFERRER in rule.to
        and Category.NARRATIVE in rule.categories
        and (not rule.event_types or OUTCOME_TYPE in rule.event_types)
        for rule in policy.rules
    )


def _answers(line: Sent, rules: Rules) -> bool:
    """Tell whether a recipient answers for what its message referred to it, as the catalogue says of that event type."""
    kind = rules.policy.events.get(line.event_type)
    return kind is not None and not kind.answered_by.isdisjoint(line.roles | {line.role})


def _acknowledged(turn: Turn, said: Said, matter: str, rules: Rules) -> Turn:
    """Tell who referred, once in each matter, that somebody who answers for it has it."""
    event = _event(said, ACKNOWLEDGEMENT_TYPE, event_id("safeguarding-broker/acknowledgement", matter, ""), matter, rules)
    was_told = event is not None and any(one.event_id == event.header.event_id for one in turn.facts.ledger)
    return turn if event is None or was_told else _to_referrer(turn, event, said, rules)


def _outcome(turn: Turn, line: Sent, said: Said, matter: str, rules: Rules) -> Turn:
    """Tell who referred what came of it, and in place of what the same recipient said before; who answers for it closes it."""
    event = _event(said, OUTCOME_TYPE, _outcome_id(said), matter, rules)
    if event is None:
        return turn
    facts, before = turn.facts, line.outcome
    if before is not None:
        event = replace(event, header=replace(event.header, action=Action.UPDATE, supersedes=before))
        facts = linked(facts, event.header.event_id, before)
    if _answers(line, rules):
        facts = replace(facts, **matters.closed(facts, event))
    return _to_referrer(replace(turn, facts=facts), event, said, rules)


def _to_referrer(turn: Turn, event: Event, said: Said, rules: Rules) -> Turn:
    """Decide an event of the recipient's agency and keep what it gives to the referrer of the matter that it names.

    While something holds the line it waits with all else, as an event of its own.
    """
    facts = turn.facts
    if facts.holds:
        return replace(turn, apart=event)
    verdict = decide(event, facts, rules.policy, rules.registers, facts.at)
    chosen = tuple(one for one in verdict.decisions if REFERRER in one.roles and one.recipient != said.recipient)
    granted = [
        replace(notice_of(event, one, facts, rules), kind="OUTCOME", clock=None)
        for one in chosen
        if one.outcome is Outcome.DISCLOSE
    ]
    corrected = corrections.changed(facts, event, granted)
    ended = (*corrected.retracted, *corrected.replaced)
    return replace(
        turn,
        outcome=DECIDED if chosen or corrected.notices else APPLIED,
        facts=corrections.marked(facts, corrected),
        verdict=replace(verdict, decisions=chosen, gaps=()),
        notices=corrected.notices,
        unchanged=corrected.unchanged,
        concerns=(*turn.concerns, *ended),
        ended=ended,
    )


def _outcome_id(said: Said) -> EventId:
    return event_id("safeguarding-broker/outcome", said.disclosure_id, f"{said.outcome or ''}\x1f{said.note or ''}")


def _event(said: Said, event_type: str, name: EventId, matter: str, rules: Rules) -> Event | None:
    """Return a receipt as an event of the recipient's agency about a matter; None when the registers do not know who that is."""
    recipient = rules.registers.recipients.get(said.recipient)
    agency = rules.registers.agencies.get(recipient.agency) if recipient else None
    if recipient is None or agency is None:
        return None
    body = Body(concern=Concern(codes=[], decision=said.outcome)) if said.outcome else Body()
    if said.note:
        body["narrative"] = Narrative(text=said.note, checked=False)
    header = Header(
        event_id=name,
        event_type=event_type,
        producer=agency.id,
        sector=agency.sector,
        area=recipient.area,
        recorded_at=said.said_at,
        source=_SOURCE,
    )
    return Event(header, body, {"concerns_event": matter})
