"""A day that has not come: what is planned is told beforehand or when it has come, and nothing is lost over a slip of the pen."""

from dataclasses import replace

import pytest

from broker.core.intake.delivery import Finding, piece_from_bytes
from broker.core.intake.publishing import InForce, refusals_of
from broker.core.model.event import Action, Event
from broker.core.model.identifiers import Millis
from connectors.councils.cin_census import CinCensus
from tests.connectors.contract import RECEIVED, Case, MemoryInHand
from tests.connectors.councils.cin_files import a_child, a_plan, a_return, an_episode, group
from tests.connectors.schools.test_school_census import BEN, EXCLUDED, ROLL, SUSPENDED, export, read, table

DAY = 86_400_000
CIN = Case(CinCensus(), {}, {}, 0, ())
CALM = tuple(a_child(f"N{number}", an_episode()) for number in range(30))  # so that one child is no mass


def returned(memory: MemoryInHand, *children: str, days: int = 0) -> tuple[list[Event], list[Finding]]:
    """What a return says that comes some days after 21 September 2026."""
    at = f"2026-09-21T09:00:{days:02}"
    delivery = CIN.delivery({"cin.xml": b""})
    pieces = (piece_from_bytes("cin.xml", a_return(*CALM, *children, at=at)),)
    said = list(CinCensus().read(replace(delivery, received_at=Millis(RECEIVED + days * DAY), pieces=pieces), memory))
    return [one for one in said if isinstance(one, Event)], [one for one in said if isinstance(one, Finding)]


def told(events: list[Event]) -> list[tuple[str, str | None]]:
    return [(event.header.event_type.removeprefix("council."), event.header.occurred_at) for event in events]


def test_a_conference_that_is_planned_is_told_by_the_return_after_its_day() -> None:
    memory = MemoryInHand()
    returned(memory)
    enquiry = group("Section47", S47ActualStartDate="2026-09-18", DateOfInitialCPC="2026-10-05")
    child = a_child("A", an_episode(enquiry, referred="2026-09-17"))

    before, findings = returned(memory, child, days=1)
    after, _ = returned(memory, child, days=20)

    assert told(before) == [("referral.received", "2026-09-17"), ("case.opened", "2026-09-17"), ("s47.started", "2026-09-18")]
    assert [(one.rule, "is not told yet" in one.message) for one in findings] == [("date-in-future", True)]
    assert told(after) == [("icpc.held", "2026-10-05")]


@pytest.mark.parametrize(
    ("episode", "later", "why"),
    [
        (an_episode(CINclosureDate="2026-10-05", ReasonForClosure="RC7"), ["case.closed"], "a case to be closed"),
        (an_episode(a_plan(CPPendDate="2026-10-05")), ["cp_plan.ended"], "a plan to end"),
        (an_episode(group("CINPlanDates", CINPlanStartDate="2026-10-05")), ["cin_plan.started"], "a plan to begin"),
    ],
)
def test_what_is_planned_is_not_so_yet(episode: str, later: list[str], why: str) -> None:
    memory = MemoryInHand()
    returned(memory)

    before, _ = returned(memory, a_child("A", episode), days=1)
    after, _ = returned(memory, a_child("A", episode), days=20)

    assert not {name for name, _ in told(before)} & set(later), why
    assert [name for name, _ in told(after)] == later, why


def test_a_date_that_moves_into_the_future_takes_nothing_back() -> None:
    memory = MemoryInHand()
    enquiry = group("Section47", S47ActualStartDate="2026-09-18")
    returned(memory)
    returned(memory, a_child("A", an_episode(enquiry)), days=1)

    events, findings = returned(memory, a_child("A", an_episode(enquiry.replace("2026-09-18", "2062-09-18"))), days=2)

    assert events == []
    assert {one.rule for one in findings} == {"date-in-future", "kept-unread"}


def test_a_referral_of_a_day_to_come_is_told_without_the_day_and_corrected_with_it() -> None:
    memory = MemoryInHand()
    returned(memory)

    first, _ = returned(memory, a_child("A", an_episode(referred="2062-09-18")), days=1)
    second, _ = returned(memory, a_child("A", an_episode(referred="2026-09-18")), days=2)

    assert told(first) == [("referral.received", None), ("case.opened", None)]
    assert [(event.header.action, event.header.occurred_at) for event in second] == [(Action.UPDATE, "2026-09-18")] * 2


def test_a_retraction_that_the_broker_refuses_is_made_by_the_next_return() -> None:
    memory = MemoryInHand()
    returned(memory)
    returned(memory, a_child("A", an_episode(a_plan())), days=1)
    delivery = CIN.delivery({"cin.xml": a_return(*CALM, a_child("A", an_episode()), at="2026-09-21T09:00:02")})
    refused = list(CinCensus().read(replace(delivery, takes=lambda _: False), memory))

    events, _ = returned(memory, a_child("A", an_episode()), days=3)

    assert [one.header.action for one in refused if isinstance(one, Event)] == [Action.RETRACT]
    assert [event.header.action for event in events] == [Action.RETRACT]


def test_a_suspension_from_next_monday_is_told_at_once_with_its_first_day() -> None:
    memory = MemoryInHand()
    files = export("2026_autumn", pupilonroll=table(ROLL, BEN))
    files |= export("2026_autumn", termlyexclusionsonroll=table(EXCLUDED, SUSPENDED.replace("2025-Oct-06", "2026-Sep-28")))

    events, findings = read(files, memory)
    again, _ = read(files, memory)

    (event,) = [one for one in events if one.header.event_type == "school.suspension"]
    assert (event.header.occurred_at, event.body["concern"]["starts_on"]) == (None, "2026-09-28")
    assert [(one.severity, one.rule) for one in findings] == [("info", "to_come")]
    assert not list(refusals_of(event, InForce(events={}, now=RECEIVED)))
    assert again == []
