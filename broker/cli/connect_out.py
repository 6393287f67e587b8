"""Write a recipient's Operation Encompass disclosures as notices into a folder, with no one at a terminal."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import click

from broker.cli.patience import say_skipped
from broker.cli.wording import words_of_book
from broker.core.account.words import Words
from broker.errors import InputError
from broker.sealing.signatures import load_signer
from broker.settings import Settings
from broker.stream.clients import open_producer
from broker.stream.inbox import NOTICES, Inbox, Shown
from broker.stream.receipt import confirm
from broker.stream.standing import recipient_here
from broker.stream.subscribe import From, check_log, following
from connectors.police.encompass_notice import EncompassNotice

_KINDS = {
    "ALERT": "a new notice",
    "EXISTENCE": "a notice that there is something",
    "CORRECTION": "a corrected notice",
    "RETRACTION": "a notice is taken back",
}
EVENT_TYPE = "police.encompass.notified"


async def write_notices(settings: Settings, recipient: str, outbox: Path, *, once: bool, as_json: bool) -> None:
    """Write each notice once, confirm it as delivered with the recipient's key, and go on; with `once`, up to now.

    A notice is a whole file on disk before it is remembered, and remembered before it is confirmed: a crash may write the
    same file again, under the same name, and never loses one. Raises InputError when the folder cannot be written.
    """
    load_signer(settings.keys, recipient)  # whose key is not here gets no file either
    inbox = Inbox(settings.data / NOTICES, recipient)
    start = From(until_now=once, remedy=f"if that is meant, remove `{inbox.file}`: notices are then written from the beginning")
    try:
        await check_log(settings.kafka, inbox, start)
        signer, book = await recipient_here(settings, recipient)
        desk = _Desk(inbox, outbox, words_of_book(book), as_json=as_json)
        await asyncio.to_thread(outbox.mkdir, parents=True, exist_ok=True)
        async with open_producer(settings.kafka) as producer, following(settings.kafka, inbox, start, say_skipped) as batches:
            await confirm(producer, signer, inbox, inbox.unconfirmed())
            async for batch in batches:
                await confirm(producer, signer, inbox, [shown for one in batch.disclosures if (shown := desk.write(one))])
                inbox.read_up_to(batch.read_up_to)
        if not desk.written and not as_json:
            click.echo(f"no new notice for {words_of_book(book).name(recipient)}", err=True)
    except OSError as error:
        if error.filename is None:
            raise
        raise InputError(
            f"outbox `{outbox}`: {error.strerror}: name a folder that the connector can make or write into"
        ) from error
    finally:
        inbox.close()


class _Desk:
    """Writes notices."""

    def __init__(self, inbox: Inbox, outbox: Path, words: Words, *, as_json: bool) -> None:
        self._words = words
        self._inbox = inbox
        self._outbox = outbox
        self._as_json = as_json
        self._connector = EncompassNotice()
        self.written = 0

    def write(self, disclosure: dict[str, Any]) -> Shown | None:
        """Write one disclosure as a notice; None when it is none, or was written before."""
        name = disclosure["disclosure_id"]
        if disclosure["event_type"] != EVENT_TYPE or self._inbox.was_shown(name):
            return None
        file = self._outbox / f"{name}.txt"
        unfinished = file.with_name(f"{file.name}.part")
        with unfinished.open("w", encoding="utf-8") as out:
            out.write(self._connector.write(disclosure, self._words))
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(file)
        shown = Shown(name, disclosure["token"], disclosure["event_type"], disclosure["kind"])
        self._inbox.show(shown)
        self.written += 1
        click.echo(
            json.dumps({"file": str(file), "kind": shown.kind})
            if self._as_json
            else f"{file}: {_KINDS.get(shown.kind, shown.kind.lower())}"
        )
        return shown
