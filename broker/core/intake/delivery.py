"""What a connector is given and what it hands back: the contract between native formats and whatever carries them.

A connector reads one delivery (a file, or the files that belong together) and yields events and findings, one after the
other, without holding the delivery in memory. Whoever runs it publishes nothing of a delivery before `read` has ended
without an error, and commits the memory only after every event was acknowledged. What the broker would refuse is left out by
whoever runs the connector, which remembers it as told only where `Delivery.takes` says that it is taken.
"""

import codecs
import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal, Protocol, runtime_checkable

from broker.core.model.event import Event, Sector
from broker.core.model.identifiers import Digest, Millis
from broker.core.model.registers import Agency
from broker.errors import DeliveryError, TooLargeError

MAX_BYTES = 4 * 1024**3  # of one piece; a national file would still fit
_BLOCK = 1 << 20
_EXPORT = "export the data again in the format of this inbox"
_SIGNATURES = (
    (b"PK\x03\x04", "a zip archive or a spreadsheet workbook: unpack it, or save it in the format of this inbox"),
    (b"\x1f\x8b", "compressed with gzip: unpack it first"),
    (b"%PDF", f"a PDF document: {_EXPORT}"),
    (b"\xd0\xcf\x11\xe0", "an old Office document: save it in the format of this inbox"),
    (b"\x7fELF", f"a program: {_EXPORT}"),
    (b"MZ\x90", f"a program: {_EXPORT}"),
)
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of a delivery: its name, size, SHA-256 and a way to open it as often as needed."""

    name: str
    size: int
    digest: Digest
    open: Callable[[], BinaryIO]


def _all(_: Event) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one agency delivered at one instant. `accept_disappearances`: a person confirmed that missing records are gone.

    `takes` tells whether the broker would take an event. A connector yields what it would refuse, too, and remembers none of it
    as told, so that the next delivery says it again.
    """

    agency: Agency
    received_at: Millis
    pieces: tuple[Piece, ...]
    accept_disappearances: bool = False
    takes: Callable[[Event], bool] = _all


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with the delivery that a person at the agency can mend.

    `place` is a line, element path or message id, `message` plain words without personal data, `remedy` what to do. `cut_off`:
    the delivery ends in the middle of this record, so that it may still be being written. `later`: what it names was left out,
    and the very same delivery may say it later.
    """

    severity: Literal["info", "warning", "error"]
    rule: str
    place: str
    message: str
    remedy: str
    cut_off: bool = False
    later: bool = False


class Memory(Protocol):
    """What a connector remembers of one agency's deliveries. Reads see what was put before in the same delivery.

    Nothing put or deleted lasts unless the carrier commits it, after publication was acknowledged. `items` goes in the
    order of keys, and stands it when the item just yielded is put again or deleted.
    """

    def get(self, key: str) -> bytes | None:
        """Return what was put under a key, or None."""
        ...

    def put(self, key: str, value: bytes) -> None:
        """Remember a value."""
        ...

    def delete(self, key: str) -> None:
        """Forget a key; nothing happens when it is not there."""
        ...

    def items(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Yield all keys that start with a prefix, with their values."""
        ...


class Connector(Protocol):
    """A native format. `name` is what a person types, `sector` who may publish with it."""

    name: str
    sector: Sector

    def claims(self, names: tuple[str, ...]) -> bool:
        """Tell by their names whether files are a whole delivery of this format."""
        ...

    def read(self, delivery: Delivery, memory: Memory) -> Iterator[Event | Finding]:
        """Yield events and findings; raises DeliveryError or TooLargeError when the delivery cannot be taken at all."""
        ...


@runtime_checkable
class Forgetting(Protocol):
    """A connector that compares each delivery with the last one, and can go back when that was a wrong one."""

    def last_accepted(self, memory: Memory) -> str | None:
        """Say which delivery was accepted last, and what it means to forget it; None when there is none."""
        ...

    def forget_last(self, memory: Memory) -> None:
        """Go back to the delivery before the last accepted one."""
        ...


@runtime_checkable
class Documented(Protocol):
    """A connector of a format that nobody else describes."""

    def form(self) -> str:
        """Return how a file is written, for whoever writes one."""
        ...


@runtime_checkable
class OfTables(Protocol):
    """A connector whose files come in sets, of which some say little without others."""

    def is_whole(self, names: tuple[str, ...]) -> bool:
        """Tell by their names whether nothing is lacking: else what carries them waits longer for the rest."""
        ...


def piece_from_bytes(name: str, content: bytes) -> Piece:
    """Make a piece of bytes in memory."""
    return Piece(name, len(content), Digest(hashlib.sha256(content).hexdigest()), lambda: io.BytesIO(content))


def check_readable(piece: Piece, *, limit: int = MAX_BYTES) -> bytes:
    """Return the first bytes of a piece; raises DeliveryError when it is empty or plainly another kind of file."""
    if piece.size > limit:
        raise TooLargeError(f"file is {piece.size} bytes, more than the {limit} that this inbox takes: send it in parts")
    with piece.open() as stream:
        head = stream.read(4096)
    if not head.strip(b" \t\r\n\x00" + codecs.BOM_UTF8):
        raise DeliveryError("file is empty: export it again")
    for signature, what in _SIGNATURES:
        if head.startswith(signature):
            raise DeliveryError(f"file is {what}")
    if b"\x00" in head and not head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DeliveryError("file is binary, not text: export it again in the format of this inbox")
    return head


def open_text(piece: Piece, *, limit: int = MAX_BYTES) -> io.TextIOWrapper:
    """Open a piece as text: UTF-8 or UTF-16 by its mark, else UTF-8, else Windows-1252 as older exports write it.

    Line ends are kept, as the csv module wants them; `encoding` of what is returned says which was found. Raises
    DeliveryError or TooLargeError.
    """
    head = check_readable(piece, limit=limit)
    marked = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)
    for encoding in (marked,) if marked else ("utf-8", "cp1252"):
        if _decodes(piece, encoding):
            return io.TextIOWrapper(piece.open(), encoding=encoding, newline="")
    raise DeliveryError("file is in no known encoding: save it as UTF-8")


def _decodes(piece: Piece, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with piece.open() as stream:
            while block := stream.read(_BLOCK):
                if "\x00" in decoder.decode(block):
                    return False
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
