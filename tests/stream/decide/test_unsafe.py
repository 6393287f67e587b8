"""That it is not safe to tell a family (R5), on the shipped rules: it stands until somebody says otherwise, and is reviewed."""

from dataclasses import replace

import pytest

from broker import codec
from broker.core.model.dates import months_later
from broker.core.model.event import Action, Control, Event, ToldFamily
from broker.core.model.identifiers import RecipientId
from broker.core.waiting.bells import UNANSWERED
from broker.errors import NotPermittedError
from tests.stream.england import (
    AWAY,
    DSL,
    FORCE,
    HOME,
    HUB,
    NOTICE,
    POLICE_PROTECTION,
    SCHOOL,
    TRUST,
    england,
    extract_row,
    says,
    tie,
)
from tests.stream.lines import CHILD, NOW, ALine
from tests.stream.what_families_know import (
    DESK,
    HOUR,
    NAME,
    NOT_SAFE,
    a_line,
    asked,
    at_review,
    reads,
    review_at,
    reviews,
    version,
    word,
)


def test_on_its_date_the_publishers_desk_is_asked_whether_it_is_still_not_safe() -> None:
    line = a_line(NOT_SAFE)
    at = review_at(line)
    assert at == months_later(line.facts().unsafe[0].since, 3)
    assert "not safe to tell the family is asked again on" in line.audits()[-1]["others"]
    line.ring(at - 1)
    assert asked(line) == []

    line.restart().ring(at)
    assert asked(line) == [("ASK", DESK)]
    (question,) = reviews(line)
    assert question["why"].startswith("Is it still not safe to tell the family of this: “Police attended domestic abuse")
    assert (question["clock"], question["due_at"] > at) == ("1_working_day", True)
    assert NAME in line.audits()[-1]["concerns"]
    line.ring(at + 1000)
    assert len(reviews(line)) == 1, "asked once"


def test_until_somebody_answers_it_is_not_safe_and_who_does_not_answer_is_heard_of() -> None:
    line = at_review()
    told = len(line.disclosures())
    line.ring(reviews(line)[0]["due_at"] + HOUR)

    assert reads(line) == ["NOT_SAFE"]
    assert [one.asked for one in line.facts().unsafe] == [True]
    assert HUB in {one["recipient"] for one in line.disclosures()[told:] if one["event_type"] == UNANSWERED}


def test_still_not_safe_holds_for_as_long_again_and_tells_nobody() -> None:
    line = at_review()
    first = review_at(line)
    line.resolve(reviews(line)[0], "LINK")

    assert review_at(line) == months_later(line.facts().at, 3) > first
    assert reads(line) == ["NOT_SAFE"]
    line.ring(review_at(line))
    one, _, another = reviews(line)
    assert one["review_id"] != another["review_id"]
    assert another["state"] == "OPEN"


def test_may_be_told_now_ends_it_and_reaches_whoever_was_told() -> None:
    line = at_review()
    line.resolve(reviews(line)[0], "REJECT")

    assert reads(line) == ["NOT_SAFE", "NOT_YET"]
    assert line.facts().unsafe == ()
    assert [one["state"] for one in reviews(line)] == ["OPEN", "RESOLVED"]
    assert line.audits()[-1]["others"] == "the family may be told now, says who was asked"
    assert line.audits()[-1]["decided_by"] == DESK


@pytest.mark.parametrize("who", [AWAY, SCHOOL])
def test_nor_is_whoever_spoke_of_the_event_before_it_came_asked_for_its_publisher(who: str) -> None:
    line = a_line(word("NOT_SAFE", who), NOT_SAFE)
    line.ring(review_at(line))

    assert asked(line) == [("ASK", DESK)]


@pytest.mark.parametrize("by", [HUB, DSL])
def test_nobody_else_says_that_the_family_may_be_told(by: str) -> None:
    line = at_review()

    with pytest.raises(NotPermittedError, match="was not asked"):
        line.resolve(reviews(line)[0], "REJECT", by=by)


