"""Change one entry in a registers file, leaving every other line as it stands: a subscription, or whom a feed speaks for."""

import json
import re
import tomllib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from broker.core.agencies.exclusions import in_the_place_of
from broker.core.agencies.narrowing import silenced
from broker.core.model.identifiers import AgencyId, RecipientId, RoleName
from broker.core.model.policy import Effect, Policy
from broker.core.model.registers import Recipient, Registers
from broker.errors import NotFoundError, RegistersError

_HEAD = re.compile(r"^\s*\[")
_ENTRY = re.compile(r"^\s*\[\[recipient\]\]")
_AGENCY = re.compile(r"^\s*\[\[agency\]\]")
_SCHOOL = re.compile(r"^\s*\[\[agency\.speaks_for\]\]")
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


def check_renames_nobody(before: Registers, after: Registers) -> None:
    """Check that no desk only comes under another id, unless the file says that it is `retired`; raises RegistersError."""
    faults = [
        f"registers: recipient `{old}` is left out and `{new}` comes in its place: who is kept from hearing of a child is so "
        f"by id, and would hear under another. Keep `{old}` for the same people (its name may change); where they are others, "
        f'write retired = ["{old}"] at the top of the file'
        for old, new in in_the_place_of(before, after)
        if old not in after.retired
    ]
    if faults:
        raise RegistersError("\n".join(faults))


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


def with_school(text: str, agency: AgencyId, school: str, known_as: Sequence[str], path: Path) -> str:
    """Return the file's text in which an agency may speak for a school known by these names; without any, it may not.

    Raises NotFoundError when the agency is not there, RegistersError when the file is written in a way that cannot be changed
    safely.
    """
    before = tomllib.loads(text)
    if not any(one.get("id") == agency for one in before.get("agency", ())):
        raise NotFoundError(f"registers file `{path}`: no agency `{agency}`: see `broker registers show {path}`")
    lines = text.splitlines()
    begin, end = next(
        (begin, end)
        for begin, end in _agencies(lines)
        if tomllib.loads("\n".join(lines[begin:end]))["agency"][0].get("id") == agency
    )
    kept = _without_school(lines[begin:end], school)
    made = ["", "[[agency.speaks_for]]", f"school = {json.dumps(school)}", f"known_as = {json.dumps(list(known_as))}"]
    last = _content(kept)
    after = "\n".join([*lines[:begin], *kept[:last], *(made if known_as else ()), *kept[last:], *lines[end:]]) + "\n"
    others = [_with_school(one, school, known_as) if one.get("id") == agency else one for one in before["agency"]]
    try:
        as_meant = tomllib.loads(after) == {**before, "agency": others}
    except tomllib.TOMLDecodeError:
        as_meant = False
    if not as_meant:
        raise RegistersError(f"registers file `{path}`: agency `{agency}`: cannot be changed safely: change it by hand")
    return after


def _with_school(entry: dict[str, Any], school: str, known_as: Sequence[str]) -> dict[str, Any]:
    schools = [one for one in entry.get("speaks_for", ()) if one.get("school") != school]
    schools += [{"school": school, "known_as": list(known_as)}] if known_as else []
    rest = {name: value for name, value in entry.items() if name != "speaks_for"}
    return {**rest, "speaks_for": schools} if schools else rest


def _agencies(lines: Sequence[str]) -> list[tuple[int, int]]:
    """Return where each agency's entry begins, and where the next entry of any kind begins."""
    heads = [at for at, line in enumerate(lines) if _HEAD.match(line) and not _SCHOOL.match(line)]
    return [(at, following) for at, following in pairwise([*heads, len(lines)]) if _AGENCY.match(lines[at])]


def _without_school(entry: Sequence[str], school: str) -> list[str]:
    """Leave out what an agency's entry says of one school, with the empty line before it."""
    starts = [at for at, line in enumerate(entry) if _SCHOOL.match(line)]
    for at, following in pairwise([*starts, len(entry)]):
        end = at + _content(entry[at:following])
        if tomllib.loads("\n".join(entry[at:end]))["agency"]["speaks_for"][0].get("school") == school:
            return [*entry[: _content(entry[:at])], *entry[end:]]
    return list(entry)


def _content(lines: Sequence[str]) -> int:
    """Return how many lines there are up to the last one that says anything: what follows belongs to the next entry."""
    return max((at + 1 for at, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")), default=0)


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
