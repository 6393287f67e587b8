"""Versions of an event that come late, apart or while somebody is asked make one chain; only its end is in force (I7)."""

from typing import Any

import pytest

from broker.core.model.event import Action, Body, Category, Event, Sector
from broker.core.model.identifiers import AgencyId, Millis
from broker.core.model.policy import Condition, Question
from broker.errors import UnknownDisclosureError
from tests.stream.lines import (
    CHILD,
    GP,
    HUB,
    NOW,
    SCHOOL,
    ALine,
    a_policy,
    a_retraction,
    a_rule,
    an_event,
    an_update,
    at_practice,
    of_the_council,
    on_roll,
)  # fmt: skip

LOW: Body = {"concern": {"grade": "low"}}
STRANGER: dict[str, Any] = {"producer": AgencyId("urn:100001"), "sector": Sector.SCHOOLS}
LOSER = "c-loser"


def kinds(line: ALine, recipient: str) -> list[str]:
    return [one["kind"] for one in line.disclosures(recipient)]


def in_force(line: ALine, recipient: str = SCHOOL) -> list[str]:
    """Return the events that the recipient's messages in force are about."""
    told = line.disclosures(recipient)
    replaced = {one["replaces"] for one in told}
    events = {one.disclosure_id: one.event_id for one in line.facts().ledger}
    return [events[one["disclosure_id"]] for one in told if one["disclosure_id"] not in replaced and one["kind"] != "RETRACTION"]


def merged(line: ALine) -> ALine:
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=LOSER.encode())
    return line


@pytest.mark.parametrize(("first", "second"), [(CHILD, LOSER), (LOSER, CHILD)])
def test_a_merge_ends_what_a_later_version_in_the_other_record_changed(first: str, second: str) -> None:
    line = (
        ALine()
        .take(on_roll(), an_event(), child=first)
        .take(on_roll(name="roll-2"), an_update("e1", "e2", body=LOW), child=second)
    )

    assert in_force(merged(line)) == ["e2"]


def test_a_merge_makes_one_chain_of_versions_that_were_apart() -> None:
    line = ALine().take(on_roll(), an_event(), an_update("e2", "e3", body=LOW))
    line.take(on_roll(name="roll-2"), an_update("e1", "e2"), child=LOSER)
    assert in_force(merged(line)) == ["e3"]

    line.take(a_retraction("e1"))
    assert in_force(line) == []


def test_a_merge_takes_back_a_version_when_another_was_taken_back_in_the_other_record() -> None:
    line = ALine().take(on_roll(), an_event(), an_update("e1", "e2", body=LOW), an_update("e2", "e3"))
    line.take(a_retraction("e2"), child=LOSER)

    assert in_force(merged(line)) == []


def test_a_merge_tells_nobody_again_of_an_event_about_which_somebody_is_still_asked() -> None:
    unsure = Condition(Question.ATTRIBUTE, name="seen_by_doctor", values=frozenset({"yes"}))
    asks = a_rule("maybe", "gp", when=(*a_rule("x", "gp").when, unsure))
    line = ALine(a_policy(a_rule("school", "dsl"), asks)).take(on_roll(), at_practice(), an_event(), child=LOSER)
    merged(line)

    assert kinds(line, SCHOOL) == ["ALERT"]


@pytest.mark.parametrize("over", [an_update("e1", "e2", body=LOW), a_retraction("e1")])
def test_a_gap_is_not_filled_with_what_the_other_record_of_the_child_knows_to_be_over(over: Event) -> None:
    line = ALine().take(an_event())
    line.take(over, child=LOSER)
    merged(line).take(on_roll())

    assert "e1" not in in_force(line)
    assert {one["state"] for one in line.reviews() if one["event_id"] == "e1"} == {"OPEN", "WITHDRAWN"}


@pytest.mark.parametrize("over", [an_update("e1", "e2", body=LOW), a_retraction("e1")])
@pytest.mark.parametrize(("first", "second"), [(CHILD, LOSER), (LOSER, CHILD)])
def test_nobody_is_asked_of_what_the_other_record_of_the_child_knows_to_be_over(over: Event, first: str, second: str) -> None:
    """The school that was told already stops using it, too."""
    line = an_asking_line().take(on_roll(), at_practice(), child=LOSER).take(an_event(), child=first)
    asked = line.reviews()[0]
    line.take(over, child=second)
    merged(line)

    with pytest.raises(UnknownDisclosureError):
        line.resolve(asked)
    assert "e1" not in in_force(line) + in_force(line, GP)


@pytest.mark.parametrize("back", ["", "e1", "e2", "e3"])
def test_a_version_that_comes_after_a_later_one_ends_what_it_changed_itself(back: str) -> None:
    line = ALine().take(on_roll(), an_event(), an_update("e2", "e3", body=LOW), an_update("e1", "e2"))
    assert in_force(line) == ["e3"]

    assert in_force(line.take(a_retraction(back)) if back else line.take(an_update("e1", "e2"))) == ([] if back else ["e3"])


