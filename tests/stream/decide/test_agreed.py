"""A withdrawal reaches those who were told on the strength of the agreement, and nobody told on another ground (R4, I6, I7)."""

from dataclasses import replace
from typing import Any

import pytest

from broker import codec
from broker.core.model.event import Action, Body, Category, Event, Sector
from broker.core.model.identifiers import AgencyId, EventId
from broker.core.model.policy import Condition, Effect, Policy, Question, Rule
from tests.stream.lines import (
    CHILD,
    GP,
    HUB,
    SCHOOL,
    ALine,
    a_policy,
    a_protection,
    a_rule,
    an_event,
    an_update,
    at_practice,
    on_roll,
)

KNOWN = frozenset({Category.EXISTENCE, Category.CONCERN})
COUNCIL: dict[str, Any] = {"producer": AgencyId("E10000030"), "sector": Sector.COUNCILS}


def agreed(covers: frozenset[Category] = KNOWN) -> Condition:
    return Condition(Question.AGREEMENT, name="consent", values=frozenset({"given"}), covers=covers)


def by_agreement(name: str, to: str, categories: frozenset[Category] = KNOWN) -> Rule:
    plain = a_rule(name, to, categories=categories)
    return a_rule(name, to, categories=categories, when=(*plain.when, agreed(categories)), if_nobody="nothing")


def an_agreeing_policy() -> Policy:
    return a_policy(a_rule("school", "dsl"), by_agreement("doctor", "gp"), a_rule("answerable", "hub"))


def consent(name: str, state: str, **more: Any) -> Event:
    return an_event(name, "control.consent", body=Body(), control={"kind": "consent", "state": state, **more})


def harm(name: str = "harm", state: str = "made", kind: str = "significant_harm") -> Event:
    control = {"kind": kind, "state": state, "by_role": "social_worker"}
    return an_event(name, "control.finding", body=Body(), control=control, **COUNCIL)


def taken_back(of: str, name: str = "back") -> Event:
    return an_event(name, "control.consent", body=Body(), action=Action.RETRACT, supersedes=EventId(of))


def a_line(*policies: Policy) -> ALine:
    """Consent is given, and everybody is told: the doctor on the strength of it."""
    return ALine(*(policies or (an_agreeing_policy(),))).take(on_roll(), at_practice(), consent("yes", "given"), an_event())


def kinds(line: ALine, recipient: str) -> list[str]:
    return [one["kind"] for one in line.disclosures(recipient)]


@pytest.mark.parametrize("state", ["withdrawn", "refused"])
def test_a_withdrawal_reaches_who_was_told_on_the_strength_of_the_agreement_and_nobody_else(state: str) -> None:
    line = a_line().take(consent("no", state), an_event("e2"))

    first, second = line.disclosures(GP)
    assert (second["kind"], second["replaces"]) == ("RETRACTION", first["disclosure_id"])
    assert second["because"][0].startswith("The consent on which you were told this was withdrawn on ")
    assert second["because"][1:] == ["Stop using this.", "Keep no more of it than the law that binds you requires."]
    assert (second["event_type"], second["due_at"] is not None) == (first["event_type"], True)
    assert kinds(line, SCHOOL) == kinds(line, HUB) == ["ALERT", "ALERT"]


def test_a_withdrawal_is_told_once_and_kept_in_the_audit() -> None:
    line = a_line().take(consent("no", "withdrawn"), consent("again", "withdrawn"))

    assert kinds(line, GP) == ["ALERT", "RETRACTION"]
    (told,) = line.audits()[-2]["decisions"]
    assert (told["recipient"], told["disclosure_id"]) == (GP, line.disclosures(GP)[1]["disclosure_id"])


def test_a_withdrawal_reaches_who_was_told_whatever_their_role_is_by_now() -> None:
    gone = an_event(
        "moved",
        "health.gp.registered",
        body=Body(),
        control={"role": "gp", "organisation": "ods:B2", "state": "begun"},
        producer=AgencyId("ods:B2"),
        sector=Sector.HEALTH,
    )
    line = a_line().take(gone, consent("no", "withdrawn"))

    assert kinds(line, GP) == ["ALERT", "RETRACTION"]


@pytest.mark.parametrize("kind", ["significant_harm", "coercion"])
def test_a_withdrawal_alone_takes_nothing_back_where_significant_harm_is_likely(kind: str) -> None:
    """I6 three-fields; and once the finding ends, nothing holds up the withdrawal any more."""
    line = a_line().take(harm(kind=kind), consent("no", "withdrawn"))
    assert kinds(line, GP) == ["ALERT"]

    line.take(harm("ended", "withdrawn", kind))
    assert kinds(line, GP) == ["ALERT", "RETRACTION"]


