"""Dates of any precision: ages, instants, and which dates can be somebody's birth date."""

import pytest

from broker.core.model.dates import age_span, days_within, instant_of, whole_birth_date


@pytest.mark.parametrize(
    ("born", "seen", "ages", "why"),
    [
        ("2017-01-15", "2026-11-10", (9, 9), "both to the day"),
        ("2017-11-11", "2026-11-10", (8, 8), "the birthday is tomorrow"),
        ("2017-11-10", "2026-11-10", (9, 9), "the birthday is today"),
        ("2017", "2026-11-10", (8, 9), "born some day of that year"),
        ("2017-11", "2026-11-10", (8, 9), "born some day of this month"),
        ("2017-01-15", "2026", (8, 9), "it happened some day of that year"),
        (None, "2026-11-10", None, "nobody said"),
        ("unknown", "2026-11-10", None, "not a date"),
        ("2017-01-15", "2026-11-10T23:59:00+00:00", (9, 9), "an instant is a day"),
    ],
)
def test_ages_are_as_precise_as_the_dates(born, seen, ages, why):
    assert age_span(born, seen) == ages, why


@pytest.mark.parametrize(
    ("text", "instant", "why"),
    [
        ("1970-01-02", 86_400_000, "a day is its midnight"),
        ("1970-01-01T01:00:00+01:00", 0, "an instant is itself"),
        ("2026-11", None, "a month is no instant"),
        ("soon", None, "not a date"),
        (None, None, "nobody said"),
    ],
)
def test_instants_come_from_days_and_instants_only(text, instant, why):
    assert instant_of(text) == instant, why


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2015-03-02", "2015-03-02"), ("2015-03", None), ("2015", None), ("1900-01-01", None), ("2015-02-30", None), (None, None)],
)
def test_only_a_whole_day_is_a_birth_date(text: str | None, expected: str | None) -> None:
    assert whole_birth_date(text) == expected


@pytest.mark.parametrize(
    ("text", "days", "first"),
    [
        ("2016", 366, "2016-01-01"),
        ("2015-02", 28, "2015-02-01"),
        ("2015-02-01", 0, ""),
        ("1900", 0, ""),
        ("20xx", 0, ""),
        (None, 0, ""),
    ],
)
def test_a_part_of_a_birth_date_may_be_each_of_its_days(text: str | None, days: int, first: str) -> None:
    found = days_within(text)

    assert (len(found), next(iter(found), "")) == (days, first)
