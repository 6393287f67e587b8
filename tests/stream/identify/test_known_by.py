"""By which names and places a child is known: each agency's newest, and nobody uses up another's (issue 1)."""

from typing import Any

from broker.core.model.event import Event
from broker.stream.identify.state import Child, child_from_bytes, child_to_bytes
from tests.stream.identify_runner import Runner
from tests.stream.people import NHS, SCHOOL, TRUST, an_event, notified, registered

ALFIE: dict[str, Any] = {"given": "Alfie", "family": "Marsh", "postcode": "ES1 2AB"}
MOVED: dict[str, Any] = {**ALFIE, "postcode": "NE1 1AB"}


def junk(number: int) -> Event:
    name = f"Jun{chr(97 + number)}ab"
    return an_event("school.pupil.registered", SCHOOL, nhs=NHS[0], given=name, family="Else", postcode=f"ES{number + 1} 1AA")


def moved(event_id: str, postcode: str) -> Event:
    return an_event("health.demographics.changed", TRUST, event_id=event_id, local="M1", **{**ALFIE, "postcode": postcode})


def after(*events: Event) -> set[str]:
    """Which events came to the child's line."""
    runner = Runner()
    for event in (registered(event_id="a", nhs=NHS[0], local="M1", **ALFIE), *events):
        runner.publish(event)
        runner.run()
    assert not runner.rejected
    return {event_id for line in runner.lines().values() for event_id in line}


def test_a_strangers_many_words_use_up_no_room_for_anothers() -> None:
    flood = [junk(number) for number in range(20)]

    assert "n" in after(*flood, moved("m", "NE1 1AB"), notified(event_id="n", **MOVED))
    assert "n" in after(*flood, notified(event_id="n", **ALFIE))


def test_a_family_that_moves_often_is_met_where_it_is_now_and_no_more_where_it_was_long_ago() -> None:
    moves = [moved(f"m{number}", f"NE{number} 1AB") for number in range(1, 10)]

    assert "n" in after(*moves, notified(event_id="n", **{**ALFIE, "postcode": "NE9 1AB"}))
    assert "n" not in after(*moves, notified(event_id="n", **ALFIE))


def test_what_is_said_again_is_new_again() -> None:
    moves = [moved(f"m{number}", f"NE{number} 1AB") for number in range(1, 8)]

    assert "n" in after(*moves, moved("m8", "ES1 2AB"), moved("m9", "NE9 1AB"), notified(event_id="n", **ALFIE))


def test_what_was_written_before_it_was_kept_who_said_it_is_read() -> None:
    old = b'{"links":{},"names":[["marsh","alfie"]],"places":["postcode:ES12AB"]}'
    child = child_from_bytes(old)

    assert (child.names, child.places) == ({("marsh", "alfie")}, {"postcode:ES12AB"})
    assert child_from_bytes(child_to_bytes(child)) == child


def test_a_child_is_read_as_it_was_written() -> None:
    child = Child(names_by=((("marsh", "alfie"), TRUST),), places_by=(("urn:1", SCHOOL), ("urn:2", SCHOOL)))

    assert child_from_bytes(child_to_bytes(child)) == child
