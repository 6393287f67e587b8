"""Who may answer a question about a child: not the one who gains by it, nor whom somebody excludes by now (R11, I10)."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.model.event import Body, Category, Event, Sector
from broker.core.model.identifiers import AgencyId, RecipientId
from broker.core.model.policy import Condition, Question
from broker.core.model.registers import Agency, Area, Registers
from broker.errors import NotPermittedError
from tests.stream.lines import (
    CHILD,
    GP,
    HUB,
    SCHOOL,
    ALine,
    a_policy,
    a_recipient,
    a_retraction,
    a_rule,
    an_event,
    at_practice,
    its_key,
    of_the_council,
    on_roll,
    some_registers,
)

AWAY = RecipientId("south-hub")
AWAY_COUNCIL: dict[str, Any] = {"producer": AgencyId("E10000099"), "sector": Sector.COUNCILS, "area": "E10000099"}
UNSURE = Condition(Question.ATTRIBUTE, name="seen_by_doctor", values=frozenset({"yes"}))


def registers_with_another_area() -> Registers:
    registers = some_registers(keys=map(its_key, ("police:42", HUB, SCHOOL, AWAY, "E10000099")))
    away = Agency(id=AgencyId("E10000099"), name="South", sector=Sector.COUNCILS, area="E10000099")
    hub = replace(a_recipient(AWAY, "hub", "la:E10000099", "E10000099"), area="E10000099")
    areas = {**registers.areas, "E10000099": Area(id="E10000099", name="South", hub=AWAY)}
    recipients = {**registers.recipients, AWAY: hub}
    return replace(registers, agencies={**registers.agencies, away.id: away}, recipients=recipients, areas=areas)


def an_asking_line(registers: Registers | None = None) -> ALine:
    known = frozenset({Category.EXISTENCE, Category.CONCERN})
    asks = a_rule("maybe", "gp", when=(*a_rule("x", "gp").when, UNSURE), categories=known)
    return ALine(a_policy(a_rule("school", "dsl"), asks), registers=registers).take(on_roll(), at_practice(), an_event())


def the(line: ALine, event_id: str) -> dict[str, Any]:
    return next(one for one in reversed(line.reviews()) if one["event_id"] == event_id)


@pytest.mark.parametrize("area", ["E10000099", "nowhere"])
def test_an_agency_does_not_choose_who_decides_about_its_word_against_another_agencys_record(area: str) -> None:
    """Where nobody knows where the child lives, an event could name its own council's hub, or one that is none."""
    line = ALine(registers=registers_with_another_area()).take(on_roll(), an_event())
    line.take(a_retraction("e1", **{**AWAY_COUNCIL, "area": area}))

    assert the(line, "back")["for_recipient"] == HUB, "the hub of whose record it is"
    for holder in (AWAY, "E10000099"):
        with pytest.raises(NotPermittedError):
            line.resolve(the(line, "back"), by=holder)
    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT"]


def test_an_event_that_names_an_area_that_nobody_knows_is_asked_of_its_publishers_own_hub() -> None:
    line = ALine().take(an_event("odd", "control.protection", area="nowhere"))

    assert the(line, "odd")["for_recipient"] == HUB


def test_nobody_lets_its_own_event_in_question_go_on() -> None:
    registers = replace(some_registers(keys=map(its_key, ("police:42",))), areas={})
    line = ALine(registers=registers).take(an_event("odd", "control.protection", body=Body()))
    review = the(line, "odd")
    assert review["for_recipient"] == "police:42", "there is no hub"

    with pytest.raises(NotPermittedError, match="its own event"):
        line.resolve(review, "LINK")
    line.resolve(review, "REJECT")
    assert line.facts().holds == frozenset()


