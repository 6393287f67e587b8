"""An NHS number that nobody traced decides nothing, and is worth a question where the birth date is the same (issue 3, 4)."""

from pathlib import Path
from typing import Any

from broker.core.model.event import Event
from tests.stream.identify.test_identify_clocks import with_signer
from tests.stream.identify_runner import HUB, Runner
from tests.stream.people import COUNCIL, NHS, an_event, attended, in_care_system, notified, registered

ALFIE: dict[str, Any] = {"given": "Alfie", "family": "Marsh", "postcode": "ES1 2AB"}
ALFRED: dict[str, Any] = {**ALFIE, "given": "Alfred"}
PLAN = an_event("council.cp_plan.started", COUNCIL, event_id="p", local="L1")


def row(**said: Any) -> Event:
    """A row of the council's extract, as the connector writes it."""
    return in_care_system(event_id="e", local="L1", verified=False, **{"nhs": NHS[0], **ALFRED, **said})


def after(*events: Event) -> Runner:
    runner = Runner()
    for event in (registered(event_id="a", nhs=NHS[0], local="M1", **ALFIE), *events):
        runner.publish(event)
        runner.run()
    assert not runner.rejected
    return runner


def asked(runner: Runner) -> list[tuple[str, str, int]]:
    return [(one["event_id"], one["kind"], len(one["candidates"])) for one in runner.reviews()]


def test_a_registration_with_another_childs_number_opens_no_second_child_unasked() -> None:
    runner = after(row())

    assert asked(runner) == [("e", "AMBIGUOUS", 1)]
    assert list(runner.lines().values()) == [["a"]]


def test_linked_by_a_person_its_agencys_records_follow(tmp_path: Path) -> None:
    runner = after(row())
    [child] = runner.lines()
    runner.resolve(with_signer(runner, tmp_path, HUB), runner.reviews()[0], "LINK", child)
    runner.run()
    runner.publish(PLAN, attended(event_id="v", local="M1"))
    runner.run()

    assert list(runner.lines().values()) == [["a", "e", "p", "v"]]


def test_kept_apart_by_a_person_it_is_asked_no_more(tmp_path: Path) -> None:
    runner = after(row())
    runner.resolve(with_signer(runner, tmp_path, HUB), runner.reviews()[0], "REJECT")
    runner.run()
    again = in_care_system(event_id="f", local="L1", nhs=NHS[0], verified=False, **ALFRED)
    runner.publish(again)
    runner.run()

    assert asked(runner) == []
    assert sorted(runner.lines().values()) == [["a"], ["e", "f"]]


def test_what_meets_another_child_by_its_name_is_asked() -> None:
    other = in_care_system(event_id="b", local="L2", **ALFRED)

    assert asked(after(other, notified(event_id="n", nhs=NHS[0], verified=False, **ALFRED))) == [("n", "AMBIGUOUS", 2)]


def test_a_number_that_is_the_same_childs_or_nobodys_asks_nobody() -> None:
    assert asked(after(row(given="Alfie"))) == []
    assert asked(after(row(nhs=NHS[1]))) == []
    assert asked(after(row(born="2014-01-02"))) == []
