"""Builders for tests of what a family was told: a notice that says it is not safe, and later words about it."""

from dataclasses import replace
from typing import Any

from broker.core.model.event import Action, Control, Event, ToldFamily
from broker.core.model.identifiers import KeyId
from tests.stream.england import (
    DSL,
    FORCE,
    HOME,
    HUB,
    NOTICE,
    SCHOOL,
    england,
    says,
    tie,
)
from tests.stream.lines import ALine, its_key

DESK = "police_desk.home"  # of the force: it hears what came of what the force said
NOT_SAFE = says(FORCE, NOTICE, told_family=ToldFamily.NOT_SAFE, told_family_reason="he opens the post")
NAME = NOT_SAFE.header.event_id
HOUR = 3600 * 1000


def a_line(*events: Event) -> ALine:
    """A child on roll, and everybody who may be asked with a key."""
    policy, registers = england()
    keys = {KeyId(key.id): key for key in map(its_key, (HUB, DESK, DSL, HOME, FORCE))}
    line = ALine(policy, registers=replace(registers, keys=keys))
    home = says(HOME, "council.person.registered", tie("home_area", f"la:{HOME}"))
    return line.take(home, says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL)), *events)


def word(state: str, who: str = FORCE, about: str = NAME, **header: Any) -> Event:
    return says(who, "control.told_family", Control(state=state, reason="known", concerns_event=about), **header)


def version(told: ToldFamily = ToldFamily.NOT_SAFE, action: Action = Action.UPDATE, **header: Any) -> Event:
    return says(FORCE, NOTICE, action=action, supersedes=NAME, told_family=told, **header)


def asked(line: ALine) -> list[tuple[str, str]]:
    return [(one["kind"], one["for_recipient"]) for one in reviews(line) if one["state"] == "OPEN"]


def reviews(line: ALine) -> list[dict[str, Any]]:
    return [one for one in line.reviews() if one["event_type"] == "control.told_family"]


def reads(line: ALine, to: str = DSL) -> list[str | None]:
    """What a recipient read of whether the family was told, message by message, of what happened."""
    return [one["told_family"] for one in line.disclosures(to) if one["event_type"] == NOTICE and one["kind"] != "ESCALATION"]


def review_at(line: ALine) -> int:
    (one,) = line.facts().unsafe
    return one.until


def at_review(*events: Event) -> ALine:
    line = a_line(*(events or (NOT_SAFE,)))
    line.ring(review_at(line))
    return line
