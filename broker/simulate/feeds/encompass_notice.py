"""Writes the notice that a force sends to schools under Operation Encompass, one text file per child.

The form is the documented one: labels as there, any line may be absent, the account goes on in lines begun with a blank.
"""

from textwrap import wrap
from typing import Any
from zoneinfo import ZoneInfo

from broker.simulate.area import Child
from broker.simulate.cast import Cast
from broker.simulate.story import Step

_LOCAL = ZoneInfo("Europe/London")
_TOLD = {"YES": "yes", "NOT_SAFE": "no, not safe", "NOT_PRACTICABLE": "no, not practicable", "NOT_YET": "not yet"}
_WIDTH = 90


def notice(cast: Cast, step: Step) -> str:
    """Return one notice as text."""
    at = cast.at(step).astimezone(_LOCAL)
    says: dict[str, Any] = {name: cast.say_on(step, group) for name, group in step.says.items()}
    concern, place = says.get("concern", {}), says.get("location", {}).get("place")
    lines = [
        "OPERATION ENCOMPASS NOTICE",
        f"Police reference: OE-{cast.mark}-{step.key}",
        f"Incident: {at:%Y-%m-%d %H:%M}",
        *_child(cast.child(step), cast.say_on(step, step.native.get("given", cast.child(step).given))),
        *([f"Place: {place}"] if place else []),
        f"Child present: {concern.get('child_present', 'not known')}",
        f"Child spoken to: {concern.get('child_spoken_to', 'not known')}",
        f"Welfare check: {concern.get('welfare_check', 'not known')}",
        f"Family told: {_TOLD[step.told_family]}",
        *_account(says.get("narrative", {}).get("text")),
        "END OF NOTICE",
    ]
    return "\n".join(lines) + "\n"


def _child(child: Child, given: str) -> list[str]:
    return [
        f"Child first name: {given}",
        f"Child surname: {child.family}",
        f"Date of birth: {child.birth_date.isoformat()}",
        f"Home postcode: {child.postcode}",
    ]


def _account(text: str | None) -> list[str]:
    if not text:
        return []
    first, *rest = wrap(f"Circumstances: {text}", _WIDTH)
    return [first, *(f"  {line}" for line in rest)]
