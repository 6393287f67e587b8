"""Read every record of a Kafka batch, also one that Kafka takes and its Python client cannot read.

Kafka does not look at the name of a header; the client wants text in UTF-8 and raises at anything else, at every fetch again.
Whoever may write to a topic could so stop everybody who reads it. Here such a record comes out marked (`UNREADABLE` is its
first header), with the records around it as they are, and becomes a dead letter where records are taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy
from aiokafka.record.util import decode_varint_py

from broker.core.model.ports import UNREADABLE

_LOG_APPEND_TIME = 1


def read_every_record() -> None:
    """Have every consumer of this process read batches as this module does; the client cannot be told so one by one."""
    fetcher.MemoryRecords = Batches


class FoundRecord(NamedTuple):
    """A record, with the fields that the client's own parser gives."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    checksum: None = None


class Batches(_MemoryRecordsPy):
    """The batches that a fetch brought, one after the other."""

    def next_batch(self) -> Any:
        """Return the next batch."""
        raw = self._next_slice
        batch = super().next_batch()
        return Batch(batch, raw) if isinstance(batch, DefaultRecordBatch) else batch


class Batch:
    """A batch whose records all come out: as the client reads them, or, where it cannot, one by one as far as they go."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        """Say of the batch what the client's own says."""
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        """Read the batch at once: what fails in its middle must not take the records before it along."""
        try:
            return iter(list(self._batch))
        except Exception:  # noqa: BLE001 - whatever it is, it would come again at every fetch and hold up the line for ever
            return read_one_by_one(bytes(self._raw))


def read_one_by_one(raw: bytes) -> Iterator[FoundRecord]:
    """Read the records of a batch; what cannot be read comes out marked, with its bytes as they came."""
    batch = _DefaultRecordBatchPy(raw)
    offset = batch.base_offset
    try:
        iter(batch)  # decompresses it
        bytes_left = _Bytes(bytes(batch._buffer), batch._pos)  # noqa: SLF001 - the client tells nobody else
    except Exception:  # noqa: BLE001 - what decompressing raises is up to five libraries
        yield _unreadable(batch, offset, raw)
        return
    for _ in range(batch._num_records):  # noqa: SLF001 - as above
        begin = bytes_left.at
        try:
            body = bytes_left.sized() or b""
        except (IndexError, ValueError):
            yield _unreadable(batch, offset, bytes_left.content[begin:])
            return
        found = _record(batch, body, offset)
        offset = found.offset + 1
        yield found


@dataclass(slots=True)
class _Bytes:
    """Bytes that are read from the front."""

    content: bytes
    at: int = 0

    def number(self) -> int:
        """Read a number; raises IndexError or ValueError where there is none."""
        value, self.at = decode_varint_py(self.content, self.at)
        return int(value)

    def sized(self) -> bytes | None:
        """Read bytes after their length; a negative length stands for none. Raises IndexError when there are fewer."""
        length = self.number()
        if length < 0:
            return None
        if self.at + length > len(self.content):
            raise IndexError(length)
        self.at += length
        return self.content[self.at - length : self.at]


def _record(batch: Any, body: bytes, due: int) -> FoundRecord:
    fields = _Bytes(body, 1)  # after the attributes, which say nothing
    try:
        since, delta = fields.number(), fields.number()
        key, value = fields.sized(), fields.sized()
        about = body[fields.at :]
        headers = [(fields.sized() or b"", fields.sized()) for _ in range(fields.number())]
    except (IndexError, ValueError):
        return _unreadable(batch, due, body)
    mark = [] if all(_is_text(name) for name, _ in headers) else [(UNREADABLE, about)]
    return FoundRecord(
        max(batch.base_offset + delta, due),
        batch.max_timestamp if batch.timestamp_type == _LOG_APPEND_TIME else batch.first_timestamp + since,
        batch.timestamp_type,
        key,
        value,
        [*mark, *((name.decode(errors="backslashreplace"), said) for name, said in headers)],
    )


def _is_text(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _unreadable(batch: Any, offset: int, content: bytes) -> FoundRecord:
    return FoundRecord(offset, batch.max_timestamp, batch.timestamp_type, None, None, [(UNREADABLE, content)])
