"""Builders of what agencies say about children, for tests of who is who."""

from itertools import count
from typing import Any

from broker.core.model.event import Action, Body, Control, Event, Header, Sector, Source
from broker.core.model.identifiers import AgencyId, EventId, Millis, event_id

COUNCIL, POLICE, TRUST, SCHOOL = "E10000030", "police:42", "ods:RXX01", "urn:100001"
OTHER_COUNCIL = "E10000031"
NHS = ("9434765919", "9434765870", "9434765838", "9434765846")  # sound by their check digits, given to nobody
UPN = ("H801200001001", "X801200001002")
_SECTORS = {
    COUNCIL: Sector.COUNCILS,
    OTHER_COUNCIL: Sector.COUNCILS,
    POLICE: Sector.POLICE,
    TRUST: Sector.HEALTH,
    SCHOOL: Sector.SCHOOLS,
}
_numbers = count(1)


def an_event(event_type: str, producer: str, **said: Any) -> Event:
    """Build an event; `given`, `family`, `born`, `postcode`, `nhs`, `upn`, `local` and `control` are what it says."""
    header = Header(
        event_id=EventId(said.get("event_id") or event_id("tests", f"event-{next(_numbers)}", "1")),
        event_type=event_type,
        producer=AgencyId(producer),
        sector=_SECTORS[producer],
        recorded_at=Millis(1_000),
        source=Source("tests", "canonical", "1", "0" * 64, "line 1"),
        action=said.get("action", Action.NEW),
        supersedes=said.get("supersedes"),
        excluded=said.get("excluded", ()),
    )
    identity: dict[str, Any] = {"identifiers": list(_identifiers(said, producer)), "birth_date": said.get("born", "2015-03-02")}
    if "given" in said:
        identity["names"] = [{"given": said["given"], "family": said.get("family", "Marsh")}]
    body = Body(identity=identity)  # type: ignore[typeddict-item]  # built in parts
    if "postcode" in said or "organisation" in said:
        body["location"] = {"postcode": said.get("postcode"), "organisation": said.get("organisation")}
    return Event(header, body, said.get("control"))


def enrolled(**said: Any) -> Event:
    """A school's registration of a pupil."""
    control: Control = {"role": "school", "organisation": SCHOOL, "state": "begun"}
    return an_event("school.pupil.registered", SCHOOL, control=control, **said)


def registered(**said: Any) -> Event:
    """A hospital trust's registration of a patient."""
    return an_event("health.patient.registered", TRUST, **said)


def in_care_system(**said: Any) -> Event:
    """A council's record of a child."""
    return an_event("council.person.registered", COUNCIL, **said)


def attended(**said: Any) -> Event:
    """An attendance in an emergency department."""
    return an_event("health.ed.attended", TRUST, **said)


def notified(**said: Any) -> Event:
    """A police notification to a school."""
    return an_event("police.encompass.notified", POLICE, **said)


def merged(losing: str, **said: Any) -> Event:
    """A hospital's word that two of its numbers are one patient's."""
    ending = [{"scheme": "mrn", "value": losing, "issuer": TRUST}]
    return an_event("identity.merged", TRUST, control={"kind": "merge", "identifiers": ending}, **said)


def _identifiers(said: dict[str, Any], producer: str) -> Any:
    if "nhs" in said:
        yield {"scheme": "nhs_number", "value": said["nhs"], "verified": said.get("verified", True), "check_ok": True}
    if "upn" in said:
        yield {"scheme": "upn", "value": said["upn"], "check_ok": True}
    if "local" in said:
        yield {"scheme": "mrn" if producer == TRUST else "la_child_id", "value": said["local"], "issuer": producer}
