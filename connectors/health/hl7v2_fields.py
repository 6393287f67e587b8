"""Read the fields of one HL7 version 2 message, with the library `hl7`, and its time stamps with their precision.

Only segments that a caller names are parsed: the rest, Z segments above all, may hold anything. Escape sequences are undone
here and not by the library, which logs the text around one that it does not know: personal data.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import hl7

from broker.core.model.identifiers import Millis

_LOCAL = "Europe/London"
_STAMP = re.compile(r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(\d\d)?(\d\d)?(?:\.\d{1,6})?)?)?)?([+-]\d{4})?")
_DAY = len("20101010")
_NAMES = {"8859/1": "latin-1", "8859/15": "iso8859-15", "WINDOWS-1252": "cp1252"}


class NotAMessageError(ValueError):
    """Raised when bytes are no HL7 message; the text says why, without the bytes."""


class Segment:
    """One segment: fields by their HL7 number, each as its repetitions, each as its components."""

    __slots__ = ("_fields", "_unescape", "name")

    def __init__(self, name: str, fields: hl7.Segment, unescape: "_Unescape") -> None:
        self.name = name
        self._fields = fields
        self._unescape = unescape

    def repetitions(self, number: int) -> list[list[str]]:
        """Return the repetitions of a field that say anything; `""`, the standard's word for nothing, says nothing."""
        if number >= len(self._fields):
            return []
        found = []
        for repetition in self._fields[number]:
            parts = [repetition] if isinstance(repetition, str) else list(repetition)
            components = [self._unescape(_first(part)) for part in parts]
            if any(components):
                found.append(components)
        return found

    def text(self, number: int, component: int = 1) -> str:
        """Return a component of the first repetition of a field, empty when it is not there."""
        for components in self.repetitions(number):
            return components[component - 1] if len(components) >= component else ""
        return ""


class _Unescape:
    """Undoes the escape sequences of one message, by its own separators."""

    def __init__(self, field: str, encoding: str) -> None:
        component, repetition, escape, sub = list((encoding + "^~\\&"[len(encoding) :])[:4])
        self._escape = escape
        self._named = {"F": field, "S": component, "R": repetition, "E": escape, "T": sub}
        self._pattern = re.compile(f"{re.escape(escape)}([^{re.escape(escape)}]{{0,80}}){re.escape(escape)}")

    def __call__(self, text: str) -> str:
        text = text.strip()
        if text == '""':
            return ""
        return self._pattern.sub(self._meaning, text) if self._escape in text else text

    def _meaning(self, found: re.Match[str]) -> str:
        code = found[1]
        if code in self._named:
            return self._named[code]
        if code.startswith("X"):
            with suppress(ValueError):
                return bytes.fromhex(code[1:]).decode("utf-8", "replace")
        return " " if code.startswith(".") else ""


def _first(part: object) -> str:
    while isinstance(part, list):
        part = part[0] if part else ""
    return str(part)


def decode(content: bytes) -> tuple[str, bool]:
    """Return a message as text, and whether its characters are what it says: UTF-8, or what MSH-18 names.

    Raises NotAMessageError when no reading is possible.
    """
    with suppress(UnicodeDecodeError):
        return content.decode("utf-8"), True
    head = content.split(b"\r", 1)[0].split(content[3:4])
    named = head[17].decode("ascii", "replace").strip().upper() if len(head) > 17 else ""
    with suppress(UnicodeDecodeError):
        return content.decode(_NAMES.get(named, "cp1252")), named in _NAMES
    raise NotAMessageError("its characters are neither UTF-8 nor what MSH-18 names")


def parse(text: str, wanted: Iterable[str]) -> Iterator[Segment]:
    """Yield the segments with the wanted names, in their order; raises NotAMessageError when it is no message."""
    field, encoding = _separators(text)
    names = frozenset(wanted)
    chosen = "\r".join(line for line in text.split("\r") if line[:3] in names and line[3:4] == field)
    unescape = _Unescape(field, encoding)
    for segment in _parsed(chosen):
        yield Segment(_first(segment[0]), segment, unescape)


def _parsed(text: str) -> hl7.Message:
    """Let the library part a message; what it cannot part is the fault of that one message, whatever it raises."""
    try:
        return hl7.parse(text)
    except (hl7.HL7Exception, ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise NotAMessageError("it cannot be parted into fields as its first segment says") from error


def _separators(text: str) -> tuple[str, str]:
    """Return MSH-1 and MSH-2 when they can part anything."""
    field = text[3:4]
    encoding = text[4:].split(field, 1)[0] if field else ""
    signs = field + encoding
    if text[:3] != "MSH" or not 2 <= len(signs) <= 6 or any(sign.isalnum() or sign.isspace() for sign in signs):
        raise NotAMessageError("its first segment does not say how fields are parted")
    if len(set(signs)) != len(signs):
        raise NotAMessageError("its first segment parts two things with one sign")
    return field, encoding


@lru_cache(maxsize=1024)  # the times of one message are much the same
def iso_time(stamp: str) -> str | None:
    """Return `20101010`, `201010101418` or `20101010141857+0100` as ISO 8601 with the same precision; None when it is none."""
    found = _STAMP.fullmatch(stamp)
    if found is None or _instant(found) is None:
        return None
    year, month, day, hour, minute, second, zone = found.groups()
    text = "-".join(part for part in (year, month, day) if part)
    if hour:
        text += f"T{hour}:{minute or '00'}" + (f":{second}" if second else "")
        text += f"{zone[:3]}:{zone[3:]}" if zone else ""
    return text


def day_of(stamp: str) -> tuple[str | None, bool]:
    """Return the day of a stamp, or the part of it that is said, and whether its time of day is none and was passed over."""
    whole = iso_time(stamp)
    day = iso_time(stamp[:_DAY]) if whole is None and stamp[:_DAY].isdigit() and len(stamp) > _DAY else None
    return (whole or day or "")[: len("2010-10-10")] or None, day is not None


@lru_cache(maxsize=1024)
def millis(stamp: str) -> Millis | None:
    """Return the instant of a time stamp, in English time where it names no zone; None when it is none."""
    found = _STAMP.fullmatch(stamp)
    at = _instant(found) if found else None
    return Millis(int(at.timestamp() * 1000)) if at else None


def _instant(found: re.Match[str]) -> datetime | None:
    year, month, day, hour, minute, second, zone = found.groups()
    with suppress(ValueError, OverflowError):
        local = datetime(
            int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=ZoneInfo(_LOCAL)
        )
        if not zone:
            return local.astimezone(UTC)
        return datetime.strptime(f"{local:%Y%m%d%H%M%S}{zone}", "%Y%m%d%H%M%S%z").astimezone(UTC)
    return None
