"""`broker reviews`: what a person has to decide. The list shows no personal data; a review opens only with the broker's key."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import click

from broker.cli import EXIT_TRY_AGAIN
from broker.cli.layout import Page, busy
from broker.cli.options import json_option, with_broker_settings
from broker.cli.review_words import PLAIN, answers, may_be, more, question, source_said, told
from broker.cli.wording import words_in_force
from broker.codec import decode_event, event_to_message
from broker.core.account.words import Words, count
from broker.core.intake.who import HEADER, who_it_is
from broker.core.model.event import Event
from broker.core.model.identifiers import AgencyId, ChildRef, RecipientId
from broker.errors import InputError, KeysError, NotFoundError
from broker.lag.words import duration
from broker.sealing.reviews import open_event
from broker.sealing.secrets import Secrets
from broker.sealing.signatures import load_signer
from broker.settings import Settings
from broker.stream.releases.book import ReleaseBook
from broker.stream.releases.registers import released
from broker.stream.standing import check_key
from broker.stream.watching.by_number import refs_with
from broker.stream.watching.review_reader import (
    LINK,
    REJECT,
    Answer,
    Children,
    KnownChild,
    Review,
    answer,
    answer_to,
    candidates_of,
    check_asked,
    check_may_see,
    children_known,
    excluded_for,
    known_children,
    read_reviews,
    said_by,
    set_it,
)
from broker.stream.watching.told_before import ToldOf, told_of

_TAKEN_WITHIN_SECONDS = 15.0
_STILL_OPEN = (
    "the answer is sent and it is still open: no worker has taken it yet (`broker lag`), or the child's line refused it "
    "(`broker dead-letters list`)"
)
_CUT = "what else the source said is shown to nobody before it is known which child it is about"


def _said(_: click.Context, __: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("say why, in a few words: it stands in the audit log")
    return value


_reason = click.option("--reason", required=True, callback=_said, help="Why, in a few words without personal data.")


@click.group("reviews")
def group() -> None:
    """List and resolve what a person has to decide.

    Example: broker reviews list
    """


@group.command("list")
@click.option("--for", "recipient", help="Only those of this hub or desk.")
@click.option("--all", "every", is_flag=True, help="Also those that are resolved or withdrawn.")
@json_option
@with_broker_settings
def list_reviews(settings: Settings, *, recipient: str | None, every: bool, as_json: bool) -> None:
    """List open reviews, the oldest first. No personal data is shown.

    Example: broker reviews list --for north-hub
    """
    found, words = asyncio.run(_read(settings, in_words=not as_json))
    wanted = [one for one in found.values() if (every or one.is_open) and recipient in {None, one.message["for_recipient"]}]
    if recipient and not wanted:
        _check_known(settings, recipient)
    if as_json:
        for one in wanted:
            click.echo(json.dumps(_told(one)))
        return
    page = Page()
    if not wanted:
        page.line("nothing waits for a decision" + (f" of `{recipient}`: see `broker reviews list`" if recipient else ""))
        return
    for one in wanted:
        page.head(question(one.message), _age(one))
        for label, text in told(one.message, words):
            page.labelled(label, text)
        page.line()
    page.line(f"{count(len(wanted), 'review')}; next, for any of them:")
    page.command(f"broker reviews show {wanted[0].id}", indent=2)


def _check_known(settings: Settings, desk: str) -> None:
    """Check that there is a desk of this name before it is said that nothing waits for it; raises NotFoundError."""
    book = asyncio.run(released(settings.kafka))
    if book.latest("registers") and desk not in book.newest().recipients:
        raise NotFoundError(f"desk `{desk}`: not in the registers: see `broker registers show` for how it is spelt")


@group.command("show")
@click.argument("review")
@click.option("--as", "holder", help="Who looks; the desk that was asked unless you say so. Its key must be in `keys`.")
@json_option
@with_broker_settings
def show(settings: Settings, *, review: str, holder: str | None, as_json: bool) -> None:
    """Show one review with the event in it, which holds personal data: it opens for who was asked alone, and here.

    Of an event in question about whom it is, only that is shown: names, dates, numbers, home and school, when and by whom.

    Example: broker reviews show r-5f0c6b1e
    """
    found, words = asyncio.run(_read(settings, in_words=not as_json))
    one = _find(found, review)
    seen = _seen(settings, one, holder)
    one = said_by(one, seen.event["header"]["producer"]) if seen.event and (_asks_who(one) or one.message["guarded"]) else one
    if as_json:
        about = {"child": seen.child, "candidates_told": [_plain(child) for child in seen.may_be]}
        click.echo(json.dumps({**_told(one), "event": seen.event, "event_note": seen.note, **about}, default=str))
        return
    page = Page()
    page.head(question(one.message), _age(one))
    for label, text in (*told(one.message, words), *more(one.message, words)):
        page.labelled(label, text)
    page.labelled("child", f"{seen.child}, as in what you were told" if seen.child else "")
    _print_seen(page, seen, words)
    if one.is_open:
        page.line()
        page.line("next, one of", "bold")
        for command, means in answers(one.message):
            page.line(means, "dim", indent=2)
            page.command(command)


def _print_seen(page: Page, seen: "_Seen", words: Words) -> None:
    for name, lines in source_said(seen.event or {}, words):
        page.line()
        page.line(f"what the source said: {name}", "bold")
        for label, text in lines:
            page.labelled(label, text, width=26)
    for child in seen.may_be:
        page.line()
        page.line(f"it may be {child.child_ref}", "bold")
        for label, text in may_be(child.disclosures, words):
            page.labelled(label, text)
    if seen.note:
        page.line()
        page.line(seen.note, "dim")


@group.command("link")
@click.argument("review")
@click.option(
    "--child", help="The child it is about: `p-...` as your own alerts name it, or `c-...` as `show` lists those it may be."
)
@click.option(
    "--number",
    prompt="NHS number, UPN, or your own agency's number of the child",
    prompt_required=False,
    help="The child it is about by its NHS number, UPN, or your own agency's number; asked for where you give none.",
)
@click.option("--as", "holder", help="Who decides; the desk that was asked unless you say so. Its key must be in `keys`.")
@_reason
@json_option
@with_broker_settings
def link(settings: Settings, *, review: str, child: str | None, number: str | None, as_json: bool, **said: Any) -> None:
    """Say which child an event is about, or that what was asked may be shared.

    --number finds a child in your own records of whom you were told nothing. Exit status 75 when the line has not taken the
    answer after a while.

    Example: broker reviews link r-5f0c6b1e --child p-3k2v --reason "seen in the case system"
    """
    if child and number:
        raise InputError("`--child` and `--number` both name a child: give one of them")
    one = _find(_all(settings), review)
    with busy("sending the answer"):
        _answer(settings, one, Answer(LINK, said["reason"], child), said["holder"], number)
    _say(settings, one, "answered, the line goes on", as_json=as_json)


@group.command("reject")
@click.argument("review")
@click.option("--as", "holder", help="Who decides; the desk that was asked unless you say so. Its key must be in `keys`.")
@_reason
@json_option
@with_broker_settings
def reject(settings: Settings, *, review: str, holder: str | None, reason: str, as_json: bool) -> None:
    """Say that an event is about none of the children, that two records are two children, or that nothing may be shared.

    Example: broker reviews reject r-5f0c6b1e --reason "not a child of this area"
    """
    one = _find(_all(settings), review)
    with busy("sending the answer"):
        _answer(settings, one, Answer(REJECT, reason), holder)
    _say(settings, one, "rejected, the line goes on", as_json=as_json)


def _say(settings: Settings, one: Review, said: str, *, as_json: bool) -> None:
    """Say what the line made of an answer: only there it is known who is the child's hub by now."""
    with busy("waiting for the line to take it"):
        is_closed = asyncio.run(_is_taken(settings, one))
    if as_json:
        click.echo(json.dumps({"review_id": one.id, "answered": True, "closed": is_closed}))
    elif is_closed:
        click.echo(f"review {one.id}: {said}")
    else:
        click.echo(f"review {one.id}: {_STILL_OPEN}")
    if not is_closed:
        raise click.exceptions.Exit(EXIT_TRY_AGAIN)


