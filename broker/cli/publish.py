"""`broker publish`: events in the canonical form, for an agency whose system has no native connector."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import Progress

from broker.canonical import ACTS, LONGEST_LINE, BadLine, read_lines, sector_of
from broker.cli import EXIT_REJECTED
from broker.cli.layout import busy
from broker.cli.options import json_option, say_refused, with_settings
from broker.cli.publish_form import form_option
from broker.core.account.harmless import one_line
from broker.core.account.words import count
from broker.core.intake.publishing import InForce
from broker.core.model.event import Event
from broker.core.model.identifiers import AgencyId, Millis
from broker.errors import InputError, reason_in_words
from broker.policyfile import load_policy
from broker.sealing.signatures import Signer, load_signer
from broker.settings import Settings
from broker.stream.clients import check_known, open_producer
from broker.stream.publish import Publisher, signed_record
from broker.stream.recognise import recognise_kafka
from broker.stream.releases.registers import released
from broker.stream.standing import agency_here
from broker.stream.topics import EVENTS

_SHOWN = 20  # bad lines told one by one; the others are counted
_AT_ONCE = 500
_ACTS = "holds control characters, which are shown as codes wherever it is read: mend the export"


@dataclass(frozen=True, slots=True)
class _Found:
    """What a file holds: the ids of its events, lines that were not taken, and fields of events that were, by the event's id."""

    event_ids: list[str] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)
    doubts: list[tuple[str, str]] = field(default_factory=list)


@click.command("publish")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@click.option("--agency", required=True, help="The agency that publishes; its private key must be in the folder `keys`.")
@form_option
@click.option("--dry-run", is_flag=True, help="Check every line and publish nothing.")
@json_option
@with_settings
def publish(settings: Settings, *, file: Path, agency: str, dry_run: bool, as_json: bool) -> None:
    """Publish the events in FILE (JSON, one per line; `-` reads standard input), signed as --agency.

    Lines that the broker would refuse are named with what is wrong in which field, by the policy and the registers in force;
    the others are published. --dry-run asks no Kafka and checks against the catalogue that comes with the program.
    Publishing a file again tells nobody twice. A later event corrects or takes back one of these by its id, which --json
    lists in the order of the lines. Exit status 3 when a line was not taken, or there was none.

    Example: broker publish concerns.jsonl --agency urn:100001; see before: broker publish --form
    """
    signer = load_signer(settings.keys, agency)
    found = _Found()
    with _opened(file) as stream:
        known = _shipped(agency) if dry_run else _known_here(settings, signer)
        events = _events(_lines(stream), signer, known, found)
        number = sum(1 for _ in events) if dry_run else asyncio.run(_publish(settings, signer, events))
    _tell(file, number, found, dry_run=dry_run, as_json=as_json)
    if found.bad or not number:
        raise click.exceptions.Exit(EXIT_REJECTED)


async def _publish(settings: Settings, signer: Signer, events: Iterator[Event]) -> int:
    published = 0
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("publishing", total=None)
        async with open_producer(settings.kafka, topics=sorted(EVENTS.values())) as kafka_producer:
            publisher = Publisher(kafka_producer, signer)
            while chunk := [event for _, event in zip(range(_AT_ONCE), events, strict=False)]:
                await check_known(kafka_producer, settings.kafka)
                published += await publisher.publish(chunk)
                progress.update(task, completed=published, description=f"published {published}")
    return published


def _shipped(agency: str) -> InForce:
    """Return what can be known without Kafka: the catalogue that comes with the program."""
    policy = load_policy()
    return InForce(
        events=policy.events,
        findings=policy.findings,
        purposes=policy.purposes,
        roles=frozenset(policy.roles),
        now=_now(),
        sector=sector_of(AgencyId(agency)),
    )


def _known_here(settings: Settings, signer: Signer) -> InForce:
    with busy("reading the policy and the registers in force"):
        return asyncio.run(_in_force(settings, signer))


async def _in_force(settings: Settings, signer: Signer) -> InForce:
    """Return what the events will meet; raises NotFoundError or KeysError when everything would be refused.

    Raises DataLossError when Kafka is not the one that was published to from here before.
    """
    known = _shipped(signer.holder)
    await recognise_kafka(settings.kafka, {EVENTS[known.sector]} if known.sector else set(), settings.data)
    book = await released(settings.kafka, say_refused)
    if book.latest("policy"):
        policy = book.newest_policy()
        roles = frozenset(policy.roles)
        known = replace(known, events=policy.events, findings=policy.findings, purposes=policy.purposes, roles=roles)
    if not book.latest("registers"):
        return known
    registers = book.newest()
    entry = agency_here(registers, signer)
    return replace(known, sector=entry.sector, agency=entry, registers=registers)


def _now() -> Millis:
    return Millis(time.time_ns() // 1_000_000)


def _events(lines: Iterator[bytes], signer: Signer, known: InForce, found: _Found) -> Iterator[Event]:
    """Yield the events that intake would take; keep what is wrong with the others, and which fields of these act on a screen."""
    for read in read_lines(lines, AgencyId(signer.holder), known, lambda event: signed_record(signer, event)):
        if isinstance(read, BadLine):
            found.bad.append(read)
            continue
        if len(found.doubts) < _SHOWN:
            found.doubts.extend((read.header.event_id, one.field) for one in read.quality if one.rule == ACTS)
        found.event_ids.append(read.header.event_id)
        yield read


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield lines without ever holding one that is too long."""
    while line := stream.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := stream.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                continue
        yield line


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    try:
        with file.open("rb") as stream:
            yield stream
    except FileNotFoundError:
        raise InputError(f"file `{file}`: not there: name the file that holds the events") from None
    except OSError as error:
        raise InputError(f"file `{file}`: cannot be read: {reason_in_words(error)}") from error


def _tell(file: Path, number: int, found: _Found, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        faults = [{"line": one.line, "faults": list(one.faults)} for one in found.bad]
        doubted = [{"event_id": made, "field": name} for made, name in found.doubts]
        said = {"published": 0 if dry_run else number, "good": number, "event_ids": found.event_ids}
        click.echo(json.dumps({**said, "bad": faults, "doubts": doubted}))
        return
    for made, name in found.doubts:
        click.echo(one_line(f"{file}: event {made}: field `{name}`: {_ACTS}"), err=True)
    for one in found.bad[:_SHOWN]:
        for fault in one.faults:
            click.echo(one_line(f"{file}: line {one.line}: {fault}"), err=True)
    if len(found.bad) > _SHOWN:
        click.echo(f"{file}: {len(found.bad) - _SHOWN} more lines that cannot be taken", err=True)
    if not (number or found.bad):
        click.echo(one_line(f"{file}: holds no event: see that whatever wrote it had something to say"), err=True)
    left = f", {count(len(found.bad), 'line')} not taken" if found.bad else ""
    click.echo(f"{'would publish' if dry_run else 'published'} {count(number, 'event')}{left}")
    if number and not dry_run:
        click.echo(f"who was told, and why: broker explain --event {found.event_ids[0]}" + (" (the first)" if number > 1 else ""))


commands: dict[str, click.Command] = {"publish": publish}
