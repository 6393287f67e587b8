"""`restart`: from `kill -9` of the only worker to the first new decision, with 100,000 children known."""

import statistics
import time

from tests.benchmarks import RUNS, Figure, Place
from tests.benchmarks.running_area import RunningArea, running_area

CHILDREN = 100_000


def measure(place: Place) -> list[Figure]:
    """Make the children known once, then kill and start again."""
    with running_area() as running:
        running.know(CHILDREN)
        runs = [_restart(running) for _ in range(RUNS)]
    detail = {"runs": runs, "at_most": 15, "children": CHILDREN}
    return [Figure("restart", statistics.median(runs), "seconds from kill -9 to the first new decision", detail=detail)]


def _restart(running: RunningArea) -> float:
    """Kill the worker, start another, and wait until an alert published meanwhile is visible."""
    (worker,) = running.workers
    began = time.monotonic()
    worker.kill()
    worker.start()
    ledger = running.alerts(1)
    assert len(ledger.seen_at) == 1
    return round(time.monotonic() - began, 1)
