"""Where a child that an event may be about is protected, its review betrays no place, nor who published it (I8)."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from broker.core.model.event import Event
from broker.core.model.ports import Record
from broker.stream.topics import IDENTITIES
from broker.stream.watching import review_reader
from tests.stream.identify.test_identify_clocks import with_signer
from tests.stream.identify_runner import HUB, SECRETS, Runner
from tests.stream.people import NHS, POLICE, TRUST, an_event, attended, merged, notified, registered

ALFIE: dict[str, Any] = {"given": "Alfie", "family": "Marsh", "postcode": "ES1 2AB"}
SAFE: dict[str, Any] = {"kind": "safe_address", "state": "set"}


def tell(runner: Runner, *events: Event) -> Runner:
    runner.publish(*events)
    runner.run()
    assert not runner.rejected
    return runner


def twins(*events: Event) -> Runner:
    """Two children of one name and postcode."""
    runner = tell(Runner(), registered(event_id="a", local="M1", **{**ALFIE, "postcode": "ES9 9ZZ"}))
    tell(runner, registered(event_id="b", local="M2", **ALFIE))
    return tell(runner, an_event("health.demographics.changed", TRUST, event_id="moved", local="M1", **ALFIE), *events)


def safe(event_id: str = "p", state: str = "set", **said: Any) -> Event:
    return an_event("control.protection", TRUST, event_id=event_id, control={**SAFE, "state": state}, **said)


def said_of(runner: Runner, event_id: str = "n") -> tuple[str, str, bool]:
    one = next(one for one in runner.reviews() if one["event_id"] == event_id)
    return one["kind"], one["producer"], one["guarded"]


def test_without_a_protection_the_publisher_is_named() -> None:
    assert said_of(twins(notified(event_id="n", **ALFIE))) == ("AMBIGUOUS", POLICE, False)


@pytest.mark.parametrize("first", ["the protection", "the question"])
def test_a_protection_of_one_of_the_children_hides_it_whichever_came_first(first: str) -> None:
    events = [safe(local="M2"), notified(event_id="n", **ALFIE)]
    runner = twins(*(events if first == "the protection" else reversed(events)))

    assert said_of(runner) == ("AMBIGUOUS", "", True)


def test_it_is_named_again_once_the_protection_is_lifted() -> None:
    runner = twins(safe(local="M2"), notified(event_id="n", **ALFIE), safe("q", "lifted", local="M2"))

    assert said_of(runner) == ("AMBIGUOUS", POLICE, False)


def test_also_of_a_child_that_only_looks_alike_and_is_not_among_those_that_are_shown() -> None:
    runner = Runner(partitions=1)
    for number in range(12):
        name = "abcdefghijkl"[number]
        tell(runner, registered(event_id=f"r{name}", local=f"M{number}", given=f"Given{name}", family="Marsh"))
    tell(runner, notified(event_id="n", given="Zed", family="Marsh"))
    [review] = runner.reviews()
    hidden = next(ref for ref in sorted(runner.lines()) if ref not in review["candidates"])
    number = "abcdefghijkl".index(runner.lines()[hidden][0][-1])
    assert (len(review["candidates"]), said_of(runner)) == (10, ("UNIDENTIFIED", POLICE, False))
    tell(runner, safe(local=f"M{number}"))

    assert said_of(runner) == ("UNIDENTIFIED", "", True)


def test_a_protection_in_question_hides_who_published_what_waits_behind_it_and_not_who_set_it() -> None:
    runner = twins(safe("u", **ALFIE), attended(event_id="n", local="M1"))

    assert said_of(runner) == ("HOLD", "", True)
    assert said_of(runner, "u") == ("AMBIGUOUS", TRUST, False)


NOWHERE = {
    "saying no birth date and no number": {"born": None},
    "with a number whose owner is not known": {"born": None, "nhs": NHS[2]},
}


@pytest.mark.parametrize("said", NOWHERE.values(), ids=NOWHERE)
def test_a_protection_that_a_person_gave_to_a_child_is_known_where_the_child_is(said: dict[str, Any], tmp_path: Path) -> None:
    """It waited elsewhere and went to the child's line: who looks for the child, or merges it, has to know."""
    runner = twins(safe("p", **said))
    [review] = runner.reviews()
    child = next(ref for ref, events in runner.lines().items() if "b" in events)
    key = asyncio.run(known(runner))[child].key
    runner.resolve(with_signer(runner, tmp_path, HUB), review, "LINK", child, child_key=key)
    runner.run()
    tell(runner, notified(event_id="n", **ALFIE), merged("M2", event_id="m", local="M1", given="Alfie"))

    assert said_of(runner) == ("AMBIGUOUS", "", True)
    assert (said_of(runner, "m")[0], runner.handovers()) == ("AMBIGUOUS", {})


async def known(runner: Runner) -> dict[str, review_reader.KnownChild]:
    """The children as a person's command finds them."""

    async def read(_kafka: Any, topic: str) -> list[Record]:
        return [record for (name, _), records in runner.states.items() if name == topic == IDENTITIES for record in records]

    nowhere: Any = None
    before, review_reader.read_all = review_reader.read_all, read
    try:
        return review_reader.known_children(await review_reader.children_known(nowhere))
    finally:
        review_reader.read_all = before


def test_a_child_is_found_with_the_matching_key_under_which_it_was_opened() -> None:
    runner = twins()
    found = asyncio.run(known(runner))

    assert set(found) == set(runner.lines())
    assert {one.ref for one in found.values()} == set(found)
    assert {one.key for one in found.values()} == {SECRETS.matching_key("2015-03-02")}
