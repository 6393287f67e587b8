"""`broker explain`: the story of a decision, from the audit log."""

import asyncio
import json

import click
from rich.console import Console

from broker.cli.options import json_option, with_settings
from broker.codec import Message
from broker.core.explain import explain_decision, explain_history
from broker.settings import Settings
from broker.stream.audit_reader import entries_about


@click.command()
@click.argument("decision", required=False)
@click.option("--event", "event_id", help="All that happened about one event: decisions, corrections, receipts, clocks.")
@json_option
@with_settings
def explain(settings: Settings, *, decision: str | None, event_id: str | None, as_json: bool) -> None:
    """Say in plain English why somebody was told, or was not. DECISION is the id of a decision or of a disclosure.

    Keeps an index of the audit log in the folder of local state, so that a question takes less than a second.

    Example: broker explain --event 0d7e6a4c-6b0e-5d7e-9b63-1f5a3c1d2e4f
    """
    some_id = decision or event_id
    if some_id is None or (decision and event_id):
        raise click.UsageError("give a DECISION, or --event with an event's id")
    entries = asyncio.run(_entries(settings, some_id))
    if as_json:
        click.echo(json.dumps([_plain(one) for one in entries]))
    elif event_id or decision not in _decisions(entries[0]):
        click.echo(explain_history(entries), nl=False)
    else:
        click.echo(explain_decision(entries[0], some_id), nl=False)


async def _entries(settings: Settings, some_id: str) -> list[Message]:
    with Console(stderr=True).status("looking it up; what was decided since the last time is indexed first"):
        return await entries_about(settings, some_id)


def _decisions(entry: Message) -> set[str | None]:
    return {one[name] for one in entry["decisions"] for name in ("decision_id", "disclosure_id")}


def _plain(entry: Message) -> Message:
    """An entry as JSON; the sealed request stays sealed."""
    return {name: value for name, value in entry.items() if name != "request"}


commands = {"explain": explain}
