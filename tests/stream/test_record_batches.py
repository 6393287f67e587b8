"""Every record of a batch comes out, whatever a raw client wrote into it; those that nobody can read come out marked."""

import gzip
import struct
from typing import Any

import pytest
from aiokafka.record.memory_records import MemoryRecords

from broker.core.model.ports import UNREADABLE, Outgoing
from broker.stream.record_batches import Batches
from tests.raw_batch import GZIP, LZ4, NONE, SNAPPY, ZSTD, a_batch, checked, patched

RECORDS = (
    Outgoing("t", b"k1", b"one", (("note", b"a"), ("none", None))),  # type: ignore[arg-type]  # Kafka takes it
    Outgoing("t", b"k2", b"two" * 50, (("name", b"b"),)),
    Outgoing("t", None, None),
)
_COUNT_AT, _RECORDS_AT = 57, 61


def read(fetched: bytes, of: Any = Batches) -> list[Any]:
    batches, found = of(fetched), []
    while batches.has_next():
        batch = batches.next_batch()
        assert batch.validate_crc()
        found += list(batch)
    return [(one.offset, one.timestamp, one.timestamp_type, one.key, one.value, list(one.headers)) for one in found]


def packed(batch: bytes) -> bytes:
    """Compress an uncompressed batch with gzip, whatever is in it."""
    raw = batch[:_RECORDS_AT] + gzip.compress(batch[_RECORDS_AT:])
    raw = raw[:8] + struct.pack(">i", len(raw) - 12) + raw[12:22] + bytes([GZIP]) + raw[23:]
    return checked(raw)


@pytest.mark.parametrize("codec", [NONE, GZIP, SNAPPY, LZ4, ZSTD])
def test_a_sound_batch_reads_as_the_client_reads_it(codec: int) -> None:
    """The client needs a library for three of the five: without it, whoever chose that codec would stop the line."""
    batch = a_batch(RECORDS, codec)

    found = read(batch * 2)

    assert found == read(batch * 2, MemoryRecords)
    assert [one[4] for one in found] == [b"one", b"two" * 50, None] * 2


@pytest.mark.parametrize("pack", [lambda batch: batch, packed], ids=["as it is", "compressed"])
def test_a_header_name_that_is_no_text_marks_its_record_and_leaves_the_others_as_they_are(pack: Any) -> None:
    batch = pack(patched(a_batch(RECORDS), b"name", b"\xff\xfe\x00e"))
    with pytest.raises(UnicodeDecodeError):
        read(batch, MemoryRecords)
    sound = read(a_batch(RECORDS))

    first, poison, last = read(batch)

    assert (first[3:], last[3:]) == (sound[0][3:], sound[2][3:])
    assert poison[3:5] == (b"k2", b"two" * 50)
    assert poison[5] == [(UNREADABLE, b"\x02\x08\xff\xfe\x00e\x02b"), ("\\xff\\xfe\x00e", b"b")]
    assert [one[0] for one in (first, poison, last)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("why", "old", "new"),
    [
        ("a header's name has a negative length", b"\x08name", b"\x01name"),
        ("a value is longer than its record", b"two" * 50, b"two" * 50),
        ("a key is longer than its record", b"\x04k2", b"\x7ek2"),
    ],
)
def test_a_record_that_ends_before_it_should_is_marked_and_the_next_one_is_found(why: str, old: bytes, new: bytes) -> None:
    batch = patched(a_batch(RECORDS), old, new)
    if old == new:
        batch = patched(batch, b"\xac\x02two", b"\xae\x7ftwo")

    found = read(batch)

    assert [one[0] for one in found] == [0, 1, 2]
    assert [one[5][:1] and one[5][0][0] for one in found] == ["note", UNREADABLE, []]
    assert found[1][4] is None
    assert b"two" in found[1][5][0][1], "its bytes are kept as they came"


SOUND = a_batch(RECORDS)


@pytest.mark.parametrize(
    ("why", "batch"),
    [
        ("more records are promised than there are", checked(SOUND[:_COUNT_AT] + b"\0\0\0\x09" + SOUND[_RECORDS_AT:])),
        ("a record is longer than its batch", patched(SOUND, b"b\x0c\0\0\x04", b"b\x7e\0\0\x04")),
    ],
)
def test_a_batch_that_ends_before_it_should_gives_what_is_whole_and_then_the_rest_as_one(why: str, batch: bytes) -> None:
    assert [one[4] for one in read(batch)][:2] == [b"one", b"two" * 50]
    assert read(batch)[-1][5][0][0] == UNREADABLE


def test_a_batch_that_cannot_be_unpacked_is_one_record_with_its_bytes() -> None:
    whole = packed(a_batch(RECORDS))
    broken = checked(whole[:-6] + b"\0" * 6)

    [found] = read(broken)

    assert (found[0], found[4]) == (0, None)
    assert found[5] == [(UNREADABLE, broken)]
