"""By when somebody has to hear: worked out by hand from the calendar, for the week that ends on Sunday 22 November 2026."""

from datetime import UTC, date, datetime

import pytest
from pydantic import ValidationError

from broker.simulate.days import due
from broker.simulate.story import Hears

UNTIL = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("by", "at", "expected", "why"),
    [
        ("10_seconds", "2026-11-18T22:41", "2026-11-18T22:41:10", "seconds"),
        ("72_hours", "2026-11-20T06:15", "2026-11-23T06:15", "over a weekend too"),
        ("same_day", "2026-11-19T10:00", "2026-11-19T23:59", "until midnight"),
        ("next_school_day", "2026-11-18T22:41", "2026-11-19T08:45", "the next morning"),
        ("next_school_day", "2026-11-19T07:29", "2026-11-19T08:45", "the same morning"),
        ("next_school_day", "2026-11-20T22:41", "2026-11-23T08:45", "over a weekend"),
        ("next_school_day", "2026-10-23T22:41", "2026-10-29T08:45", "over this county's half-term"),
        ("1_working_day", "2026-11-18T09:05", "2026-11-19T17:00", "when the office closes"),
        ("1_working_day", "2026-11-20T09:05", "2026-11-23T17:00", "over a weekend"),
        ("5_working_days", "2026-12-22T09:05", "2026-12-30T17:00", "without Christmas"),
        ("day_4", "2026-11-17T20:03", "2026-11-19T23:59", "the fourth day of the week, Thursday"),
        ("same_day", "2026-07-01T10:00", "2026-07-01T22:59", "midnight in England, in summer"),
    ],
)
def test_a_deadline_is_that_of_the_area(by: str, at: str, expected: str, why: str) -> None:
    found = due(by, datetime.fromisoformat(at).replace(tzinfo=UTC), UNTIL)

    assert datetime.fromisoformat(expected).replace(tzinfo=UTC) == found, why


@pytest.mark.parametrize("by", ["soon", "at once", "0_hours", "day_9", "ten_working_days", ""])
def test_a_deadline_that_nobody_can_compare_is_refused(by: str) -> None:
    with pytest.raises(ValidationError, match="is no deadline: use N_seconds"):
        Hears(to="hub@home", by=by)
