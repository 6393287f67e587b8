"""While it is asked whom an event is about, what can only keep something back does not wait, nor does a publisher's own word."""

from typing import Any

from broker.core.model.event import Action, Event
from tests.stream.identify_runner import Runner
from tests.stream.people import NHS, POLICE, SCHOOL, TRUST, an_event, notified, registered

EITHER = {"nhs": NHS[0], "local": "M2"}  # the one's number, and the other's
SAFE = {"kind": "safe_address", "state": "set"}


def a_runner(*events: Event) -> Runner:
    """Two children born on one day, and whatever comes of them."""
    runner = Runner()
    runner.publish(
        registered(event_id="a", nhs=NHS[0], local="M1", given="Alfie"),
        registered(event_id="b", nhs=NHS[1], local="M2", given="Ben", family="Other"),
    )
    runner.run()
    runner.publish(*events)
    runner.run()
    return runner


def unsure(event_id: str) -> Event:
    """A protection that may be for either child."""
    return an_event("control.protection", TRUST, event_id=event_id, control=SAFE, **EITHER)


def protection(event_id: str) -> Event:
    return an_event("control.protection", SCHOOL, event_id=event_id, nhs=NHS[0], control=SAFE)


def seen(event_id: str, child: int) -> Event:
    """An event that is certainly about one of them."""
    return an_event("school.concern.raised", SCHOOL, event_id=event_id, nhs=NHS[child])


def taking_back(of: str, event_id: str, producer: str, **said: Any) -> Event:
    return an_event("control.retraction", producer, event_id=event_id, action=Action.RETRACT, supersedes=of, **said)


def went(runner: Runner) -> list[list[str]]:
    return sorted(runner.lines().values())


def asked(runner: Runner, state: str = "OPEN") -> dict[str, str]:
    return {one["event_id"]: one["kind"] for one in runner.reviews(state)}


def test_a_protection_of_a_known_child_does_not_wait_for_a_question_about_another_event() -> None:
    runner = a_runner(unsure("u"), protection("p"), seen("d", 0))

    assert went(runner) == [["a", "p"], ["b"]]
    assert asked(runner) == {"u": "AMBIGUOUS", "d": "HOLD"}


def test_a_retraction_of_a_known_child_does_not_wait_either() -> None:
    runner = a_runner(seen("d", 0), unsure("u"), taking_back("d", "r", SCHOOL, nhs=NHS[0]))

    assert went(runner) == [["a", "d", "r"], ["b"]]


def test_a_protection_acts_on_no_child_that_it_may_not_be_for() -> None:
    """The other child's people would delete what they need, and learn what is not so; meanwhile nothing goes of either."""
    runner = a_runner(unsure("u"), seen("d", 0), seen("e", 1))

    assert went(runner) == [["a"], ["b"]]
    assert asked(runner) == {"u": "AMBIGUOUS", "d": "HOLD", "e": "HOLD"}


def test_its_publisher_takes_back_what_is_in_review_and_the_children_go_on() -> None:
    runner = a_runner(unsure("u"), seen("d", 1), taking_back("u", "r", TRUST, **EITHER))

    assert went(runner) == [["a"], ["b", "d"]]
    assert (asked(runner), asked(runner, "WITHDRAWN")) == ({}, {"u": "AMBIGUOUS", "d": "HOLD"})
    assert runner.outcomes() == ["APPLIED", "APPLIED"]


def test_nobody_else_takes_back_what_is_in_review() -> None:
    runner = a_runner(unsure("u"), seen("d", 1), taking_back("u", "r", POLICE, nhs=NHS[0]))

    assert asked(runner) == {"u": "AMBIGUOUS", "d": "HOLD"}


def test_nobody_is_asked_whom_a_retraction_is_about_of_what_went_nowhere() -> None:
    nobody = {"given": "Zed", "family": "Else"}
    runner = a_runner(notified(event_id="n", **nobody), taking_back("n", "r", POLICE, **nobody), notified(event_id="n", **nobody))

    assert asked(runner) == {}
    assert runner.outcomes() == ["APPLIED", "APPLIED", "DUPLICATE"]


def test_a_retraction_that_may_be_about_either_child_holds_neither() -> None:
    """What it takes back ends by its own trail; whoever has a key could else hold the line of any two children."""
    runner = a_runner(taking_back("x", "r", TRUST, **EITHER), seen("d", 0), seen("e", 1))

    assert asked(runner) == {"r": "AMBIGUOUS"}
    assert went(runner) == [["a", "d"], ["b", "e"]]
