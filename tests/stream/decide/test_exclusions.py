"""Whom a publisher excludes for a child hears nothing more about it, whoever speaks, until that is taken back (R11)."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.model.event import Action, Body, Control, Event, Sector
from broker.core.model.facts import Exclusion
from broker.core.model.identifiers import AgencyId, RecipientId
from broker.core.model.registers import Registers
from tests.stream import england as claims
from tests.stream.decide.test_shown import seen
from tests.stream.lines import (
    CHILD,
    GP,
    HUB,
    OUTCOME,
    POLICE_DESK,
    SCHOOL,
    ALine,
    a_policy,
    a_recipient,
    a_retraction,
    a_rule,
    an_event,
    an_update,
    at_practice,
    its_key,
    of_the_council,
    on_roll,
    some_registers,
)  # fmt: skip

DEPUTY = RecipientId("oak-deputy")
LOW: Body = {"concern": {"grade": "low"}}
FROM_SCHOOL: dict[str, Any] = {"producer": AgencyId("urn:100001"), "sector": Sector.SCHOOLS}


def registers_with_a_deputy() -> Registers:
    registers = some_registers(keys=map(its_key, ("police:42", HUB, SCHOOL)))
    deputy = a_recipient(DEPUTY, "deputy", "urn:100001", "urn:100001")
    lead = replace(registers.recipients[SCHOOL], alternate=DEPUTY)
    return replace(registers, recipients={**registers.recipients, SCHOOL: lead, DEPUTY: deputy})


def a_line() -> ALine:
    return ALine(registers=registers_with_a_deputy()).take(on_roll(), at_practice())


def kinds(line: ALine, recipient: str) -> list[str]:
    return [one["kind"] for one in line.disclosures(recipient)]


def test_a_later_event_of_another_agency_goes_to_the_alternate_in_the_same_shape() -> None:
    line = a_line().take(an_event("e1"), an_event("e2", excluded=(SCHOOL,)))
    line.take(an_event("e3", producer=AgencyId("ods:A1"), sector=Sector.HEALTH))

    assert kinds(line, SCHOOL) == ["ALERT"]
    assert kinds(line, DEPUTY) == ["ALERT", "ALERT"]
    lead, deputy = line.disclosures(SCHOOL)[0], line.disclosures(DEPUTY)[1]
    assert {name for name, value in lead.items() if value} == {name for name, value in deputy.items() if value}
    assert (lead["concern"], lead["location"]) == (deputy["concern"], deputy["location"])


def test_a_correction_of_what_came_before_goes_to_the_alternate_and_the_excluded_only_hears_to_stop() -> None:
    line = a_line().take(an_event("e1"), an_event("e2", excluded=(SCHOOL,)), an_update("e1", "e3", body=LOW))

    assert kinds(line, SCHOOL) == ["ALERT", "RETRACTION"]
    assert line.disclosures(SCHOOL)[1]["concern"] is None
    assert [one["event_type"] for one in line.disclosures(DEPUTY)] == ["police.encompass.notified"] * 2


def test_a_first_speaker_whom_another_excludes_hears_no_outcome() -> None:
    line = a_line().take(
        an_event("e1"), an_event("e2", producer=AgencyId("ods:A1"), sector=Sector.HEALTH, excluded=(POLICE_DESK,))
    )
    line.receipt(line.disclosures(HUB)[0], "OUTCOME", "assessment")
    line.take(an_event("e3", OUTCOME, producer=AgencyId("E10000030"), sector=Sector.COUNCILS))

    assert kinds(line, POLICE_DESK) == []


def test_a_hub_that_a_later_event_excludes_hears_no_escalation_of_an_earlier_one() -> None:
    registers = some_registers(keys=map(its_key, ("police:42", HUB, SCHOOL)))
    with_duty = {name: replace(area, out_of_hours=POLICE_DESK) for name, area in registers.areas.items()}
    policy = a_policy(a_rule("school", "dsl", clock="1_working_day"))
    line = ALine(policy, registers=replace(registers, areas=with_duty)).take(on_roll(), an_event())
    due = line.disclosures(SCHOOL)[0]["due_at"]
    line.take(an_event("e2", excluded=(HUB,)))
    line.ring(due)

    assert line.disclosures(HUB) == []


def test_a_gap_is_filled_past_whom_a_later_event_excludes() -> None:
    line = ALine(registers=registers_with_a_deputy()).take(of_the_council(), an_event("e1"))
    line.take(an_event("e2", "control.consent", body=Body(), control={"state": "given"}, excluded=(SCHOOL,)), on_roll())

    assert (kinds(line, SCHOOL), kinds(line, DEPUTY)) == ([], ["ALERT"])


def test_an_exclusion_ends_when_its_event_is_taken_back_or_a_later_version_drops_it() -> None:
    back = a_line().take(an_event("e1", excluded=(SCHOOL,)), a_retraction("e1"), an_event("e2"))
    dropped = a_line().take(an_event("e1", excluded=(SCHOOL,)), an_update("e1", "e2", body=LOW), an_event("e3"))
    kept = a_line().take(an_event("e1", excluded=(SCHOOL,)), an_update("e1", "e2", body=LOW, excluded=(SCHOOL,)), an_event("e3"))

    assert kinds(back, SCHOOL) == ["ALERT"]
    assert kinds(dropped, SCHOOL) == ["ALERT", "ALERT"]
    assert kinds(kept, SCHOOL) == []


def test_what_two_agencies_exclude_stays_excluded_when_one_takes_its_word_back() -> None:
    line = a_line().take(an_event("e1", excluded=(SCHOOL,)), an_event("e2", excluded=(SCHOOL,), **FROM_SCHOOL))
    line.take(a_retraction("e1"), an_event("e3"))

    assert kinds(line, SCHOOL) == []
    (left,) = line.facts().exclusions
    assert (left.recipient, left.by, left.event_id) == (SCHOOL, "urn:100001", "e2")
    assert isinstance(left, Exclusion)


def test_an_exclusion_in_an_event_that_the_policy_does_not_know_holds_as_well() -> None:
    line = a_line().take(an_event("e1", "what.is.this", excluded=(SCHOOL,)), an_event("e2"))

    assert (kinds(line, SCHOOL), kinds(line, DEPUTY)) == ([], ["ALERT"])


def test_a_merged_record_brings_its_exclusions_along() -> None:
    line = a_line()
    line.take(of_the_council(), an_event("e1", excluded=(SCHOOL,)), child="c-loser")
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")
    line.take(an_event("e2"))

    assert (kinds(line, SCHOOL), kinds(line, GP)) == ([], ["ALERT"])


def test_who_stands_in_at_the_hub_reads_whom_to_ask_about_a_protected_child() -> None:
    excluding = claims.says(claims.HOME, "control.exclusion", excluded=(RecipientId(claims.HUB),))
    line = claims.a_child(claims.SAFE, excluding, claims.says(claims.SCHOOL, claims.CONCERN))

    assert claims.reads_school(line, "hub-alternate.home")
    assert line.disclosures(claims.HUB) == []


def test_by_one_alert_nobody_silences_everybody_who_protects_the_child() -> None:
    """What it tells does not wait; that nobody may hear what others say is for a person to see first."""
    everybody = tuple(
        RecipientId(one)
        for one in (claims.HUB, "hub-alternate.home", claims.DUTY, claims.DSL, "dsl-alternate.school", claims.TEAM)
    )
    alert = claims.says(claims.OTHER_SCHOOL, claims.CONCERN, excluded=everybody)
    line = claims.a_child(alert, claims.says(claims.FORCE, claims.POLICE_PROTECTION), claims.says(claims.FORCE, claims.NOTICE))

    assert claims.told(line, claims.CONCERN) == set(), "of its own word it says itself who hears"
    assert {claims.HUB, claims.DUTY} <= claims.told(line, claims.POLICE_PROTECTION)
    assert claims.DSL in claims.told(line, claims.NOTICE)
    (asked,) = [one for one in line.reviews() if one["kind"] == "HOLD"]
    assert (asked["for_recipient"], asked["event_type"]) == (claims.JUDGE, "control.exclusion")

    line.resolve(asked, "LINK")
    assert {one.recipient for one in line.facts().exclusions} == set(everybody), "a person may say that it holds"
    line.take(claims.says(claims.OTHER_SCHOOL, claims.CONCERN, action=Action.RETRACT, supersedes=alert.header.event_id))
    assert line.facts().exclusions == (), "until its agency takes back what it said"


def test_who_knows_the_child_excludes_a_desk_for_what_others_say_too_as_long_as_somebody_at_the_hub_hears() -> None:
    own = claims.a_child(
        claims.says(claims.SCHOOL, claims.CONCERN, excluded=(RecipientId(claims.DSL),)), claims.says(claims.FORCE, claims.NOTICE)
    )
    all_of_the_hub = tuple(RecipientId(one) for one in (claims.HUB, "hub-alternate.home", claims.DUTY))
    hub = claims.a_child(
        claims.says(claims.SCHOOL, claims.CONCERN, excluded=all_of_the_hub), claims.says(claims.FORCE, claims.POLICE_PROTECTION)
    )

    assert claims.told(own, claims.NOTICE) == {"dsl-alternate.school"}
    assert {claims.HUB, claims.DUTY} <= claims.told(hub, claims.POLICE_PROTECTION)


REFUGE: Control = {"kind": "safe_address", "state": "set"}
AT_THE_HUB = (claims.HUB, "hub-alternate.home", claims.DUTY)


@pytest.mark.parametrize(
    ("by", "excluded"),
    [
        (claims.AWAY, (claims.HUB, claims.DUTY, claims.TEAM)),
        (claims.AWAY, AT_THE_HUB),
        (claims.FORCE, AT_THE_HUB),
        (claims.FORCE, ("nobody.known",)),
    ],
    ids=["a refuge's council", "everybody at the hub", "by who knows the child", "nobody whom the registers hold"],
)
def test_whom_a_protection_excludes_does_not_make_the_protection_wait(by: str, excluded: tuple[str, ...]) -> None:
    """R10: what hides where a child is counts at once. Whom it keeps out of all that others say is a question of its own."""
    named = tuple(map(RecipientId, excluded))
    line = claims.a_child(claims.says(by, "control.protection", REFUGE, excluded=named))

    assert [one.kind for one in line.facts().protections] == ["safe_address"]
    (asked,) = line.reviews()
    assert (asked["kind"], asked["event_type"]) == ("HOLD", "control.exclusion")
    assert line.facts().exclusions == ()
    assert line.facts().holds == frozenset(), "nothing else waits for it"


def test_whom_a_protection_excludes_is_kept_out_once_a_person_has_said_so_and_until_the_event_is_taken_back() -> None:
    named = tuple(map(RecipientId, AT_THE_HUB))
    hides = claims.says(claims.AWAY, "control.protection", REFUGE, excluded=named)
    line = claims.a_child(hides)
    line.resolve(line.reviews()[0])
    assert {one.recipient for one in line.facts().exclusions} == set(named)

    line.take(claims.says(claims.AWAY, "control.protection", action=Action.RETRACT, supersedes=hides.header.event_id))
    assert line.facts().exclusions == ()


def test_a_place_is_hidden_from_the_hub_at_once_that_a_refuges_council_excludes() -> None:
    """Whoever stands in for it is asked about the refuge council's enquiry, and reads no place in it."""
    excluded = (RecipientId(claims.HUB), RecipientId(claims.DUTY))
    hides = claims.says(claims.AWAY, "control.protection", REFUGE, excluded=excluded)
    enquiry = claims.says(claims.AWAY, "council.s47.started")
    enquiry = replace(enquiry, body={**enquiry.body, "location": {"postcode": "TM1 2AB", "location_ref": "refuge-7"}})
    line = claims.a_child(hides, enquiry)

    assert [(one["event_type"], one["for_recipient"]) for one in line.reviews()] == [
        ("control.exclusion", "hub-alternate.home"),
        ("council.s47.started", "hub-alternate.home"),
    ]
    assert "TM1 2AB" not in repr(seen(line, "HOLD"))


