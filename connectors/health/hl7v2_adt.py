"""HL7 version 2 ADT messages of a hospital: emergency attendances, admissions, discharges, registrations, merges of records.

Only children are told of. A message about somebody who was surely 18 on the day is counted and goes no further; one without
a birth date goes further only where age does not matter: a merge, or a cancellation of what was told.

A change of practice is known by comparison with the last message about the patient. A cancellation (A11, A13) takes back what
the same visit said before; when that was never delivered here, it is a finding. Z segments are ignored.

Fields: HL7 version 2.3 to 2.8 and the NHS ITK ADT messages of version 2.4; trigger events in HL7 table 0003.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from broker.core.intake.delivery import Delivery, Finding, Memory, Piece, check_readable
from broker.core.model.event import (
    Action,
    Assertion,
    Body,
    Control,
    Event,
    Header,
    Identifier,
    QualityFinding,
    Sector,
    Source,
    SubjectRole,
)
from broker.core.model.identifiers import EventId, digest, event_id
from broker.errors import DeliveryError
from connectors.health.hl7v2_fields import NotAMessageError, Segment, decode, millis, parse
from connectors.health.hl7v2_framing import Cut, cut, looks_like_hl7
from connectors.health.hl7v2_message import Case, Message, open_message
from connectors.health.hl7v2_person import Patient, is_adult, read_identifiers, read_patient
from connectors.health.hl7v2_restriction import carry_over, changed_restriction, confidentiality_of, note_restriction
from connectors.health.hl7v2_visit import (
    SETTINGS,
    cancelled,
    clinical_of,
    hashed,
    is_unscheduled,
    note_cancelled,
    note_visit,
    numbers_of,
)

FORMAT = "hl7v2-adt"
SUFFIXES = (".hl7", ".txt", ".adt", ".mllp", ".dat")
WANTED = ("MSH", "EVN", "PID", "PD1", "NK1", "PV1", "PV2", "DG1", "MRG")
ADMITTED = "health.admitted"
ARRIVALS = {("A01", "E"): "health.ed.attended", ("A04", "E"): "health.ed.attended", ("A01", "I"): ADMITTED}
CHANGES = frozenset({"A08", "A31"})
CANCELS = {"A11": "arrival", "A13": "departure"}  # A11 takes back A01 and A04, A13 takes back A03
TRIGGERS = frozenset({"A01", "A03", "A04", "A28", "A40", *CHANGES, *CANCELS})


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


class _Reading:
    """One file being read."""

    def __init__(self, delivery: Delivery, memory: Memory, piece: Piece) -> None:
        self._agency = delivery.agency
        self._received_at = delivery.received_at
        self._takes = delivery.takes
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
        message = open_message(one.content, list(parse(text, WANTED)), place, self._received_at)
        if not honest:
            yield Finding(
                "warning", "encoding", message.place, "not UTF-8, and MSH-18 does not say so: read as Windows-1252", "set MSH-18"
            )
        yield from _times_in_doubt(message)
        if not message.trigger:
            raise NotAMessageError("MSH-9 does not say what the message is about")
        if message.trigger not in TRIGGERS:
            self._not_told[f"of a kind that nothing follows from ({message.trigger})"] += 1
            return
        patients = list(message.patients())
        if not patients:
            yield Finding("error", "no_patient", message.place, "there is no PID segment", "send the message again")
        if len(patients) > 1 and message.trigger != "A40":
            yield Finding(
                "warning",
                "second_patient",
                message.place,
                "it names more than one patient: only the first was taken",
                "send one message for each patient",
            )
        for number, segments in enumerate(patients if message.trigger == "A40" else patients[:1]):
            yield from self._patient(message, segments, number)

    def _patient(self, message: Message, segments: list[Segment], number: int) -> Iterator[Event | Finding]:
        """Say what one message means for one patient."""
        case = Case(message, read_patient(segments, self._agency.id, message.text("MSH", 4)), segments, number)
        yield from _birth_in_doubt(case)
        born = case.patient.identity.get("birth_date")
        if born and is_adult(born, message.day_of_age()):
            self._not_told["about adults"] += 1
            return
        yield from _doubts(case)
        restriction = list(self._restriction(case))
        if message.trigger != "A28":
            yield from restriction
        yield from self._meant(case)
        if message.trigger == "A28":  # a registration makes the child known first; its own place is kept back by itself
            yield from restriction

    def _restriction(self, case: Case) -> Iterator[Event]:
        """Protect the child where the hospital's own register restricts the record, and no longer when it says so."""
        control = changed_restriction(self._memory, case)
        event = self._event(case, "control.protection", Body(identity=case.patient.identity), control) if control else None
        if event is None or self._takes(event):
            note_restriction(self._memory, case)
        if event is not None:
            yield event

    def _meant(self, case: Case) -> Iterator[Event | Finding]:
        """Say what a message about a child, or perhaps about one, means by its trigger."""
        message = case.message
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

    def _told(self, case: Case) -> Iterator[Event | Finding]:
        trigger, patient_class = case.message.trigger, case.message.text("PV1", 2).upper()
        event_type = ARRIVALS.get((trigger, patient_class))
        if event_type:
            yield self._visit(case, event_type, "arrival")
        elif trigger == "A03":
            yield self._visit(case, "health.discharged", "departure")
        elif trigger == "A28":
            yield self._at_practice(case, "health.patient.registered")
        elif trigger in CHANGES:
            yield self._event(case, "health.demographics.changed", self._body(case))
            if self._practice_changed(case.patient):
                yield self._at_practice(case, "health.gp.registered")
        elif patient_class in SETTINGS:
            self._not_told[f"of a kind that nothing follows from ({trigger} of class {patient_class})"] += 1
        else:
            yield Finding(
                "warning",
                "patient_class",
                f"{case.message.place}, PV1-2",
                "it does not say where the child came to, an emergency department or a ward: not published",
                f"send the message again with one of {', '.join(SETTINGS)}",
            )

    def _visit(self, case: Case, event_type: str, part: str) -> Event:
        body = self._body(case)
        if clinical := clinical_of(case.message):
            body["clinical"] = clinical
        event = self._event(case, event_type, body)
        if event_type == ADMITTED and is_unscheduled(case.message):
            event = replace(event, header=replace(event.header, attributes={"unscheduled": "yes"}))
        if self._takes(event):
            note_visit(self._memory, case, part, event.header.event_id, event_type)
        return event

    def _cancel(self, case: Case) -> Iterator[Event | Finding]:
        before = cancelled(self._memory, case, CANCELS[case.message.trigger])
        if before is None:
            yield Finding(
                "warning",
                "nothing_to_cancel",
                case.message.place,
                "it cancels what was never delivered here",
                "send the message that it cancels first, or nothing when it was about an adult",
            )
            return
        retracts, event_type = before
        event = self._event(case, event_type, Body(identity=case.patient.identity), retracts=retracts)
        if self._takes(event):
            note_cancelled(self._memory, case, CANCELS[case.message.trigger], retracts)
        yield event

    def _merge(self, case: Case) -> Iterator[Event | Finding]:
        surviving, losing = case.patient.identity["identifiers"], self._losing(case)
        if not (losing and surviving):
            yield Finding(
                "error",
                "merge",
                f"{case.message.place}, MRG-1",
                "it does not say which record becomes part of which: not published",
                "send PID-3 and MRG-1 with the numbers of both records",
            )
            return
        if all(one["scheme"] == "nhs_number" and not one["verified"] for one in losing):
            yield Finding(
                "warning",
                "merge_unverified",
                f"{case.message.place}, MRG-1",
                "it names the record that ends by an NHS number alone, which PID-32 does not call verified: nobody acts on it",
                "send the hospital's own number of that record too, or the status of the NHS number in PID-32",
            )
        event = self._event(
            case, "identity.merged", Body(identity=case.patient.identity), Control(kind="merge", identifiers=losing)
        )
        if self._takes(event):
            carry_over(self._memory, losing, surviving)
        yield event

    def _losing(self, case: Case) -> list[Identifier]:
        """Return the numbers of the records that end: what PID-32 says of NHS numbers holds for all of the message."""
        surviving = {(one["scheme"], one["value"], one.get("issuer")) for one in case.patient.identity["identifiers"]}
        facility, verified = case.message.text("MSH", 4), case.patient.verified
        return [
            one
            for segment in case.segments
            if segment.name == "MRG"
            for one in read_identifiers(segment.repetitions(1), self._agency.id, facility, verified=verified)
            if (one["scheme"], one["value"], one.get("issuer")) not in surviving
        ]

    def _practice_changed(self, patient: Patient) -> bool:
        """Tell whether the patient's practice is another than the one that was told."""
        return bool(patient.practice) and self._memory.get(_practice_key(patient)) != (patient.practice or "").encode()

    def _at_practice(self, case: Case, event_type: str) -> Event:
        """Say at which practice the patient is, if the message does, and remember what was told."""
        event = self._event(case, event_type, self._body(case), _practice(case))
        if case.patient.practice and self._takes(event):
            self._memory.put(_practice_key(case.patient), case.patient.practice.encode())
        return event

    def _body(self, case: Case) -> Body:
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
        self, case: Case, event_type: str, body: Body, control: Control | None = None, retracts: EventId | None = None
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
            received_at=message.received_at,
            source=Source(system, FORMAT, msh.text(12), self._piece.digest, message.place),
            action=Action.RETRACT if retracts else Action.NEW,
            supersedes=retracts,
            occurred_at=message.occurred_at,
            sequence=message.recorded_at,
            subject_role=SubjectRole.SUBJECT,
            assertion=Assertion.FACT,
            confidentiality=confidentiality_of(case),
        )
        return Event(header, body, control, tuple(case.patient.quality))


