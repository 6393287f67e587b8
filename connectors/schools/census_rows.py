"""What the rows of the school census mean: columns, code lists, and who a pupil is."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from broker.core.intake.delivery import Finding
from broker.core.model.event import Body, Identifier, Identity, Location, Name, QualityFinding
from broker.core.model.identifiers import upn_is_valid
from connectors.schools.collect_csv import iso_date

CATEGORIES = {  # category of an exclusion -> event type and the code of today; FIXD was the name of SUSP until 2020
    "SUSP": ("school.suspension", "SUSP"),
    "FIXD": ("school.suspension", "SUSP"),
    "LNCH": ("school.suspension", "LNCH"),
    "PERM": ("school.permanent_exclusion", "PERM"),
}
# Reasons from 2020/21; OT (other) was dropped then.
REASONS = frozenset(["PP", "PA", "VP", "VA", "OW", "BU", "RA", "LG", "DS", "SM", "DA", "DM", "TH", "DB", "MT", "PH"])
UNAUTHORISED = frozenset("NOUG")  # no reason yet, other, after registers closed, holiday not granted
NOT_COUNTED = frozenset("XZ#")  # not required, not on roll, planned closure
YOUNG_CARER = frozenset("PS")  # as identified by parent, by school; N is not declared

PUPIL = (
    "nativeid", "upn", "formerupn", "uniquelearnernumber", "surname", "forename", "preferredsurname", "formersurname", "dob",
    "sex", "gender", "entrydate", "leavingdate", "ethnicity", "youngcarer", "termlysessionspossible",
)  # fmt: skip
ADDRESS = (
    "nativeid", "postcode", "saon", "paon", "street", "locality", "town", "posttown", "administrativearea",
    "addressline1", "addressline2", "addressline3", "addressline4", "addressline5",
)  # fmt: skip
EXCLUSION = ("nativeid", "category", "startdate", "sessions", "reason1", "reason2", "reason3", "reason")
_APART = "\x1f"
_POSTCODE = re.compile(r"([A-Z]{1,2}\d[A-Z\d]?) ?(\d[A-Z]{2})")


class Pupil(NamedTuple):
    """A row of a pupil table, in the order of `PUPIL`."""

    native: str
    upn: str
    former_upn: str
    uln: str
    surname: str
    forename: str
    preferred: str
    former: str
    dob: str
    sex: str
    gender: str
    entry: str
    leaving: str
    ethnicity: str
    young_carer: str
    possible: str


@dataclass(slots=True)
class Person:
    """A pupil as read: who, where, and what was wrong. `stem` names the pupil of a school without saying who it is."""

    stem: str
    school: str
    row: Pupil
    place: str
    identity: Identity
    quality: list[QualityFinding]
    findings: list[Finding]

    def wrong(self, rule: str, column: str, message: str) -> None:
        """Note what is wrong with a column."""
        self.quality.append(QualityFinding(rule, column, "warning"))
        self.findings.append(
            Finding("warning", rule, f"{self.place}, {column}", message, "correct it in the school's own system")
        )


def read_person(row: Pupil, school: str, place: str, today: str) -> Person:
    """Say who a row is about; what cannot be right is left out and noted."""
    person = Person("", school, row, place, {}, [], [])
    person.identity = identity = Identity(identifiers=_identifiers(person), names=_names(row))
    born = iso_date(row.dob) if row.dob else None
    if born and born <= today:
        identity["birth_date"] = born
    elif row.dob:
        person.wrong("birth_date", "dob", "the birth date is no date or in the future: left out")
    else:
        person.wrong("birth_date", "dob", "there is no birth date, so nobody can be matched")
    if sex := row.sex or row.gender:
        identity["sex"] = sex if sex in {"M", "F"} else "U"
        identity["sex_as_recorded"] = sex
    who = row.upn or _APART.join((row.surname, row.forename, row.dob))
    person.stem = stem_of(row.native, who)
    return person


def stem_of(native: str, who: str) -> str:
    """Return what names a pupil of a school without saying who it is; `who` is the pupil's number, where there is one."""
    return f"{native.replace('/', '_')}/{hashlib.blake2b(f'{native}{_APART}{who}'.encode(), digest_size=12).hexdigest()}"


def _identifiers(person: Person) -> list[Identifier]:
    row = person.row
    found: list[Identifier] = []
    for scheme, column, value in (("upn", "upn", row.upn), ("former_upn", "formerupn", row.former_upn)):
        if value:
            sound = upn_is_valid(value)
            found.append({"scheme": scheme, "value": value, "check_ok": sound, "verified": False})
            if not sound:
                person.wrong("upn_check", column, "the check letter of the pupil number does not agree")
    if row.uln:
        found.append({"scheme": "uln", "value": row.uln, "check_ok": None, "verified": False})
    if not row.upn:
        person.wrong("upn_missing", "upn", "there is no pupil number")
    return found


def _names(row: Pupil) -> list[Name]:
    kinds = {"usual": row.surname, "preferred": row.preferred, "former": row.former}
    found: list[Name] = []
    for kind, family in kinds.items():
        if (family and (kind == "usual" or family != row.surname)) or (kind == "usual" and row.forename):
            found.append({"given": row.forename, "family": family, "kind": kind})
    return found


def read_address(values: list[str]) -> Location:
    """Return postcode, building and lines of an address row, in the order of `ADDRESS` without its first."""
    postcode, saon, paon, street, *rest = values
    place = Location()
    if found := _POSTCODE.fullmatch(postcode.strip().upper()):
        place["postcode"] = f"{found[1]} {found[2]}"
    if building := f"{saon} {paon}" if saon and paon else saon or paon:
        place["building"] = building
    if lines := [part for part in (f"{paon} {street}".strip(), *rest) if part]:
        place["address"] = lines
    return place


def no_pupils(names: Iterable[str]) -> Finding:
    """Say that the tables of pupils hold nobody: an export that failed looks so."""
    remedy = "export the tables of pupils again; who left stands in pupilnolongeronroll"
    return Finding("error", "no_pupils", ", ".join(names), "the headings are there and not one pupil", remedy)


def body_of(person: Person, addresses: list[list[object]]) -> Body:
    """Return what an event says of a pupil, with the first address that is there."""
    location = Location(organisation=person.school)
    if addresses:
        location.update(read_address([str(part) for part in addresses[0][2:]]))
    body = Body(identity=person.identity, location=location)
    if person.row.ethnicity:
        body["monitoring"] = {"ethnicity": person.row.ethnicity}
    return body
