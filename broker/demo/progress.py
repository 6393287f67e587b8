"""Says what is being done, how long it took and what came of it; nothing that a Ctrl-C could leave half stopped."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text


class Progress:
    """Steps, one line each: a spinner while one runs, a tick and its time when it is done."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        """Show a step; call what is yielded with a few words on what came of it."""
        words: list[str] = []
        begun = time.monotonic()
        with self.waiting(title):
            yield words.append
        line = Text.assemble(("  ✓ ", "green"), f"{title} ", (f"{time.monotonic() - begun:.1f} s", "dim"))
        self.console.print(line)
        for word in words:
            self.console.print(Text(f"    {word}", style="dim"))

    @contextmanager
    def waiting(self, title: str) -> Iterator[None]:
        """Show that something is being done, on a terminal only."""
        if not self.console.is_terminal:
            yield
            return
        with self.console.status(f"{title} …"):
            yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold Ctrl-C back while something is stopped, so that nothing stays running."""
    before = {one: signal.signal(one, signal.SIG_IGN) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
