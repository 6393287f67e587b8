"""The shape of a case: what must come of one event about one child, with the reasons, written beside the rules."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from broker.policyfile.mending import mended
from broker.policyfile.reading import CASES, Fault, Piece, in_words, nearest, read_toml
from broker.policyfile.shapes import Day, Names, Text
from broker.policyfile.world import PLACES

DEFAULT_DAY = date(2026, 11, 10)
_CASE = "[[case]]"
_QUOTED = re.compile(r"[\"']([a-z][a-z0-9-]*)[\"']")


def _place(name: str) -> str:
    if name not in PLACES:
        raise ValueError(f"no place `{name}`: use one of {', '.join(PLACES)}")
    return name


Place = Annotated[str, AfterValidator(_place)]


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

    age: Annotated[int | None, Field(ge=0, le=25)] = 9
    born: bool = True
    area: Literal["home", "away", "unknown"] = "home"
    school: tuple[Place, ...] = ("school",)
    gp: tuple[Place, ...] = ("practice",)
    ties: dict[Text, Place] = {}  # other relations: social_care, yjs, hospital
    ended_now: dict[Text, Place] = {}  # relations that this event's instant ends
    status: dict[Text, Place] = {}
    protection: Names = ()
    finding: tuple[FindingOf, ...] = ()
    agreement: dict[Text, AgreementOf] = {}
    wish: dict[Text, Text] = {}
    referrer: Place | None = None
    retracted: bool = False
    on_hold: bool = False


class Told(_Shape):
    """Somebody is told: who, the categories, the rules that say so, and the rules that keep something back.

    `by_agreement` are the categories that go only because somebody agreed: when that is withdrawn, they are taken back.
    `clock` must be said where there is one; `basis` and `keeps_to` (obligations) count where they are said. Who says the
    `basis` says the law with it: the `gateway` where a rule names its own, and `statutory` where one of the rules is.
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
    gateway: Text | None = None
    statutory: bool = False
    keeps_to: Names | None = None


class NotTold(_Shape):
    """Somebody possible is not told, and why."""

    who: Text
    because: Names


class NotSought(_Shape):
    """Nobody fills a role, and nobody is sought in it: the rules that keep the event from whoever would."""

    role: Text
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
    publisher: Place | None = None
    on: Day = DEFAULT_DAY
    action: Literal["new", "update", "retract"] = "new"
    purpose: str = "safeguarding"
    subject_role: Literal["subject", "victim", "witness", "suspect", "associate", "unborn", "unknown"] = "subject"
    assertion: Literal["fact", "opinion", "third_party", "intelligence", "not_said"] = "fact"
    sharing_mode: Literal["content", "existence"] = "content"
    area: Literal["home", "away"] | None = None
    excluded: Names = ()
    expired: bool = False
    attributes: dict[str, str] = {}
    child: Child = Field(default_factory=Child)
    told: tuple[Told, ...] = ()
    not_told: tuple[NotTold, ...] = ()
    asked: tuple[AskedAbout, ...] = ()
    gaps: Names = ()
    not_sought: tuple[NotSought, ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """A case and where it stands; not `whole` when something of it could not be read: then it is not run."""

    case: Case
    file: str
    line: int
    whole: bool = True


def read_cases(folder: Path) -> tuple[list[Placed], list[Fault]]:
    """Read every file of cases in a folder, with every fault at once."""
    found: list[Placed] = []
    faults: list[Fault] = []
    for path in sorted(folder.glob(f"*{CASES}")):
        for piece in read_toml(path, faults):
            for kind, given in piece.tables.items():
                if kind != "case" or not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
                    line = piece.first + 1
                    faults.append(
                        Fault(path.name, line, "", f"`{kind}` is no list of cases", f"write {_CASE} in a file of cases")
                    )
                else:
                    _read_piece(path.name, given, piece, found, faults)
    return found, faults


def mentioned_in(folder: Path, files: Iterable[str]) -> frozenset[str]:
    """Return what stands in quotes in some files: of a rule that is named there nobody can say that no case names it."""
    texts = ((folder / name).read_text(encoding="utf-8", errors="replace") for name in files if (folder / name).is_file())
    return frozenset(quoted for text in texts for quoted in _QUOTED.findall(text))


def _read_piece(file: str, tables: list[dict[str, Any]], piece: Piece, found: list[Placed], faults: list[Fault]) -> None:
    lines = [at for at, line in enumerate(piece.text.splitlines(), 1) if line.strip().startswith(_CASE)]
    for number, table in enumerate(tables):
        line = piece.first + (lines[number] if len(lines) == len(tables) else 1)
        try:
            found.append(Placed(Case.model_validate(table), file, line))
        except ValidationError as error:
            faults += [_unread(one, file, line, table) for one in error.errors()]
            left = mended(table, Case, error)
            found += [Placed(left, file, line, whole=False)] if left else []


def _unread(error: Mapping[str, Any], file: str, line: int, table: Mapping[str, Any]) -> Fault:
    where = ".".join(str(one) for one in error["loc"])
    name = str(table.get("name", ""))
    if error["type"] == "extra_forbidden":
        known = sorted({key for shape in _SHAPES for key in shape.model_fields})
        return Fault(file, line, name, f"unknown key `{where}`", nearest(str(error["loc"][-1]), known))
    if error["type"] == "missing":
        return Fault(file, line, name, f"`{where}` is missing", "add it")
    return Fault(file, line, name, f"`{where}` cannot be read", in_words(error["type"], str(error["msg"])))


_SHAPES = (Case, Child, Told, NotTold, NotSought, AskedAbout, FindingOf, AgreementOf)
