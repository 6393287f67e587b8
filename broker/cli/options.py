"""Options that commands share, so that each has one name and one meaning everywhere."""

import logging
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from broker.core.model.registers import ADMINISTRATOR
from broker.settings import Settings, load_settings
from broker.stream.standing import check_place

Command = TypeVar("Command", bound=Callable[..., Any])

settings_option = click.option(
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The settings file; else the one that BROKER_SETTINGS names, else broker.toml here.",
)
administrator_option = click.option(
    "--as",
    "administrator",
    default=ADMINISTRATOR,
    show_default=True,
    help="Whose key signs it: an administrator's of the registers in force. It must be in `keys`.",
)
again_option = click.option(
    "--again",
    is_flag=True,
    help="Release also what is in force already: one that failed on its way reached some lines only.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for a machine to read.")


def with_settings(command: Command) -> Command:
    """Give a command `--settings` and hand it the loaded settings as its argument `settings`."""

    @wraps(command)
    def loaded(*args: Any, settings_file: Path | None, **kwargs: Any) -> Any:
        quiet_clients()
        return command(*args, settings=load_settings(settings_file), **kwargs)

    return settings_option(loaded)  # type: ignore[return-value]  # click keeps the type of what it decorates


def with_broker_settings(command: Command) -> Command:
    """Give a command the settings as `with_settings` does, at the broker's own place alone: it reads what is nobody else's."""

    @wraps(command)
    def loaded(*args: Any, settings: Settings, **kwargs: Any) -> Any:
        check_place(settings, "this command reads the log of the whole broker")
        return command(*args, settings=settings, **kwargs)

    return with_settings(loaded)  # type: ignore[return-value]  # click keeps the type of what it decorates


def say_refused(why: str) -> None:
    """Say on standard error what somebody wrote where releases stand, and that it counts for nothing."""
    click.echo(why, err=True)


def quiet_clients() -> None:
    """Keep the Kafka clients' own log off the terminal: their errors come to a person as ours, in plain words."""
    for name in ("aiokafka", "faust", "mode", "kafka"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
