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

VARIABLE = "BROKER_SETTINGS"
DEFAULT_FILE = Path("broker.toml")
MASTER_FILE = "broker.keys"

_EXAMPLES = {
    "kafka": 'kafka = "127.0.0.1:9092"',
    "data": 'data = "state"',
    "keys": 'keys = "keys"',
    "area": 'area = "E10000030"',
    "mode": 'mode = "live"',
}


class Settings(BaseModel):
    """What differs between places. Paths are absolute after loading; a relative path is taken from the settings file's folder."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    kafka: str = Field(pattern=r"^\S+:\d+(,\S+:\d+)*$")
    data: Path
    keys: Path
    area: str = Field(min_length=1)
    mode: Literal["demo", "live"]
    group: str = Field(default="safeguarding-broker", pattern=r"^[A-Za-z0-9._-]+$")
    partitions: int = Field(default=8, ge=1, le=1024)
    metrics_port: int | None = Field(default=None, ge=0, le=65535)

    @property
    def master_key(self) -> Path:
        """Return the file of the broker's master secret."""
        return self.keys / MASTER_FILE


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings from a file: the one given, else the one that BROKER_SETTINGS names, else `broker.toml` here.

    Raises SettingsError with one line per fault when the file is missing, is not TOML, or holds what it should not.
    """
    file = path or Path(os.environ.get(VARIABLE) or DEFAULT_FILE)
    return settings_from(_read(file), file)


def settings_from(content: Mapping[str, Any], file: Path) -> Settings:
    """Make settings from a TOML table that stood in `file`; raises SettingsError with one line per fault."""
    placed = {**content, **{name: _absolute(content[name], file) for name in ("data", "keys") if name in content}}
    try:
        return Settings.model_validate(placed)
    except ValidationError as error:
        faults = [_fault(file, one["loc"], one["type"], one["msg"]) for one in error.errors()]
        raise SettingsError("\n".join(faults)) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(
            f"settings file `{file}`: not there: name one with --settings or {VARIABLE}, or write `{DEFAULT_FILE}`"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"settings file `{file}`: cannot be read: {reason_in_words(error)}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"settings file `{file}`: not TOML: {str(error).lower()}") from error


def _absolute(value: Any, file: Path) -> Any:
    return str((file.parent / value).absolute()) if isinstance(value, str) and value else None


def _fault(file: Path, place: tuple[int | str, ...], kind: str, message: str) -> str:
    name = str(place[0])
    where = f"settings file `{file}`: `{name}`"
    if kind == "extra_forbidden":
        return f"{where}: unknown key: take it out, or see whether it is a misspelling of {', '.join(Settings.model_fields)}"
    if kind == "missing":
        return f"{where}: missing: add a line like {_EXAMPLES[name]}"
    if name == "kafka":
        return f"{where}: must be host:port, or several with commas: for example {_EXAMPLES[name]}"
    said = "must be the path of a folder" if kind == "path_type" else message[0].lower() + message[1:]
    return f"{where}: {said}" + (f": for example {_EXAMPLES[name]}" if name in _EXAMPLES else "")
