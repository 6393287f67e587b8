"""How much of one publisher waits for a second try: its flood leaves room for everybody else's (issue 1)."""

import pytest

from broker.core.event import Event
from broker.stream.identify import room
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
