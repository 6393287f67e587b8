"""Messages as bytes and back."""

import struct
from io import BytesIO

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

import schemas
from broker import codec
from broker.core.model.event import (
    Action,
    Assertion,
    Control,
    Event,
    Header,
    QualityFinding,
    Sector,
    SharingMode,
    Source,
    SubjectRole,
    ToldFamily,
)
from broker.core.model.identifiers import AgencyId, EventId, Millis, RecipientId
from broker.errors import UnknownSchemaError, UnreadableRecordError


def a_header(**changes: object) -> Header:
    defaults: dict[str, object] = {
        "event_id": EventId("e1"),
        "event_type": "police.encompass.notified",
        "producer": AgencyId("police:42"),
        "sector": Sector.POLICE,
        "recorded_at": Millis(1_790_000_000_000),
        "source": Source("records", "encompass-notice", "1", "00", "line 1"),
    }
    return Header(**(defaults | changes))  # type: ignore[arg-type] # a builder of tests: the names are checked by use


def an_event(**changes: object) -> Event:
    return Event(a_header(**changes), {"identity": {"names": [{"given": "Ada", "family": "Example"}], "birth_date": "2014-05"}})


def test_an_event_survives_the_round_trip_with_all_that_it_said() -> None:
    header = a_header(
        action=Action.UPDATE,
        supersedes=EventId("e0"),
        area="E10000030",
        occurred_at="2026-11-02T21:14:00Z",
        sequence=3,
        subject_role=SubjectRole.VICTIM,
        assertion=Assertion.THIRD_PARTY,
        told_family=ToldFamily.NOT_SAFE,
        told_family_reason="until 2026-12-01",
        excluded=(RecipientId("school-1"),),
        expires_at=Millis(1_800_000_000_000),
        attributes={"grade": "high"},
        contact_point="desk 3",
        received_at=Millis(1_790_000_000_500),
        confidentiality={"code": "V", "source": "PD1-12"},
        sharing_mode=SharingMode.EXISTENCE,
    )
    control = Control(kind="safe_address", state="set")
    written = Event(header, {"concern": {"grade": "high"}}, control, (QualityFinding("upn_letter", "upn", "warning"),))

    read = codec.decode_event(codec.encode_event(written))

    assert read.header == header
    assert read.body["concern"]["grade"] == "high"
    assert set(read.body) == {"concern"}
    assert read.control is not None
    assert (read.control["kind"], read.control["state"]) == ("safe_address", "set")
    assert read.quality == written.quality


@given(
    st.builds(
        a_header,
        event_type=st.text(),
        occurred_at=st.none() | st.text(),
        sequence=st.integers(-(2**63), 2**63 - 1),
        attributes=st.dictionaries(st.text(), st.text(), max_size=3),
        action=st.sampled_from(Action),
        told_family=st.sampled_from(ToldFamily),
        sharing_mode=st.sampled_from(SharingMode),
        excluded=st.lists(st.text().map(RecipientId), max_size=3).map(tuple),
    )
)
def test_the_header_alone_reads_as_it_reads_with_the_whole_event(header: Header) -> None:
    value = codec.encode_event(Event(header, {"narrative": {"text": "long" * 50}}))

    assert codec.decode_header(value) == codec.decode_event(value).header == header


def test_an_unknown_field_is_refused_and_not_dropped() -> None:
    event = Event(a_header(), {"identity": {"names": [{"given": "Ada", "family": "Example", "title": "Dr"}]}})  # type: ignore[typeddict-unknown-key] # the fault under test

    with pytest.raises(UnreadableRecordError, match="schema `event`"):
        codec.encode_event(event)


def test_the_error_of_a_wrong_value_repeats_no_value() -> None:
    event = Event(a_header(), {"concern": {"sessions": "Ada Example"}})  # type: ignore[typeddict-item] # the fault under test

    with pytest.raises(UnreadableRecordError) as caught:
        codec.encode_event(event)

    assert "Ada" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"", "not in wire format"),
        (b"\x00\x00", "not in wire format"),
        (b"\x01" + struct.pack(">I", 1) + b"rest", "not in wire format"),
        (struct.pack(">bI", 0, 9_999) + b"rest", "9999"),
        (b"PK\x03\x04 a zip", "not in wire format"),
    ],
)
def test_bytes_that_name_no_released_schema_are_said_to(value: bytes, words: str) -> None:
    with pytest.raises(UnknownSchemaError, match=words):
        codec.decode_event(value)


@given(st.binary(max_size=200))
def test_junk_behind_a_good_schema_id_is_unreadable_and_nothing_else(junk: bytes) -> None:
    value = codec.encode_event(an_event())[: codec.WIRE.size] + junk
    for read in (codec.decode_event, codec.decode_header):
        try:
            read(value)
        except (UnreadableRecordError, UnknownSchemaError):
            continue


@given(st.integers(5, 200))
def test_a_truncated_event_is_unreadable(length: int) -> None:
    whole = codec.encode_event(an_event())
    if length < len(whole):
        with pytest.raises(UnreadableRecordError):
            codec.decode_event(whole[:length])


def test_another_schema_than_the_expected_is_named() -> None:
    value = codec.encode("dead_letter", {"value": b"x", "key": None})

    with pytest.raises(UnknownSchemaError, match="expected schema `event`, found `dead_letter`"):
        codec.decode_event(value)


def test_an_event_of_the_first_released_version_is_read() -> None:
    first = schemas.lock()["event"][0]
    message = codec.event_to_message(an_event())
    for name in ("received_at", "confidentiality", "sharing_mode"):
        del message["header"][name]
    out = BytesIO(codec.WIRE.pack(0, first["id"]))
    out.seek(0, 2)
    fastavro.schemaless_writer(out, fastavro.parse_schema(first["schema"]), message)

    assert codec.decode_event(out.getvalue()) == codec.decode_event(codec.encode_event(an_event()))
    assert codec.decode_header(out.getvalue()) == an_event().header
