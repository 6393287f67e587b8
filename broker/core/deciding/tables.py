"""The policy compiled to tables: per stretch of time and event type, which conditions to test and what follows from them.

Compiled on first use and kept beside the policy; the same policy compiles to the same tables everywhere.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from broker.core.deciding.conditions import Answer, ScopedTest, Test, all_of, is_scoped, scoped_test_of, test_of
from broker.core.model.event import Category, Header
from broker.core.model.identifiers import Millis, RoleName, RuleId
from broker.core.model.policy import WITHDRAWN, Basis, Condition, Effect, EventKind, Policy, Question, Role, Rule
from broker.core.model.verdict import Decision, Seat

_MEMO_LIMIT = 50_000
# No rule of the policy: it holds wherever the publisher says so, and as a withhold it wins over whatever a rule gives (R6).
EXISTENCE_ONLY = Rule(
    id=RuleId("existence-only"),
    effect=Effect.WITHHOLD,
    because="the publisher lets it be known only that it holds something restricted and whom to ask, and nothing of what it says",
    to=frozenset(),
    when=(),
    categories=frozenset(Category) - {Category.EXISTENCE, Category.IDENTITY},
    owner="the publisher",
    source="DOMAIN R6",
    verified=True,
    statutory=False,
    in_force_from=Millis(0),
)

Values = tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class LiveRule:
    """A rule in force: where its conditions stand in the plan's values, and whether its review date has passed."""

    rule: Rule
    when: tuple[int, ...]
    unless: tuple[tuple[int, ...], ...]
    overdue: bool
    basis: Basis | None

    def speaks(self, values: Values) -> Answer:
        """Tell whether it matches. A withhold does so on unknown too, and only what is certain lifts it."""
        matched = all_of(values[index] for index in self.when)
        if self.rule.effect is Effect.DISCLOSE:
            return None if matched and self.overdue and not self.rule.statutory else matched
        lifted = any(all_of(values[index] for index in block) is True for block in self.unless)
        return matched is not False and not lifted


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do with one event type in one stretch of time. Values of `tests` come first, then those of `scoped`."""

    policy: Policy
    kind: EventKind | None
    rules: tuple[LiveRule, ...]
    tests: tuple[Test, ...]
    scoped: tuple[ScopedTest, ...]
    labels: tuple[str, ...]
    roles: tuple[Role, ...]
    alarms: tuple[RuleId, ...]
    others: str
    stale: bool
    spares: bool  # whether a protection spares anybody here
    existence_only: bool = False  # whether the publisher shares no more than that there is something
    withdrawn: tuple[tuple[int, bool], ...] = ()  # where agreements stand in the values, and what each is once withdrawn
    allowed: frozenset[Category] = frozenset()  # what a person who was asked has granted: it goes as the rules want that asked
    memo: dict[tuple[Seat, Values, str], Decision] = field(default_factory=dict)

    spoken: dict[Values, tuple[tuple[str, Answer], ...]] = field(default_factory=dict)

    def used(self, values: Values) -> tuple[tuple[str, Answer], ...]:
        """Return the values with the names of their conditions."""
        found = self.spoken.get(values)
        if found is None:
            if len(self.spoken) >= _MEMO_LIMIT:
                self.spoken.clear()
            found = self.spoken[values] = tuple(zip(self.labels, values, strict=True))
        return found

    def remember(self, key: tuple[Seat, Values, str], decision: Decision) -> Decision:
        """Keep a decision for the next event with the same values."""
        if len(self.memo) >= _MEMO_LIMIT:
            self.memo.clear()
        self.memo[key] = decision
        return decision


def plan_for(policy: Policy, header: Header, at: Millis) -> Plan:
    """Return the plan for an event of this type as the law stands at this instant, within what its publisher shares."""
    tables = policy.memo.get("tables")
    if not isinstance(tables, _Tables):
        tables = policy.memo["tables"] = _Tables(policy)
    return tables.plan(header.event_type, at, existence_only=header.is_existence_only)


class _Tables:
    """Every plan of a policy, made when first asked for."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._turns = _turns(policy)
        self._plans: dict[tuple[int, str, bool], Plan] = {}

    def plan(self, event_type: str, at: Millis, *, existence_only: bool) -> Plan:
        key = bisect_right(self._turns, at), event_type, existence_only
        found = self._plans.get(key)
        if found is None:
            if event_type not in self._policy.events:
                key = key[0], "", existence_only  # whatever is not in the catalogue shares one plan
            found = self._plans.get(key) or _plan(self._policy, event_type, at)
            self._plans[key] = found = _existence_only(found) if existence_only else found
        return found


