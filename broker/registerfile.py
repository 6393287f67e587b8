"""The registers as a TOML file that people keep, and as the canonical form that is released.

Every fault is told at once, each with file, entry and remedy. A release is judged by the same rules when it is read back.
"""

import base64
import json
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from broker.core.model.event import Sector
from broker.core.model.identifiers import AgencyId, KeyId, Millis, RecipientId, RoleName, digest
from broker.core.model.registers import (
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
from broker.registershapes import AgencyShape, FileShape, KeyShape, RecipientShape

# Newer than the first releases: an entry without it keeps the form and digest it had.
_ABSENT_WHEN_UNSAID = {"principal", "speaks_for"}


def load_registers(path: Path) -> Registers:
    """Read the registers from a TOML file; raises RegistersError with one line per fault."""
    return registers_from_content(load_content(path), where=f"registers file `{path}`")


def check_text(text: str, path: Path) -> None:
    """Check what is to be written into a registers file; raises RegistersError with one line per fault."""
    _parse(tomllib.loads(text), f"registers file `{path}`")


def load_content(path: Path) -> bytes:
    """Read the registers from a TOML file into their canonical form; raises RegistersError with one line per fault."""
    where = f"registers file `{path}`"
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise RegistersError(f"{where}: not there: name the file that holds the registers") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RegistersError(f"{where}: cannot be read: {reason_in_words(error)}") from error
    except tomllib.TOMLDecodeError as error:
        raise RegistersError(f"{where}: not TOML: {str(error).lower()}") from error
    except RecursionError:
        raise RegistersError(f"{where}: not TOML: brackets in brackets without end") from None
    return content_of(_parse(tables, where))


def registers_from_content(content: bytes, where: str = "registers") -> Registers:
    """Make the registers from their canonical form; raises RegistersError with one line per fault."""
    try:
        tables = json.loads(content)
    except ValueError:
        raise RegistersError(f"{where}: the released content is not JSON") from None
    return _registers(_parse(tables, where), content)


def content_of(file: FileShape) -> bytes:
    """Return the canonical form: entries in the order of their ids, lists that are sets sorted."""
    tables = file.model_dump(mode="json")
    tables["retired"] = sorted(tables["retired"])
    if not file.retired:
        del tables["retired"]  # as in releases from before there was such a list: their digests stand
    for name, key in (("area", "id"), ("agency", "id"), ("key", "id"), ("recipient", "id"), ("calendar", "of")):
        tables[name] = sorted((_sorted(entry) for entry in tables[name]), key=lambda entry, key=key: str(entry[key]))  # type: ignore[misc]  # the loop variable is bound as a default
    return json.dumps(tables, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _sorted(entry: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in entry.items():
        if name in _ABSENT_WHEN_UNSAID and not value:
            continue
        if isinstance(value, dict):
            made[name] = _sorted(value)
        elif name == "speaks_for":
            made[name] = sorted((_sorted(one) for one in value), key=itemgetter("school"))
        else:
            made[name] = sorted(value) if isinstance(value, list) else value
    return made


def _parse(tables: object, where: str) -> FileShape:
    try:
        file = FileShape.model_validate(tables)
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


def _unique(file: FileShape) -> Iterable[str]:
    for kind, ids in (
        ("area", [one.id for one in file.area]),
        ("agency", [one.id for one in file.agency]),
        ("key", [one.id for one in file.key]),
        ("recipient", [one.id for one in file.recipient]),
        ("calendar", [one.of for one in file.calendar]),
    ):
        for one in sorted(name for name, times in Counter(ids).items() if times > 1):
            yield f"{kind} `{one}`: stands more than once: keep one entry"


def _administrators(file: FileShape) -> Iterable[str]:
    for kind, entries in (("agency", file.agency), ("recipient", file.recipient)):
        for one in entries:
            if is_administrator(one.id):
                yield f"{kind} `{one.id}`: `administrator` is who releases policy and registers: give it another id"


def _agencies(file: FileShape) -> Iterable[str]:
    areas = {one.id for one in file.area}
    for agency in file.agency:
        if agency.area not in areas:
            yield f"agency `{agency.id}`: unknown area `{agency.area}`: add an [[area]] or correct it"
        if agency.speaks_for and agency.sector is not Sector.SCHOOLS:
            yield f"agency `{agency.id}`: speaks for schools and is none of their sector: give their feed an agency of its own"
        named = Counter(name for one in agency.speaks_for for name in {one.school, *one.known_as})
        for name in sorted(name for name, times in named.items() if times > 1):
            yield f"agency `{agency.id}`: `speaks_for` has `{name}` more than once: one name means one school"


def _keys(file: FileShape) -> Iterable[str]:
    holders = {one.id for one in file.agency} | {one.id for one in file.recipient}
    seen: dict[str, str] = {}
    for key in file.key:
        if key.holder not in holders and not is_administrator(key.holder):
            remedy = "add its entry, correct it, or take the key out"
            yield f"key `{key.id}`: holder `{key.holder}` is no agency, recipient or administrator: {remedy}"
        if key.until is not None and key.until <= key.since:
            yield f"key `{key.id}`: `until` is not after `since`: it would never be in force"
        if seen.setdefault(key.public_key, key.holder) != key.holder:
            yield f"key `{key.id}`: holder `{seen[key.public_key]}` has the same key: each holder makes its own"


def _recipients(file: FileShape) -> Iterable[str]:
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


def _principals(file: FileShape) -> Iterable[str]:
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


def _topics(file: FileShape) -> Iterable[str]:
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


def _areas(file: FileShape) -> Iterable[str]:
    ids = {one.id for one in file.recipient}
    for area in file.area:
        for field, desk in (("hub", area.hub), ("out_of_hours", area.out_of_hours)):
            if desk is not None and desk not in ids:
                yield f"area `{area.id}`: {field} `{desk}` is no recipient: every gap goes there, so add its entry"


def _calendars(file: FileShape) -> Iterable[str]:
    for calendar in file.calendar:
        for first, last in calendar.terms:
            if last < first:
                yield f"calendar `{calendar.of}`: a term ends on {last} before it begins on {first}"


_CHECKS: tuple[Callable[[FileShape], Iterable[str]], ...] = (
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


def _registers(file: FileShape, content: bytes) -> Registers:
    return Registers(
        version=file.version,
        digest=digest(content),
        retired=frozenset(map(RecipientId, file.retired)),
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


def _agency(one: AgencyShape) -> Agency:
    return Agency(
        id=AgencyId(one.id),
        name=one.name,
        sector=one.sector,
        area=one.area,
        registers_people=one.registers_people,
        event_types=frozenset(one.event_types),
        principal=one.principal,
        speaks_for={school.school: frozenset(school.known_as) for school in one.speaks_for},
    )


def _key(one: KeyShape) -> SigningKey:
    return SigningKey(
        id=KeyId(one.id),
        holder=one.holder,
        public_key=base64.b64decode(one.public_key),
        since=Millis(one.since),
        until=None if one.until is None else Millis(one.until),
    )


def _recipient(one: RecipientShape) -> Recipient:
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
