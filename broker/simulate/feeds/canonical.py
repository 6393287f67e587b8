"""Writes events in the canonical form, one JSON object per line: what an agency without a native connector hands in."""

import json
from typing import Any

from broker.core.model.event import Sector
from broker.core.model.identifiers import digest
from broker.simulate.area import COUNCIL, NEIGHBOUR, Child
from broker.simulate.cast import Cast
from broker.simulate.story import Step

_SECTORS = {"police": Sector.POLICE, "school": Sector.SCHOOLS, "health": Sector.HEALTH, "identity": Sector.HEALTH}
_KNOWN_BY = {Sector.POLICE: ("name", "place"), Sector.SCHOOLS: ("upn",), Sector.HEALTH: ("nhs",), Sector.COUNCILS: ("local",)}


def line(cast: Cast, step: Step) -> str:
    """Return one event as one line of JSON, in the shape of the event schema."""
    sector = _SECTORS.get(step.event.partition(".")[0], Sector.COUNCILS)
    speaker, child, at = cast.speaker(step), cast.child(step), cast.at(step)
    known_by = step.identified_by or _KNOWN_BY[sector]
    groups = {name: cast.say_on(step, group) for name, group in step.says.items()}
    header: dict[str, Any] = {
        "event_id": cast.event_id(step),
        "event_type": step.event,
        "action": step.action,
        "supersedes": cast.event_id(cast.story.first_step[step.of]) if step.of else None,
        "producer": speaker,
        "sector": sector.value,
        "area": COUNCIL if step.where == "home" else NEIGHBOUR,
        "occurred_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "recorded_at": int(at.timestamp() * 1000) + 240_000,
        "sequence": 1 if step.action != "NEW" else 0,
        "subject_role": step.as_role,
        "assertion": step.assertion,
        "told_family": step.told_family,
        "sharing_mode": step.sharing_mode,
        "excluded": [cast.desk(to) for to in step.excluded],
        "attributes": dict(step.attributes),
        "contact_point": f"safeguarding desk of {speaker}",
    }
    event: dict[str, Any] = {"header": header, **groups, "identity": identity(child, known_by, speaker)}
    if "place" in known_by:
        event["location"] = {"postcode": child.postcode, **groups.get("location", {})}
    if step.control is not None:
        event["control"] = cast.say_on(step, step.control)
    content = json.dumps(event, ensure_ascii=False, sort_keys=True)
    source = {
        "system": f"{speaker}/desk",
        "format": "canonical",
        "format_version": "1",
        "native_digest": digest(content.encode()),
    }
    header["source"] = {**source, "location": f"{cast.story.id}/{step.key}"}
    return json.dumps(event, ensure_ascii=False) + "\n"


def identity(child: Child, known_by: tuple[str, ...], speaker: str) -> dict[str, Any]:
    """Return what an agency knows of who the child is: never more than its own system holds."""
    by = {
        "nhs": {"scheme": "nhs_number", "value": child.nhs_number, "check_ok": True, "verified": True},
        "upn": {"scheme": "upn", "value": child.upn, "check_ok": True},
        "local": {"scheme": "la_child_id", "value": child.local_id, "issuer": speaker},
    }
    return {
        "identifiers": [by[one] for one in known_by if one in by],
        "names": [{"given": child.given, "family": child.family}],
        "birth_date": child.birth_date.isoformat(),
        "sex": child.sex,
    }
