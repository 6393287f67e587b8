"""What an agency's own word makes of it (R10, R13, R26, I10), on the shipped rules: it hears, and silences and judges nobody."""

import pytest

from broker.core.model.event import Action, Control, Event
from broker.core.model.identifiers import RecipientId
from tests.stream.england import (
    AWAY,
    CONCERN,
    DETRIMENT,
    DSL,
    FAR_FORCE,
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
    TRUST,
    a_child,
    a_patient,
    a_pupil,
    england,
    extract_row,
    questions,
    reads_school,
    says,
    tie,
    told,
)
from tests.stream.lines import ALine

SAFE_BY_FORCE = says(FORCE, "control.protection", {"kind": "safe_address", "state": "set"})
FAR_ROLL = says(FAR_SCHOOL, "school.pupil.registered", tie("school", FAR_SCHOOL))
FAR_ADMISSION = says(FAR_TRUST, "health.admitted")
INJURY = says(TRUST, "health.injury.suspected")
LOW = says(SCHOOL, CONCERN, attributes={"level": "low"})
AT_HOME = tuple(RecipientId(one) for one in (HUB, "hub-alternate.home", "duty_team.home", DSL, "dsl-alternate.school"))
EXCLUDES: Control = {}


def held(line: ALine) -> list[tuple[str, str]]:
    return [one for one in questions(line) if one[0] == "HOLD"]


# Whose home it is


@pytest.mark.parametrize("first", [(), (SAFE_BY_FORCE,)], ids=["fled, and nobody protected it yet", "protected"])
def test_a_row_of_a_far_councils_extract_takes_no_child_over(first: tuple[Event, ...]) -> None:
    """As `sui-extract` writes it: no `control`, and the council's own area in the header."""
    line = a_pupil(*first, extract_row(AWAY), says(SCHOOL, CONCERN), says(FORCE, "police.missing.reported"))

    assert line.facts().home_area is None
    assert held(line) == [("HOLD", HUB)]
    assert not any(one["recipient"].endswith(".away") for one in line.disclosures())
    assert HUB in told(line, CONCERN) & told(line, "police.missing.reported")


@pytest.mark.parametrize("who", [OTHER_SCHOOL, TRUST])
def test_no_other_sector_says_whose_home_a_child_has(who: str) -> None:
    event_type = "health.patient.registered" if who == TRUST else "school.pupil.registered"
    line = a_pupil(says(who, event_type, area=AWAY))

    assert line.facts().home_area is None


def test_a_councils_own_extract_makes_a_child_its_own_without_a_question() -> None:
    new = ALine(england()[0], registers=england()[1]).take(extract_row(HOME))
    known = a_pupil(extract_row(HOME))
    elsewhere = a_child(extract_row(AWAY))

    assert [one.facts().home_area for one in (new, known, elsewhere)] == [HOME, HOME, HOME]
    assert [questions(one) for one in (new, known, elsewhere)] == [[], [], []], "that another holds a record is no news"


def test_a_person_lets_a_council_across_the_border_make_a_child_its_own() -> None:
    line = a_pupil(extract_row(AWAY))
    line.resolve(line.reviews()[0])

    assert line.facts().home_area == AWAY


def test_a_far_school_and_its_council_take_no_protected_child_over_together() -> None:
    line = a_pupil(FAR_ROLL, SAFE_BY_FORCE, extract_row(AWAY))

    assert line.facts().home_area is None
    assert held(line) == [("HOLD", HUB)]


# Of a child that only a hospital knows


@pytest.mark.parametrize(
    "claim",
    [
        says(FAR_FORCE, "control.protection", {"kind": "protected_person", "state": "set"}),
        says(OTHER_SCHOOL, "control.exclusion", excluded=AT_HOME),
        says(AWAY, "control.finding", {**DETRIMENT, "by_role": "social_worker"}),
        extract_row(AWAY),
    ],
    ids=["unseen", "excluded", "detriment", "home"],
)
def test_a_child_that_only_a_hospital_knows_is_nobodys_to_silence(claim: Event) -> None:
    """An A28 without a practice makes no tie: whose register the child came from says where it is known."""
    line = a_patient(claim, INJURY)

    assert {who for _, who in held(line)} == {"lado.home" if claim.header.excluded else HUB}, (
        "of a conflict at the hub somebody else judges"
    )
    assert line.facts().protections == line.facts().exclusions == line.facts().findings == ()
    assert line.facts().home_area is None
    if claim.header.event_type != "control.protection":  # what may protect the child is decided first
        assert HUB in told(line, INJURY.header.event_type)


def test_of_a_child_that_only_a_hospital_knows_its_own_area_speaks_without_a_question() -> None:
    unseen = says(FORCE, "control.protection", {"kind": "protected_person", "state": "set"})
    competent: Control = {"kind": "competent", "state": "made", "by_role": "clinician"}
    line = a_patient(says(TRUST, "control.finding", competent), extract_row(HOME), unseen)

    assert questions(line) == []
    assert line.facts().home_area == HOME
    assert len(line.facts().findings) == len(line.facts().protections) == 1


