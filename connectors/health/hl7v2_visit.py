"""A visit: what a message says of it, and what was told of it that a cancellation may take back."""

import hashlib
import json
from collections.abc import Iterable

from broker.core.intake.delivery import Memory
from broker.core.model.event import Clinical
from broker.core.model.identifiers import EventId, digest
from connectors.health.hl7v2_message import Case, Message
from connectors.health.hl7v2_person import Patient

SETTINGS = {  # PV1-2, HL7 table 0004
    "E": "emergency department",
    "I": "ward",
    "O": "outpatients",
    "P": "before admission",
    "R": "recurring visits",
    "B": "maternity",
}
# PV1-4 of an admission that nobody planned: NHS Data Dictionary, admission method 2x; HL7 table 0007: A, E and U.
_UNSCHEDULED = frozenset(("21", "22", "23", "24", "25", "28", "2A", "2B", "2C", "2D", "A", "E", "U"))
_KEPT = 20  # of one visit; nobody cancels more


def clinical_of(message: Message) -> Clinical:
    """Say where the child was seen, why, what was found, and what then."""
    said = Clinical()
    if setting := SETTINGS.get(message.text("PV1", 2).upper()):
        said["setting"] = setting
    if reason := message.text("PV2", 3, 2) or message.text("PV2", 3):
        said["presentation"] = reason
    diagnoses = [one.text(3, 2) or one.text(4) or one.text(3) for one in message.segments if one.name == "DG1"]
    if any(diagnoses):
        said["findings"] = "; ".join(one for one in diagnoses if one)
    if disposition := message.text("PV1", 36):
        said["disposition"] = disposition
    if arrived := message.time("PV1", 44):
        said["attended_at"] = arrived
    if left := message.time("PV1", 45):
        said["left_at"] = left
    return said


def is_unscheduled(message: Message) -> bool:
    """Tell whether a message says that an admission was an emergency; that it says nothing does not say so."""
    return message.text("PV1", 4).upper() in _UNSCHEDULED


def note_visit(memory: Memory, case: Case, part: str, event_id: EventId, event_type: str) -> None:
    """Remember what was told of a visit; the same message again is remembered once, as it stands."""
    key, told = _told(memory, case, part)
    if all(one["id"] != event_id for one in told):
        told.append({"id": event_id, "type": event_type})
        memory.put(key, json.dumps(told[-_KEPT:]).encode())


def cancelled(memory: Memory, case: Case, part: str) -> tuple[EventId, str] | None:
    """Return id and type of what a cancellation takes back: the last told of the visit that still stands.

    The same message again takes back the same. None when nothing stands.
    """
    _, told = _told(memory, case, part)
    by = digest(case.message.content)
    found = next((one for one in told if one.get("by") == by), None)
    if found is None:
        found = next((one for one in reversed(told) if "by" not in one), None)
    return (EventId(found["id"]), found["type"]) if found else None


def note_cancelled(memory: Memory, case: Case, part: str, event_id: EventId) -> None:
    """Remember which message took an event of a visit back."""
    key, told = _told(memory, case, part)
    by = digest(case.message.content)
    for one in told:
        if one["id"] == event_id:
            one["by"] = by
    memory.put(key, json.dumps(told).encode())


def numbers_of(patient: Patient) -> list[str]:
    """Return what the hospital knows the patient by: its own numbers, else the NHS number."""
    identifiers = patient.identity["identifiers"]
    own = sorted(f"{one.get('issuer')}/{one['value']}" for one in identifiers if one["scheme"] == "mrn")
    return own or sorted(one["value"] for one in identifiers)


def hashed(parts: Iterable[str]) -> str:
    """Return a short hash of some words, for the keys of the memory."""
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=12).hexdigest()


def _told(memory: Memory, case: Case, part: str) -> tuple[str, list[dict[str, str]]]:
    """Return the key and what is remembered; a memory of an earlier version holds the last alone."""
    visit = case.message.text("PV1", 19)
    key = f"visit/{part}/{hashed((visit, case.message.text('PV1', 19, 4)) if visit else numbers_of(case.patient))}"
    stored = json.loads(memory.get(key) or b"[]")
    return key, stored if isinstance(stored, list) else [stored]