def a_notice_about(role: str, organisation: str) -> Event:
    people = [{"role": role, "relation": None, "organisation": organisation, "identifiers": []}]
    return an_event("e1", body=Body(concern={"grade": "high"}, third_party={"people": people}))


@pytest.mark.parametrize("role", ["suspect", "father", "other"])
def test_where_somebody_whom_it_names_works_its_alternate_hears_instead(role: str) -> None:
    line = a_line().take(a_notice_about(role, "urn:100001"), an_event("e2"))

    assert kinds(line, SCHOOL) == []
    assert kinds(line, DEPUTY) == ["ALERT", "ALERT"]


@pytest.mark.parametrize("written", ["URN:100001", " urn:100001 "])
def test_however_its_publisher_writes_where_that_is(written: str) -> None:
    """People type it, and it is compared with nothing that a publisher is refused by: the school where he works heard."""
    assert kinds(a_line().take(a_notice_about("father", written)), SCHOOL) == []


@pytest.mark.parametrize(("role", "organisation"), [("referrer", "urn:100001"), ("worker", "urn:100001"), ("father", "urn:999")])
def test_who_is_named_for_their_work_or_works_elsewhere_keeps_nobody_out(role: str, organisation: str) -> None:
    assert kinds(a_line().take(a_notice_about(role, organisation)), SCHOOL) == ["ALERT"]


