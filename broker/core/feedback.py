"""What comes back: receipts that say how far a recipient is.

A receipt stops clocks, and an outcome is decided like any event and goes to whoever spoke first in the matter (R22).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from broker.core import ledger
from broker.core.decide import decide
from broker.core.event import Body, Concern, Event, Header, Narrative, Source
from broker.core.facts import Facts, Sent
from broker.core.identifiers import DisclosureId, Millis, RecipientId, event_id
from broker.core.line import APPLIED, DECIDED, DUPLICATE, Rules, Turn, notice_of
from broker.core.notice import Notice
from broker.core.policy import REFERRER
from broker.core.registers import Registers
from broker.core.verdict import Outcome
from broker.errors import NotPermittedError

OUTCOME_TYPE = "council.referral.outcome"
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
    """Note how far a recipient is with a disclosure that the ledger holds; an outcome goes on to the first referrer.

    Raises NotPermittedError when the outcome is none of the policy's: it is a code, never free text.
    """
    known = rules.policy.outcomes
    if said.state == "outcome" and known and said.outcome not in known:
        raise NotPermittedError(f"the outcome is none of the policy's: say one of {', '.join(known)}")
    after = ledger.with_state(facts, (said.disclosure_id,), said.state)
    about = (said.disclosure_id, line.event_id)
    if after is facts:
        return Turn(outcome=DUPLICATE, facts=facts, others=f"{said.recipient} had said this, or more, before", concerns=about)
    turn = Turn(outcome=APPLIED, facts=after, others=f"{said.recipient} says: {said.state}", concerns=about)
    if said.state != "outcome" or line.state in {ledger.RETRACTED, ledger.REPLACED}:
        return turn
    return _to_referrer(turn, said, rules)


def _to_referrer(turn: Turn, said: Said, rules: Rules) -> Turn:
    """Decide the outcome as an event of the recipient's agency and keep what it gives to the first referrer."""
    event = _outcome_event(said, rules.registers)
    if event is None:
        return turn
    verdict = decide(event, turn.facts, rules.policy, rules.registers, turn.facts.at)
    chosen = tuple(one for one in verdict.decisions if REFERRER in one.roles and one.recipient != said.recipient)
    granted: Iterable[Notice] = (
        replace(notice_of(event, one, turn.facts, rules), kind="OUTCOME", clock=None)
        for one in chosen
        if one.outcome is Outcome.DISCLOSE
    )
    return replace(
        turn, outcome=DECIDED if chosen else APPLIED, verdict=replace(verdict, decisions=chosen, gaps=()), notices=tuple(granted)
    )


def _outcome_event(said: Said, registers: Registers) -> Event | None:
    recipient = registers.recipients.get(said.recipient)
    agency = registers.agencies.get(recipient.agency) if recipient else None
    if recipient is None or agency is None:
        return None
    body: Body = {"concern": Concern(codes=[], decision=said.outcome)}
    if said.note:
        body["narrative"] = Narrative(text=said.note, checked=False)
    header = Header(
        event_id=event_id("safeguarding-broker/outcome", said.disclosure_id, said.outcome or ""),
        event_type=OUTCOME_TYPE,
        producer=agency.id,
        sector=agency.sector,
        area=recipient.area,
        recorded_at=said.said_at,
        source=_SOURCE,
    )
    return Event(header, body)
