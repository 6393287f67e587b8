"""The canonical form: one event as a JSON object on one line, for an agency whose system has no native connector.

Its fields are those of `schemas/event.avsc`, from which the checks are made. Left out may be what the broker can fill without
guessing: who publishes, the sector, the source and the event's id. Messages name line and field, never a value.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, Optional, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, create_model

import schemas
from broker import codec
from broker.core.account.harmless import acts
from broker.core.intake.publishing import InForce, faults_of
from broker.core.model.event import Event, Sector
from broker.core.model.identifiers import AgencyId, digest, event_id, is_event_id, nhs_number_is_valid, upn_is_valid
from broker.errors import BrokerError

LONGEST_LINE = 1024 * 1024
ACTS = "control_character"  # the finding on an event of which some text acts where it is shown
_INSTANTS = ("recorded_at", "received_at", "expires_at")
_INSTANT = "an instant with its zone (2026-11-20T09:00:00Z), or milliseconds since 1970"
_SECONDS = 100_000_000_000  # as milliseconds that is 1973, as seconds the year 5138: nobody means either
_PRECISE = r"^\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?)?)?$"
_IDS = frozenset(("event_id", "supersedes", "concerns_event"))
_PATTERNS = {
    "event_type": r"^[a-z0-9_]+(\.[a-z0-9_]+)+$",
    "occurred_at": _PRECISE,
    "birth_date": r"^\d{4}(-\d\d(-\d\d)?)?$",
    "expected_birth_date": r"^\d{4}(-\d\d(-\d\d)?)?$",
    "death_date": r"^\d{4}(-\d\d(-\d\d)?)?$",
    "since": _PRECISE,
    "until": _PRECISE,
}
_NAME = re.compile(r"[a-z_]{1,40}")
_HALF = re.compile("[\ud800-\udfff]")
_DATES = frozenset(("occurred_at", "birth_date", "expected_birth_date", "death_date", "since", "until"))
_SECTORS = (
    ("police:", Sector.POLICE),
    ("urn:", Sector.SCHOOLS),
    ("ods:", Sector.HEALTH),
    ("E", Sector.COUNCILS),
    ("W", Sector.COUNCILS),
)
# What people type in their own words, where a text may have several lines.
_ACCOUNTS = frozenset(
    {"text", "words", "presentation", "findings", "disposition", "decision", "next_step", "functional_impact", "reason"}
    | {"told_family_reason", "contact_point"}
)
_LARGEST = {"long": (1 << 63) - 1, "int": (1 << 31) - 1}
_CHECKS = {"nhs_number": nhs_number_is_valid, "upn": upn_is_valid, "former_upn": upn_is_valid}


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that could not be taken: which, and what is wrong with it, one entry per fault."""

    line: int
    faults: tuple[str, ...]


def read_lines(
    lines: Iterable[bytes], agency: AgencyId, known: InForce, check: Callable[[Event], object] = lambda _: None
) -> Iterator[Event | BadLine]:
    """Read events one per line as this agency; a line that cannot be taken comes out as what is wrong with it.

    `known` is what the events will meet; `check` may refuse one by raising one of our errors.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = _event(_content(line), line, number, agency, known)
            faults = tuple(faults_of(event, known))
            if not faults:
                check(event)
        except _FaultyLineError as error:
            faults = error.faults
        except BrokerError as error:
            faults = (str(error),)
        yield BadLine(number, faults) if faults else event


def sector_of(agency: AgencyId) -> Sector | None:
    """Tell an agency's sector from the form of its id; None when the form says none."""
    return next((sector for prefix, sector in _SECTORS if agency.startswith(prefix)), None)


class _FaultyLineError(Exception):
    """Raised when a line holds no event; caught in this file, it never leaves it."""

    def __init__(self, *faults: str) -> None:
        super().__init__()
        self.faults = faults


