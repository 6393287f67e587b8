"""Writes the area's registers as the TOML file that its people would keep: agencies, desks, areas, calendars; no keys."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from broker.simulate.area import COUNCIL, COUNCIL_DESKS, FORCE, NATIONAL, NEIGHBOUR, TRUST, Area
from broker.simulate.days import OPENS, days_off, terms

_COUNCILS = ((COUNCIL, "eskshire", "Eskshire"), (NEIGHBOUR, "tarnmouth", "Tarnmouth"))
_DESK_NAMES = {
    "hub": "Safeguarding Hub",
    "duty": "Emergency Duty Team",
    "social-work": "Children's Social Work",
    "attendance": "Attendance Team",
    "home-education": "Home Education Officer",
    "virtual-school": "Virtual School",
    "iro": "Independent Reviewing Officers",
    "return-interviews": "Return Interview Team",
    "lado": "Designated Officer",
    "youth-justice": "Youth Justice Service",
    "family-help": "Family Help",
}
_OWN_TOPIC_SCHOOLS, _OWN_TOPIC_PRACTICES = 3, 2  # these have a Kafka principal of their own; the broker's desk serves the rest


def registers_text(area: Area) -> str:
    """Return the registers of an area as TOML."""
    entries = [*_areas(), *_agencies(area), *_recipients(area), *_calendars(area)]
    return f'version = "simulated-{area.seed}"\n\n' + "\n".join(_entry(kind, entry) for kind, entry in entries)


def _areas() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for council, short, name in _COUNCILS:
        yield "area", {"id": council, "name": name, "hub": f"hub-{short}", "out_of_hours": f"duty-{short}"}


def _agencies(area: Area) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for council, _, name in _COUNCILS:
        said = {"id": council, "name": f"{name} Council", "sector": "COUNCILS", "area": council}
        yield "agency", {**said, "registers_people": True}
    yield "agency", {"id": FORCE, "name": "Eskshire Constabulary", "sector": "POLICE", "area": COUNCIL}
    trust = {"id": TRUST, "name": "Eskmouth General Hospital", "sector": "HEALTH", "area": COUNCIL}
    yield "agency", {**trust, "registers_people": True}
    yield "agency", {"id": NATIONAL, "name": "National Safeguarding Services", "sector": "HEALTH", "area": COUNCIL}
    for school in area.schools:
        said = {"id": school.id, "name": school.name, "sector": "SCHOOLS", "area": COUNCIL}
        yield "agency", {**said, "registers_people": True}
    for practice in area.practices:
        yield "agency", {"id": practice.id, "name": practice.name, "sector": "HEALTH", "area": COUNCIL, "registers_people": True}


def _recipients(area: Area) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for council, short, name in _COUNCILS:
        for role, desk in COUNCIL_DESKS.items():
            said = {"id": f"{desk}-{short}", "name": f"{name} {_DESK_NAMES[desk]}", "agency": council, "area": council}
            roles = [role, "referrer"] if role == "hub" else [role]
            own = desk in ("hub", "social-work", "attendance")
            yield "recipient", {**said, "roles": roles, "serves": [f"la:{council}"], "own_topic": own}
    one = {"agency": FORCE, "area": COUNCIL, "own_topic": True}
    served = [FORCE, f"la:{COUNCIL}"]
    yield "recipient", {"id": "police-desk", "name": "Police Desk", **one, "roles": ["police_desk", "referrer"], "serves": served}
    one = {"agency": TRUST, "area": COUNCIL, "own_topic": False}
    yield (
        "recipient",
        {"id": "hospital-team", "name": "Hospital Team", **one, "roles": ["hospital", "referrer"], "serves": [TRUST]},
    )
    for desk, name, role in (
        ("health-visitors", "Health Visitors", "health_visitor"),
        ("school-nurses", "School Nurses", "school_nurse"),
        ("paediatrician", "Paediatrician on Call", "paediatrician"),
        ("health-desk", "Health Desk", "health_desk"),
    ):
        yield "recipient", {"id": desk, "name": name, **one, "roles": [role], "serves": [f"la:{COUNCIL}", TRUST]}
    one = {"agency": NATIONAL, "area": COUNCIL, "own_topic": False}
    served = [f"la:{COUNCIL}", f"la:{NEIGHBOUR}"]
    yield (
        "recipient",
        {"id": "cp-is", "name": "Child Protection Information Sharing", **one, "roles": ["cp_is"], "serves": served},
    )
    yield from _schools(area)
    for at, practice in enumerate(area.practices):
        said = {
            "id": f"gp-{practice.id[4:]}",
            "name": f"{practice.name}, safeguarding lead",
            "agency": practice.id,
            "area": COUNCIL,
        }
        yield "recipient", {**said, "roles": ["gp", "referrer"], "serves": [practice.id], "own_topic": at < _OWN_TOPIC_PRACTICES}


def _schools(area: Area) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each school's designated lead, and the governor who is told instead where the lead is in conflict."""
    for at, school in enumerate(area.schools):
        said = {"agency": school.id, "area": COUNCIL}
        lead = {"id": f"dsl-{school.id[4:]}", "name": f"{school.name}, designated lead", **said, "roles": ["dsl", "referrer"]}
        alternate = f"governor-{school.id[4:]}"
        own = at < _OWN_TOPIC_SCHOOLS
        yield "recipient", {**lead, "serves": [school.id], "alternate": alternate, "own_topic": own}
        named = {"id": alternate, "name": f"{school.name}, safeguarding governor", **said}
        yield "recipient", {**named, "roles": ["dsl"], "own_topic": False}


def _calendars(area: Area) -> Iterator[tuple[str, Mapping[str, Any]]]:
    taught, closed = terms(area.until), days_off(area.until)
    for council, _, _ in _COUNCILS:
        yield "calendar", {"of": council, "closed": closed}
    for school in area.schools:
        yield "calendar", {"of": school.id, "day_start": f"{OPENS:%H:%M}", "closed": closed, "terms": taught}


def _entry(kind: str, entry: Mapping[str, Any]) -> str:
    lines = (f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in entry.items())
    return f"[[{kind}]]\n" + "\n".join(lines) + "\n"
