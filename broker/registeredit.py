"""Change one recipient's subscription in a registers file, leaving every other line of it as it stands."""

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from broker.core.identifiers import RecipientId, RoleName
from broker.core.narrowing import silenced
from broker.core.policy import Effect, Policy
from broker.core.registers import Recipient, Registers
from broker.errors import NotFoundError, RegistersError

_HEAD = re.compile(r"^\s*\[")
_ENTRY = re.compile(r"^\s*\[\[recipient\]\]")
_OWN = re.compile(r"^\s*(subscription\s*=|\[recipient\.subscription\])")


def check_narrows(recipient: Recipient, event_types: Sequence[str], roles: Sequence[str], policy: Policy) -> None:
    """Check that a subscription asks for nothing that the policy would not give; raises RegistersError with every fault."""
    faults = [f"role `{role}` is not one of its roles" for role in roles if role not in recipient.roles]
    wanted = frozenset(RoleName(role) for role in roles) or recipient.roles
    given = _given(policy, wanted)
    for event_type in event_types:
        if event_type not in policy.events:
            faults.append(f"event type `{event_type}` is not in the policy's catalogue: see `broker policy check`")
        elif event_type not in given:
            faults.append(
                f"event type `{event_type}`: no rule tells it to {', '.join(sorted(wanted))}: a subscription only narrows"
            )
    if faults:
        raise RegistersError("\n".join(f"recipient `{recipient.id}`: {fault}" for fault in faults))


def check_silences_nobody(registers: Registers, policy: Policy, only: RecipientId | None = None) -> None:
    """Check that no rule would reach nobody at some place because of subscriptions; raises RegistersError naming the rules."""
    if faults := tuple(silenced(registers, policy, only)):
        remedy = "let it hear that too, or enter somebody else in that role first"
        raise RegistersError("\n".join(f"registers: {fault}: {remedy}" for fault in faults))


def with_subscription(text: str, recipient: RecipientId, subscription: dict[str, list[str]], path: Path) -> str:
    """Return the file's text with this recipient's subscription; an empty one takes it out, so that it hears all again.

    Raises NotFoundError when the recipient is not there, RegistersError when the file is written in a way that cannot be changed
    safely.
    """
    before = tomllib.loads(text)
    if not any(one.get("id") == recipient for one in before.get("recipient", ())):
        raise NotFoundError(f"registers file `{path}`: no recipient `{recipient}`: see `broker registers show {path}`")
    lines = text.splitlines()
    begin, end = next(
        (begin, end) for begin, end in _entries(lines) if tomllib.loads("\n".join(lines[begin + 1 : end])).get("id") == recipient
    )
    kept = _without_own(lines[begin:end])
    made = [] if not any(subscription.values()) else [f"subscription = {_inline(subscription)}"]
    after = "\n".join([*lines[:begin], kept[0], *made, *kept[1:], *lines[end:]]) + "\n"
    if tomllib.loads(after) != _expected(before, recipient, subscription):
        raise RegistersError(f"registers file `{path}`: recipient `{recipient}`: cannot be changed safely: change it by hand")
    return after


def _given(policy: Policy, roles: frozenset[RoleName]) -> frozenset[str]:
    """Return the event types that some rule tells to one of these roles."""
    wider = roles | {name for name, role in policy.roles.items() if roles & set(role.desks)}
    found: set[str] = set()
    for rule in policy.rules:
        if rule.effect is Effect.DISCLOSE and rule.to & wider:
            found |= rule.event_types or set(policy.events)
    return frozenset(found)


def _entries(lines: Sequence[str]) -> list[tuple[int, int]]:
    """Return where each recipient's entry begins and where the next entry of any kind begins."""
    heads = [at for at, line in enumerate(lines) if _HEAD.match(line) and not _OWN.match(line)]
    return [(at, following) for at, following in zip(heads, [*heads[1:], len(lines)], strict=True) if _ENTRY.match(lines[at])]


def _without_own(entry: Sequence[str]) -> list[str]:
    """Leave out the entry's subscription, written in one line or as a table of its own at the end."""
    kept: list[str] = []
    for line in entry:
        if line.strip() == "[recipient.subscription]":
            break
        if not _OWN.match(line):
            kept.append(line)
    return kept


def _inline(subscription: dict[str, list[str]]) -> str:
    return "{ " + ", ".join(f"{name} = {json.dumps(values)}" for name, values in subscription.items() if values) + " }"


def _expected(before: dict[str, Any], recipient: RecipientId, subscription: dict[str, list[str]]) -> dict[str, Any]:
    own = {name: values for name, values in subscription.items() if values}
    entries = [
        {**{name: value for name, value in one.items() if name != "subscription"}, **({"subscription": own} if own else {})}
        if one.get("id") == recipient
        else one
        for one in before["recipient"]
    ]
    return {**before, "recipient": entries}
