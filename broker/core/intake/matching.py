"""Who is this child? The rule by which a description meets the children that are known under one birth date.

Pure: no hashing, no state, no opinion about what follows. Matching compares normalised values for equality only, so it is
symmetric and its result never depends on the order of the children. A matcher that weighs evidence (R24: at least 0.95 the
same child, 0.85 to 0.95 a person decides) takes this one's place behind `Matcher`.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Protocol

from broker.core.model.event import Event, Sector
from broker.core.model.identifiers import nhs_number_is_valid, upn_is_valid

# Given names that stand for "no name yet" in registers; they name nobody.
PLACEHOLDERS = frozenset(
    {
        "baby",
        "boy",
        "girl",
        "infant",
        "twin",
        "unknown",
        "notknown",
        "unnamed",
        "unborn",
        "newborn",
        "male",
        "female",
        "child",
        "not",
    }
)
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "þ": "th", "ð": "d"})
_LONGEST_NAME, _LONGEST_PLACE = 100, 64  # signs; one sign may become eighteen when it is normalised
NATIONAL = {"nhs_number": "nhs_number", "upn": "upn", "former_upn": "upn"}  # scheme -> the scheme it counts as


class Strength(StrEnum):
    """How sure a match is."""

    SAME = "same"  # exactly one child, nothing speaks against it
    UNSURE = "unsure"  # several children, or something speaks against the one: a person decides
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Key:
    """An identifier that can tell one child from all others: issuer is empty for national schemes."""

    scheme: str
    value: str
    issuer: str = ""


@dataclass(frozen=True)
class Description:
    """What an event or a register says of who a child is, normalised. Identifiers are opaque to the matcher.

    `identifiers` maps what an identifier is of (scheme and issuer) to the identifiers said; `full_names` are pairs of
    family and given name; `places` are postcodes and schools.
    """

    identifiers: Mapping[str, frozenset[str]]
    full_names: frozenset[tuple[str, str]]
    places: frozenset[str]

    @cached_property
    def every_identifier(self) -> frozenset[str]:
        """Return the identifiers of every kind together."""
        return frozenset().union(*self.identifiers.values())


@dataclass(frozen=True, slots=True)
class Match:
    """What a matcher found: the children it may be, in a fixed order. `by_identifier` when an identifier said so."""

    strength: Strength
    children: tuple[str, ...] = ()
    by_identifier: bool = False


class Matcher(Protocol):
    """Says who a description means among the children of one birth date."""

    by_words: bool  # only a child with an identifier or a full name in common can match: others need not be read

    def match(self, described: Description, known: Mapping[str, Description]) -> Match:
        """Return the match; equal inputs give equal results, in any order of the children."""
        ...


class ExactMatcher:
    """An identifier in common; or surname, forename, and postcode or school equal, met by exactly one child."""

    by_words = True

    def match(self, described: Description, known: Mapping[str, Description]) -> Match:
        """Return the match. An identifier decides, unless the names are another child's; of several, a person does."""
        said = described.every_identifier
        by_identifier = sorted(ref for ref, child in known.items() if not said.isdisjoint(child.every_identifier))
        alike = sorted(ref for ref, child in known.items() if _named_alike(described, child))
        if len(by_identifier) == 1 and described.full_names.isdisjoint(known[by_identifier[0]].full_names):
            by_identifier = sorted({*by_identifier, *alike})  # twins: a slip in one number is the other's number
        if by_identifier:
            return Match(Strength.SAME if len(by_identifier) == 1 else Strength.UNSURE, tuple(by_identifier), by_identifier=True)
        if not alike:
            return Match(Strength.NONE)
        sure = len(alike) == 1 and not contradict(described, known[alike[0]])
        return Match(Strength.SAME if sure else Strength.UNSURE, tuple(alike))


def contradict(one: Description, other: Description) -> bool:
    """Tell whether two descriptions each carry an identifier of the same kind and issuer, and none in common: twins do."""
    return any(
        values.isdisjoint(other.identifiers[kind]) for kind, values in one.identifiers.items() if kind in other.identifiers
    )


def resemble(one: Description, other: Description) -> bool:
    """Tell whether a person who looks for the child might want to see this one: a family name or a given name in common."""
    families = {family for family, _ in one.full_names} & {family for family, _ in other.full_names}
    givens = {given for _, given in one.full_names} & {given for _, given in other.full_names}
    return bool(families or givens)


