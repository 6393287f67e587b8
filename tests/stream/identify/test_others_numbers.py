"""Another agency's number may tell whom an event is about; nobody makes it a child's but who gave it out (I10)."""

from typing import Any

from broker.core.model.event import Event
from tests.stream.identify_runner import Runner
from tests.stream.people import COUNCIL, TRUST, an_event, in_care_system, notified, registered

ALFIE: dict[str, Any] = {"given": "Alfie", "family": "Marsh", "postcode": "ES1 2AB"}


def naming(event: Event, number: str, issuer: str = COUNCIL) -> Event:
    event.body["identity"]["identifiers"].append({"scheme": "la_child_id", "value": number, "issuer": issuer})
    return event


def after(*events: Event) -> Runner:
    runner = Runner()
    for event in events:
        runner.publish(event)
        runner.run()
    assert not runner.rejected
    return runner


def test_a_made_up_child_takes_no_councils_number_before_the_council_says_whose_it_is() -> None:
    made_up = naming(registered(event_id="x", born="2010-01-01", given="No", family="Body"), "L1")
    plan = an_event("council.cp_plan.started", COUNCIL, event_id="p", local="L1")
    runner = after(made_up, in_care_system(event_id="a", local="L1", **ALFIE), plan, notified(event_id="n", **ALFIE))

    assert runner.reviews() == []
    assert sorted(runner.lines().values()) == [["a", "p", "n"], ["x"]]


def test_nor_does_a_record_that_meets_a_child_bring_it_one() -> None:
    runner = after(registered(event_id="a", local="M1", **ALFIE), naming(registered(event_id="b", local="M1", **ALFIE), "L1"))
    runner.publish(in_care_system(event_id="c", local="L1", born="2014-01-02", given="Bea", family="Else"))
    runner.run()

    assert runner.reviews() == []
    assert sorted(runner.lines().values()) == [["a", "b"], ["c"]]


def test_another_agencys_number_meets_its_child() -> None:
    visit = naming(an_event("health.ed.attended", TRUST, event_id="v"), "L1")

    assert list(after(in_care_system(event_id="a", local="L1", **ALFIE), visit).lines().values()) == [["a", "v"]]
