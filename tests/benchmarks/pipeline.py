"""`pipeline`: native notices to disclosures through the connector and all stages, per second of processor time of both."""

import statistics

from tests.benchmarks import Figure, Place, median_of
from tests.benchmarks.running_area import running_area

EVENTS = 4_000
CHILDREN = 5_000


def measure(place: Place) -> list[Figure]:
    """Measure the connector and one worker that runs every stage.

    Each notice is read, signed, verified, matched, decided, audited and disclosed. `stages` of the detail is the worker alone.
    """
    with running_area() as running:
        running.know(CHILDREN)
        running.native_alerts(EVENTS)
        worked: list[float] = []

        def one() -> float:
            before = running.cpu_seconds()
            read = running.native_alerts(EVENTS)
            worked.append(running.cpu_seconds() - before)
            return EVENTS / (read + worked[-1])

        median, runs = median_of(one)
    stages = round(EVENTS / statistics.median(worked), 1)
    detail = {"runs": runs, "events": EVENTS, "children": CHILDREN, "disclosures_per_event": 1, "stages": stages}
    return [Figure("pipeline", round(median, 1), "native events per CPU second, connector and all stages", detail=detail)]
