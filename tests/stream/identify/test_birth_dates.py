"""An identifier decides with the birth date agreeing (issue 4); one without any changes nothing of who the child is."""

from typing import Any

import pytest

from broker.core.model.event import Event
from tests.stream.identify_runner import Runner
from tests.stream.people import NHS, SCHOOL, an_event, attended, in_care_system, notified, registered

ALFIE: dict[str, Any] = {"given": "Alfie", "family": "Marsh", "postcode": "ES1 2AB"}


def after(*events: Event) -> Runner:
    runner = Runner()
    for event in (registered(event_id="a", nhs=NHS[0], **ALFIE), in_care_system(event_id="b", local="L1", **ALFIE), *events):
        runner.publish(event)
        runner.run()
    assert not runner.rejected
    return runner


def asked(runner: Runner) -> list[tuple[str, str]]:
    return [(one["event_id"], one["kind"]) for one in runner.reviews()]


@pytest.mark.parametrize("born", ["1999", "2014", "2015-04", "2016-03"])
@pytest.mark.parametrize("event_type", ["school.pupil.registered", "school.concern.raised"])
def test_a_part_of_another_birth_date_is_asked(born: str, event_type: str) -> None:
    runner = after(an_event(event_type, SCHOOL, event_id="s", nhs=NHS[0], born=born))

    assert asked(runner) == [("s", "AMBIGUOUS")]
    assert list(runner.lines().values()) == [["a", "b"]]


@pytest.mark.parametrize("born", ["2015", "2015-03", "1900-01-01", "1900", "1970-01-01", None, "no date"])
def test_a_part_that_agrees_and_what_is_no_birth_date_at_all_asks_nobody(born: str | None) -> None:
    runner = after(attended(event_id="s", nhs=NHS[0], born=born))

    assert asked(runner) == []
    assert list(runner.lines().values()) == [["a", "b", "s"]]


def test_the_councils_own_placeholder_asks_nobody() -> None:
    assert asked(after(in_care_system(event_id="c", born="1900-01-01", local="L1", **ALFIE))) == []


@pytest.mark.parametrize(("born", "met"), [("2015-03-02", True), ("2015", False), ("1970-01-01", False)])
def test_who_the_child_is_is_learned_only_with_a_whole_birth_date(born: str, met: bool) -> None:
    """Else whoever knows a number gives the child a home, by which later events would meet it."""
    moved = registered(event_id="c", nhs=NHS[0], born=born, given="Alfie", family="Marsh", postcode="NE1 1AB")
    runner = after(moved, notified(event_id="n", given="Alfie", family="Marsh", postcode="NE1 1AB"))

    assert ("n" in next(iter(runner.lines().values()))) == met
