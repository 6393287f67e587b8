"""Reads a council's identity extract (CSV, as the single unique identifier pilots export it): who is behind its local ids.

Two forms are known: `GivenName,Surname,Email,DOB`, and a wide one with `SourceID`, `Forename`, `Gender`, `PostCode` and
`NHSNumber` among columns that are not needed and not read. Columns are found by name. A person is published when new or
changed since the extract before; who is no longer in it is not taken back, as an extract holds open cases only.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from broker.core.intake.delimited import BadRow, rows_of
from broker.core.intake.delivery import Delivery, Finding, Memory, open_text
from broker.core.model.event import (
    Action,
    Assertion,
    Body,
    Event,
    Header,
    Identifier,
    Identity,
    QualityFinding,
    Sector,
    Source,
    SubjectRole,
)
from broker.core.model.identifiers import EventId, digest, event_id, nhs_number_is_valid
from broker.errors import DeliveryError

_FORMAT = "sui-extract"
# What we read, by the column names met, in lower case without spaces.
_COLUMNS = {
    "local_id": ("sourceid",),
    "given": ("givenname", "forename"),
    "family": ("surname", "familyname"),
    "birth": ("dob", "dateofbirth"),
    "sex": ("gender", "sex"),
    "postcode": ("postcode",),
    "nhs": ("nhsnumber",),
    "email": ("email",),
}
_NEEDED = {"given": "forename", "family": "surname", "birth": "birth date"}
_SEX = {"f": "F", "female": "F", "2": "F", "m": "M", "male": "M", "1": "M", "u": "U", "unknown": "U", "0": "U", "9": "U"}
_POSTCODE = re.compile(r"([A-Z]{1,2}\d[A-Z\d]?)(\d[A-Z]{2})\Z")
_NOWHERE = "ZZ99"  # NHS pseudo postcodes: no fixed abode, address unknown: equal for many, so no help in telling who is who
_DATES = (
    (re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ].*)?\Z"), (1, 2, 3)),
    (re.compile(r"(\d\d?)/(\d\d?)/(\d{4})(?: .*)?\Z"), (3, 2, 1)),
    (re.compile(r"(\d{4})(\d\d)(\d\d)\Z"), (1, 2, 3)),
)
_PART_OF_DATE = re.compile(r"\d{4}(-(0[1-9]|1[0-2]))?\Z")  # a year or month: kept with the precision it has
_LONGEST_TEXT = 100
_RULES: dict[str, tuple[Any, str, str]] = {
    "encoding": ("info", "not UTF-8: read as Windows-1252", "save it as UTF-8 so that every name is right"),
    "no-rows": ("error", "the first line names the columns, and nobody follows", "export it again"),
    "row-form": ("error", "the row does not fit the columns: not taken", "correct quotation marks and separators"),
    "row-too-long": ("error", "the line is too long: not taken", "correct the line"),
    "nobody": ("error", "neither local id, NHS number nor full name: not taken", "add what identifies the child"),
    "birth-date": ("error", "no readable birth date, without which nobody is recognised: not taken", "write it as YYYY-MM-DD"),
    "birth-date-future": ("warning", "the birth date is in the future", "correct the date"),
    "name-missing": ("warning", "forename or surname is missing", "add the name"),
    "nhs-number-form": ("warning", "the NHS number is not ten digits: left out", "correct it; a spreadsheet may have cut zeros"),
    "nhs-number-check": ("warning", "the NHS number's check digit is wrong", "trace the number"),
    "postcode-form": ("warning", "not a postcode: left out", "correct the postcode"),
    "postcode-nowhere": ("info", "a postcode that stands for no address: left out", "nothing to do"),
    "sex-code": ("warning", "the code for sex is not known: left out", "write Female, Male or Unknown"),
    "local-id-twice": (
        "warning",
        "the local id stands here with another name: taken as an alias",
        "merge the records, or give each its id",
    ),
    "local-id-clash": ("error", "the local id stands here with another birth date: not taken", "give each child its own id"),
}


class _Person(NamedTuple):
    """One row, read."""

    local_id: str
    nhs: str
    given: str
    family: str
    birth: str
    sex: str
    sex_as_recorded: str
    postcode: str
    email: str


class SuiExtract:
    """The connector for a council's identity extract."""

    name: str = _FORMAT
    sector: Sector = Sector.COUNCILS

    def claims(self, names: tuple[str, ...]) -> bool:
        """Tell whether this is one CSV file."""
        return len(names) == 1 and names[0].lower().endswith(".csv")

    def read(self, delivery: Delivery, memory: Memory) -> Iterator[Event | Finding]:
        """Yield everybody who is new or changed since the extract before.

        Raises DeliveryError when the columns that tell who somebody is are not there, or the file is no text.
        """
        (piece,) = delivery.pieces
        with open_text(piece) as stream:
            lines = rows_of(stream)
            first = next(lines, (0, None))
            columns, width = _find_columns(first), len(first[1] or ())
            if stream.encoding == "cp1252":
                yield _finding("encoding", "file")
            reading = _Reading(delivery, memory)
            rows = 0
            for line, cells in lines:
                rows += 1
                yield from reading.row(line, _fitted(cells, width), columns)
            if not rows:
                yield _finding("no-rows", "file")
            reading.close()


