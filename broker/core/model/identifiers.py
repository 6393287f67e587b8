"""Identifiers as distinct types, their check digits, and ids that derive from content."""

import hashlib
import re
import uuid
from operator import mul
from typing import NewType

AgencyId = NewType("AgencyId", str)  # as in the registers, for example "E10000030" or "urn:100001"
RecipientId = NewType("RecipientId", str)
RoleName = NewType("RoleName", str)
RuleId = NewType("RuleId", str)
ChildRef = NewType("ChildRef", str)  # the broker's pseudonym of a child
EventId = NewType("EventId", str)
DisclosureId = NewType("DisclosureId", str)
DecisionId = NewType("DecisionId", str)
KeyId = NewType("KeyId", str)
Digest = NewType("Digest", str)  # SHA-256 in hexadecimal
Millis = NewType("Millis", int)  # milliseconds since 1970-01-01T00:00:00Z

_EVENT_NAMESPACE = uuid.UUID("6f1b6a52-2f0b-5c0e-9a55-2b7f7c1f4d10").bytes
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UPN_LETTERS = "ABCDEFGHJKLMNPQRTUVWXYZ"
_UPN_VALUES = {**{letter: place for place, letter in enumerate(_UPN_LETTERS)}, **{str(digit): digit for digit in range(10)}}
_UPN_WEIGHTS = range(2, 13)
_UPN_ZEROS = ord("0") * sum(_UPN_WEIGHTS)  # digits are summed up as their characters
_VARIANT = {f"{digit:x}": f"{digit & 3 | 8:x}" for digit in range(16)}  # of a UUID: two bits of this digit are not free


def event_id(system: str, record: str, version: str) -> EventId:
    """Derive the id of an event from its source: the same record read twice has the same id.

    `system` is the publishing system with its agency, `record` the record's own id or row key there, `version` its own
    version or the digest of what it says.
    """
    # uuid.uuid5 without its object, four times as quick: connectors make one for every record of a large file
    name = f"{system}\x1f{record}\x1f{version}".encode()
    text = hashlib.sha1(_EVENT_NAMESPACE + name, usedforsecurity=False).hexdigest()
    return EventId(f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}")


def is_event_id(text: str) -> bool:
    """Tell whether a text can be an event's id: a UUID in lower case.

    Free text could hold a name, and ids stand where everybody who operates the broker reads them (I9); the same UUID in another
    case would be a second event (I12).
    """
    return _UUID.fullmatch(text) is not None


def canonical(organisation: str) -> str:
    """Return an organisation as everybody names it, however its scheme and its code are written; empty stays empty."""
    scheme, _, value = organisation.strip().rpartition(":")
    scheme = scheme.lower() or "la"
    return f"{scheme}:{value.upper() if scheme in ('la', 'ods') else value}" if value else ""


def digest(content: bytes) -> Digest:
    """Return the SHA-256 of some bytes in hexadecimal."""
    return Digest(hashlib.sha256(content).hexdigest())


def nhs_number_is_valid(number: str) -> bool:
    """Tell whether ten digits are a sound NHS number: modulus 11, not all one digit.

    Source: NHS Data Dictionary, NHS NUMBER, as verified on public samples.
    """
    if len(number) != 10 or not number.isascii() or not number.isdigit() or len(set(number)) == 1:
        return False
    check = 11 - sum(int(digit) * weight for digit, weight in zip(number[:9], range(10, 1, -1), strict=True)) % 11
    return check != 10 and check % 11 == int(number[9])


def upn_is_valid(upn: str) -> bool:
    """Tell whether a unique pupil number's check letter agrees; a temporary one ends in a letter.

    Source: DfE, unique pupil numbers, check letter as applied by the public census validators.
    """
    if len(upn) != 13 or not upn[1:12].isascii() or not upn[1:12].isdigit() or upn[0] not in _UPN_LETTERS:
        return False
    last = _UPN_VALUES.get(upn[12])
    if last is None:
        return False
    digits = sum(map(mul, upn[1:12].encode(), _UPN_WEIGHTS)) - _UPN_ZEROS
    return _UPN_LETTERS[(digits + 13 * last) % 23] == upn[0]
