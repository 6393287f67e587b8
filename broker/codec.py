"""Messages as bytes and back: Avro in Confluent wire format (a zero byte, the schema id in four bytes, the record).

The only code that touches fastavro, which reads; writing is `broker.avro`, strict: an unknown field is an error.
Bytes of an older released version are read with the present schema, so old logs stay readable.
"""

import struct
from collections.abc import Mapping, Sequence
from functools import cache
from io import BytesIO
from typing import Any, cast

import fastavro
from fastavro.schema import UnknownType

import schemas
from broker.avro import Write, Written, writer
from broker.core.model.event import (
    Action,
    Assertion,
    Body,
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
from broker.errors import StopError, UnknownSchemaError, UnreadableRecordError

WIRE = struct.Struct(">bI")
Message = dict[str, Any]  # a decoded Avro record

_GROUPS = (
    "identity",
    "contact",
    "location",
    "concern",
    "narrative",
    "clinical",
    "intelligence",
    "third_party",
    "wish",
    "monitoring",
)
# By value: looking a value up costs a third of calling the enumeration, and every event has six of them.
_ENUMS: Mapping[str, Mapping[str, Any]] = {
    "action": {one.value: one for one in Action},
    "sector": {one.value: one for one in Sector},
    "subject_role": {one.value: one for one in SubjectRole},
    "assertion": {one.value: one for one in Assertion},
    "told_family": {one.value: one for one in ToldFamily},
    "sharing_mode": {one.value: one for one in SharingMode},
}
_UNREADABLE = (ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, struct.error, AttributeError)


def encode(name: str, message: Mapping[str, Any]) -> bytes:
    """Write one message of a schema in wire format; raises UnreadableRecordError when it does not fit the schema."""
    start, write = _writing(name)
    out = bytearray(start)
    try:
        write(out, message)
    except UnreadableRecordError as error:
        raise UnreadableRecordError(f"message does not fit schema `{name}`: {error}") from error
    return bytes(out)


def written(name: str, field: str, values: Sequence[Any]) -> Written:
    """Write an array of a schema once, for messages in which it comes again; raises UnreadableRecordError as writing does."""
    out = bytearray()
    _writing_field(name, field)(out, values)
    return Written(out)


def decode(name: str, value: bytes) -> Message:
    """Read one message that must be of a given schema.

    Raises UnknownSchemaError when the bytes name no released schema or another one, UnreadableRecordError when they
    do not fit it.
    """
    found, schema = _writer(value)
    if found != name:
        raise UnknownSchemaError(f"expected schema `{name}`, found `{found}`")
    return _read(value, schema, _current(name)[1], name)


def read_with(writer: Any, reader: Any, message: Any) -> Any:
    """Write a value with one schema and read it with another; raises UnreadableRecordError when it does not survive that."""
    out = BytesIO()
    try:
        fastavro.schemaless_writer(out, fastavro.parse_schema(writer), message, strict=True)
        out.seek(0)
        return fastavro.schemaless_reader(out, fastavro.parse_schema(writer), fastavro.parse_schema(reader))
    except (*_UNREADABLE, fastavro.read.SchemaResolutionError, fastavro.schema.SchemaParseException, UnknownType) as error:
        raise UnreadableRecordError(f"value does not survive the other version: {type(error).__name__}") from error


def schema_name(value: bytes) -> str:
    """Tell which schema some bytes name; raises UnknownSchemaError."""
    return _writer(value)[0]


def schema_id(value: bytes) -> int | None:
    """Return the schema id that some bytes name, or None when they are not in wire format."""
    if len(value) < WIRE.size or value[0] != 0:
        return None
    return int(WIRE.unpack_from(value)[1])


def encode_event(event: Event) -> bytes:
    """Write an event in wire format; raises UnreadableRecordError when it does not fit the schema."""
    return encode("event", event_to_message(event))


def decode_event(value: bytes) -> Event:
    """Read an event; raises UnknownSchemaError or UnreadableRecordError."""
    return event_from_message(decode("event", value))


def decode_header(value: bytes) -> Header:
    """Read only the header of an event, the prefix of its bytes; raises UnknownSchemaError or UnreadableRecordError."""
    found = schema_name(value)
    if found != "event":
        raise UnknownSchemaError(f"expected schema `event`, found `{found}`")
    prefix = _prefix(WIRE.unpack_from(value)[1])
    message = _read(value, prefix, prefix, "event")
    return _header_from_message(message["header"])


def event_to_message(event: Event) -> Message:
    """Return an event in the shape of its schema."""
    header = event.header
    message: Message = {
        "header": {
            "event_id": header.event_id,
            "event_type": header.event_type,
            "action": header.action.value,
            "supersedes": header.supersedes,
            "producer": header.producer,
            "sector": header.sector.value,
            "area": header.area,
            "occurred_at": header.occurred_at,
            "recorded_at": header.recorded_at,
            "sequence": header.sequence,
            "subject_role": header.subject_role.value,
            "assertion": header.assertion.value,
            "told_family": header.told_family.value,
            "told_family_reason": header.told_family_reason,
            "purpose": header.purpose,
            "excluded": list(header.excluded),
            "expires_at": header.expires_at,
            "attributes": dict(header.attributes),
            "contact_point": header.contact_point,
            "source": {name: getattr(header.source, name) for name in Source.__slots__},
            "received_at": header.received_at,
            "confidentiality": header.confidentiality,
            "sharing_mode": header.sharing_mode.value,
        },
        **event.body,
    }
    if event.control is not None:
        message["control"] = event.control
    if event.quality:
        message["quality"] = [{"rule": one.rule, "field": one.field, "severity": one.severity} for one in event.quality]
    return message


def event_from_message(message: Message) -> Event:
    """Return the event that a decoded message holds."""
    body = cast("Body", {group: message[group] for group in _GROUPS if message.get(group) is not None})
    quality = tuple(QualityFinding(**one) for one in message["quality"]) if message.get("quality") else ()
    return Event(_header_from_message(message["header"]), body, cast("Control | None", message.get("control")), quality)


def _header_from_message(fields: Message) -> Header:
    """Return the header that a decoded message holds; the message is not used again."""
    for name, values in _ENUMS.items():
        if name in fields:  # the prefix of an older version's bytes has not every one
            fields[name] = values[fields[name]]
    fields["excluded"] = tuple(fields["excluded"])
    fields["source"] = Source(**fields["source"])
    return Header(**fields)


def _read(value: bytes, writer: Any, reader: Any, name: str) -> Message:
    stream = BytesIO(value)
    stream.seek(WIRE.size)
    try:
        return cast("Message", fastavro.schemaless_reader(stream, writer, None if reader is writer else reader))
    except _UNREADABLE as error:
        raise UnreadableRecordError(f"bytes do not fit schema `{name}`: {type(error).__name__}") from error


def _writer(value: bytes) -> tuple[str, Any]:
    number = schema_id(value)
    if number is None:
        raise UnknownSchemaError("bytes are not in wire format: no zero byte and schema id at the start")
    found = _released().get(number)
    if found is None:
        raise UnknownSchemaError(f"schema id {number} is not in the lock file")
    return found


@cache
def _released() -> Mapping[int, tuple[str, Any]]:
    """Return every released schema by id; the present version of a schema is parsed once and is the same object everywhere."""
    return {
        version["id"]: (name, fastavro.parse_schema(version["schema"]))
        for name, versions in schemas.lock().items()
        for version in versions
    }


@cache
def _current(name: str) -> tuple[int, Any]:
    try:
        newest = schemas.lock()[name][-1]["id"]
    except KeyError:
        raise StopError(f"schema `{name}` is not in the lock file: run `broker schemas check --release`") from None
    return newest, _released()[newest][1]


@cache
def _writing(name: str) -> tuple[bytes, Write]:
    number, schema = _current(name)
    return WIRE.pack(0, number), writer(schema)


@cache
def _writing_field(name: str, field: str) -> Write:
    return writer(next(one["type"] for one in _current(name)[1]["fields"] if one["name"] == field))


@cache
def _prefix(number: int) -> Any:
    released = _released()[number][1]
    header = next(field for field in released["fields"] if field["name"] == "header")
    return fastavro.parse_schema({"type": "record", "name": "safeguarding.Event", "fields": [header]})
