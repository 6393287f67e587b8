"""What the times of a hospital message say, when a clock or a birth date is wrong."""

import pytest

from connectors.health.hl7v2_person import is_adult
from tests.connectors import contract
from tests.connectors.health.messages import message, pid, read, types, visit


@pytest.mark.parametrize(
    ("born", "at", "adult", "why"),
    [
        ("2008-09-01", "2026-09-01", True, "eighteen today"),
        ("2008-09-02", "2026-09-01", False, "eighteen tomorrow"),
        ("2008", "2026-12-30", False, "the year alone: perhaps born on its last day"),
        ("2008", "2026-12-31", True, "the year alone: surely eighteen"),
        ("2008-09", "2026-09-29", False, "the month alone"),
        ("2008-02-29", "2026-02-28", False, "born on a leap day: eighteen on the first of March"),
        ("2008-02-29", "2026-03-01", True, "born on a leap day"),
        ("2008-09-01", "2026", False, "only the year of the event is known"),
        ("2008-09-01", "", False, "nobody knows when it was"),
        ("9999-12-31", "2026-09-01", False, "a birth date that stands for none"),
    ],
)
def test_somebody_is_an_adult_only_when_that_is_sure(born: str, at: str, adult: bool, why: str) -> None:
    assert is_adult(born, at) is adult, why


@pytest.mark.parametrize(
    ("born", "why"), [("20270101", "not yet born"), ("150203", "read as the year 1502"), ("10150203", "mistyped")]
)
def test_a_birth_that_cannot_be_is_left_out_and_never_makes_an_adult(born: str, why: str) -> None:
    events, findings = read(message("A04", pid(born), visit("E")))

    assert events == [], why
    assert [one.rule for one in findings] == ["birth_date_late", "birth_date"], why


@pytest.mark.parametrize(
    ("at", "occurred", "why"),
    [
        ("20500901101500", None, "a clock that is ahead"),
        ("260901101500", None, "a year of two digits, read as the year 2609"),
        ("18000901", None, "a clock that counts from nothing"),
        ("20261101", None, "some weeks ahead"),
        ("19990901", "1999-09-01", "a clock that is behind: the birth is after it"),
    ],
)
def test_a_child_stays_a_child_whatever_a_clock_says(at: str, occurred: str | None, why: str) -> None:
    events, findings = read(message("A04", pid(), visit("E", arrived=at), at=at))

    assert types(events) == ["health.ed.attended"], why
    assert events[0].header.occurred_at == occurred, why
    assert events[0].body["identity"]["birth_date"] == "2015-02-03", why
    assert {one.rule for one in findings} & {"time_impossible", "birth_date_late"}, why


def test_of_several_times_the_one_that_can_be_is_taken() -> None:
    (event,), findings = read(message("A04", pid(), visit("E", arrived="205009010930")))

    assert event.header.occurred_at == "2026-09-01T10:00"
    assert "attended_at" not in event.body["clinical"]
    assert [(one.rule, one.place.rpartition(", ")[2]) for one in findings] == [("time_impossible", "PV1-44")]


def test_an_adult_of_today_is_none_before() -> None:
    """What is sent late is still about the child of that day."""
    late = message("A04", pid("20080915"), visit("E"), at="202609141000")

    assert types(read(late)[0]) == ["health.ed.attended"]
    assert types(read(late.replace("20260914", "20260916"))[0]) == []


def test_a_time_beyond_the_calendar_is_as_none() -> None:
    (event,), _ = read(message("A04", pid(), visit("E"), at="999912312359-1400"))

    assert event.header.recorded_at == contract.RECEIVED


def test_a_death_is_carried_with_its_day() -> None:
    died = pid().split("|")
    died[29:31] = ["202608311200", "Y"]

    assert read(message("A31", "|".join(died)))[0][0].body["identity"]["death_date"] == "2026-08-31"


@pytest.mark.parametrize(
    "stamp",
    [
        "201502032400",
        "201502032560",
        "20150203999999",
        "2015020312345",
        "20150203000000.0000000",
        "20150203 0000",
        "20150203T1200",
    ],
)
def test_a_wrong_time_of_birth_leaves_the_date_and_loses_no_child(stamp: str) -> None:
    """FORMATS 3.7, seen in real files: the day of birth is sound, the time of day is none."""
    events, findings = read(message("A04", pid(stamp), visit("E")))

    assert [(event.header.event_type, event.body["identity"]["birth_date"]) for event in events] == [
        ("health.ed.attended", "2015-02-03")
    ]
    assert [one.rule for one in findings] == ["birth_time"]


@pytest.mark.parametrize("stamp", ["20150231", "201502312400", "03022015", "2015023", "x20150203"])
def test_what_is_no_day_is_no_birth_date_whatever_follows(stamp: str) -> None:
    events, findings = read(message("A04", pid(stamp), visit("E")))

    assert (events, {one.rule for one in findings}) == ([], {"birth_date"})


@pytest.mark.parametrize(("stamp", "said"), [("2015", "2015"), ("201502", "2015-02"), ("201502030915+0100", "2015-02-03")])
def test_a_birth_date_keeps_the_precision_that_it_has(stamp: str, said: str) -> None:
    (event,), findings = read(message("A04", pid(stamp), visit("E")))

    assert (event.body["identity"]["birth_date"], findings) == (said, [])
