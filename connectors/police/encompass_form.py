"""What a line of a notice means: its label, where it belongs in an event, and how its value is read and written.

What an event does not hold, it says in words to whoever is told: who sends it, on which basis, by when.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from broker.core.account.harmless import hanging, one_line
from broker.core.account.words import Words, until_in_words
from broker.core.model.event import ToldFamily

BEGIN = "OPERATION ENCOMPASS NOTICE"
END = "END OF NOTICE"
LOCAL = ZoneInfo("Europe/London")  # the clock of every force in England
# Label, where it belongs in an event (group and field), and how it is read.
LABELS: dict[str, tuple[str, str, str]] = {
    "From": ("notice", "producer", "text"),
    "Police reference": ("concern", "reference", "text"),
    "Incident": ("header", "occurred_at", "when"),
    "Place": ("location", "place", "text"),
    "Child first name": ("name", "given", "text"),
    "Child surname": ("name", "family", "text"),
    "Date of birth": ("identity", "birth_date", "date"),
    "Sex": ("identity", "sex", "sex"),
    "NHS number": ("number", "nhs_number", "text"),
    "UPN": ("number", "upn", "text"),
    "Home postcode": ("location", "postcode", "postcode"),
    "School URN": ("location", "organisation", "urn"),
    "Child present": ("concern", "child_present", "answer"),
    "Child spoken to": ("concern", "child_spoken_to", "answer"),
    "Welfare check": ("concern", "welfare_check", "answer"),
    "Hub threshold": ("attribute", "threshold", "threshold"),
    "Grade": ("concern", "grade", "text"),
    "Next step": ("concern", "next_step", "text"),
    "Voice of the child": ("wish", "words", "text"),
    "Heard by": ("wish", "heard_by_role", "text"),
    "Circumstances": ("narrative", "text", "text"),
    "Account checked by": ("narrative", "checked_by_role", "text"),
    "Family told": ("header", "told_family", "told"),
    "Contact": ("header", "contact_point", "text"),
    "Standing": ("notice", "kind", "standing"),
    "Notice id": ("notice", "disclosure_id", "text"),
    "Replaces notice": ("notice", "replaces", "text"),
    "Why you are told": ("notice", "because", "text"),
    "Lawful basis": ("notice", "lawful_basis", "text"),
    "Act by": ("notice", "due_at", "text"),
    "Keep to": ("notice", "obligations", "text"),
}
ONE_LINE = frozenset(("name", "identity", "number", "location"))  # what does not go on in a line that begins with a blank
BY_LABEL = {label.lower(): (label, *rest) for label, rest in LABELS.items()}
_ANSWERS = {"yes": "yes", "y": "yes", "no": "no", "n": "no", "not known": "not known", "unknown": "not known", "alone": "alone"}
_TOLD = {
    "yes": ToldFamily.YES,
    "no, not safe": ToldFamily.NOT_SAFE,
    "no, not practicable": ToldFamily.NOT_PRACTICABLE,
    "not yet": ToldFamily.NOT_YET,
}
_THRESHOLD = {"met": "met", "not met": "not_met"}
_STANDING = {"new": "ALERT", "correction": "CORRECTION", "withdrawn": "RETRACTION"}
_SEX = {"f": "F", "female": "F", "m": "M", "male": "M", "u": "U", "unknown": "U"}
_POSTCODE = re.compile(r"([A-Z]{1,2}\d[A-Z\d]?)(\d[A-Z]{2})\Z")
_UK_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})\Z")


def read_value(label: str, said: str) -> str | None:
    """Return what a line says, in the words of an event; None when that cannot be read."""
    found: str | None = _IN[LABELS[label][2]](said)
    return found


def written_lines(disclosure: Mapping[str, Any], words: Words) -> list[str]:
    """Return the lines of what a disclosure holds, and none for what it does not.

    Text can neither end its notice nor pass for another line: what stands on further lines begins with a blank, and what has
    its label's line alone keeps to it.
    """
    name = _usual_name(disclosure)
    said, lines = _in_words(disclosure, words), []
    for label, (group, field, kind) in LABELS.items():
        value = _value(said, name, group, field)
        written = _OUT.get(kind, str)(value) if isinstance(value, str) else ""
        shown = _indented(written) if kind == "text" and group not in ONE_LINE else one_line(written)
        if shown:
            lines.append(f"{label}: {shown}")
    return lines


def form_in_words() -> str:
    """Return how a notice is written, with every label and what may stand behind it."""
    width = max(map(len, LABELS))
    labels = [f"  {label:<{width}}  {_may_be(label)}" for label in LABELS]
    return "\n".join([_FORM.format(begin=BEGIN, end=END), *labels, ""])


def _may_be(label: str) -> str:
    group, field, kind = LABELS[label]
    if group == "notice" and field not in _READ_OF_NOTICE:
        return "(only in notices from the broker; not read)"
    note = _NOTES.get(label) or ("one line" if group in ONE_LINE and kind == "text" else "")
    values = _VALUES.get(kind)
    said = " | ".join(dict.fromkeys(values)) if values else _KINDS[kind]
    return f"{said}; {note}" if note else said


def _in_words(disclosure: Mapping[str, Any], words: Words) -> Mapping[str, Any]:
    basis, due = disclosure.get("lawful_basis"), disclosure.get("due_at")
    return {
        **disclosure,
        "producer": words.name(disclosure.get("producer") or ""),
        "contact_point": words.named(disclosure.get("contact_point") or ""),
        "lawful_basis": words.basis(basis, disclosure.get("gateway")) if basis else "",
        "due_at": until_in_words(due) if due else "",
    }


def _text(said: str) -> str | None:
    return said.strip() or None


def _day(said: str) -> str | None:
    found = _UK_DATE.match(said.strip())
    try:
        return (date(int(found[3]), int(found[2]), int(found[1])) if found else date.fromisoformat(said.strip())).isoformat()
    except ValueError:
        return None


def _when(said: str) -> str | None:
    """Read a day, or a day and a local time, to which the offset of that day is added."""
    day, _, clock = said.strip().partition(" ")
    found = _day(day)
    if found is None or not clock.strip():
        return found
    try:
        at = datetime.combine(date.fromisoformat(found), time.fromisoformat(clock.strip()))
        return (at if at.tzinfo else at.replace(tzinfo=LOCAL)).isoformat(timespec="minutes")
    except ValueError:
        return None


def _postcode(said: str) -> str | None:
    found = _POSTCODE.match("".join(said.split()).upper())
    return f"{found[1]} {found[2]}" if found else None


def _urn(said: str) -> str | None:
    number = said.strip()
    return f"urn:{number}" if number.isascii() and number.isdigit() and len(number) == 6 else None


_VALUES: dict[str, Mapping[str, Any]] = {
    "answer": _ANSWERS,
    "sex": _SEX,
    "threshold": _THRESHOLD,
    "standing": _STANDING,
    "told": _TOLD,
}
_KINDS = {
    "text": "text",
    "date": "a day: 2016-04-02 or 02/04/2016",
    "when": "a day, and a time by the clock in England where it is known: 2026-09-20 21:40",
    "postcode": "a whole postcode: AB1 2CD",
    "urn": "the school's unique reference number, six digits: 100001",
}
_READ_OF_NOTICE = frozenset(("kind", "disclosure_id", "replaces"))  # what else is of the notice itself is only written
_NOTES = {
    "Police reference": "has to be there",
    "Place": "where it happened; never an address that has to be kept safe",
    "Standing": "`new` where it is absent",
    "Notice id": "your own name for this notice, which a correction names",
    "Replaces notice": "the notice id of the notice that this one corrects",
}
_FORM = """\
A notice is written into a text file (UTF-8) named *.txt. Several follow one another in a file, one for each child:

  {begin}
  Police reference: 42/1234567/26
  ...
  {end}

