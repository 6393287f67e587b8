"""Burrow's rules, and what must hold for any window."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.lag.evaluation import WINDOW, Reading, Status, judge, slide, worst


def a_window(*offsets: tuple[int, int], every_ms: int = 5_000) -> tuple[Reading, ...]:
    return tuple(Reading(at * every_ms, committed, end) for at, (committed, end) in enumerate(offsets))


CASES = [
    # why, expected, window, alive
    ("nothing waits", Status.OK, a_window((10, 10), (10, 10), (10, 10)), True),
    ("nothing waits, so it does not matter that no worker runs", Status.OK, a_window((10, 10)), False),
    ("it was level within the window", Status.OK, a_window((10, 10), (10, 15), (10, 20)), True),
    ("records wait and nobody reads", Status.STOP, a_window((5, 10), (5, 12), (5, 20)), False),
    ("a worker is there, but the offset stands still", Status.STALL, a_window((5, 10), (5, 10), (5, 20)), True),
    ("it moves, the backlog grows", Status.WARN, a_window((5, 20), (6, 25), (7, 30)), True),
    ("it moves, the backlog stays", Status.WARN, a_window((5, 20), (10, 25), (15, 30)), True),
    ("the backlog shrank once", Status.OK, a_window((5, 20), (12, 21), (13, 30)), True),
    ("somebody reset the position", Status.REWIND, a_window((50, 80), (55, 80), (10, 80)), True),
    ("reset, and recovered since", Status.OK, a_window((50, 80), (10, 80), (60, 80)), True),
    ("too short a window to tell standing still from a pause", Status.OK, a_window((5, 9), (5, 9), every_ms=100), True),
]


@pytest.mark.parametrize(("why", "expected", "window", "alive"), CASES, ids=[case[0] for case in CASES])
def test_each_rule(why: str, expected: Status, window: tuple[Reading, ...], alive: bool) -> None:
    assert judge(window, alive=alive).status is expected


def test_standing_still_while_nobody_read_does_not_make_a_worker_stuck_that_has_just_come() -> None:
    stood = tuple(Reading(at * 5_000, 5, 10, alive=at > 2) for at in range(4))
    stands_on = (*stood, *(Reading(at * 5_000, 5, 10) for at in range(4, 6)))

    assert judge(stood, alive=True).status is Status.OK
    assert judge(stands_on, alive=True).reason == "has not moved for 10 s"


def test_records_deleted_before_they_were_read_are_the_worst() -> None:
    verdict = judge(a_window((5, 50), (6, 50)), alive=True, begin=20)

    assert (verdict.status, verdict.reason) == (
        Status.LOST,
        "14 records were deleted by retention before they were read",
    )


readings = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=WINDOW).map(
    lambda pairs: tuple(Reading(at * 5_000, committed, committed + lag) for at, (committed, lag) in enumerate(pairs))
)


@given(readings, st.booleans())
def test_a_window_that_was_level_is_never_an_error_while_somebody_reads(window: tuple[Reading, ...], alive: bool) -> None:
    verdict = judge(window, alive=alive)

    if window[-1].lag == 0:
        assert verdict.status is Status.OK
    elif not alive:
        assert verdict.status is Status.STOP
    elif any(reading.lag == 0 for reading in window):
        assert verdict.status is Status.OK


@given(readings)
def test_every_status_has_its_reason_and_its_cause(window: tuple[Reading, ...]) -> None:
    verdict = judge(window, alive=True)
    committed = [reading.committed for reading in window]
    lags = [reading.lag for reading in window]

    assert verdict.reason
    assert verdict.complete == (len(window) == WINDOW)
    if verdict.status is Status.STALL:
        assert len(set(committed)) == 1
        assert min(lags) > 0
    if verdict.status is Status.WARN:
        assert len(set(committed)) > 1
        assert lags == sorted(lags)
    if verdict.status is Status.REWIND:
        assert committed[-1] < max(committed)


@given(readings, st.integers(1, 1_000))
def test_shifting_all_offsets_changes_nothing(window: tuple[Reading, ...], shift: int) -> None:
    shifted = tuple(Reading(one.at, one.committed + shift, one.end + shift) for one in window)

    assert judge(window, alive=True).status is judge(shifted, alive=True).status


@given(st.lists(st.integers(0, 9), max_size=40))
def test_the_window_keeps_the_latest_readings(ats: list[int]) -> None:
    window: tuple[Reading, ...] = ()
    for at in ats:
        window = slide(window, Reading(at, 0, 0))

    assert [reading.at for reading in window] == ats[-WINDOW:]


@given(st.lists(st.sampled_from(list(Status)), min_size=1))
def test_a_group_is_as_well_as_its_worst_partition(statuses: list[Status]) -> None:
    assert worst(statuses) in statuses
    assert all(worst(statuses).rank >= status.rank for status in statuses)


def test_help_is_needed_only_when_it_will_not_get_better_by_itself() -> None:
    assert {status for status in Status if status.needs_help} == {Status.REWIND, Status.STALL, Status.STOP, Status.LOST}
