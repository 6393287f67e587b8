"""This policy in Cedar: one action per category, permits for disclosures, forbids for withholds, unknowns explicit.

Everything that our side has to find out (who fills a role, how old the child is, what a silent attribute means, which rules
are in force) is given to Cedar ready made in the request's context.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from broker.core.model.dates import age_span
from broker.core.model.identifiers import Millis
from broker.core.model.known import Known
from broker.core.model.policy import Condition, Effect, EventKind, Policy, Question, Rule
from broker.core.model.verdict import Decision

_SETS = {
    Question.STATUS: "statuses",
    Question.PROTECTION: "protections",
    Question.FINDING: "findings",
    Question.CONNECTION: "relations",
}
_EXISTENCE_ONLY = """@id("existence-only")
forbid (principal, action, resource)
when { context.sharing_mode == "EXISTENCE" && action != Action::"existence" && action != Action::"identity" };"""


def cedar_text(policy: Policy, at: Millis) -> str:
    """Return every rule in force as a Cedar policy, in the order of `rules_in_force`, and what a publisher may say of itself."""
    return "\n".join((*(_policy(rule, policy.events) for rule in rules_in_force(policy, at)), _EXISTENCE_ONLY))


def rules_in_force(policy: Policy, at: Millis) -> list[Rule]:
    """Return the rules that count at an instant; those that only cut below a category have nothing to say to Cedar."""
    dated = (rule for rule in policy.rules if rule.in_force_from <= at and (rule.in_force_to is None or at < rule.in_force_to))
    return [rule for rule in dated if rule.categories]


def context_of(kind: EventKind, known: Known, decision: Decision) -> dict[str, Any]:
    """Return what Cedar is told about one event and one recipient."""
    span = age_span(known.birth_date, known.header.occurred_at)
    attributes = {name: known.header.attributes.get(name, one.absent) for name, one in kind.attributes.items()}
    named = {decision.recipient, *decision.roles}
    context: dict[str, Any] = {
        "event": known.header.event_type,
        "assertion": known.header.assertion.value.lower(),
        "sharing_mode": known.header.sharing_mode.value,
        "roles": list(decision.roles),
        "statuses": list(known.held),
        "relations": list(known.ties),
        "protections": list(known.protections),
        "findings": [one.kind for one in known.findings if not one.recipients or one.recipients & named],
        **{f"attribute_{name}": value for name, value in attributes.items() if value is not None},
        **{f"agreement_{one.kind}": one.state for one in known.agreements},
        **{f"wish_{name}": value for name, value in known.wishes.items()},
    }
    if span is not None:
        context["age"] = span[0]
    return context


def _policy(rule: Rule, events: Mapping[str, EventKind]) -> str:
    actions = ", ".join(f'Action::"{one}"' for one in sorted(rule.categories))
    parts = [_set_test("roles", sorted(rule.to))] if rule.to else []
    parts += [_test(one, events, unknown=rule.effect is Effect.WITHHOLD) for one in rule.when]
    if rule.spare:
        parts.append(f"!({_set_test('roles', sorted(rule.spare))})")
    parts += [f"!({' && '.join(_test(one, events, unknown=False) for one in block)})" for block in rule.unless]
    verb = "permit" if rule.effect is Effect.DISCLOSE else "forbid"
    body = " && ".join(parts) or "true"
    return f'@id("{rule.id}")\n{verb} (principal, action in [{actions}], resource) when {{ {body} }};'


def _test(condition: Condition, events: Mapping[str, EventKind], *, unknown: bool) -> str:
    about = condition.about
    if about is Question.EVENT:
        return f"{_list(sorted(condition.values))}.contains(context.event)"
    if about is Question.ASSERTION:
        return f"{_list(sorted(condition.values))}.contains(context.assertion)"
    if about in _SETS:
        return _set_test(_SETS[about], sorted(condition.values))
    if about is Question.AGE:
        known = " && ".join(_bounds(condition))
        return _if_known("age", known, unknown=unknown)
    name = f"{about.value}_{condition.name}"
    test = _if_known(name, f"{_list(sorted(condition.values))}.contains(context.{name})", unknown=unknown)
    if about is not Question.ATTRIBUTE:
        return test
    sayable = sorted(kind for kind, one in events.items() if condition.name in one.attributes)
    return f"({_list(sayable)}.contains(context.event) && {test})"


def _bounds(condition: Condition) -> Iterator[str]:
    if condition.least is not None:
        yield f"context.age >= {condition.least}"
    if condition.most is not None:
        yield f"context.age <= {condition.most}"


def _if_known(name: str, test: str, *, unknown: bool) -> str:
    return f"(!(context has {name}) || ({test}))" if unknown else f"(context has {name} && ({test}))"


def _set_test(name: str, values: Sequence[str]) -> str:
    return f"{_list(values)}.containsAny(context.{name})"


def _list(values: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{one}"' for one in values) + "]"
