"""`broker policy`: the rules as files that a data protection officer reads, checks, tests and releases."""

import asyncio
import json
import sys
import time
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path

import click

from broker.cli.changes import changes
from broker.cli.layout import Page, busy
from broker.cli.options import administrator_option, again_option, json_option, say_refused, with_settings
from broker.cli.policy_words import headed, rule_in_words
from broker.core.account.words import count
from broker.core.model.identifiers import Millis
from broker.errors import NotFoundError, PolicyError
from broker.policyfile import POLICIES, policy_content, policy_from_content
from broker.policyfile.case_shapes import mentioned_in, read_cases
from broker.policyfile.cases import run_cases
from broker.policyfile.checks import Report, check
from broker.policyfile.reading import Fault
from broker.settings import Settings

EXIT_UNFIT = 2
_KINDS = (
    "policy", "rule", "role", "event", "attribute", "basis", "clock", "finding", "obligation", "outcome", "protection", "source",
    "wish",
)  # fmt: skip

_folder = click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default=POLICIES)
_on = click.option(
    "--on", "day", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="The day whose law counts; today when not said."
)


@click.group("policy")
def group() -> None:
    """Check, test and release the rules.

    Example: broker policy check
    """


@group.command("check")
@_folder
@_on
@click.option("--notes", is_flag=True, help="List the law that nobody verified yet, too.")
@json_option
def check_command(folder: Path, day: datetime | None, *, notes: bool, as_json: bool) -> None:
    """Find what is wrong in a FOLDER of policy files: every fault at once, with file, line and remedy.

    Exit status 2 when the policy is unfit to be released.

    Example: broker policy check my-policies --on 2027-01-01
    """
    report = check(folder, _day(day))
    if as_json:
        found = {"faults": _plain(report.faults), "notes": _plain(report.notes), "rules": report.rules, "cases": report.cases}
        click.echo(json.dumps(found))
    else:
        for one in (*report.faults, *(report.notes if notes else ())):
            click.echo(str(one))
        click.echo(_summary(report, shown=notes))
    sys.exit(EXIT_UNFIT if report.faults else 0)


@group.command("test")
@_folder
@json_option
def test_command(folder: Path, *, as_json: bool) -> None:
    """Run the cases of a FOLDER against its rules: who is told what, why, and who is not.

    Exit status 2 when a case fails, or a rule speaks in none.

    Example: broker policy test
    """
    failures, cases, silent = _tested(folder)
    if as_json:
        click.echo(json.dumps({"cases": cases, "failures": _plain(failures), "rules_without_a_case": silent}))
    else:
        for failure in failures:
            click.echo(str(failure))
        for rule in silent:
            click.echo(f"rule `{rule}` speaks in no case: write one in which it does")
        failed = len({(failure.file, failure.line) for failure in failures})
        click.echo(f"{cases} cases: {cases - failed} pass, {failed} fail")
    sys.exit(EXIT_UNFIT if failures or silent else 0)


@group.command("release")
@_folder
@_on
@administrator_option
@again_option
@json_option
@with_settings
def release_command(  # noqa: PLR0913 - each is an option that a person types
    settings: Settings, *, folder: Path, day: datetime | None, administrator: str, again: bool, as_json: bool
) -> None:
    """Check and test a FOLDER of policy files, sign it, and put it in force for every child from here on.

    It says what changes against the policy in force. What is in force already is not released again.

    Example: broker policy release
    """
    report = check(folder, _day(day))
    failures, _, silent = _tested(folder) if not report.faults else ([], 0, [])
    if report.faults or failures or silent:
        lines = [str(one) for one in (*report.faults, *failures)]
        raise PolicyError("\n".join([*lines, f"policy folder `{folder.name}` is unfit and was not released"]))
    from broker.sealing.signatures import load_signer  # noqa: PLC0415 - as below
    from broker.stream.releases.policy import release_policy  # noqa: PLC0415 - check and test need no Kafka client

    content = policy_content(folder)
    policy = policy_from_content(content)
    before = _in_force(settings)
    changed, signer = changes(before, content, _KINDS), load_signer(settings.keys, administrator)
    with busy("putting it in force"):
        released = asyncio.run(release_policy(settings.kafka, policy, content, signer, again=again)) is not None
    told = {"version": policy.version, "digest": policy.digest, "rules": len(policy.rules)}
    if as_json:
        click.echo(json.dumps({**told, "changes": changed, "released": released}))
        return
    for change in changed:
        click.echo(change)
    state = "is in force from here on" if released else "was in force already: nothing to do"
    click.echo(f"policy {policy.version} (digest {policy.digest[:12]}, {len(policy.rules)} rules) {state}")


@group.command("show")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), required=False)
@json_option
@with_settings
def show_command(settings: Settings, *, folder: Path | None, as_json: bool) -> None:
    """Show the rules in FOLDER, or those of the policy in force, whole.

    Of each: what it gives or keeps back, to whom, about what and why; on which lawful basis and by when; who owns it, and from
    when until when it counts.

    Example: broker policy show
    """
    content = policy_content(folder) if folder else _in_force(settings)
    if content is None:
        raise NotFoundError("no policy has been released: run `broker policy release`")
    if as_json:
        click.echo(content.decode())
        return
    policy = policy_from_content(content)
    page, now = Page(), Millis(time.time_ns() // 1_000_000)
    page.line(f"policy {policy.version}, digest {policy.digest[:12]}, {len(policy.rules)} rules", "bold")
    for rule in policy.rules:
        page.line()
        page.head(rule.id, headed(rule, now))
        for name, text in rule_in_words(rule, policy):
            page.labelled(name, text)


def _in_force(settings: Settings) -> bytes | None:
    from broker.stream.releases.registers import released  # noqa: PLC0415 - check and test need no Kafka client

    with busy("reading the policy in force"):
        newest = asyncio.run(released(settings.kafka, say_refused)).latest("policy")
    return newest.content if newest else None


def _tested(folder: Path) -> tuple[list[Fault], int, list[str]]:
    """Return what fails, how many cases ran, and the rules that spoke in none; raises PolicyError when it cannot be read."""
    policy = policy_from_content(policy_content(folder))
    cases, unread = read_cases(folder)
    failures, spoke = run_cases(policy, cases)
    named = spoke | mentioned_in(folder, {one.file for one in unread})
    return [*unread, *failures], len(cases), sorted(rule.id for rule in policy.rules if rule.id not in named)


def _day(day: datetime | None) -> date:
    return (day or datetime.now(UTC)).date()


def _plain(faults: Iterable[Fault]) -> list[dict[str, str | int]]:
    return [{"file": one.file, "line": one.line, "entry": one.entry, "what": one.what, "remedy": one.remedy} for one in faults]


def _summary(report: Report, *, shown: bool) -> str:
    notes = f", {len(report.notes)} not verified at their source" + ("" if shown or not report.notes else " (--notes lists them)")
    later = "" if report.whole else "; more may show once what cannot be read is mended"
    verdict = f"unfit: {count(len(report.faults), 'fault')}{later}" if report.faults else "fit to be released"
    return f"{report.rules} rules, {report.cases} cases{notes}: {verdict}"


commands = {"policy": group}
