"""No agency takes a child over by a merge, not by its own hub's word either; nor is anybody silenced meanwhile (I10, R16)."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from broker.core.model.event import Event
from broker.core.model.identifiers import AgencyId, RecipientId, RoleName
from broker.core.model.registers import Recipient, SigningKey
from broker.sealing.signatures import Signer, new_key
from broker.stream.identify import room
from tests.stream.england import AWAY, CONCERN, HOME, HUB, SAFE, england, says, tie, told
from tests.stream.identify_runner import FixedRegisters, Runner, asked
from tests.stream.lines import CHILD, ALine
from tests.stream.people import (
    COUNCIL,
    NHS,
    OTHER_COUNCIL,
    POLICE,
    TRUST,
    an_event,
    attended,
    enrolled,
    in_care_system,
    merged,
    notified,
    registered,
)

HERE, THERE = ("hub-here", "hub-here-too"), ("hub-there",)
ALFIE = {"given": "Alfie", "family": "Marsh", "postcode": "ES1 2AB"}
PUPPET = {"given": "Alfie", "family": "Marsh", "postcode": "ES9 9ZZ"}  # so that nothing but the merge brings them together
SETS: dict[str, Any] = {"kind": "safe_address", "state": "set"}


@pytest.fixture
def runner() -> Runner:
    """A child known here, and one that a council of elsewhere made up with its name and birth date."""
    runner = Runner()
    runner.hubs = HERE
    publish(runner, enrolled(event_id="a", nhs=NHS[0], **ALFIE))
    runner.hubs = THERE
    publish(runner, of_the_other_council(event_id="x", local="T1", **PUPPET))
    return runner


def publish(runner: Runner, *events: Event) -> None:
    runner.publish(*events)
    runner.run()
    assert not runner.rejected


def of_the_other_council(**said: Any) -> Event:
    return an_event("council.person.registered", OTHER_COUNCIL, **said)


def merge(stays: dict[str, str], *ends: dict[str, Any], by: str = OTHER_COUNCIL, **said: Any) -> Event:
    control: Any = {"kind": "merge", "identifiers": list(ends)}
    return an_event("identity.merged", by, event_id="m", control=control, given="Alfie", **stays, **said)


def nhs(number: str) -> dict[str, Any]:
    return {"scheme": "nhs_number", "value": number, "verified": True}


def local(number: str, by: str = OTHER_COUNCIL) -> dict[str, Any]:
    return {"scheme": "la_child_id", "value": number, "issuer": by}


TAKES = merge({"local": "T1"}, nhs(NHS[0]))
GIVES = merge({"nhs": NHS[0]}, local("T1"))


@pytest.mark.parametrize("bogus", [TAKES, GIVES], ids=["the child ends", "the child stays"])
def test_a_merge_with_a_child_of_another_area_asks_the_hub_there_and_never_the_publishers(runner: Runner, bogus: Event) -> None:
    publish(runner, bogus)

    assert not runner.handovers()
    assert asked(runner) == {"m": ("AMBIGUOUS", HERE[0])}


def test_also_where_the_council_had_registered_the_child_and_ends_a_number_of_its_own(runner: Runner) -> None:
    publish(runner, of_the_other_council(event_id="y", nhs=NHS[0], local="T2", **ALFIE), merge({"local": "T1"}, local("T2")))

    assert not runner.handovers()
    assert asked(runner) == {"m": ("AMBIGUOUS", HERE[0])}


def test_a_merge_that_names_both_children_as_the_one_that_stays_asks_there_too(runner: Runner) -> None:
    publish(runner, merge({"local": "T1", "nhs": NHS[0]}, nhs(NHS[0])))

    assert asked(runner) == {"m": ("AMBIGUOUS", HERE[0])}


def test_whom_a_merge_excludes_is_replaced_by_who_stands_in_and_never_by_the_publishers_hub(runner: Runner) -> None:
    publish(runner, merge({"local": "T1"}, nhs(NHS[0]), excluded=("hub-here",)))

    assert asked(runner) == {"m": ("AMBIGUOUS", HERE[1])}


def test_whom_the_child_that_would_end_excludes_is_not_asked_of_a_merge_into_another_that_is_protected(runner: Runner) -> None:
    """Asking tells (R11), also where it is the child that stays that a person has to look at."""
    unseen: Any = {"kind": "protected_person", "state": "set"}
    publish(runner, an_event("control.protection", OTHER_COUNCIL, event_id="p", local="T1", control=unseen))
    runner.hubs = HERE
    publish(runner, attended(event_id="d", nhs=NHS[0], excluded=("hub-here",)))
    runner.hubs = THERE
    publish(runner, merge({"local": "T1"}, nhs(NHS[0]), family="Reed"))

    assert asked(runner) == {"m": ("AMBIGUOUS", HERE[1])}


@pytest.mark.parametrize("holder", [THERE[0], OTHER_COUNCIL])
def test_where_nobody_is_left_to_ask_the_publishers_own_hub_may_not_answer(runner: Runner, tmp_path: Path, holder: str) -> None:
    publish(runner, merge({"local": "T1"}, nhs(NHS[0]), excluded=HERE))
    signer = with_hub(runner, tmp_path, holder)
    [review] = runner.reviews()
    runner.resolve(signer, review, "LINK", next(ref for ref, events in runner.lines().items() if events == ["x"]))
    runner.run()

    assert review["for_recipient"] == ""
    assert [error.reason for error in runner.rejected] == ["not_permitted"]
    assert not runner.handovers()


def test_a_merge_is_not_put_among_what_any_hub_may_answer_however_much_waits(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_WAITING", 0)
    publish(runner, TAKES)
    runner.resolve(with_hub(runner, tmp_path, THERE[0]), runner.reviews()[0], "REJECT")
    runner.run()

    assert [error.reason for error in runner.rejected] == ["not_permitted"]


def with_hub(runner: Runner, folder: Path, holder: str) -> Signer:
    """Give the hub elsewhere a desk, and a key to it or to its council."""
    signer = new_key(folder, holder)
    agency, hub = AgencyId(OTHER_COUNCIL), frozenset({RoleName("hub")})
    desk = Recipient(id=RecipientId(THERE[0]), name="Hub", agency=agency, area=OTHER_COUNCIL, roles=hub)
    key = SigningKey(id=signer.key_id, holder=holder, public_key=signer.public_key)
    runner.registers.registers = dataclasses.replace(FixedRegisters().registers, recipients={desk.id: desk}, keys={key.id: key})
    return signer


def test_a_merge_by_who_is_nothing_to_the_child_silences_nobody(runner: Runner) -> None:
    publish(runner, TAKES)
    publish(runner, attended(event_id="d", nhs=NHS[0]), notified(event_id="e", **ALFIE))

    assert ["a", "d", "e"] in runner.lines().values()
    assert set(asked(runner)) == {"m"}


def test_the_publishers_own_hub_is_asked_where_both_are_known_in_its_area_only() -> None:
    runner = Runner()
    publish(runner, in_care_system(event_id="a", local="L1", **ALFIE), enrolled(event_id="b", nhs=NHS[0], **PUPPET))
    publish(runner, merge({"local": "L1"}, nhs(NHS[0]), by=COUNCIL), attended(event_id="d", nhs=NHS[0]))

    assert not runner.handovers()
    assert asked(runner) == {"m": ("AMBIGUOUS", "hub")}, "an NHS number is no council's to end"
    assert sorted(runner.lines().values()) == [["a"], ["b", "d"]]


@pytest.mark.parametrize("kind", ["safe_address", "restricted_record", "identity_changed", "protected_person"])
@pytest.mark.parametrize("protected", ["M1", "M2"])
def test_a_protected_child_is_joined_with_none_without_a_person(kind: str, protected: str) -> None:
    runner = Runner()
    publish(runner, registered(event_id="a", local="M1", **ALFIE), registered(event_id="b", local="M2", **PUPPET))
    control: Any = {**SETS, "kind": kind}
    by, whom = POLICE if kind == "protected_person" else TRUST, ALFIE if protected == "M1" else PUPPET
    publish(runner, an_event("control.protection", by, event_id="p", control=control, **whom))
    publish(runner, merged("M2", event_id="m", local="M1", given="Alfie"))

    assert not runner.handovers()
    assert asked(runner) == {"m": ("AMBIGUOUS", "hub")}


def test_a_safe_address_links_events_as_before() -> None:
    runner = Runner()
    publish(runner, registered(event_id="a", local="M1", **ALFIE))
    publish(runner, an_event("control.protection", TRUST, event_id="p", local="M1", control=SETS))
    publish(runner, notified(event_id="by-name", **ALFIE))

    assert list(runner.lines().values()) == [["a", "p", "by-name"]]


def test_where_a_child_is_protected_its_hub_is_one_that_is_asked() -> None:
    """Registered elsewhere before, it fled: its former council is not the one that says who it is now."""
    runner = Runner()
    runner.hubs = THERE
    publish(runner, of_the_other_council(event_id="a", nhs=NHS[0], local="T1", **ALFIE))
    publish(runner, of_the_other_council(event_id="x", local="T2", **PUPPET))
    runner.hubs = HERE
    publish(runner, an_event("control.protection", POLICE, event_id="p", nhs=NHS[0], control=SETS))
    runner.hubs = THERE
    publish(runner, merge({"local": "T2"}, local("T1")))

    assert asked(runner) == {"m": ("AMBIGUOUS", HERE[0])}


def test_what_is_known_of_hubs_is_kept_through_a_restart(runner: Runner) -> None:
    runner.tasks.clear()
    publish(runner, TAKES)

    assert asked(runner) == {"m": ("AMBIGUOUS", HERE[0])}


def test_a_hospital_joins_its_own_patients_by_its_number_or_the_national_one() -> None:
    number = {"scheme": "mrn", "value": "M2", "issuer": TRUST}
    for ends in ((number,), (number, nhs(NHS[1]))):
        runner = Runner()
        publish(runner, registered(event_id="a", local="M1", **ALFIE))
        publish(runner, registered(event_id="b", local="M2", nhs=NHS[1], **PUPPET))
        publish(runner, merge({"local": "M1"}, *ends, by=TRUST))

        assert len(runner.handovers()) == 1
        assert not runner.reviews()


def joined(winner: Iterable[Event], loser: Iterable[Event], *later: Event) -> ALine:
    """Two records of which one is handed over to the other, under the shipped rules, and what comes then."""
    policy, registers = england()
    line = ALine(policy, registers=registers)
    for event in loser:
        line.take(event, child="c-other")
    line.take(*winner)
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-other")
    return line.take(*later)


def at_home(council: str) -> Event:
    return says(council, "council.person.registered", tie("home_area", f"la:{council}"))


@pytest.mark.parametrize("ends", [True, False], ids=["the child ends", "the child stays"])
@pytest.mark.parametrize("known_by", [SAFE, says(HOME, "council.cp_plan.started")], ids=["protected", "on a plan"])
def test_two_councils_records_joined_leave_the_child_with_the_one_that_protects_it(known_by: Event, *, ends: bool) -> None:
    """Whoever said that the two are one: the hub that answered for the child is not silenced by it."""
    pupil = says("urn:100001", "school.pupil.registered", tie("school", "urn:100001"))
    child, puppet = (at_home(HOME), pupil, known_by), (at_home(AWAY),)
    line = joined(puppet, child) if ends else joined(child, puppet)
    line.take(says("urn:100001", CONCERN))

    assert line.facts().home_area == HOME
    assert HUB in told(line, CONCERN)


def test_a_home_that_only_one_record_knows_is_the_childs() -> None:
    assert joined((), (at_home(HOME),)).facts().home_area == HOME
    assert joined((at_home(HOME),), ()).facts().home_area == HOME
