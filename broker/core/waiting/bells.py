"""Bells: what a clock says when it rings, to its own recipient before it runs out, then to the hub, then to the next role.

A clock that was stopped, or that watches what is taken back, neither warns nor escalates. Who is told learns nothing that it
did not know: the recipient hears of its own alert, anybody else only whether one about this child is late.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from broker.core.agencies.exclusions import excluded_for
from broker.core.agencies.roles import alternates, area_desks, desk_at, organisation_of, stand_in
from broker.core.agencies.standing import is_tied
from broker.core.deciding.answer import NOBODY
from broker.core.deciding.decide import denied
from broker.core.model import ledger
from broker.core.model.event import Body, Event, Header, Sector, Source
from broker.core.model.facts import Facts, Sent
from broker.core.model.identifiers import AgencyId, DisclosureId, EventId, RecipientId, RoleName
from broker.core.model.notice import CORRECTION_STOPS_ON, EMPTY, WARNING_RULE, Notice
from broker.core.model.policy import HUB, REFERRER, ClockKind
from broker.core.model.registers import Area, Registers
from broker.core.model.rules import Rules
from broker.core.model.turn import APPLIED, DECIDED, DUPLICATE, Turn
from broker.core.waiting.clocks import DUE, ESCALATED, WARNED, clock_id

UNANSWERED = "broker.review.unanswered"  # the type of what the clock of a question says, to whoever it says it
UNCONFIRMED = "broker.alert.unconfirmed"  # the type of an escalation to somebody who was not told of the event itself
_NO_DESK = "nobody at the agency that was asked hears of it"
ESCALATION_BASIS, ESCALATION_GATEWAY = "PUBLIC_TASK", "Children Act 2004 section 11"


@dataclass(frozen=True, slots=True)
class Bell:
    """A clock that rings: its name in the policy, and whether it warns, fell due, or goes on to the next role."""

    name: str
    stage: str = DUE


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that waits: its review, who was asked, and the event that it is about.

    `is_nobodys`: it is not known yet which child that is, so the question is all that there is to tell of.
    """

    review_id: str
    by: str
    event: Event
    is_nobodys: bool = False


_Heard = tuple[RecipientId | None, str]  # who hears a bell, if anybody, and the line of the audit about it


def take_clock(facts: Facts, line: Sent, bell: Bell, rules: Rules) -> Turn:
    """Warn before a clock runs out and escalate when it has; one that was stopped, or watches what is taken back, is silent."""
    about = (line.disclosure_id, line.event_id)
    if _is_stopped(line, _stops_on(line, bell.name, rules)):
        return Turn(outcome=APPLIED, facts=facts, others="the clock had been stopped", concerns=about)
    line = _without_denied(line, _said_in(line, rules.registers), facts, rules)
    told, why = _BELLS[bell.stage](facts, line, bell, rules)
    if told is None:
        return Turn(outcome=APPLIED, facts=facts, others=why, concerns=about)
    kind = rules.policy.clocks.get(bell.name)
    next_role = (kind.next if kind and bell.stage == ESCALATED else None) or HUB
    notice = _warning(line, bell, kind) if bell.stage == WARNED else _escalation(facts, line, bell, told, next_role)
    if ledger.was_told(facts, notice.event_id, told):
        return Turn(outcome=DUPLICATE, facts=facts, others="this clock rang before", concerns=about)
    return Turn(outcome=DECIDED, facts=facts, others=why, notices=(notice,), concerns=about)


def take_question(facts: Facts, asked: Asked | None, bell: Bell, rules: Rules) -> Turn:
    """Warn whoever was asked before the clock of a question runs out, and escalate when it has; of an answered one nothing."""
    if asked is None:
        return Turn(outcome=APPLIED, facts=facts, others="the question was answered, or nobody is asked any more")
    line, header = _line_of(facts, asked, rules), asked.event.header
    about = (asked.review_id, header.event_id)
    told, why = _BELLS[bell.stage](facts, line, bell, rules) if line.recipient or bell.stage != WARNED else (None, _NO_DESK)
    if told is None:
        return Turn(outcome=APPLIED, facts=facts, others=f"a question: {why}", concerns=about)
    knows = asked.is_nobodys or _knows(facts, line, told)
    notice = _unanswered(line, bell, told, rules, knows=knows)
    if ledger.was_told(facts, notice.event_id, told):
        return Turn(outcome=DUPLICATE, facts=facts, others="this clock rang before", concerns=about)
    return Turn(outcome=DECIDED, facts=facts, others=f"a question: {why}", notices=(notice,), concerns=about)


