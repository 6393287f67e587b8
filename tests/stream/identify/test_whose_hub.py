"""Whose hub says whom an event is about: where the child is known or protected, never the publisher's own alone (I10, I8)."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from broker.core.model.event import Event
from broker.core.model.identifiers import AgencyId, RecipientId, RoleName
from broker.core.model.registers import Recipient, SigningKey
from broker.sealing.signatures import Signer, new_key
from tests.stream.identify_runner import FixedRegisters, Runner, asked
from tests.stream.people import COUNCIL, NHS, OTHER_COUNCIL, POLICE, an_event, attended, merged, notified, registered

HERE, THERE = ("hub-here",), ("hub-there",)
ALFIE: dict[str, Any] = {"given": "Alfie", "family": "Marsh", "postcode": "ES1 2AB"}
HIDES: Any = {"kind": "safe_address", "state": "set"}


def publish(runner: Runner, hubs: tuple[str, ...], *events: Event) -> Runner:
    runner.hubs = hubs
    runner.publish(*events)
    runner.run()
    assert not runner.rejected
    return runner


def a_child() -> Runner:
    return publish(Runner(), HERE, registered(event_id="a", nhs=NHS[0], local="M1", **ALFIE))


def of_there(event_id: str, event_type: str = "council.person.registered", **said: Any) -> Event:
    return an_event(event_type, OTHER_COUNCIL, event_id=event_id, **said)


def puppet() -> Runner:
    """A council of elsewhere says that a person that it made up has the child's number."""
    return publish(a_child(), THERE, of_there("x", nhs=NHS[0], local="T1", born="1999-01-01", given="No", family="Body"))


def test_who_says_that_a_made_up_person_is_the_child_is_not_asked_about_it_itself() -> None:
    assert asked(puppet()) == {"x": ("IDENTIFIER_CONFLICT", "hub-here")}


@pytest.mark.parametrize("holder", ["hub-there", OTHER_COUNCIL])
def test_nor_may_it_answer(holder: str, tmp_path: Path) -> None:
    runner = puppet()
    [child] = [ref for ref, events in runner.lines().items() if events == ["a"]]
    runner.resolve(with_hub(runner, tmp_path, holder), runner.reviews()[0], "LINK", child)
    runner.run()

    assert [error.reason for error in runner.rejected] == ["not_permitted"]
    assert sorted(runner.lines().values()) == [["a"]]


def test_the_same_without_a_birth_date_asks_where_the_holder_is_known() -> None:
    assert asked(publish(puppet(), THERE, attended(event_id="y", born=None, nhs=NHS[0])))["y"] == (
        "IDENTIFIER_CONFLICT",
        "hub-here",
    )


def test_what_is_doubtful_of_a_child_that_only_another_area_knows_is_asked_there() -> None:
    assert asked(publish(a_child(), THERE, of_there("y", nhs=NHS[1], **ALFIE))) == {"y": ("AMBIGUOUS", "hub-here")}


def test_a_hub_that_knows_the_child_too_is_asked_of_what_is_said_in_its_area() -> None:
    runner = publish(a_child(), THERE, of_there("x", local="T1", **ALFIE))

    assert asked(publish(runner, THERE, notified(event_id="n", nhs=NHS[1], **ALFIE))) == {"n": ("AMBIGUOUS", "hub-there")}


def test_no_agency_answers_with_its_own_key_whom_its_event_is_about(tmp_path: Path) -> None:
    runner = publish(Runner(), THERE, of_there("x", "council.referral.received", given="Zoe", family="Else"))
    own, hubs = (with_hub(runner, tmp_path / one, one) for one in (OTHER_COUNCIL, "hub-there"))
    [review] = runner.reviews()
    runner.registers.registers = both(runner, own, hubs)
    for signer in (own, hubs):
        runner.resolve(signer, review, "REJECT")
    runner.run()

    assert [error.reason for error in runner.rejected] == ["not_permitted"]
    assert runner.reviews() == []


def fled() -> Runner:
    """A child that fled from elsewhere, where it is known, and is protected here."""
    runner = publish(Runner(), THERE, of_there("old", local="T1", **ALFIE))
    publish(runner, HERE, registered(event_id="a", local="M1", **ALFIE))
    publish(runner, HERE, registered(event_id="b", local="M2", **{**ALFIE, "postcode": "ES7 7XY"}))
    return publish(runner, HERE, an_event("control.protection", COUNCIL, event_id="p", control=HIDES, **ALFIE))


def test_a_merge_about_a_child_that_fled_is_asked_where_it_is_protected() -> None:
    assert asked(publish(fled(), HERE, merged("M2", event_id="m", local="M1", given="Alfie"))) == {"m": ("AMBIGUOUS", "hub-here")}


def test_also_where_an_events_publisher_names_the_area_that_it_fled_from() -> None:
    seen = an_event("police.missing.reported", POLICE, event_id="n", local="P1", nhs=NHS[1], **ALFIE)
    runner = fled()
    publish(runner, HERE, attended(event_id="v", nhs=NHS[0], local="M1", **ALFIE))

    assert asked(publish(runner, THERE, seen)) == {"n": ("AMBIGUOUS", "hub-here")}


def test_whoever_protects_a_child_besides_is_not_asked_for_it() -> None:
    runner = publish(fled(), THERE, of_there("q", "control.protection", control=HIDES, local="T1"))

    assert asked(publish(runner, HERE, merged("M2", event_id="m", local="M1", given="Alfie"))) == {"m": ("AMBIGUOUS", "hub-here")}


def test_who_protects_another_areas_child_and_merges_it_is_not_asked_itself() -> None:
    runner = publish(a_child(), THERE, of_there("x", local="T1", **{**ALFIE, "postcode": "ES9 9ZZ"}))
    publish(runner, THERE, of_there("q", "control.protection", control=HIDES, nhs=NHS[0]))
    control: Any = {"kind": "merge", "identifiers": [{"scheme": "nhs_number", "value": NHS[0], "verified": True}]}

    assert asked(publish(runner, THERE, of_there("m", "identity.merged", control=control, local="T1", given="Alfie"))) == {
        "m": ("AMBIGUOUS", "hub-here")
    }


def with_hub(runner: Runner, folder: Path, holder: str) -> Signer:
    """Give the hub elsewhere a desk, and a key to it or to its council."""
    signer = new_key(folder, holder)
    agency, hub = AgencyId(OTHER_COUNCIL), frozenset({RoleName("hub")})
    desk = Recipient(id=RecipientId(THERE[0]), name="Hub", agency=agency, area=OTHER_COUNCIL, roles=hub)
    key = SigningKey(id=signer.key_id, holder=holder, public_key=signer.public_key)
    runner.registers.registers = dataclasses.replace(FixedRegisters().registers, recipients={desk.id: desk}, keys={key.id: key})
    return signer


def both(runner: Runner, *signers: Signer) -> Any:
    keys = {one.key_id: SigningKey(id=one.key_id, holder=one.holder, public_key=one.public_key) for one in signers}
    return dataclasses.replace(runner.registers.registers, keys=keys)
