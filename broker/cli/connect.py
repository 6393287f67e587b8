"""`broker connect`: an agency's native files in, or a recipient's disclosures out as native files."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from signal import SIGTERM
from textwrap import fill
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from broker.cli import EXIT_REJECTED
from broker.cli.connect_forget import forget_all, forget_last, memory_of
from broker.cli.connect_out import write_notices
from broker.cli.options import json_option, quiet_clients, say_refused, settings_option
from broker.cli.patience import patiently
from broker.cli.wording import words_of_book
from broker.core.account.harmless import one_line
from broker.core.account.words import Words, count
from broker.core.intake.delivery import Connector, Documented
from broker.core.model.event import Event
from broker.core.model.identifiers import AgencyId
from broker.errors import DataLossError, InputError
from broker.sealing.signatures import Signer, load_signer
from broker.settings import Settings, load_settings
from broker.stream.clients import check_known, open_producer
from broker.stream.publish import Gate, Publisher
from broker.stream.recognise import read_identity, recognise_kafka
from broker.stream.releases.book import ReleaseBook
from broker.stream.releases.registers import following_releases
from broker.stream.topics import EVENTS
from connectors.registry import CONNECTORS, Registration
from connectors.transports.directory import Directory, Job
from connectors.transports.memory import SqliteMemory
from connectors.transports.report import Outcome, published

_INDENT = " " * 20
_HELP = 76  # columns that help may take before click indents it


def _named(name: str, one: Registration) -> str:
    """Say what a connector reads and how its files are named, in lines that fit a terminal: click wraps none of these."""
    said = (fill(one.reads, _HELP, initial_indent=f"  {name:<17} ", subsequent_indent=_INDENT),)
    return "\n".join((*said, fill(" ".join(one.files), _HELP, initial_indent=_INDENT, subsequent_indent=_INDENT)))


_NAMES = "\n".join(_named(name, one) for name, one in sorted(CONNECTORS.items()))
_EPILOG = f"""\b
Names, what each reads, and how its files are named:
{_NAMES}

\b
Examples:
  broker connect cin-census --agency E10000030 --inbox inbox
  broker connect school-census --agency urn:100001 --inbox inbox --once
  broker connect cin-census --agency E10000030 --forget-last
  broker connect school-census --agency urn:100001 --forget-all
  broker connect encompass-notice --deliver oak-dsl --outbox notices
  broker connect encompass-notice --form
