"""Builders for tests of a child's line: a small policy, small registers, and a line that runs in memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker import codec
from broker.core.model.event import Action, Body, Category, Control, Event, Header, Sector, Source
from broker.core.model.facts import Facts
from broker.core.model.identifiers import AgencyId, Digest, EventId, KeyId, Millis, RecipientId, RoleName, RuleId
from broker.core.model.policy import (
    Attribute,
    Basis,
    ClockKind,
    Condition,
    Effect,
    EventKind,
    FindingKind,
    Policy,
    Question,
    Role,
    Rule,
)
from broker.core.model.ports import CAUSE, ORIGIN, Effects, Outgoing, Position, Record
from broker.core.model.registers import Agency, Area, Recipient, Registers, SigningKey
from broker.errors import RetryError
from broker.sealing.secrets import Secrets
from broker.sealing.signatures import Signer, _signer
from broker.stream.decide.journal import Journal
from broker.stream.decide.stage import Decide, Line
from broker.stream.engine.table import StateTable
from broker.stream.topics import CLOCKS, FACTS, REVIEWS, SUBJECTS

NOTICE = "police.encompass.notified"
OUTCOME = "council.referral.outcome"
SCHOOL, GP, HUB, POLICE_DESK = (RecipientId(one) for one in ("oak-dsl", "elm-gp", "north-hub", "north-police"))
CHILD = "c-child"
NOW = 1_790_000_000_000
SECRETS = Secrets.from_master(bytes(range(32)))
FINDINGS = (
    FindingKind(name="competent", says="old enough", made_by=frozenset({"clinician"}), sectors=frozenset({"health"})),
    FindingKind(name="significant_harm", says="harm is likely"),
    FindingKind(name="coercion", says="somebody makes them say no"),
    FindingKind(name="detriment", says="harm", names_recipients=True, needs=("reason", "until")),
    FindingKind(name="originator_release", says="released", made_by=frozenset({"originator"}), names_recipients=True),
)
EVERYTHING = frozenset({Category.EXISTENCE, Category.IDENTITY, Category.CONCERN, Category.LOCATION})


def a_rule(name: str, to: str, event_type: str = NOTICE, **more: Any) -> Rule:
    values: dict[str, Any] = {
        "effect": Effect.DISCLOSE,
        "because": f"The {to} needs to know.",
        "to": frozenset({RoleName(to)}),
        "when": (Condition(Question.EVENT, values=frozenset({event_type})),),
        "categories": EVERYTHING,
        "basis": "LEGAL",
        "owner": "dpo",
        "source": "test",
        "verified": True,
        "statutory": True,
        "in_force_from": Millis(0),
    }
    return Rule(id=RuleId(name), **(values | more))


# What a notice may say of itself, and mostly does not: a condition that asks for it cannot be known then.
MAY_SAY = {name: Attribute(name=name, values=frozenset({"yes", "no"})) for name in ("seen_by_doctor", "met")}


ON_ROLL = EventKind(name="school.pupil.registered", says="on roll", sector="schools", connection="replaces", relation="school")


def a_policy(*rules: Rule, version: str = "1") -> Policy:
    chosen = rules or (
        a_rule("school", "dsl", clock="1_working_day"),
        a_rule("doctor", "gp", categories=frozenset({Category.EXISTENCE, Category.CONCERN}), if_nobody="nothing"),
        a_rule("first-speaker", "referrer", OUTCOME, categories=frozenset({Category.EXISTENCE, Category.CONCERN})),
        a_rule("answerable", "hub"),
    )
    kinds = (
        EventKind(
            name=NOTICE,
            says="notice",
            sector="police",
            opens_matter=True,
            answered_by=frozenset({RoleName("hub")}),
            attributes=MAY_SAY,
        ),
        EventKind(name=OUTCOME, says="outcome", sector="councils"),
        replace(ON_ROLL, registers_person=True),
        EventKind(name="council.person.registered", says="held by a council", sector="councils", registers_person=True),
        EventKind(name="health.gp.registered", says="gp", sector="health", connection="replaces", relation="gp"),
        EventKind(name="control.protection", says="protection", sector="any", control="protection"),
        EventKind(name="control.finding", says="finding", sector="any", control="finding"),
        EventKind(name="control.consent", says="consent", sector="any", control="consent"),
        EventKind(name="control.retraction", says="retraction", sector="any", control="retraction"),
    )
    roles = (
        Role(name=RoleName("dsl"), title="school", filled_by="involved", of=("school",), education=True),
        Role(name=RoleName("gp"), title="gp", filled_by="involved", of=("gp",)),
        Role(name=RoleName("hub"), title="hub", filled_by="area_hub"),
        Role(name=RoleName("referrer"), title="referrer", filled_by="referrer", desks=(RoleName("police_desk"),)),
    )
    return Policy(
        version=version,
        digest=Digest(f"policy-{version}"),
        name="test",
        purposes=frozenset({"safeguarding"}),
        rules=chosen,
        roles={one.name: one for one in roles},
        events={one.name: one for one in kinds},
        findings={one.name: one for one in FINDINGS},
        bases={"LEGAL": Basis(name="LEGAL", rung=2, says="law")},
        outcomes={"assessment": "An assessment began.", "no_further_action": "Nothing further."},
        clocks={"1_working_day": ClockKind(name="1_working_day", says="one working day")},
    )


def a_recipient(name: RecipientId, role: str, serves: str, agency: str, *, own_topic: bool = True) -> Recipient:
    return Recipient(
        id=name,
        name=str(name),
        agency=AgencyId(agency),
        area="E10000030",
        roles=frozenset({RoleName(role)}),
        serves=frozenset({serves}),
        own_topic=own_topic,
    )


def some_registers(version: str = "1", keys: Iterable[SigningKey] = ()) -> Registers:
    agencies = (
        Agency(id=AgencyId("police:42"), name="Police", sector=Sector.POLICE, area="E10000030"),
        Agency(id=AgencyId("urn:100001"), name="Oak", sector=Sector.SCHOOLS, area="E10000030"),
        Agency(id=AgencyId("ods:A1"), name="Elm", sector=Sector.HEALTH, area="E10000030"),
        Agency(id=AgencyId("E10000030"), name="North", sector=Sector.COUNCILS, area="E10000030"),
    )
    recipients = (
        a_recipient(SCHOOL, "dsl", "urn:100001", "urn:100001"),
        a_recipient(GP, "gp", "ods:A1", "ods:A1", own_topic=False),
        a_recipient(HUB, "hub", "la:E10000030", "E10000030", own_topic=False),
        a_recipient(POLICE_DESK, "police_desk", "police:42", "police:42"),
    )
    return Registers(
        version=version,
        digest=Digest(f"registers-{version}"),
        agencies={one.id: one for one in agencies},
        keys={KeyId(one.id): one for one in keys},
        recipients={one.id: one for one in recipients},
        areas={"E10000030": Area(id="E10000030", name="North", hub=HUB)},
    )


def an_event(name: str = "e1", event_type: str = NOTICE, **more: Any) -> Event:
    """An event; `body`, `control` and any header field may be given."""
    body = more.pop("body", None) or Body(concern={"grade": "high"}, location={"postcode": "ZZ1 1ZZ"})
    control: Control | None = more.pop("control", None)
    header: dict[str, Any] = {
        "producer": AgencyId("police:42"),
        "sector": Sector.POLICE,
        "recorded_at": Millis(NOW),
        "area": "E10000030",
        "source": Source("test", "test", "1", "", ""),
    }
    return Event(Header(event_id=EventId(name), event_type=event_type, **(header | more)), body, control)


def on_roll(organisation: str = "urn:100001", name: str = "roll") -> Event:
    control: Control = {"role": "school", "organisation": organisation, "state": "begun"}
    return an_event(
        name, "school.pupil.registered", body=Body(), control=control, producer=AgencyId(organisation), sector=Sector.SCHOOLS
    )


def of_the_council(name: str = "row") -> Event:
    """A row of the council's own extract: the child is its own, and nobody has to do with it by that."""
    council = AgencyId("E10000030")
    return an_event(name, "council.person.registered", body=Body(), producer=council, sector=Sector.COUNCILS)


