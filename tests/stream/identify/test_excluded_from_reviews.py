"""Whom an event excludes for a child is not asked about a later one that may be the child's: asking tells (R11)."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from broker import codec
from broker.core.model.event import Action, Event
from broker.core.model.identifiers import AgencyId, RecipientId, RoleName
from broker.core.model.ports import Outgoing
from broker.core.model.registers import Recipient, SigningKey
from broker.sealing.signatures import Signer, new_key
from broker.stream.topics import CANDIDATES
from tests.stream.identify_runner import HUB, FixedRegisters, Runner, asked
from tests.stream.people import COUNCIL, NHS, TRUST, an_event, attended, in_care_system, notified, registered

DEPUTY = "deputy"
ALFIE = {"given": "Alfie", "family": "Marsh", "postcode": "ES1 2AB"}
TWIN = {**ALFIE, "local": "M2"}


@pytest.fixture
def runner() -> Runner:
    """Two children of one name and postcode: an event by name may be about either."""
    runner = Runner(partitions=1, hubs=(HUB, DEPUTY))
    tell(runner, registered(event_id="a", local="M1", **{**ALFIE, "postcode": "ES9 9ZZ"}))
    tell(runner, registered(event_id="b", **TWIN))
    tell(runner, an_event("health.demographics.changed", TRUST, event_id="moved", local="M1", **ALFIE))
    assert len(runner.lines()) == 2
    return runner


def tell(runner: Runner, *events: Event) -> None:
    runner.publish(*events)
    runner.run()


def excluding(event_id: str, *recipients: str, **said: Any) -> Event:
    return attended(event_id=event_id, local="M1", excluded=tuple(RecipientId(one) for one in recipients), **said)


def test_the_hub_is_asked_as_long_as_no_event_excludes_it(runner: Runner) -> None:
    tell(runner, excluding("x"), notified(event_id="n", **ALFIE))

    assert asked(runner) == {"n": ("AMBIGUOUS", HUB)}


def test_an_earlier_exclusion_for_one_of_the_children_it_may_be_turns_the_question_to_the_stand_in(runner: Runner) -> None:
    tell(runner, excluding("x", HUB), notified(event_id="n", **ALFIE))

    assert asked(runner) == {"n": ("AMBIGUOUS", DEPUTY)}


@pytest.mark.parametrize(("excluded", "shown"), [((), [DEPUTY]), ((DEPUTY,), []), ((HUB,), [])])
def test_a_review_names_who_may_be_shown_it_besides(excluded: tuple[str, ...], shown: list[str], runner: Runner) -> None:
    tell(runner, excluding("x", *excluded), notified(event_id="n", **ALFIE))

    assert [one["stand_ins"] for one in runner.reviews()] == [shown]


def test_nor_whom_the_event_itself_excludes_where_its_number_is_contested(runner: Runner) -> None:
    said: Any = {"born": None, "nhs": NHS[3], "excluded": (RecipientId(DEPUTY),)}
    tell(runner, attended(event_id="n", **said), attended(event_id="m", **{**said, "excluded": ()}))

    assert {one["event_id"]: one["stand_ins"] for one in runner.reviews()} == {"n": [], "m": [DEPUTY]}


def test_nobody_is_asked_when_everybody_who_could_be_is_excluded(runner: Runner) -> None:
    tell(runner, excluding("x", HUB), excluding("y", DEPUTY), notified(event_id="n", **ALFIE))

    assert asked(runner) == {"n": ("AMBIGUOUS", "")}


def test_a_question_that_stands_open_is_turned_when_the_exclusion_comes(runner: Runner) -> None:
    tell(runner, notified(event_id="n", **ALFIE))
    assert asked(runner) == {"n": ("AMBIGUOUS", HUB)}
    tell(runner, excluding("x", HUB))

    assert asked(runner) == {"n": ("AMBIGUOUS", DEPUTY)}


def test_an_event_about_nobody_known_goes_to_the_hub_all_the_same(runner: Runner) -> None:
    tell(runner, excluding("x", HUB), notified(event_id="n", given="Zoe", family="Marsh"))

    assert asked(runner) == {"n": ("UNIDENTIFIED", HUB)}


def test_a_child_in_conflict_is_asked_about_past_whom_its_registration_excludes(runner: Runner) -> None:
    tell(runner, registered(event_id="c", nhs=NHS[0], born="2014-01-02"))
    tell(runner, in_care_system(event_id="d", nhs=NHS[0], local="L9", excluded=(RecipientId(HUB),)))
    tell(runner, in_care_system(event_id="e", nhs=NHS[0], local="L9"))

    assert {event_id: to for event_id, (_, to) in asked(runner).items()} == {"d": DEPUTY, "e": DEPUTY}


@pytest.mark.parametrize(
    ("word", "lifted"),
    [
        (excluding("y", action=Action.RETRACT, supersedes="x"), True),
        (excluding("y", action=Action.UPDATE, supersedes="x"), True),
        (excluding("y", HUB, action=Action.UPDATE, supersedes="x"), False),
        (an_event("control.retraction", TRUST, event_id="y", local="M1", control={"concerns_event": "x"}), True),
        (excluding("y", action=Action.RETRACT, supersedes="another"), False),
        (excluding("y"), False),
    ],
    ids=["taken back", "a later version drops it", "a later version keeps it", "retracted", "another taken back", "says nothing"],
)
def test_an_exclusion_lasts_until_its_agency_takes_the_event_back_or_drops_it(runner: Runner, word: Event, lifted: bool) -> None:
    tell(runner, excluding("x", HUB), word, notified(event_id="n", **ALFIE))

    assert asked(runner)["n"] == ("AMBIGUOUS", HUB if lifted else DEPUTY)


def test_another_agency_does_not_lift_it(runner: Runner) -> None:
    tell(runner, in_care_system(event_id="c", local="L1", **{**ALFIE, "postcode": "ES9 9ZZ"}))
    foreign = an_event("council.case.opened", COUNCIL, event_id="y", local="L1", action=Action.RETRACT, supersedes="x")
    tell(runner, excluding("x", HUB), foreign, notified(event_id="n", **ALFIE))

    assert asked(runner)["n"] == ("AMBIGUOUS", DEPUTY)


def test_a_later_version_and_then_its_taking_back_by_the_first_lifts_all_of_it(runner: Runner) -> None:
    tell(runner, excluding("x", HUB), excluding("y", HUB, action=Action.UPDATE, supersedes="x"))
    tell(runner, excluding("z", action=Action.RETRACT, supersedes="x"), notified(event_id="n", **ALFIE))

    assert asked(runner) == {"n": ("AMBIGUOUS", HUB)}


def test_what_two_events_exclude_stays_when_one_is_taken_back(runner: Runner) -> None:
    tell(runner, excluding("x", HUB), excluding("y", HUB), excluding("z", action=Action.RETRACT, supersedes="x"))
    tell(runner, notified(event_id="n", **ALFIE))

    assert asked(runner) == {"n": ("AMBIGUOUS", DEPUTY)}


def test_only_the_stand_in_answers_what_the_hub_is_not_asked(runner: Runner, tmp_path: Path) -> None:
    signers = {one: new_key(tmp_path / one, one) for one in (HUB, DEPUTY)}
    runner.registers.registers = registers(signers)
    tell(runner, excluding("x", HUB), notified(event_id="n", **ALFIE), notified(event_id="m", **ALFIE))
    tell(runner, excluding("y", DEPUTY), notified(event_id="o", **ALFIE))
    reviews = {one["event_id"]: one for one in runner.reviews()}
    for event_id in ("n", "o"):
        runner.resolve(signers[HUB], reviews[event_id], "REJECT")
    runner.run()

    assert [error.reason for error in runner.rejected] == ["not_permitted", "not_permitted"]
    assert {event_id for event_id, (_, to) in asked(runner).items() if to == ""} == {"n", "m", "o"}


@pytest.mark.parametrize("born", [None, "2015-03-04"])
def test_nobody_but_who_was_asked_answers_wherever_the_question_waits(born: str | None, runner: Runner, tmp_path: Path) -> None:
    """One waits with the owner of its identifier, one under its birth date: both ask the hub, and take its word alone."""
    signers = {one: new_key(tmp_path / one, one) for one in (HUB, DEPUTY)}
    runner.registers.registers = registers(signers)
    tell(runner, attended(event_id="n", nhs=NHS[0], born=born, given="Zoe", family="Else"))
    (review,) = runner.reviews()
    runner.resolve(signers[DEPUTY], review, "REJECT")
    runner.run()
    assert [error.reason for error in runner.rejected] == ["not_permitted"]
    assert runner.reviews() == [review]

    said = {
        "review_id": review["review_id"],
        "decision": "REJECT",
        "child_ref": None,
        "by": signers[DEPUTY].key_id,
        "reason": "x",
    }
    value = codec.encode("candidate", {"kind": "RESOLUTION", "resolution": said})
    signed = signers[HUB].headers(CANDIDATES, value, review["review_id"])
    runner.append(Outgoing(CANDIDATES, review["matching_key"].encode(), value, signed))
    runner.run()
    assert [error.reason for error in runner.rejected] == ["not_permitted", "bad_signature"]

    runner.resolve(signers[HUB], review, "REJECT")
    runner.run()
    assert runner.reviews() == []


def registers(signers: dict[str, Signer]) -> Any:
    desks = {
        RecipientId(one): Recipient(
            id=RecipientId(one), name=one, agency=AgencyId(f"desk:{one}"), area=COUNCIL, roles=frozenset({RoleName("hub")})
        )
        for one in signers
    }
    keys = {one.key_id: SigningKey(id=one.key_id, holder=one.holder, public_key=one.public_key) for one in signers.values()}
    return dataclasses.replace(FixedRegisters().registers, recipients=desks, keys=keys)
