"""Two records that turn out to be of one child: facts and ledger of one are taken over by the other.

Protections of either win, also for what was told before; what one record knows to be changed or taken back is so in both.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from broker.core.agencies import matters
from broker.core.line import corrections, telling
from broker.core.line.corrections import Corrected
from broker.core.line.undoing import by_first, joined_roots, own, passed_over, settled
from broker.core.model import ledger
from broker.core.model.facts import OVERTAKEN, Facts
from broker.core.model.identifiers import Millis
from broker.core.model.rules import Rules
from broker.core.model.turn import APPLIED, DECIDED, Turn

_Value = TypeVar("_Value")


def merge(facts: Facts, loser: Facts, at: Millis, rules: Rules | None) -> Turn:
    """Take over facts and ledger of another reference of the same child; protections of either win, for what was told too.

    There are rules in force wherever anybody was told anything.
    """
    facts, loser = own(facts, loser), own(loser, facts)
    passed = passed_over(facts, loser) | passed_over(loser, facts)
    facts, loser = settled(facts, loser), settled(loser, facts)
    joined = replace(
        facts,
        at=at,
        birth_date=max((facts.birth_date, loser.birth_date), key=lambda one: len(one or "")),  # a part stands over no whole
        home_area=_home(facts, loser),
        connections=_union(facts.connections, loser.connections),
        statuses=_union(facts.statuses, loser.statuses),
        protections=_union(facts.protections, loser.protections),
        findings=_union(facts.findings, loser.findings),
        agreements=_union(facts.agreements, loser.agreements),
        exclusions=_union(facts.exclusions, loser.exclusions),
        statements=(*(one for one in loser.statements if one not in facts.statements), *facts.statements),
        contents={**loser.contents, **facts.contents},
        roots=joined_roots(facts, loser),
        told=telling.joined(facts, loser),
        unsafe=_union(facts.unsafe, loser.unsafe),
        wishes={**loser.wishes, **facts.wishes},
        seen={name: max(one.seen.get(name, OVERTAKEN) for one in (facts, loser)) for name in (*loser.seen, *facts.seen)},
        cancelled=facts.cancelled | loser.cancelled,
        **matters.joined(facts, loser),
        voices={**loser.voices, **facts.voices},
        ledger=ledger.with_lines(facts.ledger, loser.ledger),
        holds=facts.holds | loser.holds,
    )
    joined = by_first(joined)
    corrected = corrections.merged(joined, passed, rules.policy, rules.registers) if rules else Corrected()
    if rules:
        corrected = corrections.joined(corrected, telling.told_by_merge(facts, loser, corrections.marked(joined, corrected)))
    ended = (*corrected.retracted, *corrected.replaced)
    return Turn(
        outcome=DECIDED if corrected.notices else APPLIED,
        facts=corrections.marked(joined, corrected),
        others="facts and ledger of another reference of the same child were taken over",
        notices=corrected.notices,
        concerns=ended,
        ended=ended,
    )


def _home(facts: Facts, loser: Facts) -> str | None:
    """Return whose the child is. Of two councils the one whose record protects it longer, else the one at work on it."""
    at_home = [one for one in (facts, loser) if one.home_area is not None]
    return min(at_home, key=_protected_since).home_area if at_home else None


def _protected_since(facts: Facts) -> tuple[float, bool]:
    """Return since when a child's record protects it, and whether its council is at no work on it: the least answers."""
    since = (one.since for one in facts.protections if one.until is None)
    council = f"la:{facts.home_area}"
    works = any(one.organisation == council and one.until is None for one in facts.statuses)
    return min(since, default=float("inf")), not works


def _union(one: Sequence[_Value], other: Sequence[_Value]) -> tuple[_Value, ...]:
    return (*one, *(value for value in other if value not in one))
