"""What goes back to who referred (R22), on the shipped rules: that it arrived, what came of it, and when that was put right."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.account.tell import tell
from broker.core.line.feedback import note_may_go
from broker.core.model.event import Category
from broker.policyfile import load_policy
from tests.stream.england import CONCERN, DSL, FORCE, HOME, HUB, NOTICE, OTHER_SCHOOL, SCHOOL, TRUST, a_child, says
from tests.stream.lines import NOW, ALine

INJURY, RECEIVED, OUTCOME = "health.injury.suspected", "council.referral.received", "council.referral.outcome"
HOSPITAL = "hospital.trust"


def its(line: ALine, recipient: str, event_type: str) -> dict[str, Any]:
    """The newest that a recipient was told of an event type."""
    return [one for one in line.disclosures(recipient) if one["event_type"] == event_type][-1]


def heard(line: ALine, recipient: str) -> list[tuple[str, str, str]]:
    """What came back to a recipient: its kind, of which type, and the decision in it."""
    back = [one for one in line.disclosures(recipient) if one["event_type"] in (RECEIVED, OUTCOME)]
    return [(one["kind"], one["event_type"], (one["concern"] or {}).get("decision") or "") for one in back]


@pytest.mark.parametrize("state", ["READ", "ACTED"])
def test_who_referred_hears_once_that_somebody_who_answers_for_it_has_it(state: str) -> None:
    line = a_child(says(SCHOOL, CONCERN))
    assert heard(line, DSL) == []

    line.receipt(its(line, HUB, CONCERN), "DELIVERED").receipt(its(line, HUB, CONCERN), state)
    line.receipt(its(line, HUB, CONCERN), "ACTED")
    assert heard(line, DSL) == [("OUTCOME", RECEIVED, "")]
    assert its(line, DSL, RECEIVED)["producer"] == HOME


@pytest.mark.parametrize(
    ("reference", "kept"),
    [("C-71-00233", "C-71-00233"), (None, None), ("about Alfie Marsh", None), ("Alfie 2015\nMarsh", None)],
    ids=["a code", "none", "words", "lines"],
)
def test_who_referred_hears_by_its_own_event_and_reference_which_child_is_meant(reference: str | None, kept: str | None) -> None:
    """With two concerns in a day it could not tell: the pseudonym was never shown to it with a name."""
    concern = says(SCHOOL, CONCERN)
    concern = replace(concern, body={**concern.body, "concern": {"codes": [], "reference": reference}})
    line = a_child(concern)
    hub = its(line, HUB, CONCERN)
    line.receipt(hub, "READ").receipt(hub, "OUTCOME", "assessment").receipt(hub, "OUTCOME", "section_47")

    back = [one for one in line.disclosures(DSL) if one["event_type"] in (RECEIVED, OUTCOME)]
    assert [one["kind"] for one in back] == ["OUTCOME", "OUTCOME", "CORRECTION"]
    assert {(one["answers"], one["own_reference"]) for one in back} == {(concern.header.event_id, kept)}
    others = [one for one in line.disclosures(HUB) if one["answers"] or one["own_reference"]]
    assert others == [], "it is the referrer's own, and nobody else's"
    assert (kept or concern.header.event_id) in dict(tell(back[0]))["you said"]


def test_what_comes_of_a_referral_waits_while_the_childs_line_is_held_and_reaches_who_referred_then() -> None:
    odd = says(FORCE, "control.protection", {"kind": "nonsense", "state": "set"})
    concern = says(SCHOOL, CONCERN)
    line = a_child(concern, odd)
    line.receipt(its(line, HUB, CONCERN), "OUTCOME", "section_47")
    assert heard(line, DSL) == []

    line.resolve(next(one for one in line.reviews() if one["event_id"] == odd.header.event_id), "REJECT")
    assert [(event_type, decision) for _, event_type, decision in heard(line, DSL)] == [(OUTCOME, "section_47")]
    assert its(line, DSL, OUTCOME)["answers"] == concern.header.event_id


def test_a_note_goes_to_who_referred_only_where_a_rule_gives_them_the_account() -> None:
    shipped = load_policy()
    to_referrer = next(rule for rule in shipped.rules if rule.id == "referral-outcome-to-referrer")
    wider = replace(to_referrer, categories=to_referrer.categories | {Category.NARRATIVE})
    others = tuple(rule for rule in shipped.rules if rule is not to_referrer)

    assert [note_may_go(replace(shipped, rules=(*others, rule))) for rule in (to_referrer, wider)] == [False, True]


def test_a_school_that_reads_a_notice_acknowledges_nothing_to_the_force() -> None:
    """It was told to know, not to answer for it: who reads what is not the force's to know."""
    line = a_child(says(FORCE, NOTICE))
    line.receipt(its(line, DSL, NOTICE), "READ")

    assert heard(line, "police_desk.home") == []


def test_who_heard_only_that_nobody_could_be_told_acknowledges_nothing_and_answers_nothing() -> None:
    left = says(SCHOOL, "school.pupil.left", {"role": "school", "organisation": SCHOOL, "state": "ended"})
    line = a_child(left)
    line.ring(NOW + 400 * 24 * 3600 * 1000)
    line.take(says(FORCE, NOTICE))
    gap = its(line, HUB, NOTICE)
    assert gap["kind"] == "GAP"

    line.receipt(gap, "READ").receipt(gap, "OUTCOME", "no_further_action")
    assert heard(line, "police_desk.home") == []
    assert set(line.facts().matters.values()) == {""}