def watched(facts: Facts, wanted: str, bell: Bell) -> Sent | None:
    """Return the line of the ledger that a clock watches."""
    return next((one for one in facts.ledger if clock_id(one.disclosure_id, bell.name, bell.stage) == wanted), None)


def _is_stopped(line: Sent, stops_on: str) -> bool:
    if line.state in {ledger.RETRACTED, ledger.REPLACED}:
        return True
    return ledger.STEPS.index(line.state) >= ledger.STEPS.index(stops_on)


def _stops_on(line: Sent, name: str, rules: Rules) -> str:
    """A correction's clock stops when it was read, any other by the receipt that the policy names."""
    kind = rules.policy.clocks.get(name)
    return kind.stops_on if kind and line.kind not in {"CORRECTION", "RETRACTION", ledger.SAID_ANEW} else CORRECTION_STOPS_ON


def _warned(facts: Facts, line: Sent, bell: Bell, rules: Rules) -> _Heard:
    """Its recipient itself, which knows of its alert already; not once it is excluded, which means silence (R11)."""
    kind = rules.policy.clocks.get(bell.name)
    if kind is None or kind.warn_before is None:
        return None, "the policy in force does not warn before this clock runs out"
    if line.recipient in line.excluded | excluded_for(facts):
        return None, "its recipient may hear nothing more about the child"
    return line.recipient, "the clock is about to run out"


def _due(facts: Facts, line: Sent, bell: Bell, rules: Rules) -> _Heard:  # noqa: ARG001 - one shape for all bells
    """The area's hub, its duty team when the hub itself is late; never whom a publisher excludes (R11)."""
    area = _area(facts, line, rules.registers)
    in_turn = (area.hub, area.out_of_hours) if area else ()
    wanted = reversed(in_turn) if area and line.recipient == area.hub else in_turn
    told = next(_seated(wanted, facts, line, rules.registers), None)
    return told, "the clock ran out" if told else "the clock ran out and the area has no hub to hear it"


def _escalated(facts: Facts, line: Sent, bell: Bell, rules: Rules) -> _Heard:
    """The next role of the policy, where whoever heard that the clock ran out has not confirmed that, and is not it."""
    heard = [one for one in facts.ledger if one.event_id == _bell_event(line, replace(bell, stage=DUE))]
    if any(ledger.STEPS.index(one.state) >= ledger.STEPS.index(CORRECTION_STOPS_ON) for one in heard):
        return None, "whoever heard that the clock ran out has confirmed it"
    kind, area = rules.policy.clocks.get(bell.name), _area(facts, line, rules.registers)
    role = rules.policy.roles.get(kind.next) if kind and kind.next else None
    desks = area_desks(role, area) if role else ()
    before = {line.recipient, *(one.recipient for one in heard)}
    told = next((one for one in _seated(desks, facts, line, rules.registers) if one not in before), None)
    return told, "the clock ran out and nobody confirmed that" if told else "nobody else is there to hear that the clock ran out"


_BELLS: Mapping[str, Callable[[Facts, Sent, Bell, Rules], _Heard]] = {WARNED: _warned, DUE: _due, ESCALATED: _escalated}


def _seated(wanted: Iterable[RecipientId | None], facts: Facts, line: Sent, registers: Registers) -> Iterator[RecipientId]:
    """Yield who hears in turn: never whom a publisher excludes, but its alternate."""
    excluded = line.excluded | excluded_for(facts)
    yield from (told for one in wanted if one and (told := stand_in(one, excluded, registers)))


def _area(facts: Facts, line: Sent, registers: Registers) -> Area | None:
    recipient, agency = registers.recipients.get(line.recipient), registers.agencies.get(AgencyId(line.producer))
    nearest = recipient.area if recipient else agency.area if agency else ""
    return registers.areas.get(facts.home_area or "") or registers.areas.get(nearest)


def _bell_event(line: Sent, bell: Bell) -> EventId:
    return EventId(f"{line.event_id}/{clock_id(line.disclosure_id, bell.name, bell.stage)}")


def _line_of(facts: Facts, asked: Asked, rules: Rules) -> Sent:
    """Return a question as a line of the ledger would have it, with everybody excluded to whom a rule denies that there is any.

    An event in question excludes nobody when it comes from an agency that is nothing to the child: its word does not count yet.

    An agency that was asked has its desk for what comes of a matter; where it has none it is not warned, and the hub hears.
    """
    header, registers = asked.event.header, rules.registers
    line = Sent(
        event_id=header.event_id,
        recipient=_desk_of(asked.by, rules),
        role=HUB,
        disclosure_id=DisclosureId(asked.review_id),
        categories=frozenset(),
        view_digest=EMPTY,
        at=facts.at,
        event_type=header.event_type,
        producer=header.producer,
        excluded=frozenset(header.excluded) if asked.is_nobodys or is_tied(header, facts, registers) else frozenset(),
    )
    return _without_denied(line, asked.event, facts, rules)


