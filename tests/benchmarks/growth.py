"""`growth`: processor time per event with 1,000, 10,000 and 100,000 children known: it must not grow with them."""

import random
import statistics
import tempfile
from itertools import islice
from pathlib import Path

from broker.stream.engine.garbage import look_for_garbage_less
from tests.area import Area, encompass, on_roll
from tests.benchmarks import RUNS, Figure, Place
from tests.benchmarks.bare_line import BareLine

SIZES = (1_000, 10_000, 100_000)
EVENTS = 200
_TURN = 20
_AT_ONCE = 500


def measure(place: Place) -> list[Figure]:
    """Have children on roll in three areas, and take alerts about children from all over each, in short turns.

    What is compared was measured at the same time: a machine that is slower for a while is so for all three.
    """
    costs: dict[int, list[float]] = {size: [] for size in SIZES}
    with tempfile.TemporaryDirectory() as folder:
        look_for_garbage_less()
        lines = {size: _line_of(size, Path(folder) / str(size)) for size in SIZES}
        children = {size: iter(random.Random(size).sample(range(size), EVENTS * RUNS)) for size in SIZES}
        for _ in range(RUNS):
            seconds = dict.fromkeys(SIZES, 0.0)
            for _ in range(0, EVENTS, _TURN):
                for size, line in lines.items():
                    seconds[size] += _seconds(line, list(islice(children[size], _TURN)), size)
            for size in SIZES:
                costs[size].append(round(seconds[size] / EVENTS * 1e6, 1))
    ratios = [round(many / few, 3) for few, many in zip(costs[SIZES[0]], costs[SIZES[-1]], strict=True)]
    detail = {
        "us_per_event": {size: statistics.median(runs) for size, runs in costs.items()},
        "runs": costs,
        "ratios": ratios,
        "at_most": 1.1,
        "events": EVENTS,
        "of": "intake, identify and decide, without Kafka",
    }
    return [Figure("growth", statistics.median(ratios), "CPU per event, 100,000 children to 1,000", detail=detail)]


def _line_of(size: int, folder: Path) -> BareLine:
    """Return a line that knows so many children."""
    folder.mkdir()
    line = BareLine(Area(folder / "area", "127.0.0.1:9092", schools=20))
    for at in range(0, size, _AT_ONCE):
        line.run(on_roll(line.area.child(one)) for one in range(at, at + _AT_ONCE))
    return line


def _seconds(line: BareLine, children: list[int], known: int) -> float:
    """Take an alert about each of some children chosen at random, of whom nothing but their school was known."""
    seconds, outputs = line.run(encompass(line.area.child(at), f"of-{known}-{at}") for at in children)
    assert outputs >= len(children), "every alert is disclosed"
    return seconds
