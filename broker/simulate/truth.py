"""What a story says must be heard, and must never be, for each family that lives it: one line per claim.

Resolved through the simulator's own households and desks. Nothing of the broker's logic is asked.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from typing import Any, Literal

from broker.simulate.cast import Cast
from broker.simulate.days import due
from broker.simulate.story import Hears, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """By what somebody who was told would know that it is this child and this event."""

    identifiers: tuple[str, ...]
    name: str
    born: str
    at: str  # ISO 8601: an instant, or a day where the source says no more


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One line of the truth. `hears` and `never` name a recipient; a `canary` names who alone may read its text."""

    claim: Literal["hears", "never", "canary"]
    story: str
    number: int
    step: str = ""
    recipient: str = ""
    event_type: str = ""
    day: int = 0
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    by: str = ""
    begun: str = ""  # when it was written down, ISO 8601
    due: str = ""  # by when it must be heard, on the area's calendar
    kind: str | None = None
    review: str | None = None
    of: str | None = None  # the step whose disclosure this one replaces
    text: str = ""
    readable_by: tuple[str, ...] = ()
    evidence: Evidence | None = field(default=None)

    def as_json(self) -> dict[str, Any]:
        """Return the line as it stands in `truth.jsonl`."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "", ())}


def claim_from_json(said: dict[str, Any]) -> Claim:
    """Read a line of `truth.jsonl`."""
    lists = {name: tuple(value) for name, value in said.items() if isinstance(value, list)}
    evidence = said.get("evidence")
    seen = Evidence(**{**evidence, "identifiers": tuple(evidence["identifiers"])}) if evidence else None
    return Claim(**{**said, **lists, "evidence": seen})


def claims(cast: Cast) -> Iterator[Claim]:
    """Yield every line of the truth about one instance of a story, in the order of its steps."""
    for step in cast.story.step:
        evidence = evidence_of(cast, step)
        for hears in step.hears:
            yield _hears(cast, step, hears, evidence)
        for who in step.never:
            if recipient := cast.desk(who):
                yield Claim(claim="never", recipient=recipient, evidence=evidence, **_place(cast, step))
    for canary in cast.story.canary:
        allowed = tuple(sorted({desk for to in canary.readable_by if (desk := cast.desk(to))}))
        yield Claim(claim="canary", story=cast.story.id, number=cast.number, text=cast.say(canary.text), readable_by=allowed)


def _hears(cast: Cast, step: Step, hears: Hears, evidence: Evidence) -> Claim:
    recipient = cast.desk(hears.to)
    assert recipient is not None, f"story {cast.story.id}: nobody is {hears.to}"
    said: dict[str, Any] = {"has": hears.has, "lacks": hears.lacks, "by": hears.by, "kind": hears.kind, "review": hears.review}
    begun = cast.at(step)
    said |= {"begun": begun.isoformat(), "due": due(hears.by, begun, cast.area.until).isoformat()}
    place = {**_place(cast, step), **said}
    return Claim(claim="hears", recipient=recipient, evidence=evidence, of=step.of or step.ends, **place)


def _place(cast: Cast, step: Step) -> dict[str, Any]:
    """Say where a claim stands; what ends an earlier step is heard under that step's event type, or else it would tell why."""
    event = cast.story.first_step[step.ends].event if step.ends else step.event
    return {"story": cast.story.id, "number": cast.number, "step": step.key, "event_type": event, "day": step.day}


def evidence_of(cast: Cast, step: Step) -> Evidence:
    """Return what identifies the child and the event of a step to whoever is told."""
    child = cast.child(step)
    dated = step.carried_by in ("cin-census", "school-census")
    at = on_day(cast, step).isoformat() if dated else f"{cast.at(step):%Y-%m-%dT%H:%M:00Z}"
    return Evidence(
        identifiers=(child.nhs_number, child.upn, child.local_id, child.record_number),
        name=f"{child.given} {child.family}",
        born=child.birth_date.isoformat(),
        at=at,
    )


def on_day(cast: Cast, step: Step) -> date:
    """Return the day that a file without times says for a step: a census tells of the day before its delivery."""
    return cast.day(step.day) - timedelta(days=1)