async def _is_taken(settings: Settings, one: Review) -> bool:
    until = time.monotonic() + _TAKEN_WITHIN_SECONDS
    while (await read_reviews(settings.kafka))[one.id].is_open:
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.3)
    return True


def _answer(settings: Settings, one: Review, said: Answer, holder: str | None, number: str | None = None) -> None:
    signer = load_signer(settings.keys, holder or one.message["for_recipient"])
    book = asyncio.run(released(settings.kafka))
    if book.latest("registers"):
        check_key(book.newest(), signer)
        check_asked(one, signer.holder, book.newest())
    secrets, desk = Secrets.load(settings.keys), one.message["for_recipient"] or signer.holder
    if said.child_ref is not None or number is not None:
        known = asyncio.run(children_known(settings.kafka))
        meant = (
            _numbered(number, _agency(book, desk), known, secrets)
            if number
            else _child(str(said.child_ref), desk, known_children(known), secrets)
        )
        said = replace(said, child_ref=meant.ref, child_key=meant.key)
    made = answer_to(one, said, signer, secrets)
    asyncio.run(answer(settings.kafka, made))


def _agency(book: ReleaseBook, desk: str) -> AgencyId:
    """Return the agency of a desk, whose own numbers it may know a child by; a hub's key may be its agency's."""
    entry = book.newest().recipients.get(RecipientId(desk)) if book.latest("registers") else None
    return entry.agency if entry else AgencyId(desk)


def _numbered(number: str, agency: AgencyId, known: Children, secrets: Secrets) -> KnownChild:
    """Return the one child that holds a number; raises NotFoundError, which never repeats the number."""
    by_name = known_children(known)
    found = {by_name[ref].ref: by_name[ref] for ref in refs_with(number, agency, known, secrets)}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise NotFoundError("more than one child is known by that number: name the child with --child")
    raise NotFoundError(
        f"no child is known by that number: give the NHS number, the UPN or a number of `{agency}` itself; "
        "a number that no register said of the child is not known here"
    )