def _existence_only(plan: Plan) -> Plan:
    """Return a plan under which whoever would be told hears that there is something, on the same terms (R6)."""
    live = LiveRule(EXISTENCE_ONLY, (), (), overdue=False, basis=None)
    return plan if plan.existence_only else replace(plan, rules=(*plan.rules, live), existence_only=True)


def _turns(policy: Policy) -> list[int]:
    """The instants at which the law, a review or the policy itself turns."""
    dates: set[int | None] = {policy.in_force_from, policy.in_force_to}
    dates.update(basis.in_force_from for basis in policy.bases.values())
    for rule in policy.rules:
        dates.update((rule.in_force_from, rule.in_force_to, rule.review_by))
    return sorted(date for date in dates if date is not None)


def _plan(policy: Policy, event_type: str, at: Millis) -> Plan:
    kind = policy.events.get(event_type)
    rules = [rule for rule in policy.rules if kind and _in_force(rule, at) and _is_about(rule, event_type)]
    rules.sort(key=lambda rule: rule.id)
    conditions = _distinct(rules)
    plain, scoped = [one for one in conditions if not is_scoped(one)], [one for one in conditions if is_scoped(one)]
    place = {condition: index for index, condition in enumerate((*plain, *scoped))}
    live = tuple(_live(rule, place, policy, at) for rule in rules)
    roles = tuple(policy.roles[name] for name in _named(rules) if name in policy.roles)
    return Plan(
        policy=policy,
        kind=kind,
        rules=live,
        tests=tuple(test_of(one, kind) for one in plain) if kind else (),
        scoped=tuple(scoped_test_of(one, policy.findings) for one in scoped),
        labels=tuple(label(one) for one in place),
        roles=roles,
        alarms=tuple(one.rule.id for one in live if one.overdue),
        others=_others(event_type, kind, roles),
        stale=at < policy.in_force_from or (policy.in_force_to is not None and at >= policy.in_force_to),
        spares=any(rule.protects and rule.spare for rule in rules),
        withdrawn=tuple((place[one], WITHDRAWN in one.values) for one in scoped if one.about is Question.AGREEMENT),
    )


def _in_force(rule: Rule, at: Millis) -> bool:
    """A dated end ends a rule, but a protection never lapses by date."""
    return rule.in_force_from <= at and (rule.in_force_to is None or at < rule.in_force_to or rule.protects)


def _is_about(rule: Rule, event_type: str) -> bool:
    return not rule.event_types or event_type in rule.event_types


def _distinct(rules: Sequence[Rule]) -> list[Condition]:
    found: dict[Condition, None] = {}
    for rule in rules:
        for block in (rule.when, *rule.unless):
            found.update((one, None) for one in block if one.about is not Question.EVENT)
    return list(found)


def _live(rule: Rule, place: dict[Condition, int], policy: Policy, at: Millis) -> LiveRule:
    overdue = rule.review_by is not None and at >= rule.review_by
    when = tuple(place[one] for one in rule.when if one.about is not Question.EVENT)
    unless = tuple(tuple(place[one] for one in block if one.about is not Question.EVENT) for block in rule.unless)
    return LiveRule(rule, when, unless, overdue, _basis(rule, policy, at))


def _basis(rule: Rule, policy: Policy, at: Millis) -> Basis | None:
    """The basis that a share stands on at this instant: before it came into force, the one before it."""
    found = policy.bases.get(rule.basis or "")
    passed: set[str] = set()
    while found and found.until_then and found.in_force_from is not None and at < found.in_force_from:
        if found.name in passed:
            return None  # it stands on itself: such a policy is unfit
        passed.add(found.name)
        found = policy.bases.get(found.until_then)
    return found


def _named(rules: Sequence[Rule]) -> list[RoleName]:
    """The roles that the rules name for this event type; a withhold for every event names nobody by itself."""
    return sorted({role for rule in rules if rule.effect is Effect.DISCLOSE or rule.event_types for role in rule.to})


def _others(event_type: str, kind: EventKind | None, roles: Sequence[Role]) -> str:
    if kind is None:
        return "nobody is told: its type is not in the catalogue of this policy"
    if not roles:
        return f"nobody is told: {kind.nobody or f'no rule names a role for `{event_type}`'}"
    return f"nobody else is told: no rule names any role for `{event_type}` but {', '.join(role.name for role in roles)}"


def label(condition: Condition) -> str:
    """Name a condition as a reader of the policy would: `attribute grade: high, medium`."""
    about = f"{condition.about} {condition.name}".strip()
    if condition.about is Question.AGE:
        return f"{about}: {'any' if condition.least is None else condition.least} to {condition.most or 'any'}"
    return f"{about}: {', '.join(sorted(condition.values))}"
