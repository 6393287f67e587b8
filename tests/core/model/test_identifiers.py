"""Identifiers and their check digits."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.model.identifiers import event_id, nhs_number_is_valid, upn_is_valid


@pytest.mark.parametrize(
    ("number", "valid", "why"),
    [
        ("9912003888", True, "a test number, modulus 11"),
        ("9000000009", True, "the sandbox patient"),
        ("9658218873", True, "a test number"),
        ("9434765919", True, "a test number"),
        ("9912003890", False, "printed in an official example, wrong check digit"),
        ("1112223330", False, "the mother of an official example, wrong check digit"),
        ("3333333333", False, "one repeated digit passes modulus 11 and is nobody"),
        ("0000000000", False, "nobody"),
        ("91000000009", False, "eleven digits"),
        ("991200388", False, "nine digits"),
        ("99120038X8", False, "a letter"),
        ("\uff19\uff19\uff11\uff12\uff10\uff10\uff13\uff18\uff18\uff18", False, "digits of another script"),
        ("", False, "empty"),
    ],
)
def test_nhs_numbers(number: str, valid: bool, why: str) -> None:
    assert nhs_number_is_valid(number) is valid, why


@pytest.mark.parametrize(
    ("upn", "valid", "why"),
    [
        ("A950000178301", True, "check letter agrees"),
        ("H243278544154", True, "check letter agrees"),
        ("R674123101121", True, "check letter agrees"),
        ("H801200001001", True, "check letter agrees"),
        ("R247962919251", False, "check letter differs"),
        ("X428558133462", False, "check letter differs"),
        ("A123456789123", False, "check letter differs"),
        ("I123456789123", False, "I is no check letter"),
        ("A12345678912", False, "too short"),
        ("", False, "empty"),
    ],
)
def test_upns(upn: str, valid: bool, why: str) -> None:
    assert upn_is_valid(upn) is valid, why


@given(st.text(), st.text(), st.text())
def test_an_event_id_depends_on_its_source_alone(system: str, record: str, version: str) -> None:
    assert event_id(system, record, version) == event_id(system, record, version)


def test_another_version_is_another_event() -> None:
    assert event_id("mis", "1", "1") != event_id("mis", "1", "2")


def test_parts_do_not_run_into_each_other() -> None:
    assert event_id("a", "bc", "d") != event_id("ab", "c", "d")


@given(st.text(), st.text(), st.text())
def test_an_event_id_is_a_version_5_uuid_of_its_source(system: str, record: str, version: str) -> None:
    expected = str(uuid.uuid5(uuid.UUID("6f1b6a52-2f0b-5c0e-9a55-2b7f7c1f4d10"), f"{system}\x1f{record}\x1f{version}"))

    assert event_id(system, record, version) == expected