class _Reading:
    """One extract being read; what is wrong with a row is collected in `wrong`."""

    def __init__(self, delivery: Delivery, memory: Memory) -> None:
        self._delivery = delivery
        self._memory = memory
        self._today = datetime.fromtimestamp(delivery.received_at / 1000, UTC).date().isoformat()
        last = memory.get(f"{_FORMAT}/last")
        self._number = int(last) + 1 if last else 1
        self._wrong: list[str] = []

    def row(self, line: int, cells: list[str] | BadRow, columns: dict[str, int]) -> Iterator[Event | Finding]:
        """Yield what one row says."""
        self._wrong = []
        made = None
        if isinstance(cells, BadRow):
            self._wrong.append(cells.value)
        elif any(cell.strip() for cell in cells):
            made = self._publish(self._person(cells, columns), line)
        yield from (_finding(rule, f"line {line}") for rule in self._wrong)
        if made:
            yield made

    def close(self) -> None:
        """Remember that this extract was read."""
        self._memory.put(f"{_FORMAT}/last", str(self._number).encode())

    def _person(self, cells: list[str], columns: dict[str, int]) -> _Person:
        text = {name: " ".join(cells[at].split())[:_LONGEST_TEXT] for name, at in columns.items()}
        if not (text["given"] and text["family"]):
            self._wrong.append("name-missing")
        sex = _SEX.get(text.get("sex", "").lower(), "")
        if text.get("sex") and not sex:
            self._wrong.append("sex-code")
        return _Person(
            local_id=text.get("local_id", ""),
            nhs=self._nhs_number(text.get("nhs", "")),
            given=text["given"],
            family=text["family"],
            birth=self._birth_date(text["birth"]),
            sex=sex,
            sex_as_recorded=text.get("sex", "") if sex else "",
            postcode=self._postcode(text.get("postcode", "")),
            email=text.get("email", ""),
        )

    def _nhs_number(self, text: str) -> str:
        number = text.replace(" ", "").replace("-", "")
        if not number:
            return ""
        if not re.fullmatch(r"[0-9]{10}", number):
            self._wrong.append("nhs-number-form")
            return ""
        if not nhs_number_is_valid(number):
            self._wrong.append("nhs-number-check")
        return number

    def _birth_date(self, text: str) -> str:
        found = _read_date(text)
        if found is None:
            self._wrong.append("birth-date")
            return ""
        if found > self._today:
            self._wrong.append("birth-date-future")
        return found

    def _postcode(self, text: str) -> str:
        if not text:
            return ""
        found = _POSTCODE.match(text.replace(" ", "").upper())
        if found is None or found[1] == _NOWHERE:
            self._wrong.append("postcode-nowhere" if found else "postcode-form")
            return ""
        return f"{found[1]} {found[2]}"

    def _publish(self, person: _Person, line: int) -> Event | None:
        """Return the event of a row that says something new."""
        if not (person.local_id or person.nhs or (person.given and person.family)):
            self._wrong.append("nobody")
            return None
        if not person.birth:
            return None
        record = person.local_id or digest(f"{person.nhs}|{person.given}|{person.family}|{person.birth}".lower().encode())
        key = f"{_FORMAT}/person/{record}"
        stored = self._memory.get(key)
        known: dict[str, Any] = json.loads(stored) if stored else {"version": 0, "number": 0, "rows": []}
        rows = [_Person(*row) for row in known["rows"]]
        again = known["number"] == self._number
        if person in rows:
            self._memory.put(key, _remembered(known["version"], self._number, rows))
            return None
        if again and any(person.birth != row.birth for row in rows):
            self._wrong.append("local-id-clash")
            return None
        if again:
            self._wrong.append("local-id-twice")
        kept = [*rows, person] if again else [person]
        version = known["version"] + 1
        before = self._id(record, known["version"], rows) if rows else None
        event = self._event(kept, (self._id(record, version, kept), before), version, line)
        if self._delivery.takes(event):
            self._memory.put(key, _remembered(version, self._number, kept))
        return event

    def _id(self, record: str, version: int, rows: list[_Person]) -> EventId:
        said = digest(json.dumps(rows).encode())
        return event_id(f"{_FORMAT}:{self._delivery.agency.id}", record, f"{version}:{said}")

    def _event(self, rows: list[_Person], ids: tuple[EventId, EventId | None], version: int, line: int) -> Event:
        own_id, before = ids
        agency, received = self._delivery.agency, self._delivery.received_at
        header = Header(
            event_id=own_id,
            event_type="council.person.registered",
            action=Action.UPDATE if before else Action.NEW,
            supersedes=before,
            producer=agency.id,
            sector=Sector.COUNCILS,
            area=agency.area,
            recorded_at=received,
            received_at=received,
            sequence=received + version,
            subject_role=SubjectRole.SUBJECT,
            assertion=Assertion.FACT,
            source=Source("", _FORMAT, "", self._delivery.pieces[0].digest, f"line {line}"),
        )
        quality = tuple(QualityFinding(rule, "row", _RULES[rule][0]) for rule in self._wrong)
        return Event(header, _body(rows, agency.id), None, quality)


