"""Reads and writes Operation Encompass notices: to a school, about a child of a home where domestic abuse was met.

The statutory guidance says what a notice holds, not how it is written down; forces send e-mail text of their own. This is
this project's documented text form of that content, not a national schema:

    OPERATION ENCOMPASS NOTICE
    Police reference: 42/1234567/26
    Incident: 2026-09-20 21:40
    Child first name: ...
    Child surname: ...
    Date of birth: 2016-04-02
    School URN: 100001
    Child present: yes
    Welfare check: no
    Circumstances: Text that may go on
      in further lines, each begun with a blank.
    END OF NOTICE

Any line may be absent; labels are those of `_LABELS`, in any order and case. Several notices follow one another in a file.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from typing import Any, NamedTuple, TextIO
from zoneinfo import ZoneInfo

from broker.core.delivery import Delivery, Finding, Memory, open_text
from broker.core.event import (
    Action,
    Body,
    Event,
    Header,
    Identifier,
    Identity,
    QualityFinding,
    Sector,
    Source,
    SubjectRole,
    ToldFamily,
)
from broker.core.identifiers import EventId, digest, event_id, nhs_number_is_valid, upn_is_valid
from broker.errors import DeliveryError

_FORMAT = "encompass-notice"
_VERSION = "1"
_BEGIN = "OPERATION ENCOMPASS NOTICE"
_END = "END OF NOTICE"
_LOCAL = "Europe/London"  # the clock of every force in England
# Label, where it belongs in an event (group and field), and how it is read.
_LABELS: dict[str, tuple[str, str, str]] = {
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
    "Keep to": ("notice", "obligations", "text"),
}
_BY_LABEL = {label.lower(): (label, *rest) for label, rest in _LABELS.items()}
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
_LINE = re.compile(r"([A-Za-z][A-Za-z ]{0,40}?)\s*:\s?(.*)\Z", re.DOTALL)
_LONGEST_NOTICE = 60_000  # characters: an event of it is never larger than the broker takes
_LONGEST_LINE = _LONGEST_NOTICE + 1
_ONE_LINE = frozenset(("name", "identity", "number", "location"))  # what does not go on in a line that begins with a blank
_RULES: dict[str, tuple[Any, str, str]] = {
    "encoding": ("info", "not UTF-8: read as Windows-1252", "save it as UTF-8 so that every name is right"),
    "stray-line": ("warning", "text outside any notice: not read", f"begin each notice with {_BEGIN}"),
    "unknown-label": ("warning", "the label is not one of a notice: the line was not taken", "use the documented labels"),
    "label-twice": (
        "warning",
        "the label stands twice: the first was taken",
        "write each label once; begin further text with a blank",
    ),
    "unreadable": ("warning", "the value cannot be read: left out", "write it as documented"),
    "check-digit": ("warning", "the check digit or letter is wrong", "correct the number"),
    "no-end": ("warning", f"the notice has no line {_END}: taken as far as it goes", "send it again whole"),
    "nobody": ("error", "the notice names no child: not taken", "give first name, surname and date of birth"),
    "no-reference": ("error", "the notice has no police reference: not taken", "add the police reference"),
    "too-long": ("error", "the notice is too long: not taken", "shorten it"),
    "nothing-to-withdraw": (
        "error",
        "withdraws a notice that was never sent: not taken",
        "check reference, name and date of birth",
    ),
    "in-the-future": ("warning", "the date is in the future", "correct the date"),
    "birth-date-missing": ("warning", "the notice has no date of birth: the child may not be found", "add the date of birth"),
}


class _Notice(NamedTuple):
    """The lines of one notice: label to line number and text."""

    line: int
    said: dict[str, tuple[int, str]]
    wrong: list[tuple[int, str]]


class EncompassNotice:
    """The connector for Operation Encompass notices, in and out."""

    name: str = _FORMAT
    sector: Sector = Sector.POLICE

    def claims(self, names: tuple[str, ...]) -> bool:
        """Tell whether this is one text file."""
        return len(names) == 1 and names[0].lower().endswith(".txt")

    def read(self, delivery: Delivery, memory: Memory) -> Iterator[Event | Finding]:
        """Yield an event for each notice that names a child; a notice sent again with other words is an update.

        Raises DeliveryError when the file is no text or holds no notice.
        """
        (piece,) = delivery.pieces
        found = False
        with open_text(piece) as stream:
            if stream.encoding == "cp1252":
                yield _finding("encoding", 1)
            for one in _notices(stream):
                if isinstance(one, Finding):
                    found = found or one.rule == "too-long"
                    yield one
                    continue
                found = True
                yield from _read_notice(one, delivery, memory)
        if not found:
            raise DeliveryError(f"file holds no notice: each begins with the line {_BEGIN}")

    def write(self, disclosure: Mapping[str, Any]) -> str:
        """Return the notice of one disclosure: what was granted, and no line for what was not."""
        name = _usual_name(disclosure)
        lines = [_BEGIN]
        for label, (group, field, kind) in _LABELS.items():
            value = _value(disclosure, name, group, field)
            written = _OUT.get(kind, _indented)(value) if isinstance(value, str) else ""
            if written:
                lines.append(f"{label}: {written}")
        return "\n".join([*lines, _END, ""])


def _read_notice(notice: _Notice, delivery: Delivery, memory: Memory) -> Iterator[Event | Finding]:
    wrong = notice.wrong
    read: dict[str, dict[str, Any]] = {}
    today = datetime.fromtimestamp(delivery.received_at / 1000, ZoneInfo(_LOCAL)).date().isoformat()
    for label, (line, text) in notice.said.items():
        group, field, kind = _LABELS[label]
        value = _IN[kind](text)
        if value is None:
            wrong.append((line, "unreadable"))
            continue
        read.setdefault(group, {})[field] = value
        if kind in {"date", "when"} and value[:10] > today:
            wrong.append((line, "in-the-future"))
    event = _event(notice, read, delivery, memory)
    yield from (_finding(rule, line) for line, rule in sorted(wrong))
    if event:
        yield event


def _event(notice: _Notice, read: dict[str, dict[str, Any]], delivery: Delivery, memory: Memory) -> Event | None:
    body, wrong = _body(notice, read), notice.wrong
    identity = body["identity"]
    if not identity["names"] and not identity["identifiers"]:
        wrong.append((notice.line, "nobody"))
        return None
    reference = read.get("concern", {}).get("reference")
    if not reference:
        wrong.append((notice.line, "no-reference"))
        return None
    if "birth_date" not in identity:
        wrong.append((notice.line, "birth-date-missing"))
    said, coded = read.get("header", {}), read.get("attribute", {})
    who: list[Any] = [*identity["names"]] or [one["value"] for one in identity["identifiers"]]
    record = digest(json.dumps([reference, who, identity.get("birth_date")]).encode())
    withdrawn = read.get("notice", {}).get("kind") == "RETRACTION"
    content = "withdrawn" if withdrawn else digest(json.dumps([body, said, coded], sort_keys=True).encode())
    own_id, before, version = _ids(record, content, delivery, memory)
    if withdrawn and not before:
        wrong.append((notice.line, "nothing-to-withdraw"))
        return None
    header = Header(
        event_id=own_id,
        event_type="police.encompass.notified",
        action=Action.RETRACT if withdrawn else Action.UPDATE if before else Action.NEW,
        supersedes=before,
        producer=delivery.agency.id,
        sector=Sector.POLICE,
        occurred_at=said.get("occurred_at"),
        recorded_at=delivery.received_at,
        sequence=version,
        subject_role=SubjectRole.SUBJECT,
        told_family=said.get("told_family", ToldFamily.NOT_SAID),
        attributes=coded,
        contact_point=said.get("contact_point"),
        source=Source("", _FORMAT, _VERSION, delivery.pieces[0].digest, f"line {notice.line}"),
    )
    quality = tuple(QualityFinding(rule, "notice", _RULES[rule][0]) for _, rule in sorted(wrong))
    return Event(header, {"identity": identity} if withdrawn else body, None, quality)


def _ids(record: str, said: str, delivery: Delivery, memory: Memory) -> tuple[EventId, EventId | None, int]:
    """Return the event's id, the id it supersedes and its version; the same words again have the same id."""
    key, system = f"{_FORMAT}/{record}", f"{_FORMAT}:{delivery.agency.id}"
    stored = memory.get(key)
    versions: list[str] = json.loads(stored) if stored else []
    if not versions or versions[-1] != said:
        versions.append(said)
        memory.put(key, json.dumps(versions).encode())
    number = len(versions)
    stands = number > 1 and versions[-2] != "withdrawn"
    before = event_id(system, record, f"{number - 1}:{versions[-2]}") if stands else None
    return event_id(system, record, f"{number}:{said}"), before, number


