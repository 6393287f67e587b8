"""A small England for tests: the shipped rules, a home council and another, and a child about whom agencies speak."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from broker.core.model.event import Control, Event, Header, Sector, Source
from broker.core.model.identifiers import AgencyId, EventId, Millis, RecipientId, RoleName
from broker.core.model.policy import Policy
from broker.core.model.registers import Agency, Recipient, Registers
from broker.policyfile import load_policy
from broker.policyfile.world import registers_for
from tests.stream.lines import NOW, ALine, its_key

SCHOOL, OTHER_SCHOOL, PRACTICE, TRUST = "urn:100001", "urn:100002", "ods:A00001", "ods:RX001"
HOME, AWAY, FORCE = "E10000001", "E10000002", "police:1"
FAR_FORCE, FAR_SCHOOL, FAR_TRUST = "police:2", "urn:199999", "ods:FAR01"  # of the area `AWAY`
SECTORS = {"urn": Sector.SCHOOLS, "ods": Sector.HEALTH, "police": Sector.POLICE}
HUB, DUTY, DSL, TEAM, PRACTICE_DESK = "hub.home", "duty_team.home", "dsl.school", "social_worker.home", "gp.practice"
JUDGE = "lado.home"  # of a conflict of the whole hub
POLICE_PROTECTION, NOTICE, CONCERN = "police.protection.used", "police.encompass.notified", "school.concern.raised"
AT_AWAY = ("hub.away", "social_worker.away")


@cache
def england() -> tuple[Policy, Registers]:
    """The shipped rules with their small world; its desks get names that can be topics."""
    policy = load_policy()
    world = registers_for(policy)
    desk = {one: RecipientId(one.replace("@", ".")) for one in world.recipients}
    recipients = {
        desk[one]: replace(entry, id=desk[one], alternate=entry.alternate and desk[entry.alternate])
        for one, entry in world.recipients.items()
    }
    areas = {
        name: replace(area, hub=desk[area.hub], out_of_hours=area.out_of_hours and desk[area.out_of_hours])
        for name, area in world.areas.items()
    }
    keys = {key.id: key for key in map(its_key, (HUB, JUDGE))}
    agencies = {**world.agencies, **{one.id: one for one in (_agency(FAR_FORCE), _agency(FAR_SCHOOL), _agency(FAR_TRUST))}}
    recipients |= {one.id: one for one in _far_desks()}
    return policy, replace(world, agencies=agencies, recipients=recipients, areas=areas, keys=keys)


def _agency(who: str) -> Agency:
    return Agency(id=AgencyId(who), name=who, sector=SECTORS[who.partition(":")[0]], area=AWAY, registers_people=True)


def _far_desks() -> Iterator[Recipient]:
    for role, who in (("dsl", FAR_SCHOOL), ("gp", FAR_TRUST), ("hospital", FAR_TRUST), ("health_visitor", FAR_TRUST)):
        name = RecipientId(f"{role}.far")
        roles, serves = frozenset({RoleName(role)}), frozenset({who})
        yield Recipient(id=name, name=name, agency=AgencyId(who), area=AWAY, roles=roles, serves=serves)


def says(who: str, event_type: str, control: Control | None = None, **header: Any) -> Event:
    """An event of an agency about the child."""
    fields: dict[str, Any] = {
        "event_id": EventId(f"{who}/{event_type}/{sorted((control or {}).items())}/{sorted(header.items())}"),
        "sector": SECTORS.get(who.partition(":")[0], Sector.COUNCILS),
        "recorded_at": Millis(NOW),
        "occurred_at": "2026-09-20",
        "area": who if who.startswith("E") else None,  # what connectors write: a council's own, nobody else's
        "source": Source("s", "f", "1", "", ""),
        **header,
    }
    identity = {"names": [{"given": "Ada", "family": "Wexwick", "kind": "usual"}], "birth_date": "2017-01-15"}
    return Event(Header(event_type=event_type, producer=AgencyId(who), **fields), {"identity": identity}, control)  # type: ignore[typeddict-item] # of a test


def tie(role: str, organisation: str, state: str = "begun") -> Control:
    return {"role": role, "organisation": organisation, "state": state}


def a_patient(*events: Event) -> ALine:
    """A child whom only a hospital has registered, without a practice: nobody has to do with it yet."""
    policy, registers = england()
    return ALine(policy, registers=registers).take(says(TRUST, "health.patient.registered"), *events)


def extract_row(council: str, **header: Any) -> Event:
    """A row of a council's identity extract, as `sui-extract` writes it."""
    return says(council, "council.person.registered", **header)


def a_child(*events: Event) -> ALine:
    """A child on roll whose own council holds it, after some events."""
    policy, registers = england()
    line = ALine(policy, registers=registers)
    home = says(HOME, "council.person.registered", tie("home_area", f"la:{HOME}"))
    return line.take(home, says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL)), *events)


def a_pupil(*events: Event) -> ALine:
    """A child of whom no council said yet that it is its own: only its school knows it."""
    policy, registers = england()
    return ALine(policy, registers=registers).take(says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL)), *events)


def told(line: ALine, event_type: str) -> set[str]:
    return {one["recipient"] for one in line.disclosures() if one["event_type"] == event_type}


def questions(line: ALine) -> list[tuple[str, str]]:
    return [(one["kind"], one["for_recipient"]) for one in line.reviews()]


SAFE = says(HOME, "control.protection", {"kind": "safe_address", "state": "set"})


DETRIMENT: Control = {
    "kind": "detriment",
    "state": "made",
    "reason": "known",
    "until": "2027-06-01",
    "recipients": ["hub", "duty_team"],
}


def reads_school(line: ALine, recipient: str) -> bool:
    """Whether a recipient reads which school the child goes to, in anything that it was told."""
    return any(SCHOOL in repr(one) for one in line.disclosures(recipient))
