"""No word of its own makes an agency of elsewhere more than a stranger: no record, no event, no area that it names (I10)."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from broker.core.model.event import Event, Sector
from broker.core.model.identifiers import AgencyId, RecipientId
from broker.core.model.ports import Record
from broker.core.model.registers import Agency, Recipient
from broker.stream.watching import review_reader
from broker.stream.watching.review_reader import Review, candidates_of, children_known, set_it
from tests.stream.identify_runner import FixedRegisters, Runner
from tests.stream.people import (
    COUNCIL,
    NHS,
    OTHER_COUNCIL,
    POLICE,
    SCHOOL,
    TRUST,
    an_event,
    attended,
    enrolled,
    merged,
    notified,
    registered,
)

HERE, THERE = ("hub-here", "hub-here-too"), ("hub-there",)
ALFIE: dict[str, Any] = {"given": "Alfie", "family": "Marsh", "postcode": "ES1 2AB"}
HIDES: Any = {"kind": "safe_address", "state": "set"}
IN_DOUBT = attended(event_id="n", nhs=NHS[1], **ALFIE)


def of_there(event_id: str, event_type: str, **said: Any) -> Event:
    return an_event(event_type, OTHER_COUNCIL, event_id=event_id, nhs=NHS[0], **said)


def excluding(event_id: str, *recipients: str) -> Event:
    return of_there(event_id, "council.referral.received", excluded=tuple(map(RecipientId, recipients)))


RECORD = of_there("r", "council.person.registered", local="T1")
WORD = of_there("w", "council.referral.received")
HIDDEN_BY_A_STRANGER = of_there("p", "control.protection", control=HIDES)


def after(*steps: tuple[tuple[str, ...], Event], own_area: bool = True) -> Runner:
    """A child that a hospital here knows, and what is said of it then; `own_area` of what others than this hospital say."""
    runner = Runner(partitions=1)
    for hubs, event in ((HERE, registered(event_id="a", nhs=NHS[0], local="M1", **ALFIE)), *steps):
        runner.hubs, runner.own_area = hubs, own_area or event.header.producer == TRUST
        runner.publish(event)
        runner.run()
        runner.tasks.clear()  # what is known is read from its state
    assert not runner.rejected
    return runner


def asked(runner: Runner) -> dict[str, tuple[str, str]]:
    return {one["event_id"]: (one["kind"], one["for_recipient"]) for one in runner.reviews()}


@pytest.mark.parametrize("first", [RECORD, WORD, HIDDEN_BY_A_STRANGER, excluding("x", *HERE)])
def test_whom_it_excludes_is_in_doubt_whatever_it_said_of_the_child_before(first: Event) -> None:
    """By two words the child's own hub was asked nothing more, and any other hub could answer in its place."""
    runner = after((THERE, first), (THERE, excluding("y", *HERE)), (HERE, IN_DOUBT))

    assert asked(runner)["n"] == ("AMBIGUOUS", "hub-here")


def test_also_where_its_events_name_the_childs_area() -> None:
    """Each names one desk of two, so that the other is there to be asked: together they left nobody."""
    words = [(HERE[1:], excluding("x", HERE[0])), (HERE[:1], excluding("y", HERE[1]))]

    assert asked(after(*words, (HERE, IN_DOUBT), own_area=False))["n"] == ("AMBIGUOUS", "hub-here")


def test_whom_another_agency_there_knows_too_it_excludes() -> None:
    at_school = an_event("school.pupil.registered", SCHOOL, event_id="s", nhs=NHS[0])
    runner = after((THERE, at_school), (THERE, excluding("y", *HERE)), (HERE, IN_DOUBT))

    assert asked(runner)["n"] == ("AMBIGUOUS", "")