def _body(rows: list[_Person], issuer: str) -> Body:
    """Say who the person is, by the newest row; the names of the others are aliases."""
    person = rows[0]
    identifiers: list[Identifier] = []
    if person.local_id:
        identifiers.append({"scheme": "la_child_id", "value": person.local_id, "issuer": issuer})
    numbers = dict.fromkeys(row.nhs for row in rows if row.nhs)
    identifiers += [{"scheme": "nhs_number", "value": number, "check_ok": nhs_number_is_valid(number)} for number in numbers]
    identity: Identity = {"identifiers": identifiers}
    names = dict.fromkeys((row.given, row.family) for row in rows if row.given or row.family)
    identity["names"] = [
        {"given": given, "family": family, "kind": "alias" if at else "usual"} for at, (given, family) in enumerate(names)
    ]
    if person.birth:
        identity["birth_date"] = person.birth
    if person.sex:
        identity["sex"], identity["sex_as_recorded"] = person.sex, person.sex_as_recorded
    body: Body = {"identity": identity}
    postcode, email = rows[-1].postcode or person.postcode, rows[-1].email or person.email
    if postcode:
        body["location"] = {"postcode": postcode}
    if email:
        body["contact"] = {"emails": [email]}
    return body


def _remembered(version: int, number: int, rows: list[_Person]) -> bytes:
    return json.dumps({"version": version, "number": number, "rows": rows}).encode()


def _finding(rule: str, place: str) -> Finding:
    severity, message, remedy = _RULES[rule]
    return Finding(severity, rule, place, message, remedy)


def _read_date(text: str) -> str | None:
    """Return a date as ISO 8601 with the precision it has, or None."""
    if _PART_OF_DATE.match(text):
        return text
    for form, order in _DATES:
        found = form.match(text)
        if found:
            try:
                return date(*(int(found[group]) for group in order)).isoformat()
            except ValueError:
                return None
    return None


def _fitted(cells: list[str] | BadRow, width: int) -> list[str] | BadRow:
    """Return a row as wide as the first line; one that has more in it, or less, would be read shifted."""
    if isinstance(cells, BadRow) or not any(cell.strip() for cell in cells):
        return cells
    return cells if len(cells) == width else BadRow.FORM


def _find_columns(first: tuple[int, list[str] | BadRow | None]) -> dict[str, int]:
    names = [] if isinstance(first[1], BadRow | None) else [re.sub(r"\s", "", cell).lower() for cell in first[1]]
    found = {
        what: next(names.index(spelling) for spelling in spellings if spelling in names)
        for what, spellings in _COLUMNS.items()
        if any(spelling in names for spelling in spellings)
    }
    twice = sorted({names[at] for at in found.values() if names.count(names[at]) > 1})
    if twice:
        raise DeliveryError(f"file has more than one column `{twice[0]}`: nobody can know which counts, so leave one")
    missing = [word for what, word in _NEEDED.items() if what not in found]
    if missing:
        raise DeliveryError(f"file has no column for {' and '.join(missing)}: the first line must name the columns")
    return found
