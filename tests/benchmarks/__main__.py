"""Run the benchmarks: `python -m tests.benchmarks [NAME ...]`, all of them without a name."""

import argparse
import json
import os
import sys
import traceback
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
        failed = [name for name in names if not _printed(name, measures[name], place)]
    finally:
        place.stop()
    if failed:
        print(f"not measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _printed(name: str, measure: Callable[..., Any], place: Place) -> bool:
    """Print one benchmark's figures; one that fails says so and leaves the others to be measured."""
    print(f"measuring {name}", file=sys.stderr, flush=True)
    try:
        for line in lines_of(measure, place):
            print(line, flush=True)
    except Exception:  # noqa: BLE001 - whatever went wrong, the other figures are wanted
        traceback.print_exc()
        return False
    return True


def lines_of(measure: Callable[..., Any], place: Place) -> Iterator[str]:
    """Run one benchmark; one that needs no Kafka takes nothing, and may return its one figure as a plain dictionary."""
    found = measure(place) if signature(measure).parameters else measure()
    for figure in [found] if isinstance(found, Mapping) else found:
        yield figure.line() if isinstance(figure, Figure) else json.dumps(figure)


if __name__ == "__main__":
    sys.exit(main())
