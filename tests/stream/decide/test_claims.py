"""Who may say what of a child (I8, I10), on the shipped rules: who would hear more, silence an alert or speak for another."""

import pytest

from broker.core.model.event import Control, Event
from broker.core.model.identifiers import EventId, RecipientId
from tests.stream.england import (
    AWAY,
    CONCERN,
    DETRIMENT,
    DSL,
    DUTY,
    FORCE,
    HOME,
    HUB,
    JUDGE,
    NOTICE,
    OTHER_SCHOOL,
    POLICE_PROTECTION,
    PRACTICE,
    SCHOOL,
    TEAM,
    TRUST,
    a_child,
    extract_row,
    questions,
    says,
    tie,
    told,
)
from tests.stream.lines import CHILD


@pytest.mark.parametrize(
    "claim",
    [
        says(OTHER_SCHOOL, "school.pupil.left", tie("school", SCHOOL, "ended")),
        says(TRUST, "health.gp.registered", tie("school", OTHER_SCHOOL)),
        says(OTHER_SCHOOL, "school.pupil.registered", tie("school", SCHOOL, "ended")),
        says(OTHER_SCHOOL, "school.pupil.registered", tie("social_care", f"la:{AWAY}")),
        says(TRUST, "health.gp.registered", tie("gp", "banana:1")),
    ],
    ids=["another school's leaver", "a school by a hospital", "ended by another", "a team by a school", "nobody"],
)
def test_nobody_begins_or_ends_what_another_is_to_a_child(claim: Event) -> None:
    line = a_child(claim, says(FORCE, NOTICE))

    assert [one for one in questions(line) if one[0] == "HOLD"] == [("HOLD", HUB)]
    assert DSL in told(line, NOTICE), "the school that has the child hears before its next day"


def test_another_council_ends_no_case_of_the_childs_own() -> None:
    opened = says(HOME, "council.case.opened", tie("social_care", f"la:{HOME}"))
    closed = says(AWAY, "council.case.closed", tie("social_care", f"la:{HOME}", "ended"))

    line = a_child(opened, closed, says(FORCE, POLICE_PROTECTION))

    assert {HUB, DUTY, TEAM} <= told(line, POLICE_PROTECTION)


def test_a_hospital_names_the_practice_and_takes_no_practices_own_word_away() -> None:
    own = says(PRACTICE, "health.gp.registered", tie("gp", PRACTICE))
    line = a_child(own, says(TRUST, "health.gp.registered", tie("gp", "ods:A00009")), says(TRUST, "health.ed.attended"))

    assert PRACTICE in {one.organisation for one in line.facts().connections if one.until is None}


@pytest.mark.parametrize("by", [AWAY, OTHER_SCHOOL])
def test_an_agency_that_is_nothing_to_the_child_silences_nobody(by: str) -> None:
    """R11 is for a publisher that knows of a conflict; a control event that names every desk is a question."""
    everybody = tuple(RecipientId(one) for one in (HUB, "hub-alternate.home", DUTY, DSL))
    claim = says(by, "control.wish", {"kind": "advocate", "state": "wanted"}, excluded=everybody)

    line = a_child(claim, says(FORCE, POLICE_PROTECTION))

    assert ("HOLD", JUDGE) in questions(line), "who is apart from the hub says whether all of it is in conflict"
    assert {HUB, DUTY} <= told(line, POLICE_PROTECTION) | {one for _, one in questions(line)}
    assert not [one for kind, one in questions(line) if not one], "every question has somebody who can answer it"


def test_an_exclusion_of_somebody_whom_the_registers_do_not_hold_is_a_question() -> None:
    """In another case, or with a slip of the pen, it would exclude nobody without a word."""
    line = a_child(says(FORCE, NOTICE, excluded=(RecipientId("DSL.SCHOOL"),)))

    assert questions(line)[0] == ("HOLD", HUB)
    assert DSL not in told(line, NOTICE)


@pytest.mark.parametrize("answer", ["received", "decided", "outcome"])
def test_only_the_childs_own_council_says_what_came_of_a_referral(answer: str) -> None:
    line = a_child(says(SCHOOL, CONCERN), says(AWAY, f"council.referral.{answer}"))
    old = a_child(says(SCHOOL, CONCERN), says(AWAY, "council.referral.received", attributes={"history": "yes"}))

    assert ("HOLD", HUB) in questions(line)
    assert DSL not in {one["recipient"] for one in line.disclosures()}, "it would stand down on another's word"
    assert questions(old) == [], "a first census tells nobody"
    assert set(line.facts().matters.values()) == {""}, "the school still waits"


