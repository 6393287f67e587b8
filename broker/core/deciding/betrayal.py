"""What a disclosure that is out already would betray of a child's place, should a protection come later (R10, I8).

It is noted when the view is made, because only then is its content known; no more of it is kept than which cuts would take
something out and which categories would be left. Whom a protection spares is asked of the policy when the protection comes.
"""

from collections.abc import Collection, Iterable

from broker.core.agencies.exclusions import excluded_for
from broker.core.agencies.standing import trusted
from broker.core.deciding.disclose import View, without, would_cut
from broker.core.model.event import Category
from broker.core.model.facts import Facts, Sent
from broker.core.model.identifiers import Millis, RoleName
from broker.core.model.policy import Cut, Policy, Question, Rule
from broker.core.model.protections import PLACE, PLACE_PROTECTED, PROTECTS
from broker.core.model.registers import Registers

_BETRAYING = frozenset({Cut.PLACE, Cut.FREE_TEXT, Cut.FORMER_IDENTITY})


def would_go(view: View) -> frozenset[Cut]:
    """Return the cuts of a protection that would take something out of a view."""
    return frozenset(cut for cut in _BETRAYING if would_cut(view, cut))


def would_stay(view: View, granted: Iterable[Category]) -> frozenset[Category]:
    """Return the categories of which a view would still say something after every cut of a protection."""
    left = without(view, _BETRAYING)
    return frozenset(one for one in granted if one is Category.EXISTENCE or (one not in PLACE and one.value in left))


def kept_from(
    held: Sent, kinds: Collection[str], facts: Facts, policy: Policy, registers: Registers
) -> tuple[frozenset[Category], frozenset[Cut]]:
    """Return the categories and the cuts of what somebody holds that these protections keep back from them today."""
    spared = _trusted_in(held, facts, policy, registers)
    speaking = [one for one in policy.rules if _speaks(one, kinds, facts.at) and _means(one, held, spared)]
    covered = {category for kind in kinds for category in PROTECTS.get(kind, ())}
    covered.update(category for rule in speaking for category in rule.categories)
    if not covered:
        return frozenset(), frozenset()
    cuts = {cut for rule in speaking for cut in rule.cut} | (_BETRAYING - _ruled(policy, facts.at))
    return held.categories & covered, held.cuts & cuts


def _trusted_in(held: Sent, facts: Facts, policy: Policy, registers: Registers) -> frozenset[RoleName]:
    """Return the roles in which somebody was told for an organisation that may know what a protection hides."""
    entry = registers.recipients.get(held.recipient)
    home = facts.home_area or (entry.area if entry else None)
    roles = [policy.roles[one] for one in held.roles | {held.role} if one in policy.roles]
    known = trusted(roles, facts, registers, home=home, excluded=held.excluded | excluded_for(facts))
    return frozenset(role for role, desks in known.items() if held.recipient in desks)


def _ruled(policy: Policy, at: Millis) -> frozenset[Cut]:
    """Return the cuts that some rule takes for a protection; of one that none takes, nobody is spared."""
    return frozenset(cut for rule in policy.rules if _speaks(rule, PLACE_PROTECTED, at) for cut in rule.cut)


def _speaks(rule: Rule, kinds: Collection[str], at: Millis) -> bool:
    """Tell whether a rule keeps something back under one of these protections; whatever else it asks counts as met."""
    asked = {kind for one in rule.when if one.about is Question.PROTECTION for kind in one.values}
    return rule.protects and rule.in_force_from <= at and not asked.isdisjoint(kinds)


def _means(rule: Rule, held: Sent, spared: frozenset[RoleName]) -> bool:
    roles = held.roles | {held.role}
    about = not rule.event_types or held.event_type in rule.event_types
    return about and rule.spare.isdisjoint(spared) and (not rule.to or not rule.to.isdisjoint(roles))
