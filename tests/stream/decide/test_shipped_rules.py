"""What the shipped rules do on a child's line, where a rule alone does not show it."""

from tests.stream.england import DSL, FORCE, HOME, HUB, POLICE_PROTECTION, SCHOOL, TEAM, TRUST, a_child, says, told

VISIT, CONCERN = "health.ed.attended", "school.concern.raised"


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