def test_another_council_lets_nobody_but_the_hub_hear_of_a_child_only_when_the_hub_says_so() -> None:
    """R16 keeps a changed identity from everybody but the hub: a word that silences so many is not for a stranger alone."""
    changed = says(AWAY, "control.protection", {"kind": "identity_changed", "state": "set"})
    line = a_child(changed, says(FORCE, POLICE_PROTECTION))

    assert line.facts().protections == ()
    assert ("HOLD", HUB) in questions(line)
    assert (HUB, POLICE_PROTECTION) in {(one["for_recipient"], one["event_type"]) for one in line.reviews()}
    assert told(line, POLICE_PROTECTION) == set(), "while it waits nothing goes that it would keep back"

    line.resolve(line.reviews()[0], "REJECT")
    assert {HUB, DUTY} <= told(line, POLICE_PROTECTION)


@pytest.mark.parametrize("first", [says(AWAY, "council.s47.started"), says(AWAY, "council.case.opened")], ids=["enquiry", "case"])
def test_no_agency_gives_itself_the_standing_to_make_a_child_unseen(first: Event) -> None:
    """An enquiry or a case of its own is its own word: that alone silences nobody."""
    line = a_child(first, says(AWAY, "control.protection", {"kind": "identity_changed", "state": "set"}))

    assert line.facts().protections == ()
    assert ("HOLD", HUB) in questions(line)


@pytest.mark.parametrize("kind", ["protected_person", "identity_changed"])
def test_a_force_that_is_nothing_to_the_child_makes_nobody_unseen(kind: str) -> None:
    """DOMAIN 1.4: the null route silences every agency, so a stranger's word for it is a question."""
    away = says("police:2", "control.protection", {"kind": kind, "state": "set"}, area=AWAY)
    line = a_child(away, says(FORCE, POLICE_PROTECTION))
    own = a_child(says(FORCE, "control.protection", {"kind": "protected_person", "state": "set"}))

    assert line.facts().protections == ()
    assert ("HOLD", HUB) in questions(line)
    meanwhile = set() if kind == "protected_person" else {HUB, DUTY}
    assert told(line, POLICE_PROTECTION) & {HUB, DUTY} == meanwhile, "what it may never set holds nothing"
    assert [one.kind for one in own.facts().protections] == ["protected_person"], "the area's own force need not wait"

    line.resolve(line.reviews()[0], "REJECT")
    assert {HUB, DUTY} <= told(line, POLICE_PROTECTION)


@pytest.mark.parametrize(
    "said",
    [
        {"state": "given"},
        {"state": "withdrawn"},
        {"state": "yes"},
        {},
        {"state": "NOT_SAFE"},
        {"state": "NOT_SAFE", "reason": " "},
    ],
)
def test_what_a_family_was_told_is_said_in_words_of_its_own(said: dict[str, str]) -> None:
    """I6: `given` is a word for consent. R4: whoever did not tell says why."""
    notice = says(FORCE, NOTICE)
    about = {**said, "concerns_event": notice.header.event_id}
    line = a_child(notice, says(FORCE, "control.told_family", Control(**about)), says(FORCE, POLICE_PROTECTION))  # type: ignore[typeddict-item] # of a test

    assert notice.header.event_id not in line.facts().told
    assert [one for one in questions(line) if one[0] == "HOLD"] == [("HOLD", HUB)]
    assert {HUB, DUTY} <= told(line, POLICE_PROTECTION), "it keeps nothing back, so nothing waits for it"


@pytest.mark.parametrize("said", [{"state": "YES"}, {"state": "NOT_SAFE", "reason": "the father reads the post"}])
def test_what_a_family_was_told_is_kept(said: dict[str, str]) -> None:
    about = {**said, "concerns_event": "e1"}
    line = a_child(says(FORCE, "control.told_family", Control(**about)))  # type: ignore[typeddict-item] # of a test

    assert line.facts().told[EventId("e1")] == said["state"]
    assert questions(line) == []


@pytest.mark.parametrize("silent", [{"history": "yes"}, {"history": "perhaps"}])
def test_no_publisher_silences_a_statutory_alert_by_calling_it_history(silent: dict[str, str]) -> None:
    """Only what a council's first census holds may be old news, and the policy says what that is."""
    line = a_child(says(FORCE, NOTICE, attributes=silent), says(FORCE, POLICE_PROTECTION, attributes=silent))
    census = a_child(says(HOME, "council.cp_plan.started", attributes={"history": "yes"}))

    assert DSL in told(line, NOTICE)
    assert {HUB, DUTY} <= told(line, POLICE_PROTECTION)
    assert told(census, "council.cp_plan.started") == set()


def test_an_agency_that_knows_the_child_says_that_its_identity_changed() -> None:
    line = a_child(says(HOME, "control.protection", {"kind": "identity_changed", "state": "set"}))

    assert [one.kind for one in line.facts().protections] == ["identity_changed"]
    assert questions(line) == []


