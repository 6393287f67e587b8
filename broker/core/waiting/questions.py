"""What a person is asked, by whom it is answered and by when: `ASK` about categories, `GAP` in a role, `HOLD` of an event.

A question runs on the clock of what waits for it, from when the event was accepted: no statutory clock stops because a person
is asked (I11). Never an open queue: somebody named is asked.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from broker.core.account.words import content_in_words
from broker.core.agencies.asking import asked_about, hub_asked
from broker.core.agencies.exclusions import doubted_for, excluded_here
from broker.core.deciding.decide import heard_by
from broker.core.deciding.disclose import shown_of
from broker.core.model.event import Category, Event
from broker.core.model.facts import Facts
from broker.core.model.identifiers import Millis, RecipientId
from broker.core.model.policy import HOLDER, HUB, SHAREABLE
from broker.core.model.protections import PLACE_PROTECTED, protections_at
from broker.core.model.question import ASK, GAP, HOLD, Question, Wanted
from broker.core.model.registers import Registers
from broker.core.model.rules import Rules
from broker.core.model.verdict import Decision, Gap, Verdict
from broker.core.waiting.clocks import due_for, stages

_SOMEBODY = "somebody in the role"
_DAY = 24 * 3600 * 1000
GAP_STAYS = 7 * _DAY  # how long somebody who comes to the child is still told what came before them


def held(event: Event, facts: Facts, why: str, rules: Rules, verdict: Verdict) -> Question:
    """Ask whether an event may go on; it waits for all to whom it would go."""
    asked = asked_about(event, facts, rules.registers)
    return Question(
        kind=HOLD,
        for_recipient=asked,
        about=event.header.event_id,
        why=why,
        wanted=_clocks(verdict.decisions),
        shown=_shown(event, facts, asked, rules),
    )


def asks(event: Event, verdict: Verdict | None, facts: Facts, rules: Rules) -> tuple[Question, ...]:
    """Ask about what cannot be known, one question for each recipient."""
    decisions = verdict.decisions if verdict else ()
    who = [(one, _who_decides(event, one, decisions, facts, rules.registers)) for one in decisions if one.asked]
    return tuple(
        Question(
            kind=ASK,
            for_recipient=asked,
            about=one.recipient,
            why=_may(one, asked, event, facts, rules),
            asks=one.asked,
            wanted=_clocks([one]),
            shown=_shown(event, facts, asked, rules, one.asked),
        )
        for one, asked in who
    )


def _may(one: Decision, asked: str, event: Event, facts: Facts, rules: Rules) -> str:
    """Put an `ASK` in words: who is told, and what. Only the hub hears of whom by name.

    Anybody else would learn from it where the child goes to school or to the doctor; of a protected child the hub, too (I8).
    """
    entry = rules.registers.recipients.get(RecipientId(asked))
    hidden = event.header.is_restricted or not PLACE_PROTECTED.isdisjoint(protections_at(facts.protections, facts.at))
    by_name = entry is not None and HUB in entry.roles and not hidden
    whom = f"`{one.recipient}` in the role" if by_name else _SOMEBODY
    return f"May {whom} `{one.role}` be told: {'; '.join(map(content_in_words, one.asked))}?"


def _shown(event: Event, facts: Facts, asked: str, rules: Rules, also: Collection[Category] | None = None) -> Event | None:
    """Return what whoever is asked may see of an event: all of its own, of another's nothing that a rule withholds from it.

    `also` is what it is asked about; without that the event itself is in question.
    """
    if asked == event.header.producer:
        return event
    if asked in event.header.excluded:  # by an agency that is nothing to the child: it counts for what is shown already
        return None
    hears = heard_by(event, facts, asked, rules.policy, rules.registers)
    if hears is None:
        return None
    return shown_of(event, hears, facts, SHAREABLE if also is None else also, judged=also is None)


def gap(event: Event, found: Gap, facts: Facts) -> Question:
    """Ask the hub; where nobody at it may hear of the child, ask the publisher to see to it in another way."""
    shown = shown_of(event, found.hears, facts) if found.hears else None
    asked = found.hub or event.header.producer
    wanted = ((found.clock, asked),) if found.clock else ()
    return Question(kind=GAP, for_recipient=asked, about=found.role, why=found.because, wanted=wanted, shown=shown)


def put_to_another(question: Question, event: Event, facts: Facts, rules: Rules) -> Question:
    """Put a question to whoever decides now, with what that one may see of the event; else to its publisher."""
    hub = hub_asked(event.header, facts, rules.registers)
    asked = asked_about(event, facts, rules.registers) if question.kind == HOLD else hub or event.header.producer
    if question.kind == GAP:
        hears = heard_by(event, facts, hub or "", rules.policy, rules.registers)
        shown = shown_of(event, hears, facts) if hears else None
    else:
        shown = _shown(event, facts, asked, rules, question.asks or None)
    why = question.why.replace(f"`{question.about}` in the role", _SOMEBODY)  # who decides now may know less
    return replace(question, for_recipient=asked, shown=shown, why=why)


def with_due(question: Question, since: Millis, at: Millis, rules: Rules) -> Question:
    """Say by when it has to be answered: on the first clock that runs out, else on the policy's own for reviews."""
    own = next((one.name for one in rules.policy.clocks.values() if one.reviews), None)
    wanted = question.wanted or ([(own, question.for_recipient)] if own else [])
    found = sorted((due_for(clock, since, whose, rules.registers), clock) for clock, whose in wanted)
    if not found:
        return question
    due, clock = found[0]
    if question.kind == GAP:
        due = min(due, Millis(since + GAP_STAYS - _DAY))  # nobody fills it any more once it is taken off
    return replace(question, clock=clock, due_at=due, bells=stages(rules.policy.clocks.get(clock), at, due))


def _clocks(decisions: Iterable[Decision]) -> tuple[Wanted, ...]:
    return tuple((one.asked_clock, one.recipient) for one in decisions if one.asked_clock)


def _who_decides(event: Event, asked: Decision, decisions: Sequence[Decision], facts: Facts, registers: Registers) -> str:
    """Find the named role that is asked: the holder by default. Asking tells, so never whom somebody excludes, or may (R11)."""
    if asked.asked_of in {None, HOLDER}:
        return event.header.producer
    passed = excluded_here(event.header, facts) | doubted_for(facts)
    seated = (one.recipient for one in decisions if asked.asked_of in one.roles and one.recipient not in passed)
    return next(seated, None) or hub_asked(event.header, facts, registers) or event.header.producer