def at_practice(name: str = "practice") -> Event:
    control: Control = {"role": "gp", "organisation": "ods:A1", "state": "begun"}
    return an_event(name, "health.gp.registered", body=Body(), control=control, producer=AgencyId("ods:A1"), sector=Sector.HEALTH)


def a_retraction(of: str, name: str = "back", **more: Any) -> Event:
    return an_event(name, action=Action.RETRACT, supersedes=EventId(of), body=Body(), **more)


def an_update(of: str, name: str, **more: Any) -> Event:
    return an_event(name, action=Action.UPDATE, supersedes=EventId(of), **more)


def a_protection(name: str = "protection", kind: str = "safe_address", state: str = "set") -> Event:
    control: Control = {"kind": kind, "state": state}
    return an_event(
        name, "control.protection", body=Body(), control=control, producer=AgencyId("E10000030"), sector=Sector.COUNCILS
    )


def a_signer(holder: str) -> Signer:
    """A key that is the same in every run."""
    return _signer(holder, Ed25519PrivateKey.from_private_bytes(sha256(holder.encode()).digest()))


def its_key(holder: str) -> SigningKey:
    signer = a_signer(holder)
    return SigningKey(id=signer.key_id, holder=holder, public_key=signer.public_key)


@dataclass(slots=True)
class HeldReleases:
    """The releases that a worker holds."""

    policies: dict[str, Policy] = field(default_factory=dict)
    all_registers: dict[str, Registers] = field(default_factory=dict)

    def policy(self, wanted: Digest) -> Policy:
        return self._of(self.policies, wanted)

    def registers(self, wanted: Digest) -> Registers:
        return self._of(self.all_registers, wanted)

    @staticmethod
    def _of(held: dict[str, Any], wanted: Digest) -> Any:
        if wanted not in held:
            raise RetryError("not here yet")
        return held[wanted]


