"""HL7 version 2 ADT messages of a hospital: emergency attendances, admissions, discharges, registrations, merges of records.

Only children are told of. A message about somebody who was surely 18 on the day is counted and goes no further; one without
a birth date goes further only where age does not matter: a merge, or a cancellation of what was told.

A change of practice is known by comparison with the last message about the patient. A cancellation (A11, A13) takes back what
the same visit said before; when that was never delivered here, it is a finding. Z segments are ignored.

Fields: HL7 version 2.3 to 2.8 and the NHS ITK ADT messages of version 2.4; trigger events in HL7 table 0003.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from broker.core.delivery import Delivery, Finding, Memory, Piece, check_readable
from broker.core.event import (
    Action,
    Assertion,
    Body,
    Clinical,
    Control,
    Event,
    Header,
    QualityFinding,
    Sector,
    Source,
    SubjectRole,
)
from broker.core.identifiers import EventId, Millis, digest, event_id
from broker.errors import DeliveryError
from connectors.health.hl7v2_fields import NotAMessageError, Segment, decode, iso_time, millis, parse
from connectors.health.hl7v2_framing import Cut, cut, looks_like_hl7
from connectors.health.hl7v2_person import Patient, is_adult, read_identifiers, read_patient

FORMAT = "hl7v2-adt"
SUFFIXES = (".hl7", ".txt", ".adt", ".mllp", ".dat")
WANTED = ("MSH", "EVN", "PID", "PD1", "NK1", "PV1", "PV2", "DG1", "MRG")
ARRIVALS = {("A01", "E"): "health.ed.attended", ("A04", "E"): "health.ed.attended", ("A01", "I"): "health.admitted"}
CHANGES = frozenset({"A08", "A31"})
CANCELS = {"A11": "arrival", "A13": "departure"}  # A11 takes back A01 and A04, A13 takes back A03
TRIGGERS = frozenset({"A01", "A03", "A04", "A28", "A40", *CHANGES, *CANCELS})
SETTINGS = {  # PV1-2, HL7 table 0004
    "E": "emergency department",
    "I": "ward",
    "O": "outpatients",
    "P": "before admission",
    "R": "recurring visits",
    "B": "maternity",
}


class Hl7Adt:
    """Read files of HL7 version 2 ADT messages."""

    name = FORMAT
    sector = Sector.HEALTH

    def claims(self, names: tuple[str, ...]) -> bool:
        """Tell whether it is one file of messages: every file is a delivery of its own."""
        return len(names) == 1 and names[0].lower().endswith(SUFFIXES)

    def read(self, delivery: Delivery, memory: Memory) -> Iterator[Event | Finding]:
        """Yield the events of each message in its order; raises DeliveryError when a file holds no HL7 messages."""
        for piece in delivery.pieces:
            if not looks_like_hl7(check_readable(piece)):
                raise DeliveryError(f"file `{piece.name}` does not begin with an MSH segment: it holds no HL7 version 2 messages")
            yield from _Reading(delivery, memory, piece).everything()


@dataclass(slots=True)
class _Message:
    """One message: its segments and what every event of it needs."""

    place: str
    content: bytes
    segments: list[Segment]
    trigger: str
    control_id: str
    recorded_at: Millis
    occurred_at: str | None

    def first(self, name: str) -> Segment | None:
        return next((segment for segment in self.segments if segment.name == name), None)

    def text(self, name: str, number: int, component: int = 1) -> str:
        segment = self.first(name)
        return segment.text(number, component) if segment else ""

    def patients(self) -> Iterator[list[Segment]]:
        """Yield each PID with what follows it: a merge may name several."""
        groups: list[list[Segment]] = []
        for segment in self.segments:
            if segment.name == "PID":
                groups.append([])
            if groups:
                groups[-1].append(segment)
        yield from groups


@dataclass(slots=True)
class _Case:
    """One patient of one message, with the segments that belong to them; a merge may be about several."""

    message: _Message
    patient: Patient
    segments: list[Segment]
    number: int


class _Reading:
    """One file being read."""

    def __init__(self, delivery: Delivery, memory: Memory, piece: Piece) -> None:
        self._agency = delivery.agency
        self._received_at = delivery.received_at
        self._memory = memory
        self._piece = piece
        self._not_told: Counter[str] = Counter()

    def everything(self) -> Iterator[Event | Finding]:
        with self._piece.open() as stream:
            for one in cut(stream):
                place = f"{self._piece.name} line {one.line}"
                try:
                    yield from self._message(one, place)
                except NotAMessageError as error:
                    yield Finding("error", "not_a_message", place, f"{error}: left out", "send the message again")
        for why, count in sorted(self._not_told.items()):
            yield Finding("info", "not_told", self._piece.name, f"messages {why}, not published: {count}", "nothing to do")

    def _message(self, one: Cut, place: str) -> Iterator[Event | Finding]:
        if one.fault:
            raise NotAMessageError(one.fault)
        text, honest = decode(one.content)
        message = self._open(one, list(parse(text, WANTED)), place)
        if not honest:
            yield Finding(
                "warning", "encoding", message.place, "not UTF-8, and MSH-18 does not say so: read as Windows-1252", "set MSH-18"
            )
        if (stamped := millis(message.text("EVN", 2) or message.text("MSH", 7))) and stamped > self._received_at:
            yield Finding(
                "warning",
                "time_in_future",
                message.place,
                "recorded later than received: taken as recorded when received",
                "set the clock",
            )
        if message.trigger not in TRIGGERS:
            self._not_told[f"of a kind that nothing follows from ({message.trigger or 'without MSH-9'})"] += 1
            return
        patients = list(message.patients())
        if not patients:
            yield Finding("error", "no_patient", message.place, "there is no PID segment", "send the message again")
        for number, segments in enumerate(patients if message.trigger == "A40" else patients[:1]):
            yield from self._patient(message, segments, number)

    def _open(self, one: Cut, segments: list[Segment], place: str) -> _Message:
        msh = segments[0]
        evn = next((segment for segment in segments if segment.name == "EVN"), msh)
        kind = msh.text(9, 2) or (evn.text(1) if evn is not msh else "")
        is_adt = msh.text(9, 1).upper() == "ADT"
        trigger = kind[:12].upper() if is_adt else f"{msh.text(9, 1)[:12]} {kind[:12]}".strip()
        recorded = (evn.text(2) if evn is not msh else "") or msh.text(7)
        pv1 = next((segment for segment in segments if segment.name == "PV1"), None)
        visit_time = pv1.text(45 if trigger == "A03" else 44) if pv1 else ""
        happened = (evn.text(6) if evn is not msh else "") or visit_time or recorded
        control = msh.text(10)
        return _Message(
            place=f"{place}, message {control[:40]}" if control else place,
            content=one.content,
            segments=segments,
            trigger=trigger,
            control_id=control,
            recorded_at=min(millis(recorded) or millis(msh.text(7)) or self._received_at, self._received_at),
            occurred_at=iso_time(happened) or iso_time(recorded),
        )

    def _patient(self, message: _Message, segments: list[Segment], number: int) -> Iterator[Event | Finding]:
        """Say what one message means for one patient."""
        case = _Case(message, read_patient(segments, self._agency.id, message.text("MSH", 4)), segments, number)
        born = case.patient.identity.get("birth_date")
        if born and is_adult(born, message.occurred_at or ""):
            self._not_told["about adults"] += 1
            return
        yield from _doubts(case)
        if message.trigger == "A40":
            yield from self._merge(case)
        elif message.trigger in CANCELS:
            yield from self._cancel(case)
        elif "birth_date" in case.patient.identity:
            yield from self._told(case)
        else:
            yield Finding(
                "warning",
                "birth_date",
                f"{message.place}, PID-7",
                "there is no birth date, so nobody can know whether it is about a child: not published",
                "send the message again with the birth date",
            )

    def _told(self, case: _Case) -> Iterator[Event]:
        trigger, patient_class = case.message.trigger, case.message.text("PV1", 2).upper()
        event_type = ARRIVALS.get((trigger, patient_class))
        if event_type:
            yield self._visit(case, event_type, "arrival")
        elif trigger == "A03":
            yield self._visit(case, "health.discharged", "departure")
        elif trigger == "A28":
            self._practice_changed(case.patient)
            yield self._event(case, "health.patient.registered", self._body(case), _practice(case))
        elif trigger in CHANGES:
            yield self._event(case, "health.demographics.changed", self._body(case))
            if self._practice_changed(case.patient):
                yield self._event(case, "health.gp.registered", self._body(case), _practice(case))
        else:
            self._not_told[
                f"messages of a kind that nothing follows from ({trigger} of class {patient_class[:3] or 'none'})"
            ] += 1

    def _visit(self, case: _Case, event_type: str, part: str) -> Event:
        body = self._body(case)
        if clinical := _clinical(case.message):
            body["clinical"] = clinical
        event = self._event(case, event_type, body)
        kept = {"id": event.header.event_id, "type": event_type}
        self._memory.put(_visit_key(case, part), json.dumps(kept).encode())
        return event

    def _cancel(self, case: _Case) -> Iterator[Event | Finding]:
        key = _visit_key(case, CANCELS[case.message.trigger])
        before = self._memory.get(key)
        if before is None:
            yield Finding(
                "warning",
                "nothing_to_cancel",
                case.message.place,
                "it cancels what was never delivered here",
                "send the message that it cancels first, or nothing when it was about an adult",
            )
            return
        known = json.loads(before)
        self._memory.delete(key)
        yield self._event(case, known["type"], Body(identity=case.patient.identity), retracts=EventId(known["id"]))

    def _merge(self, case: _Case) -> Iterator[Event | Finding]:
        surviving = {(one["scheme"], one["value"], one.get("issuer")) for one in case.patient.identity["identifiers"]}
        losing = [
            one
            for segment in case.segments
            if segment.name == "MRG"
            for one in read_identifiers(segment.repetitions(1), self._agency.id, case.message.text("MSH", 4), verified=False)
            if (one["scheme"], one["value"], one.get("issuer")) not in surviving
        ]
        if losing and surviving:
            control = Control(kind="merge", identifiers=losing)
            yield self._event(case, "identity.merged", Body(identity=case.patient.identity), control)
        else:
            yield Finding(
                "error",
                "merge",
                f"{case.message.place}, MRG-1",
                "it does not say which record becomes part of which: not published",
                "send PID-3 and MRG-1 with the numbers of both records",
            )

    def _practice_changed(self, patient: Patient) -> bool:
        """Remember the patient's practice; tell whether it is another than before."""
        if not patient.practice:
            return False
        key = f"practice/{_hashed(*_numbers(patient))}"
        known = self._memory.get(key)
        self._memory.put(key, patient.practice.encode())
        return known != patient.practice.encode()

    def _body(self, case: _Case) -> Body:
        patient = case.patient
        location = patient.location.copy()
        location["organisation"] = self._agency.id
        body = Body(identity=patient.identity, location=location)
        if patient.contact:
            body["contact"] = patient.contact
        if patient.kin:
            body["third_party"] = {"people": patient.kin}
        if patient.ethnicity:
            body["monitoring"] = {"ethnicity": patient.ethnicity}
        return body

    def _event(
        self, case: _Case, event_type: str, body: Body, control: Control | None = None, retracts: EventId | None = None
    ) -> Event:
        message = case.message
        msh = message.segments[0]
        system = f"{msh.text(3)}/{msh.text(4)}"
        record = f"{message.control_id or digest(message.content)}/{message.trigger}/{event_type}/{case.number}"
        header = Header(
            event_id=event_id(f"{FORMAT}/{self._agency.id}/{system}", record, f"{msh.text(7)}/{digest(message.content)}"),
            event_type=event_type,
            producer=self._agency.id,
            sector=self._agency.sector,
            recorded_at=message.recorded_at,
            source=Source(system, FORMAT, msh.text(12), self._piece.digest, message.place),
            action=Action.RETRACT if retracts else Action.NEW,
            supersedes=retracts,
            occurred_at=message.occurred_at,
            sequence=message.recorded_at,
            subject_role=SubjectRole.SUBJECT,
            assertion=Assertion.FACT,
        )
        return Event(header, body, control, tuple(case.patient.quality))


