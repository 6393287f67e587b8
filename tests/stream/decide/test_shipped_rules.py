"""What the shipped rules do on a child's line, where a rule alone does not show it."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.model.event import Event
from connectors.police.encompass_notice import EncompassNotice
from tests.stream.england import (
    DSL,
    DUTY,
    FORCE,
    HOME,
    HUB,
    NOTICE,
    OTHER_SCHOOL,
    POLICE_PROTECTION,
    SAFE,
    SCHOOL,
    TEAM,
    TRUST,
    a_child,
    england,
    questions,
    says,
    tie,
    told,
)
from tests.stream.lines import ALine

VISIT, CONCERN, SCHOOL_CHANGED = "health.ed.attended", "school.concern.raised", "council.school.changed"
OTHER_DSL, OFFICER = "dsl.other_school", "home_education_officer.home"
HAPPENED = "in the stairwell"


def a_notice() -> Event:
    """A notice that says where it happened, and as much of where the child is as any publisher can."""
    said = says(FORCE, NOTICE)
    where: Any = {"place": HAPPENED, "postcode": "ZZ1 1ZZ", "address": ["1 Fern Row"], "organisation": OTHER_SCHOOL}
    return replace(said, body={**said.body, "location": where})


def as_read_at_school(line: ALine) -> str:
    """Everything that the school was told, as its system gets it."""
    return "".join(EncompassNotice().write(one) for one in line.disclosures(DSL))


def test_the_hub_is_asked_whether_the_school_may_know_of_police_protection_and_its_yes_tells_it() -> None:
    line = a_child(says(FORCE, POLICE_PROTECTION))
    (asked,) = [one for one in line.reviews() if one["kind"] == "ASK"]
    assert (asked["for_recipient"], DSL in told(line, POLICE_PROTECTION)) == (HUB, False)

    line.resolve(asked, "LINK")

    (shown,) = [one for one in line.disclosures() if one["recipient"] == DSL]
    assert (shown["event_type"], shown["location"], shown["narrative"]) == (POLICE_PROTECTION, None, None)


def test_a_no_of_the_hub_leaves_the_school_untold() -> None:
    line = a_child(says(FORCE, POLICE_PROTECTION))
    (asked,) = [one for one in line.reviews() if one["kind"] == "ASK"]

    line.resolve(asked, "REJECT")

    assert DSL not in told(line, POLICE_PROTECTION)


def test_the_council_that_held_a_plan_hears_of_visits_for_a_year_and_of_nothing_else() -> None:
    plan = says(HOME, "council.cp_plan.started", occurred_at="2025-10-01")
    over = says(HOME, "council.cp_plan.ended", occurred_at="2026-09-01")
    line = a_child(plan, over, says(TRUST, VISIT), says(SCHOOL, CONCERN))

    assert TEAM in told(line, VISIT)
    assert TEAM not in told(line, CONCERN)


def test_a_plan_that_nobody_held_opens_no_door() -> None:
    """I10: a council does not come to hear of a child by ending a plan that it never had."""
    line = a_child(says(HOME, "council.cp_plan.ended", occurred_at="2026-09-01"), says(TRUST, VISIT))

    assert TEAM not in told(line, VISIT)


def test_a_force_that_referred_hears_the_outcome_as_whoever_referred_though_its_desk_would_hear_anyway() -> None:
    """R22: it has nothing to confirm by a clock, and it is told once."""
    line = a_child(says(FORCE, POLICE_PROTECTION), says(HOME, "council.referral.decided"))

    heard = [one for one in line.disclosures() if one["event_type"] == "council.referral.decided"]
    assert [(one["recipient"], one["kind"], one["due_at"]) for one in heard if one["kind"] == "OUTCOME"] == [
        ("police_desk.home", "OUTCOME", None)
    ]
    assert {one["recipient"] for one in heard} == {"police_desk.home", "health_desk.home"}


def test_the_school_reads_where_it_happened_and_not_where_the_child_lives() -> None:
    line = a_child(a_notice())

    assert f"Place: {HAPPENED}" in as_read_at_school(line)
    assert not [one for one in ("ZZ1", "Fern Row", OTHER_SCHOOL, "100002") if one in repr(line.disclosures(DSL))]


def test_of_a_protected_child_not_even_that_is_read() -> None:
    """I8: where it happened may be where the child lives."""
    line = a_child(SAFE, a_notice())

    assert DSL in told(line, NOTICE)
    assert HAPPENED not in repr(line.disclosures(DSL))
    assert "Place:" not in as_read_at_school(line)


def test_a_school_that_read_it_before_the_protection_is_told_to_delete_it() -> None:
    line = a_child(a_notice(), SAFE)

    (correction,) = [one for one in line.disclosures(DSL) if one["kind"] == "CORRECTION"]
    assert "every place" in " ".join(correction["because"])


def test_of_a_child_educated_at_home_the_councils_officer_hears_and_no_school_is_sought() -> None:
    line = ALine(england()[0], registers=england()[1])
    line.take(says(HOME, "council.person.registered", tie("home_area", f"la:{HOME}")))
    line.take(says(HOME, "council.home_education.begun"), a_notice())

    assert told(line, NOTICE) == {OFFICER}
    assert questions(line) == []


def test_a_looked_after_childs_new_school_hears_at_once_and_neither_school_reads_which_the_other_is() -> None:
    moved = says(HOME, SCHOOL_CHANGED, tie("school", OTHER_SCHOOL))
    moved = replace(moved, body={**moved.body, "location": {"organisation": OTHER_SCHOOL}})  # type: ignore[typeddict-item] # of a test
    line = a_child(says(HOME, "council.care.started"), moved, says(FORCE, NOTICE))

    assert {DSL, OTHER_DSL, "iro.home", "virtual_school.home"} <= told(line, SCHOOL_CHANGED)
    assert OTHER_SCHOOL not in repr(line.disclosures(DSL))
    assert SCHOOL not in repr([one for one in line.disclosures(OTHER_DSL) if one["event_type"] == SCHOOL_CHANGED])
    assert OTHER_SCHOOL in repr(line.disclosures("virtual_school.home"))
    assert OTHER_DSL in told(line, NOTICE), "from then on it hears what a school hears"


def test_an_injury_of_a_protected_child_is_told_whatever_words_a_persons_role_is_said_in() -> None:
    injury = says(TRUST, "health.injury.suspected")
    people: Any = [{"role": "mum's new partner"}, {"role": "parent"}]
    line = a_child(SAFE, replace(injury, body={**injury.body, "third_party": {"people": people}}))

    assert told(line, injury.header.event_type) == {HUB, DUTY, "police_desk.home", "paediatrician.home"}
    assert [one["role"] for one in line.disclosures("police_desk.home")[-1]["third_party"]["people"]] == ["parent"]
    assert [one["role"] for one in line.disclosures(HUB)[-1]["third_party"]["people"]] == ["mum's new partner", "parent"]


@pytest.mark.parametrize(("said", "stays"), [("sergeant", True), ("DSL of Oak Primary, Westwick", False)])
def test_whoever_checked_an_account_of_a_protected_child_betrays_no_place_by_the_name_of_a_role(
    said: str, *, stays: bool
) -> None:
    notice = says(FORCE, NOTICE)
    notice.body["narrative"] = {"text": "what happened", "checked": True, "checked_by_role": said}
    (alert,) = a_child(SAFE, notice).disclosures(DSL)

    assert alert["narrative"] == {"text": "what happened", "checked": True, "checked_by_role": said if stays else None}
