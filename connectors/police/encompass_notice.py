"""Reads and writes Operation Encompass notices: to a school, about a child of a home where domestic abuse was met.

The statutory guidance says what a notice holds, not how it is written down; forces send e-mail text of their own. This is
this project's documented text form of that content, not a national schema:

    OPERATION ENCOMPASS NOTICE
    Police reference: 42/1234567/26
    Incident: 2026-09-20 21:40
    Place: Where it happened; never an address that has to be kept safe.
    Child first name: ...
    Child surname: ...
    Date of birth: 2016-04-02
    School URN: 100001
    Child present: yes
    Welfare check: no
    Circumstances: Text that may go on
      in further lines, each begun with a blank.
    END OF NOTICE

Any line but the first and the last may be absent; labels are those of `encompass_form.LABELS`, in any order and case, and
`broker connect encompass-notice --form` lists them. Several notices follow one another in a file, one for each child. What
has no last line may have been cut in the middle of a name.
`Standing: correction` takes the place of the notice that `Replaces notice` names, else of the only child's of its reference.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, TextIO

from broker.core.account.words import Words
from broker.core.intake.delivery import Delivery, Finding, Memory, open_text
from broker.core.model.event import (
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
from broker.core.model.identifiers import digest, nhs_number_is_valid, upn_is_valid
from broker.errors import CutOffError, DeliveryError
from connectors.police.encompass_form import (
    BEGIN,
    BY_LABEL,
    END,
    LABELS,
    LOCAL,
    ONE_LINE,
    form_in_words,
    read_value,
    written_lines,
)
from connectors.police.encompass_told import FORMAT, WITHDRAWN, Told

_VERSION = "1"
_LINE = re.compile(r"([A-Za-z][A-Za-z ]{0,40}?)\s*:\s?(.*)\Z", re.DOTALL)
_LONGEST_NOTICE = 60_000  # characters: an event of it is never larger than the broker takes
_LONGEST_LINE = _LONGEST_NOTICE + 1
_NO_WORDS = Words()
# What is each child's own: once a second child is named, none of it is taken, lest it be put to the first.
_OF_THE_CHILD = frozenset({
    "Child first name", "Child surname", "Date of birth", "Sex", "NHS number", "UPN", "Home postcode", "School URN",
    "Child present", "Child spoken to", "Welfare check", "Voice of the child", "Heard by",
})  # fmt: skip
_NAMES_A_CHILD = frozenset(("Child first name", "Date of birth", "NHS number", "UPN"))
_SEE = "broker connect encompass-notice --form"
_RULES: dict[str, tuple[Any, str, str]] = {
    "encoding": ("info", "not UTF-8: read as Windows-1252", "save it as UTF-8 so that every name is right"),
    "stray-line": ("warning", "text outside any notice: not read", f"begin each notice with {BEGIN}"),
    "unknown-label": ("warning", "the label is not one of a notice: the line was not taken", f"use one of its labels: {_SEE}"),
    "label-twice": (
        "warning",
        "the label stands twice: the first was taken",
        "write each label once; begin further text with a blank",
    ),
    "unreadable": ("warning", "the value cannot be read: left out", f"write it as the form says: {_SEE}"),
    "check-digit": ("warning", "the check digit or letter is wrong", "correct the number"),
    "no-end": (
        "error",
        f"the notice has no line {END}, so it may have been cut: not taken",
        f"send it again whole, up to {END}",
    ),
    "second-child": (
        "error",
        "the notice names a second child, of whom nobody is told: only the first was taken",
        "write a notice of its own for each child",
    ),
    "nobody": ("error", "the notice names no child: not taken", "give first name, surname and date of birth"),
    "no-reference": ("error", "the notice has no police reference: not taken", "add the police reference"),
    "too-long": ("error", "the notice is too long: not taken", "shorten it"),
    "nothing-to-withdraw": (
        "error",
        "withdraws a notice that was never sent: not taken",
        "check reference, name and date of birth",
    ),
    "nothing-to-correct": (
        "error",
        "corrects what was never sent, or one of several children: told as a new notice, and what was told before stands",
        "withdraw the wrong notice, or name it in `Replaces notice` by the `Notice id` that it was sent with",
    ),
    "in-the-future": ("error", "the date is in the future: told without it", "correct the date and send the notice again"),
    "birth-date-missing": ("warning", "the notice has no date of birth: the child may not be found", "add the date of birth"),
}


class _Notice(NamedTuple):
    """The lines of one notice: label to line number and text."""

    line: int
    said: dict[str, tuple[int, str]]
    wrong: list[tuple[int, str]]


class EncompassNotice:
    """The connector for Operation Encompass notices, in and out."""

    name: str = FORMAT
    sector: Sector = Sector.POLICE

    def claims(self, names: tuple[str, ...]) -> bool:
        """Tell whether this is one text file."""
        return len(names) == 1 and names[0].lower().endswith(".txt")

    def read(self, delivery: Delivery, memory: Memory) -> Iterator[Event | Finding]:
        """Yield an event for each notice that names a child; sent again it says nothing, with other words it is an update.

        Raises DeliveryError when the file is no text or holds no notice, CutOffError when it breaks off in its only one.
        """
        (piece,) = delivery.pieces
        found = cut = False
        with open_text(piece) as stream:
            if stream.encoding == "cp1252":
                yield _finding("encoding", 1)
            for one in _notices(stream):
                if isinstance(one, Finding):
                    found, cut = found or one.rule == "too-long", cut or one.rule == "no-end"
                    yield one
                    continue
                found = True
                yield from _read_notice(one, delivery, memory)
        if cut and not found:
            raise CutOffError(f"file breaks off in its only notice, before the line {END}: send it again whole")
        if not found:
            raise DeliveryError(f"file holds no notice: each begins with the line {BEGIN}")

    def form(self) -> str:
        """Return how a notice is written, for whoever writes one."""
        return form_in_words()

    def write(self, disclosure: Mapping[str, Any], words: Words = _NO_WORDS) -> str:
        """Return the notice of one disclosure: what was granted, and no line for what was not."""
        return "\n".join([BEGIN, *written_lines(disclosure, words), END, ""])


def _read_notice(notice: _Notice, delivery: Delivery, memory: Memory) -> Iterator[Event | Finding]:
    wrong = notice.wrong
    read: dict[str, dict[str, Any]] = {}
    today = datetime.fromtimestamp(delivery.received_at / 1000, LOCAL).date().isoformat()
    for label, (line, text) in notice.said.items():
        group, field, kind = LABELS[label]
        value = read_value(label, text)
        if value is None:
            wrong.append((line, "unreadable"))
            continue
        if kind in {"date", "when"} and value[:10] > today:
            wrong.append((line, "in-the-future"))
            continue
        read.setdefault(group, {})[field] = value
    event = _event(notice, read, delivery, memory)
    labels = {line: label for label, (line, _) in notice.said.items()}
    yield from (_finding(rule, line, labels.get(line)) for line, rule in sorted(wrong))
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
    told, marks = Told(memory, delivery.agency.id), read.get("notice", {})
    withdrawn = marks.get("kind") == "RETRACTION"
    corrects = None if withdrawn else _corrected(notice, marks, told, (record, reference))
    content = WITHDRAWN if withdrawn else digest(json.dumps([body, said, coded], sort_keys=True).encode())
    version = told.version(record, content, corrects)
    if not version.is_new:
        return None
    if withdrawn and not version.before:
        wrong.append((notice.line, "nothing-to-withdraw"))
        return None
    header = Header(
        event_id=version.event_id,
        event_type="police.encompass.notified",
        action=Action.RETRACT if withdrawn else Action.UPDATE if version.before else Action.NEW,
        supersedes=version.before,
        producer=delivery.agency.id,
        sector=Sector.POLICE,
        occurred_at=said.get("occurred_at"),
        recorded_at=delivery.received_at,
        received_at=delivery.received_at,
        sequence=len(version.versions),
        subject_role=SubjectRole.SUBJECT,
        told_family=said.get("told_family", ToldFamily.NOT_SAID),
        attributes=coded,
        contact_point=said.get("contact_point"),
        source=Source("", FORMAT, _VERSION, delivery.pieces[0].digest, f"line {notice.line}"),
    )
    quality = tuple(QualityFinding(rule, "notice", _RULES[rule][0]) for _, rule in sorted(wrong))
    event = Event(header, {"identity": identity} if withdrawn else body, None, quality)
    if delivery.takes(event):
        told.note(record, version, reference, marks.get("disclosure_id"), corrects)
    return event


def _corrected(notice: _Notice, marks: dict[str, Any], told: Told, of: tuple[str, str]) -> str | None:
    """Return the record that a correction takes the place of; that there is none is a finding."""
    if marks.get("kind") != "CORRECTION" and "replaces" not in marks:
        return None
    corrects = told.corrected(*of, marks.get("replaces"))
    if corrects is None:
        notice.wrong.append((notice.line, "nothing-to-correct"))
    return corrects


def _body(notice: _Notice, read: dict[str, dict[str, Any]]) -> Body:
    identity: Identity = {"identifiers": [], "names": [], **read.get("identity", {})}  # type: ignore[typeddict-item] # by LABELS
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
        body["narrative"] = {"checked": "checked_by_role" in account, **account}  # type: ignore[typeddict-item] # by LABELS
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
        if mark == BEGIN or (notice and (mark == END or size > _LONGEST_NOTICE)):
            if notice:
                yield _closed(notice, mark, line, size)
            notice, label, size, stray = (_Notice(line, {}, []) if mark == BEGIN else None), "", 0, False
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
    return notice if mark == END else _finding("no-end", line, cut_off=not mark)


def _take_line(notice: _Notice, label: str, text: str, line: int) -> str:
    """Put one line where it belongs and return the label that lines begun with a blank go on from."""
    found = _LINE.match(text.strip())
    known = BY_LABEL.get(" ".join(found[1].split()).lower()) if found else None
    further = not text or text[0] in " \t"
    if further and not (known and label and LABELS[label][0] in ONE_LINE):
        if label:
            first, said = notice.said[label]
            notice.said[label] = first, f"{said}\n{text.strip()}"
        return label
    if found is None or known is None:
        notice.wrong.append((line, "unknown-label"))
        return ""
    second = (rule == "second-child" for _, rule in notice.wrong)
    if known[0] in _OF_THE_CHILD and any(second):
        return ""
    if known[0] in notice.said:
        other = known[0] in _NAMES_A_CHILD and notice.said[known[0]][1].split() != found[2].split()
        notice.wrong.append((line, "second-child" if other else "label-twice"))
        return ""
    notice.said[known[0]] = line, found[2]
    return known[0]


def _finding(rule: str, line: int, label: str | None = None, *, cut_off: bool = False) -> Finding:
    severity, message, remedy = _RULES[rule]
    return Finding(severity, rule, f"line {line}, {label}" if label else f"line {line}", message, remedy, cut_off)
