"""`broker subscribe`: follow what a recipient is told, and say for it that it was delivered."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from broker.cli.layout import Page, busy
from broker.cli.options import json_option, with_settings
from broker.cli.patience import patiently, say_skipped
from broker.cli.review_words import PLAIN, question, told
from broker.cli.wording import words_of_book
from broker.core.account.tell import heading, tell
from broker.core.account.words import Words, instant_in_words
from broker.sealing.signatures import Signer, load_signer
from broker.settings import Settings
from broker.stream.clients import KafkaProducer, open_producer
from broker.stream.inbox import ASKED, Inbox, Shown
from broker.stream.receipt import confirm
from broker.stream.releases.book import ReleaseBook
from broker.stream.standing import recipient_here
from broker.stream.subscribe import BEGINNING, Batch, From, check_log, following
from broker.stream.watching.asked import WITHDRAWN, Review, follow_questions, is_shown_to

_COLOURS = {"ALERT": "bold red", "RETRACTION": "bold yellow", "CORRECTION": "bold yellow", "ESCALATION": "bold magenta"}

Disclosure = dict[str, Any]


class _Instant(click.ParamType):
    """The beginning, or an ISO 8601 time; one without a zone is local time in England."""

    name = "beginning|time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if value == "beginning":
            return BEGINNING
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"`{value}` is neither `beginning` nor a time such as 2026-11-03T08:15", param, ctx)
        return max(BEGINNING, int((at if at.tzinfo else at.replace(tzinfo=ZoneInfo("Europe/London"))).timestamp() * 1000))


@click.command()
@click.argument("recipient")
@click.option("--from", "start", type=_Instant(), help="Begin at `beginning` or a time; else where this machine ended last.")
@click.option("--again", is_flag=True, help="Show also what was shown on this machine before.")
@click.option("--until-now", is_flag=True, help="Stop at what is there now instead of waiting for more.")
@click.option("--no-receipt", is_flag=True, help="Do not say that anything was delivered.")
@json_option
@with_settings
def subscribe(settings: Settings, *, recipient: str, as_json: bool, **how: Any) -> None:
    """Follow what RECIPIENT is told, and what it is asked at the broker's own place. Each is shown once, also after a restart.

    What was shown is confirmed as delivered with the recipient's own key. Nobody is served whose key is not in the folder of
    keys here and in the registers in force; who has no topic of its own is served at the broker's own place. While Kafka is
    away it says so and waits; with --until-now it ends with exit status 75 then. It stops when the log is another than the
    one that was read here before.

    Example: broker subscribe oak-dsl --from 2026-11-03T08:00
    """
    signer = load_signer(settings.keys, recipient)
    inbox = Inbox(settings.data, recipient)
    remedy = f"if that is meant, and what was there before may be forgotten: broker subscribe {recipient} --from beginning"
    start = From(at=how["start"], until_now=how["until_now"], anew=how["start"] is not None, remedy=remedy)
    desk = _Desk(inbox, None if how["no_receipt"] else signer, again=how["again"], as_json=as_json)
    try:
        asyncio.run(desk.sit(settings, start) if start.until_now else patiently(lambda: desk.sit(settings, start)))
    finally:
        inbox.close()


class _Desk:
    """Shows what comes, remembers it, and confirms it, in this order: a crash may show a message again, never lose it."""

    def __init__(self, inbox: Inbox, signer: Signer | None, *, again: bool, as_json: bool) -> None:
        self._inbox = inbox
        self._recipient = inbox.recipient
        self._signer = signer
        self._again = again
        self._as_json = as_json
        self._page = Page()
        self._words = Words()
        self._began = False
        self._this_run: set[str] = set()

    async def sit(self, settings: Settings, start: From) -> None:
        """Follow until told to stop; called again after a failure, it goes on in the log where it began."""
        start = replace(start, anew=start.anew and not self._began)
        await check_log(settings.kafka, self._inbox, start)
        with busy("reading the registers in force"):
            _, book = await recipient_here(settings, self._recipient)
        self._words = words_of_book(book)
        async with (
            open_producer(settings.kafka) as producer,
            following(settings.kafka, self._inbox, start, say_skipped) as batches,
        ):
            self._began = True
            if sys.stdout.isatty() and not (start.until_now or self._as_json):
                click.echo(f"following what {self._words.name(self._recipient)} is told; Ctrl-C stops it", err=True)
            await self._confirm(producer, self._inbox.unconfirmed())
            await _side_by_side(self._hear(producer, batches), self._be_asked(settings, start, _hubs_of(book, self._recipient)))
        if not self._this_run and not self._as_json:
            click.echo(
                f"nothing new for {self._words.name(self._recipient)}; --from beginning --again shows what was shown", err=True
            )

    async def _hear(self, producer: KafkaProducer, batches: AsyncIterator[Batch]) -> None:
        async for batch in batches:
            await self._confirm(producer, [shown for one in batch.disclosures if (shown := self._show(one))])
            self._inbox.read_up_to(batch.read_up_to)

    async def _be_asked(self, settings: Settings, start: From, hubs: frozenset[str]) -> None:
        """Show what this desk has to decide; a duty team also what is about nobody known, as its hub may be closed.

        Of what was shown, and nobody is asked any more, it is said that it is over.
        """

        def is_asked(review: Review) -> bool:
            if review["state"] == WITHDRAWN:
                return self._inbox.was_shown(review["review_id"])
            return is_shown_to(review, self._recipient, hubs)

        places = self._inbox.next_offset if start.at is None else lambda *_: None
        async for questions in follow_questions(settings.kafka, is_asked, places, until_now=start.until_now):
            for one in questions.reviews:
                self._show_question(one)
            self._inbox.read_up_to(questions.read_up_to)

    def _show_question(self, one: Review) -> None:
        made, is_over = one["review_id"], one["state"] == WITHDRAWN
        if not is_over and (made in self._this_run or (self._inbox.was_shown(made) and not self._again)):
            return
        self._this_run.add(made)
        if self._as_json:
            click.echo(json.dumps({name: one[name] for name in PLAIN}))
        else:
            print_question(self._page, one, self._words)
        if is_over:
            self._this_run.discard(made)
            self._inbox.forget_question(made)
            return
        self._inbox.show(Shown(made, b"", one["event_type"], one["kind"], ASKED))

    def _show(self, one: Disclosure) -> Shown | None:
        made = one["disclosure_id"]
        before = self._inbox.was_shown(made)
        if made in self._this_run or (before and not self._again):
            return None
        self._this_run.add(made)
        if self._as_json:
            click.echo(json.dumps({name: value for name, value in one.items() if value is not None}, default=bytes.hex))
        else:
            print_disclosure(self._page, one, self._words)
        shown = Shown(made, one["token"], one["event_type"], one["kind"])
        self._inbox.show(shown)
        return None if before else shown

    async def _confirm(self, producer: KafkaProducer, shown: Sequence[Shown]) -> None:
        """Say that some disclosures were delivered."""
        if self._signer is not None:
            await confirm(producer, self._signer, self._inbox, shown)


async def _side_by_side(*work: Coroutine[Any, Any, None]) -> None:
    """Do several things until all have ended, or one fails: then none goes on."""
    tasks = [asyncio.ensure_future(_to_its_end(one)) for one in work]
    try:
        for one in asyncio.as_completed(tasks):
            if (end := await one) is not None:
                raise end
    finally:
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _to_its_end(work: Coroutine[Any, Any, None]) -> SystemExit | None:
    """Do something; return that the program has to end (a reader closed the pipe): raised in a task, it breaks the loop."""
    try:
        await work
    except SystemExit as end:
        return end
    return None


def _hubs_of(book: ReleaseBook, recipient: str) -> frozenset[str]:
    """Return the hubs whose duty team a recipient is."""
    if not book.latest("registers"):
        return frozenset()
    return frozenset(one.hub for one in book.newest().areas.values() if one.out_of_hours == recipient)


def print_question(page: Page, one: Review, words: Words) -> None:
    """Print that a person has to decide something, or no more: about what and by when, and nothing that names a child."""
    with page.together():
        if one["state"] == WITHDRAWN:
            page.head("No longer asked")
            page.labelled("review", one["review_id"])
            page.labelled("why", one["why"])
            page.line()
            return
        page.head(question(one), instant_in_words(one["opened_at"]), "bold magenta")
        for label, text in told(one, words):
            page.labelled(label, text)
        page.labelled("then", f"broker reviews show {one['review_id']}", "cyan", whole=True)
        page.line()


def print_disclosure(page: Page, one: Disclosure, words: Words) -> None:
    """Print one disclosure, in colour where there is a terminal."""
    with page.together():
        page.head(heading(one, words), instant_in_words(one["issued_at"]), _COLOURS.get(one["kind"], "bold"))
        for label, text in tell(one, words):
            page.labelled(label, text)
        page.labelled("then", f"broker acknowledge {one['recipient']} {one['disclosure_id']}", "cyan", whole=True)
        page.line()


commands = {"subscribe": subscribe}
