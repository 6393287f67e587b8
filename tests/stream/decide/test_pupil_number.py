"""A pupil's number is in nothing that leaves education (FORMATS 2.4)."""

from typing import Any

from broker.core.model.policy import SHAREABLE
from broker.policyfile import load_policy
from tests.stream.lines import HUB, SCHOOL, ALine, a_policy, a_rule, an_event, an_update, on_roll

UPN = "A950000178301"
NHS = {"scheme": "nhs_number", "value": "9999999468"}
NUMBERS = [NHS, {"scheme": "upn", "value": UPN}, {"scheme": "former_upn", "value": UPN}]


def body(*numbers: dict[str, str]) -> Any:
    person = {"role": "sibling", "identifiers": list(numbers)}
    return {"identity": {"identifiers": list(numbers)}, "third_party": {"people": [person]}}


def a_told_line() -> ALine:
    rules = (a_rule(name, to, categories=frozenset(SHAREABLE)) for name, to in (("school", "dsl"), ("front-door", "hub")))
    return ALine(a_policy(*rules)).take(on_roll(), an_event(body=body(*NUMBERS)))


def test_a_upn_reaches_the_school_and_nobody_outside_education() -> None:
    line = a_told_line()
    (school,), (hub,) = line.disclosures(SCHOOL), line.disclosures(HUB)

    assert [one["scheme"] for one in school["identity"]["identifiers"]] == ["nhs_number", "upn", "former_upn"]
    assert [one["scheme"] for one in hub["identity"]["identifiers"]] == ["nhs_number"]
    assert [one["scheme"] for one in hub["third_party"]["people"][0]["identifiers"]] == ["nhs_number"]
    assert all(UPN.encode() not in (value or b"") for _, _, value, _ in line.visible_to(HUB))


def test_a_corrected_upn_is_no_news_outside_education() -> None:
    line = a_told_line().take(an_update("e1", "e2", body=body(NHS)))

    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT", "CORRECTION"]
    assert [one["kind"] for one in line.disclosures(HUB)] == ["ALERT"]


def test_england_names_who_is_in_education() -> None:
    educates = {role.name for role in load_policy().roles.values() if role.education}

    assert educates == {"dsl", "virtual_school", "attendance_team", "home_education_officer"}