def test_a_hub_that_somebody_excludes_by_now_decides_no_more_and_its_alternate_does() -> None:
    other = a_recipient(RecipientId("north-alternate"), "hub", "la:E10000030", "E10000030")
    registers = some_registers(keys=map(its_key, ("police:42", HUB, other.id)))
    hub = replace(registers.recipients[HUB], alternate=other.id)
    registers = replace(registers, recipients={**registers.recipients, HUB: hub, other.id: other})
    line = an_asking_line(registers).take(an_event("e2", excluded=(HUB,)))

    with pytest.raises(NotPermittedError, match="was not asked"):
        line.resolve(the(line, "e1"), by=HUB)
    line.resolve(the(line, "e1"), by=other.id)  # the holder was asked; the hub that answers for the child may decide
    assert [one["kind"] for one in line.disclosures(GP)] == ["ALERT"]


def test_what_an_excluded_hub_was_asked_goes_to_whoever_stands_in_with_what_that_one_may_see() -> None:
    other = a_recipient(RecipientId("north-alternate"), "hub", "la:E10000030", "E10000030")
    registers = some_registers(keys=map(its_key, ("police:42", HUB, other.id)))
    hub = replace(registers.recipients[HUB], alternate=other.id)
    registers = replace(registers, recipients={**registers.recipients, HUB: hub, other.id: other})
    doubtful = a_retraction("e1", "claim", producer=AgencyId("urn:100009"), sector=Sector.SCHOOLS)
    line = ALine(registers=registers).take(of_the_council(), an_event(), doubtful)
    before = {(one["event_id"], one["kind"], one["for_recipient"]) for one in line.reviews()}
    line.take(an_event("e2", excluded=(HUB,), body=Body()))

    after = {one["review_id"]: one for one in line.reviews()}
    assert {who for _, _, who in before} == {HUB}
    assert {one["for_recipient"] for one in after.values()} == {other.id}
    again = [one for one in after.values() if one["event_id"] in {"e1", "claim"}]
    assert {one["kind"] for one in again} == {"GAP", "HOLD"}
    assert all(one["state"] == "OPEN" and one["sealed_event"] and one["why"] for one in again)
    line.resolve(the(line, "claim"), "REJECT", by=other.id)
    assert the(line, "claim")["state"] == "RESOLVED"


@pytest.mark.parametrize(("excludes", "asks"), [(CHILD, "c-loser"), ("c-loser", CHILD)])
def test_a_merge_that_brings_an_exclusion_puts_what_was_asked_to_whoever_stands_in(excludes: str, asks: str) -> None:
    other = a_recipient(RecipientId("north-alternate"), "hub", "la:E10000030", "E10000030")
    registers = some_registers()
    hub = replace(registers.recipients[HUB], alternate=other.id)
    registers = replace(registers, recipients={**registers.recipients, HUB: hub, other.id: other})
    doubtful = a_retraction("e1", "claim", producer=AgencyId("urn:100009"), sector=Sector.SCHOOLS)
    line = ALine(registers=registers).take(of_the_council(), an_event(), doubtful, child=asks)
    line.take(of_the_council(), an_event("e2", excluded=(HUB,), body=Body()), child=excludes)
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")

    assert (the(line, "claim")["for_recipient"], the(line, "claim")["child_ref"]) == (other.id, CHILD)


def test_only_the_hub_grants_more_while_something_that_protects_the_child_is_in_question() -> None:
    """Who was asked before does not know of it."""
    line = an_asking_line().take(an_event("odd", "control.protection", body=Body()))
    asked = the(line, "e1")

    with pytest.raises(NotPermittedError, match="its hub decides"):
        line.resolve(asked)
    line.resolve(asked, "REJECT")
    assert line.disclosures(GP) == []


def a_yes(by: str, sector: Sector) -> Event:
    said = {"kind": "consent", "state": "given"}
    return an_event("yes", "control.consent", body=Body(), control=said, producer=AgencyId(by), sector=sector)


def test_a_yes_in_question_holds_nothing_up_for_it_keeps_nothing_back() -> None:
    no = an_event("no", "control.consent", body=Body(), control={"kind": "consent", "state": "refused"})
    line = ALine().take(on_roll(), no, a_yes("urn:100001", Sector.SCHOOLS), an_event())

    assert (the(line, "yes")["kind"], line.facts().holds) == ("HOLD", frozenset())
    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT"]
