"""What others wrote, fit to be laid out: it acts on no terminal, turns no line round, and begins no line of the broker's own.

Pure. Nothing is dropped: what would act is shown as its code. For machines there is JSON, which says every sign exactly.
"""

import re

# C0, DEL and C1, what turns the direction of a line round, and half a sign, which no terminal takes.
_ACTS = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def acts(text: str) -> bool:
    """Tell whether a text of one line holds a sign that does something instead of being read."""
    return _ACTS.search(text) is not None


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, each without a sign that acts; whatever any reader takes for the end of a line ends one."""
    return [_ACTS.sub(_shown, line) for line in text.splitlines()]


def one_line(text: str) -> str:
    """Return a text on one line, a blank for each line break, without a sign that acts."""
    return " ".join(lines_of(text))


def hanging(text: str, indent: str) -> str:
    """Return a text whose lines after the first stand behind an indent, without a sign that acts."""
    return f"\n{indent}".join(lines_of(text))


def _shown(sign: re.Match[str]) -> str:
    return " " if sign[0] == "\t" else f"\\u{{{ord(sign[0]):x}}}"
