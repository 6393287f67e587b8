"""`broker dead-letters`: records that could not be taken; what they are, why, and back on their way once that is mended."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import click

from broker.cli.layout import Page, busy, count
from broker.cli.options import json_option, with_settings
from broker.core.words import instant_in_words
from broker.errors import NotFoundError
from broker.lag.words import duration
from broker.settings import Settings
from broker.stream.clients import Writer, open_producer
from broker.stream.dead_letters import DeadLetter, open_dead_letters, redrive

# What each reason means and what mends it.
REMEDIES = {
    "rejected": "see the worker's log",
    "unknown_schema": "the publisher uses a schema that is not released: release it with `broker schemas check --release`",
    "unreadable": "the bytes do not fit their schema: the publisher has to send the record again",
    "malformed": "its publisher's Kafka client writes header names that are not UTF-8: it has to be mended and send again",
    "bad_signature": "the key is unknown or not in force: put it into the registers and release them",
    "not_permitted": "the agency may not publish this here: change the registers, or ask it to use its own topic",
    "headers_disagree": "the Kafka headers do not say what the event says: the publisher has to mend its client",
    "unreadable_delivery": "the file could not be read: the agency has to send it again",
    "nothing_in_force": "no policy or registers were in force: release them, then redrive",
    "unknown_disclosure": "a receipt for what was never disclosed: ask its sender",
    "review_not_open": "somebody answered a review that is closed: nothing to do",
    "too_large": "the record is larger than the broker takes: the publisher has to send less",
    "time_in_future": "the publisher's clock is ahead: have it set, then redrive",
    "content_differs": "other content came under the id of an earlier event: its publisher has to send an update under a new id",
    "stale_version": "a newer version came meanwhile: nothing to do",
}


_NO_REMEDY = "see the worker's log"


@click.group("dead-letters")
def group() -> None:
    """List, show and redrive records that could not be taken.

    Example: broker dead-letters list
    """


@group.command("list")
@click.option("--reason", help="Only those with this reason.")
@json_option
@with_settings
def list_letters(settings: Settings, *, reason: str | None, as_json: bool) -> None:
    """List the dead letters that were not put back, the oldest first.

    Example: broker dead-letters list --reason bad_signature
    """
    letters = [one for one in _read(settings) if reason in {None, one.reason}]
    if as_json:
        for one in letters:
            click.echo(json.dumps(_told(one)))
        return
    if not letters:
        click.echo("no dead letters" + (f" with `{reason}`" if reason else ""))
        return
    page = Page()
    for one in letters:
        page.head(one.place, f"{duration(_age(one))} old")
        page.labelled("reason", one.reason)
        page.labelled("what", _what(one))
        page.line()
    for name, number in Counter(one.reason for one in letters).most_common():
        page.line(f"{number} with `{name}`: {REMEDIES.get(name, _NO_REMEDY)}")
    page.line("to look into one, and once the cause is mended:")
    page.command(f"broker dead-letters show {letters[0].place}", indent=2)
    page.command(f"broker dead-letters redrive --reason {letters[0].reason}", indent=2)


@group.command()
@click.argument("place")
@json_option
@with_settings
def show(settings: Settings, *, place: str, as_json: bool) -> None:
    """Show one dead letter without personal data. PLACE is topic/partition@offset, as `list` gives it.

    Example: broker dead-letters show events.police.v1/3@1042
    """
    letter = _find(_read(settings), [place])[0]
    told = _told(letter)
    if as_json:
        click.echo(json.dumps(told))
        return
    page = Page()
    for name, value in told.items():
        said = instant_in_words(value) if name == "at" else str(value if value is not None else "")
        page.labelled(name.replace("_", " "), said, indent=0, width=16)


@group.command("redrive")
@click.argument("places", nargs=-1)
@click.option("--reason", help="All with this reason.")
@click.option("--all", "every", is_flag=True, help="All of them.")
@json_option
@with_settings
def redrive_letters(settings: Settings, *, places: tuple[str, ...], reason: str | None, every: bool, as_json: bool) -> None:
    """Put dead letters back where they came from, as they came, once their cause is mended.

    The broker recognises what it had already, and an older version never overwrites a newer one.

    Example: broker dead-letters redrive --reason bad_signature
    """
    if sum(map(bool, (places, reason, every))) != 1:
        raise click.UsageError("say which: PLACES, --reason REASON or --all")
    letters = _read(settings)
    chosen = _find(letters, places) if places else [one for one in letters if every or one.reason == reason]
    number = asyncio.run(_redrive(settings, chosen)) if chosen else 0
    left = [one for one in chosen if not one.can_be_put_back]
    if as_json:
        click.echo(json.dumps({"redriven": number, "cannot_be_redriven": [one.place for one in left]}))
        return
    if number:
        click.echo(f"{count(number, 'record')} put back; see `broker dead-letters list` in a moment")
    if left:
        click.echo(f"{count(len(left), 'record')} cannot be put back as {_came(len(left))}: {REMEDIES['malformed']}")
    if not chosen:
        click.echo("no dead letters to put back")


def _came(number: int) -> str:
    return "it came" if number == 1 else "they came"


async def _redrive(settings: Settings, letters: Iterable[DeadLetter]) -> int:
    async with open_producer(settings.kafka) as producer:
        return await redrive(Writer(producer), letters)


def _read(settings: Settings) -> list[DeadLetter]:
    with busy("reading dead letters"):
        return asyncio.run(open_dead_letters(settings.kafka))


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
        "remedy": REMEDIES.get(letter.reason),
        "attempt": letter.attempt,
        "age": duration(_age(letter)),
        "at": letter.at,
        **letter.about(),
    }


def _what(letter: DeadLetter) -> str:
    about = letter.about()
    what = str(about.get("event_type") or f"{about['schema'] or 'no known schema'}, {about['bytes']} bytes")
    parts = (what, f"from {about['producer']}" if about.get("producer") else "", _attempts(letter.attempt))
    return ", ".join(part for part in parts if part)


def _attempts(attempt: int) -> str:
    return f"tried {attempt} times" if attempt > 1 else ""


def _age(letter: DeadLetter) -> float:
    return max(0.0, time.time() - letter.at / 1000)


commands = {"dead-letters": group}
