"""Whom subscriptions would silence: a rule that would reach nobody at some place because everybody there asked not to hear.

Whoever fills a role alone is the one who knows the child there. What the rules say it must hear, it must hear.
"""

from collections import defaultdict
from collections.abc import Iterator

from broker.core.agencies.roles import desks_of, wants
from broker.core.model.identifiers import RecipientId, RoleName
from broker.core.model.policy import Effect, Policy, Rule
from broker.core.model.registers import Registers

_SHOWN = 3  # rules named one by one


def silenced(registers: Registers, policy: Policy, only: RecipientId | None = None) -> Iterator[str]:
    """Say in one line for each role and place which rules would reach nobody there; of one recipient's doing, or of anybody's.

    A rule that asks nobody else when nobody fills the role (`if_nobody = "nothing"`) may be narrowed out of.
    """
    rules = [one for one in policy.rules if one.effect is Effect.DISCLOSE and one.if_nobody != "nothing"]
    for role in policy.roles.values():
        named = [rule for rule in rules if role.name in rule.to]
        for place, seated in desks_of(role, registers):
            if only is not None and only not in seated:
                continue
            lost = _lost(named, role.name, seated, registers, policy)
            if lost:
                who = ", ".join(f"`{one}`" for one in seated)
                yield f"role `{role.name}` at `{place}`: nobody but {who} fills it, who would not hear of {_listed(lost)}"


def _lost(
    rules: list[Rule], role: RoleName, seated: tuple[RecipientId, ...], registers: Registers, policy: Policy
) -> dict[str, list[str]]:
    """Return the rules that would reach none of these, with their event types."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    asked = [registers.recipients[one].subscription for one in seated if one in registers.recipients]
    if len(asked) < len(seated):
        return {}
    for rule in rules:
        for event_type in sorted(rule.event_types or policy.events):
            if not any(wants(one, event_type, role) for one in asked):
                found[rule.id].append(event_type)
    return found


def _listed(lost: dict[str, list[str]]) -> str:
    said = [f"{', '.join(f'`{one}`' for one in types)} (rule `{rule}`)" for rule, types in sorted(lost.items())]
    more = f" and of {len(said) - _SHOWN} more rules" if len(said) > _SHOWN else ""
    return "; ".join(said[:_SHOWN]) + more
