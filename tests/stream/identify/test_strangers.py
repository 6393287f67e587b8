"""What a stranger says, and nobody knows of whom, holds nobody's line (I10, I11)."""

from typing import Any

import pytest

from broker.core.model.event import Event
from tests.stream.identify_runner import Runner, asked
from tests.stream.people import NHS, OTHER_COUNCIL, POLICE, TRUST, an_event, attended, registered

ALFIE: dict[str, Any] = {"given": "Alfie", "family": "Marsh", "postcode": "ES1 2AB"}
NO: Any = {"state": "withdrawn"}
HIDES: Any = {"kind": "safe_address", "state": "set"}


def after(doubtful: Event, *, hub: str = "hub-here") -> Runner:
    """A child of whom something is said under another child's number, and then a visit of the child."""
    runner = Runner()
    for its_hub, event in (
        ("hub-here", registered(event_id="a", nhs=NHS[0], local="M1", **ALFIE)),
        (hub, doubtful),
        ("hub-here", attended(event_id="v", local="M1")),
    ):
        runner.hubs = (its_hub,)
        runner.publish(event)
        runner.run()
    assert not runner.rejected
    return runner


@pytest.mark.parametrize("by", [TRUST, OTHER_COUNCIL])
def test_a_no_in_doubt_holds_nobody(by: str) -> None:
    runner = after(an_event("control.consent", by, event_id="no", control=NO, nhs=NHS[1], **ALFIE))

    assert asked(runner) == {"no": ("AMBIGUOUS", "hub-here")}
    assert list(runner.lines().values()) == [["a", "v"]]


def test_nor_does_a_protection_in_doubt_by_who_is_nothing_to_the_child() -> None:
    said = an_event("control.protection", OTHER_COUNCIL, event_id="p", control=HIDES, nhs=NHS[1], **ALFIE)

    assert asked(after(said, hub="hub-there")) == {"p": ("AMBIGUOUS", "hub-here")}


@pytest.mark.parametrize("by", [TRUST, POLICE])
def test_a_protection_in_doubt_from_the_childs_own_area_holds_it(by: str) -> None:
    runner = after(an_event("control.protection", by, event_id="p", control=HIDES, nhs=NHS[1], **ALFIE))

    assert {event_id: kind for event_id, (kind, _) in asked(runner).items()} == {"p": "AMBIGUOUS", "v": "HOLD"}


def test_a_protection_in_doubt_that_its_sector_may_never_set_holds_nobody() -> None:
    unseen: Any = {"kind": "protected_person", "state": "set"}
    runner = after(an_event("control.protection", TRUST, event_id="p", control=unseen, nhs=NHS[1], **ALFIE))

    assert list(asked(runner)) == ["p"]