def test_a_hub_that_nobody_can_stand_in_for_goes_on_to_hear() -> None:
    line = a_line().take(a_notice_about("father", "E10000030"))

    assert line.facts().exclusions == ()


@pytest.mark.parametrize("control", [None, {"recipients": [claims.HUB]}], ids=["nowhere", "in another field"])
def test_an_exclusion_that_names_nobody_is_a_question_and_not_taken_in_silence(control: Control | None) -> None:
    """Whoever sent it believes that somebody is kept out, and nobody was."""
    line = claims.a_child(claims.says(claims.HOME, "control.exclusion", control))

    (asked,) = line.reviews()
    assert (asked["kind"], asked["event_type"]) == ("HOLD", "control.exclusion")
    assert "names nobody in `excluded`" in asked["why"]
    assert line.facts().holds == frozenset(), "it keeps nothing back, so nothing waits for it"


def test_a_later_version_of_an_exclusion_lets_go_of_whom_it_names_no_more() -> None:
    said = claims.says(claims.HOME, "control.exclusion", excluded=(RecipientId(claims.TEAM),))
    again = claims.says(claims.HOME, "control.exclusion", action=Action.UPDATE, supersedes=said.header.event_id)
    line = claims.a_child(said, again)

    assert line.facts().exclusions == ()
    assert line.reviews() == []
