"""A small area for tests that need a whole set-up: a council, a police force, a trust, schools and practices, with keys.

Events are built here as an agency would say them; nothing is read from the program that is under test.
"""

import base64
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.admin import NewTopic

from broker.core.model.event import Assertion, Body, Control, Event, Header, Sector, Source, SubjectRole, ToldFamily
from broker.core.model.identifiers import AgencyId, Millis, event_id
from broker.core.model.ports import Outgoing
from broker.core.model.registers import ADMINISTRATOR
from broker.registerfile import load_registers
from broker.sealing.secrets import new_master
from broker.sealing.signatures import Signer, new_key
from broker.settings import Settings, load_settings
from broker.stream.clients import open_admin
from broker.stream.publish import signed_record
from broker.stream.topics import declared, recipient_topics

COUNCIL, POLICE, TRUST = AgencyId("E10000030"), AgencyId("police:42"), AgencyId("ods:RXX01")
HUB = "hub"
SOURCE = Source(system="tests", format="canonical", format_version="1", native_digest="", location="")


@dataclass(frozen=True)
class Child:
    """A synthetic child: number `at` of the area."""

    at: int
    school: str
    practice: str

    @property
    def birth_date(self) -> str:
        return f"{2009 + self.at % 12}-{1 + self.at // 12 % 12:02}-{1 + self.at // 144 % 28:02}"

    @property
    def name(self) -> dict[str, str]:
        return {"given": f"Given{_letters(self.at)}", "family": f"Family{_letters(self.at // 7)}"}

    @property
    def postcode(self) -> str:
        return f"ES{1 + self.at % 9} {self.at // 9 % 10}AB"

    @property
    def local_id(self) -> str:
        return f"P{self.at:07}"


@dataclass
class Area:
    """Folder, settings, registers and signers of an area with so many schools and practices."""

    folder: Path
    kafka: str
    schools: int = 4
    practices: int = 3
    partitions: int = 4
    signers: dict[str, Signer] = field(default_factory=dict)

    def write(self) -> Settings:
        """Write settings, keys and registers; return the settings."""
        keys = self.folder / "keys"
        keys.mkdir(parents=True)
        new_master(keys)
        for holder in (*self.agencies, *self.recipients, ADMINISTRATOR):
            self.signers[holder] = new_key(keys, holder)
        self.registers_file.write_text("\n".join(self._entries()))
        self.settings_file.write_text(
            f'kafka = "{self.kafka}"\ndata = "state"\nkeys = "keys"\narea = "{COUNCIL}"\nmode = "demo"\n'
            f"partitions = {self.partitions}\n"
        )
        return load_settings(self.settings_file)

    @property
    def settings_file(self) -> Path:
        return self.folder / "broker.toml"

    @property
    def registers_file(self) -> Path:
        return self.folder / "registers.toml"

    @property
    def agencies(self) -> dict[str, Sector]:
        schools = {f"urn:{100001 + at}": Sector.SCHOOLS for at in range(self.schools)}
        practices = {f"ods:P{at:05}": Sector.HEALTH for at in range(self.practices)}
        return {COUNCIL: Sector.COUNCILS, POLICE: Sector.POLICE, TRUST: Sector.HEALTH, **schools, **practices}

    @property
    def recipients(self) -> dict[str, dict[str, object]]:
        """Who is told: the hub, and for every school and practice its lead."""
        council = {"agency": COUNCIL, "serves": [f"la:{COUNCIL}"]}
        found: dict[str, dict[str, object]] = {
            HUB: {**council, "roles": ["hub", "referrer"], "own_topic": True},
            "duty": {**council, "roles": ["duty_team"], "own_topic": False},
            "social-work": {**council, "roles": ["social_worker"], "own_topic": True},
            "attendance": {**council, "roles": ["attendance_team"], "own_topic": False},
            "police-desk": {"agency": POLICE, "serves": [POLICE], "roles": ["police_desk", "referrer"], "own_topic": False},
        }
        for agency, sector in self.agencies.items():
            if sector is Sector.SCHOOLS:
                found[f"dsl-{agency[4:]}"] = {"agency": agency, "serves": [agency], "roles": ["dsl"], "own_topic": True}
            elif agency.startswith("ods:P"):
                found[f"gp-{agency[4:]}"] = {"agency": agency, "serves": [agency], "roles": ["gp"], "own_topic": False}
        return found

    def child(self, at: int) -> Child:
        return Child(at, f"urn:{100001 + at % self.schools}", f"ods:P{at % self.practices:05}")

    def children(self, count: int) -> list[Child]:
        return [self.child(at) for at in range(count)]

    def sign(self, event: Event) -> Outgoing:
        """Return the record of an event, signed by whoever says it."""
        return signed_record(self.signers[event.header.producer], event)

    def _entries(self) -> Iterator[str]:
        yield 'version = "tests-1"\n'
        yield _entry("area", {"id": COUNCIL, "name": "Eskshire", "hub": HUB, "out_of_hours": "duty"})
        for agency, sector in self.agencies.items():
            entry = {"id": agency, "name": f"Agency {agency}", "sector": sector.value, "area": COUNCIL}
            yield _entry("agency", {**entry, "registers_people": sector is not Sector.POLICE})
        for recipient, rest in self.recipients.items():
            yield _entry("recipient", {"id": recipient, "name": f"Desk {recipient}", "area": COUNCIL, **rest})
        for holder, signer in self.signers.items():
            public = base64.b64encode(signer.public_key).decode()
            yield _entry("key", {"id": signer.key_id, "holder": holder, "public_key": public})


