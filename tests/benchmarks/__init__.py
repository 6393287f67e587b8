"""What is measured, each against a rival in the same run: `make bench`, one JSON object per line.

One file per benchmark; a file here that has a function `measure` is found by itself. It takes a `Place` and returns Figures,
or takes nothing and returns one figure as a dictionary with the same keys.
"""

import gc
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from broker.stream.node.kafka_node import Node, choose

RUNS = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result. `ratio` is ours to the rival's, above 1 when ours is better; both are None without a rival."""

    name: str
    ours: float
    unit: str
    rival: float | None = None
    ratio: float | None = None
    detail: dict[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """Return it as one JSON object, in the order that `make bench` promises."""
        content = asdict(self)
        return json.dumps({key: content[key] for key in ("name", "ours", "rival", "unit", "ratio", "detail")})


@dataclass(slots=True)
class Place:
    """Where benchmarks run: a Kafka that is started when the first of them asks for it."""

    given: str | None = None
    _node: Node | None = None
    _address: str | None = None

    @property
    def kafka(self) -> str:
        """Return the address of a Kafka, starting one when there is none yet."""
        if self._address is None:
            self._node = choose(self.given)
            print(f"kafka: {self._node.description}", file=sys.stderr, flush=True)
            self._address = self._node.start()
        return self._address

    def stop(self) -> None:
        """Stop what was started."""
        if self._node is not None:
            self._node.stop()


def median_of(run: Callable[[], float], runs: int = RUNS) -> tuple[float, list[float]]:
    """Run something several times; return the median and every figure, rounded."""
    figures = []
    for _ in range(runs):
        gc.collect()
        figures.append(run())
    return statistics.median(figures), [round(one, 1) for one in figures]


def in_own_process(module: str, arguments: Sequence[str], seconds: float = 60) -> dict[str, Any]:
    """Run a module in a fresh Python, so that its CPU time is its own, and return the JSON object that it prints last."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True, check=True, timeout=seconds
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
