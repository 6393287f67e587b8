"""`broker topics`: the topics as they are declared and who may read and write them, beside what Kafka has."""

import asyncio
import json
from pathlib import Path

import click

from broker.cli.layout import busy
from broker.cli.options import json_option, with_settings
from broker.core.model.registers import Registers
from broker.errors import TopicsMissingError
from broker.registerfile import load_registers
from broker.settings import Settings
from broker.stream.access_admin import UNGUARDED, change_access, look_at_access
from broker.stream.access_lists import AccessDifference, Declaration, declare
from broker.stream.releases.registers import released
from broker.stream.topic_admin import apply as apply_topics
from broker.stream.topic_admin import compare
from broker.stream.topics import Difference, Topic, declared, recipient_topics

_registers_option = click.option(
    "--registers",
    "registers_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The registers file: recipients' topics, and the principals of agencies and recipients. Else the registers in force.",
)


@click.group("topics")
def group() -> None:
    """Compare topics and access with their declaration, and create what is missing.

    Example: broker topics apply --registers registers.toml --yes
    """


@group.command("apply")
@_registers_option
@click.option("--yes", is_flag=True, help="Do it; without this the difference is only shown.")
@json_option
@with_settings
def apply(settings: Settings, *, registers_file: Path | None, yes: bool, as_json: bool) -> None:
    """Show how Kafka's topics and access lists differ from the declaration, and with --yes create and mend them.

    A partition count is never changed: it is part of the keys' meaning. Of the access lists only what gives access to the
    broker's own topics and groups is touched, and only as it was shown. Exit status 1 when something differs and nothing was
    done about it.

    Example: broker topics apply --registers registers.toml --yes
    """
    registers = _registers(settings, registers_file)
    wanted: tuple[Topic, ...] = (*declared(settings.partitions), *(recipient_topics(registers) if registers else ()))
    access = declare(settings.kafka_principals, registers, settings.group)
    with busy("looking at topics and access"):
        found = asyncio.run(compare(settings.kafka, wanted))
        differs = asyncio.run(look_at_access(settings.kafka, access))
    _show(found, differs, as_json=as_json)
    if yes:
        with busy("making it so"):
            asyncio.run(apply_topics(settings.kafka, wanted))
            if differs:
                asyncio.run(change_access(settings.kafka, access, differs))
    if not as_json:
        for line in _summary(len(wanted), len(found), access, differs, done=yes):
            click.echo(line)
    if (found or differs) and not yes:
        raise click.exceptions.Exit(1)


@group.command("access")
@_registers_option
@json_option
@with_settings
def access(settings: Settings, *, registers_file: Path | None, as_json: bool) -> None:
    """Show who may do what in Kafka, as it is declared: a line for each principal and operation.

    Example: broker topics access --registers registers.toml
    """
    wanted = declare(settings.kafka_principals, _registers(settings, registers_file), settings.group)
    if not wanted.entries and not as_json:
        click.echo("nobody is declared: name principals in the registers and in `[kafka_principals]` of the settings")
    for entry in sorted(wanted.entries):
        told = {"principal": entry.principal, "operation": entry.operation, "kind": entry.kind, "name": entry.name}
        click.echo(json.dumps({**told, "prefix": entry.prefix}) if as_json else str(entry))


def _registers(settings: Settings, file: Path | None) -> Registers | None:
    """Return the registers in the file, else those in force; None where none were released or their topic is not there yet."""
    if file is not None:
        return load_registers(file)
    try:
        with busy("reading the registers in force"):
            book = asyncio.run(released(settings.kafka))
    except TopicsMissingError:
        return None
    return book.newest() if book.latest("registers") else None


def _show(topics: tuple[Difference, ...], access: AccessDifference | None, *, as_json: bool) -> None:
    for one in topics:
        if as_json:
            told = {"topic": one.topic.name, "missing": one.missing, "settings": one.settings or {}, "refused": one.refused}
            click.echo(json.dumps(told))
            continue
        for line in one.lines():
            click.echo(line)
    for line in access.lines() if access is not None else ():
        click.echo(json.dumps({"access": line}) if as_json else line)
    if access is None and as_json:
        click.echo(json.dumps({"access": UNGUARDED}))


def _summary(topics: int, changed: int, access: Declaration, found: AccessDifference | None, *, done: bool) -> list[str]:
    if (changed or found) and not done:
        return ["nothing was changed: repeat with --yes to do it", *([UNGUARDED] if found is None else [])]
    lines = [f"{topics} topics are as declared" + (f", {changed} of them now" if changed else "")]
    if found is None:
        return [*lines, UNGUARDED]
    unknown = "" if access.registers_known else "; of agencies and recipients nothing is known here: name a file with --registers"
    return [*lines, f"{len(access.entries)} entries of Kafka's access lists are as declared{unknown}"]


commands: dict[str, click.Command] = {"topics": group}
