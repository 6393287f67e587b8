"""Twins: a slip in one number sends nothing of one twin to the other's people (issue 4: what matches more than one is asked)."""

from typing import Any

import pytest

from broker.core.model.event import Event
from tests.stream.identify_runner import Runner
from tests.stream.people import NHS, SCHOOL, UPN, an_event, attended, enrolled, registered

ALFIE: dict[str, Any] = {"given": "Alfie", "family": "Marsh", "postcode": "ES1 2AB"}
BERTIE: dict[str, Any] = {**ALFIE, "given": "Bertie"}


def after(*events: Event) -> Runner:
    runner = Runner()
    runner.publish(registered(event_id="A", nhs=NHS[0], local="MA", **ALFIE), registered(event_id="B", nhs=NHS[1], **BERTIE))
    runner.publish(enrolled(event_id="a", upn=UPN[0], **ALFIE), enrolled(event_id="b", upn=UPN[1], **BERTIE))
    runner.run()
    runner.publish(*events)
    runner.run()
    assert not runner.rejected
    return runner


SLIPS = [
    attended(event_id="s", nhs=NHS[0], **BERTIE),
    an_event("school.concern.raised", SCHOOL, event_id="s", upn=UPN[0], **BERTIE),
]


@pytest.mark.parametrize("slip", SLIPS, ids=["NHS number", "UPN"])
def test_one_twins_name_with_the_others_number_is_asked(slip: Event) -> None:
    runner = after(slip)

    assert sorted(runner.lines().values()) == [["A", "a"], ["B", "b"]]
    assert [(one["kind"], len(one["candidates"])) for one in runner.reviews()] == [("AMBIGUOUS", 2)]


def test_a_number_outweighs_a_name_that_is_nobody_elses() -> None:
    runner = after(attended(event_id="v", nhs=NHS[0], **{**ALFIE, "given": "Alfred"}))

    assert sorted(runner.lines().values()) == [["A", "a", "v"], ["B", "b"]]
