"""How much of one publisher waits for a second try: its flood leaves room for everybody else's (issue 1)."""

from dataclasses import replace

import pytest

from broker.core.model.event import Event
from broker.stream.identify import room, said, stage
from broker.stream.topics import IDENTIFIERS, IDENTITIES, LARGEST_RECORD
from tests.stream.identify_runner import Runner
from tests.stream.people import NHS, OTHER_COUNCIL, POLICE, UPN, an_event, attended, enrolled, notified, registered

ALFIE = {"given": "Alfie", "family": "Marsh", "postcode": "ES1 2AB"}


def flooded(*flood: Event) -> Runner:
    runner = Runner(partitions=1)
    runner.publish(*flood)
    runner.run()
    assert not runner.rejected
    return runner


def nobody(number: int) -> Event:
    name = f"Nobody{chr(97 + number % 26)}{chr(97 + number // 26)}"
    return an_event("council.referral.received", OTHER_COUNCIL, event_id=f"flood-{number}", given=name, family="Nowhere")


def test_a_publishers_flood_takes_nobody_elses_second_try_away() -> None:
    runner = flooded(*map(nobody, range(room.MOST_OF_ONE_PUBLISHER)))
    runner.publish(notified(event_id="n", **ALFIE), enrolled(event_id="r", upn=UPN[0], **ALFIE))
    runner.run()

    assert list(runner.lines().values()) == [["r", "n"]]
    assert [one["event_id"] for one in runner.reviews() if not one["event_id"].startswith("flood")] == []


def test_nor_under_a_number_that_nobody_holds_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_WAITING", 4)
    monkeypatch.setattr(room, "MOST_OF_ONE_WAITING", 2)
    named = {"born": None, "nhs": NHS[3]}
    flood = (an_event("council.referral.received", OTHER_COUNCIL, event_id=f"flood-{number}", **named) for number in range(6))
    runner = flooded(*flood, attended(event_id="v", **named))
    runner.publish(registered(event_id="r", nhs=NHS[3], **ALFIE))
    runner.run()

    assert [sorted(events) for events in runner.lines().values()] == [["flood-0", "flood-1", "r", "v"]]


def test_large_events_under_a_number_that_nobody_holds_wait_elsewhere_before_they_fill_a_record() -> None:
    """One signing key must not stop the line of all others: an event may be 250 kB, and its topic takes 4 MiB."""
    named = {"born": None, "nhs": NHS[3]}
    long = (an_event("council.referral.received", OTHER_COUNCIL, event_id=f"long-{number}", **named) for number in range(20))
    large = [replace(one, body={**one.body, "narrative": {"text": "x" * 250_000, "checked": False}}) for one in long]
    runner = flooded(*large, attended(event_id="v", **named))

    kept = [one.value or b"" for (topic, _), log in runner.states.items() if topic == IDENTIFIERS for one in log]
    assert room.MOST_BYTES_OF_ONE < max(map(len, kept)) < room.MOST_BYTES
    assert {one["event_id"] for one in runner.reviews()} == {*(f"long-{number}" for number in range(20)), "v"}


def test_what_would_fill_a_record_is_refused_and_everybody_else_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "LARGEST_RECORD", 100_000)
    large = an_event("council.referral.received", OTHER_COUNCIL, event_id="large", born=None, nhs=NHS[3])
    large = replace(large, body={**large.body, "narrative": {"text": "x" * 90_000, "checked": False}})
    runner = Runner(partitions=1)
    runner.publish(large, enrolled(event_id="r", upn=UPN[0], **ALFIE))
    runner.run()

    assert [error.reason for error in runner.rejected] == ["too_large"]
    assert list(runner.lines().values()) == [["r"]]


def written(runner: Runner) -> list[int]:
    return [len(one.value or b"") for (topic, _), log in runner.states.items() if topic == IDENTITIES for one in log]


