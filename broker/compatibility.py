"""Whether a schema may change as it did: every released byte must stay readable, and every released reader must go on.

Checked against every released version (full transitive): Apache Avro's own rules in both directions, our stricter ones (nothing
is renamed or removed), and generated values written with one version and read with the other.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.errors import AvroException
from avro.schema import parse

from broker.codec import read_with
from broker.core.model.event import Category
from broker.errors import RejectError

Json = Any  # a schema, as the standard library reads its JSON
_VARIANTS = 32  # generated values per pair of versions: between them they take every branch of our unions and enums
_PLAIN: Mapping[str, tuple[Any, ...]] = {
    "string": ("", "plain", "Łucja Zoë"),
    "long": (0, -1, 1_790_000_000_000),
    "int": (0, -1, 2_000_000_000),
    "boolean": (True, False),
    "bytes": (b"", b"\x00\xff"),
    "double": (0.0, 1.5),
    "float": (0.0, 1.5),
    "null": (None,),
}
_READ_BY_ROUTING = frozenset((Category.EXISTENCE, Category.CONCERN))
_DEFAULTS: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "bytes": str,
    "long": int,
    "int": int,
    "boolean": bool,
    "double": (int, float),
    "float": (int, float),
    "null": type(None),
}


def faults_of_fields(schema: Json) -> Iterator[str]:
    """Say which fields lack a `doc` or a known `category`, and which types lack a `doc`."""
    for name, node in _types(schema):
        if not str(node.get("doc", "")).strip():
            yield f"type `{name}`: has no doc: say in one sentence what it is"
        for field in node.get("fields", ()):
            if not str(field.get("doc", "")).strip():
                yield f"field `{name}.{field['name']}`: has no doc: say in one sentence what it holds"
            if field.get("category") not in frozenset(Category):
                yield f"field `{name}.{field['name']}`: has no category of information: need-to-know could not filter it"
            elif name == "Header" and field["category"] not in _READ_BY_ROUTING:
                yield f"field `{name}.{field['name']}`: routing reads the header, which is no place for that: put it into a group"
            if "default" in field and (fault := _default_fault(name, field)):
                yield fault


def _default_fault(name: str, field: Json) -> str:
    """Say why a default is none of the field's type; Avro takes the default of a union to be of its first type."""
    kind = field["type"][0] if isinstance(field["type"], list) else field["type"]
    default = field["default"]
    if isinstance(kind, str):
        fits = _DEFAULTS.get(kind)
        sound = fits is None or (isinstance(default, fits) and isinstance(default, bool) == (kind == "boolean"))
    elif kind["type"] == "enum":
        sound = default in kind["symbols"]
    else:
        sound = isinstance(default, list if kind["type"] == "array" else dict)
    return "" if sound else f"field `{name}.{field['name']}`: its default is not of its type: give one that is"


def faults_of_change(released: Json, present: Json) -> list[str]:
    """Say why a schema must not change from a released version to the present one; empty when it may."""
    if unfit := _unfit(present):
        return [unfit]
    return [
        *_gone(released, present),
        *_moved(released, present),
        *_avro_faults(released, present),
        *_round_trip_faults(released, present),
    ]


def stripped(schema: Json) -> Json:
    """Return a schema without its docs: what the lock file keeps."""
    if isinstance(schema, list):
        return [stripped(one) for one in schema]
    if isinstance(schema, dict):
        return {name: value if name == "default" else stripped(value) for name, value in schema.items() if name != "doc"}
    return schema


def examples(schema: Json, count: int = _VARIANTS) -> list[Any]:
    """Generate values of a schema, the same every time."""
    known, turns = dict(_types(schema)), Counter[str]()
    return [_value(schema, "", known, turns) for _ in range(count)]


def _unfit(schema: Json) -> str:
    """Say why something is no Avro schema at all; empty when it is one."""
    try:
        parse(json.dumps(schema))
        for value in examples(schema, 2):
            read_with(schema, schema, value)
    except AvroException as error:
        return f"is not a schema: {str(error).splitlines()[0]}"
    except (RejectError, LookupError, TypeError) as error:
        return f"is not a schema: a message of it cannot be written and read ({str(error)[:200]})"
    return ""


def _gone(released: Json, present: Json) -> Iterator[str]:
    now = dict(_types(present))
    for name, node in _types(released):
        if name not in now:
            yield f"type `{name}`: was renamed or removed: old bytes name it, so put it back"
            continue
        kept = {field["name"] for field in now[name].get("fields", ())}
        for field in node.get("fields", ()):
            if field["name"] not in kept:
                yield f"field `{name}.{field['name']}`: was renamed or removed: keep it and stop filling it"
        for symbol in node.get("symbols", ()):
            if symbol not in now[name].get("symbols", ()):
                yield f"symbol `{symbol}` of `{name}`: was renamed or removed: old bytes hold it, so put it back"


