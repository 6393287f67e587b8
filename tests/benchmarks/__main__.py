"""Run the benchmarks: `python -m tests.benchmarks [NAME ...]`, all of them without a name."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from inspect import signature
from pkgutil import iter_modules
from typing import Any

import tests.benchmarks as package
from broker.cli.options import quiet_clients
from tests.benchmarks import Figure, Place


def main() -> int:
    """Run what was asked for; each figure is printed as soon as it is there."""
    found = {module.name: import_module(f"{package.__name__}.{module.name}") for module in iter_modules(package.__path__)}
    measures = {name: module.measure for name, module in sorted(found.items()) if hasattr(module, "measure")}
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of: {', '.join(measures)}")
    names = parser.parse_args().names or list(measures)
    unknown = set(names) - set(measures)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    place = Place(os.environ.get("KAFKA"))
    quiet_clients()
    try:
        for name in names:
            print(f"measuring {name}", file=sys.stderr, flush=True)
            for line in lines_of(measures[name], place):
                print(line, flush=True)
    finally:
        place.stop()
    return 0


def lines_of(measure: Callable[..., Any], place: Place) -> Iterator[str]:
    """Run one benchmark; one that needs no Kafka takes nothing, and may return its one figure as a plain dictionary."""
    found = measure(place) if signature(measure).parameters else measure()
    for figure in [found] if isinstance(found, Mapping) else found:
        yield figure.line() if isinstance(figure, Figure) else json.dumps(figure)


if __name__ == "__main__":
    sys.exit(main())
