"""Who makes up a twin of another area's child is asked nothing of what is said where the child is at home (I8, I10)."""

from typing import Any

import pytest

from broker.core.model.event import Event
from tests.stream.identify_runner import Runner, asked
from tests.stream.people import NHS, OTHER_COUNCIL, POLICE, an_event, attended, enrolled, notified, registered

HERE, THERE = ("hub-here",), ("hub-there",)
ALFIE: dict[str, Any] = {"given": "Alfie", "family": "Marsh", "postcode": "ES1 2AB"}
HIDES: Any = {"kind": "safe_address", "state": "set"}


def made_up(event_id: str, event_type: str = "council.person.registered", **said: Any) -> Event:
    return an_event(event_type, OTHER_COUNCIL, event_id=event_id, local="T1", nhs=NHS[2], given="Alfie", **said)


TWIN = ((THERE, made_up("t", postcode="ES9 9ZZ")), (THERE, made_up("u", postcode="ES1 2AB")))
PROTECTED = ((THERE, made_up("p", "control.protection", control=HIDES)),)


def after(*steps: tuple[tuple[str, ...], Event]) -> Runner:
    """A child that a school and a hospital here know, and what is said then."""
    runner = Runner(partitions=1)
    known = (enrolled(event_id="s", nhs=NHS[0], **ALFIE), registered(event_id="a", nhs=NHS[0], local="M1", **ALFIE))
    for hubs, event in (*((HERE, one) for one in known), *steps):
        runner.hubs = hubs
        runner.publish(event)
        runner.run()
    assert not runner.rejected
    return runner


@pytest.mark.parametrize("hidden", [(), PROTECTED], ids=["a twin", "a twin that is said to be hidden"])
@pytest.mark.parametrize("said", [notified(event_id="n", **ALFIE), attended(event_id="n", **ALFIE)])
def test_what_is_said_at_the_childs_home_is_asked_there(said: Event, hidden: Any) -> None:
    """By two rows of an extract all that a name links was shown to the hub that had made the twin up, and could end there."""
    assert asked(after(*TWIN, *hidden, (HERE, said))) == {"n": ("AMBIGUOUS", "hub-here")}


def test_what_the_twins_maker_says_is_not_asked_of_its_own_hub() -> None:
    said = an_event("council.referral.received", OTHER_COUNCIL, event_id="n", **ALFIE)

    assert asked(after(*TWIN, (THERE, said))) == {"n": ("AMBIGUOUS", "hub-here")}


def test_a_twin_that_fled_to_where_others_know_it_is_asked_about_there() -> None:
    """Whom it fled from may be at the hub of where the other lives."""
    hides = an_event("control.protection", POLICE, event_id="p", control=HIDES, nhs=NHS[2])
    runner = after(*TWIN, (THERE, hides), (HERE, notified(event_id="n", **ALFIE)))

    assert asked(runner) == {"n": ("AMBIGUOUS", "hub-there")}
