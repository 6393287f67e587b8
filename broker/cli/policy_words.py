"""A rule in plain words, whole: what it gives or keeps back, to whom, on which basis, and from when until when."""

from collections.abc import Iterable, Iterator

from broker.core.account.words import category_in_words, day_at, words_of
from broker.core.deciding.tables import label
from broker.core.model.event import Category
from broker.core.model.identifiers import Millis, RoleName
from broker.core.model.policy import HOLDER, Effect, Policy, Question, Rule

_THEIRS = ", only where it is the child's own council's, or that of whoever protected the child first"
IF_NOBODY = {
    "hub": "the hub hears that nobody fills the role",
    "hub_if_held": "the hub hears that nobody can be told, where somebody holds the role for the child; else nobody is sought",
    "nothing": "nothing: the hub does not hear that nobody fills the role",
}


def headed(rule: Rule, at: Millis) -> str:
    """Say what a rule does at an instant: a rule that is over, or is not in force yet, does nothing."""
    does = "keeps back" if rule.effect is Effect.WITHHOLD else "gives"
    if at < rule.in_force_from:
        return f"{does}, not before {day_at(rule.in_force_from)}"
    if rule.in_force_to is not None and at >= rule.in_force_to and not rule.protects:
        return f"is over since {day_at(rule.in_force_to)}: it {does} nothing any more"
    return does


def rule_in_words(rule: Rule, policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield the lines of a rule, each with its label; an empty one says nothing."""
    yield "what", _categories(rule.categories)
    yield "in short", _categories(rule.short)
    yield "less", ", ".join(sorted(one.replace("_", " ") for one in rule.cut))
    yield "to", _roles(rule.to, policy) or "everybody"
    yield "but not", _roles(rule.spare, policy) + (_THEIRS if rule.spare and rule.protects else "")
    yield "about", ", ".join(policy.events[one].says for one in sorted(rule.event_types)) or "everything"
    yield "only where", "; ".join(label(one) for one in rule.when if one.about is not Question.EVENT)
    yield "unless", "; or ".join(" and ".join(label(one) for one in block) for block in rule.unless)
    yield "because", rule.because
    if rule.effect is not Effect.WITHHOLD:
        yield from _terms(rule, policy)
    yield "source", rule.source + ("" if rule.verified else "; nobody verified it yet")
    yield "owner", rule.owner
    yield (
        "in force",
        f"from {day_at(rule.in_force_from)}" + (f" until {day_at(rule.in_force_to - 1)}" if rule.in_force_to else ""),
    )
    yield "review by", day_at(rule.review_by) if rule.review_by else ""


def _terms(rule: Rule, policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield on which basis something is told, by when, what to keep to, and who is asked or hears else."""
    by_law = "; a statute or its guidance demands it" if rule.statutory else ""
    ladder = policy.bases.get(rule.basis or "")
    gateway = rule.gateway or (ladder.gateway if ladder else None)
    yield "basis", words_of(policy).basis(rule.basis or "", gateway) + by_law
    yield "by", policy.clocks[rule.clock].says if rule.clock else ""
    for one in rule.obligations:
        yield "keep to", policy.obligations.get(one, one)
    yield "in doubt", f"asks {'whoever published it' if rule.ask == HOLDER else _roles([rule.ask], policy)}"
    yield "if nobody", IF_NOBODY[rule.if_nobody]


def _categories(some: Iterable[Category]) -> str:
    wanted = set(some)
    return ", ".join(category_in_words(one) for one in Category if one in wanted)


def _roles(some: Iterable[RoleName], policy: Policy) -> str:
    return "; ".join(policy.roles[one].title for one in sorted(some))
