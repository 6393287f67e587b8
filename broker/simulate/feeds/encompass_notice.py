"""Writes the notice that a force sends to schools under Operation Encompass, one text file per child."""

from typing import Any
from zoneinfo import ZoneInfo

from broker.simulate.area import Child
from broker.simulate.cast import Cast
from broker.simulate.story import Step

_LOCAL = ZoneInfo("Europe/London")
_SPOKEN_TO = {"yes": "YES", "alone": "YES, ALONE", "no": "NO"}


def notice(cast: Cast, step: Step) -> str:
    """Return one notice as text."""
    child, at = cast.child(step), cast.at(step).astimezone(_LOCAL)
    says: dict[str, Any] = {name: cast.say_on(step, group) for name, group in step.says.items()}
    concern, place = says.get("concern", {}), says.get("location", {}).get("place")
    lines = [
        "OPERATION ENCOMPASS NOTICE",
        "",
        f"Police reference: OE-{cast.mark}-{step.key}",
        *_child(child, cast.say_on(step, step.native.get("given", child.given))),
        f"Incident date: {at:%d/%m/%Y}",
        f"Incident time: {at:%H:%M}",
        *([f"Place: {place}"] if place else []),
        f"Child present: {concern.get('child_present', 'not known').upper()}",
        f"Child spoken to: {_SPOKEN_TO[concern.get('child_spoken_to', 'no')]}",
        f"Welfare check: {concern.get('welfare_check', 'not known').upper()}",
    ]
    if account := says.get("narrative", {}).get("text"):
        lines.append(f"Circumstances: {account}")
    return "\n".join(lines) + "\n"


def _child(child: Child, given: str) -> list[str]:
    return [
        f"First name: {given}",
        f"Surname: {child.family}",
        f"Date of birth: {child.birth_date:%d/%m/%Y}",
        f"Postcode: {child.postcode}",
    ]
