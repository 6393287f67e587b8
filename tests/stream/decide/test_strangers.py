"""Who may take a child up or over (R10, R26), on the shipped rules: nobody hears of it, or where it is, by its own word."""

from dataclasses import replace

import pytest

from broker import codec
from broker.core.model.event import Control, Event
from broker.sealing.reviews import open_event
from tests.stream.england import (
    AT_AWAY,
    AWAY,
    CONCERN,
    DETRIMENT,
    DSL,
    DUTY,
    FAR_SCHOOL,
    FAR_TRUST,
    FORCE,
    HOME,
    HUB,
    NOTICE,
    OTHER_SCHOOL,
    POLICE_PROTECTION,
    SAFE,
    SCHOOL,
    TEAM,
    a_child,
    a_pupil,
    england,
    questions,
    reads_school,
    says,
    tie,
    told,
)
from tests.stream.lines import SECRETS, ALine, its_key


@pytest.mark.parametrize(
    "claim",
    [
        says(AWAY, "council.case.opened", tie("social_care", f"la:{AWAY}")),
        says(AWAY, "council.case.opened"),
        says(AWAY, "control.wish", {"kind": "advocate", "state": "wanted", **tie("home_area", f"la:{AWAY}")}),
        says(AWAY, "council.person.registered", tie("home_area", f"la:{AWAY}")),
        says(AWAY, "council.cp_plan.started"),
        says(AWAY, "council.youth_justice.opened"),
        says(AWAY, "council.home_education.begun"),
    ],
    ids=["case", "case of itself", "home by a wish", "home by a register", "plan", "youth justice", "home education"],
)
def test_no_other_council_makes_itself_one_that_hears_of_a_protected_child(claim: Event) -> None:
    """A council that employs an abuser has a key, too (R10): its own council says whether it may hear."""
    line = a_child(SAFE, claim, says(SCHOOL, CONCERN))

    assert [one for one in questions(line) if one[0] == "HOLD"] == [("HOLD", HUB)]
    assert not {one["recipient"] for one in line.disclosures()} & set(AT_AWAY)
    assert HUB in told(line, CONCERN), "the child's own hub hears of it all the same"


@pytest.mark.parametrize(
    "claim",
    [
        says(AWAY, "council.person.registered", tie("home_area", f"la:{AWAY}")),
        says(AWAY, "council.case.opened"),
        says(AWAY, "control.finding", {**DETRIMENT, "by_role": "social_worker"}),
        says("police:2", "control.protection", {"kind": "protected_person", "state": "set"}, area=AWAY),
    ],
    ids=["home", "case", "detriment", "unseen"],
)
def test_of_a_child_that_no_council_registered_those_speak_who_are_of_where_it_is_known(claim: Event) -> None:
    """Most children are known to a school or a hospital only: that makes none of them anybody's to take over or to silence."""
    line = a_pupil(says(FORCE, "control.protection", {"kind": "safe_address", "state": "set"}), claim)
    line.take(says(SCHOOL, CONCERN), says(FORCE, "police.missing.reported"))

    assert {kind for kind, who in questions(line) if who in {HUB, "hub-alternate.home"}} >= {"HOLD"}
    assert not {one["recipient"] for one in line.disclosures()} & set(AT_AWAY)
    if claim.header.event_type != "control.protection":  # what may protect the child is decided first
        assert HUB in told(line, CONCERN)
        assert HUB in told(line, "police.missing.reported")


@pytest.mark.parametrize("named", [(HUB, DUTY), ("hub", "duty_team"), (HUB, "duty_team", DSL)])
def test_no_finding_leaves_nobody_to_hear_before_somebody_else_has_looked(named: tuple[str, ...]) -> None:
    """R3: the council may employ the abuser. What a statute says must reach somebody who acts."""
    judged: Control = {**DETRIMENT, "by_role": "social_worker"}
    line = a_child(says(HOME, "control.finding", {**judged, "recipients": list(named)}), says(SCHOOL, CONCERN))
    some = a_child(says(HOME, "control.finding", {**judged, "recipients": [HUB]}), says(FORCE, POLICE_PROTECTION))

    assert line.facts().findings == ()
    assert "HOLD" in {kind for kind, _ in questions(line)}
    assert {kind for kind, _ in questions(some)} <= {"ASK"}
    assert told(some, POLICE_PROTECTION) & {HUB, DUTY} == {DUTY}