def on_roll(child: Child) -> Event:
    """The school's roll: opens the child and connects it with the school."""
    control: Control = {"role": "school", "organisation": child.school, "state": "begun", "since": "2026-09-01"}
    return _event(child, "school.pupil.registered", child.school, Sector.SCHOOLS, "roll", control=control)


def patient(child: Child) -> Event:
    """The practice's list: connects the child with the practice."""
    control: Control = {"role": "gp", "organisation": child.practice, "state": "begun", "since": "2020-01-01"}
    return _event(child, "health.patient.registered", child.practice, Sector.HEALTH, "list", control=control)


def encompass(child: Child, matter: str, **header: object) -> Event:
    """Police were at an incident of domestic abuse; the school must hear before the next school day."""
    body: Body = {
        "concern": {"reference": f"ES/{matter}", "child_present": "yes"},
        "narrative": {"text": "Officers attended. Nobody was hurt.", "checked": True},
    }
    return _event(child, "police.encompass.notified", POLICE, Sector.POLICE, matter, body=body, **header)


def notice_of(child: Child, matter: str) -> str:
    """Return the same as a notice, in the text form in which forces send it."""
    return f"""OPERATION ENCOMPASS NOTICE
Police reference: ES/{matter}
Incident: 2026-11-20 20:00
Child first name: {child.name["given"]}
Child surname: {child.name["family"]}
Date of birth: {child.birth_date}
Home postcode: {child.postcode}
Child present: yes
Family told: not yet
Circumstances: Officers attended. Nobody was hurt.
END OF NOTICE
"""


def attended(child: Child, visit: str, **header: object) -> Event:
    """The child was seen in an emergency department."""
    body: Body = {"clinical": {"setting": "ED", "reason_band": "injury", "attended_at": "2026-11-20T18:00:00Z"}}
    return _event(child, "health.ed.attended", TRUST, Sector.HEALTH, visit, body=body, **header)


def _event(
    child: Child,
    event_type: str,
    producer: str,
    sector: Sector,
    record: str,
    *,
    body: Body | None = None,
    control: Control | None = None,
    **header: object,
) -> Event:
    said: Body = {
        "identity": {"names": [child.name], "birth_date": child.birth_date},
        "location": {"postcode": child.postcode},
        **(body or {}),
    }
    if sector is not Sector.POLICE:
        said["identity"]["identifiers"] = [{"scheme": "local", "value": child.local_id, "issuer": producer}]
    fields: dict[str, object] = {
        "recorded_at": Millis(time.time_ns() // 1_000_000),
        "occurred_at": "2026-11-20T20:00:00Z",
        "subject_role": SubjectRole.VICTIM if sector is Sector.POLICE else SubjectRole.SUBJECT,
        "assertion": Assertion.FACT,
        "told_family": ToldFamily.NOT_YET,
        "area": COUNCIL,
        **header,
    }
    identity = event_id(f"tests/{producer}", f"{event_type}/{child.at}/{record}", str(header.get("sequence", 0)))
    made = Header(
        event_id=identity,
        event_type=event_type,
        producer=AgencyId(producer),
        sector=sector,
        source=SOURCE,
        **fields,  # type: ignore[arg-type]  # a test's builder: the caller names real fields
    )
    return Event(made, said, control)


def _entry(kind: str, entry: dict[str, object]) -> str:
    return f"[[{kind}]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in entry.items())


def _letters(number: int) -> str:
    """Spell a number in letters: names are compared by their letters alone."""
    text = ""
    for digit in str(number):
        text += "abcdefghij"[int(digit)]
    return text


def register_all(children: Iterable[Child]) -> Iterator[Event]:
    """What makes these children known: roll and patient list."""
    for child in children:
        yield on_roll(child)
        yield patient(child)


async def create_topics(area: Area) -> None:
    """Create every declared topic and those of the recipients."""
    wanted = (*declared(area.partitions), *recipient_topics(load_registers(area.registers_file)))
    async with open_admin(area.kafka) as admin:
        await admin.create_topics([NewTopic(one.name, one.partitions, 1, topic_configs=one.config()) for one in wanted])