def test_a_first_version_taken_back_before_the_one_between_came_takes_the_last_with_it() -> None:
    line = ALine().take(on_roll(), an_event(), an_update("e2", "e3", body=LOW), a_retraction("e1"), an_update("e1", "e2"))

    assert in_force(line) == []


def test_another_agency_ends_nothing_by_a_version_that_comes_late() -> None:
    """I10 own-voice."""
    line = ALine().take(on_roll(), an_event(), an_update("s2", "s3", **STRANGER), an_update("e1", "s2", **STRANGER))

    assert "e1" in in_force(line)
    assert [one["kind"] for one in line.reviews()] == ["HOLD"]


def test_a_version_of_which_nobody_was_told_does_not_break_the_chain() -> None:
    nobody = an_update("e1", "e2", expires_at=Millis(NOW - 1))
    line = ALine().take(on_roll(), an_event(), nobody, an_update("e2", "e3", body=LOW), a_retraction("e1"))

    assert kinds(line, SCHOOL) == ["ALERT", "RETRACTION", "ALERT", "RETRACTION"]


def test_what_another_agency_hung_on_an_event_before_it_came_is_no_version_of_it() -> None:
    """I10: its owner takes back its own chain and not the other's."""
    line = ALine().take(on_roll(), an_update("e1", "s2", **STRANGER), an_event(), a_retraction("e1"))

    assert in_force(line) == ["s2"]


@pytest.mark.parametrize(("first", "second"), [(CHILD, LOSER), (LOSER, CHILD)])
def test_what_another_agency_said_of_an_event_on_another_record_of_the_child_binds_it_no_more_than_on_its_own(
    first: str, second: str
) -> None:
    """I10: with the merge as without it, the event is its publisher's own, who changes it and takes it back."""
    line = ALine().take(on_roll(), child=CHILD).take(an_event(), child=first)
    merged(line.take(a_retraction("e1", "s2", **STRANGER), child=second))
    assert in_force(line) == ["e1"]

    assert in_force(line.take(an_update("e1", "e2", body=LOW))) == ["e2"]
    assert in_force(line.take(a_retraction("e1"))) == []


@pytest.mark.parametrize("over", [an_update("e1", "e2", body=LOW), a_retraction("e1")])
def test_whose_word_a_person_lets_count_counts_after_a_merge_as_well(over: Event) -> None:
    """Another agency had spoken first of an event that had not come to this record."""
    line = ALine().take(on_roll(), an_event(), child=CHILD).take(a_retraction("e1", "s2", **STRANGER), over, child=LOSER)
    line.resolve(next(one for one in line.reviews() if one["kind"] == "HOLD"), by=HUB)

    assert in_force(merged(line)) == (["e2"] if over.header.action is Action.UPDATE else [])


def an_asking_line(*events: Event) -> ALine:
    unsure = Condition(Question.ATTRIBUTE, name="seen_by_doctor", values=frozenset({"yes"}))
    known = frozenset({Category.EXISTENCE, Category.CONCERN})
    asks = a_rule("maybe", "gp", when=(*a_rule("x", "gp").when, unsure), categories=known)
    return ALine(a_policy(a_rule("school", "dsl"), asks)).take(on_roll(), at_practice(), *events)


@pytest.mark.parametrize("over", [an_update("e1", "e2", body=LOW), a_retraction("e1")])
def test_nobody_is_asked_any_more_about_what_was_changed_or_taken_back(over: Event) -> None:
    line = an_asking_line(an_event())
    asked = line.reviews()[0]
    line.take(over)

    with pytest.raises(UnknownDisclosureError):
        line.resolve(asked)
    assert kinds(line, GP) == []
    assert [one["state"] for one in line.reviews() if one["review_id"] == asked["review_id"]] == ["OPEN", "WITHDRAWN"]


def test_a_person_who_is_asked_lets_go_what_nobody_need_be_asked_about_meanwhile() -> None:
    """The consent that was not known comes while the question is open; the answer is still yes."""
    agreed = Condition(Question.AGREEMENT, name="consent", values=frozenset({"given"}))
    line = ALine(a_policy(a_rule("doctor", "gp", when=(*a_rule("x", "gp").when, agreed)))).take(at_practice(), an_event())
    yes = an_event("yes", "control.consent", body=Body(), control={"kind": "consent", "state": "given"})

    line.take(yes).resolve(line.reviews()[0])

    assert kinds(line, GP) == ["ALERT"]


def test_a_question_about_an_earlier_version_ends_when_the_chain_is_taken_back() -> None:
    line = an_asking_line(an_event(), an_update("e1", "e2", body=LOW), a_retraction("e1"))

    with pytest.raises(UnknownDisclosureError):
        line.resolve(next(one for one in line.reviews() if one["kind"] == "ASK" and one["event_id"] == "e2"))


