"""The rule by which a description meets a child."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.intake.matching import (
    Description,
    ExactMatcher,
    Strength,
    contradict,
    is_placeholder,
    keys_of,
    names_of,
    normal_name,
    normal_postcode,
    places_of,
)
from broker.policyfile import load_policy
from broker.stream.intake import REGISTRATIONS
from tests.stream.people import COUNCIL, NHS, POLICE, SCHOOL, UPN, an_event, enrolled

MATCHER = ExactMatcher()


def described(names: str = "", places: str = "", **identifiers: str) -> Description:
    full = frozenset((one.split()[1], one.split()[0]) for one in names.split(",") if one)
    ids = {kind: frozenset(values.split()) for kind, values in identifiers.items()}
    return Description(ids, full, frozenset(places.split()))


@pytest.mark.parametrize(
    ("said", "known", "expected", "why"),
    [
        (described(nhs="1"), {"a": described(nhs="1")}, ("same", ("a",)), "the same verified NHS number"),
        (described("ann lee", "p1"), {"a": described("ann lee", "p1")}, ("same", ("a",)), "name and postcode"),
        (described("ann lee", "p2"), {"a": described("ann lee", "p1 urn:1")}, ("none", ()), "another postcode, no school"),
        (described("ann lee", "urn:1"), {"a": described("ann lee", "p1 urn:1")}, ("same", ("a",)), "name and school"),
        (described("ann lee"), {"a": described("ann lee", "p1")}, ("none", ()), "a name alone is nobody"),
        (described("bea lee", "p1"), {"a": described("ann lee", "p1")}, ("none", ()), "twins have other given names"),
        (described("ann lee", "p1"), dict.fromkeys("ba", described("ann lee", "p1")), ("unsure", ("a", "b")), "two fit"),
        (described("ann lee", "p1", nhs="1"), {"a": described("ann lee", "p1", nhs="2")}, ("unsure", ("a",)), "other numbers"),
        (described("ann lee", "p1", nhs="1"), {"a": described("ann lee", "p1", mrn="2")}, ("same", ("a",)), "other kinds"),
        (described(nhs="1", mrn="2"), {"a": described(nhs="1"), "b": described(mrn="2")}, ("unsure", ("a", "b")), "two held"),
        (described("zed zed", nhs="1"), {"a": described("ann lee", nhs="1")}, ("same", ("a",)), "a number outweighs a name"),
        (
            described("bea lee", "p1", nhs="1"),
            {"a": described("ann lee", "p1", nhs="1"), "b": described("bea lee", "p1")},
            ("unsure", ("a", "b")),
            "a twin's name and home with the other's number",
        ),
        (
            described("ann lee", "p1", nhs="1"),
            {"a": described("ann lee", "p2", nhs="1"), "b": described("ann lee", "p1")},
            ("same", ("a",)),
            "the number and the name agree: it moved",
        ),
        (described(), {"a": described("ann lee", "p1", nhs="1")}, ("none", ()), "nothing said, nobody meant"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_rule(said: Description, known: dict[str, Description], expected: tuple[str, tuple[str, ...]], why: str) -> None:
    match = MATCHER.match(said, known)

    assert (match.strength, match.children) == expected, why


words = st.sampled_from(["ann lee", "bea lee", "ann ray", ""])
descriptions = st.builds(
    described,
    words,
    st.sampled_from(["", "p1", "p1 urn:1", "urn:1"]),
    nhs=st.sampled_from(["", "1", "2"]),
    mrn=st.sampled_from(["", "3"]),
)


@given(one=descriptions, other=descriptions)
def test_matching_is_symmetric(one: Description, other: Description) -> None:
    there, back = MATCHER.match(one, {"x": other}), MATCHER.match(other, {"x": one})

    assert there == back
    assert contradict(one, other) == contradict(other, one)


@given(said=descriptions, known=st.dictionaries(st.sampled_from("abcdef"), descriptions), order=st.randoms())
def test_the_order_of_the_children_makes_no_difference(said: Description, known: dict[str, Description], order: object) -> None:
    items = list(known.items())
    order.shuffle(items)  # type: ignore[attr-defined]  # hypothesis hands out a random.Random

    assert MATCHER.match(said, known) == MATCHER.match(said, dict(items))


@given(said=descriptions, known=st.dictionaries(st.sampled_from("abcdef"), descriptions))
def test_the_same_child_is_said_of_exactly_one(said: Description, known: dict[str, Description]) -> None:
    match = MATCHER.match(said, known)

    assert (match.strength is Strength.NONE) == (not match.children)
    assert match.strength is not Strength.SAME or len(match.children) == 1


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("O'Brien-Smith", "obriensmith"),
        ("  ŁUCJA ", "lucja"),
        ("Zoë", "zoe"),
        ("Strauß", "strauss"),
        ("de la Cruz", "delacruz"),
        ("", ""),
    ],
)
def test_names_are_compared_without_case_accents_and_punctuation(written: str, normal: str) -> None:
    assert normal_name(written) == normal


@pytest.mark.parametrize(
    "given_name", ["Baby", "BABY GIRL", "Baby of Anne", "Twin 1", "Unknown", "Not Known", "J", "-", "Unborn"]
)
def test_a_placeholder_names_nobody(given_name: str) -> None:
    assert is_placeholder(given_name)
    assert not names_of(an_event("x.y", SCHOOL, given=given_name))


@pytest.mark.parametrize("given_name", ["Bab", "Girlie", "Na", "Jo", "Mary Ann"])
def test_a_name_that_only_resembles_one_is_a_name(given_name: str) -> None:
    assert not is_placeholder(given_name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("es1 2ab", "ES12AB"),
        ("ES12AB", "ES12AB"),
        ("ZZ99 3VZ", None),
        ("", None),
        (None, None),
        ("ES1", None),
        ("nonsense text", None),
    ],
)
def test_postcodes_are_compared_without_case_and_spaces(text: str | None, expected: str | None) -> None:
    assert normal_postcode(text) == expected


def test_an_unverified_nhs_number_decides_nothing_and_a_upn_only_within_education() -> None:
    assert not keys_of(an_event("x.y", COUNCIL, nhs=NHS[0], verified=False))
    assert not keys_of(an_event("x.y", COUNCIL, upn=UPN[0]))
    assert [key.scheme for key in keys_of(an_event("x.y", SCHOOL, upn=UPN[0], nhs=NHS[0]))] == ["nhs_number", "upn"]


def test_a_local_number_belongs_to_its_issuer() -> None:
    assert keys_of(an_event("x.y", POLICE, local="7")) != keys_of(an_event("x.y", COUNCIL, local="7"))


def test_a_schools_own_record_connects_the_child_with_the_school() -> None:
    assert places_of(enrolled(postcode="ES1 2AB")) == {"postcode:ES12AB", SCHOOL}


def test_the_registrations_are_those_of_the_catalogue() -> None:
    assert {name for name, kind in load_policy().events.items() if kind.registers_person} == REGISTRATIONS
