"""Clocks fall due on the right calendar, through holidays and daylight saving."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from broker.core.model.identifiers import Digest, DisclosureId, EventId, Millis, RecipientId, RoleName
from broker.core.model.policy import ClockKind
from broker.core.model.registers import Calendar, Registers
from broker.core.waiting.clocks import Calendars, Clock, calendars, clock_id, due_at, is_clock, span_of, stages, still_open
from broker.errors import PolicyError

LONDON = ZoneInfo("Europe/London")
AREA = Calendar(of="E10000030", closed=frozenset({"2026-12-25", "2026-12-28", "2027-01-01", "2026-04-03", "2026-04-06"}))
SCHOOL = Calendar(
    of="urn:100001",
    day_start="07:30",
    closed=frozenset({"2026-11-13", "2026-12-25", "2026-12-28", "2027-01-01"}),  # 13 November: a training day of this school only
    terms=(("2026-09-02", "2026-10-23"), ("2026-11-02", "2026-12-18"), ("2027-01-04", "2027-02-12")),
)
DAYS = Calendars(AREA, SCHOOL)


def instant(text: str) -> Millis:
    return Millis(int(datetime.fromisoformat(text).replace(tzinfo=LONDON).timestamp() * 1000))


@pytest.mark.parametrize(
    ("name", "start", "due", "why"),
    [
        ("next_school_day", "2026-10-23T18:00", "2026-11-02T07:30", "the Friday before half term waits for the first day back"),
        ("next_school_day", "2026-12-24T22:00", "2027-01-04T07:30", "Christmas Eve waits for the new term"),
        ("next_school_day", "2026-11-10T07:29", "2026-11-10T07:30", "a minute before the bell, today's day has not begun"),
        ("next_school_day", "2026-11-10T07:31", "2026-11-11T07:30", "a minute after the bell, tomorrow's counts"),
        ("next_school_day", "2026-11-12T20:00", "2026-11-16T07:30", "a training day of this school is no school day"),
        (
            "next_school_day",
            "2027-03-05T20:00",
            "2027-03-08T07:30",
            "after the last known term the next weekday counts: early, not late",
        ),
        ("1_working_day", "2026-12-24T10:00", "2026-12-29T17:00", "Christmas, the weekend and the substitute day do not count"),
        ("1_working_day", "2026-11-14T10:00", "2026-11-16T17:00", "what comes on a Saturday counts from Monday"),
        ("15_working_days", "2026-11-02T09:00", "2026-11-23T17:00", "three weeks without a day off"),
        ("10_working_days", "2026-03-31T09:00", "2026-04-16T17:00", "Easter's two days off do not count; summer time has begun"),
        ("72_hours", "2026-10-24T12:00", "2026-10-27T11:00", "hours are hours: the clocks went back in between"),
        ("1_hour", "2026-03-29T00:30", "2026-03-29T02:30", "the hour that is left out in March"),
        ("same_day", "2026-10-25T00:30", "2026-10-26T00:00", "the day of 25 hours ends at its midnight"),
        ("3_months", "2026-11-30T09:00", "2027-02-28T09:00", "a shorter month ends on its last day"),
        ("6_months", "2026-12-01T09:00", "2027-06-01T09:00", "into the next year, the same local time in summer"),
    ],
)
def test_a_clock_falls_due_when_the_guidance_says(name: str, start: str, due: str, why: str) -> None:
    assert due_at(name, instant(start), DAYS) == instant(due), why


def test_the_hour_that_happens_twice_in_october_counts_as_its_first() -> None:
    night_school = Calendar(of="urn:2", day_start="01:30")
    first = Millis(int(datetime(2026, 10, 25, 1, 30, tzinfo=LONDON, fold=0).timestamp() * 1000))

    due = due_at("next_school_day", instant("2026-10-23T12:00"), Calendars(AREA, night_school))

    assert due == instant("2026-10-26T01:30")  # the 25th is a Sunday
    assert first < due


def test_a_calendar_without_any_day_rings_tomorrow_rather_than_never() -> None:
    never = Calendar(
        of="x",
        closed=frozenset(f"{year}-{m:02}-{d:02}" for year in (2026, 2027, 2028) for m in range(1, 13) for d in range(1, 32)),
    )

    assert due_at("next_school_day", Millis(0) + instant("2026-11-10T09:00"), Calendars(never, never)) == instant(
        "2026-11-11T09:00"
    )


def test_an_unknown_clock_is_the_policys_fault_and_says_what_is_known() -> None:
    assert not is_clock("soon")
    assert is_clock("20_working_days")
    with pytest.raises(PolicyError, match="unknown clock `soon`: use N_hours"):
        due_at("soon", Millis(0), DAYS)


def test_a_missing_calendar_falls_back_to_the_areas_and_then_to_weekdays() -> None:
    registers = Registers(
        version="1",
        digest=Digest("d"),
        agencies={},
        keys={},
        recipients={},
        areas={},
        calendars={"E10000030": AREA, "urn:100001": SCHOOL},
    )

    assert calendars(registers, "urn:100001", "E10000030") == DAYS
    assert calendars(registers, "urn:9", "E10000030") == Calendars(AREA, AREA)
    assert calendars(registers, None, None).area.closed == frozenset()


def test_a_receipt_stops_its_own_clock_and_no_other() -> None:
    def a_clock(disclosure: str, stops_on: str) -> Clock:
        ref = DisclosureId(disclosure)
        return Clock(
            clock_id=clock_id(ref, "1_hour"),
            name="1_hour",
            event_id=EventId("e"),
            event_type="t",
            disclosure_id=ref,
            recipient=RecipientId("r"),
            role=RoleName("dsl"),
            started_at=Millis(0),
            due_at=Millis(1),
            stops_on=stops_on,
        )

    read, acted, other = a_clock("a", "read"), a_clock("a", "acted"), a_clock("b", "read")

    assert still_open((read, acted, other), DisclosureId("a"), "delivered") == (read, acted, other)
    assert still_open((read, acted, other), DisclosureId("a"), "read") == (acted, other)
    assert still_open((read, acted, other), DisclosureId("a"), "outcome") == (other,)


@pytest.mark.parametrize(
    ("text", "span"), [("20_minutes", 1_200_000), ("1_hour", 3_600_000), ("1_day", None), ("0_hours", None), (None, None)]
)
def test_a_length_of_time_is_minutes_or_hours(text: str | None, span: int | None) -> None:
    assert span_of(text) == span


def test_a_clock_warns_before_it_falls_due_and_goes_on_after_it() -> None:
    kind = ClockKind(name="1_hour", says="within the hour", warn_before="20_minutes", next_after="30_minutes")

    assert stages(kind, Millis(0), Millis(3_600_000)) == {"warned": 2_400_000, "due": 3_600_000, "escalated": 5_400_000}
    assert stages(kind, Millis(3_000_000), Millis(3_600_000)) == {"due": 3_600_000, "escalated": 5_400_000}
    assert stages(None, Millis(0), Millis(3_600_000)) == {"due": 3_600_000}


def test_the_bells_of_one_clock_have_ids_of_their_own() -> None:
    assert len({clock_id(DisclosureId("d"), "1_hour", stage) for stage in ("warned", "due", "escalated")}) == 3
