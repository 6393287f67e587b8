"""While a question holds a child's line: what protects the child acts at once, and what is known to be wrong never goes."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.model import ledger
from broker.core.model.event import Body, Event, Sector
from broker.core.model.identifiers import AgencyId
from tests.stream.lines import CHILD, SCHOOL, ALine, a_protection, a_retraction, an_event, an_update, on_roll, some_registers

LATER = Body(concern={"grade": "low"}, location={"postcode": "ZZ1 1ZZ"})


def a_held_line() -> ALine:
    """A control event that says nothing waits for a person, and all that comes after it."""
    return ALine().take(on_roll(), an_event("told"), an_event("nonsense", "control.protection"))


def test_a_protection_is_in_force_at_once_though_a_question_holds_the_line() -> None:
    line = a_held_line().take(an_event("held"), a_protection())

    assert [one.kind for one in line.facts().protections] == ["safe_address"]
    assert line.facts().holds, "the question is still open"
    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT", "CORRECTION"], "what was told before is put right now"


@pytest.mark.parametrize(
    ("later", "kinds"),
    [(a_retraction("wrong"), []), (an_update("wrong", "right", body=LATER), ["ALERT"])],
    ids=["taken back", "changed"],
)
def test_what_its_publisher_put_right_while_it_was_held_never_goes_as_it_was(later: Event, kinds: list[str]) -> None:
    line = a_held_line().take(an_event("wrong"), later)
    before = len(line.disclosures(SCHOOL))
    line.resolve(next(one for one in line.reviews() if one["event_id"] == "nonsense"), "REJECT")

    told = line.disclosures(SCHOOL)[before:]
    assert [one["kind"] for one in told] == kinds
    assert all((one["concern"] or {}).get("grade") != "high" for one in told)


def states(line: ALine) -> dict[str, str]:
    """How the review of each event stands now."""
    return {one["event_id"]: one["state"] for one in line.reviews()}


def test_its_publisher_takes_back_a_held_event_itself_and_nobody_is_asked_about_it_any_more() -> None:
    line = a_held_line().take(an_event("wrong"), a_retraction("wrong"))

    assert states(line) == {"nonsense": "OPEN", "wrong": "WITHDRAWN"}
    assert line.facts().holds == {"nonsense"}, "another question still holds the line"
    assert [(one["event_id"], one["outcome"]) for one in line.audits()[-2:]] == [("back", "APPLIED"), ("wrong", "APPLIED")]
    assert line.take(an_event("after")).audits()[-1]["outcome"] == "IN_REVIEW"


def test_what_was_told_before_is_taken_back_at_once_though_a_question_holds_the_line() -> None:
    line = a_held_line().take(a_retraction("told"))

    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT", "RETRACTION"]


def test_the_line_goes_on_once_the_publisher_takes_back_what_held_it() -> None:
    line = a_held_line().take(an_event("waits"), a_retraction("nonsense"))

    assert states(line) == {"nonsense": "WITHDRAWN", "waits": "WITHDRAWN"}
    assert line.facts().holds == frozenset()
    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT", "ALERT"]
    assert [(one["event_id"], one["outcome"]) for one in line.audits()[-3:]] == [
        ("back", "APPLIED"), ("nonsense", "APPLIED"), ("waits", "DECIDED"),
    ]  # fmt: skip
    origins = [dict(one.headers)["sb_origin"] for one in line.written if one.topic == "audit.v1"]
    assert len(set(origins)) == len({one["event_id"] for one in line.audits()}), "each ends as the record that it came as"


def test_the_line_goes_on_once_the_publisher_says_properly_what_held_it() -> None:
    said = {"kind": "safe_address", "state": "set"}
    line = a_held_line().take(an_update("nonsense", "proper", event_type="control.protection", body=Body(), control=said))

    assert [one.kind for one in line.facts().protections] == ["safe_address"]
    assert (states(line), line.facts().holds) == ({"nonsense": "WITHDRAWN"}, frozenset())


def test_nobody_else_takes_a_held_event_off() -> None:
    oak = {"producer": AgencyId("urn:100001"), "sector": Sector.SCHOOLS}
    line = a_held_line().take(an_event("mine"), a_retraction("mine", **oak))

    assert states(line) == {"nonsense": "OPEN", "mine": "OPEN", "back": "OPEN"}


def test_to_take_back_a_held_version_takes_back_what_was_told_before_it() -> None:
    line = a_held_line().take(an_update("told", "newer", body=LATER), a_retraction("newer"))

    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT", "RETRACTION"]


def test_two_held_versions_of_what_was_told_end_as_one_correction() -> None:
    line = a_held_line().take(an_update("told", "newer", body=LATER), an_update("newer", "newest", body=LATER))
    line.resolve(line.reviews()[0], "REJECT")

    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT", "CORRECTION"]


def test_a_held_update_that_comes_twice_ends_nothing() -> None:
    twice = an_update("wrong", "right", body=LATER)
    line = a_held_line().take(an_event("wrong"), twice, twice)

    assert states(line) == {"nonsense": "OPEN", "wrong": "OPEN", "right": "OPEN"}


def test_what_its_publisher_takes_back_waits_no_more_though_nothing_holds_the_line() -> None:
    """A claim in doubt waits alone."""
    doubtful = an_event("claim", excluded=("nobody-known",))
    line = ALine().take(on_roll(), doubtful, a_retraction("claim"))

    assert states(line) == {"claim": "WITHDRAWN"}


STRANGER: dict[str, Any] = {"producer": AgencyId("ods:A1"), "sector": Sector.HEALTH}


@pytest.mark.parametrize(
    ("who", "of", "holds"),
    [
        (STRANGER, "told", False),
        ({"producer": AgencyId("urn:100001"), "sector": Sector.SCHOOLS}, "told", True),
        ({"producer": AgencyId("urn:100001"), "sector": Sector.SCHOOLS}, "protection", False),
    ],
    ids=["a stranger", "the child's school", "the child's school: a protection"],
)
def test_another_agencys_word_against_a_record_holds_the_line_only_where_it_may_protect(
    who: dict[str, Any], of: str, holds: bool
) -> None:
    """Whoever has a key could else keep every alert about a child from everybody, by taking back what is not its own."""
    registers = some_registers()
    away = replace(registers.agencies[STRANGER["producer"]], area="E10000099")
    line = ALine(registers=replace(registers, agencies={**registers.agencies, away.id: away}))
    line.take(on_roll(), a_protection(), an_event("told"), a_retraction(of, **who), an_event("after"))

    assert bool(line.facts().holds) is holds
    assert line.audits()[-1]["outcome"] == ("IN_REVIEW" if holds else "DECIDED")
    assert [one.kind for one in line.facts().protections if one.until is None] == ["safe_address"]
    assert states(line)["back"] == "OPEN", "a person is asked all the same"


def test_another_agencys_change_of_an_alert_waits_alone_and_nobody_is_said_to_be_told() -> None:
    line = ALine().take(on_roll(), an_event("told"), an_update("told", "other", body=LATER, **STRANGER))

    assert line.facts().holds == frozenset()
    assert {one["outcome"] for one in line.audits()[-1]["decisions"]} == {"ASK"}


def test_what_waits_alone_against_another_agencys_record_does_not_go_on_with_the_line() -> None:
    line = a_held_line().take(a_retraction("told", **STRANGER))
    line.resolve(line.reviews()[0], "REJECT")

    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT"]
    assert states(line)["back"] == "OPEN"


def test_a_protection_that_names_another_agencys_record_protects_at_once_and_changes_nothing_else() -> None:
    said = {"kind": "safe_address", "state": "set"}
    wrong = an_update("told", "p", event_type="control.protection", body=Body(), control=said, **STRANGER)
    line = ALine().take(on_roll(), an_event("told"), wrong, wrong, an_event("after"))

    assert [one.kind for one in line.facts().protections] == ["safe_address"]
    assert (line.facts().holds, states(line)) == (frozenset(), {})
    assert [one["outcome"] for one in line.audits()] == ["APPLIED", "DECIDED", "DECIDED", "DUPLICATE", "DECIDED"]
    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT", "CORRECTION", "ALERT"]


def test_to_have_spoken_of_a_child_before_lets_nobody_hold_its_line_with_anothers_record() -> None:
    stranger = {"producer": AgencyId("urn:100002"), "sector": Sector.SCHOOLS}
    line = ALine().take(on_roll(), an_event("told"), an_event("own", **stranger), a_retraction("told", **stranger))

    assert {one["producer"] for one in line.disclosures(SCHOOL)} == {"police:42", "urn:100002"}
    assert line.facts().holds == frozenset()


def test_what_is_held_in_one_record_of_a_child_waits_no_more_once_the_other_knows_that_it_is_over() -> None:
    line = ALine().take(on_roll(), an_event("e1"), an_event("e3"))
    line.take(an_event("nonsense", "control.protection"), an_update("e1", "e2"), an_event("waits"), child="c-loser")
    line.take(a_retraction("e1", "back-1"), a_retraction("nonsense", "back-2"))
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")

    assert states(line) == {"nonsense": "WITHDRAWN", "e2": "WITHDRAWN", "waits": "WITHDRAWN"}
    assert line.facts().holds == frozenset()
    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT", "ALERT", "RETRACTION", "ALERT"]


def test_what_another_agency_spoke_of_first_waits_for_a_person_though_a_later_version_comes() -> None:
    """Only a person says whose it is; else the record that it changes, on another line of the child, would stand beside it."""
    line = ALine().take(on_roll(), an_event("e1"), child="c-loser").take(a_retraction("e1", "theirs", **STRANGER))
    line.take(an_update("e1", "e2"), an_update("e2", "e3", body=LATER))
    assert states(line)["e2"] == "OPEN"

    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")
    line.resolve(next(one for one in line.reviews() if one["event_id"] == "e2"))
    assert [one.event_id for one in ledger.standing(line.facts()) if one.recipient == SCHOOL] == ["e3"]
