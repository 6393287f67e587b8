"""What comes back: receipts that say how far a recipient is, and clocks that ran out because none came.

A receipt stops clocks, and an outcome is decided like any event and goes to whoever spoke first in the matter (R22).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from broker.core import ledger
from broker.core.clocks import clock_id
from broker.core.corrections import STOPS_ON
from broker.core.decide import decide
from broker.core.event import Body, Concern, Event, Header, Narrative, Source
from broker.core.exclusions import excluded_for
from broker.core.facts import Facts, Sent
from broker.core.identifiers import DisclosureId, EventId, Millis, RecipientId, RoleName, event_id
from broker.core.line import APPLIED, DECIDED, DUPLICATE, Rules, Turn, notice_of
from broker.core.notice import Notice
from broker.core.policy import REFERRER
from broker.core.registers import Registers
from broker.core.roles import stand_in
from broker.core.verdict import Outcome
from broker.errors import NotPermittedError

OUTCOME_TYPE = "council.referral.outcome"
UNCONFIRMED = "broker.alert.unconfirmed"  # the type of an escalation to somebody who was not told of the event itself
ESCALATION_BASIS, ESCALATION_GATEWAY = "PUBLIC_TASK", "Children Act 2004 section 11"
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


def take_clock(facts: Facts, line: Sent, name: str, rules: Rules) -> Turn:
    """Escalate a clock that ran out; one that was stopped, or that watches what is taken back, rings no more."""
    about = (line.disclosure_id, line.event_id)
    if _is_stopped(line, _stops_on(line, name, rules)):
        return Turn(outcome=APPLIED, facts=facts, others="the clock had been stopped", concerns=about)
    told = _who_hears(facts, line, rules.registers)
    if told is None:
        return Turn(outcome=APPLIED, facts=facts, others="the clock ran out and the area has no hub to hear it", concerns=about)
    notice = _escalation(facts, line, name, told)
    if ledger.was_told(facts, notice.event_id, told):
        return Turn(outcome=DUPLICATE, facts=facts, others="this clock rang before", concerns=about)
    return Turn(outcome=DECIDED, facts=facts, others="the clock ran out", notices=(notice,), concerns=about)


def watched(facts: Facts, wanted: str, name: str) -> Sent | None:
    """Return the line of the ledger that a clock watches."""
    return next((one for one in facts.ledger if clock_id(one.disclosure_id, name) == wanted), None)


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


def _is_stopped(line: Sent, stops_on: str) -> bool:
    if line.state in {ledger.RETRACTED, ledger.REPLACED}:
        return True
    return ledger.STEPS.index(line.state) >= ledger.STEPS.index(stops_on)


def _stops_on(line: Sent, name: str, rules: Rules) -> str:
    """A correction's clock stops when it was read, any other by the receipt that the policy names."""
    kind = rules.policy.clocks.get(name)
    return kind.stops_on if kind and line.kind not in {"CORRECTION", "RETRACTION"} else STOPS_ON


def _who_hears(facts: Facts, line: Sent, registers: Registers) -> RecipientId | None:
    """The area's hub, its duty team when the hub itself is late; never whom a publisher excludes (R11)."""
    recipient = registers.recipients.get(line.recipient)
    area = registers.areas.get(facts.home_area or "") or registers.areas.get(recipient.area if recipient else "")
    if area is None:
        return None
    excluded = line.excluded | excluded_for(facts)
    in_turn = (area.out_of_hours, area.hub) if line.recipient == area.hub else (area.hub, area.out_of_hours)
    return next((told for one in in_turn if one and (told := stand_in(one, excluded, registers))), None)


def _escalation(facts: Facts, line: Sent, name: str, told: RecipientId) -> Notice:
    """Say who is late and with what only to those who were told of the event themselves."""
    knows = any(one.recipient == told and (one.root or one.event_id) == (line.root or line.event_id) for one in facts.ledger)
    clock = name.replace("_", " ")
    because = (
        f"`{line.recipient}` ({line.role}) has not confirmed its alert within {clock}: ask there."
        if knows
        else f"An alert about this child was not confirmed within {clock}: ask the operator, who knows by whom."
    )
    return Notice(
        event_id=EventId(f"{line.event_id}/{clock_id(line.disclosure_id, name)}"),
        event_type=line.event_type if knows else UNCONFIRMED,
        producer=line.producer,
        recipient=told,
        role=RoleName("hub"),
        kind="ESCALATION",
        because=(because,),
        lawful_basis=ESCALATION_BASIS,
        gateway=ESCALATION_GATEWAY,
    )
