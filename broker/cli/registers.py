"""`broker registers`: agencies, recipients, areas and keys; a release comes into force for every child by epoch."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from broker.cli.changes import changes, entries
from broker.cli.layout import Page, busy
from broker.cli.options import administrator_option, again_option, json_option, say_refused, settings_option, with_settings
from broker.core.account.harmless import one_line
from broker.core.account.words import instant_in_words
from broker.core.model.identifiers import AgencyId, RecipientId, RoleName
from broker.core.model.policy import Policy
from broker.core.model.registers import Recipient, Registers, Subscription
from broker.errors import NotFoundError
from broker.policyfile import load_policy
from broker.registeredit import check_narrows, check_renames_nobody, check_silences_nobody, with_school, with_subscription
from broker.registerfile import check_text, load_content, load_registers, registers_from_content
from broker.sealing.signatures import load_signer
from broker.settings import Settings, load_settings
from broker.stream.releases.registers import release_registers, released
from broker.stream.releases.vouch import unsigned_releases, vouch_for

_KINDS = ("area", "agency", "recipient", "key", "calendar")
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group("registers")
def group() -> None:
    """Show and release the registers of agencies and recipients.

    Example: broker registers release registers.toml
    """


@group.command("show")
@click.argument("file", type=_FILE, required=False)
@json_option
@with_settings
def show(settings: Settings, *, file: Path | None, as_json: bool) -> None:
    """Show the registers in FILE, or the ones released last.

    Example: broker registers show
    """
    content = load_content(file) if file else _newest(settings)
    if content is None:
        raise NotFoundError("no registers have been released: run `broker registers release FILE`")
    if as_json:
        click.echo(content.decode())
        return
    registers = registers_from_content(content)
    _print(registers)


def _print(registers: Registers) -> None:
    page = Page()
    page.line(f"registers {registers.version}, digest {registers.digest[:12]}", "bold")
    for area in registers.areas.values():
        page.line()
        page.head(f"area {area.id}", area.name)
        page.labelled("hub", area.hub)
        page.labelled("out of hours", area.out_of_hours or "")
    for agency in registers.agencies.values():
        page.line()
        page.head(f"agency {agency.id}", agency.name)
        opens = ", its records of people may open a child" if agency.registers_people else ""
        page.labelled("sector", f"{agency.sector.value.lower()}{opens}{_keyless(registers, agency.id)}")
        page.labelled("area", agency.area)
        page.labelled("to Kafka", agency.principal or "")
        _print_keys(page, registers, agency.id)
        page.labelled("speaks for", ", ".join(sorted(agency.speaks_for)))
    for recipient in registers.recipients.values():
        page.line()
        page.head(f"recipient {recipient.id}", recipient.name)
        page.labelled("roles", ", ".join(sorted(recipient.roles)))
        page.labelled("for", ", ".join(sorted(recipient.serves)))
        page.labelled("alternate", recipient.alternate or "")
        _print_keys(page, registers, recipient.id)
        narrowed = sorted(recipient.subscription.event_types | set(recipient.subscription.roles))
        page.labelled("hears only", ", ".join(narrowed))
        page.labelled("to Kafka", recipient.principal or "")
    for holder in sorted(
        {key.holder for key in registers.keys.values()} - registers.agencies.keys() - registers.recipients.keys()
    ):
        page.line()
        page.head(f"key of {holder}")
        _print_keys(page, registers, holder)


def _print_keys(page: Page, registers: Registers, holder: str) -> None:
    """Print whose word is believed, and from when until when: what a person looks at who changes a key for another."""
    for key in sorted((one for one in registers.keys.values() if one.holder == holder), key=lambda one: (one.since, one.id)):
        since = f", from {instant_in_words(key.since)}" if key.since else ""
        page.labelled("key", key.id + since + (f", until {instant_in_words(key.until)}" if key.until is not None else ""))


@group.command("release")
@click.argument("file", type=_FILE)
@administrator_option
@again_option
@json_option
@with_settings
def release(settings: Settings, *, file: Path, administrator: str, again: bool, as_json: bool) -> None:
    """Check FILE, sign it and put it in force. It says what changes against the registers released last.

    Every place believes it because an administrator of the registers in force signed it. The first release names its own.

    Example: broker registers release registers.toml
    """
    content = load_content(file)
    registers = registers_from_content(content)
    check_silences_nobody(registers, _policy_in_force(settings))
    before = _newest(settings)
    if before is not None:
        check_renames_nobody(registers_from_content(before), registers)
    changed = changes(before, content, _KINDS)
    if before == content and not again:
        told: dict[str, Any] = {"version": registers.version, "digest": registers.digest, "changes": [], "released": False}
    else:
        signer = load_signer(settings.keys, administrator)
        asyncio.run(release_registers(settings.kafka, registers, content, signer))
        told = {"version": registers.version, "digest": registers.digest, "changes": changed, "released": True}
    if as_json:
        click.echo(json.dumps(told))
        return
    for change in changed:
        click.echo(change)
    for agency in registers.agencies.values():
        if note := _keyless(registers, agency.id):
            click.echo(f"agency {agency.id}{note}", err=True)
    if told["released"] and _principals(before) != _principals(content):
        click.echo("principals changed: `broker topics apply` shows what Kafka has to permit now, and does it with --yes")
    state = "is in force" if told["released"] else "was in force already: nothing to do"
    click.echo(f"registers {registers.version} (digest {registers.digest[:12]}) {state}")


@group.command("vouch")
@click.argument("digests", nargs=-1, metavar="[DIGEST]...")
@administrator_option
@json_option
@with_settings
def vouch(settings: Settings, *, digests: tuple[str, ...], administrator: str, as_json: bool) -> None:
    """Sign releases that an older version of this software made unsigned; without a DIGEST, list them.

    Unsigned they count for nothing, and what was decided by them cannot be told. Signed, they are known again and come into force
    nowhere: release registers with an administrator's key first, and the policy. Sign only what you know to be yours.

    Example: broker registers vouch 3fa94c01d2e8
    """
    if digests:
        with busy("signing"):
            found = tuple(asyncio.run(vouch_for(settings.kafka, digests, load_signer(settings.keys, administrator))))
    else:
        found = asyncio.run(unsigned_releases(settings.kafka))
    for one in found:
        told = {"of": one.of, "version": one.version, "digest": one.digest, "released_at": one.released_at}
        when = instant_in_words(one.released_at)
        words = f"{one.of} {one.version}, digest {one.digest[:12]}, made {when}: {'signed' if digests else 'nobody signed it'}"
        click.echo(json.dumps({**told, "signed": bool(digests)}) if as_json else one_line(words))
    if not as_json and not digests:
        click.echo("if they are yours, name their digests to sign them" if found else "every release is signed: nothing to do")


@group.command("subscribe")
@click.argument("recipient")
@click.option("--registers", "file", type=_FILE, required=True, help="The registers file to change.")
@click.option("--event-type", "event_types", multiple=True, help="Hear only this; may be given several times.")
@click.option("--role", "roles", multiple=True, help="Hear only in this role; may be given several times.")
@click.option("--everything", is_flag=True, help="Hear all again that the policy gives.")
@click.option(
    "--policy",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Check against this folder of policy files instead of the policy in force.",
)
@json_option
@settings_option
def subscribe(recipient: str, *, file: Path, everything: bool, as_json: bool, **given: Any) -> None:
    """Narrow what RECIPIENT hears. The policy decides what it may hear at all: a subscription never widens that.

    Nobody is let out of what would then reach nobody: who fills a role alone hears what the rules tell to that role.

    Example: broker registers subscribe dsl-100001 --registers registers.toml --event-type police.encompass.notified
    """
    event_types, roles = given["event_types"], given["roles"]
    if everything == bool(event_types or roles):
        raise click.UsageError("give --event-type or --role, or --everything to hear all again")
    registers = load_registers(file)
    entry = registers.recipients.get(RecipientId(recipient))
    if entry is None:
        raise NotFoundError(f"registers file `{file}`: no recipient `{recipient}`: see `broker registers show {file}`")
    policy = load_policy(given["folder"]) if given["folder"] else _policy_in_force(load_settings(given["settings_file"]))
    check_narrows(entry, event_types, roles, policy)
    wanted = {"event_types": sorted(event_types), "roles": sorted(roles)}
    check_silences_nobody(_narrowed(registers, entry, event_types, roles), policy, entry.id)
    file.write_text(with_subscription(file.read_text(encoding="utf-8-sig"), entry.id, wanted, file), encoding="utf-8")
    if as_json:
        click.echo(json.dumps({"recipient": recipient, **wanted}))
        return
    said = "everything that the policy gives" if everything else "only " + ", ".join(sorted((*event_types, *roles)))
    click.echo(
        f"{recipient} will hear {said}, once it is released: give the file a new version, then broker registers release {file}"
    )


@group.command("speaks-for")
@click.argument("agency")
@click.option("--school", required=True, metavar="URN", help="The school, as `urn:` and its number.")
@click.option(
    "--known-as",
    "names",
    multiple=True,
    help="What the exports call it: `laestab:9994001`, `native:SCH1`; may be given several times.",
)
@click.option("--no-longer", is_flag=True, help="The agency speaks for the school no more.")
@click.option("--registers", "file", type=_FILE, required=True, help="The registers file to change.")
@json_option
def speaks_for(agency: str, *, school: str, file: Path, as_json: bool, **given: Any) -> None:
    """Let AGENCY, a feed of many schools' rolls, speak for one of them, and say what its exports call that school.

    It speaks for no school that is not entered: what it says of another is left out, with this command in the report.

    Example: broker registers speaks-for feed --school urn:100001 --known-as laestab:9994001 --registers registers.toml
    """
    names, no_longer = given["names"], given["no_longer"]
    if no_longer == bool(names):
        raise click.UsageError("give --known-as with what the exports call the school, or --no-longer")
    entry = load_registers(file).agencies.get(AgencyId(agency))
    known = () if no_longer or entry is None else sorted(entry.speaks_for.get(school, frozenset()) | set(names))
    after = with_school(file.read_text(encoding="utf-8-sig"), AgencyId(agency), school, known, file)
    check_text(after, file)
    file.write_text(after, encoding="utf-8")
    if as_json:
        click.echo(json.dumps({"agency": agency, "school": school, "known_as": list(known)}))
        return
    said = f"speaks for {school}, known to it as {', '.join(known)}" if known else f"speaks for {school} no more"
    click.echo(f"{agency} {said}, once it is released: give the file a new version, then broker registers release {file}")


def _narrowed(registers: Registers, entry: Recipient, event_types: Iterable[str], roles: Iterable[str]) -> Registers:
    """Return the registers as they would be with this subscription."""
    asked = Subscription(event_types=frozenset(event_types), roles=frozenset(RoleName(one) for one in roles))
    return replace(registers, recipients={**registers.recipients, entry.id: replace(entry, subscription=asked)})


def _policy_in_force(settings: Settings) -> Policy:
    with busy("reading the policy in force"):
        book = asyncio.run(released(settings.kafka))
    return book.newest_policy() if book.latest("policy") else load_policy()


def _newest(settings: Settings) -> bytes | None:
    with busy("reading the registers in force"):
        newest = asyncio.run(released(settings.kafka, say_refused)).latest("registers")
    return newest.content if newest else None


def _principals(content: bytes | None) -> set[tuple[str, str, str]]:
    found = ((kind, name, entry.get("principal")) for (kind, name), entry in entries(content, _KINDS).items())
    return {(kind, name, who) for kind, name, who in found if who}


def _keyless(registers: Registers, agency: str) -> str:
    if any(key.holder == agency for key in registers.keys.values()):
        return ""
    return f": has no key and cannot publish: broker keys new {agency}"


commands: dict[str, click.Command] = {"registers": group}
