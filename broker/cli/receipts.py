"""`broker acknowledge`, `act` and `outcome`: what a recipient says of a disclosure, signed with its own key."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import click

from broker.cli.layout import busy
from broker.cli.options import json_option, with_settings
from broker.core.account.words import words_of
from broker.core.line.feedback import note_may_go
from broker.core.model.policy import Policy
from broker.errors import InputError, NotFoundError
from broker.policyfile import load_policy
from broker.sealing.signatures import Signer
from broker.settings import Settings
from broker.stream.clients import open_producer
from broker.stream.inbox import NOTICES, Inbox, Shown
from broker.stream.receipt import Answer, send_receipts
from broker.stream.releases.registers import released
from broker.stream.standing import recipient_here
from broker.stream.subscribe import From, check_log

_OTHER_LOG = "what was told here stood in another log, where alone the answer says anything: broker subscribe {} --from beginning"
_NOTE_STAYS = (
    "the note stays with the broker: no rule in force gives whoever spoke first more than the outcome; tell them yourself"
)
_NOTE_MAY_GO = (
    "the note goes to whoever spoke first where the rules in force give them the account; else it stays with the broker"
)
_WORDS = {"READ": "read", "ACTED": "acted on", "OUTCOME": "answered with its outcome"}


def _about(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the recipient and the disclosure that it is about."""
    for option in (json_option, click.argument("disclosure"), click.argument("recipient")):
        command = option(command)
    return command


@click.command()
@_about
@with_settings
def acknowledge(settings: Settings, *, recipient: str, disclosure: str, as_json: bool) -> None:
    """Say that RECIPIENT has read DISCLOSURE; the first letters of its id are enough.

    Example: broker acknowledge oak-dsl d-4ftk2q
    """
    _say(settings, recipient, disclosure, {"state": "READ"}, as_json=as_json)


@click.command()
@_about
@with_settings
def act(settings: Settings, *, recipient: str, disclosure: str, as_json: bool) -> None:
    """Say that RECIPIENT has acted on DISCLOSURE.

    Example: broker act oak-dsl d-4ftk2q
    """
    _say(settings, recipient, disclosure, {"state": "ACTED"}, as_json=as_json)


@click.command()
@_about
@click.argument("what")
@click.option(
    "--note",
    help="A short note for whoever spoke first in the matter. Where no rule lets it go to them, it stays and you are told.",
)
@with_settings
def outcome(settings: Settings, *, recipient: str, disclosure: str, as_json: bool, **said: str | None) -> None:
    """Say what came of DISCLOSURE: WHAT is one of the policy's outcomes. Whoever spoke first in the matter hears it.

    no_further_action, help_offered, assessment, section_47, already_known or not_for_us, unless the policy in force has others.

    Example: broker outcome north-hub d-4ftk2q assessment --note "first visit on Thursday"
    """
    policy = _policy_of_outcome(settings, str(said["what"]))
    _say(settings, recipient, disclosure, {"state": "OUTCOME", "outcome": said["what"], "note": said["note"]}, as_json=as_json)
    if said["note"] and not as_json:
        click.echo(_NOTE_MAY_GO if note_may_go(policy) else _NOTE_STAYS)


def _policy_of_outcome(settings: Settings, what: str) -> Policy:
    """Return the policy in force, which has that outcome; raises InputError when it has not."""
    with busy("reading the policy in force"):
        book = asyncio.run(released(settings.kafka))
    policy = book.newest_policy() if book.latest("policy") else load_policy()
    if what not in policy.outcomes:
        raise InputError(f"`{what}` is no outcome that the policy has: say one of {', '.join(policy.outcomes)}")
    return policy


def _say(settings: Settings, recipient: str, disclosure: str, what: dict[str, Any], *, as_json: bool) -> None:
    inbox, shown = _found(settings, recipient, disclosure)
    try:
        with busy("sending the answer"):
            asyncio.run(check_log(settings.kafka, inbox, From(remedy=_OTHER_LOG.format(recipient))))
            signer, _ = asyncio.run(recipient_here(settings, recipient))
            answer = Answer(disclosure_id=shown.id, token=shown.token, said_at=time.time_ns() // 1_000_000, **what)
            asyncio.run(_send(settings, signer, answer))
        inbox.mark([shown.id], answer.state.lower())
    finally:
        inbox.close()
    if as_json:
        click.echo(json.dumps({"disclosure_id": shown.id, "event_type": shown.event_type, "state": answer.state}))
    else:
        said = words_of(load_policy()).event(shown.event_type)
        click.echo(f"{said}: {_WORDS[answer.state]} ({shown.id})")


def _found(settings: Settings, recipient: str, disclosure: str) -> tuple[Inbox, Shown]:
    """Find a disclosure among what was shown here, or written as a notice; raises NotFoundError."""
    notices = settings.data / NOTICES
    for folder in (settings.data, notices):
        inbox = Inbox(folder, recipient)
        try:
            return inbox, inbox.find(disclosure)
        except NotFoundError:
            inbox.close()
            if folder == notices or not notices.is_dir():
                raise
    raise AssertionError("the last folder returns or raises")


async def _send(settings: Settings, signer: Signer, answer: Answer) -> None:
    async with open_producer(settings.kafka) as producer:
        await send_receipts(producer, signer, [answer])


commands = {"acknowledge": acknowledge, "act": act, "outcome": outcome}
