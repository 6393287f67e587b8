"""`broker explain`: the story of a decision, from the audit log."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from broker.cli.layout import Page, busy
from broker.cli.options import json_option, with_broker_settings
from broker.cli.wording import words_in_force, words_of_book
from broker.codec import Message
from broker.core.account.explain import WIDTH, explain_decision, explain_history, explain_told
from broker.core.account.words import Words, instant_in_words
from broker.errors import NotFoundError
from broker.sealing.secrets import Secrets
from broker.settings import Settings
from broker.stream.decide.replay import findings_read, unmet_read
from broker.stream.releases.registers import released
from broker.stream.watching.audit_reader import entries_about

if TYPE_CHECKING:
    from broker.stream.watching.whereabouts import Whereabouts

_STATES = {
    "in_review": "nothing was decided yet: a person has to first",
    "gap": "others were told as far as they may be; for one role a person has to see to it",
    "reviewed": "a person has answered what was asked",
    "dead_lettered": "nothing was decided: it could not be taken",
    "closed": "nothing was decided: it could not be taken, and an operator has closed it",
}


@click.command()
@click.argument("decision", required=False)
@click.option("--event", "event_id", help="All that happened about one event: decisions, corrections, receipts, clocks.")
@click.option(
    "--number",
    prompt="NHS number, UPN, or your own area's council's number of the child",
    prompt_required=False,
    help="Who was told what of the child with this NHS number, UPN or number of your council; asked for where you give none.",
)
@json_option
@with_broker_settings
def explain(settings: Settings, *, decision: str | None, event_id: str | None, number: str | None, as_json: bool) -> None:
    """Say in plain English why somebody was told, or was not. DECISION is the id of a decision or of a disclosure.

    With --number it says who was told what of one child, and on which basis.

    Says too which rule would have told somebody and what of it was not so, and what people had found that something was kept
    back by: in which role, why, and when it is looked at again; --json leaves that sealed. Keeps an index of the audit log in
    the folder of local state, so that a question takes less than a second.

    Example: broker explain --event 0d7e6a4c-6b0e-5d7e-9b63-1f5a3c1d2e4f
    """
    some_id = decision or (event_id and event_id.lower())
    if sum(map(bool, (decision, event_id, number))) != 1:
        raise click.UsageError("give a DECISION, --event with an event's id, or --number with that of a child")
    page = Page()
    if number:
        _print_told(settings, number, page, as_json=as_json)
        return
    try:
        entries, words = asyncio.run(_found(settings, [str(some_id)], as_json=as_json))
    except NotFoundError:
        from broker.stream.watching.whereabouts import whereabouts  # noqa: PLC0415 - reviews and dead letters: only where it is none

        elsewhere = asyncio.run(whereabouts(settings.kafka, str(some_id)))
        if not elsewhere:
            raise
        click.echo(json.dumps([asdict(one) for one in elsewhere])) if as_json else _say_where(settings, page, elsewhere)
        return
    width = _width(page)
    if as_json:
        click.echo(json.dumps([_plain(one) for one in entries]))
    elif event_id or decision not in _decisions(entries[0]):
        click.echo(explain_history(entries, words, width), nl=False)
    else:
        click.echo(explain_decision(entries[0], str(some_id), words, width), nl=False)


def _say_where(settings: Settings, page: Page, elsewhere: "list[Whereabouts]") -> None:
    words = asyncio.run(words_in_force(settings.kafka))
    for one in elsewhere:
        said_by = words.name(one.producer) or "nobody known"
        page.line(f"Event: {words.event(one.event_type) or 'of no known type'}, said by {said_by}")
        page.line(f"{instant_in_words(one.at)}: {_STATES[one.state]}: {words.named(words.spelt_out(one.why))}", indent=2)
        if one.asked:
            page.line(f"who decides: {words.name(one.asked)}", indent=2)
        page.line(f"event {one.event_id}; see `{one.see}`", indent=2)


def _print_told(settings: Settings, number: str, page: Page, *, as_json: bool) -> None:
    from broker.stream.watching.by_number import refs_of  # noqa: PLC0415 - what identity knows: only where it is asked

    with busy("looking for the child"):
        refs = asyncio.run(refs_of(settings, number))
    entries, words = asyncio.run(_found(settings, refs, as_json=as_json))
    told = json.dumps([_plain(one) for one in entries]) + "\n" if as_json else explain_told(entries, words, _width(page))
    click.echo(told, nl=False)


def _width(page: Page) -> int | None:
    return min(page.width, WIDTH) if page.width else None


async def _found(settings: Settings, ids: Sequence[str], *, as_json: bool) -> tuple[list[Message], Words]:
    with busy("looking it up; what was decided since the last time is indexed first"):
        if as_json:
            return await entries_about(settings, ids), Words()
        entries, book = await asyncio.gather(entries_about(settings, ids), released(settings.kafka))
        secrets = Secrets.load(settings.keys)
        opened = ({**one, "findings": findings_read(one, secrets), "unmet": unmet_read(one, secrets, book)} for one in entries)
        return list(opened), words_of_book(book)


def _decisions(entry: Message) -> set[str | None]:
    return {one[name] for one in entry["decisions"] for name in ("decision_id", "disclosure_id")}


def _plain(entry: Message) -> Message:
    """An entry as JSON; the sealed request stays sealed."""
    return {name: value for name, value in entry.items() if name != "request"}


commands = {"explain": explain}
