"""Police intelligence that its originator releases (R28): which event a release is about, and what ends with it.

A release is about one event and the recipients that it names. It may come after the event, which is decided again then; once
it is withdrawn, whoever was told by it is told to stop using what it brought.
"""

from collections.abc import Iterable, Iterator

from broker.core.deciding.conditions import ORIGINATOR
from broker.core.line import recall
from broker.core.line.corrections import Corrected
from broker.core.model import ledger
from broker.core.model.event import Category, Event
from broker.core.model.facts import Facts, Finding, Sent
from broker.core.model.identifiers import EventId, RuleId
from broker.core.model.policy import Policy, Question
from broker.core.model.verdict import Decision, Verdict, Voice


def awaits_release(verdict: Verdict, policy: Policy) -> bool:
    """Tell whether something of an event stays back that its originator may still release."""
    lifted = _lifted_by_release(policy)
    reasons = (one for decision in verdict.decisions for one in decision.reasons)
    return any(one.rule in lifted and one.voice is Voice.WITHHOLDS for one in reasons)


def releases(facts: Facts) -> frozenset[Finding]:
    """Return the releases that stand."""
    return frozenset(one for one in facts.findings if one.by_role == ORIGINATOR and not one.lapsed)


def is_meant(decision: Decision, event: Event, some: Iterable[Finding]) -> bool:
    """Tell whether one of these releases is about this event and this recipient."""
    names = {decision.recipient, *decision.roles}
    about = (event.header.producer, event.header.event_id)
    return any((one.producer, one.concerns) == about and one.recipients & names for one in some)


def released_no_more(before: Facts, after: Facts, by: EventId) -> Corrected:
    """Return what follows for whoever was told by a release that stands no longer."""
    left = releases(after)
    lines = tuple(dict.fromkeys(line for one in before.findings if one not in left for line in _told_by(one, after)))
    held = tuple(one for one in lines if not any(one in _told_by(other, after) for other in left))
    return Corrected(tuple(recall.stop(one, by) for one in held), tuple(one.disclosure_id for one in held))


def _told_by(release: Finding, facts: Facts) -> Iterator[Sent]:
    """Yield what stands with those whom a release names and is more than that there is something."""
    if release.by_role != ORIGINATOR or not release.concerns:
        return
    for one in ledger.standing(facts, EventId(release.concerns)):
        more = one.categories - {Category.EXISTENCE}
        if more and one.producer == release.producer and release.recipients & {one.recipient, one.role, *one.roles}:
            yield one


def _lifted_by_release(policy: Policy) -> frozenset[RuleId]:
    """Return the withholds that a release lifts."""
    found = policy.memo.get("lifted-by-release")
    if not isinstance(found, frozenset):
        kinds = {one.name for one in policy.findings.values() if ORIGINATOR in one.made_by}
        found = policy.memo["lifted-by-release"] = frozenset(
            rule.id
            for rule in policy.rules
            if any(one.about is Question.FINDING and one.values & kinds for block in rule.unless for one in block)
        )
    return found