def _moved(released: Json, present: Json) -> Iterator[str]:
    """Say what Avro allows and we do not: another category or default under an old name, another field in front."""
    now = dict(_types(present))
    for name, node in _types(released):
        kept = {field["name"]: field for field in now.get(name, {}).get("fields", ())}
        for field in node.get("fields", ()):
            yield from _meant(f"field `{name}.{field['name']}`", field, kept.get(field["name"], field))
    yield from _fronts(released, present)


def _meant(where: str, was: Json, now: Json) -> Iterator[str]:
    if was.get("category") != now.get("category"):
        yield (
            f"{where}: was of category `{was.get('category')}` and is of `{now.get('category')}`: what was published as the "
            "one would be shared as the other, so make it a new field"
        )
    if isinstance(was["type"], str) and isinstance(now["type"], str) and was["type"] != now["type"]:
        yield f"{where}: its type changed: programs that read it expect `{was['type']}`, so make it a new field"
    if "default" in was and ("default" not in now or was["default"] != now["default"]):
        yield f"{where}: its default changed: what was left out would mean something else, so put it back or make it a new field"


def _fronts(released: Json, present: Json) -> Iterator[str]:
    """Say where another field comes first: in a message, and in the record that comes first in it."""
    before, after = ((one.get("fields") or [{}])[0] for one in (released, present))
    if before.get("name") != after.get("name"):
        yield f"field `{before.get('name')}`: no longer comes first: routing reads the beginning of a message and not the whole"
    elif all(isinstance(one.get("type"), dict) for one in (before, after)):
        yield from _fronts(before["type"], after["type"])


def _avro_faults(released: Json, present: Json) -> Iterator[str]:
    old, new = parse(json.dumps(released)), parse(json.dumps(present))
    for reader, writer, what in ((new, old, "old bytes cannot be read"), (old, new, "a released reader cannot read new bytes")):
        found = ReaderWriterCompatibilityChecker().get_compatibility(reader, writer)
        if found.compatibility is not SchemaCompatibilityType.compatible:
            places = ", ".join(sorted(found.locations)) or "/"
            yield f"{what}: {'; '.join(sorted(found.messages))} (at {places}): give new fields a default, change no type"


def _round_trip_faults(released: Json, present: Json) -> Iterator[str]:
    for writer, reader, what in ((released, present, "old"), (present, released, "new")):
        for number, value in enumerate(examples(writer)):
            try:
                read_with(writer, reader, value)
            except RejectError:
                yield f"{what} value number {number + 1} does not survive being read by the other version"
                break


def _types(schema: Json) -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk every named type, the outer before the inner."""
    if isinstance(schema, list):
        for one in schema:
            yield from _types(one)
    elif isinstance(schema, dict):
        if schema.get("type") in ("record", "enum"):
            yield schema["name"], schema
        for field in schema.get("fields", ()):
            yield from _types(field["type"])
        for inner in ("items", "values"):
            yield from _types(schema.get(inner))
        if isinstance(schema.get("type"), dict | list):
            yield from _types(schema["type"])


def _value(schema: Json, path: str, known: Mapping[str, dict[str, Any]], turns: Counter[str]) -> Any:
    """Return the next value of what stands at a path: each place takes its own branches in turn, whatever stands around it."""
    turn, turns[path] = turns[path], turns[path] + 1
    if isinstance(schema, list):
        return _value(one := schema[turn % len(schema)], f"{path}|{schema.index(one)}", known, turns)
    if isinstance(schema, str):
        if schema in _PLAIN:
            return _PLAIN[schema][turn % len(_PLAIN[schema])]
        return _value(known[schema.rpartition(".")[2]], f"{path}:", known, turns)
    kind = schema["type"]
    if kind == "record":
        return {field["name"]: _value(field["type"], f"{path}.{field['name']}", known, turns) for field in schema["fields"]}
    if kind == "enum":
        return schema["symbols"][turn % len(schema["symbols"])]
    if kind == "array":
        return [_value(schema["items"], f"{path}[]", known, turns) for _ in range(turn % 3)]
    if kind == "map":
        return {f"name{at}": _value(schema["values"], f"{path}{{}}", known, turns) for at in range(turn % 3)}
    return _value(kind, f"{path}:", known, turns)