def test_a_council_of_where_a_child_is_known_makes_it_its_own() -> None:
    line = a_pupil(says(HOME, "council.person.registered", tie("home_area", f"la:{HOME}")))

    assert line.facts().home_area == HOME
    assert questions(line) == []


def test_whom_an_event_excludes_is_asked_without_seeing_it_where_nobody_else_is_there() -> None:
    """R11: asking tells. The hub learns that a council has to be asked, and nothing of the child or of a place."""
    hidden = says(
        AWAY,
        "control.protection",
        {"kind": "safe_address", "state": "set"},
        excluded=tuple(one for one in england()[1].recipients if one.endswith(".home")),
    )
    line = a_child(hidden)

    [asked] = line.reviews()
    assert (asked["kind"], asked["for_recipient"], asked["sealed_event"]) == ("HOLD", HUB, None)


CASE_AT_AWAY = says(AWAY, "council.case.opened", tie("social_care", f"la:{AWAY}"))
TEAM_AT_AWAY = "social_worker.away"
FIRST_BY_AWAY = says(AWAY, "control.protection", {"kind": "safe_address", "state": "set"})


def with_a_case_at_away(*later: Event) -> ALine:
    """A child on whom another council works too, as its own council's hub said it may."""
    line = a_child(CASE_AT_AWAY)
    [asked] = line.reviews()
    line.resolve(asked)
    return line.take(*later)


@pytest.mark.parametrize(
    "by_away",
    [(), (says(AWAY, "control.protection", {"kind": "safe_address", "state": "set"}),)],
    ids=["a case of old", "a case of old, and a protection of its own"],
)
def test_a_former_council_reads_nothing_that_betrays_where_a_protected_child_went(by_away: tuple[Event, ...]) -> None:
    """R10: an abuser at the council that the child fled from has a team that is in the case and in the protection's words."""
    line = with_a_case_at_away(SAFE, *by_away, says(SCHOOL, "school.suspension"), says(SCHOOL, CONCERN))

    assert TEAM_AT_AWAY in told(line, "school.suspension"), "its case is open, so it hears what happened"
    assert not reads_school(line, TEAM_AT_AWAY)
    assert reads_school(line, HUB), "the child's own hub must know whom to ask"


def test_the_childs_own_team_reads_whom_to_ask_and_so_does_the_council_that_first_protected_it() -> None:
    own_case = says(HOME, "council.case.opened", tie("social_care", f"la:{HOME}"))
    line = a_child(own_case, SAFE, says(SCHOOL, "school.suspension"))
    at_the_refuge = says(FAR_SCHOOL, "school.pupil.registered", tie("school", FAR_SCHOOL))
    refuge = with_a_case_at_away(at_the_refuge, FIRST_BY_AWAY, SAFE, says(SCHOOL, "school.suspension"))

    assert reads_school(line, TEAM)
    assert reads_school(refuge, TEAM_AT_AWAY)


def test_a_former_council_that_protected_the_child_before_it_fled_reads_nothing_of_where_it_went() -> None:
    """By one word said long before, with nobody else of its area in the child's life."""
    line = with_a_case_at_away(FIRST_BY_AWAY, SAFE, says(SCHOOL, "school.suspension"), says(SCHOOL, CONCERN))

    assert TEAM_AT_AWAY in told(line, "school.suspension"), "its case is open, so it hears what happened"
    assert not reads_school(line, TEAM_AT_AWAY)
    assert reads_school(line, HUB)


def moved_away() -> ALine:
    """A child that another council protected where it went to school, before it came home: that school never let go of it."""
    policy, registers = england()
    keys = {key.id: key for key in map(its_key, (HUB, "hub.away"))}
    line = ALine(policy, registers=replace(registers, keys=keys))
    line.take(says(FAR_SCHOOL, "school.pupil.registered", tie("school", FAR_SCHOOL)), CASE_AT_AWAY, FIRST_BY_AWAY)
    return line.take(says(HOME, "council.person.registered", tie("home_area", f"la:{HOME}")))


def let_go(line: ALine) -> ALine:
    for asked in [one for one in line.reviews() if one["kind"] == "HOLD"]:
        line.resolve(asked)
    return line


def test_nor_where_a_school_of_there_never_said_that_the_child_left() -> None:
    """Schools seldom do: what keeps the place from a former council must not hang on that."""
    line = let_go(moved_away().take(says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL))))
    line.take(SAFE, says(SCHOOL, "school.suspension"), says(SCHOOL, CONCERN))

    assert line.facts().home_area == HOME
    assert TEAM_AT_AWAY in told(line, "school.suspension"), "its case is open, so it hears what happened"
    assert not reads_school(line, TEAM_AT_AWAY)
    assert reads_school(line, HUB)