Each line between is a label, a colon and what is said, in any order; text may go on in lines that begin with a blank. Any line
may be absent but the police reference and who the child is: first name and surname, or a UPN, or an NHS number. Without the
date of birth the child may not be found.
"""
_IN: dict[str, Any] = {
    "text": _text,
    "date": _day,
    "when": _when,
    "answer": lambda said: _ANSWERS.get(said.strip().lower()),
    "sex": lambda said: _SEX.get(said.strip().lower()),
    "threshold": lambda said: _THRESHOLD.get(said.strip().lower()),
    "standing": lambda said: _STANDING.get(said.strip().lower()),
    "told": lambda said: _TOLD.get(said.strip().lower()),
    "postcode": _postcode,
    "urn": _urn,
}


def _indented(value: str) -> str:
    return hanging("\n".join(line.strip() for line in value.splitlines()), "  ")


def _local(value: str) -> str:
    """Write a day as it is, an instant by the clock in England; in the hour that comes twice, with its offset."""
    try:
        at = datetime.fromisoformat(value) if "T" in value else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        return value[:16].replace("T", " ")
    there = at.astimezone(LOCAL)
    written = there.strftime("%Y-%m-%d %H:%M")
    twice = there.replace(fold=0).utcoffset() != there.replace(fold=1).utcoffset()
    return written + (there.isoformat()[-6:] if twice else "")


_OUT: dict[str, Any] = {
    "when": _local,
    "urn": lambda value: value.removeprefix("urn:"),
    "standing": lambda value: next((word for word, kind in _STANDING.items() if kind == value), ""),
    "told": lambda value: next((words for words, told in _TOLD.items() if told.value == value), ""),
}


def _usual_name(disclosure: Mapping[str, Any]) -> Mapping[str, Any]:
    names = (disclosure.get("identity") or {}).get("names") or [{}]
    found: Mapping[str, Any] = next((name for name in names if name.get("kind", "usual") == "usual"), names[0])
    return found


def _value(disclosure: Mapping[str, Any], name: Mapping[str, Any], group: str, field: str) -> Any:
    if group in {"header", "notice"}:
        value = disclosure.get(field)
        return "\n".join(value) if isinstance(value, list | tuple) else value
    if group == "name":
        return name.get(field)
    if group == "number":
        identifiers = (disclosure.get("identity") or {}).get("identifiers") or []
        return next((one["value"] for one in identifiers if one["scheme"] == field), None)
    return (disclosure.get(group) or {}).get(field)
