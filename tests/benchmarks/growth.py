"""`growth`: CPU per event with 1,000, 10,000 and 100,000 children known; `restart`: back after a kill with all of them.

Both in one run, because making 100,000 children known takes minutes.
"""

import statistics
import time

from tests.benchmarks import RUNS, Figure, Place
from tests.benchmarks.running_area import RunningArea, running_area

SIZES = (1_000, 10_000, 100_000)
EVENTS = 1_000  # on as many children, so that a child has as many events whatever the size


def measure(place: Place) -> list[Figure]:
    """Measure both."""
    costs: dict[int, list[float]] = {}
    with running_area() as running:
        for size in SIZES:
            running.know(size)
            running.alerts(EVENTS, running.children[-EVENTS:])
            costs[size] = [_micros_per_event(running) for _ in range(RUNS)]
        restarts = [_restart(running) for _ in range(RUNS)]
    return [_growth(costs), _restart_figure(restarts)]


def _growth(costs: dict[int, list[float]]) -> Figure:
    medians = {size: round(statistics.median(runs), 1) for size, runs in costs.items()}
    detail = {"us_per_event": medians, "runs": costs, "at_most": 1.1, "events": EVENTS}
    return Figure(
        "growth", round(medians[SIZES[-1]] / medians[SIZES[0]], 3), "CPU per event, 100,000 children to 1,000", detail=detail
    )


def _restart_figure(restarts: list[float]) -> Figure:
    detail = {"runs": restarts, "at_most": 15, "children": SIZES[-1]}
    return Figure("restart", statistics.median(restarts), "seconds from kill -9 to the first new decision", detail=detail)


def _micros_per_event(running: RunningArea) -> float:
    before = running.cpu_seconds()
    running.alerts(EVENTS, running.children[-EVENTS:])
    return round((running.cpu_seconds() - before) / EVENTS * 1e6, 1)


def _restart(running: RunningArea) -> float:
    """Kill the only worker, start another, and wait until an alert published meanwhile is visible."""
    (worker,) = running.workers
    began = time.monotonic()
    worker.kill()
    worker.start()
    ledger = running.alerts(1)
    assert len(ledger.seen_at) == 1
    return round(time.monotonic() - began, 1)
