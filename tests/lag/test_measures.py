"""Lag in time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.lag.evaluation import Reading
from broker.lag.measures import (
    HOUR_MS,
    SILENCE_FLOOR_MS,
    hours_of_headroom,
    records_per_second,
    seconds_behind,
    seconds_to_drain,
    silence,
    trend,
)


def test_seconds_behind_is_the_age_of_the_next_record_to_be_read() -> None:
    assert seconds_behind(Reading(at=100_000, committed=5, end=9), waiting_since=40_000) == 60.0


def test_nothing_waiting_is_not_behind_however_old_the_last_record_is() -> None:
    assert seconds_behind(Reading(at=100_000, committed=9, end=9), waiting_since=40_000) == 0.0


def test_a_publisher_clock_ahead_of_ours_is_not_negative_lag() -> None:
    assert seconds_behind(Reading(at=100, committed=5, end=9), waiting_since=40_000) == 0.0


def test_time_to_drain_follows_both_speeds() -> None:
    window = (Reading(0, 0, 1_000), Reading(10_000, 300, 1_100))

    assert records_per_second(window) == (30.0, 10.0)
    assert seconds_to_drain(window) == 800 / 20
    assert trend(window) == -200


@pytest.mark.parametrize(
    ("why", "expected", "window"),
    [
        ("a backlog that grows never drains", None, (Reading(0, 0, 100), Reading(1_000, 10, 200))),
        ("one reading says nothing of speed", None, (Reading(0, 0, 100),)),
        ("nothing waits", 0.0, (Reading(0, 7, 7),)),
    ],
)
def test_time_to_drain_at_its_edges(why: str, expected: float | None, window: tuple[Reading, ...]) -> None:
    assert seconds_to_drain(window) == expected


@given(st.integers(0, 1_000), st.integers(0, 1_000), st.integers(0, 1_000), st.integers(0, 1_000), st.integers(1, 60_000))
def test_time_to_drain_is_positive_and_finite_or_absent(a: int, lag_a: int, read: int, written: int, span: int) -> None:
    window = (Reading(0, a, a + lag_a), Reading(span, a + read, max(a + read, a + lag_a + written)))
    drain = seconds_to_drain(window)

    assert drain is None or drain >= 0
    assert (drain == 0) == (window[-1].lag == 0)


def test_headroom_counts_from_the_oldest_unread_record() -> None:
    assert hours_of_headroom(now=10 * HOUR_MS, waiting_since=4 * HOUR_MS, retention_ms=24 * HOUR_MS) == 18.0


def test_headroom_is_absent_when_nothing_is_deleted_or_nothing_waits() -> None:
    assert hours_of_headroom(now=1, waiting_since=0, retention_ms=-1) is None
    assert hours_of_headroom(now=1, waiting_since=None, retention_ms=1) is None


def test_a_feed_quiet_for_much_longer_than_usual_is_silent() -> None:
    arrivals = [minute * 60_000 for minute in range(0, 100, 10)]
    found = silence(arrivals, now=arrivals[-1] + 31 * 60_000)

    assert found is not None
    assert (found.seconds, found.usual_seconds) == (31 * 60, 10 * 60)


@given(st.lists(st.integers(0, 10**9), max_size=30), st.integers(0, 10**9))
def test_silence_needs_history_and_a_gap_beyond_the_usual(arrivals: list[int], later: int) -> None:
    now = max(arrivals, default=0) + later
    found = silence(arrivals, now)

    if found is not None:
        assert len(arrivals) > 8
        assert found.seconds > 3 * found.usual_seconds
        assert found.seconds * 1000 > SILENCE_FLOOR_MS
