"""An event decided again after it was told: for who came to fill a role, by a release, or as the person answers who was asked."""

from collections.abc import Sequence
from dataclasses import replace

from broker.core.deciding.decide import decide
from broker.core.line import corrections
from broker.core.line.notices import notice_of, turn_of
from broker.core.line.release import is_meant, releases
from broker.core.line.telling import as_known
from broker.core.model import ledger
from broker.core.model.event import Category, Event
from broker.core.model.facts import Facts
from broker.core.model.identifiers import RecipientId
from broker.core.model.rules import Rules
from broker.core.model.turn import APPLIED, Turn
from broker.core.model.verdict import Outcome

_RELEASED = "its originator has said anew to whom it is released"
_NOTHING_LEFT = "granted by a person, but nothing is left that the policy lets a person grant"
_FILLED = "somebody fills a role now in which nobody could be told when it came"


def fill_gap(facts: Facts, event: Event, role: str, rules: Rules) -> Turn | None:
    """Tell whoever now fills a role in which nobody could be told when the event came; None while nobody does.

    Feeds do not keep order between agencies: a child's first record may come from the hospital, the notice be decided, and
    the school's roll follow a moment later. The hub has heard of the gap; the school must still hear of the child.
    """
    event = as_known(facts, event)
    verdict = decide(event, facts, rules.policy, rules.registers, facts.at)
    held = {one.recipient for one in ledger.standing(facts, event.header.event_id)}
    told = tuple(
        one for one in verdict.decisions if one.outcome is Outcome.DISCLOSE and role in one.roles and one.recipient not in held
    )
    if not told:
        return None
    only = replace(verdict, decisions=told, gaps=(), others=_FILLED)
    found = [corrections.again(facts, notice_of(event, one, facts, rules)) for one in told]
    return turn_of(facts, event, corrections.joined(*found), rules, only)


def tell_released(before: Facts, facts: Facts, event: Event, rules: Rules) -> Turn | None:
    """Decide an event again for those whom a release of it names, or named; None when it changes nothing for anybody."""
    some = releases(before) | releases(facts)
    event = as_known(facts, event)
    verdict = decide(event, facts, rules.policy, rules.registers, facts.at)
    held = {one.recipient: one.view_digest for one in ledger.standing(facts, event.header.event_id)}
    meant = tuple(one for one in verdict.decisions if one.outcome is Outcome.DISCLOSE and is_meant(one, event, some))
    notices = [(one, notice_of(event, one, facts, rules)) for one in meant]
    new = [(one, notice) for one, notice in notices if held.get(one.recipient) != notice.view_digest]
    if not new:
        return None
    only = replace(verdict, decisions=tuple(one for one, _ in new), gaps=(), others=_RELEASED)
    return turn_of(facts, event, corrections.joined(*(corrections.again(facts, one) for _, one in new)), rules, only)


def answer_ask(facts: Facts, event: Event, recipient: RecipientId, asked: Sequence[Category], rules: Rules) -> Turn:
    """Give a recipient what a person has now granted, as the rules want it that asked; what is withheld today stays so.

    `asked` is what the person was asked about: what is a question by now beside it is asked anew.
    """
    event = as_known(facts, event)
    found = decide(event, replace(facts, holds=frozenset(), allowed={recipient: asked}), rules.policy, rules.registers, facts.at)
    granted = next((one for one in found.decisions if one.recipient == recipient and one.outcome is Outcome.DISCLOSE), None)
    notice = notice_of(event, granted, facts, rules) if granted else None
    held = {(one.recipient, one.view_digest) for one in ledger.standing(facts, event.header.event_id)}
    if granted is None or notice is None or (notice.recipient, notice.view_digest) in held:
        return Turn(outcome=APPLIED, facts=facts, others=_NOTHING_LEFT)
    corrected = corrections.again(facts, notice)
    only = replace(found, decisions=(granted,), gaps=(), others="decided by the person who was asked")
    return turn_of(facts, event, corrected, rules, only)