def _without_denied(line: Sent, event: Event, facts: Facts, rules: Rules) -> Sent:
    """Exclude from a clock's bells every desk of the area to which a rule denies that there is anything about the child."""
    area = _area(facts, line, rules.registers)
    if area is None:
        return line
    desks = {one for first in (area.hub, area.out_of_hours) if first for one in alternates(first, rules.registers)}
    told = {one.recipient for one in facts.ledger if one.event_id == line.event_id} | {line.recipient}
    hidden = {one for one in desks - told if denied(event, facts, one, rules.policy, rules.registers)}
    return replace(line, excluded=line.excluded | hidden)


def _said_in(line: Sent, registers: Registers) -> Event:
    """Return what the ledger still knows of an event: of what type it was, and who said it."""
    agency = registers.agencies.get(AgencyId(line.producer))
    header = Header(
        event_id=line.event_id,
        event_type=line.event_type,
        producer=AgencyId(line.producer),
        sector=agency.sector if agency else Sector.COUNCILS,
        recorded_at=line.at,
        source=Source("", "", "", "", ""),
    )
    return Event(header, Body())


def _desk_of(asked: str, rules: Rules) -> RecipientId:
    recipient = RecipientId(asked)
    if not asked or recipient in rules.registers.recipients:
        return recipient
    role = rules.policy.roles.get(REFERRER)
    desks = desk_at(role, organisation_of(AgencyId(asked)), rules.registers) if role else ()
    return next(iter(desks), NOBODY)


def _unanswered(line: Sent, bell: Bell, told: RecipientId, rules: Rules, *, knows: bool) -> Notice:
    """Say that a question waits: which one to whoever was asked, or knows of the event itself, else no more than that."""
    kind, clock = rules.policy.clocks.get(bell.name), bell.name.replace("_", " ")
    left = ((kind and kind.warn_before) or "").replace("_", " ")
    warned = f"`{line.disclosure_id}` waits for your answer: {left} are left, then others in the area hear that."
    late = f"`{line.disclosure_id}` was not answered within {clock}: see `broker reviews show {line.disclosure_id}`."
    unsaid = f"A question about this child was not answered within {clock}: ask the operator, who knows whose it is."
    because = warned if bell.stage == WARNED else late if knows else unsaid
    return Notice(
        event_id=_bell_event(line, bell),
        event_type=UNANSWERED,
        producer="",
        recipient=told,
        role=line.role if bell.stage == WARNED else (kind.next if kind and bell.stage == ESCALATED else None) or HUB,
        kind="ESCALATION",
        because=(because,),
        lawful_basis=ESCALATION_BASIS,
        gateway=ESCALATION_GATEWAY,
        rules=(WARNING_RULE,) if bell.stage == WARNED else (),
    )


def _warning(line: Sent, bell: Bell, kind: ClockKind | None) -> Notice:
    """Remind a recipient of its own alert, and of nothing else."""
    left = ((kind and kind.warn_before) or "").replace("_", " ")
    because = f"`{line.disclosure_id}` is not confirmed yet: {left} are left, then the hub of the area hears that."
    return Notice(
        event_id=_bell_event(line, bell),
        event_type=line.event_type,
        producer=line.producer,
        recipient=line.recipient,
        role=line.role,
        kind="ESCALATION",
        because=(because,),
        lawful_basis=ESCALATION_BASIS,
        gateway=ESCALATION_GATEWAY,
        rules=(WARNING_RULE,),
    )


def _knows(facts: Facts, line: Sent, told: RecipientId) -> bool:
    """Tell whether somebody was told of the event itself."""
    return any(one.recipient == told and (one.root or one.event_id) == (line.root or line.event_id) for one in facts.ledger)


def _escalation(facts: Facts, line: Sent, bell: Bell, told: RecipientId, role: RoleName) -> Notice:
    """Say who is late and with what only to those who were told of the event themselves."""
    knows = _knows(facts, line, told)
    clock = bell.name.replace("_", " ")
    because = (
        f"`{line.recipient}` ({line.role}) has not confirmed its alert within {clock}: ask there."
        if knows
        else f"An alert about this child was not confirmed within {clock}: ask the operator, who knows by whom."
    )
    return Notice(
        event_id=_bell_event(line, bell),
        event_type=line.event_type if knows else UNCONFIRMED,
        producer=line.producer,
        recipient=told,
        role=role,
        kind="ESCALATION",
        because=(because,),
        lawful_basis=ESCALATION_BASIS,
        gateway=ESCALATION_GATEWAY,
    )
