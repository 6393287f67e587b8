"""`growth`: processor time per event with 1,000, 10,000 and 100,000 children known: it must not grow with them."""

import random
import statistics
import tempfile
from pathlib import Path

from broker.stream.engine.app import look_for_garbage_less
from tests.area import encompass, on_roll
from tests.benchmarks import RUNS, Figure, Place
from tests.benchmarks.bare_line import BareLine

SIZES = (1_000, 10_000, 100_000)
EVENTS = 200
_AT_ONCE = 500


def measure(place: Place) -> list[Figure]:
    """Have more and more children on roll, and each time take alerts about children from all over the area."""
    costs: dict[int, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        line, known = BareLine(Path(folder)), 0
        look_for_garbage_less()
        for size in SIZES:
            for at in range(known, size, _AT_ONCE):
                line.run(on_roll(line.area.child(one)) for one in range(at, min(at + _AT_ONCE, size)))
            known = size
            children = random.Random(size).sample(range(size), EVENTS * RUNS)
            costs[size] = [_micros_per_event(line, children[run * EVENTS :][:EVENTS], size) for run in range(RUNS)]
    medians = {size: round(statistics.median(runs), 1) for size, runs in costs.items()}
    detail = {
        "us_per_event": medians,
        "runs": costs,
        "at_most": 1.1,
        "events": EVENTS,
        "of": "intake, identify and decide, without Kafka",
    }
    ratio = round(medians[SIZES[-1]] / medians[SIZES[0]], 3)
    return [Figure("growth", ratio, "CPU per event, 100,000 children to 1,000", detail=detail)]


def _micros_per_event(line: BareLine, children: list[int], known: int) -> float:
    """Take an alert about each of some children chosen at random, of whom nothing but their school was known."""
    seconds, outputs = line.run(encompass(line.area.child(at), f"of-{known}-{at}") for at in children)
    assert outputs >= EVENTS, "every alert is disclosed"
    return round(seconds / EVENTS * 1e6, 1)
