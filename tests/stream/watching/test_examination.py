"""What the doctor makes of a report: whether anybody may hear too late is its own finding."""

from dataclasses import replace

import pytest

from broker.lag.open_work import Undelivered
from broker.lag.report import Report
from broker.stream.watching.examination import State, alerts, people, workers


def a_report(at_risk: int, past_due: int) -> Report:
    waiting = Undelivered(recipient="dsl-1", count=20, oldest_seconds=60.0, at_risk=at_risk, past_due=past_due, next_due_at=None)
    return Report(at=0, group="g", members=1, partitions=(), undelivered=(waiting,))


@pytest.mark.parametrize(
    ("at_risk", "past_due", "state"),
    [(0, 0, State.WELL), (14, 0, State.DOUBTFUL), (0, 1, State.DOUBTFUL)],
)
def test_all_is_not_well_while_an_alert_may_come_too_late(at_risk: int, past_due: int, state: State) -> None:
    report = a_report(at_risk, past_due)

    assert alerts(report).state is state
    assert bool(alerts(report).remedy) is (state is not State.WELL)
    assert workers(report, "g").state is State.WELL
    assert "alert" not in workers(report, "g").words


@pytest.mark.parametrize(("late", "letters", "state"), [(0, 0, State.WELL), (1, 0, State.DOUBTFUL), (0, 3, State.DOUBTFUL)])
def test_all_is_not_well_while_something_waits_for_a_person_beyond_its_clock(late: int, letters: int, state: State) -> None:
    found = people(replace(a_report(0, 0), reviews={"UNIDENTIFIED": 5}, reviews_past_due=late, dead_letters=letters))

    assert found.state is state
    assert workers(replace(a_report(0, 0), reviews={"UNIDENTIFIED": 5}, dead_letters=letters), "g").words.endswith(
        "everything is up to date"
    ), "said once"
    assert ("broker reviews list" in found.remedy) is bool(late)
    assert ("broker dead-letters list" in found.remedy) is bool(letters)
