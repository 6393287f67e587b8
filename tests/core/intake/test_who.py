"""Who is asked which child an event is about sees who it may be, and nothing else of the event (R10, R28)."""

import json
from dataclasses import replace
from typing import Any

import pytest

import schemas
from broker.codec import event_from_message, event_to_message
from broker.core.intake.who import who_it_is
from broker.core.model.event import Category, Event, Header, SharingMode, Source
from tests.stream.people import COUNCIL, POLICE, TRUST

SHOWN = ("event_id", "event_type", "action", "supersedes", "producer", "sector", "occurred_at", "recorded_at")
NHS: dict[str, Any] = {"scheme": "nhs_number", "value": "9434765919", "issuer": None, "check_ok": True, "verified": True}
OWN: dict[str, Any] = {**NHS, "scheme": "mrn", "value": "M1", "issuer": TRUST}
ANOTHERS: dict[str, Any] = {**NHS, "scheme": "la_child_id", "value": "L1", "issuer": COUNCIL}
UPN: dict[str, Any] = {**NHS, "scheme": "upn", "value": "H801200001001"}
ID = "0d7e6a4c-6b0e-5d7e-9b63-1f5a3c1d2e4f"


def full(schema: Any, mark: str) -> Any:
    """A value of every field, each text of it marked."""
    if isinstance(schema, list):
        return full(next(one for one in schema if one != "null"), mark)
    if isinstance(schema, dict):
        if schema["type"] == "record":
            return {one["name"]: full(one["type"], one.get("category") or mark) for one in schema["fields"]}
        if schema["type"] == "array":
            return [full(schema["items"], mark)]
        if schema["type"] == "map":
            return {f"{mark}-key": full(schema["values"], mark)}
        return schema["symbols"][0] if schema["type"] == "enum" else full(schema["type"], mark)
    return {"string": f"{mark}-said", "boolean": True, "long": 1, "int": 1}.get(schema, schema)


def everything(event_type: str = "police.encompass.notified", **control: Any) -> Event:
    """An event that says something of every category, each word naming its own."""
    message: dict[str, Any] = {}
    for one in schemas.whole("event")["fields"]:
        message[one["name"]] = full(one["type"], one["category"])
    message["header"] |= {"event_type": event_type, "producer": TRUST, "sector": "HEALTH", "event_id": ID, "supersedes": ID}
    message["header"]["confidentiality"] = None
    message["identity"]["identifiers"] = [NHS, OWN, ANOTHERS, UPN]
    message["control"] |= {"kind": "merge", "identifiers": [OWN, ANOTHERS], **control}
    return event_from_message(message)


def restricted() -> Event:
    event = everything()
    return replace(event, header=replace(event.header, confidentiality={"code": "R", "source": "PD1-12"}))


@pytest.mark.parametrize("category", [one for one in Category if one not in {Category.IDENTITY, Category.LOCATION}])
def test_no_word_of_any_other_category_is_shown(category: Category) -> None:
    whole, shown = (json.dumps(event_to_message(one)) for one in (everything(), who_it_is(everything())))

    assert f"{category}-said" in whole or category is Category.EXISTENCE
    kept = {"existence-said"} if category is Category.EXISTENCE else set()
    assert shown.count(f"{category}-said") == (3 if kept else 0), "when it happened, and which school in which role"


def test_of_every_group_there_is_only_who_the_child_is_and_home_and_school() -> None:
    shown = who_it_is(everything())

    assert set(shown.body) == {"identity", "location"}
    assert set(shown.body["identity"]) == {
        "identifiers", "names", "birth_date", "expected_birth_date", "death_date", "sex",
    }  # fmt: skip
    assert set(shown.body["location"]) == {"postcode", "building", "address", "organisation"}
    assert set(shown.control or {}) == {"role", "organisation", "identifiers"}
    assert shown.quality == ()


def test_of_the_header_there_is_type_publisher_and_when() -> None:
    event = everything()
    shown = who_it_is(event).header
    bare = Header(source=Source("", "", "", "", ""), **{one: getattr(event.header, one) for one in SHOWN})

    assert shown == bare
    assert (event.header.contact_point, event.header.excluded) == ("existence-said", ("existence-said",))
    assert (shown.contact_point, shown.excluded, shown.attributes, shown.confidentiality) == (None, (), {}, None)


def test_home_and_school_are_not_shown_where_the_publisher_shares_existence_only() -> None:
    """R6: whom it is about is no content; where it lives and goes is."""
    event = everything()
    shown = who_it_is(replace(event, header=replace(event.header, sharing_mode=SharingMode.EXISTENCE)))

    assert set(shown.body) == {"identity"}
    assert shown.body["identity"] == who_it_is(event).body["identity"]


@pytest.mark.parametrize(
    ("event", "held"),
    [
        (everything("control.protection", kind="safe_address", state="set"), False),
        (everything("control.protection", kind="safe_adress", state="set"), False),
        (everything("control.consent", kind="consent"), False),
        (everything("health.patient.registered", kind="identity_changed"), False),
        (restricted(), False),
        (everything(), True),
    ],
    ids=["a protection", "a misspelt one", "another control event", "a record that protects", "a restricted record", "held"],
)
def test_where_the_child_is_is_never_shown_of_what_may_hide_it(event: Event, held: bool) -> None:
    shown = who_it_is(event, held=held)
    said = json.dumps(event_to_message(shown))

    assert set(shown.body) == {"identity"}
    assert "location" not in {name for name, value in event_to_message(shown).items() if value}
    assert shown.body["identity"]["identifiers"] == [NHS, OWN], "the publisher's own number betrays nobody else"
    assert (shown.control or {}) == {"identifiers": [OWN]}
    assert COUNCIL not in said


def test_where_another_word_protects_a_child_that_it_may_be_nothing_betrays_the_place_nor_who_published_it() -> None:
    """The cut `place`: who speaks, and whose number it is, tell where a child is to be found."""
    shown = who_it_is(everything(), guarded=True)
    said = json.dumps(event_to_message(shown))

    assert shown.header.producer == ""
    assert shown.body["identity"]["identifiers"] == [NHS]
    assert set(shown.body) == {"identity"}
    assert [one for one in (TRUST, COUNCIL, "location-said") if one in said] == []


def test_what_says_nothing_of_a_child_shows_no_group() -> None:
    shown = who_it_is(replace(everything(), body={"intelligence": {"text": "as heard"}}, control=None))

    assert (shown.body, shown.control) == ({}, None)
    assert shown.header.producer == TRUST != POLICE
