"""`broker topics`: the topics as they are declared, beside what Kafka has."""

import asyncio
import json
from pathlib import Path

import click

from broker.cli.options import json_option, with_settings
from broker.registerfile import load_registers
from broker.settings import Settings
from broker.stream.topic_admin import apply as apply_topics
from broker.stream.topic_admin import compare
from broker.stream.topics import Difference, Topic, declared, recipient_topics


@click.group("topics")
def group() -> None:
    """Compare the topics with their declaration and create what is missing.

    Example: broker topics apply --registers registers.toml --yes
    """


@group.command("apply")
@click.option(
    "--registers",
    "registers_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The registers file: each recipient with a topic of its own gets it.",
)
@click.option("--yes", is_flag=True, help="Do it; without this the difference is only shown.")
@json_option
@with_settings
def apply(settings: Settings, *, registers_file: Path | None, yes: bool, as_json: bool) -> None:
    """Show how Kafka differs from the declaration, and with --yes create and mend it.

    A partition count is never changed: it is part of the keys' meaning. Exit status 1 when something differs and
    nothing was done about it.

    Example: broker topics apply --registers registers.toml --yes
    """
    wanted: tuple[Topic, ...] = declared(settings.partitions)
    if registers_file is not None:
        wanted = (*wanted, *recipient_topics(load_registers(registers_file)))
    found = asyncio.run(compare(settings.kafka, wanted))
    _show(found, as_json=as_json)
    if yes:
        asyncio.run(apply_topics(settings.kafka, wanted))
        if not as_json:
            click.echo(f"{len(wanted)} topics are as declared" + (f", {len(found)} of them now" if found else ""))
    elif found:
        if not as_json:
            click.echo("nothing was changed: repeat with --yes to do it")
        raise click.exceptions.Exit(1)
    elif not as_json:
        click.echo(f"{len(wanted)} topics are as declared")


def _show(found: tuple[Difference, ...], *, as_json: bool) -> None:
    for one in found:
        if as_json:
            told = {"topic": one.topic.name, "missing": one.missing, "settings": one.settings or {}, "refused": one.refused}
            click.echo(json.dumps(told))
            continue
        for line in one.lines():
            click.echo(line)


commands: dict[str, click.Command] = {"topics": group}
