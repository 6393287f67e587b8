"""What a disclosure that is out already would betray of a child's place, should a protection come later (R10, I8).

It is noted when the view is made, because only then are its content and the rules known together; nothing of it is kept.
"""

from collections.abc import Collection, Iterable

from broker.core.disclose import PLACE_PROTECTED, View, would_cut
from broker.core.identifiers import Millis, RoleName
from broker.core.policy import Cut, Policy, Question, Rule

_BETRAYS = frozenset({Cut.PLACE, Cut.FREE_TEXT})


def betrays_place(view: View, roles: Collection[RoleName], policy: Policy, at: Millis) -> bool:
    """Tell whether a view carries what a protection would have taken out of it for whoever holds these roles.

    A role that every protecting rule spares may go on knowing; where no rule protects, nobody is spared.
    """
    return any(would_cut(view, cut) and _spared(cut, policy, at).isdisjoint(roles) for cut in _BETRAYS)


def _spared(cut: Cut, policy: Policy, at: Millis) -> frozenset[RoleName]:
    spares = [one.spare for one in _protecting(policy) if cut in one.cut and one.in_force_from <= at]
    return frozenset.intersection(*spares) if spares else frozenset()


def _protecting(policy: Policy) -> tuple[Rule, ...]:
    """Return the rules that protect a place, found once for a policy and kept beside it."""
    found = policy.memo.get("protecting")
    if not isinstance(found, tuple):
        rules = (one for one in policy.rules if one.protects and not _BETRAYS.isdisjoint(one.cut))
        found = policy.memo["protecting"] = tuple(one for one in rules if not PLACE_PROTECTED.isdisjoint(_kinds(one)))
    return found


def _kinds(rule: Rule) -> Iterable[str]:
    return (kind for one in rule.when if one.about is Question.PROTECTION for kind in one.values)
