"""The decision point (PDP): who may need to know of an event, what the least they need is, and on which basis.

Pure: the same event, facts, policy, registers and instant give the same verdict on any machine in any year. It reads the
header, the facts and which parties are named, never another part of the body, so that nothing withheld can steer it.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter

from broker.core.agencies.asking import hub_asked
from broker.core.agencies.exclusions import excluded_here
from broker.core.agencies.matters import meant
from broker.core.agencies.roles import Seats, home_of, seats
from broker.core.agencies.standing import trusted
from broker.core.deciding.answer import NOBODY, answer, kept_back
from broker.core.deciding.tables import Plan, Values, plan_for
from broker.core.model.event import Action, Category, Event
from broker.core.model.facts import Facts
from broker.core.model.identifiers import Millis, RecipientId, RoleName, RuleId
from broker.core.model.known import Known, know
from broker.core.model.policy import HUB, Policy, Role, Rule
from broker.core.model.policy import Question as Asks
from broker.core.model.registers import Registers
from broker.core.model.verdict import Decision, Gap, Outcome, Request, Seat, Verdict, Voice

_GAP = "nobody can be told in the role `{role}`: see to it that somebody there hears of it"
_BARRED = "a statute wants it told in the role `{role}`, and nobody but you hears of it. {why}"
_UNSAID = "It may not be said here why."
# Built-in reasons that come of how or when an event was said: what a rule wants told does not end in silence by them.
_UNTOLD = {
    "expired": "its publisher says that it is no longer relevant",
    "unknown-purpose": "its publisher states a purpose that the policy does not know",
}
_STOPPED = "it should be told in the role `{role}`, and it was not: {why}. Ask its publisher"
_NOBODY: frozenset[str] = frozenset()
_BY_RECIPIENT, _BARRED_THERE = attrgetter("recipient"), attrgetter("barred")
_Hub = Callable[[], tuple[RecipientId | None, Decision | None]]  # who hears a gap, and what is decided about it
_UNKNOWN_TYPE = "an event of a type that the policy does not know: ask its publisher"


def decide(event: Event, facts: Facts, policy: Policy, registers: Registers, at: Millis) -> Verdict:
    """Decide about one event for every possible recipient, with reasons.

    `facts` must already hold what this event changed (`broker.core.line.apply.apply_event`): an organisation that it lets go at
    this very instant still counts as involved, so that a closed case's worker hears of the closing. `at` is the instant of
    the child's line, never a worker's clock. Nothing is changed and nothing is read from anywhere else.
    """
    plan = plan_for(policy, event.header, at)
    if any(role.filled_by == "referrer" for role in plan.roles):
        facts = meant(facts, event, registers)
    known = know(event, facts, at)
    question = _Question(plan, known, _blanket(plan, event, facts, at), facts.allowed)
    question.trust((*plan.roles, *_role(policy, HUB)), facts, registers)
    found = seats(plan.roles, known, facts, registers)
    decisions = [question.put(recipient, roles) for recipient, roles in found.filled.items()]
    for passed_over, why in ((found.conflicts, "conflict"), (found.narrowed, "subscription")):
        decisions += [question.put(one, roles, why) for one, roles in passed_over.items() if one not in found.filled]
    decisions.sort(key=_BY_RECIPIENT)

    def hub() -> tuple[RecipientId | None, Decision | None]:
        return _hub(question, found, hub_asked(event.header, facts, registers))

    gaps = _gaps(question, found, hub)
    if any(map(_BARRED_THERE, decisions)):
        gaps = (*gaps, *_barred(plan, decisions, {one.role for one in gaps}, hub))
    return Verdict(
        request=Request(event.header, tuple(sorted(known.parties)), facts),
        decisions=tuple(decisions),
        gaps=gaps,
        others=plan.others,
        alarms=plan.alarms,
        used=plan.used(question.values),
        policy=policy.digest,
        registers=registers.digest,
        at=at,
    )


def heard_by(event: Event, facts: Facts, recipient: str, policy: Policy, registers: Registers) -> Decision | None:
    """Return what would be decided about somebody as whatever the registers have it, chosen or not; None of who is nothing there.

    Whoever is asked about an event is shown no more of it than that lets it see.
    """
    entry = registers.recipients.get(RecipientId(recipient))
    roles = tuple(sorted(one for one in entry.roles if one in policy.roles)) if entry else ()
    if entry is None or not roles:
        return None
    plan = plan_for(policy, event.header, facts.at)
    question = _Question(plan, know(event, facts, facts.at), "", {})
    question.trust([policy.roles[one] for one in roles], facts, registers)
    return question.put(entry.id, roles)


def denied(event: Event, facts: Facts, recipient: RecipientId, policy: Policy, registers: Registers) -> bool:
    """Tell whether a rule denies somebody that there is anything; who is nothing in the registers is denied it."""
    said = heard_by(event, facts, recipient, policy, registers)
    return said is None or Category.EXISTENCE in kept_back(said)


def _role(policy: Policy, name: RoleName) -> tuple[Role, ...]:
    return (policy.roles[name],) if name in policy.roles else ()


class _Question:
    """What is asked about one event, with the values of its conditions, for one recipient after the other."""

    __slots__ = ("_scoped", "allowed", "blanket", "known", "plan", "trusted", "values")

    def __init__(self, plan: Plan, known: Known, blanket: str, allowed: Mapping[RecipientId, Sequence[str]]) -> None:
        self.allowed = allowed
        self.plan = plan
        self.known = known
        self.blanket = blanket
        self.trusted: Mapping[RoleName, Container[RecipientId]] | None = None  # who may know, where somebody may not
        plain = tuple([test(known) for test in plan.tests])
        self._scoped = plain if plan.scoped and (known.findings or known.agreements) else None
        self.values: Values = (*plain, *[test(known, _NOBODY) for test in plan.scoped]) if plan.scoped else plain

    def trust(self, roles: Iterable[Role], facts: Facts, registers: Registers) -> None:
        """Find out who may know in these roles what a protection hides, where there is one."""
        if not self.plan.spares or not self.known.protections:
            return
        header = self.known.header
        home, excluded = home_of(header, self.known.area, registers), excluded_here(header, facts)
        self.trusted = trusted(roles, facts, registers, home=home, excluded=excluded)

    def put(self, recipient: RecipientId, roles: tuple[RoleName, ...], why: str = "") -> Decision:
        """Return the decision for one recipient; findings and agreements may mean it by its own name or by a role."""
        values = self.values
        if self._scoped is not None:
            names = frozenset((recipient, *roles))
            values = (*self._scoped, *[test(self.known, names) for test in self.plan.scoped])
        key = self._seat(recipient, roles), values, self.blanket or why
        if recipient in self.allowed:
            plan = replace(self.plan, allowed=frozenset(map(Category, self.allowed[recipient])), memo={})
            return answer(plan, *key)
        return self.plan.memo.get(key) or self.plan.remember(key, answer(self.plan, *key))

    def put_freely(self, seated: Iterable[tuple[RecipientId, tuple[RoleName, ...]]]) -> Iterator[Decision]:
        """Yield what would be told, or asked, were it not for the reason that holds for everybody."""
        blanket, self.blanket = self.blanket, ""
        found = [self.put(recipient, roles) for recipient, roles in seated]
        self.blanket = blanket
        yield from (one for one in found if one.outcome is not Outcome.WITHHOLD)

    def _seat(self, recipient: RecipientId, roles: tuple[RoleName, ...]) -> Seat:
        if self.trusted is None or recipient == NOBODY:
            return Seat(recipient, roles, frozenset(roles))
        return Seat(recipient, roles, frozenset([role for role in roles if recipient in self.trusted.get(role, _NOBODY)]))


def _blanket(plan: Plan, event: Event, facts: Facts, at: Millis) -> str:
    """Return the built-in reason that holds for everybody, or an empty text."""
    header = event.header
    if plan.stale:
        return "stale-policy"
    if header.purpose not in plan.policy.purposes:
        return "unknown-purpose"
    if header.action is Action.RETRACT:
        return "retraction"
    if header.event_id in facts.cancelled:
        return "retracted"
    if header.expires_at is not None and header.expires_at <= at:
        return "expired"
    return "on-hold" if facts.holds else ""


def _hub(question: _Question, found: Seats, hub: RecipientId | None) -> tuple[RecipientId | None, Decision | None]:
    """Return who hears a gap, and what is decided about it as whatever it is here."""
    roles = found.filled.get(hub or NOBODY) or ((HUB,) if HUB in question.plan.policy.roles else ())
    return hub, question.put(hub, roles) if hub and roles else None


def _gaps(question: _Question, found: Seats, hub: _Hub) -> tuple[Gap, ...]:
    """Return the roles in which somebody should be told and nobody can be."""
    if question.blanket:
        return _untold(question, found, hub)
    if question.plan.kind is None:
        return () if question.known.protections else (Gap(RoleName(""), hub()[0], _UNKNOWN_TYPE, ()),)
    if not found.vacant and not found.narrowed:
        return ()
    gaps = []
    for role in sorted({*found.vacant, *_narrowed_duties(question, found)}):
        wanted = question.put(NOBODY, (role,))
        by = _wanted(wanted, is_held=found.vacant.get(role, True))
        if wanted.outcome is not Outcome.WITHHOLD and by:
            told, hears = hub()
            clock = wanted.clock or wanted.asked_clock
            gaps.append(Gap(role, told, _GAP.format(role=role), by, clock, hears))
    return tuple(gaps)


def _wanted(decision: Decision, *, is_held: bool) -> tuple[RuleId, ...]:
    """Return the rules that want it heard of, where an organisation holds the role or not."""
    return (*decision.wanted_by, *decision.wanted_if_held) if is_held else decision.wanted_by


def _barred(plan: Plan, decisions: Sequence[Decision], vacant: Container[RoleName], hub: _Hub) -> tuple[Gap, ...]:
    """Return the roles in which a rule keeps back what a statute wants told, where nobody but the hub hears of it.

    Of a role that is `vacant` besides the hub hears already. It hears why as far as a finding keeps it, and not from it: that
    a child is protected it is told by no more than it was before. INVARIANT: where the hub itself may not know that there is
    anything, nobody hears of it (I4).
    """
    barred = {one.barred.role: one.barred for one in decisions if one.barred is not None and one.barred.role not in vacant}
    told, hears = hub()
    heard = any(one.outcome is not Outcome.WITHHOLD and one.recipient != told for one in decisions)
    if heard or told is None or hears is None or Category.EXISTENCE in kept_back(hears):
        return ()
    unsaid = {one.rule for one in hears.reasons if one.voice is Voice.WITHHOLDS}
    live = (one.rule for one in plan.rules)
    sayable = {one.id: one.because for one in live if _rests_on_a_finding(one) and one.id not in unsaid}
    found = []
    for role, one in sorted(barred.items()):
        why = " ".join(dict.fromkeys(sayable.get(rule, _UNSAID) for rule in one.by))
        found.append(Gap(role, told, _BARRED.format(role=role, why=why), one.wanted_by, None, hears))
    return tuple(found)


def _rests_on_a_finding(rule: Rule) -> bool:
    asked = {one.about for one in rule.when}
    return Asks.FINDING in asked and Asks.PROTECTION not in asked


def _untold(question: _Question, found: Seats, hub: _Hub) -> tuple[Gap, ...]:
    """Return the roles in which a rule wants told what a reason for everybody stops: the hub hears that, and no content."""
    why, is_new = _UNTOLD.get(question.blanket), question.known.header.action is Action.NEW
    if why is None or (question.blanket == "expired" and not is_new):  # an earlier version was told
        return ()
    seated = (*found.filled.items(), *((NOBODY, (role,)) for role in found.vacant))
    wanted = {}
    for one in question.put_freely(seated):
        by = _wanted(one, is_held=found.vacant.get(one.role, True))
        if by:
            wanted[one.role] = by, one.clock
    told = hub()[0] if wanted else None
    return tuple(Gap(role, told, _STOPPED.format(role=role, why=why), *said) for role, said in sorted(wanted.items()))


def _narrowed_duties(question: _Question, found: Seats) -> set[RoleName]:
    """Roles whose holder asked not to hear what a statute says it must: the hub hears that it does not."""
    return {role for roles in found.narrowed.values() for role in roles if question.put(NOBODY, (role,)).statutory}