def test_who_was_told_on_another_ground_as_well_keeps_that_and_deletes_the_rest() -> None:
    both = a_policy(
        a_rule("statute", "gp", categories=KNOWN), by_agreement("by-consent", "gp", frozenset({*KNOWN, Category.LOCATION}))
    )
    line = a_line(both).take(consent("no", "withdrawn"))

    _, second = line.disclosures(GP)
    assert second["kind"] == "CORRECTION"
    assert second["because"][1:] == [
        "In every copy of the earlier message, delete now: every place.",
        "Keep what else it says: concern.",
    ]
    assert kinds(line.take(consent("never", "refused")), GP) == ["ALERT", "CORRECTION"]


def test_what_a_consent_let_through_a_withhold_is_taken_back_with_it() -> None:
    keep = a_rule("confidence", "gp", effect=Effect.WITHHOLD, basis=None, unless=((agreed(frozenset()),),))
    line = a_line(a_policy(a_rule("doctor", "gp"), keep)).take(consent("no", "withdrawn"))

    assert kinds(line, GP) == ["ALERT", "RETRACTION"]


@pytest.mark.parametrize(
    ("scope", "heard"),
    [
        ({"recipients": [GP]}, ["ALERT", "RETRACTION"]),
        ({"recipients": ["gp"]}, ["ALERT", "RETRACTION"]),
        ({"recipients": [SCHOOL]}, ["ALERT"]),
        ({"categories": ["existence", "concern", "wish"]}, ["ALERT", "RETRACTION"]),
        ({"categories": ["wish"]}, ["ALERT"]),
    ],
)
def test_a_withdrawal_in_a_scope_reaches_as_far_as_the_rules_that_asked_for_it(scope: dict[str, Any], heard: list[str]) -> None:
    assert kinds(a_line().take(consent("no", "withdrawn", **scope)), GP) == heard


def test_a_consent_that_was_recorded_in_error_is_taken_back_from_who_was_told_on_its_strength() -> None:
    line = a_line().take(taken_back("yes"))

    assert kinds(line, GP) == ["ALERT", "RETRACTION"]
    assert line.disclosures(GP)[1]["because"][0] == "The agreement on which you were told this was recorded in error."


def test_of_a_consent_that_was_given_twice_one_may_be_taken_back() -> None:
    line = a_line().take(consent("yes-again", "given"), taken_back("yes-again"))

    assert kinds(line, GP) == ["ALERT"]


def test_a_consent_that_ran_out_by_its_own_date_takes_nothing_back() -> None:
    line = ALine(an_agreeing_policy()).take(on_roll(), at_practice(), consent("yes", "given", until="2026-09-22"), an_event())
    assert kinds(line, GP) == ["ALERT"]
    late = {"kind": "EVENT", "child_ref": CHILD, "event": codec.encode_event(harm("later", "withdrawn"))}
    value = codec.encode("subject_record", late)
    line.feed_record(line.record(value, CHILD.encode(), timestamp=line.log[-1].timestamp + 90 * 24 * 3_600_000))

    assert kinds(line, GP) == ["ALERT"]


def test_a_later_version_under_the_same_consent_ends_with_it_too() -> None:
    line = a_line().take(an_update("e1", "e2", body={"concern": {"grade": "low"}}), consent("no", "withdrawn"))

    assert kinds(line, GP) == ["ALERT", "CORRECTION", "RETRACTION"]


def test_two_records_of_one_child_share_a_withdrawal() -> None:
    line = a_line().take(on_roll("urn:100001", "roll-2"), consent("no", "withdrawn"), child="c-loser")
    line.feed({"kind": "HANDOVER", "child_ref": "c-child"}, key=b"c-loser")

    assert kinds(line, GP) == ["ALERT", "RETRACTION"]


def test_a_later_version_stands_on_the_grounds_on_which_it_goes() -> None:
    """It says the same as the one before it, which went because harm was likely; this one goes by consent alone."""
    keep = a_rule("confidence", "gp", effect=Effect.WITHHOLD, basis=None)
    unless = ((agreed(frozenset()),), (Condition(Question.FINDING, values=frozenset({"significant_harm"})),))
    line = ALine(a_policy(a_rule("doctor", "gp"), replace(keep, unless=unless)))
    line.take(at_practice(), consent("yes", "given"), harm(), an_event(), harm("over", "withdrawn"), an_update("e1", "e2"))
    assert kinds(line, GP) == ["ALERT"]

    assert kinds(line.take(consent("no", "withdrawn")), GP) == ["ALERT", "RETRACTION"]


def test_a_merge_that_brings_a_protection_and_a_withdrawal_says_both_in_one_message() -> None:
    line = a_line().take(a_protection(), consent("no", "withdrawn"), child="c-loser")
    line.feed({"kind": "HANDOVER", "child_ref": "c-child"}, key=b"c-loser")

    assert kinds(line, GP) == ["ALERT", "RETRACTION"]
    assert kinds(line, SCHOOL) == ["ALERT", "CORRECTION"]
