"""The schema files: documented, categorised, and mirrored by the values of the core."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any, is_typeddict

import fastavro
import pytest

import schemas
from broker.core.model import event as core
from broker.core.model.policy import SHAREABLE

CATEGORIES = {category.value for category in core.Category}
MIRRORED = [
    "Identifier",
    "Name",
    "Identity",
    "Contact",
    "Location",
    "ConcernCode",
    "Concern",
    "Narrative",
    "Clinical",
    "Intelligence",
    "Party",
    "ThirdParty",
    "Wish",
    "Monitoring",
    "Control",
    "Header",
    "Source",
    "QualityFinding",
]


def records(node: Any) -> Iterator[dict[str, Any]]:
    """Walk every record that a schema defines."""
    if isinstance(node, list):
        for item in node:
            yield from records(item)
    elif isinstance(node, dict):
        if node.get("type") == "record":
            yield node
        for value in node.values():
            yield from records(value)


def defined(name: str) -> dict[str, Any]:
    """Find one record by its name."""
    return next(record for text in schemas.texts().values() for record in records(text) if record["name"] == name)


@pytest.mark.parametrize("name", schemas.NAMES)
def test_every_field_says_what_it_is_and_of_which_category(name: str) -> None:
    for record in records(schemas.texts()[name]):
        for field in record["fields"]:
            assert field["doc"].strip(), (record["name"], field["name"])
            assert field["category"] in CATEGORIES, (record["name"], field["name"])


@pytest.mark.parametrize("name", MIRRORED)
def test_the_core_has_the_fields_of_the_schema_in_the_same_words(name: str) -> None:
    mirror = getattr(core, name)
    names = set(mirror.__annotations__) if is_typeddict(mirror) else {field.name for field in fields(mirror)}

    assert names == {field["name"] for field in defined(name)["fields"]}


def test_a_body_group_holds_its_own_category_alone() -> None:
    """Redaction selects whole groups, so a field of another category inside a group would leak with it."""
    groups = {"identity", "contact", "location", "concern", "narrative", "clinical", "intelligence", "third_party", "wish"}
    for field in schemas.texts()["event"]["fields"]:
        if field["name"] in groups:
            found = {inner["category"] for record in records(field["type"]) for inner in record["fields"]}

            assert found <= {field["name"], "identity"}, field["name"]


def test_the_header_comes_first_so_that_routing_reads_a_prefix() -> None:
    assert schemas.texts()["event"]["fields"][0]["name"] == "header"


def test_a_disclosure_has_no_place_for_control_data_and_no_rule_may_share_monitoring_data() -> None:
    names = {field["name"] for field in schemas.texts()["disclosure"]["fields"]}

    assert "control" not in names
    assert set(SHAREABLE) == set(core.Category) - {core.Category.MONITORING}


def test_whole_schemas_stand_alone() -> None:
    for name in schemas.NAMES:
        fastavro.parse_schema(schemas.whole(name))


def test_an_id_names_one_version_of_one_schema() -> None:
    ids = [version["id"] for versions in schemas.lock().values() for version in versions]

    assert len(ids) == len(set(ids))