@pytest.mark.parametrize("first", [RECORD, WORD])
def test_its_protection_in_doubt_holds_nobodys_line(first: Event) -> None:
    """It was asked at its own hub, which need never answer: each later event of the child waited for a person."""
    doubtful = an_event("control.protection", OTHER_COUNCIL, event_id="q", control=HIDES, nhs=NHS[1], **ALFIE)
    runner = after((THERE, first), (THERE, doubtful), (HERE, attended(event_id="v", local="M1")))

    assert list(asked(runner)) == ["q"]
    assert "v" in [event for events in runner.lines().values() for event in events]


@pytest.mark.parametrize("doubtful", [IN_DOUBT, notified(event_id="n", nhs=NHS[1], **ALFIE)])
@pytest.mark.parametrize("ours", [(), ((HERE, an_event("control.protection", POLICE, event_id="h", control=HIDES, nhs=NHS[0])),)])
def test_by_protecting_a_child_it_turns_no_question_of_the_childs_own_area_to_its_own_hub(doubtful: Event, ours: Any) -> None:
    """There it was read, rejected, and its bell rang there: nobody at the child's home ever heard of it."""
    assert asked(after((THERE, HIDDEN_BY_A_STRANGER), *ours, (HERE, doubtful)))["n"] == ("AMBIGUOUS", "hub-here")


FLED = (("hub-refuge",), an_event("control.protection", COUNCIL, event_id="f", control=HIDES, nhs=NHS[0]))
AT_THE_REFUGE = (("hub-refuge",), enrolled(event_id="s", nhs=NHS[0]))


@pytest.mark.parametrize("hubs", [("hub-refuge",), ("hub-third",)])
def test_a_child_that_fled_is_asked_about_where_it_is_protected_also_before_others_know_it_there(hubs: tuple[str, ...]) -> None:
    assert asked(after(FLED, (hubs, notified(event_id="n", nhs=NHS[1], **ALFIE))))["n"] == ("AMBIGUOUS", "hub-refuge")


@pytest.mark.parametrize("hubs", [HERE, ("hub-refuge",), ("hub-third",)])
def test_and_everywhere_once_others_do(hubs: tuple[str, ...]) -> None:
    runner = after(FLED, AT_THE_REFUGE, (hubs, notified(event_id="n", nhs=NHS[1], **ALFIE)))

    assert asked(runner)["n"] == ("AMBIGUOUS", "hub-refuge")


def test_a_merge_where_it_was_before_asks_there_never() -> None:
    again = registered(event_id="b", local="M2", **{**ALFIE, "postcode": "ES9 9ZZ"})
    runner = after(FLED, (HERE, again), (HERE, merged("M2", event_id="m", local="M1", given="Alfie")))

    assert asked(runner) == {"m": ("AMBIGUOUS", "hub-refuge")}


@pytest.mark.parametrize(("known", "sees"), [((), False), ((AT_THE_REFUGE,), True)], ids=["it alone", "others too"])
def test_who_alone_knows_the_child_where_it_protects_it_does_not_see_who_publishes_elsewhere(
    known: Any, sees: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = after(FLED, *known, (("hub-third",), notified(event_id="n", nhs=NHS[1], **ALFIE)))
    [review] = [Review(one, None) for one in runner.reviews() if one["event_id"] == "n"]

    async def read(_kafka: Any, topic: str) -> list[Record]:
        return [record for (name, _), records in runner.states.items() if name == topic for record in records]

    monkeypatch.setattr(review_reader, "read_all", read)
    nowhere: Any = None
    candidates = candidates_of(review, asyncio.run(children_known(nowhere)))
    desk = Recipient(id=RecipientId("hub-refuge"), name="", agency=AgencyId(COUNCIL), area=COUNCIL, roles=frozenset())
    council = Agency(id=AgencyId(COUNCIL), name="", sector=Sector.COUNCILS, area=COUNCIL)
    registers = replace(FixedRegisters().registers, agencies={council.id: council}, recipients={desk.id: desk})

    assert len(candidates) == 1
    assert set_it(review, candidates, registers) is sees
