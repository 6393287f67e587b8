"""Which changes of a schema may be released."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import schemas
from broker.compatibility import examples, faults_of_change, faults_of_fields, stripped

BASE: dict[str, Any] = {
    "type": "record",
    "name": "Thing",
    "namespace": "tests",
    "doc": "A thing.",
    "fields": [
        {"name": "id", "type": "string", "doc": "Its id.", "category": "existence"},
        {
            "name": "kind",
            "type": {"type": "enum", "name": "Kind", "doc": "Kinds.", "symbols": ["A", "B"]},
            "doc": "Its kind.",
            "category": "existence",
        },
        {"name": "notes", "type": {"type": "array", "items": "string"}, "doc": "Notes.", "category": "narrative", "default": []},
    ],
}


NEW = {"name": "more", "type": ["null", "string"], "doc": "More.", "category": "existence"}
CHANGES: dict[str, Callable[[list[dict[str, Any]]], object]] = {
    "nothing": len,
    "a field with a default": lambda fields: fields.append({**NEW, "default": None}),
    "a field without a default": lambda fields: fields.append(dict(NEW)),
    "a field removed": lambda fields: fields.pop(),
    "a field renamed": lambda fields: fields[0].update(name="identity"),
    "a type changed": lambda fields: fields[0].update(type="long"),
    "a symbol added": lambda fields: fields[1]["type"]["symbols"].append("C"),
    "a symbol removed": lambda fields: fields[1]["type"]["symbols"].pop(),
    "a type renamed": lambda fields: fields[1]["type"].update(name="Sort"),
    "another category": lambda fields: fields[2].update(category="existence"),
    "the first field moved": lambda fields: fields.append(fields.pop(0)),
    "a field in front": lambda fields: fields.insert(0, {**NEW, "default": None}),
    "a field in the middle": lambda fields: fields.insert(1, {**NEW, "default": None}),
    "a default changed": lambda fields: fields[2].update(default=["x"]),
    "a type that Avro takes for another": lambda fields: fields[0].update(type="bytes"),
    "a default taken away": lambda fields: fields[2].pop("default"),
    "a default of another type": lambda fields: fields.append({**NEW, "type": "string", "default": 5}),
    "a type that is none": lambda fields: fields.append({**NEW, "type": "text", "default": ""}),
    "a type widened": lambda fields: fields[2].update(type=["null", fields[2]["type"]]),
}


def after(change: str) -> dict[str, Any]:
    made = copy.deepcopy(BASE)
    CHANGES[change](made["fields"])
    return made


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("nothing", None),
        ("a field with a default", None),
        ("a field without a default", "old bytes cannot be read"),
        ("a field removed", "was renamed or removed"),
        ("a field renamed", "was renamed or removed"),
        ("a type changed", "old bytes cannot be read"),
        ("a symbol added", "a released reader cannot read new bytes"),
        ("a symbol removed", "was renamed or removed"),
        ("a type renamed", "was renamed or removed"),
        ("another category", "would be shared as the other"),
        ("the first field moved", "no longer comes first"),
        ("a field in front", "no longer comes first"),
        ("a field in the middle", None),
        ("a default changed", "its default changed"),
        ("a type that Avro takes for another", "its type changed"),
        ("a default taken away", "its default changed"),
        ("a default of another type", "is not a schema"),
        ("a type that is none", "is not a schema"),
        ("a type widened", "a released reader cannot read new bytes"),
    ],
)
def test_a_change_may_be_released_only_when_old_bytes_and_old_readers_survive_it(change: str, word: str | None) -> None:
    faults = faults_of_change(stripped(BASE), after(change))

    assert bool(faults) == (word is not None)
    assert word is None or any(word in fault for fault in faults)


def test_generated_values_take_every_branch() -> None:
    values = examples(BASE)

    assert {value["kind"] for value in values} == {"A", "B"}
    assert {len(value["notes"]) for value in values} == {0, 1, 2}
    assert values == examples(BASE)


def untaken(schema: Any, values: list[Any], path: str, known: dict[str, Any]) -> Iterator[str]:
    """Yield each branch of a union and each symbol below a place that none of its values takes."""
    if isinstance(schema, str):
        schema = known.setdefault(schema.rpartition(".")[2], schema)
    if isinstance(schema, str):
        return
    if isinstance(schema, list):
        of_null = [value for value in values if value is None]
        others = [value for value in values if value is not None]
        yield from (f"{path}|{branch}" for branch in schema if not (of_null if branch == "null" else others))
        yield from untaken(next(one for one in schema if one != "null"), others, path, known)
        return
    if "name" in schema:
        known[schema["name"]] = schema
    yield from (f"{path}={symbol}" for symbol in schema.get("symbols", ()) if symbol not in values)
    for field in schema.get("fields", ()):
        yield from untaken(field["type"], [value[field["name"]] for value in values], f"{path}.{field['name']}", known)
    if "items" in schema:
        yield from untaken(schema["items"], [one for value in values for one in value], f"{path}[]", known)


@pytest.mark.parametrize("name", schemas.NAMES)
def test_generated_messages_take_every_branch_and_symbol_at_every_place(name: str) -> None:
    schema = schemas.whole(name)

    assert not list(untaken(schema, examples(schema), name, {}))


@pytest.mark.parametrize("name", schemas.NAMES)
def test_every_schema_can_be_read_by_itself(name: str) -> None:
    assert not faults_of_change(stripped(schemas.whole(name)), schemas.whole(name))


def test_a_field_without_doc_or_category_is_named() -> None:
    made = after("a field with a default")
    del made["fields"][0]["doc"]
    made["fields"][2]["doc"] = " "
    made["fields"][3]["category"] = "secret"

    assert [fault.split(":")[0] for fault in faults_of_fields(made)] == [
        "field `Thing.id`",
        "field `Thing.notes`",
        "field `Thing.more`",
    ]


def test_a_default_of_another_type_is_named() -> None:
    assert [fault.split(":")[0] for fault in faults_of_fields(after("a default of another type"))] == ["field `Thing.more`"]


def test_the_header_keeps_its_first_field_and_holds_nothing_that_routing_may_not_read() -> None:
    """Routing reads the header alone: an account of what happened is no part of it, least of all its beginning."""
    released = stripped(schemas.whole("event"))
    present = copy.deepcopy(schemas.whole("event"))
    account = {"name": "account", "type": "string", "default": "", "doc": "What happened.", "category": "narrative"}
    present["fields"][0]["type"]["fields"].insert(0, account)

    assert any("`event_id`: no longer comes first" in fault for fault in faults_of_change(released, present))
    assert any("`Header.account`: routing reads the header" in fault for fault in faults_of_fields(present))
