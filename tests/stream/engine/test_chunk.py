"""The chunk protocol: order of writing, dead letters, limits, and what stops the line."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any

import pytest

from broker import codec
from broker.core.model.ports import ORIGIN, Effects, Outgoing, Record
from broker.errors import OURS, DeadLetterLimitError, SendFailedError, SignatureError, UnforeseenError
from broker.stream.engine.chunk import (
    ATTEMPT,
    OFFSET,
    PARTITION,
    REASON,
    SCHEMA_ID,
    TOPIC,
    DeadLetterLimits,
    Place,
    run_chunk,
    take,
)
from broker.stream.engine.faults import MOST_FAULTS, Faults
from tests.stream.lines import an_event


def a_record(offset: int = 5, value: bytes | None = b"good", headers: tuple[tuple[str, bytes], ...] = ()) -> Record:
    return Record("events.police.v1", 3, offset, 1_700_000_000_000, b"key", value, headers)


class OneOfEach:
    """Writes one of each for a record; rejects `bad`, breaks at `broken`."""

    def step(self, record: Record, effects: Effects) -> None:
        if record.value == b"bad":
            raise SignatureError("the key is not in force")
        if record.value == b"broken":
            raise KeyError("a child's name")
        effects.audit.append(Outgoing("audit", b"a", record.value))
        effects.outputs.append(Outgoing("out", b"o", record.value))
        effects.state["state", b"s"] = Outgoing("state", b"s", record.value)

    def due(self, now: int) -> Iterable[Outgoing]:
        return ()


@dataclass
class Batches:
    """Keeps what it was given, and fails where it should."""

    fails_at: str = ""
    written: list[str] = field(default_factory=list)
    records: list[Outgoing] = field(default_factory=list)

    async def write(self, batch: Sequence[Outgoing]) -> None:
        topics = ",".join(outgoing.topic for outgoing in batch)
        if self.fails_at == batch[0].topic:
            raise SendFailedError("scripted")
        self.written.append(topics)
        self.records += batch


async def test_audit_is_written_before_outputs_and_outputs_before_state() -> None:
    writer = Batches()

    await run_chunk(OneOfEach(), [a_record(5), a_record(6)], writer, DeadLetterLimits())

    assert writer.written == ["audit,audit", "out,out", "state"]


@pytest.mark.parametrize(("fails_at", "written"), [("audit", []), ("out", ["audit"]), ("state", ["audit", "out"])])
async def test_nothing_is_written_after_a_send_that_failed(fails_at: str, written: list[str]) -> None:
    writer = Batches(fails_at)

    with pytest.raises(SendFailedError):
        await run_chunk(OneOfEach(), [a_record()], writer, DeadLetterLimits())

    assert writer.written == written


async def test_what_a_task_puts_off_is_carried_out_once_at_the_end_of_its_chunk() -> None:
    class PutsOff(OneOfEach):
        def step(self, record: Record, effects: Effects) -> None:
            effects.at_end["state"] = lambda made: made.state.update({("state", b"k"): Outgoing("state", b"k", record.value)})

    batches = Batches()
    await run_chunk(PutsOff(), [a_record(5, b"first"), a_record(6, b"last")], batches, DeadLetterLimits())

    assert [one.value for one in batches.records] == [b"last"]


async def test_a_rejected_record_becomes_a_dead_letter_with_its_bytes_and_the_line_goes_on() -> None:
    writer = Batches()
    headers = (("sb_signature", b"\x01\x02"), ("ce_id", b"e-1"))

    await run_chunk(OneOfEach(), [a_record(5, b"bad", headers), a_record(6)], writer, DeadLetterLimits())

    letter = next(one for one in writer.records if one.topic == "dead-letters.v1")
    assert codec.decode("dead_letter", letter.value or b"") == {"value": b"bad", "key": b"key", "headers": dict(headers)}
    assert dict(letter.headers) == {
        REASON: b"bad_signature",
        TOPIC: b"events.police.v1",
        PARTITION: b"3",
        OFFSET: b"5",
        SCHEMA_ID: b"",
        ATTEMPT: b"1",
        ORIGIN: b"events.police.v1/3@5+0",
    }
    assert letter.key == b"events.police.v1/3@5+0"
    assert "out" in {one.topic for one in writer.records}


async def test_a_dead_letter_names_schema_attempt_and_where_the_information_first_came_from() -> None:
    writer = Batches()
    wire = codec.WIRE.pack(0, 7) + b"rest"
    record = Record("subjects.v1", 0, 9, 1, None, wire, ((ATTEMPT, b"2"), (ORIGIN, b"events.health.v1/1@4+0")))

    class Rejects(OneOfEach):
        def step(self, record: Record, effects: Effects) -> None:
            raise SignatureError("no")

    await run_chunk(Rejects(), [record], writer, DeadLetterLimits())

    headers = dict(writer.records[0].headers)
    assert (headers[SCHEMA_ID], headers[ATTEMPT], headers[ORIGIN]) == (b"7", b"2", b"events.health.v1/1@4+0")


async def test_too_many_dead_letters_in_a_row_stop_the_line_before_anything_is_written() -> None:
    writer = Batches()

    with pytest.raises(DeadLetterLimitError, match=r"`events.police.v1` partition 3: 3 records in a row"):
        await run_chunk(OneOfEach(), [a_record(n, b"bad") for n in range(3)], writer, DeadLetterLimits(run=3))

    assert writer.written == []


async def test_the_run_is_counted_over_chunks_and_a_good_record_ends_it() -> None:
    writer = Batches()
    limits = DeadLetterLimits(run=3)
    await run_chunk(OneOfEach(), [a_record(1, b"bad"), a_record(2, b"bad"), a_record(3), a_record(4, b"bad")], writer, limits)
    await run_chunk(OneOfEach(), [a_record(5, b"bad")], writer, limits)

    with pytest.raises(DeadLetterLimitError, match="3 records in a row"):
        await run_chunk(OneOfEach(), [a_record(6, b"bad")], writer, limits)


async def test_too_large_a_share_of_dead_letters_stops_the_line() -> None:
    limits = DeadLetterLimits(run=100, share=0.5, window=10)
    values = [b"bad", b"bad", b"good"] * 4

    with pytest.raises(DeadLetterLimitError, match=r"7 of 10 records would be dead-lettered: .*broker dead-letters list"):
        await run_chunk(OneOfEach(), [a_record(n, value) for n, value in enumerate(values)], Batches(), limits)


async def test_what_nobody_foresaw_drops_the_chunk_and_names_the_record_but_nothing_of_its_content() -> None:
    writer = Batches()

    with pytest.raises(
        UnforeseenError, match=r"`events.police.v1` partition 3 offset 7: the stage failed with KeyError in "
    ) as stopped:
        await run_chunk(OneOfEach(), [a_record(6), a_record(7, b"broken")], writer, DeadLetterLimits())

    assert stopped.value.place == ("events.police.v1", 3, 7)
    assert "child" not in str(stopped.value)
    assert writer.written == []


async def test_read_again_the_record_at_fault_alone_is_a_dead_letter() -> None:
    writer = Batches()
    limits = DeadLetterLimits({("events.police.v1", 3, 7)})

    await run_chunk(OneOfEach(), [a_record(6), a_record(7, b"broken"), a_record(8)], writer, limits)

    letters = [one for one in writer.records if one.topic == "dead-letters.v1"]
    assert [dict(one.headers)[REASON] for one in letters] == [b"fault"]
    assert [dict(one.headers)[OFFSET] for one in letters] == [b"7"]
    assert len([one for one in writer.records if one.topic == "out"]) == 2


async def test_what_an_agency_says_of_where_its_record_came_in_is_not_believed() -> None:
    writer = Batches()

    await run_chunk(OneOfEach(), [a_record(5, b"bad", ((ORIGIN, b"events.police.v1/0@99+0"),))], writer, DeadLetterLimits())

    assert dict(writer.records[0].headers)[ORIGIN] == b"events.police.v1/3@5+0"


@pytest.mark.parametrize(
    "header",
    [("note", None), (ATTEMPT, None), (ATTEMPT, b"9" * 5000), (ATTEMPT, b"-1"), (ORIGIN, None), (ORIGIN, b"\xff")],
    ids=["null", "null attempt", "endless attempt", "negative attempt", "null origin", "origin of no place"],
)
async def test_no_header_of_a_bad_record_can_stop_the_line(header: tuple[str, Any]) -> None:
    """Whoever may write to a topic may write any header; a value that is null is one."""
    batches = Batches()

    await run_chunk(OneOfEach(), [a_record(value=b"bad", headers=(header,)), a_record(6)], batches, DeadLetterLimits())

    letter = next(one for one in batches.records if one.topic == "dead-letters.v1")
    assert dict(letter.headers)[ATTEMPT] == b"1"
    assert any(one.topic == "out" for one in batches.records)


async def test_what_a_recipient_says_of_where_its_receipt_came_in_is_not_believed() -> None:
    batches = Batches()
    receipt = Record("receipts.v1", 3, 5, 0, b"key", b"bad", ((ORIGIN, b"events.police.v1/0@1+0"),))

    await run_chunk(OneOfEach(), [receipt], batches, DeadLetterLimits())

    assert dict(batches.records[0].headers)[ORIGIN] == b"receipts.v1/3@5+0"


def set_aside_all(*counts: tuple[str, int]) -> set[Place]:
    """Let as many records of each of these senders make a stage fail, each of them twice."""
    faults, offsets = Faults(), count()
    for sender, many in counts:
        for offset in islice(offsets, many):
            error = UnforeseenError("it failed", "events.police.v1", 0, offset, sender=sender)
            faults.note(error)
            faults.note(error)
    return faults.quarantine


def test_one_sender_alone_never_stops_the_line_however_many_of_its_records_make_a_stage_fail() -> None:
    assert len(set_aside_all(("police:42", 3 * MOST_FAULTS), ("urn:100001", MOST_FAULTS))) == 4 * MOST_FAULTS


@pytest.mark.parametrize("counts", [[("a", 30), ("b", MOST_FAULTS + 1)], [(OURS, MOST_FAULTS + 1)]])
def test_a_stage_that_fails_at_the_records_of_several_is_a_bad_release(counts: list[tuple[str, int]]) -> None:
    with pytest.raises(DeadLetterLimitError, match="this release is bad"):
        set_aside_all(*counts)


async def test_a_record_at_which_a_stage_failed_is_counted_to_who_sent_it() -> None:
    sent = a_record(7, codec.encode_event(an_event()))

    with pytest.raises(UnforeseenError) as stopped:
        take(Broken(), [sent], DeadLetterLimits())
    assert stopped.value.sender == "police:42"

    with pytest.raises(UnforeseenError) as stopped:
        take(Broken(), [a_record(7, b"no message")], DeadLetterLimits())
    assert stopped.value.sender == OURS


class Broken:
    """A task that fails at every record."""

    def step(self, record: Record, effects: Effects) -> None:
        raise KeyError(record.offset)

    def due(self, now: int) -> Iterable[Outgoing]:
        return ()