def _child(named: str, desk: str, known: Mapping[str, KnownChild], secrets: Secrets) -> KnownChild:
    """Return the one child that a reference, a desk's own name for it, or the beginning of either means; raises NotFoundError."""
    own = named.startswith("p-")
    called = {ref: secrets.pseudonym(RecipientId(desk), ChildRef(ref)) if own else ref for ref in known}
    found = {known[ref].ref: known[ref] for ref, name in sorted(called.items()) if name.startswith(named)}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise NotFoundError(f"child `{named}`: more than one child is known by that beginning: give more of it")
    where = f"`broker subscribe {desk} --from beginning --again` shows what it was told, with the `p-...` of each child"
    who = f"`{desk}` was told of no child" if own else "no child is known"
    raise NotFoundError(f"child `{named}`: {who} by that name: {where}")


def _find(reviews: Mapping[str, Review], named: str) -> Review:
    found = [one for name, one in reviews.items() if name.startswith(named)]
    if len(found) != 1:
        raise NotFoundError(f"review `{named}`: {'not there' if not found else 'more than one'}: see `broker reviews list --all`")
    return found[0]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What of a review is shown to who looks: the event, what of it is not shown and why, and which child it is or may be."""

    event: dict[str, Any] | None = None
    note: str | None = None
    child: str | None = None
    may_be: tuple[ToldOf, ...] = ()


def _seen(settings: Settings, one: Review, holder: str | None) -> _Seen:
    """Return what is shown of a review; who looks as somebody and may not is refused."""
    if one.sealed is None:
        return _Seen()
    secrets = Secrets.load(settings.keys)
    event = decode_event(open_event(secrets, one.id, one.sealed))
    try:
        return asyncio.run(_look(settings, one, holder or one.message["for_recipient"], event, secrets))
    except (InputError, KeysError) as error:
        if holder:
            raise
        return _Seen(note=str(error))


async def _look(settings: Settings, one: Review, holder: str, event: Event, secrets: Secrets) -> _Seen:
    """Return what who was asked, with its own key, is shown of an event; raises InputError or KeysError for everybody else."""
    registers = (await released(settings.kafka)).newest()
    refs, desk = one.message["candidates"], RecipientId(one.message["for_recipient"] or holder)
    known = await children_known(settings.kafka) if refs and _asks_who(one) else {}
    candidates = candidates_of(one, known)
    check_may_see(one, holder, registers, {*event.header.excluded, *excluded_for(one, candidates)})
    check_key(registers, load_signer(settings.keys, holder))
    if not _asks_who(one):  # sealed as whoever is asked may see it
        return _Seen(event_to_message(event), child=secrets.pseudonym(desk, ChildRef(one.message["child_ref"])))
    held = one.message["kind"] == "HOLD" or any(child.guards or child.holds for child in candidates)
    itself = {f"{event.header.producer}/{event.header.event_id}"}
    guarded = one.message["guarded"] or any(child.guards or child.holds - itself for child in candidates)
    may_know = guarded and set_it(one, candidates, registers)
    shown = event_to_message(who_it_is(event, held=held or guarded, guarded=guarded and not may_know))
    shown = {**shown, "header": {name: shown["header"][name] for name in HEADER}}
    entry = registers.recipients.get(desk)
    return _Seen(shown, _CUT, None, await told_of(settings.kafka, secrets, entry, refs, known) if entry and refs else ())


def _plain(child: ToldOf) -> dict[str, Any]:
    named = ("disclosure_id", "child", "event_type", "issued_at", "identity")
    return {"child_ref": child.child_ref, "told": [{name: one[name] for name in named} for one in child.disclosures]}


def _asks_who(one: Review) -> bool:
    """Tell whether a review waits where it is not known yet which child its event is about: there the whole event is sealed."""
    return not one.message["child_ref"]


def _told(one: Review) -> dict[str, Any]:
    plain = {name: one.message[name] for name in PLAIN}
    resolution = one.message["resolution"]
    decided = {"decision": resolution["decision"], "by": resolution["by"], "reason": resolution["reason"]} if resolution else {}
    return {**plain, "candidates": list(one.message["candidates"]), **decided}


async def _read(settings: Settings, *, in_words: bool) -> tuple[dict[str, Review], Words]:
    with busy("reading reviews"):
        if not in_words:
            return await read_reviews(settings.kafka), Words()
        reviews, words = await asyncio.gather(read_reviews(settings.kafka), words_in_force(settings.kafka))
        return reviews, words


def _all(settings: Settings) -> dict[str, Review]:
    return asyncio.run(_read(settings, in_words=False))[0]


def _age(one: Review) -> str:
    return f"open for {duration(max(0.0, time.time() - one.message['opened_at'] / 1000))}" if one.is_open else ""


commands: dict[str, click.Command] = {"reviews": group}
