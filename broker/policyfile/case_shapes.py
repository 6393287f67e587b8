"""The shape of a case: what must come of one event about one child, with the reasons, written beside the rules."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from broker.policyfile.reading import CASES, Fault
from broker.policyfile.shapes import Names, Text
from broker.policyfile.world import PLACES

DEFAULT_DAY = date(2026, 11, 10)
_CASE = "[[case]]"


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FindingOf(_Shape):
    """A judgement that people made about the child of a case."""

    kind: Text
    by: str = ""
    to: Names = ()
    lapsed: bool = False


class AgreementOf(_Shape):
    """What was agreed about the child of a case."""

    state: Text
    to: Names = ()
    about: Names = ()


class Child(_Shape):
    """The child of a case: nine, at `school`, with `practice`, in the area `home`, unless the case says otherwise."""

    age: int | None = 9
    born: bool = True
    area: Literal["home", "away", "unknown"] = "home"
    school: Names = ("school",)
    gp: Names = ("practice",)
    ties: dict[Text, Text] = {}  # other relations: social_care, yjs, hospital
    ended_now: dict[Text, Text] = {}  # relations that this event's instant ends
    status: dict[Text, Text] = {}
    protection: Names = ()
    finding: tuple[FindingOf, ...] = ()
    agreement: dict[Text, AgreementOf] = {}
    wish: dict[Text, Text] = {}
    referrer: str | None = None
    retracted: bool = False
    on_hold: bool = False


class Told(_Shape):
    """Somebody is told: who, the categories, the rules that say so, and the rules that keep something back.

    `by_agreement` are the categories that go only because somebody agreed: when that is withdrawn, they are taken back.
    """

    who: Text
    gets: Names
    because: Names
    held_back_by: Names = ()
    short: Names = ()
    without: Names = ()
    by_agreement: Names = ()
    clock: str | None = None
    basis: str | None = None


class NotTold(_Shape):
    """Somebody possible is not told, and why."""

    who: Text
    because: Names


class AskedAbout(_Shape):
    """A person is asked whether somebody may be told of some categories."""

    who: Text
    about: Names
    of: Text
    because: Names


class Case(_Shape):
    """One case."""

    name: Text
    why: Text
    event: Text
    publisher: str | None = None
    on: date = DEFAULT_DAY
    action: Literal["new", "update", "retract"] = "new"
    purpose: str = "safeguarding"
    subject_role: str = "subject"
    assertion: str = "fact"
    area: Literal["home", "away"] | None = None
    excluded: Names = ()
    expired: bool = False
    attributes: dict[str, str] = {}
    child: Child = Field(default_factory=Child)
    told: tuple[Told, ...] = ()
    not_told: tuple[NotTold, ...] = ()
    asked: tuple[AskedAbout, ...] = ()
    gaps: Names = ()

    @field_validator("publisher", mode="after")
    @classmethod
    def _place(cls, value: str | None) -> str | None:
        if value is not None and value not in PLACES:
            raise ValueError(f"no place `{value}`: use one of {', '.join(PLACES)}")
        return value


@dataclass(frozen=True, slots=True)
class Placed:
    """A case and where it stands."""

    case: Case
    file: str
    line: int


def read_cases(folder: Path) -> tuple[list[Placed], list[Fault]]:
    """Read every file of cases in a folder, with every fault at once."""
    found: list[Placed] = []
    faults: list[Fault] = []
    for path in sorted(folder.glob(f"*{CASES}")):
        text = path.read_text(encoding="utf-8")
        lines = [at for at, line in enumerate(text.splitlines(), 1) if line.strip().startswith(_CASE)]
        try:
            tables = tomllib.loads(text).get("case", [])
        except tomllib.TOMLDecodeError as error:
            faults.append(Fault(path.name, 1, "", f"this is not TOML: {error}", "mend the line"))
            continue
        for table, line in zip(tables, lines, strict=False):
            try:
                found.append(Placed(Case.model_validate(table), path.name, line))
            except ValidationError as error:
                faults += [_unread(one, path.name, line, table) for one in error.errors()]
    return found, faults


def _unread(error: Mapping[str, Any], file: str, line: int, table: Mapping[str, Any]) -> Fault:
    where = ".".join(str(one) for one in error["loc"])
    what = f"unknown key `{where}`" if error["type"] == "extra_forbidden" else f"`{where}` cannot be read"
    return Fault(file, line, str(table.get("name", "")), what, str(error["msg"]).lower())
