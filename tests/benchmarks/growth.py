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
    """Have children on roll in three areas, and take alerts about children from all over each, turn and turn about."""
    costs: dict[int, list[float]] = {size: [] for size in SIZES}
    with tempfile.TemporaryDirectory() as folder:
        look_for_garbage_less()
        lines = {size: _line_of(size, Path(folder) / str(size)) for size in SIZES}
        children = {size: random.Random(size).sample(range(size), EVENTS * RUNS) for size in SIZES}
        for run in range(RUNS):
            for size, line in lines.items():
                costs[size].append(_micros_per_event(line, children[size][run * EVENTS :][:EVENTS], size))
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


def _line_of(size: int, folder: Path) -> BareLine:
    """Return a line that knows so many children."""
    folder.mkdir()
    line = BareLine(folder)
    for at in range(0, size, _AT_ONCE):
        line.run(on_roll(line.area.child(one)) for one in range(at, at + _AT_ONCE))
    return line


def _micros_per_event(line: BareLine, children: list[int], known: int) -> float:
    """Take an alert about each of some children chosen at random, of whom nothing but their school was known."""
    seconds, outputs = line.run(encompass(line.area.child(at), f"of-{known}-{at}") for at in children)
    assert outputs >= EVENTS, "every alert is disclosed"
    return round(seconds / EVENTS * 1e6, 1)
