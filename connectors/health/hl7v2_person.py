"""Who a patient is, as the segments PID, PD1 and NK1 say it: identifiers, names, address, next of kin, practice."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from broker.core.model.event import Contact, Identifier, Identity, Location, Name, Party, QualityFinding
from broker.core.model.identifiers import AgencyId, nhs_number_is_valid
from connectors.health.hl7v2_fields import Segment, day_of

# PID-3.4 and PID-3.5 that mean the NHS number. HN and NH are used for other health numbers too: those need ten digits.
NHS = frozenset({"NHS", "NHSNBR", "NHSNMBR", "2.16.840.1.113883.2.1.4.1"})
NHS_PERHAPS = frozenset({"HN", "NH"})
LOCAL_TYPES = frozenset({"", "MR", "MRN", "PI", "PT", "LR", "LOCALID"})  # a hospital's own numbers of patients
VERIFIED = frozenset({"NSTS01", "01"})  # PID-32, NHS number status indicator: present and verified
SEX = {"1": "M", "M": "M", "2": "F", "F": "F"}  # PID-8; 0, 9, O, U, A and N become U
NAME_KINDS = {"M": "former", "D": "preferred", "N": "preferred", "A": "alias", "S": "alias", "P": "alias"}  # PID-5.7, else usual
NOT_A_HOME = frozenset({"BA", "BDL", "N", "BR", "B", "O", "F"})  # PID-11.7: bad, birth, office, country of origin
KIN = {  # NK1-3: HL7 table 0063, and the English codes
    "MTH": "mother", "1M": "mother", "MOTHER": "mother", "FTH": "father", "FATHER": "father", "GRD": "carer", "FCH": "carer",
    "SIB": "sibling", "BRO": "sibling", "SIS": "sibling", "CGV": "carer", "GUARDIAN": "carer",
}  # fmt: skip
# PD1-12, HL7 table 0136, and the codes that the national register uses for the same.
RESTRICTIONS: dict[str, Literal["U", "R", "V"]] = {"Y": "R", "S": "R", "R": "R", "V": "V", "N": "U", "U": "U"}
_PRACTICE = re.compile(r"[A-Z][A-Z0-9]{2,5}")
_POSTCODE = re.compile(r"([A-Z]{1,2}\d[A-Z\d]?) ?(\d[A-Z]{2})")


@dataclass(slots=True)
class Patient:
    """A patient as one message describes them. `practice` is `ods:` and the code; `restriction` what PD1-12 says, if anything.

    `verified`: PID-32 says that the NHS numbers of the message are.
    """

    identity: Identity
    verified: bool = False
    contact: Contact = field(default_factory=Contact)
    location: Location = field(default_factory=Location)
    kin: list[Party] = field(default_factory=list)
    practice: str | None = None
    ethnicity: str = ""
    restriction: Literal["U", "R", "V"] | None = None
    quality: list[QualityFinding] = field(default_factory=list)


def read_patient(segments: Sequence[Segment], agency: AgencyId, facility: str) -> Patient:
    """Say who a patient is from one PID and what belongs to it; what cannot be right is left out and noted."""
    pid = next(segment for segment in segments if segment.name == "PID")
    patient = Patient(Identity(identifiers=[], names=_names(pid)), ethnicity=pid.text(22))
    identity = patient.identity
    patient.verified = any(set(reliability) & VERIFIED for reliability in pid.repetitions(32))
    identity["identifiers"] = read_identifiers(pid.repetitions(3), agency, facility, verified=patient.verified)
    if any(one.get("check_ok") is False for one in identity["identifiers"]):
        patient.quality.append(QualityFinding("nhs_number_check", "PID-3", "warning"))
    _dates(pid, patient)
    if sex := pid.text(8):
        identity["sex"], identity["sex_as_recorded"] = SEX.get(sex.upper(), "U"), sex
    patient.kin = [party for segment in segments if segment.name == "NK1" and (party := _kin(segment))]
    if pd1 := next((segment for segment in segments if segment.name == "PD1"), None):
        patient.restriction = RESTRICTIONS.get(pd1.text(12).upper())
        patient.practice = _practice(pd1)
    if patient.restriction in (None, "U"):
        patient.location = _home(pid.repetitions(11))
        patient.contact = _contact(pid)
    else:
        patient.quality.append(QualityFinding("protected_record", "PD1-12", "info"))
    return patient


def read_identifiers(
    repetitions: Sequence[Sequence[str]], agency: AgencyId, facility: str, *, verified: bool
) -> list[Identifier]:
    """Return NHS numbers first, then the hospital's own numbers; account and foreign numbers are nobody's key here."""
    found: list[Identifier] = []
    for components in repetitions:
        value, _, _, authority, kind, *_ = (*components, "", "", "", "", "")
        number = re.sub(r"[\s-]", "", value)
        marks = {authority.upper(), kind.upper()}
        if marks & NHS or (marks & NHS_PERHAPS and len(number) == 10 and number.isdigit()):
            sound = nhs_number_is_valid(number)
            found.append({"scheme": "nhs_number", "value": number, "check_ok": sound, "verified": verified and sound})
        elif number.strip("0") and kind.upper() in LOCAL_TYPES:
            own = authority in {"", facility, agency.partition(":")[2]} or authority.upper() in LOCAL_TYPES
            issuer = agency if own else f"{agency}/{authority}"
            found.append({"scheme": "mrn", "value": number, "issuer": issuer, "check_ok": None, "verified": False})
    return sorted(found, key=lambda one: one["scheme"] != "nhs_number")


def _dates(pid: Segment, patient: Patient) -> None:
    born, passed_over = day_of(pid.text(7))
    if born:
        patient.identity["birth_date"] = born
    if passed_over or not born:
        patient.quality.append(QualityFinding("birth_time" if born else "birth_date", "PID-7", "warning"))
    if died := day_of(pid.text(29))[0]:
        patient.identity["death_date"] = died


def _names(pid: Segment) -> list[Name]:
    found: list[Name] = []
    for number, other in ((5, "usual"), (9, "alias")):
        for components in pid.repetitions(number):
            family, given, _, _, _, _, kind, *_ = (*components, *[""] * 7)
            if family or given:
                found.append({"given": given, "family": family, "kind": NAME_KINDS.get(kind.upper(), other)})
    return found


def _home(addresses: Sequence[Sequence[str]]) -> Location:
    """Return the first address that is a home."""
    for components in addresses:
        street, other, city, state, postcode, _, kind, *_ = (*components, *[""] * 7)
        if kind.upper() in NOT_A_HOME:
            continue
        place = Location()
        if found := _POSTCODE.fullmatch(postcode.upper()):
            place["postcode"] = f"{found[1]} {found[2]}"
        if lines := [line for line in (street, other, city, state) if line]:
            place["address"] = lines
        return place
    return Location()


def _contact(pid: Segment) -> Contact:
    found = Contact()
    numbers = [components[0] for field_number in (13, 14) for components in pid.repetitions(field_number) if components[0]]
    mails = [components[3] for components in pid.repetitions(13) if len(components) > 3 and "@" in components[3]]
    if numbers:
        found["telephones"] = list(dict.fromkeys(numbers))
    if mails:
        found["emails"] = mails
    return found


def _kin(nk1: Segment) -> Party | None:
    """Return a next of kin: somebody else, never part of who the patient is."""
    family, given = nk1.text(2, 1), nk1.text(2, 2)
    code, words = nk1.text(3, 1), nk1.text(3, 2)
    if not (family or given):
        return None
    born, _ = day_of(nk1.text(16))
    return {
        "role": KIN.get(code.upper()) or KIN.get(words.upper(), "other"),
        "relation": words or code or None,
        "given": given or None,
        "family": family or None,
        "birth_date": born,
        "identifiers": [],
    }


def _practice(pd1: Segment) -> str | None:
    """Return the practice of PD1-3 by its ODS code: XON-10 from version 2.5 on, XON-3 before."""
    for code in (pd1.text(3, 10), pd1.text(3, 3)):
        if _PRACTICE.fullmatch(code.upper()) and any(sign.isdigit() for sign in code):
            return f"ods:{code.upper()}"
    return None


def is_adult(birth_date: str, at: str) -> bool:
    """Tell whether somebody was surely 18 on a day: of an unfinished date the last day counts, of the day itself the first."""
    last = birth_date + "-12-31"[len(birth_date) - 4 :] if len(birth_date) < 10 else birth_date
    first = (at + "-01-01"[len(at) - 4 :])[:10] if len(at) < 10 else at[:10]
    return bool(at) and (int(first[:4]), first[4:]) >= (int(last[:4]) + 18, last[4:])