def test_a_review_about_a_protected_child_names_no_publisher_in_the_clear_and_shows_it_to_who_may_know() -> None:
    """Everybody who lists reviews would read which school it is that said something (I8)."""
    line = a_child(SAFE, says(FAR_SCHOOL, "school.pupil.registered", tie("school", FAR_SCHOOL)))

    [asked] = line.reviews()
    shown = codec.decode_event(open_event(SECRETS, asked["review_id"], asked["sealed_event"]))
    assert (asked["kind"], asked["for_recipient"], asked["producer"], asked["guarded"]) == ("HOLD", HUB, "", True)
    assert shown.header.producer == FAR_SCHOOL
    line.resolve(asked)
    assert {one["producer"] for one in line.reviews()} == {""}


def test_a_former_council_is_told_to_forget_what_it_holds_of_where_a_child_is_when_the_child_is_protected() -> None:
    line = with_a_case_at_away(says(HOME, "council.case.opened"), says(SCHOOL, "school.suspension"), SAFE)

    forgets = {one["recipient"]: " ".join(one["because"]) for one in line.disclosures() if one["replaces"]}
    assert "who said it" in forgets[TEAM_AT_AWAY]
    assert "who said it" not in forgets.get(TEAM, "")


def test_no_other_council_takes_up_a_child_before_the_childs_own_said_that_it_may() -> None:
    """R26: flight comes before the protection is entered."""
    line = a_child(CASE_AT_AWAY, says(FORCE, "police.missing.reported"), says(SCHOOL, CONCERN))

    assert questions(line)[0] == ("HOLD", HUB)
    assert not {one["recipient"] for one in line.disclosures()} & set(AT_AWAY)
    assert HUB in told(line, "police.missing.reported")


def test_nor_by_protecting_the_child_first() -> None:
    """Two words of one council, and its team heard whatever was said of any child: a council that employs an abuser has a key."""
    line = a_child(FIRST_BY_AWAY, CASE_AT_AWAY, says(FORCE, "police.missing.reported"))

    assert [one for one in questions(line) if one[0] == "HOLD"] == [("HOLD", HUB)]
    assert not {one["recipient"] for one in line.disclosures()} & set(AT_AWAY)
    assert HUB in told(line, "police.missing.reported")


@pytest.mark.parametrize(
    "claim",
    [
        says(FAR_TRUST, "health.gp.registered", tie("gp", FAR_TRUST)),
        says(FAR_SCHOOL, "school.pupil.registered", tie("school", FAR_SCHOOL)),
    ],
)
def test_nor_does_a_far_school_or_practice_that_protected_it_before_it_was_hidden(claim: Event) -> None:
    """Whoever means to find a child later could say so long before: it was seated at the child's flight, and nobody was asked."""
    before = says(claim.header.producer, "control.protection", {"kind": "safe_address", "state": "set"})
    line = a_child(before, SAFE, claim, says(FORCE, NOTICE), says(HOME, "council.cp_plan.started"))

    assert ("HOLD", HUB) in questions(line)
    assert not [one for one in line.disclosures() if one["recipient"].endswith(".far")]


def test_a_council_that_protects_a_child_where_others_know_it_asks_nobody_where_it_was_before() -> None:
    """Whom the child fled from may work there: to ask is to tell."""
    enrolled = says(FAR_SCHOOL, "school.pupil.registered", tie("school", FAR_SCHOOL))

    assert questions(a_child(enrolled, FIRST_BY_AWAY, CASE_AT_AWAY)) == []


def test_no_second_school_takes_up_a_protected_child_before_its_hub_has_looked() -> None:
    """R10: an abuser may work at any school. One that comes after the last has let go is told what a statute says."""
    roll = says(OTHER_SCHOOL, "school.pupil.registered", tie("school", OTHER_SCHOOL))
    second = a_child(SAFE, roll, says(FORCE, NOTICE))
    next_one = a_child(SAFE, says(SCHOOL, "school.pupil.left", tie("school", SCHOOL, "ended")), roll, says(FORCE, NOTICE))
    unprotected = a_child(roll, says(FORCE, NOTICE))

    assert ("HOLD", HUB) in questions(second)
    assert told(second, NOTICE) & {DSL, "dsl.other_school"} == {DSL}
    assert "dsl.other_school" in told(next_one, NOTICE)
    assert "dsl.other_school" in told(unprotected, NOTICE)