def test_each_referral_is_a_matter_of_its_own_with_its_own_referrer() -> None:
    line = a_child(says(SCHOOL, CONCERN), says(TRUST, INJURY))
    line.receipt(its(line, HUB, INJURY), "OUTCOME", "section_47")

    assert heard(line, HOSPITAL) == [("OUTCOME", OUTCOME, "section_47")]
    assert heard(line, DSL) == [], "what came of the hospital's referral is not the school's"
    assert sorted(map(bool, line.facts().matters.values())) == [False, True], "the school's is open"


def test_what_somebody_did_with_a_message_that_referred_nothing_is_nobodys_to_hear() -> None:
    plan = says(HOME, "council.cp_plan.started")
    line = a_child(says(TRUST, INJURY), plan)
    line.receipt(its(line, DSL, "council.cp_plan.started"), "OUTCOME", "help_offered")

    assert heard(line, HOSPITAL) == []


def test_an_outcome_of_who_does_not_answer_for_it_is_heard_and_closes_nothing() -> None:
    line = a_child(says(FORCE, NOTICE))
    line.receipt(its(line, DSL, NOTICE), "OUTCOME", "help_offered")

    assert heard(line, "police_desk.home") == [("OUTCOME", OUTCOME, "help_offered")]
    assert set(line.facts().matters.values()) == {""}


def test_an_outcome_that_changed_corrects_what_the_referrer_was_told() -> None:
    line = a_child(says(SCHOOL, CONCERN))
    hub = its(line, HUB, CONCERN)
    for said in ("no_further_action", "no_further_action", "assessment", "section_47"):
        line.receipt(hub, "OUTCOME", said)

    assert heard(line, DSL) == [
        ("OUTCOME", OUTCOME, "no_further_action"),
        ("CORRECTION", OUTCOME, "assessment"),
        ("CORRECTION", OUTCOME, "section_47"),
    ]
    told = [one for one in line.disclosures(DSL) if one["event_type"] == OUTCOME]
    assert [one["replaces"] for one in told] == [None, told[0]["disclosure_id"], told[1]["disclosure_id"]]
    assert [one["outcome"] for one in line.audits()[-4:]] == ["DECIDED", "DUPLICATE", "DECIDED", "DECIDED"]
    assert len(set(line.facts().matters.values())) == 1


def test_an_outcome_that_comes_late_does_not_take_the_place_of_a_later_one() -> None:
    line = a_child(says(SCHOOL, CONCERN))
    hub = its(line, HUB, CONCERN)
    line.receipt(hub, "OUTCOME", "section_47").receipt(hub, "OUTCOME", "assessment", said_at=NOW - 1)

    assert heard(line, DSL) == [("OUTCOME", OUTCOME, "section_47")]


def test_a_clock_that_is_ahead_does_not_keep_an_outcome_from_being_put_right() -> None:
    line = a_child(says(SCHOOL, CONCERN))
    hub = its(line, HUB, CONCERN)
    line.receipt(hub, "OUTCOME", "assessment", said_at=NOW * 2).receipt(hub, "OUTCOME", "section_47", said_at=NOW + 3_600_000)

    assert heard(line, DSL)[-1] == ("CORRECTION", OUTCOME, "section_47")


def test_a_council_that_says_which_referral_is_heard_by_that_ones_referrer() -> None:
    concern, injury = says(SCHOOL, CONCERN), says(TRUST, INJURY)
    decided = says(HOME, "council.referral.decided", {"concerns_event": concern.header.event_id})
    line = a_child(concern, injury, decided)
    both = a_child(concern, injury, says(HOME, "council.referral.decided"))

    told = [
        {one["recipient"] for one in each.disclosures() if one["event_type"] == "council.referral.decided"}
        for each in (line, both)
    ]
    assert [one & {DSL, HOSPITAL} for one in told] == [{DSL}, {DSL, HOSPITAL}], "whoever waits hears what is not said of one"


def test_nobody_refers_a_child_to_hear_what_comes_of_anothers_referral() -> None:
    """An abuser at some other school could: it hears of its own referral, once that is named."""
    stranger, decided = says(OTHER_SCHOOL, CONCERN), says(HOME, "council.referral.decided")
    named = says(HOME, "council.referral.decided", {"concerns_event": stranger.header.event_id})
    line = a_child(says(TRUST, INJURY), says(SCHOOL, CONCERN), stranger, decided)
    told = {one["recipient"] for one in line.disclosures() if one["event_type"] == "council.referral.decided"}
    assert {DSL, HOSPITAL} <= told
    assert "dsl.other_school" not in told

    line.take(named)
    assert line.disclosures("dsl.other_school")[-1]["event_type"] == "council.referral.decided"
    assert "dsl.other_school" in {one["recipient"] for one in a_child(stranger, decided).disclosures()}, "alone, it is meant"


@pytest.mark.parametrize("kind", ["safe_address", "identity_changed"])
def test_who_referred_learns_nothing_by_an_answer_that_is_kept_from_it(kind: str) -> None:
    """I4, I8: who has the referral now would say where the child went."""
    line = a_child(says(HOME, "control.protection", {"kind": kind, "state": "set"}), says(SCHOOL, CONCERN))
    line.receipt(its(line, HUB, CONCERN), "READ").receipt(its(line, HUB, CONCERN), "OUTCOME", "assessment")

    back = [one for one in line.disclosures(DSL) if one["event_type"] in (RECEIVED, OUTCOME)]
    assert (kind == "identity_changed") == (not back)
    assert not any(HOME in repr({name: value for name, value in one.items() if name != "token"}) for one in back)