class ALine:
    """The decide stage on one partition, in memory: feed it, look at what it wrote, kill it and start it again."""

    def __init__(self, *policies: Policy, registers: Registers | None = None, in_force: bool = True) -> None:
        chosen = policies or (a_policy(),)
        self.registers = registers or some_registers(keys=map(its_key, ("police:42", HUB, SCHOOL)))
        releases = HeldReleases({one.digest: one for one in chosen}, {self.registers.digest: self.registers})
        self.stage = Decide(SECRETS, releases)
        self.releases = releases
        self.log: list[Record] = []
        self.effects = Effects()
        self.written: list[Outgoing] = []
        self.facts_log: list[Outgoing] = []
        self.tables = {FACTS: StateTable(FACTS, 0), CLOCKS: StateTable(CLOCKS, 0)}
        self.task: Any = self.stage.open(0, self.tables)
        self._origins = 0
        if in_force:
            self.release("policy", chosen[0].digest)
            self.release("registers", self.registers.digest)

    def release(self, of: str, digest: Digest) -> None:
        self.feed(
            {"kind": "EPOCH", "child_ref": "", "epoch": {"of": of, "version": "1", "digest": digest}}, key=None, stamped=False
        )

    def take(self, *events: Event, child: str = CHILD) -> "ALine":
        """Put events into the line, one after the other."""
        for event in events:
            self.feed({"kind": "EVENT", "child_ref": child, "event": codec.encode_event(event)}, key=child.encode())
        return self

    def receipt(self, disclosure: dict[str, Any], state: str, outcome: str | None = None, said_at: int = NOW) -> "ALine":
        message = {
            "disclosure_id": disclosure["disclosure_id"],
            "recipient": disclosure["recipient"],
            "state": state,
            "said_at": said_at,
            "outcome": outcome,
            "token": disclosure["token"],
        }
        self.feed({"kind": "RECEIPT", "child_ref": CHILD, "receipt": codec.encode("receipt", message)}, key=CHILD.encode())
        return self

    def resolve(self, review: dict[str, Any], decision: str = "LINK", by: str = "") -> "ALine":
        """Let a person decide, signed by who was asked unless said otherwise."""
        resolution = {"review_id": review["review_id"], "decision": decision, "by": "person", "reason": "known"}
        child = review["child_ref"]
        value = codec.encode("subject_record", {"kind": "RESOLUTION", "child_ref": child, "resolution": resolution})
        signed = a_signer(by or review["for_recipient"]).headers(SUBJECTS, value, review["review_id"])
        made = replace(self.record(value, child.encode(), stamped=False), headers=signed)
        self.log[-1] = made
        self.feed_record(made)
        return self

    def ring(self, now: int) -> list[Outgoing]:
        """Let clocks fall due and take their bells in."""
        bells = list(self.task.due(now))
        for bell in bells:
            self.feed_record(self.record(bell.value or b"", bell.key, stamped=False, timestamp=now))
        return bells

    def feed(self, message: dict[str, Any], key: bytes | None, *, stamped: bool = True) -> None:
        self.feed_record(self.record(codec.encode("subject_record", message), key, stamped=stamped))

    def record(self, value: bytes, key: bytes | None, *, stamped: bool = True, timestamp: int | None = None) -> Record:
        offset = len(self.log)
        headers: tuple[tuple[str, bytes], ...] = ()
        if stamped:
            self._origins += 1
            headers = (
                (ORIGIN, bytes(Position("events.police.v1/0", self._origins))),
                (CAUSE, bytes(Position("candidates.v1/0", offset))),
            )
        made = Record(SUBJECTS, 0, offset, timestamp or NOW + offset * 1000, key, value, headers)
        self.log.append(made)
        return made

    def feed_record(self, record: Record) -> None:
        effects = Effects()
        self.task.step(record, effects)
        self.effects = effects
        self.facts_log.extend(effects.state.values())
        self.written += [*effects.audit, *effects.outputs]
        for one in effects.outputs:
            if one.topic == SUBJECTS and one.key is not None:
                again = Record(SUBJECTS, 0, len(self.log), record.timestamp, one.key, one.value, one.headers)
                self.log.append(again)
                self.feed_record(again)

    def restart(self) -> "ALine":
        """Open the task again on the same state."""
        self.task = self.stage.open(0, self.tables)
        return self

    def facts(self, child: str = CHILD) -> Facts:
        return Journal(self.tables[FACTS]).get(child.encode())

    def disclosures(self, to: str | None = None) -> list[dict[str, Any]]:
        found = [codec.decode("disclosure", one.value or b"") for one in self.written if one.topic.startswith("disclosures.")]
        return [one for one in found if to in {None, one["recipient"]}]

    def audits(self) -> list[dict[str, Any]]:
        return [codec.decode("audit_entry", one.value or b"") for one in self.written if one.topic == "audit.v1"]

    def reviews(self) -> list[dict[str, Any]]:
        return [codec.decode("review", one.value or b"") for one in self.written if one.topic == REVIEWS]

    def visible_to(self, recipient: str) -> Iterator[tuple[str, bytes | None, bytes | None, Any]]:
        """Everything that a recipient's principal can read, byte for byte."""
        for one in self.written:
            if one.topic.startswith("disclosures.") and codec.decode("disclosure", one.value or b"")["recipient"] == recipient:
                yield one.topic, one.key, one.value, one.headers


def again(event: Event, name: str) -> Event:
    """The same words under another event id."""
    return replace(event, header=replace(event.header, event_id=EventId(name)))


__all__ = ["ALine", "Line"]
