"""`broker dead-letters`: records that could not be taken: what they are, why, and back on their way once mended, or closed."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import click

from broker.cli.layout import Page, busy
from broker.cli.options import json_option, with_broker_settings
from broker.cli.refusals import REFUSALS, refusal
from broker.cli.wording import words_at_hand
from broker.core.account.words import Words, count, instant_in_words
from broker.errors import NotFoundError
from broker.lag.words import duration
from broker.settings import Settings
from broker.stream.clients import Writer, open_producer
from broker.stream.dead_letters import WHY_CLOSED, DeadLetter, close, read_dead_letters, redrive

_SHOWN = 20  # of one reason; the others are counted


def _known(_: click.Context, __: click.Parameter, reason: str | None) -> str | None:
    """Return a reason that there is: of one that is misspelt it must not be said that nothing has it."""
    if reason is not None and reason not in REFUSALS:
        raise click.BadParameter(f"`{reason}` is none: one of {', '.join(sorted(REFUSALS))}")
    return reason


@click.group("dead-letters")
def group() -> None:
    """List, show, redrive and close records that could not be taken.

    Example: broker dead-letters list
    """


@group.command("list")
@click.option("--reason", callback=_known, help="Only those with this reason.")
@click.option("--closed", is_flag=True, help="Those that were closed, instead of those that somebody has to see to.")
@json_option
@with_broker_settings
def list_letters(settings: Settings, *, reason: str | None, closed: bool, as_json: bool) -> None:
    """List the dead letters that somebody has to see to, the oldest first.

    Example: broker dead-letters list --reason bad_signature
    """
    found, words = asyncio.run(_look(settings, in_words=not as_json))
    letters = [one for one in found if reason in {None, one.reason} and bool(one.closed) is closed]
    if as_json:
        for one in letters:
            click.echo(json.dumps(_told(one)))
        return
    if not letters:
        click.echo(f"no {'closed ' if closed else ''}dead letters" + (f" with `{reason}`" if reason else ""))
        return
    page = Page()
    for name, _ in Counter(one.reason for one in letters).most_common():
        _print_reason(page, name, [one for one in letters if one.reason == name], words)
    page.line("to look into one:")
    page.command(f"broker dead-letters show {letters[0].place}", indent=2)


def _print_reason(page: Page, reason: str, letters: Sequence[DeadLetter], words: Words) -> None:
    """Print what is wrong once, and below it every record of which that is so."""
    says, remedy = refusal(reason)
    page.head(f"{says} ({reason})", count(len(letters), "record"))
    page.labelled("what to do", remedy)
    if any(one.can_be_put_back for one in letters):
        page.labelled("then", f"broker dead-letters redrive --reason {reason}", "cyan", whole=True)
    for one in letters[:_SHOWN]:
        page.line(f"{one.place}, {duration(_age(one))} old: {_what(one, words)}", indent=2)
    if len(letters) > _SHOWN:
        page.line(f"and {len(letters) - _SHOWN:,} more: see broker dead-letters list --json", indent=2)
    page.line()


@group.command()
@click.argument("place")
@json_option
@with_broker_settings
def show(settings: Settings, *, place: str, as_json: bool) -> None:
    """Show one dead letter without personal data. PLACE is topic/partition@offset, as `list` gives it.

    Example: broker dead-letters show events.police.v1/3@1042
    """
    letters, words = asyncio.run(_look(settings, in_words=not as_json))
    letter = _find(letters, [place])[0]
    if as_json:
        click.echo(json.dumps(_told(letter)))
        return
    page, about = Page(), letter.about()
    says, remedy = refusal(letter.reason)
    page.head(f"{says} ({letter.reason})", f"{duration(_age(letter))} old")
    page.labelled("what to do", remedy)
    page.labelled("what", _what(letter, words))
    page.labelled("event", str(about.get("event_id") or ""))
    page.labelled("where", letter.place)
    page.labelled("since", instant_in_words(letter.at))
    page.labelled("bytes", f"{about['bytes']:,}")
    if letter.closed:
        page.labelled("closed", WHY_CLOSED.get(letter.closed, letter.closed))
    elif letter.can_be_put_back:
        page.line("once that is done", "bold")
        page.command(f"broker dead-letters redrive {letter.place}")


@group.command("redrive")
@click.argument("places", nargs=-1)
@click.option("--reason", callback=_known, help="All with this reason.")
@click.option("--all", "every", is_flag=True, help="All of them.")
@json_option
@with_broker_settings
def redrive_letters(settings: Settings, *, places: tuple[str, ...], reason: str | None, every: bool, as_json: bool) -> None:
    """Put dead letters back where they came from, as they came, once their cause is mended.

    The broker recognises what it had already, and an older version never overwrites a newer one.

    Example: broker dead-letters redrive --reason bad_signature
    """
    if sum(map(bool, (places, reason, every))) != 1:
        raise click.UsageError("say which: PLACES, --reason REASON or --all")
    chosen = _chosen(_read(settings), places, reason)
    number = asyncio.run(_redrive(settings, chosen)) if chosen else 0
    left = [one for one in chosen if not one.can_be_put_back]
    if as_json:
        click.echo(json.dumps({"redriven": number, "cannot_be_redriven": [one.place for one in left]}))
        return
    if number:
        click.echo(f"{count(number, 'record')} put back; see `broker dead-letters list` in a moment")
    if left:
        came = "it came" if len(left) == 1 else "they came"
        click.echo(f"{count(len(left), 'record')} cannot be put back as {came}: see `broker dead-letters show {left[0].place}`")
    if not chosen:
        click.echo("no dead letters to put back")


@group.command("close")
@click.argument("places", nargs=-1)
@click.option("--reason", callback=_known, help="All with this reason.")
@click.option("--because", required=True, type=click.Choice(list(WHY_CLOSED)), help="Why nobody has to put them back.")
@json_option
@with_broker_settings
def close_letters(settings: Settings, *, places: tuple[str, ...], reason: str | None, because: str, as_json: bool) -> None:
    """Say that nobody has to see to some dead letters any more: they are listed and counted as open work no longer.

    They stay in the log, stay accounted for as dead letters, and can still be put back by their place.

    Example: broker dead-letters close events.police.v1/3@1042 --because sent-again
    """
    if bool(places) is bool(reason):
        raise click.UsageError("say which: PLACES or --reason REASON")
    chosen = _chosen(_read(settings), places, reason)
    if chosen:
        asyncio.run(_close(settings, chosen, because))
    if as_json:
        click.echo(json.dumps({"closed": [one.place for one in chosen]}))
    else:
        click.echo(f"{count(len(chosen), 'dead letter')} closed: {WHY_CLOSED[because]}" if chosen else "no dead letters to close")


def _chosen(letters: Sequence[DeadLetter], places: Sequence[str], reason: str | None) -> list[DeadLetter]:
    """Return those that are meant: by place also what was closed, else what is open, of one reason or all."""
    if places:
        return _find(letters, places)
    return [one for one in letters if reason in {None, one.reason} and not one.closed]


async def _close(settings: Settings, letters: Iterable[DeadLetter], because: str) -> None:
    async with open_producer(settings.kafka) as producer:
        await close(Writer(producer), letters, because)


async def _redrive(settings: Settings, letters: Iterable[DeadLetter]) -> int:
    async with open_producer(settings.kafka) as producer:
        return await redrive(Writer(producer), letters)


def _read(settings: Settings) -> list[DeadLetter]:
    return asyncio.run(_look(settings, in_words=False))[0]


async def _look(settings: Settings, *, in_words: bool) -> tuple[list[DeadLetter], Words]:
    with busy("reading dead letters"):
        if not in_words:
            return await read_dead_letters(settings.kafka), Words()
        letters, words = await asyncio.gather(read_dead_letters(settings.kafka), words_at_hand(settings.kafka))
        return letters, words


def _find(letters: Iterable[DeadLetter], places: Iterable[str]) -> list[DeadLetter]:
    by_place = {one.place: one for one in letters}
    missing = [place for place in places if place not in by_place]
    if missing:
        raise NotFoundError(f"no dead letter at {', '.join(f'`{one}`' for one in missing)}: see `broker dead-letters list`")
    return [by_place[place] for place in places]


def _told(letter: DeadLetter) -> dict[str, Any]:
    return {
        "place": letter.place,
        "reason": letter.reason,
        "says": refusal(letter.reason).says,
        "remedy": refusal(letter.reason).remedy,
        "attempt": letter.attempt,
        "age": duration(_age(letter)),
        "closed": letter.closed or None,
        "at": letter.at,
        **letter.about(),
    }


def _what(letter: DeadLetter, words: Words) -> str:
    about = letter.about()
    schema, event_type, producer = (str(about.get(name) or "") for name in ("schema", "event_type", "producer"))
    form = schema.replace("_", " ") if schema not in {"", "unknown"} else "no form that is known"
    what = words.event_and_code(event_type) if event_type else f"{form}, {about['bytes']:,} bytes"
    parts = (what, f"said by {words.name(producer)}" if producer else "", _attempts(letter.attempt))
    return ", ".join(part for part in parts if part)


def _attempts(attempt: int) -> str:
    return f"tried {attempt} times" if attempt > 1 else ""


def _age(letter: DeadLetter) -> float:
    return max(0.0, time.time() - letter.at / 1000)


commands = {"dead-letters": group}
