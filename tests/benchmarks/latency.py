"""`latency`: from publishing to visible at the subscriber, at 500 events a second, through all stages."""

import statistics
import time

from tests.benchmarks import RUNS, Figure, Place
from tests.benchmarks.running_area import running_area

PER_SECOND = 500
SECONDS = 8.0
CHILDREN = 5_000
ALL_AT_ONCE = 4_000


def measure(place: Place) -> list[Figure]:
    """Measure the slowest of a hundred; the median of five stretches.

    `most_per_second` is what this machine takes at all, publisher, Kafka, workers and subscribers together: where it is below the
    pace, alerts queue up and the figure says how long.
    """
    with running_area(workers=2) as running:
        running.know(CHILDREN)
        running.steady(3, PER_SECOND)
        began = time.monotonic()
        running.alerts(ALL_AT_ONCE)
        most = ALL_AT_ONCE / (time.monotonic() - began)
        runs = [running.steady(SECONDS, PER_SECOND).latencies() for _ in range(RUNS)]
    slow = [_millis(run, 0.99) for run in runs]
    detail = {
        "p50_ms": statistics.median(_millis(run, 0.5) for run in runs),
        "p99_ms_runs": slow,
        "at_least": "p99 below 500 ms",
        "events_per_second": PER_SECOND,
        "most_per_second": round(most),
        "workers": 2,
        "events": sum(len(run) for run in runs),
    }
    return [Figure("latency", statistics.median(slow), "ms from publish to visible, p99", detail=detail)]


def _millis(latencies: list[float], share: float) -> float:
    return round(latencies[int(len(latencies) * share)] * 1000, 1)
