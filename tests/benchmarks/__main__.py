"""Run the benchmarks: `python -m tests.benchmarks [NAME ...]`, all of them without a name."""

import argparse
import os
import sys
from importlib import import_module
from pkgutil import iter_modules

import tests.benchmarks as package
from tests.benchmarks import Place


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
    try:
        for name in names:
            for figure in measures[name](place):
                print(figure.line(), flush=True)
    finally:
        place.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
