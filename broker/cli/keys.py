"""`broker keys`: the keys of agencies, recipients and the broker. Private keys stay in their folder, public halves are shown."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import click

from broker.cli.options import json_option, settings_option
from broker.sealing.secrets import new_master
from broker.sealing.signatures import Signer, key_file, load_signer, new_key
from broker.settings import load_settings

_folder_option: Callable[[Callable[..., None]], Callable[..., None]] = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to keep it; else the folder `keys` of the settings. An agency needs no settings of the broker.",
)


@click.group("keys")
def group() -> None:
    """Make and show the keys of an agency, a recipient or the broker.

    Example: broker keys new urn:100001 --folder keys
    """


@group.command("new")
@click.argument("holder")
@_folder_option
@json_option
@settings_option
def new(holder: str, *, folder: Path | None, settings_file: Path | None, as_json: bool) -> None:
    """Make the signing key of HOLDER, an agency or a recipient, and print the entry for the registers.

    Only the public half is printed. An existing key is never replaced.

    Example: broker keys new E10000030 --folder keys
    """
    place = folder or load_settings(settings_file).keys
    _show(new_key(place, holder), place, as_json=as_json)


@group.command("show")
@click.argument("holder")
@_folder_option
@json_option
@settings_option
def show(holder: str, *, folder: Path | None, settings_file: Path | None, as_json: bool) -> None:
    """Print the entry for the registers of a key that HOLDER has, again. Only the public half is printed.

    Example: broker keys show E10000030 --folder keys
    """
    place = folder or load_settings(settings_file).keys
    _show(load_signer(place, holder), place, as_json=as_json)


def _show(signer: Signer, place: Path, *, as_json: bool) -> None:
    file = key_file(place, signer.holder)
    if as_json:
        public = base64.b64encode(signer.public_key).decode()
        click.echo(json.dumps({"id": signer.key_id, "holder": signer.holder, "public_key": public, "file": str(file)}))
        return
    click.echo(f"# The private key is in {file}: whoever has it can speak as {signer.holder}.")
    click.echo("# Paste this entry into the registers file, then: broker registers release FILE")
    click.echo(_entry(signer), nl=False)


@group.command("broker")
@_folder_option
@json_option
@settings_option
def broker(*, folder: Path | None, settings_file: Path | None, as_json: bool) -> None:
    """Make the broker's master key. Everything that is hashed or sealed derives from it: keep a copy in a safe place.

    Example: broker keys broker --folder keys
    """
    file = new_master(folder or load_settings(settings_file).keys)
    if as_json:
        click.echo(json.dumps({"file": str(file)}))
        return
    click.echo(f"made {file}: without it no child is found again and no review opens, so keep a copy in a safe place")


def _entry(signer: Signer) -> str:
    public = base64.b64encode(signer.public_key).decode()
    return f'[[key]]\nid = "{signer.key_id}"\nholder = "{signer.holder}"\npublic_key = "{public}"\n'


commands: dict[str, click.Command] = {"keys": group}