@lru_cache(maxsize=8192)
def normal_name(text: str) -> str:
    """Return a name without case, accents, spaces and punctuation: `O'Brien-Łuczak` becomes `obrienluczak`."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return "".join(one for one in plain if one.isalpha())


def is_placeholder(given: str) -> bool:
    """Tell whether a given name stands for no name, as `Baby of Anne`, `Twin 1` and a mere initial do."""
    words = [normal_name(word) for word in given.replace("-", " ").replace("/", " ").split()]
    return all(len(word) <= 1 for word in words) or words[0] in PLACEHOLDERS


def normal_postcode(text: str | None) -> str | None:
    """Return a postcode in upper case without spaces; None when it is too short or stands for none (`ZZ99`)."""
    plain = "".join(one for one in (text or "").upper() if one.isalnum() and one.isascii())
    return plain if 5 <= len(plain) <= 7 and not plain.startswith("ZZ99") else None


def keys_of(event: Event) -> tuple[Key, ...]:
    """Return the identifiers of the child that may decide, the strongest first, each once.

    An NHS number counts when it was verified and is sound; a UPN within education when it is permanent or temporary but
    sound; every other one as the local id of its issuer, which is the publisher when nobody else is named.
    """
    return keys_among(event.body.get("identity", {}).get("identifiers") or (), event)


def keys_among(identifiers: Iterable[Mapping[str, object]], event: Event) -> tuple[Key, ...]:
    """Return those of some identifiers that may decide, as this event's publisher says them."""
    found = (_key(one, event) for one in identifiers)
    return tuple(
        sorted({one for one in found if one is not None}, key=lambda key: (_rank(key), key.scheme, key.issuer, key.value))
    )


def unverified_nhs_numbers(event: Event) -> frozenset[str]:
    """Return the sound NHS numbers of the child that nobody traced."""
    said = event.body.get("identity", {}).get("identifiers") or ()
    unsure = (str(one["value"]) for one in said if one["scheme"] == "nhs_number" and one.get("verified") is not True)
    plain = ("".join(one.split()) for one in unsure)
    return frozenset(one for one in plain if nhs_number_is_valid(one))


def names_of(event: Event) -> frozenset[tuple[str, str]]:
    """Return the full names that may decide: family and given name, normalised; placeholders and what is no name name nobody."""
    found = set()
    for name in event.body.get("identity", {}).get("names") or ():
        family, given = normal_name(name.get("family") or ""), normal_name(name.get("given") or "")
        fits = 0 < min(len(family), len(given)) <= max(len(family), len(given)) <= _LONGEST_NAME
        if fits and not is_placeholder(name.get("given") or ""):
            found.add((family, given))
    return frozenset(found)


def places_of(event: Event) -> frozenset[str]:
    """Return the postcode and the schools that the event connects the child with."""
    location, control = event.body.get("location", {}), event.control or {}
    postcode = normal_postcode(location.get("postcode"))
    named = (location.get("organisation"), control.get("organisation"), str(event.header.producer))
    schools = {one for one in named if one and one.startswith("urn:") and len(one) <= _LONGEST_PLACE}
    return frozenset(schools | ({f"postcode:{postcode}"} if postcode else set()))


def _key(identifier: Mapping[str, object], event: Event) -> Key | None:
    scheme, value = str(identifier["scheme"]), "".join(str(identifier["value"]).split()).upper()
    if not value or identifier.get("check_ok") is False:
        return None
    if scheme == "nhs_number":
        return Key(scheme, value) if identifier.get("verified") is True and nhs_number_is_valid(value) else None
    if scheme in NATIONAL:
        within_education = event.header.sector is Sector.SCHOOLS
        return Key(NATIONAL[scheme], value) if within_education and upn_is_valid(value) else None
    return Key(scheme, value, str(identifier.get("issuer") or event.header.producer))


def _rank(key: Key) -> int:
    return {"nhs_number": 0, "upn": 1}.get(key.scheme, 2)


def _named_alike(one: Description, other: Description) -> bool:
    return not one.full_names.isdisjoint(other.full_names) and not one.places.isdisjoint(other.places)
