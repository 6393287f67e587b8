"""Explore crash schedules of the chunk protocol: `python -m tests.explore --schedules 10000 [--seed 1] [--chain counting]`.

Exits with 1 at the first schedule that shows a fault, and says how to run that one again.
"""

import argparse
import sys
import time

from tests.stream.explorer import chains_there_are, explore


def main() -> int:
    """Run schedules of one chain or of all."""
    chains = chains_there_are()
    parser = argparse.ArgumentParser(prog="python -m tests.explore", description=__doc__)
    parser.add_argument("--schedules", type=int, default=10_000, help="how many schedules, shared among the chains")
    parser.add_argument("--seed", type=int, help="run this schedule only")
    parser.add_argument("--chain", choices=sorted(chains), help="only this chain; all of them otherwise")
    options = parser.parse_args()
    for name in [options.chain] if options.chain else sorted(chains):
        count = options.schedules if options.chain else max(round(options.schedules * chains[name].share), 1)
        seeds = [options.seed] if options.seed is not None else range(count)
        began = time.monotonic()
        found = explore(chains[name], seeds)
        if found is not None:
            seed, faults = found
            print(f"{name}: schedule {seed} shows a fault; run it again with --chain {name} --seed {seed}")
            print(*(f"  {fault}" for fault in faults[:10]), sep="\n")
            return 1
        print(f"{name}: {len(seeds):,} schedules, no fault, {time.monotonic() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