def test_a_gap_of_a_later_version_is_not_filled_once_the_first_was_taken_back() -> None:
    line = ALine().take(an_event(), an_update("e1", "e2", body=LOW), a_retraction("e1"), on_roll())

    assert kinds(line, SCHOOL) == []


def test_a_gap_stays_while_people_decide_whether_another_agency_may_take_the_event_back() -> None:
    line = ALine().take(an_event(), a_retraction("e1", **STRANGER))
    line.resolve(next(one for one in line.reviews() if one["kind"] == "HOLD"), "REJECT")
    line.take(on_roll())

    assert kinds(line, SCHOOL) == ["ALERT"]


def test_a_gap_ends_when_people_let_another_agency_take_the_event_back() -> None:
    line = ALine().take(an_event(), a_retraction("e1", **STRANGER))
    line.resolve(next(one for one in line.reviews() if one["kind"] == "HOLD"), "LINK")
    line.take(on_roll())

    assert kinds(line, SCHOOL) == []


def test_a_held_event_that_a_later_version_passed_over_sets_nothing_and_is_asked_about_no_more() -> None:
    """The first finding did not say who found it; its agency put that right before anybody looked."""
    whole: Any = {"kind": "significant_harm", "state": "made", "by_role": "social_worker"}
    partial: Any = {"kind": "significant_harm", "state": "made"}
    line = ALine().take(of_the_council(), an_event("f1", "control.finding", body=Body(), control=partial))
    line.take(an_update("f1", "f2", event_type="control.finding", body=Body(), control=whole))

    assert [one["state"] for one in line.reviews()] == ["OPEN", "WITHDRAWN"]
    assert [one.event_id for one in line.facts().findings] == ["f2"]


def test_a_held_version_of_what_was_taken_back_in_the_other_record_of_the_child_is_told_to_nobody() -> None:
    line = ALine().take(on_roll(), an_event("e0"), a_retraction("e0", "s2", **STRANGER), an_event(), an_update("e1", "e2"))
    line.take(a_retraction("e1"), child=LOSER)
    merged(line)
    line.resolve(next(one for one in line.reviews() if one["event_id"] == "s2"), "REJECT")

    assert in_force(line) == ["e0"]


@pytest.mark.parametrize("last", [an_update("e2", "e3", body=LOW), a_retraction("e2")])
def test_versions_that_were_held_are_one_chain_when_they_are_released(last: Event) -> None:
    line = ALine().take(on_roll(), an_event(), a_retraction("e1", "s2", **STRANGER), an_update("e1", "e2"), last)
    line.resolve(next(one for one in line.reviews() if one["event_id"] == "s2"), "REJECT")

    assert in_force(line) == (["e3"] if last.header.action is Action.UPDATE else [])
    line.take(a_retraction("e1", "back again"))
    assert in_force(line) == []


def test_a_version_between_that_comes_while_the_line_is_held_does_not_wait() -> None:
    """A later version of it was told before: it only takes back what it changed."""
    line = ALine().take(on_roll(), an_event(), an_update("e2", "e3", body=LOW), a_retraction("e3", "s2", **STRANGER))
    line.take(an_update("e1", "e2"))
    assert in_force(line) == ["e3"]

    line.resolve(next(one for one in line.reviews() if one["event_id"] == "s2"), "REJECT")
    assert in_force(line) == ["e3"]


def test_what_was_taken_back_and_is_granted_again_is_shown_again() -> None:
    """I12 once: the same view under the same id would not be."""
    agreed = Condition(Question.AGREEMENT, name="consent", values=frozenset({"given"}))
    unsure = Condition(Question.ATTRIBUTE, name="seen_by_doctor", values=frozenset({"yes"}))
    known = frozenset({Category.EXISTENCE, Category.CONCERN})
    plain = a_rule("doctor", "gp", categories=known)
    where = a_rule("where", "gp", categories=frozenset({Category.LOCATION}), when=(*plain.when, unsure))
    policy = a_policy(a_rule("doctor", "gp", categories=known, when=(*plain.when, agreed)), where)

    def consent(name: str, state: str) -> Event:
        return an_event(name, "control.consent", body=Body(), control={"kind": "consent", "state": state})

    line = ALine(policy).take(at_practice(), consent("yes", "given"), an_event(body=LOW))
    line.take(consent("no", "withdrawn"), consent("yes-again", "given"))
    line.resolve(line.reviews()[0])

    first, taken_back, again = line.disclosures(GP)
    assert (taken_back["kind"], again["kind"], again["concern"]) == ("RETRACTION", "ALERT", first["concern"])
    assert len({one["disclosure_id"] for one in (first, taken_back, again)}) == 3