def _body(notice: _Notice, read: dict[str, dict[str, Any]]) -> Body:
    identity: Identity = {"identifiers": [], "names": [], **read.get("identity", {})}  # type: ignore[typeddict-item] # by _LABELS
    if read.get("name"):
        identity["names"] = [{"given": read["name"].get("given", ""), "family": read["name"].get("family", "")}]
    for scheme, value in read.get("number", {}).items():
        identifier: Identifier = {"scheme": scheme, "value": "".join(value.split()).upper(), "check_ok": True}
        if not (nhs_number_is_valid if scheme == "nhs_number" else upn_is_valid)(identifier["value"]):
            identifier["check_ok"] = False
            notice.wrong.append((notice.line, "check-digit"))
        identity["identifiers"].append(identifier)
    body: Body = {"identity": identity}
    said: Any = {group: read[group] for group in ("location", "concern", "wish") if group in read}
    body.update(said)
    account = read.get("narrative", {})
    if account.get("text"):
        body["narrative"] = {"checked": "checked_by_role" in account, **account}  # type: ignore[typeddict-item] # by _LABELS
    return body


def _notices(stream: TextIO) -> Iterator[_Notice | Finding]:
    """Yield each notice, and a finding for text that belongs to none."""
    notice: _Notice | None = None
    label, size, line, stray = "", 0, 0, False
    while text := stream.readline(_LONGEST_LINE):
        line += 1
        text = text.rstrip()
        size += len(text)
        mark = "" if text[:1].isspace() else " ".join(text.split()).upper()
        if mark == _BEGIN or (notice and (mark == _END or size > _LONGEST_NOTICE)):
            if notice:
                yield _closed(notice, mark, line, size)
            notice, label, size, stray = (_Notice(line, {}, []) if mark == _BEGIN else None), "", 0, False
        elif notice:
            label = _take_line(notice, label, text, line)
        elif text and not stray:
            stray = True
            yield _finding("stray-line", line)
    if notice:
        yield _closed(notice, "", line, size)