def test_a_child_whose_registration_was_taken_back_is_nobodys_to_silence() -> None:
    registered = says(TRUST, "health.patient.registered")
    back = says(TRUST, "control.retraction", action=Action.RETRACT, supersedes=registered.header.event_id)
    line = ALine(england()[0], registers=england()[1]).take(registered, back)
    line.take(says(OTHER_SCHOOL, "control.exclusion", excluded=(RecipientId(HUB),)), INJURY)

    assert line.facts().exclusions == ()
    assert HUB in told(line, INJURY.header.event_type)


# Standing by one's own word


def test_a_roll_of_its_own_lets_a_far_school_silence_nobody() -> None:
    line = a_child(FAR_ROLL, says(FAR_SCHOOL, "control.exclusion", excluded=AT_HOME))
    line.take(says(FORCE, NOTICE), says(FORCE, POLICE_PROTECTION))

    assert held(line) == [("HOLD", "lado.home")], "somebody apart from the hub judges its conflict"
    assert {DSL, "dsl.far"} <= told(line, NOTICE), "whoever has the child on its roll hears of it"
    assert HUB in told(line, POLICE_PROTECTION)


def test_also_where_no_council_said_that_the_child_is_its_own() -> None:
    line = a_pupil(FAR_ROLL, says(FAR_SCHOOL, "control.exclusion", excluded=AT_HOME), says(FORCE, NOTICE))
    own = a_pupil(FAR_ROLL, says(SCHOOL, "control.exclusion", excluded=(RecipientId(DSL),)), says(FORCE, NOTICE))

    assert held(line) != []
    assert DSL in told(line, NOTICE)
    assert held(own) == [], "the child's own school has a say, whoever else puts it on a roll"


def test_an_admission_of_its_own_lets_a_far_hospital_withdraw_nothing_and_judge_nothing() -> None:
    yes = says(HOME, "control.service_agreement", {"state": "given"})
    no = says(FAR_TRUST, "control.service_agreement", {"state": "withdrawn"})
    harm = says(FAR_TRUST, "control.finding", {"kind": "significant_harm", "state": "made", "by_role": "nurse"})
    line = a_child(yes, FAR_ADMISSION, no, harm, LOW)

    assert [who for _, who in held(line)] == [HUB, HUB]
    assert line.facts().findings == ()
    assert "family_help.home" in told(line, CONCERN), "help goes on until somebody has looked"


@pytest.mark.parametrize("who", [SCHOOL, TRUST])
def test_the_childs_own_people_judge_without_a_question(who: str) -> None:
    by_role = "nurse" if who == TRUST else "dsl"
    line = a_child(says(who, "control.finding", {"kind": "significant_harm", "state": "made", "by_role": by_role}))

    assert questions(line) == []


# A protected child


@pytest.mark.parametrize(
    "claim",
    [
        FAR_ROLL,
        says(AWAY, "council.youth_justice.opened"),
        says(FAR_TRUST, "health.gp.registered", tie("gp", FAR_TRUST)),
        says(FAR_TRUST, "health.visitor.assigned"),
        says(TRUST, "health.gp.registered", tie("gp", FAR_TRUST)),
    ],
    ids=["school", "youth justice", "practice", "visitor", "practice, by a record of the child's own hospital that may be old"],
)
def test_nobody_from_afar_takes_a_protected_child_up_before_its_hub_has_looked(claim: Event) -> None:
    later = ("school.suspension", "council.cp_plan.started", "council.s47.started", NOTICE, POLICE_PROTECTION)
    speaks = {"school": SCHOOL, "council": HOME, "police": FORCE}
    line = a_child(SAFE, claim, *(says(speaks[one.partition(".")[0]], one) for one in later))

    assert held(line) == [("HOLD", HUB)]
    assert not {one["recipient"] for one in line.disclosures() if one["recipient"].endswith((".far", ".away"))}
    assert HUB in told(line, POLICE_PROTECTION)


def test_an_admission_far_away_is_told_at_once_and_seats_nobody_there() -> None:
    """What is an alert, too, may not wait for a person: the child's own people hear of it."""
    admitted = says(FAR_TRUST, "health.admitted", attributes={"unscheduled": "yes"})
    line = a_child(SAFE, says(HOME, "council.cp_plan.started"), admitted, says(FORCE, POLICE_PROTECTION))
    line.take(says(HOME, "council.s47.started"))

    assert held(line) == []
    assert "social_worker.home" in told(line, "health.admitted")
    assert not {one["recipient"] for one in line.disclosures() if one["recipient"].endswith(".far")}


@pytest.mark.parametrize(
    "claim",
    [
        says(TRUST, "health.gp.registered", tie("gp", "ods:A00002")),
        says("ods:A00001", "health.gp.registered", tie("gp", "ods:A00001")),
        says(TRUST, "health.admitted"),
        says(TRUST, "health.visitor.assigned"),
        says(HOME, "council.youth_justice.opened"),
        says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL), sequence=2),
    ],
    ids=["practice, by a hospital", "practice", "hospital", "visitor", "youth justice", "its own school again"],
)
def test_the_ordinary_records_of_a_protected_childs_own_area_ask_nobody(claim: Event) -> None:
    line = a_child(SAFE, claim)

    assert questions(line) == []


def test_who_had_to_do_with_a_child_before_it_was_protected_is_not_asked_about_again() -> None:
    line = a_child(FAR_ROLL, SAFE, says(FAR_SCHOOL, "school.pupil.registered", tie("school", FAR_SCHOOL), sequence=2))

    assert questions(line) == []
    assert not reads_school(line, "dsl.far")