def _content(line: bytes) -> dict[str, Any]:
    """Return what a line holds."""
    if len(line) > LONGEST_LINE:
        raise _FaultyLineError(f"line is longer than {LONGEST_LINE} bytes: send one event per line")
    try:
        content = json.loads(line, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise _FaultyLineError("line is not JSON in UTF-8: one event, one object, one line") from None
    if not isinstance(content, dict) or not isinstance(content.get("header"), dict):
        raise _FaultyLineError("line must hold an object with a `header`")
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; of a field that stands twice nobody could tell which was meant."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        shown = name if _NAME.fullmatch(name) else "?"
        if name in found:
            raise _FaultyLineError(f"field `{shown}`: stands twice: take one out")
        if any(
            isinstance(text, str) and _HALF.search(text) for text in (name, *(value if isinstance(value, list) else (value,)))
        ):
            raise _FaultyLineError(f"field `{shown}`: holds half a sign (a lone surrogate), which no text can: mend the export")
        found[name] = value
    return found


def _event(content: Mapping[str, Any], line: bytes, number: int, agency: AgencyId, known: InForce) -> Event:
    try:
        checked = _model().model_validate(_filled(content, line, number, agency, known.sector))
    except ValidationError as error:
        raise _FaultyLineError(*(_fault(one["loc"], one["type"], one["msg"]) for one in error.errors())) from None
    return codec.event_from_message(_with_doubts(_with_checks(checked.model_dump(mode="python"))))


def _filled(content: Mapping[str, Any], line: bytes, number: int, agency: AgencyId, sector: Sector | None) -> dict[str, Any]:
    """Fill what the line left out and the broker knows."""
    given = content["header"]
    source = {
        "system": "canonical",
        "format": "canonical",
        "format_version": "1",
        "native_digest": digest(line.strip()),
        "location": f"line {number}",
        **(given["source"] if isinstance(given.get("source"), dict) else {}),
    }
    said = json.dumps(content, sort_keys=True, separators=(",", ":"))
    header = {
        "event_id": event_id(f"{agency}/{source['system']}", "canonical", digest(said.encode())),
        "producer": agency,
        "action": "NEW",
        "subject_role": "UNKNOWN",
        "assertion": "NOT_SAID",
        "told_family": "NOT_SAID",
        **({"sector": sector.value} if sector else {}),
        **given,
        "source": source if isinstance(given.get("source", {}), dict) else given["source"],
    }
    for name in _INSTANTS:
        header[name] = _millis(header.get(name))
    return {**content, "header": {name: value for name, value in header.items() if value is not None}}


def _millis(value: object) -> object:
    """Take an ISO 8601 instant with its zone for milliseconds since 1970; leave anything else to the checks."""
    if not isinstance(value, str):
        return value
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return value
    return value if at.tzinfo is None else int(at.timestamp() * 1000)


def _with_checks(message: dict[str, Any]) -> dict[str, Any]:
    """Say of each identifier whether its check digit or letter agrees, where the line did not."""
    for one in (message.get("identity") or {}).get("identifiers") or ():
        check = _CHECKS.get(one["scheme"])
        if check is not None and one.get("check_ok") is None:
            one["check_ok"] = check("".join(one["value"].split()).upper())
    return message


def _with_doubts(message: dict[str, Any]) -> dict[str, Any]:
    """Find the fields whose text does something where it is shown: the event is taken, and says so of itself."""
    said = {name: group for name, group in message.items() if name != "quality"}
    found = [{"rule": ACTS, "field": name, "severity": "warning"} for name in sorted(set(_acting(said, "")))]
    return {**message, "quality": [*message["quality"], *found]} if found else message


def _acting(value: Any, name: str) -> Iterator[str]:
    """Yield the name of each field that holds a control character or turns text round; an account has lines, a name has one."""
    if isinstance(value, str):
        lines = value.replace("\t", " ").splitlines() if name.rpartition(".")[2] in _ACCOUNTS else (value,)
        if any(map(acts, lines)):
            yield name
    elif isinstance(value, list):
        for one in value:
            yield from _acting(one, name)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _acting(one, f"{name}.{key}".removeprefix("."))


def _fault(place: tuple[int | str, ...], kind: str, message: str) -> str:
    name = ".".join(str(one) for one in place)
    if kind == "extra_forbidden":
        return f"field `{name}`: unknown: take it out or correct its spelling"
    if kind == "int_type" and place[-1] in _INSTANTS:
        return f"field `{name}`: is no instant: write {_INSTANT}"
    if kind == "missing":
        return f"field `{name}`: missing"
    if kind == "string_pattern_mismatch":
        return f"field `{name}`: is not in the form that it must have (dates are ISO 8601, event types as in the catalogue)"
    said = re.sub(r"\s*\[.*", "", message).removeprefix("Value error, ")
    return f"field `{name}`: {said[:1].lower()}{said[1:]}"


@cache
def _model() -> type[BaseModel]:
    """Return the checks that `event.avsc` asks for, made from it so that there is one source."""
    made: dict[str, Any] = {}
    return cast("type[BaseModel]", _type_of(schemas.whole("event"), "event", made))


def _type_of(schema: Any, name: str, made: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        inner = [_type_of(one, name, made) for one in schema if one != "null"]
        return Optional[inner[0]]  # noqa: UP045 - the type is a value here
    if isinstance(schema, str):
        return _plain(schema.removeprefix("safeguarding."), name, made)
    if schema["type"] == "array":
        return list[_type_of(schema["items"], name, made)]  # type: ignore[misc]  # a type made of a value
    if schema["type"] == "map":
        return dict[str, _type_of(schema["values"], name, made)]  # type: ignore[misc]  # a type made of a value
    if schema["type"] == "enum":
        made[schema["name"]] = Literal[tuple(schema["symbols"])]
        return made[schema["name"]]
    if schema["type"] == "record":
        made[schema["name"]] = _record(schema, made)
        return made[schema["name"]]
    return _type_of(schema["type"], name, made)


def _plain(schema: str, name: str, made: Mapping[str, Any]) -> Any:
    if schema in made:
        return made[schema]
    if schema == "string" and name in _DATES:
        return Annotated[str, Field(pattern=_PATTERNS[name]), AfterValidator(_in_calendar)]
    if schema == "string" and name in _IDS:
        return Annotated[str, AfterValidator(_one_form)]
    if schema == "string" and name in _PATTERNS:
        return Annotated[str, Field(pattern=_PATTERNS[name])]
    if schema == "long" and name in _INSTANTS:
        return Annotated[int, Field(ge=-_LARGEST[schema] - 1, le=_LARGEST[schema]), AfterValidator(_no_seconds)]
    if schema in _LARGEST:
        return Annotated[int, Field(ge=-_LARGEST[schema] - 1, le=_LARGEST[schema])]
    return {"string": str, "boolean": bool, "bytes": bytes, "double": float}[schema]


def _in_calendar(text: str) -> str:
    """Check that a date of any precision, or an instant, is one that there was or will be."""
    try:
        datetime.fromisoformat(text + "2000-01-01"[len(text) :])
    except ValueError:
        raise ValueError("is no date of the calendar") from None
    return text


def _no_seconds(at: int) -> int:
    """Check that an instant is not given in seconds: it would be one of 1970."""
    if 0 < at < _SECONDS:
        raise ValueError(f"is given in seconds, it seems: write {_INSTANT}")
    return at


def _one_form(text: str) -> str:
    """Return an event's id in the one form in which two ids are the same or are not."""
    if not is_event_id(text.lower()):
        raise ValueError("is no UUID: leave `event_id` out, or make it with a UUID of your system's own record")
    return text.lower()


def _record(schema: Mapping[str, Any], made: dict[str, Any]) -> type[BaseModel]:
    fields: dict[str, Any] = {}
    for field in schema["fields"]:
        kind = _type_of(field["type"], field["name"], made)
        fields[field["name"]] = (kind, field["default"]) if "default" in field else (kind, ...)
    return create_model(schema["name"], __config__=ConfigDict(extra="forbid", strict=True, frozen=True), **fields)
