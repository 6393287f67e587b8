"""From the rules that speak to one recipient's answer: per category disclose, withhold or ask, with every reason.

No order and no priorities: a withhold wins for its categories, nothing matching means withheld, and without existence
nothing goes at all.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from broker.core.deciding.tables import EXISTENCE_ONLY, LiveRule, Plan, Values
from broker.core.model.event import Category
from broker.core.model.identifiers import RecipientId, RoleName, RuleId
from broker.core.model.policy import HUB, REFERRER, Cut, Effect, Policy
from broker.core.model.verdict import Barred, Decision, Outcome, Reason, Seat, Voice

_UNSPOKEN = RuleId("nothing-matches")
NOBODY = RecipientId("")  # stands for a role that nobody fills
_REACH: Mapping[Cut, Category | None] = {
    Cut.REFERRER: Category.THIRD_PARTY,
    Cut.FORMER_IDENTITY: Category.IDENTITY,
    Cut.WHEREABOUTS: Category.LOCATION,
}

_Member = TypeVar("_Member", Category, Cut)

# Reasons that no rule gives: the policy may not use these names.
BUILT_IN: Mapping[str, str] = {
    "nothing-matches": "no rule gives this to these roles here",
    "no-existence": "it may not be known here that there is anything, so nothing goes",
    "stale-policy": "the policy in force is past its own end: nothing goes until a new one is released",
    "unknown-purpose": "the publisher states a purpose that the policy does not know",
    "retraction": "a retraction goes to those who were told what it takes back, and to nobody else",
    "retracted": "the publisher took this back before it came",
    "expired": "the publisher says that this is no longer relevant",
    "on-hold": "something that protects this child is with a person: until then a person decides on everything",
    "conflict": "the publisher excludes this recipient for this child: its alternate hears it, or the hub",
    "subscription": "this recipient asked not to hear this",
    EXISTENCE_ONLY.id: EXISTENCE_ONLY.because,
    "overdue": "the rule is past its review date: somebody has to say whether it still holds",
}


@dataclass(slots=True)
class _Voices:
    """Which rules speak, and how."""

    grant: list[LiveRule] = field(default_factory=list)
    ask: list[LiveRule] = field(default_factory=list)
    withhold: list[LiveRule] = field(default_factory=list)


@dataclass(slots=True)
class _Shares:
    """What becomes of each category."""

    granted: tuple[Category, ...]
    asked: tuple[Category, ...]
    withheld: tuple[Category, ...]
    unspoken: tuple[Category, ...]
    built_in: str


def answer(plan: Plan, seat: Seat, values: Values, blanket: str) -> Decision:
    """Answer for one recipient in its roles; `blanket` names a built-in reason that holds whatever the rules say."""
    voices, roles = _voices(plan, seat, values), seat.roles
    shares = _under(blanket, _shares(voices))
    would_cut = _cuts(voices, roles, plan.policy)
    voices.withhold = [one for one in voices.withhold if one.rule.categories or _touches(one.rule.cut, shares)]
    granting = [one for one in voices.grant if not one.rule.categories.isdisjoint(shares.granted)]
    asking = [one for one in voices.ask if not one.rule.categories.isdisjoint(shares.asked)]
    waiting = [one for one in voices.grant if not one.rule.categories.isdisjoint(shares.asked)]  # on hold, or for existence
    wanting = granting or asking
    ladder = min(granting, key=_rung, default=None)
    decision = Decision(
        recipient=seat.recipient,
        role=_role_told(granting or wanting, roles),
        roles=roles,
        outcome=Outcome.DISCLOSE if shares.granted else Outcome.ASK if shares.asked else Outcome.WITHHOLD,
        kind=_kind(shares.granted, roles, existence_only=plan.existence_only),
        granted=shares.granted,
        withheld=shares.withheld,
        asked=shares.asked,
        asked_of=_asked_of(voices, shares, blanket),
        reasons=tuple(_reasons(voices, shares, blanket)),
        lawful_basis=ladder.basis.name if ladder and ladder.basis else None,
        gateway=_gateway(ladder),
        obligations=_obligations(granting, roles, plan.policy),
        clock=_shortest(granting, plan.policy),
        short=_shortened(granting, shares.granted),
        cuts=_cuts(voices, roles, plan.policy),
        would_cut=would_cut,
        wanted_by=tuple(one.rule.id for one in wanting if one.rule.if_nobody == "hub"),
        wanted_if_held=tuple(one.rule.id for one in wanting if one.rule.if_nobody == "hub_if_held"),
        statutory=any(one.rule.statutory for one in granting),
        asked_clock=_shortest([*asking, *waiting], plan.policy),
        barred=None if blanket else _barred(voices, roles),
    )
    return _with_agreed(decision, plan, seat, values) if shares.granted else decision


def kept_back(decision: Decision) -> frozenset[Category]:
    """Return what a rule withholds, or its publisher; everything where a reason holds for all; not what no rule speaks of."""
    said = [one for one in decision.reasons if one.voice is Voice.WITHHOLDS and one.rule != _UNSPOKEN]
    whole = tuple(Category)
    return frozenset(category for one in said for category in (one.categories or (whole if one.rule in BUILT_IN else ())))


def _with_agreed(decision: Decision, plan: Plan, seat: Seat, values: Values) -> Decision:
    """Note what goes only because somebody agreed: what would not go, or not whole, had they withdrawn."""
    without = list(values)
    for index, answer_then in plan.withdrawn:
        without[index] = answer_then
    if tuple(without) == values:
        return decision
    less = answer(plan, seat, tuple(without), "")  # something goes, so nothing holds for everybody
    agreed = {*decision.granted} - {*less.granted} | {*less.short} - {*decision.short}
    for cut in {*less.cuts} - {*decision.cuts}:
        reach = _REACH.get(cut)
        agreed |= {*decision.granted} - {Category.EXISTENCE} if reach is None else {reach}
    now, then = (_speaking(plan, seat, one) for one in (values, tuple(without)))
    spoke = tuple(sorted(now ^ then)) if agreed else ()
    return replace(decision, agreed=_ordered(Category, agreed & {*decision.granted}), agreed_by=spoke)


def _speaking(plan: Plan, seat: Seat, values: Values) -> set[RuleId]:
    voices = _voices(plan, seat, values)
    return {one.rule.id for one in (*voices.grant, *voices.withhold)}


def _voices(plan: Plan, seat: Seat, values: Values) -> _Voices:
    """Sort the rules that speak of these roles. A withhold is silent towards whoever holds a role that it spares.

    INVARIANT: one that protects is silent only where that role is held for somebody who may know what it hides (R10).
    """
    found, roles = _Voices(), frozenset(seat.roles)
    for one in plan.rules:
        rule = one.rule
        if (rule.to and rule.to.isdisjoint(roles)) or not rule.spare.isdisjoint(seat.trusted if rule.protects else roles):
            continue
        spoken = one.speaks(values)
        if rule.effect is Effect.WITHHOLD:
            if spoken:
                found.withhold.append(one)
        elif spoken is not False:
            (found.grant if spoken else found.ask).append(one)
    return _allowed(found, plan.allowed) if plan.allowed and found.ask else found


def _allowed(voices: _Voices, allowed: frozenset[Category]) -> _Voices:
    """Let what a person has granted go by the rules that asked; what nobody was asked about then is still a question."""
    granted = [replace(one, rule=replace(one.rule, categories=one.rule.categories & allowed)) for one in voices.ask]
    left = [replace(one, rule=replace(one.rule, categories=one.rule.categories - allowed)) for one in voices.ask]
    return _Voices([*voices.grant, *filter(_says, granted)], list(filter(_says, left)), voices.withhold)


def _says(one: LiveRule) -> bool:
    return bool(one.rule.categories)


def _touches(cuts: frozenset[Cut], shares: _Shares) -> bool:
    """Tell whether a cut bears on anything that goes or may go; else it has nothing to say here."""
    going = {*shares.granted, *shares.asked}
    return any(going if reach is None else reach in going for reach in map(_REACH.get, cuts))


def _shares(voices: _Voices) -> _Shares:
    """Decide each category: withheld wins over granted, granted over asked, and silence withholds."""
    withheld = _covered(voices.withhold)
    granted = _covered(voices.grant) - withheld
    asked = _covered(voices.ask) - withheld - granted
    built_in = ""
    if Category.EXISTENCE not in granted:
        if granted or asked:
            built_in = "" if Category.EXISTENCE in asked else "no-existence"
        asked = asked | granted if Category.EXISTENCE in asked else set()
        granted = set()
    by_rules = [one for one in voices.withhold if one.rule is not EXISTENCE_ONLY]  # what no rule gives stays said as that
    unspoken = set(Category) - _covered((*by_rules, *voices.grant, *voices.ask))
    return _split(granted, asked, unspoken, built_in)


def _under(blanket: str, shares: _Shares) -> _Shares:
    """Put a built-in reason over everything: on hold a person decides what would go, else nothing goes."""
    if not blanket:
        return shares
    asked = {*shares.granted, *shares.asked} if blanket == "on-hold" else set()
    return _split(set(), asked, set(shares.unspoken), blanket)


def _split(granted: set[Category], asked: set[Category], unspoken: set[Category], built_in: str) -> _Shares:
    withheld = set(Category) - granted - asked
    parts = [_ordered(Category, one) for one in (granted, asked, withheld, unspoken)]
    return _Shares(parts[0], parts[1], parts[2], parts[3], built_in)


def _reasons(voices: _Voices, shares: _Shares, blanket: str) -> Iterable[Reason]:
    """Give every rule that spoke its sentence; one that was overruled whole is only noted."""
    for one in voices.withhold:
        yield Reason(one.rule.id, Voice.WITHHOLDS, one.rule.because, _ordered(Category, one.rule.categories))
    for speakers, voice, reach in ((voices.grant, Voice.GRANTS, shares.granted), (voices.ask, Voice.ASKS, shares.asked)):
        for one in speakers:
            said = _ordered(Category, one.rule.categories.intersection(reach))
            noted = said or _ordered(Category, one.rule.categories)
            yield Reason(one.rule.id, voice if said else Voice.NOTES, one.rule.because, noted)
            if one.overdue:
                yield Reason(RuleId("overdue"), Voice.NOTES, f"`{one.rule.id}`: {BUILT_IN['overdue']}", noted)
    if shares.built_in:
        voice = Voice.ASKS if blanket == "on-hold" else Voice.WITHHOLDS
        yield Reason(RuleId(shares.built_in), voice, BUILT_IN[shares.built_in])
    if shares.unspoken and not blanket:
        yield Reason(_UNSPOKEN, Voice.WITHHOLDS, BUILT_IN["nothing-matches"], shares.unspoken)


def _asked_of(voices: _Voices, shares: _Shares, blanket: str) -> RoleName | None:
    if not shares.asked:
        return None
    return HUB if blanket == "on-hold" else next((one.rule.ask for one in voices.ask), None)


def _barred(voices: _Voices, roles: tuple[RoleName, ...]) -> Barred | None:
    """Return what a statute wants told here, also to the hub where nobody fills the role, and by which rules nothing goes."""
    wanted = [one for one in voices.grant if one.rule.statutory and one.rule.if_nobody == "hub"]
    keeping = [one.rule.id for one in voices.withhold if Category.EXISTENCE in one.rule.categories]
    return Barred(_role_told(wanted, roles), tuple(one.rule.id for one in wanted), tuple(keeping)) if wanted and keeping else None


def _cuts(voices: _Voices, roles: Sequence[RoleName], policy: Policy) -> tuple[Cut, ...]:
    """What goes only in part, by the rules; and no UPN to whoever is not in education."""
    cuts = {cut for one in voices.withhold for cut in one.rule.cut}
    educates = any(policy.roles[role].education for role in roles)
    return _ordered(Cut, cuts if educates else {*cuts, Cut.PUPIL_NUMBER})


def _role_told(speaking: Sequence[LiveRule], roles: tuple[RoleName, ...]) -> RoleName:
    return next((role for one in speaking for role in roles if role in one.rule.to), roles[0])


def _kind(granted: tuple[Category, ...], roles: tuple[RoleName, ...], *, existence_only: bool) -> str:
    if REFERRER in roles:
        return "OUTCOME"
    return "EXISTENCE" if existence_only or granted == (Category.EXISTENCE,) else "ALERT"


def _rung(one: LiveRule) -> tuple[int, RuleId]:
    return one.basis.rung if one.basis else 99, one.rule.id


def _gateway(ladder: LiveRule | None) -> str | None:
    """The rule's own gateway while its own basis is in force, else that of the basis it stands on until then."""
    if ladder is None or ladder.basis is None:
        return None
    return (ladder.rule.gateway if ladder.basis.name == ladder.rule.basis else None) or ladder.basis.gateway


def _obligations(granting: Sequence[LiveRule], roles: tuple[RoleName, ...], policy: Policy) -> tuple[str, ...]:
    """What the recipient must keep to, in the policy's own order; a role's own hold for its every message (R11)."""
    if not granting:
        return ()
    names = {name for one in granting for name in one.rule.obligations}
    names.update(name for role in roles for name in policy.roles[role].keep)
    return tuple(text for name, text in policy.obligations.items() if name in names)


def _shortest(granting: Sequence[LiveRule], policy: Policy) -> str | None:
    """The clock that falls due first: the policy lists its clocks from short to long."""
    names = {one.rule.clock for one in granting}
    return next((name for name in policy.clocks if name in names), None)


def _shortened(granting: Sequence[LiveRule], granted: tuple[Category, ...]) -> tuple[Category, ...]:
    """Categories that no rule grants in full."""
    full = {category for one in granting for category in one.rule.categories - one.rule.short}
    return tuple(category for category in granted if category not in full)


def _covered(rules: Iterable[LiveRule]) -> set[Category]:
    return {category for one in rules for category in one.rule.categories}


def _ordered(of: type[_Member], members: Iterable[_Member]) -> tuple[_Member, ...]:
    found = set(members)
    return tuple(one for one in of if one in found)
