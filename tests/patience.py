"""How long tests wait: long where only a failure waits so long, by the machine's load where a time itself is what is shown."""

import os

LONG = 120.0  # for what happens sooner or later: a test that passes does not wait for it


def within(seconds: float) -> float:
    """Return how long here and now may take what takes at most so many seconds where nothing else runs."""
    return seconds * max(1.0, (1 + os.getloadavg()[0]) / (os.cpu_count() or 1))