"""


@click.command(epilog=_EPILOG)
@click.argument("name", metavar="NAME", type=click.Choice(sorted(CONNECTORS)))
@click.option("--agency", help="The agency whose files they are; its private key must be in the folder `keys`.")
@click.option("--inbox", type=click.Path(path_type=Path, file_okay=False), help="The folder where its files are dropped.")
@click.option("--deliver", metavar="RECIPIENT", help="Write notices for this recipient instead of reading files.")
@click.option("--outbox", type=click.Path(path_type=Path, file_okay=False), help="The folder where notices are written.")
@click.option("--once", is_flag=True, help="Stop when nothing is left to do, instead of waiting for more.")
@click.option("--form", is_flag=True, help="Show how to write a file whose form is this project's own: every label of a notice.")
@click.option(
    "--accept-disappearances", is_flag=True, help="Confirm that who is missing from these files is gone."
)  # fmt: skip
@click.option("--forget-last", is_flag=True, help="Show what forgetting the last accepted file means; with --yes, forget it.")
@click.option("--forget-all", is_flag=True, help="Show what forgetting all that was published means; with --yes, forget it.")
@click.option("--yes", is_flag=True, help="With --forget-last or --forget-all: do it.")
@json_option
@settings_option
def connect(*, settings_file: Path | None, name: str, as_json: bool, once: bool, **given: Any) -> None:
    """Run the connector NAME: an agency's native files from an inbox folder, or notices to an outbox folder.

    A file goes to `accepted` or `rejected` in the inbox, with a report in plain words beside it. A file that is still being
    written waits; the same file twice publishes nothing twice. A file is rejected, too, when there is an error in it and nothing
    new beside that. With --once, exit status 3 when a delivery was rejected.
    """
    if given["form"]:
        click.echo(_form(name), nl=False)
        return
    quiet_clients()
    settings = load_settings(settings_file)
    with suppress(KeyboardInterrupt, asyncio.CancelledError):
        if given["deliver"] or given["outbox"]:
            recipient, outbox = _pair(given, "deliver", "outbox")
            if name != "encompass-notice":
                raise InputError(f"`{name}` only reads: notices out are written by `encompass-notice`")
            notices = partial(write_notices, settings, recipient, Path(outbox), once=once, as_json=as_json)
            asyncio.run(_until_stopped(notices() if once else patiently(notices)))
            return
        if given["forget_last"] or given["forget_all"]:
            if not given["agency"]:
                raise InputError("--forget-last and --forget-all need --agency: see `broker connect --help`")
            forget = forget_all if given["forget_all"] else forget_last
            click.echo(forget(settings, name, given["agency"], sure=given["yes"]))
            return
        agency, inbox = _pair(given, "agency", "inbox")
        inbox_ = _Inbox(settings, name, agency, Path(inbox), accept=given["accept_disappearances"], as_json=as_json)
        if not Path(inbox).exists():
            click.echo(f"inbox {one_line(inbox)} is not there and is made: see that it is where the files are dropped", err=True)
        asyncio.run(_until_stopped(inbox_.work(once=True) if once else patiently(partial(inbox_.work, once=False))))
        if once and inbox_.rejected:
            raise click.exceptions.Exit(EXIT_REJECTED)


def _form(name: str) -> str:
    """Return how files of a format are written; raises InputError for one that others publish."""
    connector = CONNECTORS[name].make()
    if not isinstance(connector, Documented):
        raise InputError(
            f"`{name}` reads a format that others publish and describe: only `encompass-notice` is this project's own"
        )
    return connector.form()


def _pair(given: dict[str, Any], one: str, other: str) -> tuple[str, str]:
    if not given[one] or not given[other]:
        raise InputError(f"--{one} and --{other} go together: see `broker connect --help`")
    return str(given[one]), str(given[other])


async def _until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Work until it ends, or SIGTERM or Ctrl-C asks to stop: what is in hand is begun again at the next start."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(SIGTERM, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        click.echo("stopped; what was in hand is begun again at the next start", err=True)


class _Inbox:
    """Works on one inbox."""

    def __init__(self, settings: Settings, name: str, agency: str, inbox: Path, *, accept: bool, as_json: bool) -> None:  # noqa: PLR0913 - the options of the command, as given
        self._settings = settings
        self._registration = CONNECTORS[name]
        self._name = name
        self._agency_id = agency
        self._inbox = inbox
        self._accept = accept
        self._as_json = as_json
        self._signer: Signer = load_signer(settings.keys, agency)
        self._console = Console(stderr=True)
        self._words = Words()
        self._found = False
        self.rejected = 0

    async def work(self, *, once: bool) -> None:
        connector = self._registration.make()
        await recognise_kafka(self._settings.kafka, {EVENTS[connector.sector]}, self._settings.data)
        async with following_releases(self._settings.kafka, say_refused) as book:
            await self._work(connector, book, once=once)

    async def _work(self, connector: Connector, book: ReleaseBook, *, once: bool) -> None:
        gate = Gate(book, AgencyId(self._agency_id))
        agency, self._words = gate.agency(), words_of_book(book)
        if agency.sector is not connector.sector:
            raise InputError(
                f"agency `{agency.id}` is of the sector {agency.sector.value}, `{self._name}` of {connector.sector.value}: "
                "name the right agency, or correct the registers"
            )
        kind = self._registration
        job = Job(
            connector,
            agency,
            sets=kind.sets,
            messages=kind.messages,
            files=kind.files,
            accept_disappearances=self._accept,
        )
        memory = SqliteMemory(memory_of(self._settings, self._name, agency.id))
        try:
            await self._recognise(memory, EVENTS[agency.sector])
            async with open_producer(self._settings.kafka, topics=[EVENTS[agency.sector]]) as producer:
                with self._progress() as progress:
                    same = partial(check_known, producer, self._settings.kafka)
                    publish = _Counting(Publisher(producer, self._signer), same, progress)
                    inbox = Directory(
                        self._inbox, job, publish, memory, check=gate.check, words=self._words, agency=gate.agency, say=self._say
                    )
                    async for outcome in inbox.deliveries(once=once):
                        self._show(outcome)
                        publish.count = 0
                        self._found = True
            if not self._found and not self._as_json:
                self._say(f"nothing to read in {self._inbox}")
        except OSError as error:
            if error.filename is None:
                raise
            raise InputError(
                f"inbox `{self._inbox}`: {error.strerror}: name a folder that the connector can make or write into"
            ) from error
        except sqlite3.OperationalError as error:
            raise InputError(f"folder `{self._settings.data}`: {error}: make room, or the right to write there") from error
        finally:
            memory.close()

    async def _recognise(self, memory: SqliteMemory, topic: str) -> None:
        """See that what is remembered as published is in this Kafka; raises DataLossError."""
        found = await read_identity(self._settings.kafka, [topic])
        here, known = found.topics.get(topic) if found else None, memory.log(topic)
        if here is None:
            return
        if known is not None and known != here:
            raise DataLossError(
                f"topic `{topic}` is another than the one that {self._name} published to: what it remembers as published is not "
                f"in it: broker connect {self._name} --agency {self._agency_id} --forget-all lets it publish its next files whole"
            )
        memory.note_log(topic, here)

    def _progress(self) -> Progress:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        return Progress(
            *columns, console=self._console, transient=True, redirect_stdout=False, disable=not self._console.is_terminal
        )

    def _say(self, what: str) -> None:
        """Say on standard error what goes on, above the sign that something does."""
        self._console.print(one_line(what), markup=False, highlight=False, soft_wrap=True)

    def _show(self, outcome: Outcome) -> None:
        self.rejected += not outcome.accepted and not outcome.left
        if self._as_json:
            click.echo(json.dumps(outcome.as_json()))
            return
        files, total = one_line(", ".join(outcome.files)), sum(outcome.tally.events.values())
        if not outcome.accepted:
            fate = "left where it is" if outcome.left else "rejected"
            click.echo(f"{files}: {fate}: {one_line(outcome.reason)}{_doubts(outcome)}")
            return
        nothing = f"nothing to publish: {one_line(outcome.reason) or 'it says nothing new'}"
        told = f"{count(total, 'event')} published" if total else nothing
        click.echo(f"{files}: {told}{_doubts(outcome)}")
        for line in published(outcome.tally, self._words):
            click.echo(one_line(f"  {line}"))


class _Counting:
    """Publishes, each time to the Kafka that this place knows, and shows how far it is."""

    def __init__(self, publisher: Publisher, same_kafka: Callable[[], Awaitable[None]], progress: Progress) -> None:
        self._publisher = publisher
        self._same_kafka = same_kafka
        self._progress = progress
        self._task = progress.add_task("waiting for files", total=None)
        self.count = 0

    async def __call__(self, events: Iterable[Event]) -> None:
        await self._same_kafka()
        await self._publisher.publish(self._counted(events))
        self._progress.update(self._task, description="waiting for files")

    def _counted(self, events: Iterable[Event]) -> Iterable[Event]:
        for event in events:
            self.count += 1
            if self.count % 500 == 0:
                self._progress.update(self._task, description=f"published {self.count:,} events")
            yield event


def _doubts(outcome: Outcome) -> str:
    counts = dict.fromkeys(("error", "warning"), 0)
    for (severity, _), number in outcome.tally.findings.items():
        if severity in counts:
            counts[severity] += number
    said = ", ".join(count(number, severity) for severity, number in counts.items() if number)
    return f"; {said}: see the report beside the file" if said else ""


commands: dict[str, click.Command] = {"connect": connect}
