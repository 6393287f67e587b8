"""When a worker looks for garbage: rarely, and never while it loads state, all of which is to stay."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_GARBAGE = 20_000  # objects more before garbage is looked for: at Python's own 700 that costs a tenth of every event


def look_for_garbage_less() -> None:
    """Set this process up for what a worker does: what was loaded by now stays, and a record leaves hardly any garbage."""
    gc.freeze()
    gc.set_threshold(_GARBAGE)


@dataclass(slots=True)
class _Pause:
    """How many lines load state now, and whether garbage was looked for before the first of them began."""

    loading: int = 0
    looked: bool = True


_PAUSE = _Pause()


@contextmanager
def without_looking_for_garbage() -> Iterator[None]:
    """Look for no garbage within, whoever else is within at the same time: a third of what it costs to load state.

    What was loaded is not taken from the collector for ever: the state of a partition that is handed over has to go.
    """
    if not _PAUSE.loading:
        _PAUSE.looked = gc.isenabled()
        gc.disable()
    _PAUSE.loading += 1
    try:
        yield
    finally:
        _PAUSE.loading -= 1
        if not _PAUSE.loading and _PAUSE.looked:
            gc.enable()
