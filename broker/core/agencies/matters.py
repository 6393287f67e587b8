"""Matters: what an agency referred about a child, who hears what comes of it, and whether that is still awaited (R22).

Every referral is a matter of its own, named by the first event of its chain. Its referrer is who said that event.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from broker.core.agencies.standing import is_near
from broker.core.model.event import Event
from broker.core.model.facts import Facts
from broker.core.model.identifiers import EventId
from broker.core.model.policy import REFERRER
from broker.core.model.registers import Registers

_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./_-]{0,39}")  # a code, never words
_MOST = 16  # closed matters that are kept: who referred once hears also what is put right later

_Changes = dict[str, Any]


def matter_of(facts: Facts, event_id: str) -> str | None:
    """Return the matter that an event opened, or an earlier or later version of it; None when it opened none."""
    root = facts.roots.get(EventId(event_id), event_id)
    if root in facts.referrers:
        return root
    return next((one for one in facts.referrers if facts.roots.get(EventId(one)) == root), None)


def answered(facts: Facts, event: Event, roles: Collection[str]) -> tuple[EventId | None, str | None]:
    """Return, to who referred, its own event that another names, and its own reference: by these it knows who is meant.

    To everybody else, and where the event names no matter, nothing.
    """
    named = (event.control or {}).get("concerns_event") if REFERRER in roles else None
    matter = matter_of(facts, named) if named else None
    return (EventId(matter), facts.references.get(matter)) if matter else (None, None)


def is_open(facts: Facts) -> bool:
    """Tell whether somebody still waits for what comes of a referral."""
    return any(not facts.matters.get(one) for one in facts.referrers)


def meant(facts: Facts, event: Event, registers: Registers) -> Facts:
    """Return the facts with the referrers of those matters only that an event speaks of.

    That is the one which it names in `concerns_event`, or opened itself; else, from a council that does not say which, all
    that are open, and once none is, those that closed last. Of several, who is nothing to the child hears only if it was the
    first: nobody refers a child to hear what comes of another's referral.
    """
    if not facts.referrers:
        return facts
    named, spoken = _spoken_of(facts, event)
    kept = {one: who for one, who in facts.referrers.items() if one in spoken}
    first = next(iter(kept), None)
    if not named:
        kept = {one: who for one, who in kept.items() if one == first or is_near(who, facts, registers)}
    return facts if len(kept) == len(facts.referrers) else replace(facts, referrers=kept)


def opened(facts: Facts, event: Event, referrer: str) -> _Changes:
    """Open the matter of a referral; a later version of one leaves it as it stands.

    The referrer's own reference is kept where it is a code, so that what comes of the matter can be said to be about it.
    """
    if matter_of(facts, event.header.event_id) is not None:
        return {}
    name = facts.roots.get(event.header.event_id, event.header.event_id)
    changes: _Changes = {"referrers": {**facts.referrers, name: referrer}, "matters": {**facts.matters, name: ""}}
    reference = (event.body.get("concern") or {}).get("reference") or ""
    if _REFERENCE.fullmatch(reference) and any(sign.isdecimal() for sign in reference):
        changes["references"] = {**facts.references, name: reference}
    return changes


def closed(facts: Facts, event: Event) -> _Changes:
    """Close what an event says the outcome of; what closed last stands last, and the oldest are forgotten."""
    _, spoken = _spoken_of(facts, event)
    ends = [one for one in facts.referrers if one in spoken]
    if not ends:
        return {}
    still = {one: by for one, by in facts.matters.items() if one not in ends}
    matters = {**still, **dict.fromkeys(ends, event.header.event_id)}
    forgotten = set([one for one, by in matters.items() if by][:-_MOST])
    return {
        "matters": {one: by for one, by in matters.items() if one not in forgotten},
        "referrers": {one: who for one, who in facts.referrers.items() if one not in forgotten},
        "references": {one: said for one, said in facts.references.items() if one not in forgotten},
    }


def kept(before: Facts, after: Facts, event: Event) -> Facts:
    """Keep the matter of a referral of which a later version comes: who waits, and for what, does not change by it."""
    matter = matter_of(after, event.header.event_id) or matter_of(before, event.header.supersedes or "")
    if matter is None or matter in after.referrers:
        return after
    referrers, matters = {**after.referrers, matter: before.referrers[matter]}, {**after.matters}
    if matter in before.matters:
        matters[matter] = before.matters[matter]
    return replace(after, referrers=referrers, matters=matters)


def without(facts: Facts, gone: frozenset[EventId]) -> _Changes:
    """Return the matters without those whose referral is gone; what an event closed that is gone is open again."""
    return {
        "referrers": {one: who for one, who in facts.referrers.items() if one not in gone},
        "references": {one: said for one, said in facts.references.items() if one not in gone},
        "matters": {one: "" if by in gone else by for one, by in facts.matters.items() if one not in gone},
    }


def joined(one: Facts, other: Facts) -> _Changes:
    """Join the matters of two records of one child; what either knows to be closed is."""
    matters: Mapping[str, str] = {**other.matters, **one.matters}
    return {
        "referrers": {**other.referrers, **one.referrers},
        "references": {**other.references, **one.references},
        "matters": {name: by or other.matters.get(name, "") for name, by in matters.items()},
    }


def _spoken_of(facts: Facts, event: Event) -> tuple[bool, frozenset[str]]:
    """Return whether an event says which matter it means, and those that it means."""
    names: Iterable[str | None] = ((event.control or {}).get("concerns_event"), event.header.event_id)
    named = next((found for one in names if one and (found := matter_of(facts, one))), None)
    if named is not None:
        return True, frozenset((named,))
    waiting = frozenset(one for one in facts.referrers if not facts.matters.get(one))
    last = next(reversed([by for by in facts.matters.values() if by]), None)
    return False, waiting or frozenset(one for one in facts.referrers if facts.matters.get(one) == last)
