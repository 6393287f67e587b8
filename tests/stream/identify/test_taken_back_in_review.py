"""What waits to be told whom it is about is over once its publisher takes it back or changes it, in any order of arrival (I7)."""

import random
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from broker import codec
from broker.core.model.event import Action, Event
from broker.core.model.ports import ORIGIN
from broker.stream.identify import room
from broker.stream.topics import SUBJECTS
from tests.stream.identify.test_identify_clocks import with_signer
from tests.stream.identify.test_identify_orders import die
from tests.stream.identify.test_wrong_child import moved, take_in
from tests.stream.identify_runner import HUB, Runner
from tests.stream.people import NHS, POLICE, TRUST, an_event, attended, notified, registered

ALFIE: dict[str, Any] = {"given": "Alfie", "born": "2015-03-02", "nhs": NHS[0]}
BEA: dict[str, Any] = {"given": "Bea", "born": "2016-04-03", "nhs": NHS[1]}
NOBODY: dict[str, Any] = {"given": "Zed", "family": "Else"}
NUMBER: dict[str, Any] = {"nhs": NHS[2], "born": None}  # waits with the number's owner
BARE: dict[str, Any] = {"born": None}


def known(seed: int | None = None, partitions: int = 3) -> Runner:
    runner = Runner(partitions=partitions, chance=None if seed is None else random.Random(seed))
    take_in(runner, registered(event_id="alfie", **ALFIE), registered(event_id="bea", **BEA))
    runner.run()
    return runner


def tell(runner: Runner, *events: Event) -> Runner:
    for event in events:
        take_in(runner, event)
        runner.run()
    assert not runner.rejected
    return runner


def first(**said: Any) -> Event:
    return attended(event_id="first", **said)


def back(of: str = "first", name: str = "back", **said: Any) -> Event:
    return attended(event_id=name, action=Action.RETRACT, supersedes=of, **(said or BARE))


def change(of: str = "first", name: str = "second", **said: Any) -> Event:
    return attended(event_id=name, action=Action.UPDATE, supersedes=of, **(said or BARE))


def asked(runner: Runner) -> list[str]:
    return sorted(one["event_id"] for one in runner.reviews())


def line_of(runner: Runner, event_id: str) -> str:
    return next(ref for ref, events in runner.lines().items() if event_id in events)


def ended(runner: Runner) -> dict[str, str]:
    """How each event ended that went to no line."""
    entries = (codec.decode("audit_entry", one.value or b"") for one in runner.audit)
    return {one["event_id"]: one["outcome"] for one in entries}


WAITS = {"about nobody": NOBODY, "with the owner of its number": NUMBER, "saying nothing": {**BARE, "given": "Zed"}}


@pytest.mark.parametrize("said", WAITS.values(), ids=WAITS)
def test_a_bare_retraction_ends_the_question_about_its_event_at_once(said: dict[str, Any]) -> None:
    runner = tell(known(), first(**said))
    assert asked(runner) == ["first"]
    tell(runner, back())

    [review] = runner.reviews("WITHDRAWN")
    assert asked(runner) == []
    assert ended(runner) == {"first": "APPLIED", "back": "APPLIED"}
    assert (review["why"], review["for_recipient"]) == ("its publisher took it back or changed it meanwhile", HUB)


@pytest.mark.parametrize("said", WAITS.values(), ids=WAITS)
def test_it_does_so_too_where_it_came_first(said: dict[str, Any]) -> None:
    runner = tell(known(), back())
    assert asked(runner) == ["back"], "of what it takes back nothing is known yet"
    tell(runner, first(**said))

    assert asked(runner) == []
    assert ended(runner) == {"first": "APPLIED", "back": "APPLIED"}


def test_a_bare_retraction_that_came_first_is_asked_about_no_more_once_its_event_is_with_a_child() -> None:
    runner = tell(known(), back(), first(**ALFIE))

    assert asked(runner) == []
    assert moved(runner) == {(line_of(runner, "first"), "back", "")}
    assert ended(runner) == {"back": "APPLIED"}


def test_a_later_version_that_finds_its_child_ends_the_question_about_the_one_before() -> None:
    for order in permutations([first(**NOBODY), change(**ALFIE)]):
        runner = tell(known(), *order)

        assert asked(runner) == []
        assert line_of(runner, "second") == line_of(runner, "alfie")
        assert ended(runner) == {"first": "APPLIED"}


def test_a_retraction_that_says_another_birth_date_than_its_event_finds_it_all_the_same() -> None:
    for order in permutations([first(**NOBODY), back(**{**NOBODY, "born": "2011-01-01"})]):
        runner = tell(known(), *order)

        assert asked(runner) == []
        assert ended(runner) == {"first": "APPLIED", "back": "APPLIED"}


@pytest.mark.parametrize("said", [BARE, BEA], ids=["bare", "of another child"])
def test_nobody_but_its_publisher_takes_back_or_changes_what_is_in_review(said: dict[str, Any]) -> None:
    theirs = {"supersedes": "first", **said}
    runner = tell(
        known(),
        first(**NOBODY),
        notified(event_id="theirs", action=Action.RETRACT, **theirs),
        notified(event_id="also", action=Action.UPDATE, **theirs),
        an_event("control.retraction", POLICE, event_id="too", control={"concerns_event": "first"}, **said),
    )

    assert "first" in asked(runner)
    assert "first" not in ended(runner)


