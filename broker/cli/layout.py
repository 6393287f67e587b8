"""How commands lay out text: wrapped with a hanging indent on a terminal, one line for each thing where there is none."""

import textwrap
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console
from rich.status import Status
from rich.text import Text

from broker.core.account.harmless import lines_of, one_line

LABEL = 13
_NARROWEST = 40


class Page:
    """Prints to standard output: in colour and wrapped on a terminal; plain, never wrapped where a program or a file reads it.

    Ids and commands are never broken, so that they can be copied in one piece. What a source wrote acts on no terminal; where
    it has several lines, those after the first stand below its own text, so that none passes for a line of the broker's own.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, markup=False, emoji=False)
        self.width = max(_NARROWEST, self._console.width) if self._console.is_terminal else None

    def together(self) -> AbstractContextManager[object]:
        """Write what is printed within at once: whoever reads a pipe gets a whole block, or nothing of it."""
        return self._console

    def line(self, text: str = "", style: str = "", *, indent: int = 0) -> None:
        """Print a line; what does not fit goes on below, two columns further in."""
        self._print(self._wrapped(one_line(text), " " * indent, " " * (indent + 2)), style)

    def head(self, text: str, aside: str = "", style: str = "bold") -> None:
        """Print the first line of a block, with something less important behind it."""
        text, aside = one_line(text), one_line(aside)
        whole = f"{text}  {aside}" if aside else text
        lines = self._wrapped(whole, "", "  ")
        if len(lines) > 1 and aside:
            lines = [*self._wrapped(text, "", "  "), *self._wrapped(aside, "  ", "  ")]
            self._print(lines, style)
            return
        said = Text(lines[0][: len(text)], style)
        said.append(lines[0][len(text) :], "dim")
        self._console.print(said, soft_wrap=True)

    def marked(self, mark: str, colour: str, text: str) -> None:
        """Print a line behind a coloured mark; what does not fit goes on below the text."""
        for at, line in enumerate(self._wrapped(one_line(text), f"{mark} ", "  ")):
            said = Text(line)
            said.stylize(colour, 0, len(mark) if not at else 0)
            self._console.print(said, soft_wrap=True)

    def labelled(self, label: str, text: str, style: str = "", *, width: int = LABEL, whole: bool = False) -> None:
        """Print a label and what it is of; what does not fit goes on below the text, unless it is a command to be copied."""
        if not text:
            return
        start = f"  {one_line(label):<{width}}"
        for at, line in enumerate([start + one_line(text)] if whole else self._below(text, start)):
            said = Text(line[: len(start)], "dim" if not at else "")
            said.append(line[len(start) :], style)
            self._console.print(said, soft_wrap=True)

    def command(self, text: str, *, indent: int = 4) -> None:
        """Print a command in one piece, however long it is."""
        self._print([" " * indent + one_line(text)], "cyan")

    def table(self, heads: Iterable[str], rows: Iterable[Iterable[str]], right: Iterable[int] = ()) -> None:
        """Print a table whose cells are never broken; for short cells only. `right`: the columns that hold figures."""
        cells = [tuple(heads), *(tuple(map(one_line, row)) for row in rows)]
        widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))]
        figures = set(right)
        for number, row in enumerate(cells):
            said = (
                f"{cell:>{width}}" if at in figures else f"{cell:<{width}}"
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            self._print(["  ".join(said).rstrip()], "" if number else "dim")

    def _below(self, text: str, start: str) -> list[str]:
        """Return the lines of a text that may have several, the first behind its label and every other below it."""
        blank = " " * len(start)
        first, *others = lines_of(text) or [""]
        return [*self._wrapped(first, start, blank), *(found for line in others for found in self._wrapped(line, blank, blank))]

    def _wrapped(self, text: str, first: str, following: str) -> list[str]:
        if self.width is None:
            return [first + text]
        return textwrap.wrap(
            text,
            self.width,
            initial_indent=first,
            subsequent_indent=following,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [first.rstrip()]

    def _print(self, lines: Iterable[str], style: str) -> None:
        for line in lines:
            self._console.print(Text(line, style), soft_wrap=True)


def busy(doing: str) -> AbstractContextManager[Status | None]:
    """Show on a terminal that something is under way; nothing where there is none."""
    console = Console(stderr=True)
    return console.status(doing) if console.is_terminal else nullcontext()
