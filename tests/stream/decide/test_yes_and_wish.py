"""A yes opens, and a wish brings somebody or nobody: neither is a stranger's to say (R4, R13, R30)."""

import pytest

from broker.core.model.event import Control, Event
from tests.stream.england import (
    AWAY,
    CONCERN,
    FAR_FORCE,
    FAR_SCHOOL,
    FAR_TRUST,
    HOME,
    HUB,
    OTHER_SCHOOL,
    SCHOOL,
    TRUST,
    a_child,
    england,
    questions,
    says,
    tie,
    told,
)
from tests.stream.lines import ALine

LOW = says(SCHOOL, CONCERN, attributes={"level": "low"})


def held(line: ALine) -> list[tuple[str, str]]:
    return [one for one in questions(line) if one[0] == "HOLD"]


def a_teenager(*events: Event) -> ALine:
    """A child of fifteen on a plan, whose visit to a sensitive service follows."""
    home = says(HOME, "council.person.registered", tie("home_area", f"la:{HOME}"))
    roll = says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL))
    visit = says(TRUST, "health.ed.attended", attributes={"sensitive_service": "yes"})
    policy, registers = england()
    said = [of_age(one) for one in (home, roll, says(HOME, "council.cp_plan.started"), *events, visit)]
    return ALine(policy, registers=registers).take(*said)


def of_age(event: Event) -> Event:
    event.body["identity"]["birth_date"] = "2011-01-15"
    return event


@pytest.mark.parametrize("by", [OTHER_SCHOOL, FAR_SCHOOL, AWAY, FAR_FORCE, FAR_TRUST])
def test_a_strangers_yes_opens_no_confidence(by: str) -> None:
    line = a_teenager(says(by, "control.consent", {"state": "given"}))

    assert told(line, "health.ed.attended") == set()
    assert held(line) == [("HOLD", HUB)]


def test_a_yes_opens_a_confidence_where_those_heard_it_who_keep_it() -> None:
    by_health = a_teenager(says(TRUST, "control.consent", {"state": "given"}))
    by_school = a_teenager(says(SCHOOL, "control.consent", {"state": "given"}))
    by_council = a_teenager(says(HOME, "control.consent", {"state": "given"}))

    assert told(by_health, "health.ed.attended") == {"social_worker.home"}
    assert told(by_school, "health.ed.attended") == told(by_council, "health.ed.attended") == set()
    assert [held(one) for one in (by_health, by_school, by_council)] == [[], [], []]


def test_what_went_by_a_yes_of_health_stays_when_a_school_hears_one_too() -> None:
    yes = says(TRUST, "control.consent", {"state": "given"})
    line = a_teenager(yes).take(says(SCHOOL, "control.consent", {"state": "given"}))

    assert not [one for one in line.disclosures() if one["replaces"]]


def test_a_family_agrees_to_a_service_before_somebody_who_works_with_it() -> None:
    stranger = a_child(says(AWAY, "control.service_agreement", {"state": "given"}), LOW)
    school = a_child(says(SCHOOL, "control.service_agreement", {"state": "given"}), LOW)

    assert "family_help.home" not in told(stranger, CONCERN)
    assert held(stranger) == [("HOLD", HUB)]
    assert "family_help.home" in told(school, CONCERN)


# A wish


@pytest.mark.parametrize("by", [OTHER_SCHOOL, AWAY])
def test_a_stranger_turns_no_wish_round(by: str) -> None:
    wanted = says(HOME, "control.wish", {"kind": "advocate", "state": "wanted"})
    not_wanted: Control = {"kind": "advocate", "state": "not_wanted"}
    line = a_child(wanted, says(by, "control.wish", not_wanted), says(HOME, "council.care.started"))
    own = a_child(wanted, says(SCHOOL, "control.wish", not_wanted))

    assert "advocate.home" in told(line, "council.care.started")
    assert held(line) == [("HOLD", HUB)]
    assert dict(own.facts().wishes) == {"advocate": "not_wanted"}, "a child changes its mind before whom it knows"
