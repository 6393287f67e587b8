"""Writing in Avro's binary form, by functions made once from a schema: several times as quick as a writer that asks it each time.

Only what our schemas use: records, enums, arrays, maps, `null` or one other type, and the primitives below. Reading, and
whatever compares versions, is fastavro's (`broker.codec`); a test holds the two to the same bytes.
"""

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from broker.errors import StopError, UnreadableRecordError

Write = Callable[[bytearray, Any], None]
_Named = dict[str, Write]

_MISFITS = (ValueError, TypeError, KeyError, OverflowError, AttributeError)
_LEAST, _MOST = -(2**63), 2**63 - 1
_SHORT = 64  # a length below takes one byte
_BOOLEANS = {True: 1, False: 0}
_MISSING = object()  # in place of a default


class Written(bytes):
    """An array that was written before and comes again: its bytes go out as they are."""


def writer(schema: Any) -> Write:
    """Return what appends a value of a parsed schema to some bytes; raises StopError for a kind that no schema of ours has.

    The writer raises UnreadableRecordError when a value does not fit, and names the field but never the value. It is strict: an
    unknown field is an error, and so is a missing one without a default.
    """
    return _writer(schema, {})


def _writer(schema: Any, named: _Named) -> Write:
    if isinstance(schema, list):
        return _or_null(schema, named)
    kind = schema if isinstance(schema, str) else schema["type"]
    if kind in _PRIMITIVES:
        return _PRIMITIVES[kind]
    if kind in named:
        return named[kind]
    if kind in _COMPOSED:
        return _COMPOSED[kind](schema, named)
    raise StopError(f"no message can be written with a schema of kind `{kind}`")


def _long(out: bytearray, value: int) -> None:
    if not _LEAST <= value <= _MOST:
        raise OverflowError
    left = (value << 1) ^ (value >> 63)
    while left > 127:
        out.append(left & 127 | 128)
        left >>= 7
    out.append(left)


def _string(out: bytearray, value: str) -> None:
    raw = value.encode()
    length = len(raw)
    if length < _SHORT:
        out.append(length << 1)
    else:
        _long(out, length)
    out += raw


def _bytes(out: bytearray, value: bytes) -> None:
    _long(out, len(value))
    out += value


def _boolean(out: bytearray, value: bool) -> None:  # noqa: FBT001 - the value that is written
    out.append(_BOOLEANS[value])


def _or_null(schema: list[Any], named: _Named) -> Write:
    if len(schema) != 2 or schema[0] != "null":
        raise StopError("no message can be written with a union of more than `null` and one other type")
    write = _writer(schema[1], named)

    def write_or_null(out: bytearray, value: Any) -> None:
        if value is None:
            out.append(0)
        else:
            out.append(2)
            write(out, value)

    return write_or_null


def _record(schema: Any, named: _Named) -> Write:
    fields = tuple((one["name"], _writer(one["type"], named), one.get("default", _MISSING)) for one in schema["fields"])
    names = frozenset(map(itemgetter(0), fields))

    def write_record(out: bytearray, value: Mapping[str, Any]) -> None:
        name = ""
        try:
            if not value.keys() <= names:
                raise UnreadableRecordError("unknown field")
            for name, write, default in fields:
                found = value.get(name, default)
                if found is _MISSING:
                    raise KeyError
                write(out, found)
        except _MISFITS as error:
            raise UnreadableRecordError(f"field `{name}`: {type(error).__name__}") from None

    named[schema["name"]] = write_record
    return write_record


def _enum(schema: Any, named: _Named) -> Write:
    numbers = {symbol: at for at, symbol in enumerate(schema["symbols"])}

    def write_enum(out: bytearray, value: str) -> None:
        _long(out, numbers[value])

    named[schema["name"]] = write_enum
    return write_enum


def _array(schema: Any, named: _Named) -> Write:
    write = _writer(schema["items"], named)

    def write_array(out: bytearray, value: Any) -> None:
        if type(value) is Written:
            out += value
            return
        if not isinstance(value, list | tuple):
            raise TypeError
        if value:
            _long(out, len(value))
            for one in value:
                write(out, one)
        out.append(0)

    return write_array


def _map(schema: Any, named: _Named) -> Write:
    write = _writer(schema["values"], named)

    def write_map(out: bytearray, value: Mapping[str, Any]) -> None:
        if value:
            _long(out, len(value))
            for name, one in value.items():
                _string(out, name)
                write(out, one)
        out.append(0)

    return write_map


_PRIMITIVES: dict[str, Write] = {
    "boolean": _boolean,
    "int": _long,
    "long": _long,
    "string": _string,
    "bytes": _bytes,
}
_COMPOSED: dict[str, Callable[[Any, _Named], Write]] = {"record": _record, "enum": _enum, "array": _array, "map": _map}
