"""The settings of one place: read once from a TOML file, frozen, every fault told at once.

Nothing that differs between places has a default, and no secret stands in the file: `keys` names the folder that holds them.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from broker.errors import SettingsError, reason_in_words
from broker.kafkaaccess import FILES, KNOWN_FILE, KafkaAccess, KafkaPlace, KafkaPrincipals, look_at_access

VARIABLE = "BROKER_SETTINGS"
DEFAULT_FILE = Path("broker.toml")

_ACCESS = "kafka_access"
_EXAMPLES = {
    "kafka": 'kafka = "127.0.0.1:9092"',
    "data": 'data = "state"',
    "keys": 'keys = "keys"',
    "area": 'area = "E10000030"',
    "mode": 'mode = "live"',
    f"{_ACCESS}.protocol": 'protocol = "SASL_SSL"',
    f"{_ACCESS}.ca": 'ca = "kafka-ca.pem"',
    f"{_ACCESS}.certificate": 'certificate = "kafka.pem"',
    f"{_ACCESS}.key": 'key = "kafka.key"',
    f"{_ACCESS}.mechanism": 'mechanism = "SCRAM-SHA-512"',
    f"{_ACCESS}.username": 'username = "broker"',
    f"{_ACCESS}.password_file": 'password_file = "kafka.password"',
}


class Settings(BaseModel):
    """What differs between places. Paths are absolute after loading; a relative path is taken from the settings file's folder."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    address: str = Field(alias="kafka", pattern=r"^\S+:\d+(,\S+:\d+)*$")
    data: Path
    keys: Path
    area: str = Field(min_length=1)
    mode: Literal["demo", "live"]
    group: str = Field(default="safeguarding-broker", pattern=r"^[A-Za-z0-9._-]+$")
    partitions: int = Field(default=8, ge=1, le=1024)
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    kafka_access: KafkaAccess | None = None
    kafka_principals: KafkaPrincipals = KafkaPrincipals()

    @property
    def kafka(self) -> KafkaPlace:
        """Return where Kafka is, how one gets in, and where is kept which one it is."""
        return KafkaPlace(self.address, self.kafka_access, self.data / KNOWN_FILE)


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings from a file: the one given, else the one that BROKER_SETTINGS names, else `broker.toml` here.

    Raises SettingsError with one line per fault when the file is missing, is not TOML, or holds what it should not.
    """
    file = path or Path(os.environ.get(VARIABLE) or DEFAULT_FILE)
    return settings_from(_read(file), file)


def load_access(path: Path, address: str) -> KafkaAccess:
    """Read from a settings file how one gets into the Kafka at an address, and nothing else of it; raises SettingsError."""
    content = _read(path)
    if _ACCESS not in content:
        raise SettingsError(f"settings file `{path}`: `{_ACCESS}`: missing: it says how that Kafka lets one in")
    rest = {"kafka": address, "data": "state", "keys": "keys", "area": "any", "mode": "demo"}
    access = settings_from({**rest, _ACCESS: content[_ACCESS]}, path).kafka_access
    assert access is not None
    return access


def settings_from(content: Mapping[str, Any], file: Path) -> Settings:
    """Make settings from a TOML table that stood in `file`; raises SettingsError with one line per fault."""
    placed = _placed(content, ("data", "keys"), file)
    password, faults = None, []
    if isinstance(told := placed.get(_ACCESS), Mapping):
        placed[_ACCESS] = _placed(told, FILES, file)
        password, found = look_at_access(placed[_ACCESS], placed.get("kafka"))
        faults = [_line(file, f"{_ACCESS}.{name}", what) for name, what in found]
    try:
        settings = Settings.model_validate(placed)
    except ValidationError as error:
        faults = [*(_fault(file, one["loc"], one["type"], one["msg"]) for one in error.errors()), *faults]
    if faults:
        raise SettingsError("\n".join(faults))
    if settings.kafka_access is None:
        return settings
    return settings.model_copy(update={_ACCESS: settings.kafka_access.knowing(password)})


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SettingsError(
            f"settings file `{file}`: not there: name one with --settings or {VARIABLE}, or write `{DEFAULT_FILE}`"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file `{file}`: cannot be read: {reason_in_words(error)}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"settings file `{file}`: not TOML: {str(error).lower()}") from error
    except RecursionError:
        raise SettingsError(f"settings file `{file}`: not TOML: brackets in brackets without end") from None


def _placed(table: Mapping[str, Any], names: tuple[str, ...], file: Path) -> dict[str, Any]:
    """Return a table whose paths begin at the settings file's folder."""
    return {**table, **{name: _absolute(table[name], file) for name in names if name in table}}


def _absolute(value: Any, file: Path) -> Any:
    is_path = isinstance(value, str) and value and "\0" not in value
    return str((file.parent / value).absolute()) if is_path else None


def _fault(file: Path, place: tuple[int | str, ...], kind: str, message: str) -> str:
    name = ".".join(part for part in place if isinstance(part, str))
    if kind == "extra_forbidden":
        what = f"unknown key: take it out, or see whether it is a misspelling of {', '.join(_keys(place[0]))}"
    elif kind == "missing":
        return f"settings file `{file}`: `{name}`: missing: add a line like {_EXAMPLES[name]}"
    elif name == "kafka":
        what = "must be host:port, or several with commas"
    else:
        what = "must be the path of a folder" if kind == "path_type" else message[0].lower() + message[1:]
    return _line(file, name, what)


def _keys(table: int | str) -> list[str]:
    tables: dict[int | str, type[BaseModel]] = {_ACCESS: KafkaAccess, "kafka_principals": KafkaPrincipals}
    model = tables.get(table, Settings)
    return [field.alias or name for name, field in model.model_fields.items()]


def _line(file: Path, name: str, what: str) -> str:
    shown = f": for example {_EXAMPLES[name]}" if name in _EXAMPLES else ""
    return f"settings file `{file}`: `{name}`: {what}{shown}"
