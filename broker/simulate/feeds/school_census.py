"""Writes a school's census as the COLLECT export has it: CSV tables joined by table ids, dates like `2026-Nov-14 00:00:00`."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from random import Random
from typing import TextIO

from broker.simulate import numbers
from broker.simulate.area import Child
from broker.simulate.cast import safe_street

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PUPIL = (
    "NativeId", "dob", "surname", "forename", "middlenames", "preferredsurname", "formersurname", "upn", "formerupn",
    "uniquelearnernumber", "sex", "entrydate", "enrolstatus", "senprovision", "ncyearactual", "youngcarer",
)  # fmt: skip
_ADDRESS = (
    "NativeId",
    "paon",
    "saon",
    "street",
    "locality",
    "town",
    "county",
    "postcode",
    "addressline1",
    "uniquepropertyreferencenumber",
)
_EXCLUSION = ("NativeId", "startdate", "sessions", "reason1", "reason2", "reason3", "category", "senprovision")


@dataclass(frozen=True, slots=True)
class Pupil:
    """What a school writes of one pupil. `left`: the day it left; `exclusions`: start, category, reason, sessions."""

    child: Child
    entered: date
    left: date | None = None
    exclusions: tuple[tuple[date, str, str, str], ...] = ()
    safe_address: bool = False
    tidy: bool = True


@dataclass(slots=True)
class CensusSet:
    """The tables of one school for one term, opened as rows come."""

    folder: Path
    school: str
    term: str
    seed: int
    files: dict[str, TextIO] = field(default_factory=dict)
    rows: int = 0

    def add(self, pupils: Iterable[Pupil]) -> None:
        """Write pupils with their addresses and exclusions."""
        for pupil in pupils:
            off = pupil.left is not None
            table_id = f"{numbers.record_number(pupil.child.number)[1:]}-{self.school[-3:]}"
            self._pupil(pupil, table_id)
            self._row(f"addresses{'off' if off else 'on'}roll", _join(off=off), _ADDRESS, [table_id, *self._address(pupil)])
            for start, category, reason, sessions in pupil.exclusions:
                said = [self._native, _day(start), sessions, reason, "", "", category, "N"]
                self._row(f"termlyexclusions{'off' if off else 'on'}roll", _join(off=off), _EXCLUSION, [table_id, *said])

    def close(self) -> tuple[Path, ...]:
        """Close the tables and return their files."""
        for out in self.files.values():
            out.close()
        return tuple(sorted(Path(out.name) for out in self.files.values()))

    @property
    def _native(self) -> str:
        return f"SCH{self.school[-3:]}"

    def _pupil(self, pupil: Pupil, table_id: str) -> None:
        child, random = pupil.child, Random(f"{self.seed}/{pupil.child.number}/census")
        wrong = not pupil.tidy and random.random() < 0.03
        upn = "" if not pupil.tidy and random.random() < 0.02 else numbers.unique_pupil_number(child.number, wrong_letter=wrong)
        name = _written(child.family, random)
        year = max(0, pupil.entered.year - child.birth_date.year - 5)
        said = [
            self._native,
            _day(child.birth_date),
            name,
            child.given,
            "",
            name,
            "",
            upn,
            "",
            "",
            child.sex,
            _day(pupil.entered),
        ]
        if pupil.left is None:
            self._row("pupilonroll", "pupilonrolltableid", _PUPIL, [table_id, *said, "C", "N", str(year), "N"])
        else:
            columns = (*_PUPIL[:12], "leavingdate")
            self._row("pupilnolongeronroll", "pupilnolongeronrolltableid", columns, [table_id, *said, _day(pupil.left)])

    def _address(self, pupil: Pupil) -> list[str]:
        child, random = pupil.child, Random(f"{self.seed}/{pupil.child.number}/address")
        street = safe_street(child) if pupil.safe_address else child.street
        postcode = numbers.postcode(child.household, safe=True) if pupil.safe_address else child.postcode
        if not pupil.tidy and random.random() < 0.02:
            postcode = ""
        elif random.random() < 0.2:
            postcode = postcode.replace(" ", "").lower()
        return [self._native, child.building, "", street, "", "Eskmouth", "Eskshire", postcode, "", ""]

    def _row(self, table: str, join: str, columns: tuple[str, ...], values: list[str]) -> None:
        if table not in self.files:
            path = self.folder / f"{self.term}_{table}.csv"
            self.files[table] = path.open("w", encoding="utf-8", newline="")
            csv.writer(self.files[table]).writerow([join, *columns])
        csv.writer(self.files[table]).writerow(values)
        self.rows += 1


def _join(*, off: bool) -> str:
    return "pupilnolongeronrolltableid" if off else "pupilonrolltableid"


def _written(family: str, random: Random) -> str:
    """Return a family name as a school clerk writes it: shouted, or without its hyphen; both are the same name."""
    kind = random.random()
    return family.upper() if kind < 0.2 else family.replace("-", " ") if kind < 0.3 else family


def _day(day: date) -> str:
    return f"{day.year}-{_MONTHS[day.month - 1]}-{day.day:02d} 00:00:00"
