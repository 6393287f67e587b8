"""`broker doctor`: look at a set-up and say what to do about what is wrong."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import click

from broker.bootstrap import make_book
from broker.cli.layout import Page
from broker.cli.options import json_option, quiet_clients, settings_option
from broker.errors import BrokerError, SettingsError
from broker.settings import Settings, load_settings
from broker.stream.watching.examination import Finding, State, examine

EXIT_DOUBTFUL = 1
EXIT_ILL = 4
_MARKS = {State.WELL: ("✓", "green"), State.DOUBTFUL: ("!", "yellow"), State.ILL: ("✗", "red")}


@click.command()
@settings_option
@json_option
def doctor(*, settings_file: Path | None, as_json: bool) -> None:
    """Check this set-up and say what to do: settings, keys, Kafka, topics, clock, releases, access, workers.

    Exit codes: 0 all is well; 1 something is doubtful; 4 something is wrong.

    Example: broker doctor
    """
    quiet_clients()
    findings = asyncio.run(_examine(settings_file, as_json=as_json))
    worst = max(findings, key=lambda one: list(State).index(one.state)).state
    if not as_json:
        click.echo(
            {State.WELL: "all is well", State.DOUBTFUL: "it works, but", State.ILL: "not fit to work:"}[worst] + _rest(findings)
        )
    raise click.exceptions.Exit({State.WELL: 0, State.DOUBTFUL: EXIT_DOUBTFUL, State.ILL: EXIT_ILL}[worst])


async def _examine(settings_file: Path | None, *, as_json: bool) -> list[Finding]:
    """Examine and say each finding as soon as it is there."""
    findings: list[Finding] = []

    def say(finding: Finding) -> None:
        findings.append(finding)
        _say(finding, as_json=as_json)

    settings = _settings(settings_file, say)
    if settings is not None:
        try:
            async for finding in examine(settings, make_book()):
                say(finding)
        except BrokerError as error:
            say(Finding("the rest", State.ILL, str(error), "mend this and look again"))
    return findings


def _settings(settings_file: Path | None, say: Callable[[Finding], None]) -> Settings | None:
    try:
        settings = load_settings(settings_file)
    except SettingsError as error:
        for line in str(error).splitlines():
            say(Finding("settings", State.ILL, line, ""))
        return None
    say(Finding("settings", State.WELL, f"area `{settings.area}`, group `{settings.group}`, mode {settings.mode}"))
    return settings


def _say(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        told = {"what": finding.what, "state": finding.state.value, "words": finding.words, "remedy": finding.remedy}
        click.echo(json.dumps(told))
        return
    mark, colour = _MARKS[finding.state]
    page = Page()
    page.marked(mark, colour, f"{finding.what}: {finding.words}")
    if finding.remedy and finding.state is not State.WELL:
        page.line(f"→ {finding.remedy}", indent=2)


def _rest(findings: list[Finding]) -> str:
    wrong = [finding.what for finding in findings if finding.state is not State.WELL]
    return f" see to {', '.join(dict.fromkeys(wrong))}" if wrong else ""


commands = {"doctor": doctor}
