"""`pipeline`: events to disclosures through all stages, per second of processor time of the worker."""

from tests.benchmarks import Figure, Place, median_of
from tests.benchmarks.running_area import running_area

EVENTS = 4_000
CHILDREN = 5_000


def measure(place: Place) -> list[Figure]:
    """Measure one worker that runs every stage; each event is signed, verified, matched, decided, audited and disclosed."""
    with running_area() as running:
        running.know(CHILDREN)
        running.alerts(EVENTS)

        def one() -> float:
            before = running.cpu_seconds()
            running.alerts(EVENTS)
            return EVENTS / (running.cpu_seconds() - before)

        median, runs = median_of(one)
    detail = {"runs": runs, "events": EVENTS, "children": CHILDREN, "disclosures_per_event": 1, "stages": 4}
    return [Figure("pipeline", round(median, 1), "events per CPU second, all stages", detail=detail)]