def test_what_held_a_child_while_it_was_asked_about_holds_it_no_more() -> None:
    """A protection that may be for either of two: taken back without a word of whom it was for, their line goes on."""
    sets: Any = {"kind": "safe_address", "state": "set"}
    runner = known()
    tell(runner, registered(event_id="ben", nhs=NHS[2], local="M2", given="Ben", born=ALFIE["born"]))
    unsure = an_event("control.protection", TRUST, event_id="first", nhs=NHS[0], local="M2", control=sets)
    tell(runner, unsure, attended(event_id="later", nhs=NHS[0]))
    assert asked(runner) == ["first", "later"]
    tell(runner, back())

    assert asked(runner) == []
    assert "later" in runner.lines()[line_of(runner, "alfie")]


def test_a_version_in_review_that_is_taken_back_takes_the_one_before_it_with_it() -> None:
    """Who takes back one version takes back all: the first one stands on a child's line."""
    runner = tell(known(), first(**ALFIE), change(**NOBODY), back("second"))

    assert asked(runner) == []
    assert ended(runner) == {"second": "APPLIED", "back": "APPLIED"}
    assert moved(runner) == {(line_of(runner, "first"), "second", "")}


def test_a_version_in_review_that_is_changed_once_more_goes_without_its_content_to_where_that_went() -> None:
    """The line has to know that the last version changes the first, else both would stand."""
    runner = tell(known(), first(**ALFIE), change(**NOBODY), change("second", "third", **BEA))
    bea = line_of(runner, "bea")

    assert asked(runner) == []
    assert runner.lines()[bea] == ["bea", "third", "second"]
    assert moved(runner) == {(line_of(runner, "first"), "second", bea)}
    sent = [one for one in runner.written if one.topic == SUBJECTS and one.key == bea.encode()][-1]
    assert ORIGIN in dict(sent.headers)
    assert b"second" in (sent.value or b"")
    assert b"Else" not in (sent.value or b"")


def test_a_change_that_says_nothing_of_whom_it_is_about_follows_its_event_once_a_person_gave_that_to_a_child(
    tmp_path: Path,
) -> None:
    runner = tell(known(), first(**NOBODY), change())
    assert asked(runner) == ["first", "second"]
    review = next(one for one in runner.reviews() if one["event_id"] == "first")
    runner.resolve(with_signer(runner, tmp_path, HUB), review, "LINK", line_of(runner, "alfie"))
    runner.run()

    assert asked(runner) == []
    assert runner.lines()[line_of(runner, "alfie")] == ["alfie", "first", "second"]


def test_a_registration_that_opened_a_child_in_question_stays_with_a_person() -> None:
    """Events of others may mean that child by now."""
    runner = tell(known(), registered(event_id="first", nhs=NHS[0], born="2011-01-01", given="Zed"), back())

    assert "first" in asked(runner)


def test_what_is_too_much_to_keep_is_taken_back_once_a_person_said_whose_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_WAITING", 0)
    runner = tell(known(), first(**NOBODY), back())

    assert asked(runner) == ["first"]
    assert ended(runner) == {"back": "APPLIED"}


STORIES = {
    "taken back, bare": (first(**NOBODY), back()),
    "in review again, and taken back": (first(**NUMBER), change(**NOBODY), back("second")),
    "changed and taken back": (first(**NOBODY), change(**ALFIE), back("second")),
    "changed bare and taken back": (first(**NOBODY), change(), back()),
    "a chain of three": (first(**ALFIE), change(**NOBODY), change("second", "third", **BEA), back("third", "last")),
    "with its number's owner": (first(**NUMBER), change(**NUMBER), back("second")),
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
@pytest.mark.parametrize("seed", range(40))
def test_in_every_order_and_over_every_crash_nobody_is_left_asking_about_what_was_taken_back(
    story: tuple[Event, ...], seed: int
) -> None:
    chance = random.Random(seed)
    runner, said = known(seed), list(story[1:])  # what changes an event keeps its order, on its way to the event's trail
    said.insert(chance.randint(0, len(said)), story[0])
    for event in said:
        take_in(runner, event)
        if chance.random() < 0.5:
            run_with_deaths(runner, chance)
    run_with_deaths(runner, chance)

    assert not runner.rejected
    assert asked(runner) == []
    went = {name for events in runner.lines().values() for name in events} - {"alfie", "bea"}
    assert went | set(ended(runner)) == {event.header.event_id for event in story}
    for ref, events in runner.lines().items():
        told = {event_id for line, event_id, _ in moved(runner) if line == ref}
        assert is_over(events, told), (events, told)


def is_over(events: list[str], told: set[str]) -> bool:
    """Whether a line that took these events, or was told of those that end something there, holds no version any more."""
    order = ["first", "second", "third", "back", "last"]
    held = [order.index(one) for one in events if one in order[:3] and one not in told]
    return not held or max(order.index(one) for one in {*told, *events} if one in order) > max(held)


def run_with_deaths(runner: Runner, chance: random.Random) -> None:
    deaths = 4
    while ready := [one for one in sorted(runner.log) if runner.done.get(one, 0) < len(runner.log[one])]:
        partition = chance.choice(ready)
        begin = runner.done.get(partition, 0)
        records = runner.log[partition][begin : begin + chance.randint(1, 3)]
        effects = runner.step(partition, records)
        if deaths and chance.random() < 0.3:
            deaths -= 1
            die(runner, partition, effects, chance)
            continue
        runner.write(partition, effects)
        runner.done[partition] = begin + len(records)
