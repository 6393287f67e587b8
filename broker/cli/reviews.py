"""`broker reviews`: what a person has to decide. The list shows no personal data; a review opens only with the broker's key."""

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from broker.cli.options import json_option, with_settings
from broker.codec import decode_event, event_to_message
from broker.errors import NotFoundError
from broker.lag.words import duration
from broker.sealing.reviews import open_event
from broker.sealing.secrets import Secrets
from broker.sealing.signatures import load_signer
from broker.settings import Settings
from broker.stream.review_reader import LINK, REJECT, Answer, Review, answer, answer_to, known_children, read_reviews

_PLAIN = ("review_id", "kind", "state", "for_recipient", "event_id", "event_type", "producer", "why", "opened_at")
_WHAT_NEXT = {
    "UNIDENTIFIED": "broker reviews link {id} --child CHILD_REF, or reject: nobody the broker knows",
    "AMBIGUOUS": "broker reviews link {id} --child CHILD_REF, or reject: none of them",
    "IDENTIFIER_CONFLICT": "broker reviews link {id} --child CHILD_REF: one child; or reject: two children",
    "ASK": "broker reviews link {id}: share it; or reject: do not",
    "HOLD": "answer the review that holds this child's line first, or link this one alone",
    "GAP": "fill the role in the registers, release them, then broker reviews reject {id}",
}


@click.group("reviews")
def group() -> None:
    """List and resolve what a person has to decide.

    Example: broker reviews list
    """


@group.command("list")
@click.option("--for", "recipient", help="Only those of this hub or desk.")
@click.option("--all", "every", is_flag=True, help="Also those that are resolved or withdrawn.")
@json_option
@with_settings
def list_reviews(settings: Settings, *, recipient: str | None, every: bool, as_json: bool) -> None:
    """List open reviews, the oldest first. No personal data is shown.

    Example: broker reviews list --for hub
    """
    found = asyncio.run(read_reviews(settings.kafka)).values()
    wanted = [one for one in found if (every or one.is_open) and recipient in {None, one.message["for_recipient"]}]
    if as_json:
        for one in wanted:
            click.echo(json.dumps(_told(one)))
        return
    if not wanted:
        click.echo("nothing waits for a decision")
        return
    Console().print(_table(wanted))


@group.command("show")
@click.argument("review")
@json_option
@with_settings
def show(settings: Settings, *, review: str, as_json: bool) -> None:
    """Show one review with the event in it. It opens only with the broker's key, and holds personal data.

    Example: broker reviews show r-5f0c6b1e
    """
    one = _find(asyncio.run(read_reviews(settings.kafka)), review)
    event = _event(one, Secrets.load(settings.keys))
    if as_json:
        click.echo(json.dumps({**_told(one), "event": event}, default=str))
        return
    for name, value in _told(one).items():
        click.echo(f"{name.replace('_', ' ')}: {', '.join(value) if isinstance(value, list) else value}")
    if event is not None:
        click.echo("event:")
        click.echo(json.dumps(event, indent=2, default=str, ensure_ascii=False))
    if one.is_open:
        click.echo("next: " + _WHAT_NEXT[one.message["kind"]].format(id=one.id))


@group.command("link")
@click.argument("review")
@click.option("--child", help="The child_ref it is about, as `show` lists the candidates.")
@click.option("--as", "holder", help="Who decides; the desk that was asked unless you say so. Its key must be in `keys`.")
@click.option("--reason", required=True, help="Why, in a few words without personal data.")
@with_settings
def link(settings: Settings, *, review: str, child: str | None, holder: str | None, reason: str) -> None:
    """Say which child an event is about, or that what was asked may be shared.

    Example: broker reviews link r-5f0c6b1e --child c-3k2v --reason "seen in the case system"
    """
    one = _find(asyncio.run(read_reviews(settings.kafka)), review)
    if child is not None:
        child = _child(settings, child)
    _answer(settings, one, Answer(LINK, reason, child), holder)
    click.echo(f"review {one.id}: answered, the line goes on")


@group.command("reject")
@click.argument("review")
@click.option("--as", "holder", help="Who decides; the desk that was asked unless you say so. Its key must be in `keys`.")
@click.option("--reason", required=True, help="Why, in a few words without personal data.")
@with_settings
def reject(settings: Settings, *, review: str, holder: str | None, reason: str) -> None:
    """Say that an event is about none of the children, that two records are two children, or that nothing may be shared.

    Example: broker reviews reject r-5f0c6b1e --reason "not a child of this area"
    """
    one = _find(asyncio.run(read_reviews(settings.kafka)), review)
    _answer(settings, one, Answer(REJECT, reason), holder)
    click.echo(f"review {one.id}: rejected, the line goes on")


def _answer(settings: Settings, one: Review, said: Answer, holder: str | None) -> None:
    signer = load_signer(settings.keys, holder or one.message["for_recipient"])
    made = answer_to(one, said, signer, Secrets.load(settings.keys))
    asyncio.run(answer(settings.kafka, made))


def _child(settings: Settings, named: str) -> str:
    """Return the one child that a reference, or its beginning, names; raises NotFoundError."""
    known = asyncio.run(known_children(settings.kafka))
    found = sorted(ref for ref in known if ref.startswith(named))
    if len(found) != 1:
        raise NotFoundError(f"child `{named}`: {'no child' if not found else 'more than one child'} is known by that reference")
    return known[found[0]]


def _find(reviews: Mapping[str, Review], named: str) -> Review:
    found = [one for name, one in reviews.items() if name.startswith(named)]
    if len(found) != 1:
        raise NotFoundError(f"review `{named}`: {'not there' if not found else 'more than one'}: see `broker reviews list --all`")
    return found[0]


def _event(one: Review, secrets: Secrets) -> dict[str, Any] | None:
    if one.sealed is None:
        return None
    return event_to_message(decode_event(open_event(secrets, one.id, one.sealed)))


def _told(one: Review) -> dict[str, Any]:
    plain = {name: one.message[name] for name in _PLAIN}
    resolution = one.message["resolution"]
    decided = {"decision": resolution["decision"], "by": resolution["by"], "reason": resolution["reason"]} if resolution else {}
    return {**plain, "candidates": list(one.message["candidates"]), **decided}


def _table(reviews: Iterable[Review]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("review", "what", "state", "for", "event type", "from", "open for", "why"):
        table.add_column(name, overflow="fold")
    now = time.time() * 1000
    for one in reviews:
        said = one.message
        age = duration(max(0.0, now - said["opened_at"]) / 1000) if one.is_open else ""
        kind = said["kind"].lower().replace("_", " ")
        table.add_row(
            one.id, kind, said["state"].lower(), said["for_recipient"], said["event_type"], said["producer"], age, said["why"]
        )
    return table


commands: dict[str, click.Command] = {"reviews": group}