def test_a_name_that_grows_when_it_is_normalised_fills_no_record_of_all_children_of_its_day() -> None:
    """One sign may become eighteen, and each six bytes: a registration of 246 kB had a child of 7 MB, which no topic takes."""
    long = {"given": "A" + "\ufdfa" * 41_000, "family": "B" + "\ufdfa" * 41_000}
    runner = flooded(registered(event_id="long", local="M1", **long), enrolled(event_id="r", upn=UPN[0], **ALFIE))

    assert sorted(runner.lines().values()) == [["long"], ["r"]]
    assert max(written(runner)) < LARGEST_RECORD


def test_nor_do_the_names_of_many_children_in_one_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_OF_CHILDREN", 10_000)
    runner = Runner(partitions=1)
    flood = (registered(event_id=f"f{one}", given="abcdefghijkl"[one] * 90, local=f"M{one}") for one in range(12))
    runner.publish(enrolled(event_id="r", upn=UPN[0], **ALFIE))
    runner.run()
    runner.publish(*flood, notified(event_id="n", **ALFIE))
    runner.write(0, runner.step(0, runner.log[0]))

    assert {error.reason for error in runner.rejected} == {"too_large"}
    assert "n" in next(iter(runner.lines().values())), "what changes nothing of who a child is goes on"
    assert max(written(runner)) < 10_000


def test_a_child_to_which_one_agency_gives_numbers_without_end_still_hears_what_is_said_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(said, "MOST_LINKS", 20)
    runner = flooded(enrolled(event_id="r", upn=UPN[0], **ALFIE))
    for one in range(150):
        runner.publish(registered(event_id=f"m{one}", local=f"M{one}", nhs=NHS[0], **ALFIE))
        runner.run()
    runner.publish(notified(event_id="n", **ALFIE))
    runner.run()

    (line,) = runner.lines().values()
    assert sorted(line) == sorted(["r", *(f"m{one}" for one in range(150)), "n"])
    assert max(written(runner)) < 5_000


def test_one_agency_fills_neither_what_protects_a_child_nor_whom_events_exclude_for_it() -> None:
    runner = flooded(enrolled(event_id="r", upn=UPN[0], **ALFIE))
    protected = {"control": {"kind": "safe_address", "state": "set"}}
    runner.publish(
        *(an_event("control.protection", POLICE, event_id=f"p{one}", **protected, **ALFIE) for one in range(50)),
        *(notified(event_id=f"e{one}", excluded=tuple(f"x{one}-{at}" for at in range(50)), **ALFIE) for one in range(50)),
    )
    runner.run()
    assert not runner.rejected
    assert max(written(runner)) < 20_000


def test_what_may_be_about_two_children_fills_no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_WAITING", 4)
    monkeypatch.setattr(room, "MOST_OF_ONE_BEYOND", 3)
    twins = (enrolled(event_id=f"r{one}", upn=UPN[one], given="Alfie", postcode=f"ES1 {one}AB") for one in range(2))
    runner = flooded(*twins)
    both = {"given": "Alfie", "family": "Marsh", "organisation": "urn:100001"}
    runner.publish(*(notified(event_id=f"n{one}", **both) for one in range(12)))
    runner.run()

    assert {error.reason for error in runner.rejected} == {"too_many_reviews"}
    assert len(runner.reviews()) == 7


def test_whoever_says_many_numbers_of_a_child_uses_up_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the child's hospital then said by its own number alone was about nobody known."""
    monkeypatch.setattr(said, "MOST_LINKS", 5)
    known = registered(event_id="a", nhs=NHS[0], **ALFIE)
    row = "council.person.registered"
    flood = (an_event(row, OTHER_COUNCIL, event_id=f"flood-{number}", nhs=NHS[0], local=f"T{number}") for number in range(9))
    here = registered(event_id="here", nhs=NHS[0], local="M1", **ALFIE)
    runner = flooded(known, *flood, here, attended(event_id="v", born=None, local="M1"))
    [events] = runner.lines().values()

    assert runner.reviews() == []
    assert events[-1] == "v"
