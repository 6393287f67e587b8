"""The shapes of the entries of a registers file: which keys an entry has, and of what form each value is."""

import base64
from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from broker.core.model.event import Sector
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


Instant = Annotated[int, BeforeValidator(_as_millis)]
Day = Annotated[str, BeforeValidator(_as_day), Field(pattern=r"^\d{4}-\d\d-\d\d$")]
Name = Annotated[str, Field(min_length=1)]
School = Annotated[str, Field(pattern=r"^urn:[0-9]{1,8}$")]
KnownAs = Annotated[str, Field(pattern=r"^(laestab:[0-9]{7}|native:.{1,64})$")]
Served = Annotated[str, Field(pattern=r"^(urn|ods|la|police):[A-Za-z0-9]+$")]


class SpokenForShape(BaseModel):
    """A school for which an agency may speak."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    school: School
    known_as: list[KnownAs] = []


class AgencyShape(BaseModel):
    """An organisation that publishes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Name
    name: Name
    sector: Sector
    area: Name
    registers_people: bool = False
    event_types: list[Name] = []
    principal: Principal | None = None
    speaks_for: list[SpokenForShape] = []


class KeyShape(BaseModel):
    """A public signing key and when it is in force."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Name
    holder: Name
    public_key: Annotated[str, BeforeValidator(_as_key)]
    since: Instant = 0
    until: Instant | None = None


class SubscriptionShape(BaseModel):
    """What a recipient asked to hear."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    event_types: list[Name] = []
    roles: list[Name] = []


class RecipientShape(BaseModel):
    """A desk that can be told."""

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
    subscription: SubscriptionShape = SubscriptionShape()


class AreaShape(BaseModel):
    """A council area and its hub."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Name
    name: Name
    hub: Name
    out_of_hours: str | None = None


class CalendarShape(BaseModel):
    """The days on which an area works or a school teaches."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    of: Name
    time_zone: str = "Europe/London"
    day_start: Annotated[str, Field(pattern=r"^\d\d:\d\d$")] = "09:00"
    closed: list[Day] = []
    terms: list[tuple[Day, Day]] = []


class FileShape(BaseModel):
    """A whole registers file. `retired` are recipients in whose place others come."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: Name
    retired: list[Name] = []
    area: list[AreaShape] = []
    agency: list[AgencyShape] = []
    key: list[KeyShape] = []
    recipient: list[RecipientShape] = []
    calendar: list[CalendarShape] = []
