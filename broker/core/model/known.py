"""What is known when an event is decided: all that conditions, and the search for who fills a role, may look at.

INVARIANT: monitoring data and free text are not in it, so they cannot be an input to routing (R29).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from broker.core.model.event import Event, Header
from broker.core.model.facts import Agreement, Facts, Finding
from broker.core.model.identifiers import Millis
from broker.core.model.protections import RESTRICTED, protections_at

_NONE: frozenset[str] = frozenset()


@dataclass(slots=True, kw_only=True)
class Known:
    """All that conditions may look at, as it is before or after the event: what it ends still counts for it.

    `ties` are relations and `held` statuses, each with the organisations concerned.
    """

    header: Header
    at: Millis
    identified: bool
    birth_date: str | None
    area: str | None
    ties: Mapping[str, Sequence[str]]
    held: Mapping[str, Sequence[str]]
    protections: frozenset[str]
    findings: Sequence[Finding]
    agreements: Sequence[Agreement]
    wishes: Mapping[str, str]
    parties: frozenset[str]


def know(event: Event, facts: Facts, at: Millis) -> Known:
    """Gather what conditions may look at; the facts already hold what this event changed."""
    third_party = event.body.get("third_party")
    ties: dict[str, list[str]] = {}
    for tie in facts.connections:
        if tie.since <= at and (tie.until is None or tie.until >= at):
            ties.setdefault(tie.relation, []).append(tie.organisation)
    held: dict[str, list[str]] = {}
    for status in facts.statuses:
        if status.since <= at and (status.until is None or status.until >= at):
            held.setdefault(status.name, []).extend([status.organisation] if status.organisation else [])
    return Known(
        header=event.header,
        at=at,
        identified=bool(facts.child_ref),
        birth_date=facts.birth_date,
        area=facts.home_area or event.header.area,
        ties=ties,
        held=held,
        protections=_protections(event.header, facts, at),
        findings=facts.findings,
        agreements=facts.agreements,
        wishes=facts.wishes,
        parties=frozenset([one["role"] for one in third_party.get("people", ())]) if third_party else _NONE,
    )


def _protections(header: Header, facts: Facts, at: Millis) -> frozenset[str]:
    """What protects the child, and this record: what its own source restricts is so at once, whatever else is known."""
    known = protections_at(facts.protections, at) if facts.protections else _NONE
    return known | {RESTRICTED} if header.is_restricted else known
