"""The registers as a TOML file that people keep, and as the canonical form that is released.

Every fault is told at once, each with file, entry and remedy. A release is judged by the same rules when it is read back.
"""

import base64
import json
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from broker.core.event import Sector
from broker.core.identifiers import AgencyId, KeyId, Millis, RecipientId, RoleName, digest
from broker.core.registers import (
    LONGEST_TOPIC,
    Agency,
    Area,
    Calendar,
    Recipient,
    Registers,
    SigningKey,
    Subscription,
    is_administrator,
    topic_of,
)
from broker.errors import RegistersError, reason_in_words
from broker.kafkaaccess import Principal


def _as_millis(value: object) -> object:
    """Take a TOML date-time with its zone, or milliseconds since 1970."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("needs a time zone, for example 2026-09-01T00:00:00Z")
        return int(value.timestamp() * 1000)
    return value


def _as_key(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        raw = base64.b64decode(value, validate=True)
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise ValueError("is not an Ed25519 public key in base64: paste the entry that `broker keys new` prints")
    return value


def _as_day(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


_ABSENT_WHEN_UNSAID = {"principal"}  # newer than the first releases: an entry without it keeps the form and digest it had

Instant = Annotated[int, BeforeValidator(_as_millis)]
Day = Annotated[str, BeforeValidator(_as_day), Field(pattern=r"^\d{4}-\d\d-\d\d$")]
Name = Annotated[str, Field(min_length=1)]
Served = Annotated[str, Field(pattern=r"^(urn|ods|la|police):[A-Za-z0-9]+$")]


class _Agency(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Name
    name: Name
    sector: Sector
    area: Name
    registers_people: bool = False
    event_types: list[Name] = []
    principal: Principal | None = None


class _Key(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Name
    holder: Name
    public_key: Annotated[str, BeforeValidator(_as_key)]
    since: Instant = 0
    until: Instant | None = None


class _Subscription(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    event_types: list[Name] = []
    roles: list[Name] = []


class _Recipient(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Name
    name: Name
    agency: Name
    area: Name
    roles: Annotated[list[Name], Field(min_length=1)]
    serves: list[Served] = []
    alternate: str | None = None
    own_topic: bool = True
    principal: Principal | None = None
    contact: str | None = None
    subscription: _Subscription = _Subscription()


class _Area(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Name
    name: Name
    hub: Name
    out_of_hours: str | None = None


class _Calendar(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    of: Name
    time_zone: str = "Europe/London"
    day_start: Annotated[str, Field(pattern=r"^\d\d:\d\d$")] = "09:00"
    closed: list[Day] = []
    terms: list[tuple[Day, Day]] = []


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    version: Name
    area: list[_Area] = []
    agency: list[_Agency] = []
    key: list[_Key] = []
    recipient: list[_Recipient] = []
    calendar: list[_Calendar] = []


def load_registers(path: Path) -> Registers:
    """Read the registers from a TOML file; raises RegistersError with one line per fault."""
    return registers_from_content(load_content(path), where=f"registers file `{path}`")


def load_content(path: Path) -> bytes:
    """Read the registers from a TOML file into their canonical form; raises RegistersError with one line per fault."""
    where = f"registers file `{path}`"
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RegistersError(f"{where}: not there: name the file that holds the registers") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RegistersError(f"{where}: cannot be read: {reason_in_words(error)}") from error
    except tomllib.TOMLDecodeError as error:
        raise RegistersError(f"{where}: not TOML: {str(error).lower()}") from error
    return content_of(_parse(tables, where))


def registers_from_content(content: bytes, where: str = "registers") -> Registers:
    """Make the registers from their canonical form; raises RegistersError with one line per fault."""
    try:
        tables = json.loads(content)
    except ValueError:
        raise RegistersError(f"{where}: the released content is not JSON") from None
    return _registers(_parse(tables, where), content)


def content_of(file: _File) -> bytes:
    """Return the canonical form: entries in the order of their ids, lists that are sets sorted."""
    tables = file.model_dump(mode="json")
    for name, key in (("area", "id"), ("agency", "id"), ("key", "id"), ("recipient", "id"), ("calendar", "of")):
        tables[name] = sorted((_sorted(entry) for entry in tables[name]), key=lambda entry, key=key: str(entry[key]))  # type: ignore[misc]  # the loop variable is bound as a default
    return json.dumps(tables, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _sorted(entry: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in entry.items():
        if name in _ABSENT_WHEN_UNSAID and value is None:
            continue
        if isinstance(value, dict):
            made[name] = _sorted(value)
        else:
            made[name] = sorted(value) if isinstance(value, list) else value
    return made


def _parse(tables: object, where: str) -> _File:
    try:
        file = _File.model_validate(tables)
    except ValidationError as error:
        raise RegistersError("\n".join(_shape_fault(where, tables, one["loc"], one["msg"]) for one in error.errors())) from None
    faults = [f"{where}: {fault}" for check in _CHECKS for fault in check(file)]
    if faults:
        raise RegistersError("\n".join(faults))
    return file


def _shape_fault(where: str, tables: object, place: tuple[int | str, ...], message: str) -> str:
    said = message.removeprefix("Value error, ")
    said = said[:1].lower() + said[1:]
    said = {"extra inputs are not permitted": "unknown key: take it out or correct its spelling"}.get(said.lower(), said)
    if len(place) > 1 and isinstance(place[1], int) and isinstance(tables, Mapping):
        entry = tables[place[0]][place[1]]
        name = entry.get("id", entry.get("of")) if isinstance(entry, Mapping) else None
        shown = f"{place[0]} `{name}`" if name else f"{place[0]} number {place[1] + 1}"
        return f"{where}: {shown}: {'.'.join(f'`{part}`' for part in place[2:]) or 'entry'}: {said}"
    return f"{where}: `{'.'.join(str(part) for part in place)}`: {said}"


def _unique(file: _File) -> Iterable[str]:
    for kind, ids in (
        ("area", [one.id for one in file.area]),
        ("agency", [one.id for one in file.agency]),
        ("key", [one.id for one in file.key]),
        ("recipient", [one.id for one in file.recipient]),
        ("calendar", [one.of for one in file.calendar]),
    ):
        for one in sorted(name for name, times in Counter(ids).items() if times > 1):
            yield f"{kind} `{one}`: stands more than once: keep one entry"


def _administrators(file: _File) -> Iterable[str]:
    for kind, entries in (("agency", file.agency), ("recipient", file.recipient)):
        for one in entries:
            if is_administrator(one.id):
                yield f"{kind} `{one.id}`: `administrator` is who releases policy and registers: give it another id"


def _agencies(file: _File) -> Iterable[str]:
    areas = {one.id for one in file.area}
    for agency in file.agency:
        if agency.area not in areas:
            yield f"agency `{agency.id}`: unknown area `{agency.area}`: add an [[area]] or correct it"


def _keys(file: _File) -> Iterable[str]:
    holders = {one.id for one in file.agency} | {one.id for one in file.recipient}
    seen: dict[str, str] = {}
    for key in file.key:
        if key.holder not in holders and not is_administrator(key.holder):
            yield f"key `{key.id}`: holder `{key.holder}` is no agency, recipient or administrator: add its entry or correct it"
        if key.until is not None and key.until <= key.since:
            yield f"key `{key.id}`: `until` is not after `since`: it would never be in force"
        if seen.setdefault(key.public_key, key.holder) != key.holder:
            yield f"key `{key.id}`: holder `{seen[key.public_key]}` has the same key: each holder makes its own"


def _recipients(file: _File) -> Iterable[str]:
    areas, agencies, ids = {one.id for one in file.area}, {one.id for one in file.agency}, {one.id for one in file.recipient}
    for one in file.recipient:
        if one.area not in areas:
            yield f"recipient `{one.id}`: unknown area `{one.area}`: add an [[area]] or correct it"
        if one.agency not in agencies:
            yield f"recipient `{one.id}`: unknown agency `{one.agency}`: add an [[agency]] or correct it"
        if one.alternate is not None and one.alternate not in ids:
            yield f"recipient `{one.id}`: alternate `{one.alternate}` is no recipient: add its entry or correct it"
        if one.alternate == one.id:
            yield f"recipient `{one.id}`: is its own alternate: name another desk, a conflict of interest goes there"
        if stray := sorted(set(one.subscription.roles) - set(one.roles)):
            yield f"recipient `{one.id}`: subscribes to roles it does not fill ({', '.join(stray)}): a subscription only narrows"


def _principals(file: _File) -> Iterable[str]:
    """Find a Kafka principal that could speak or read as somebody else."""
    holders: dict[str, str] = {one.principal: one.id for one in reversed(file.agency) if one.principal}
    for agency in file.agency:
        if agency.principal and holders[agency.principal] != agency.id:
            yield f"agency `{agency.id}`: agency `{holders[agency.principal]}` has the same principal: each needs its own"
    for one in file.recipient:
        if one.principal and holders.setdefault(one.principal, one.agency) != one.agency:
            yield f"recipient `{one.id}`: agency `{holders[one.principal]}` has the same principal: each needs its own"
        if one.principal and not one.own_topic:
            yield f"recipient `{one.id}`: has a principal and no topic of its own to read: set `own_topic`, or take it out"


def _topics(file: _File) -> Iterable[str]:
    """Find recipients who would read each other's topic, or whose topic Kafka would not make; to it `.` and `_` are as one."""
    seen: dict[str, str] = {}
    for one in file.recipient:
        name = topic_of(one.id)
        if not one.own_topic:
            continue
        if len(name) > LONGEST_TOPIC:
            yield f"recipient `{one.id}`: its topic's name would have {len(name)} signs, Kafka takes {LONGEST_TOPIC}: shorten it"
        if (other := seen.setdefault(name.replace(".", "_"), one.id)) != one.id:
            yield f"recipient `{one.id}`: would share its topic with `{other}` and read what is for it: choose another id"


