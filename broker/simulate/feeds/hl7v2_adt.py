"""Writes HL7 v2 messages of a hospital trust, as the UK's ITK profile of version 2.4 has them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from broker.simulate import numbers
from broker.simulate.area import Child
from broker.simulate.cast import safe_street

_STRUCTURES = {"A28": "ADT_A05", "A31": "ADT_A05", "A40": "ADT_A39", "A04": "ADT_A01", "A01": "ADT_A01", "A03": "ADT_A03"}
_TRUST_CODE = "RZ901"
_EMERGENCY = "21"  # admission method of the NHS Data Dictionary: by the emergency department
_NUMBER_STATUS = 32  # PID-32 in the ITK profile
_LOCAL = ZoneInfo("Europe/London")  # hospitals write local time without its zone


@dataclass(frozen=True, slots=True)
class Admission:
    """One message about one child. `trigger` is the HL7 event; `losing` the child whose record is merged into this one."""

    trigger: str
    child: Child
    at: datetime
    control_id: str
    practice: str | None = None
    reason: str | None = None
    safe_address: bool = False
    losing: Child | None = None
    restricted: str = ""  # PD1-12: whether the hospital's register keeps back where the child is


def message(said: Admission) -> str:
    """Return one message, its segments ended by carriage returns."""
    written = _stamp(said.at + timedelta(minutes=2))
    segments = [
        (
            f"MSH|^~\\&|PAS|{_TRUST_CODE}|ROUTE|ROUTE|{written}||ADT^{said.trigger}^{_STRUCTURES[said.trigger]}|{said.control_id}"
            "|P|2.4|||||GBR|UNICODE|EN||iTKv1.0"
        ),
        f"EVN||{written}||||{_stamp(said.at)}",
        _patient(said),
    ]
    if said.practice:
        restricted = "|" * 9 + said.restricted if said.restricted else ""
        segments.append(f"PD1|||SURGERY^^{said.practice.removeprefix('ods:')}{restricted}")
    if said.losing:
        segments.append(f"MRG|{said.losing.record_number}^^^{_TRUST_CODE}^MR~{said.losing.nhs_number}^^^NHS^NH")
    elif said.trigger in ("A01", "A03", "A04"):
        segments += _visit(said)
    return "".join(f"{segment}\r" for segment in segments)


def _patient(said: Admission) -> str:
    child = said.child
    street = safe_street(child) if said.safe_address else child.street
    postcode = numbers.postcode(child.household, safe=True) if said.safe_address else child.postcode
    address = f"{child.building} {street.upper()}^^ESKMOUTH^ESKSHIRE^{postcode}^GBR^H"
    identifiers = f"{child.nhs_number}^^^NHS^NH~{child.record_number}^^^{_TRUST_CODE}^MR"
    name = f"{child.family.upper()}^{child.given.upper()}^^^^^L"
    sex = {"M": "1", "F": "2"}[child.sex]
    said_so_far = ["PID", "1", "", identifiers, "", name, "", f"{child.birth_date:%Y%m%d}", sex, "", "", address, ""]
    said_so_far.append(child.telephone.replace(" ", ""))
    return "|".join([*said_so_far, *[""] * (_NUMBER_STATUS - len(said_so_far)), "NSTS01"])  # number present and verified


def _visit(said: Admission) -> list[str]:
    kind = "I" if said.trigger == "A01" else "E"
    visit = ["PV1", "1", kind, f"EMERGENCY^^^{_TRUST_CODE}"] + [""] * 41
    visit[4] = _EMERGENCY if kind == "I" else ""
    visit[19] = f"V{said.control_id}"
    visit[44] = _stamp(said.at)
    reason = [f"PV2|||^{said.reason}"] if said.reason else []
    return ["|".join(visit), *reason]


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(_LOCAL):%Y%m%d%H%M}"
