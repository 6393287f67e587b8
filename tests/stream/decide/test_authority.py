"""A control event that is not whole, or not for its sender to say, changes nothing until a person has looked at it (I3, I10)."""

from typing import Any

import pytest

from broker.core.model.event import Body, Category, Event, Sector
from broker.core.model.identifiers import AgencyId
from broker.core.model.policy import Condition, Effect, Question
from tests.stream.lines import NOTICE, SCHOOL, ALine, a_policy, a_rule, an_event, at_practice, on_roll

OAK = {"producer": AgencyId("urn:100001"), "sector": Sector.SCHOOLS}
POLICE: dict[str, Any] = {}
KEPT = a_rule(
    "detriment", "dsl", effect=Effect.WITHHOLD, categories=frozenset(Category), basis=None,
    when=(Condition(Question.EVENT, values=frozenset({NOTICE})), Condition(Question.FINDING, values=frozenset({"detriment"}))),
)  # fmt: skip
RELEASE = Condition(Question.FINDING, values=frozenset({"originator_release"}))
RELEASED = a_rule("released", "dsl", when=(Condition(Question.EVENT, values=frozenset({NOTICE})), RELEASE))
DETRIMENT = {"kind": "detriment", "state": "made", "by_role": "social_worker", "recipients": ["dsl"]}


def a_control(of: str, name: str, who: dict[str, Any], **control: Any) -> Event:
    return an_event(name, f"control.{of}", body=Body(), control=control, **who)


@pytest.mark.parametrize(
    ("of", "who", "said", "why"),
    [
        ("protection", OAK, {"kind": "safe_adress", "state": "set"}, "kind"),
        ("protection", OAK, {"kind": "safe_address", "state": "SET"}, "state"),
        ("protection", OAK, {"kind": "protected_person", "state": "set"}, "not for this sector"),
        ("consent", OAK, {"kind": "consent", "state": "withdrawn by the mother"}, "state"),
        ("consent", OAK, {"kind": "consent", "state": "withdrawn", "recipients": ["schools"]}, "recipients"),
        ("consent", OAK, {"kind": "consent", "state": "refused", "categories": ["narative"]}, "categories"),
        ("finding", OAK, {**DETRIMENT, "reason": "known", "until": "2027-01-01", "recipients": ["oak-dls"]}, "recipients"),
        ("finding", OAK, DETRIMENT, "reason"),
        ("finding", OAK, {**DETRIMENT, "reason": "known", "until": "next spring"}, "until"),
        ("finding", OAK, {**DETRIMENT, "reason": "known", "until": "2027-01-01", "recipients": []}, "recipients"),
        ("finding", OAK, {**DETRIMENT, "reason": "known", "until": "2027-01-01", "by_role": ""}, "by_role"),
    ],
)
def test_what_may_be_meant_to_protect_goes_to_a_person_and_so_does_all_that_follows(
    of: str, who: dict[str, Any], said: dict[str, Any], why: str
) -> None:
    line = ALine(a_policy(a_rule("school", "dsl"), KEPT)).take(on_roll(), a_control(of, "doubtful", who, **said), an_event("e1"))

    assert [one["outcome"] for one in line.audits()] == ["APPLIED", "IN_REVIEW", "IN_REVIEW"]
    assert why in line.audits()[1]["others"]
    assert line.disclosures(SCHOOL) == []


def test_a_control_event_that_says_nothing_is_no_protection_that_was_set() -> None:
    line = ALine().take(an_event("empty", "control.protection", body=Body()))

    assert [one["outcome"] for one in line.audits()] == ["IN_REVIEW"]


def test_a_finding_that_only_lets_something_go_waits_alone() -> None:
    said = {"kind": "competent", "state": "made", "by_role": "clinician"}
    line = ALine(a_policy(a_rule("school", "dsl"), KEPT)).take(on_roll(), a_control("finding", "f", OAK, **said), an_event("e1"))

    assert [one["outcome"] for one in line.audits()] == ["APPLIED", "IN_REVIEW", "DECIDED"]
    assert line.facts().findings == ()


def test_what_waits_alone_does_not_go_on_with_what_was_held_after_it() -> None:
    said = {"kind": "competent", "state": "made", "by_role": "clinician"}
    line = ALine(a_policy(a_rule("school", "dsl"), KEPT)).take(
        on_roll(), a_control("finding", "f", OAK, **said), an_event("empty", "control.protection", body=Body())
    )
    line.resolve(line.reviews()[-1], "REJECT", by="north-hub")

    assert line.facts().findings == ()


def test_only_whoever_published_an_event_releases_it() -> None:
    said = {"kind": "originator_release", "state": "made", "by_role": "originator", "recipients": ["oak-dsl"]}
    line = ALine(a_policy(RELEASED)).take(on_roll(), at_practice())
    line.take(a_control("finding", "f1", OAK, **said, concerns_event="e1"), an_event("e1"))
    assert line.disclosures(SCHOOL) == []

    line.take(a_control("finding", "f2", POLICE, **said, concerns_event="e2"), an_event("e2"))
    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT"]


def test_another_agency_does_not_withdraw_a_finding() -> None:
    found = {**DETRIMENT, "reason": "known", "until": "2027-01-01"}
    line = ALine(a_policy(a_rule("school", "dsl"), KEPT)).take(on_roll(), a_control("finding", "f1", POLICE, **found))
    line.take(a_control("finding", "f2", OAK, **{**found, "state": "withdrawn"}), an_event("e1"))

    assert line.disclosures(SCHOOL) == []


def test_a_judgement_about_somebody_who_left_the_registers_can_be_ended() -> None:
    said = {"kind": "competent", "state": "withdrawn", "by_role": "clinician", "recipients": ["gone-from-here"]}
    line = ALine(a_policy(a_rule("school", "dsl"), KEPT)).take(on_roll(), a_control("finding", "f", OAK, **said))

    assert line.reviews() == []
