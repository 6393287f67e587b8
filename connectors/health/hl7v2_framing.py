"""Cut a file into HL7 version 2 messages, whatever its line ends and frames, without holding the file in memory.

It takes bare messages, batches (FHS, BHS) and MLLP frames; it knows nothing of what a message means.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MAX_MESSAGE = 1 << 20
_BLOCK = 1 << 18
_ENVELOPE = (b"FHS", b"BHS", b"BTS", b"FTS")
_HEAD = (b"MSH", b"FHS", b"BHS")
_FRAME = bytes.maketrans(b"\n\x0b\x1c", b"\r\r\r")  # line feed, and MLLP's start and end of block


@dataclass(slots=True)
class Cut:
    """One message as bytes, segments parted by carriage returns; `line` is its first. `fault` says why it is none."""

    line: int
    content: bytes = b""
    fault: str = ""


def cut(stream: BinaryIO) -> Iterator[Cut]:
    """Yield the messages of a file in their order; what stands before the first message is one with a fault."""
    segments: list[bytes] = []
    start, size, stray = 0, 0, False
    for number, line in _lines(stream):
        if line[:3] in _ENVELOPE:
            yield from _message(start, segments, size)
            segments, size = [], 0
        elif line[:3] == b"MSH":
            yield from _message(start, segments, size)
            start, segments, size = number, [line], len(line)
        elif segments:
            size += len(line) + 1
            if size <= MAX_MESSAGE:
                segments.append(line)
        elif not stray:
            stray = True
            yield Cut(number, fault="stands outside a message: no MSH segment comes before it")
    yield from _message(start, segments, size)


def _message(start: int, segments: list[bytes], size: int) -> Iterator[Cut]:
    if size > MAX_MESSAGE:
        yield Cut(start, fault=f"the message is longer than {MAX_MESSAGE} bytes")
    elif segments:
        yield Cut(start, b"\r".join(segments))


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield non-empty lines with their numbers; of a line without end, only its first part is kept."""
    number, rest, held = 0, b"", b""
    first = True
    while block := stream.read(_BLOCK):
        if first:
            block, first = block.removeprefix(codecs.BOM_UTF8), False
        block = held + block
        held = b"\r" if block.endswith(b"\r") else b""  # half of a CRLF, perhaps
        block = block[: len(block) - len(held)].replace(b"\r\n", b"\r").translate(_FRAME)
        *whole, rest = (rest + block).split(b"\r")
        for line in whole:
            number += 1
            if line:
                yield number, line
        rest = rest[: MAX_MESSAGE + 1]
    for line in (rest + held).split(b"\r"):
        number += 1
        if line:
            yield number, line


def looks_like_hl7(head: bytes) -> bool:
    """Tell whether a file begins as HL7 version 2 does."""
    return head.removeprefix(codecs.BOM_UTF8).lstrip(b"\x0b\r\n ")[:3] in _HEAD
