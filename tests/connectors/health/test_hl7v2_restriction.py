"""A record that the hospital's own register restricts: its child is protected, until the hospital says otherwise."""

import pytest

from broker.core.model.event import Event
from tests.connectors.contract import MemoryInHand
from tests.connectors.health.messages import NHS, message, pid, read, types, visit


def flag(said: str) -> str:
    return "PD1" + "|" * 12 + said


def protections(events: list[Event]) -> list[object]:
    return [(event.control or {}).get("state") for event in events if event.header.event_type == "control.protection"]


def test_a_restriction_protects_the_child_before_what_else_the_message_says() -> None:
    memory = MemoryInHand()
    read(message("A28", pid()), memory)

    protection, changed = read(message("A31", pid(), flag("Y"), control="C2"), memory)[0]

    assert (protection.header.event_type, protection.control) == (
        "control.protection",
        {"kind": "restricted_record", "state": "set", "reason": "PD1-12"},
    )
    assert protection.body == {"identity": changed.body["identity"]}
    assert changed.header.event_type == "health.demographics.changed"
    assert changed.body["location"] == {"organisation": "ods:RXX01"}
    assert [event.header.confidentiality for event in (protection, changed)] == [{"code": "R", "source": "PD1-12"}] * 2


def test_a_registration_makes_the_child_known_before_it_is_protected() -> None:
    assert types(read(message("A28", pid(), flag("Y")))[0]) == ["health.patient.registered", "control.protection"]


@pytest.mark.parametrize(
    ("said", "code", "state"),
    [
        ("Y", "R", ["set"]),
        ("S", "R", ["set"]),
        ("v", "V", ["set"]),
        ("N", "U", []),
        ("U", "U", []),
        ("", None, []),
        ("?", None, []),
    ],
)
def test_each_word_for_a_restriction_is_understood(said: str, code: str | None, state: list[str]) -> None:
    events, _ = read(message("A31", pid(), flag(said)))

    assert protections(events) == state
    assert (events[-1].header.confidentiality or {}).get("code") == code


def test_it_is_said_once_and_silence_never_lifts_it() -> None:
    memory = MemoryInHand()
    said = [
        read(message("A31", pid(), flag(one), control=f"C{at}"), memory)[0]
        for at, one in enumerate(("Y", "Y", "", '""', "N", "N"))
    ]

    assert [protections(events) for events in said] == [["set"], [], [], [], ["lifted"], []]


def test_it_is_lifted_by_whichever_of_the_numbers_a_message_names() -> None:
    memory = MemoryInHand()
    read(message("A31", pid(), flag("Y")), memory)

    assert protections(read(message("A31", pid(numbers=f"{NHS}^^^NHS^NH"), flag("N"), control="C2"), memory)[0]) == ["lifted"]


def test_it_goes_on_under_the_number_that_the_record_becomes_part_of() -> None:
    memory = MemoryInHand()
    read(message("A31", pid(numbers="88^^^RXX01^MR"), flag("Y")), memory)
    merge = message("A40", pid(numbers="77^^^RXX01^MR"), "MRG|88^^^RXX01^MR", control="C2")

    assert types(read(merge, memory)[0]) == ["identity.merged"]
    assert protections(read(message("A31", pid(numbers="77^^^RXX01^MR"), flag("N"), control="C3"), memory)[0]) == ["lifted"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (message("A04", pid(), visit("E"), flag("Y")), "an attendance"),
        (message("A08", pid(""), flag("Y")), "no birth date: nothing else is told"),
        (message("A11", pid(), visit("E"), flag("Y")), "a cancellation of nothing"),
        (message("A40", pid(), flag("Y"), "MRG|88^^^RXX01^MR"), "a merge"),
    ],
)
def test_every_message_about_a_child_can_say_it(content: str, why: str) -> None:
    assert protections(read(content)[0]) == ["set"], why


def test_of_an_adult_nothing_is_said() -> None:
    assert read(message("A31", pid("19900101"), flag("Y")))[0] == []
