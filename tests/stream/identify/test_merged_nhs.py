"""A hospital says that two NHS numbers are one patient's: its records are joined, or a person is asked; it is never lost."""

from typing import Any

import pytest

from broker.core.model.event import Event
from tests.stream.identify_runner import Runner
from tests.stream.people import NHS, TRUST, an_event, attended, merged, registered

ALFIE: dict[str, Any] = {"given": "Alfie", "family": "Marsh", "postcode": "ES1 2AB"}
ALF: dict[str, Any] = {**ALFIE, "postcode": "ES9 9ZZ"}


def merge(stays: str, *ends: str, **said: Any) -> Event:
    """As the connector writes it: of the number that ends nobody says that it was traced."""
    ending: Any = [{"scheme": "nhs_number", "value": one, "verified": False, "check_ok": True} for one in ends]
    ending += [{"scheme": "mrn", "value": one, "issuer": TRUST} for one in said.pop("own", ())]
    return an_event("identity.merged", TRUST, event_id="m", control={"kind": "merge", "identifiers": ending}, nhs=stays, **said)


def after(*events: Event) -> Runner:
    runner = Runner()
    for event in events:
        runner.publish(event)
        runner.run()
    assert not runner.rejected
    return runner


def asked(runner: Runner) -> dict[str, tuple[str, int]]:
    return {one["event_id"]: (one["kind"], len(one["candidates"])) for one in runner.reviews()}


A = registered(event_id="a", nhs=NHS[0], local="M1", **ALFIE)
B = registered(event_id="b", nhs=NHS[1], local="M2", **ALF)


@pytest.mark.parametrize("born", ["2015-03-02", None])
def test_two_patients_of_its_own_are_joined(born: str | None) -> None:
    runner = after(A, B, merge(NHS[0], NHS[1], own=["M2"], born=born), attended(event_id="v", nhs=NHS[1]))

    assert asked(runner) == {}
    assert len(runner.handovers()) == 1
    assert ["a", "m", "v"] in list(runner.lines().values())


def test_where_each_has_a_number_of_the_hospital_that_does_not_end_a_person_is_asked() -> None:
    assert asked(after(A, B, merge(NHS[0], NHS[1]))) == {"m": ("AMBIGUOUS", 2)}


def test_where_they_are_unlike_a_person_is_asked() -> None:
    runner = after(A, registered(event_id="b", nhs=NHS[1], local="M2", given="Bea", family="Else"), merge(NHS[0], NHS[1]))

    assert asked(runner) == {"m": ("AMBIGUOUS", 2)}


def test_a_number_that_nobody_knows_is_asked_about_given_to_nobody_and_holds_nobody() -> None:
    visit = attended(event_id="v", local="M1")
    runner = after(A, merge(NHS[0], NHS[1]), visit, registered(event_id="c", nhs=NHS[1], born="2014-01-02"))

    assert asked(runner) == {"m": ("AMBIGUOUS", 1)}
    assert sorted(runner.lines().values()) == [["a", "v"], ["c"]]


def test_one_of_anothers_patients_is_asked_about() -> None:
    other = registered(event_id="b", nhs=NHS[1], **ALF)  # no number of this hospital's own

    assert asked(after(A, other, merge(NHS[0], NHS[1]))) == {"m": ("AMBIGUOUS", 2)}


def test_the_same_merge_again_asks_nobody() -> None:
    first = merge(NHS[0], NHS[1], own=["M2"])
    again = an_event("identity.merged", TRUST, event_id="n", control=first.control, nhs=NHS[0])

    assert asked(after(A, B, first, again)) == {}


def test_a_hospital_number_that_was_never_sent_asks_nobody() -> None:
    """Hospitals merge records of which the broker never heard: ordinary."""
    assert asked(after(A, merged("M9", event_id="m", local="M1"))) == {}


def test_it_is_asked_about_with_whoever_is_registered_under_it_later() -> None:
    assert asked(after(A, merge(NHS[0], NHS[1]), B))["m"] == ("AMBIGUOUS", 2)
