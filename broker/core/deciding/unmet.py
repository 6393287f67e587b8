"""Why a rule that would tell somebody did not speak: its first condition that was not so, in plain words.

For those who may read the audit log: it says of the child what the condition asked about and nothing else.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from broker.core.deciding.conditions import age_of
from broker.core.deciding.tables import LiveRule, plan_for
from broker.core.model.event import Category
from broker.core.model.identifiers import RecipientId, RoleName, RuleId
from broker.core.model.known import Known, know
from broker.core.model.policy import Condition, Effect, Policy, Question
from broker.core.model.verdict import Decision, Verdict

UNSPOKEN = RuleId("nothing-matches")


@dataclass(frozen=True, slots=True)
class Unmet:
    """A rule that gives these categories to one of a recipient's roles: of what it `speaks` only, and what was so `here`."""

    rule: RuleId
    categories: tuple[Category, ...]
    speaks: str
    here: str


def unmet(verdict: Verdict, policy: Policy) -> Mapping[tuple[RecipientId, RoleName], tuple[Unmet, ...]]:
    """Return for each recipient that was not given something for want of a rule the rules that would have, had they spoken."""
    request = verdict.request
    plan = plan_for(policy, request.header, verdict.at)
    known = know(request.event, request.facts, verdict.at)
    plain = tuple(test(known) for test in plan.tests)

    def silent(decision: Decision) -> Iterator[Unmet]:
        wanted = {one for reason in decision.reasons if reason.rule == UNSPOKEN for one in reason.categories}
        values = (*plain, *(test(known, frozenset((decision.recipient, *decision.roles))) for test in plan.scoped))
        for live in plan.rules:
            gives = tuple(one for one in Category if one in live.rule.categories & wanted)
            if live.rule.effect is Effect.DISCLOSE and gives and not live.rule.to.isdisjoint(decision.roles):
                failed = _first_unmet(live, values)
                if failed is not None:
                    yield Unmet(live.rule.id, gives, *_said(failed, known))

    return {(one.recipient, one.role): tuple(silent(one)) for one in verdict.decisions}


def _first_unmet(live: LiveRule, values: tuple[bool | None, ...]) -> Condition | None:
    asked = (one for one in live.rule.when if one.about is not Question.EVENT)
    return next((one for one, at in zip(asked, live.when, strict=True) if values[at] is False), None)


def _said(condition: Condition, known: Known) -> tuple[str, str]:
    """Say what a condition asks for, to stand behind `speaks only`, and what was so instead."""
    return _SAYERS[condition.about](condition, known)


def _age(condition: Condition, known: Known) -> tuple[str, str]:
    least, most = condition.least, condition.most
    if least is None or least <= 0:
        of = f"children under {(most or 0) + 1}" if most is not None and most >= 0 else "children not yet born"
    else:
        of = f"children of {least} and over" if most is None else f"children aged {least} to {most}"
    span = age_of(known)
    if span is None:
        return f"of {of}", "how old this child is is not known"
    years = f"{span[0]}" if span[0] == span[1] else f"{span[0]} to {span[1]}"
    return f"of {of}", "this child is not yet born" if span[1] < 0 else f"this child was {years}"


def _attribute(condition: Condition, known: Known) -> tuple[str, str]:
    said = known.header.attributes.get(condition.name)
    name = _plain(condition.name)
    return f"where `{name}` is {_any_of(condition)}", f"here it is {_plain(said)}" if said else "here that is not said"


def _of_header(what: str, said: Callable[[Known], str]) -> Callable[[Condition, Known], tuple[str, str]]:
    return lambda condition, known: (f"where {what} is {_any_of(condition)}", f"here it is {_plain(said(known))}")


def _holds(what: str, here: str) -> Callable[[Condition, Known], tuple[str, str]]:
    return lambda condition, _: (f"{what} {_any_of(condition)}", here)


def _named(what: str) -> Callable[[Condition, Known], tuple[str, str]]:
    return lambda condition, _: (f"where the {what} `{_plain(condition.name)}` is {_any_of(condition)}", "here it is not")


def _any_of(condition: Condition) -> str:
    *others, last = sorted(map(_plain, condition.values))
    return f"{', '.join(others)} or {last}" if others else last


def _plain(code: str) -> str:
    return code.lower().replace("_", " ")


_SAYERS: Mapping[Question, Callable[[Condition, Known], tuple[str, str]]] = {
    Question.AGE: _age,
    Question.ATTRIBUTE: _attribute,
    Question.ACTION: _of_header("what is published", lambda known: known.header.action),
    Question.SUBJECT_ROLE: _of_header("the child's part", lambda known: known.header.subject_role),
    Question.ASSERTION: _of_header("what is said", lambda known: known.header.assertion),
    Question.PUBLISHER: _of_header("the publisher", lambda known: f"{known.header.producer}, of {known.header.sector}"),
    Question.AREA: _of_header("the child's area", lambda known: known.area or "not known"),
    Question.IDENTITY: _of_header("the child", lambda known: "identified" if known.identified else "unidentified"),
    Question.CONNECTION: _holds("of children with a tie to", "this child has none in force"),
    Question.STATUS: _holds("of children whose status is", "this child has none of these"),
    Question.PROTECTION: _holds("of children protected by", "this child is not"),
    Question.PARTY: _holds("of events that name a", "this one does not"),
    Question.FINDING: _holds("where people found", "nobody did, or it is over"),
    Question.AGREEMENT: _named("agreement"),
    Question.WISH: _named("wish"),
}