@pytest.mark.parametrize("said", [{"kind": "advocate", "state": "rubbish"}, {"kind": "banana", "state": "wanted"}, {}])
def test_a_wish_that_nobody_can_have_takes_no_wish_away(said: dict[str, str]) -> None:
    """R30: a slip of the pen would leave a child that wants an advocate without one."""
    wanted = says(HOME, "control.wish", {"kind": "advocate", "state": "wanted"})
    line = a_child(wanted, says(SCHOOL, "control.wish", Control(**said)), says(FORCE, POLICE_PROTECTION))  # type: ignore[typeddict-item] # of a test

    assert dict(line.facts().wishes) == {"advocate": "wanted"}
    assert [one for one in questions(line) if one[0] == "HOLD"] == [("HOLD", HUB)]
    assert {HUB, DUTY} <= told(line, POLICE_PROTECTION), "it keeps nothing back, so nothing waits for it"


@pytest.mark.parametrize(
    ("kind", "no", "yes"),
    [("control.consent", TRUST, OTHER_SCHOOL), ("control.service_agreement", HOME, FORCE)],
)
def test_a_no_that_one_agency_heard_is_not_undone_by_anothers_yes(kind: str, no: str, yes: str) -> None:
    """R13: it stands until who heard it says otherwise."""
    refused, given = says(no, kind, {"state": "refused"}), says(yes, kind, {"state": "given"})
    line = a_child(refused, given)
    own = a_child(refused, says(no, kind, {"state": "given"}), says(SCHOOL, kind, {"state": "given"}))

    assert [one.state for one in line.facts().agreements] == ["refused"]
    assert ("HOLD", HUB) in questions(line)
    assert [one.state for one in own.facts().agreements] == ["refused", "given", "given"]


@pytest.mark.parametrize(
    "between",
    [
        [says(OTHER_SCHOOL, "control.consent", {"state": "refused"}, sequence=one) for one in range(5)],
        [says(TRUST, "control.consent", {"state": "given", "recipients": ["gp"]})],
    ],
    ids=["said often enough for the no to be forgotten", "a yes of the same agency for one role"],
)
def test_a_no_stands_whatever_is_said_of_something_less_or_by_another(between: list[Event]) -> None:
    refused = says(TRUST, "control.consent", {"state": "refused"})
    line = a_child(refused, *between, says(OTHER_SCHOOL, "control.consent", {"state": "given"}))

    assert ("HOLD", HUB) in questions(line)
    assert line.facts().agreements[-1].event_id == between[-1].header.event_id


def test_a_no_stands_that_came_after_a_yes_in_another_record_of_the_child() -> None:
    """A merge puts one record's words behind the other's: the instant counts, not the place."""
    line = a_child().take(extract_row(HOME), says(TRUST, "control.consent", {"state": "given"}), child="c-loser")
    line.take(says(TRUST, "control.consent", {"state": "refused"}))
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")
    assert [one.state for one in line.facts().agreements] == ["refused", "given"]

    line.take(says(OTHER_SCHOOL, "control.consent", {"state": "given"}))
    assert ("HOLD", HUB) in questions(line)


@pytest.mark.parametrize(
    ("by", "by_role", "why"),
    [
        (OTHER_SCHOOL, "dsl", "a school that has nothing to do with the child"),
        (SCHOOL, "caretaker", "nobody whose judgement it is"),
        (SCHOOL, "dsl", "it would keep the police's alerts back, too"),
    ],
)
def test_no_finding_of_detriment_silences_a_statutory_alert(by: str, by_role: str, why: str) -> None:
    """R3, s.16LA: detriment is for the holder to attest; the child's own council says whether it counts for all."""
    line = a_child(says(by, "control.finding", {**DETRIMENT, "by_role": by_role}), says(FORCE, POLICE_PROTECTION))

    assert ("HOLD", HUB) in questions(line)
    heard = told(line, POLICE_PROTECTION) | {
        one["for_recipient"] for one in line.reviews() if one["event_type"] == POLICE_PROTECTION
    }
    assert HUB in heard, why


def test_the_childs_own_council_makes_a_finding_of_detriment() -> None:
    line = a_child(says(HOME, "control.finding", {**DETRIMENT, "by_role": "social_worker", "recipients": [DSL]}))

    assert [one.kind for one in line.facts().findings] == ["detriment"]


@pytest.mark.parametrize("kind", ["significant_harm", "coercion"])
def test_nobody_overrides_a_refusal_whose_judgement_it_is_not(kind: str) -> None:
    made: Control = {"kind": kind, "state": "made"}
    by_caretaker = a_child(says(SCHOOL, "control.finding", {**made, "by_role": "caretaker"}))
    by_stranger = a_child(says(AWAY, "control.finding", {**made, "by_role": "social_worker"}))

    assert (by_caretaker.facts().findings, by_stranger.facts().findings) == ((), ())
    assert questions(by_caretaker) == questions(by_stranger) == [("HOLD", HUB)]