@pytest.mark.parametrize(
    ("later", "left"),
    [
        (word("YES"), 0),
        (word("YES", HOME), 0),
        (version(ToldFamily.YES), 0),
        (version(ToldFamily.NOT_SAID), 0),
        (version(action=Action.RETRACT), 0),
        (word("NOT_SAFE", sequence=7), 1),
        (version(sequence=7), 1),
    ],
    ids=["told", "told by the council", "a version", "a version that says nothing", "taken back", "not safe again", "as before"],
)
@pytest.mark.parametrize("is_asked", [False, True], ids=["before its date", "while a person is asked"])
def test_a_later_word_counts_in_place_of_the_answer(later: Event, left: int, is_asked: bool) -> None:
    line = at_review() if is_asked else a_line(NOT_SAFE)
    first = review_at(line)
    line.take(later)

    assert [one.asked for one in line.facts().unsafe] == [False] * left
    assert [one["state"] for one in reviews(line)] == (["OPEN", "WITHDRAWN"] if is_asked else [])
    assert all(one.until > first for one in line.facts().unsafe)
    line.ring(first)
    assert len(reviews(line)) == (2 if is_asked else 0), "nobody is asked about what is over"


def test_who_was_asked_of_a_later_version_is_asked_of_the_event_once_it_is_known_to_be_one() -> None:
    second = version(ToldFamily.NOT_YET)
    third = says(FORCE, NOTICE, action=Action.UPDATE, supersedes=second.header.event_id, told_family=ToldFamily.NOT_SAFE)
    line = at_review(third)
    assert [one["event_id"] for one in reviews(line)] == [second.header.event_id]
    line.take(second)
    line.ring(line.facts().at)

    assert [(one["state"], one["event_id"]) for one in reviews(line)][-1] == ("OPEN", NAME)
    line.resolve(reviews(line)[-1], "REJECT")
    assert line.facts().told == {NAME: "NOT_YET"}


def test_a_version_that_says_nothing_of_a_word_apart_has_it_asked_of_the_event_as_it_is_now() -> None:
    plain = says(FORCE, NOTICE)
    line = at_review(plain, word("NOT_SAFE", HOME, plain.header.event_id))
    line.take(says(FORCE, NOTICE, action=Action.UPDATE, supersedes=plain.header.event_id, occurred_at="2026-09-21"))
    assert [one["state"] for one in reviews(line)] == ["OPEN", "WITHDRAWN"]
    line.ring(line.facts().at)

    assert [one["state"] for one in reviews(line)] == ["OPEN", "WITHDRAWN", "OPEN"]
    line.resolve(reviews(line)[-1], "REJECT")
    assert line.facts().told == {plain.header.event_id: "NOT_YET"}
    line.take(says(FORCE, NOTICE, action=Action.UPDATE, supersedes=plain.header.event_id, occurred_at="2026-09-22"))
    assert line.facts().told == {plain.header.event_id: "NOT_YET"}, "nor does it take the answer back"


def test_a_word_that_a_person_lets_go_on_ends_the_question_too() -> None:
    line = at_review()
    line.take(word("YES", SCHOOL))
    line.resolve(next(one for one in line.reviews() if one["kind"] == "HOLD"), "LINK")

    assert [one["state"] for one in reviews(line) if one["kind"] == "ASK"] == ["OPEN", "WITHDRAWN"]
    assert reads(line)[-1] == "YES"


def test_who_is_excluded_after_it_was_asked_is_asked_no_more() -> None:
    line = at_review()
    line.take(says(HOME, "control.exclusion", excluded=(RecipientId(DESK),)))

    assert asked(line)[-1] == ("ASK", FORCE), "the hub was not told of the notice"
    with pytest.raises(NotPermittedError, match="was not asked"):
        line.resolve(reviews(line)[0], "REJECT", by=DESK)


@pytest.mark.parametrize(
    ("event_type", "who"), [(POLICE_PROTECTION, HUB), (NOTICE, FORCE)], ids=["the hub was told", "the hub was not told"]
)
def test_without_a_desk_the_hub_is_asked_where_it_was_told_and_else_the_publisher(event_type: str, who: str) -> None:
    policy, registers = england()
    desks = {name: one for name, one in registers.recipients.items() if name != DESK}
    line = ALine(policy, registers=replace(registers, recipients=desks))
    home = says(HOME, "council.person.registered", tie("home_area", f"la:{HOME}"))
    line.take(home, says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL)))
    line.take(says(FORCE, event_type, told_family=ToldFamily.NOT_SAFE))
    line.ring(review_at(line))

    assert asked(line) == [("ASK", who)]


