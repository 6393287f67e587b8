"""The writer of messages, held to fastavro's bytes."""

from io import BytesIO
from typing import Any

import fastavro
import pytest
from fastavro.utils import generate_many

import schemas
from broker import avro
from broker.errors import StopError, UnreadableRecordError

RELEASED = [(name, one["id"], one["schema"]) for name, versions in schemas.lock().items() for one in versions]
PERSON = {
    "type": "record",
    "name": "Person",
    "fields": [
        {"name": "age", "type": "long"},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["CHILD", "ADULT"]}, "default": "CHILD"},
        {"name": "names", "type": {"type": "array", "items": "string"}, "default": []},
        {"name": "checked", "type": ["null", "boolean"], "default": None},
    ],
}


def written(schema: Any, value: Any) -> bytes:
    out = bytearray()
    avro.writer(fastavro.parse_schema(schema))(out, value)
    return bytes(out)


def written_by_fastavro(schema: Any, value: Any) -> bytes:
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value, strict_allow_default=True)
    return out.getvalue()


@pytest.mark.parametrize(("name", "number", "schema"), RELEASED)
def test_every_released_schema_is_written_as_fastavro_writes_it(name: str, number: int, schema: Any) -> None:
    for message in generate_many(fastavro.parse_schema(schema), 50):
        assert written(schema, message) == written_by_fastavro(schema, message), (name, number)


@pytest.mark.parametrize("age", [0, 1, -1, 63, 64, -64, -65, 2**31, -(2**31), 2**63 - 1, -(2**63)])
def test_whole_numbers_of_every_length_and_defaults_are_written_as_fastavro_writes_them(age: int) -> None:
    assert written(PERSON, {"age": age}) == written_by_fastavro(PERSON, {"age": age})


@pytest.mark.parametrize(
    ("person", "words"),
    [
        ({}, "field `age`: KeyError"),
        ({"age": "four"}, "field `age`: TypeError"),
        ({"age": 1.5}, "field `age`: TypeError"),
        ({"age": None}, "field `age`: TypeError"),
        ({"age": 2**63}, "field `age`: OverflowError"),
        ({"age": 4, "kind": "DOG"}, "field `kind`: KeyError"),
        ({"age": 4, "names": "Ada"}, "field `names`: TypeError"),
        ({"age": 4, "names": [1]}, "field `names`: AttributeError"),
        ({"age": 4, "checked": "yes"}, "field `checked`: KeyError"),
        ({"age": 4, "surname": "Example"}, "unknown field"),
    ],
)
def test_what_does_not_fit_is_refused_by_the_name_of_its_field_and_no_value(person: dict[str, Any], words: str) -> None:
    with pytest.raises(UnreadableRecordError) as caught:
        written(PERSON, person)

    assert str(caught.value) == words


def test_an_array_written_before_goes_out_as_it_would_be_written_now() -> None:
    names = bytearray()
    avro.writer({"type": "array", "items": "string"})(names, ["Ada", "Bea"])

    assert written(PERSON, {"age": 4, "names": avro.Written(names)}) == written(PERSON, {"age": 4, "names": ["Ada", "Bea"]})


@pytest.mark.parametrize("schema", ["double", ["null", "string", "long"], {"type": "fixed", "name": "F", "size": 4}])
def test_a_kind_of_schema_that_is_not_written_here_stops_the_program(schema: Any) -> None:
    with pytest.raises(StopError):
        written(schema, None)
