"""Nobody takes back, changes or silences what another agency said, whether it came already or not (I10, I7)."""

import pytest

from broker.core.model.event import Body, Event, Sector
from broker.core.model.identifiers import AgencyId, EventId
from tests.stream.lines import (
    GP,
    HUB,
    POLICE_DESK,
    SCHOOL,
    ALine,
    a_retraction,
    an_event,
    an_update,
    at_practice,
    on_roll,
)  # fmt: skip

STRANGER = {"producer": AgencyId("ods:A1"), "sector": Sector.HEALTH}


def kinds(line: ALine, recipient: str) -> list[str]:
    return [one["kind"] for one in line.disclosures(recipient)]


def outcomes(line: ALine) -> list[str]:
    return [one["outcome"] for one in line.audits()]


def test_what_was_only_applied_cannot_be_taken_back_by_another_agency() -> None:
    """A registration is sent to nobody, so that the ledger has no line of it."""
    line = ALine().take(on_roll(), a_retraction("roll", **STRANGER))

    assert outcomes(line) == ["APPLIED", "IN_REVIEW"]
    assert [(one.organisation, one.until) for one in line.facts().connections] == [("urn:100001", None)]


def test_what_was_only_applied_cannot_be_changed_by_another_agency() -> None:
    line = ALine().take(on_roll(), an_update("roll", "other", body=Body(), **STRANGER))

    assert outcomes(line) == ["APPLIED", "IN_REVIEW"]


@pytest.mark.parametrize("silence", [a_retraction("e1", "early", **STRANGER), an_update("e1", "early", **STRANGER)])
def test_an_alert_comes_through_whatever_another_agency_said_of_it_before_it_came(silence: Event) -> None:
    line = ALine().take(on_roll(), at_practice(), silence, an_event("e1"))

    assert line.audits()[-1]["outcome"] == "DECIDED"
    assert "police:42" in [one["producer"] for one in line.disclosures(SCHOOL)]


def test_its_own_agency_still_cancels_an_event_before_it_comes() -> None:
    line = ALine().take(on_roll(), a_retraction("e1"), an_event("e1"))

    assert kinds(line, SCHOOL) == []


def test_a_retraction_that_names_its_own_event_and_anothers_takes_back_only_its_own() -> None:
    """What was checked and what is taken back are the same event."""
    both = {"supersedes": EventId("mine"), "control": {"kind": "retraction", "concerns_event": "roll"}}
    line = ALine().take(on_roll(), an_event("back", "control.retraction", body=Body(), **both, **STRANGER))

    assert line.facts().connections[0].event_id == "roll"


def test_nobody_silences_an_alert_by_using_its_id_first() -> None:
    """Ids are made from an agency's own record numbers, which others can guess."""
    line = ALine().take(on_roll(), an_event("e1", **STRANGER), an_event("e1"), an_event("e1"))

    assert [one["producer"] for one in line.disclosures(SCHOOL)] == ["ods:A1", "police:42"]
    assert len({one["disclosure_id"] for one in line.disclosures(SCHOOL)}) == 2
    assert outcomes(line)[-1] == "DUPLICATE", "the same event again is known again"
    assert "e1" in line.audits()[-2]["concerns"], "whoever asks for it by its own id finds it"


@pytest.mark.parametrize("of", ["police:42", "ods:A1"])
def test_each_agency_takes_back_its_own_of_two_events_with_one_id(of: str) -> None:
    by = {} if of == "police:42" else STRANGER
    line = ALine().take(on_roll(), an_event("e1", **STRANGER), an_event("e1"), a_retraction("e1", **by))

    (gone,) = [one["replaces"] for one in line.disclosures(SCHOOL) if one["kind"] == "RETRACTION"]
    assert [one["producer"] for one in line.disclosures(SCHOOL) if one["disclosure_id"] == gone] == [of]
    states = {one.producer: one.state for one in line.facts().ledger if one.recipient == SCHOOL and one.kind == "ALERT"}
    assert sorted(name for name, state in states.items() if state == "retracted") == [of]


def test_a_later_version_of_an_event_whose_id_another_used_corrects_it() -> None:
    line = ALine().take(
        on_roll(), an_event("e1", **STRANGER), an_event("e1"), an_update("e1", "e2", body=Body(concern={"grade": "low"}))
    )

    assert kinds(line, SCHOOL) == ["ALERT", "ALERT", "CORRECTION"]


def test_an_id_used_for_another_child_hides_no_gap_from_a_hub() -> None:
    """A hub's desk shows a disclosure id once: two messages may not share one."""
    line = ALine().take(an_event("e1", **STRANGER), child="c-other").take(an_event("e1"))

    gaps = [one["disclosure_id"] for one in line.disclosures(HUB) if one["kind"] == "GAP"]
    assert len(gaps) == len(set(gaps)) == 2


def test_an_id_used_for_another_child_takes_no_question_away_from_a_hub() -> None:
    """A review is found by its id alone: another's of the same id would stand in its place, and its event would wait for ever."""
    held = an_event("e1", "control.finding", control={"kind": "detriment", "state": "made"})
    line = ALine().take(held, child="c-other").take(an_event("e1", "control.finding", control=held.control, **STRANGER))

    assert [one["kind"] for one in line.reviews()] == ["HOLD", "HOLD"]
    assert len({one["review_id"] for one in line.reviews()}) == 2


def test_who_spoke_by_mistake_hears_no_outcome() -> None:
    """The first referrer's event was about another child: what came of the matter is none of its business."""
    line = ALine().take(on_roll(), at_practice(), an_event("e1"), an_event("e2", **STRANGER), a_retraction("e1"))
    told = next(one for one in line.disclosures(GP) if one["producer"] == "ods:A1")
    line.receipt(told, "OUTCOME", "assessment")

    assert kinds(line, POLICE_DESK) == []