COMPETENT: Control = {"kind": "competent", "state": "made", "by_role": "clinician", "reason": "she understands"}


@pytest.mark.parametrize(
    ("sensitive", "apart", "hears"),
    [("no", False, True), ("yes", False, False), ("no", True, False), ("yes", True, False)],
    ids=["anything", "what the rule denies", "said apart: nobody knows by now", "denied and said apart"],
)
def test_of_what_a_rule_denies_the_hub_it_hears_no_unanswered_question(sensitive: str, apart: bool, hears: bool) -> None:
    """R13: that somebody asks about the family of a child would say that there was something."""
    told = ToldFamily.NOT_SAID if apart else ToldFamily.NOT_SAFE
    visit = says(TRUST, "health.ed.attended", told_family=told, attributes={"sensitive_service": sensitive})
    line = a_line(says(TRUST, "health.patient.registered"), says(TRUST, "control.finding", COMPETENT), visit)
    line.take(*([word("NOT_SAFE", TRUST, visit.header.event_id)] if apart else []))
    line.ring(review_at(line))
    assert asked(line) == [("ASK", "hospital.trust")]
    before = len(line.disclosures(HUB))
    line.ring(reviews(line)[0]["due_at"] + HOUR)

    assert (len(line.disclosures(HUB)) > before) == hears


def test_nothing_is_kept_of_a_child_of_whom_nobody_says_so() -> None:
    line = a_line(says(FORCE, NOTICE, told_family=ToldFamily.YES), says(FORCE, POLICE_PROTECTION))

    assert line.facts().unsafe == ()
    rung = [codec.decode("subject_record", one.value or b"")["clock"]["name"] for one in line.ring(NOW + 10_000 * HOUR)]
    assert rung, "other clocks ring"
    assert "unsafe_review" not in rung


def test_a_control_event_is_told_to_nobody_so_nothing_in_it_has_to_be_looked_at() -> None:
    line = a_line(says(HOME, "control.wish", {"kind": "advocate", "state": "wanted"}, told_family=ToldFamily.NOT_SAFE))

    line.take(says(FORCE, "control.told_family", Control(state="NOT_SAFE", reason="it names no event")))

    assert (line.facts().told, line.facts().unsafe) == ({}, ())


def test_it_goes_with_the_child_that_two_records_become() -> None:
    line = a_line().take(extract_row(HOME), NOT_SAFE, child="c-loser")
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")
    line.ring(review_at(line))

    assert asked(line) == [("ASK", DESK)]
    line.resolve(reviews(line)[0], "REJECT")
    assert line.facts().unsafe == ()


def test_it_goes_with_a_child_of_whom_nobody_was_told_anything() -> None:
    line = a_line().take(extract_row(HOME, told_family=ToldFamily.NOT_SAFE), child="c-loser")
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")
    line.ring(review_at(line))

    assert asked(line) == [("ASK", HUB)], "of its own council"


def test_what_one_record_knows_ends_it_in_the_other_also_where_nobody_was_told_anything() -> None:
    row = extract_row(HOME, told_family=ToldFamily.NOT_SAFE)
    line = a_line(word("YES", HOME, row.header.event_id)).take(row, child="c-loser")
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")

    assert (line.facts().unsafe, line.facts().ledger) == ((), ())


def test_nobody_is_asked_any_more_of_what_the_other_record_of_the_child_knows() -> None:
    line = a_line(word("YES", HOME)).take(extract_row(HOME), NOT_SAFE, child="c-loser")
    line.ring(line.facts("c-loser").unsafe[0].until)
    assert asked(line) == [("ASK", DESK)]
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")

    assert [one["state"] for one in reviews(line)] == ["OPEN", "WITHDRAWN"]