def _closed(notice: _Notice, mark: str, line: int, size: int) -> _Notice | Finding:
    if size > _LONGEST_NOTICE:
        return _finding("too-long", notice.line)
    if mark != _END:
        notice.wrong.append((line, "no-end"))
    return notice


def _take_line(notice: _Notice, label: str, text: str, line: int) -> str:
    """Put one line where it belongs and return the label that lines begun with a blank go on from."""
    found = _LINE.match(text.strip())
    known = _BY_LABEL.get(" ".join(found[1].split()).lower()) if found else None
    further = not text or text[0] in " \t"
    if further and not (known and label and _LABELS[label][0] in _ONE_LINE):
        if label:
            first, said = notice.said[label]
            notice.said[label] = first, f"{said}\n{text.strip()}"
        return label
    if found is None or known is None:
        notice.wrong.append((line, "unknown-label"))
        return ""
    if known[0] in notice.said:
        notice.wrong.append((line, "label-twice"))
        return ""
    notice.said[known[0]] = line, found[2]
    return known[0]


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
        return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(_LOCAL))).isoformat(timespec="minutes")
    except ValueError:
        return None


def _postcode(said: str) -> str | None:
    found = _POSTCODE.match("".join(said.split()).upper())
    return f"{found[1]} {found[2]}" if found else None


def _urn(said: str) -> str | None:
    number = said.strip()
    return f"urn:{number}" if number.isascii() and number.isdigit() and len(number) == 6 else None


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
    return "\n  ".join(line.strip() for line in value.splitlines())


_OUT: dict[str, Any] = {
    "when": lambda value: value[:16].replace("T", " "),
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


def _finding(rule: str, line: int) -> Finding:
    severity, message, remedy = _RULES[rule]
    return Finding(severity, rule, f"line {line}", message, remedy)