def _areas(file: _File) -> Iterable[str]:
    ids = {one.id for one in file.recipient}
    for area in file.area:
        for field, desk in (("hub", area.hub), ("out_of_hours", area.out_of_hours)):
            if desk is not None and desk not in ids:
                yield f"area `{area.id}`: {field} `{desk}` is no recipient: every gap goes there, so add its entry"


def _calendars(file: _File) -> Iterable[str]:
    for calendar in file.calendar:
        for first, last in calendar.terms:
            if last < first:
                yield f"calendar `{calendar.of}`: a term ends on {last} before it begins on {first}"


_CHECKS: tuple[Callable[[_File], Iterable[str]], ...] = (
    _unique,
    _administrators,
    _agencies,
    _keys,
    _recipients,
    _principals,
    _topics,
    _areas,
    _calendars,
)


def _registers(file: _File, content: bytes) -> Registers:
    return Registers(
        version=file.version,
        digest=digest(content),
        agencies={AgencyId(one.id): _agency(one) for one in file.agency},
        keys={KeyId(one.id): _key(one) for one in file.key},
        recipients={RecipientId(one.id): _recipient(one) for one in file.recipient},
        areas={
            one.id: Area(
                id=one.id,
                name=one.name,
                hub=RecipientId(one.hub),
                out_of_hours=RecipientId(one.out_of_hours) if one.out_of_hours else None,
            )
            for one in file.area
        },
        calendars={
            one.of: Calendar(
                of=one.of,
                time_zone=one.time_zone,
                day_start=one.day_start,
                closed=frozenset(one.closed),
                terms=tuple(one.terms),
            )
            for one in file.calendar
        },
    )


def _agency(one: _Agency) -> Agency:
    return Agency(
        id=AgencyId(one.id),
        name=one.name,
        sector=one.sector,
        area=one.area,
        registers_people=one.registers_people,
        event_types=frozenset(one.event_types),
        principal=one.principal,
    )


def _key(one: _Key) -> SigningKey:
    return SigningKey(
        id=KeyId(one.id),
        holder=one.holder,
        public_key=base64.b64decode(one.public_key),
        since=Millis(one.since),
        until=None if one.until is None else Millis(one.until),
    )


def _recipient(one: _Recipient) -> Recipient:
    return Recipient(
        id=RecipientId(one.id),
        name=one.name,
        agency=AgencyId(one.agency),
        area=one.area,
        roles=frozenset(RoleName(role) for role in one.roles),
        serves=frozenset(one.serves),
        alternate=RecipientId(one.alternate) if one.alternate else None,
        own_topic=one.own_topic,
        principal=one.principal,
        contact=one.contact,
        subscription=Subscription(
            event_types=frozenset(one.subscription.event_types),
            roles=frozenset(RoleName(role) for role in one.subscription.roles),
        ),
    )
