"""How much of one publisher waits for a second try: its flood leaves room for everybody else's (issue 1)."""

from dataclasses import replace

import pytest

from broker.core.model.event import Event
from broker.stream.identify import room, stage
from broker.stream.topics import IDENTIFIERS
from tests.stream.identify_runner import Runner
from tests.stream.people import NHS, OTHER_COUNCIL, UPN, an_event, attended, enrolled, notified, registered

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
    said = {"born": None, "nhs": NHS[3]}
    flood = (an_event("council.referral.received", OTHER_COUNCIL, event_id=f"flood-{number}", **said) for number in range(6))
    runner = flooded(*flood, attended(event_id="v", **said))
    runner.publish(registered(event_id="r", nhs=NHS[3], **ALFIE))
    runner.run()

    assert [sorted(events) for events in runner.lines().values()] == [["flood-0", "flood-1", "r", "v"]]


def test_large_events_under_a_number_that_nobody_holds_wait_elsewhere_before_they_fill_a_record() -> None:
    """One signing key must not stop the line of all others: an event may be 250 kB, and its topic takes 4 MiB."""
    said = {"born": None, "nhs": NHS[3]}
    long = (an_event("council.referral.received", OTHER_COUNCIL, event_id=f"long-{number}", **said) for number in range(20))
    large = [replace(one, body={**one.body, "narrative": {"text": "x" * 250_000, "checked": False}}) for one in long]
    runner = flooded(*large, attended(event_id="v", **said))

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
