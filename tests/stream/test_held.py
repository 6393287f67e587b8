"""While a question holds a child's line: what protects the child acts at once, and what is known to be wrong never goes."""

import pytest

from broker.core.event import Body
from tests.stream.lines import SCHOOL, ALine, a_protection, a_retraction, an_event, an_update, on_roll

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
def test_what_its_publisher_put_right_while_it_was_held_never_goes_as_it_was(later, kinds) -> None:
    line = a_held_line().take(an_event("wrong"), later)
    before = len(line.disclosures(SCHOOL))
    line.resolve(next(one for one in line.reviews() if one["event_id"] == "nonsense"), "REJECT")

    told = line.disclosures(SCHOOL)[before:]
    assert [one["kind"] for one in told] == kinds
    assert all((one["concern"] or {}).get("grade") != "high" for one in told)