def _doubts(case: _Case) -> Iterator[Finding]:
    """Name what is wrong with the message, and leave out what cannot be."""
    message, patient = case.message, case.patient
    born, at = patient.identity.get("birth_date"), message.occurred_at
    if born and at and born > at[: len(born)]:
        del patient.identity["birth_date"]
        patient.quality.append(QualityFinding("birth_date", "PID-7", "warning"))
        yield Finding(
            "warning", "birth_date_late", f"{message.place}, PID-7", "the birth date is after the event: left out", "correct it"
        )
    if any(doubt.rule == "nhs_number_check" for doubt in patient.quality):
        yield Finding(
            "warning",
            "nhs_number_check",
            f"{message.place}, PID-3",
            "the check digit of the NHS number does not agree",
            "correct the number, or trace it",
        )
    if not message.control_id:
        yield Finding("warning", "control_id", f"{message.place}, MSH-10", "there is no control id", "give every message its own")


def _practice(case: _Case) -> Control | None:
    if not case.patient.practice:
        return None
    return Control(role="gp", organisation=case.patient.practice, state="begun", since=case.message.occurred_at)


def _clinical(message: _Message) -> Clinical:
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
    if arrived := iso_time(message.text("PV1", 44)):
        said["attended_at"] = arrived
    if left := iso_time(message.text("PV1", 45)):
        said["left_at"] = left
    return said


def _visit_key(case: _Case, part: str) -> str:
    visit = case.message.text("PV1", 19)
    named = _hashed(visit, case.message.text("PV1", 19, 4)) if visit else _hashed(*_numbers(case.patient))
    return f"visit/{part}/{named}"


def _numbers(patient: Patient) -> list[str]:
    """Return what the hospital knows the patient by: its own numbers, else the NHS number."""
    identifiers = patient.identity["identifiers"]
    own = sorted(f"{one.get('issuer')}/{one['value']}" for one in identifiers if one["scheme"] == "mrn")
    return own or sorted(one["value"] for one in identifiers)


def _hashed(*parts: str) -> str:
    return hashlib.blake2b("\x1f".join(parts).encode(), digest_size=12).hexdigest()