def _practice_key(patient: Patient) -> str:
    return f"practice/{hashed(numbers_of(patient))}"


def _times_in_doubt(message: Message) -> Iterator[Finding]:
    """Name the times that cannot be, which were left out, and a clock that is a little ahead."""
    if message.wrong:
        yield Finding(
            "warning",
            "time_impossible",
            f"{message.place}, {', '.join(message.wrong)}",
            "a time lies days ahead of its receipt, or is older than anybody: left out",
            "set the clock, and write years with four digits",
        )
    stamped = millis(message.text("EVN", 2) or message.text("MSH", 7))
    if stamped and stamped > message.received_at:
        yield Finding(
            "warning",
            "time_in_future",
            message.place,
            "recorded later than received: taken as recorded when received",
            "set the clock",
        )


def _birth_in_doubt(case: Case) -> Iterator[Finding]:
    """Name a birth date that cannot be, and leave it out; one that is only after the event may be right, and its clock wrong."""
    message, patient = case.message, case.patient
    born, place = patient.identity.get("birth_date"), f"{case.message.place}, PID-7"
    if not born:
        return
    if not message.can_be(born.replace("-", "")):
        wrong = "the birth date is after its receipt, or of somebody older than anybody: left out"
        del patient.identity["birth_date"]
    elif message.occurred_at and born > message.occurred_at[: len(born)]:
        wrong = "the birth date is after the event: one of the two is wrong"
    else:
        return
    patient.quality.append(QualityFinding("birth_date", "PID-7", "warning"))
    yield Finding("warning", "birth_date_late", place, wrong, "correct it, and write years with four digits")


def _doubts(case: Case) -> Iterator[Finding]:
    """Name what else is wrong with the message."""
    message, patient = case.message, case.patient
    if any(doubt.rule == "nhs_number_check" for doubt in patient.quality):
        yield Finding(
            "warning",
            "nhs_number_check",
            f"{message.place}, PID-3",
            "the check digit of the NHS number does not agree",
            "correct the number, or trace it",
        )
    if any(doubt.rule == "birth_time" for doubt in patient.quality):
        yield Finding("warning", "birth_time", f"{message.place}, PID-7", "no such time of day: its date was taken", "correct it")
    if not message.control_id:
        yield Finding("warning", "control_id", f"{message.place}, MSH-10", "there is no control id", "give every message its own")


def _practice(case: Case) -> Control | None:
    if not case.patient.practice:
        return None
    return Control(role="gp", organisation=case.patient.practice, state="begun", since=case.message.occurred_at)
