"""`broker schemas`: whether the messages may change as they did, and the release of a change that may."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import click

import schemas
from broker.cli.options import json_option
from broker.compatibility import faults_of_change, faults_of_fields, stripped
from broker.errors import SchemaChangeError, reason_in_words

_EXIT_UNRELEASED = 1


@click.group("schemas")
def group() -> None:
    """Check the message schemas against their released versions.

    Example: broker schemas check
    """


@group.command("check")
@click.option("--release", is_flag=True, help="Write the changed schemas into the lock file, once they passed.")
@json_option
def check(*, release: bool, as_json: bool) -> None:
    """Check that every released byte stays readable and every released reader goes on.

    Every schema is checked against every version that was ever released. Exit status 1 when a schema changed in a way
    that is allowed and was not released: programs write the released version until then.

    Example: broker schemas check --release
    """
    if unread := _unread():
        raise SchemaChangeError("\n".join(unread))
    lock = dict(schemas.lock())
    faults = [fault for name in schemas.NAMES for fault in _faults(name, lock.get(name, []))]
    faults += [
        f"schema `{name}`: was removed: old bytes name it, so put it back" for name in sorted(set(lock) - set(schemas.NAMES))
    ]
    faults += _doubled(lock)
    if faults:
        raise SchemaChangeError("\n".join(faults))
    changed = [name for name in schemas.NAMES if _changed(name, lock.get(name, []))]
    if changed and release:
        write_lock(lock, changed)
    if as_json:
        click.echo(json.dumps({"schemas": len(schemas.NAMES), "changed": changed, "released": bool(changed and release)}))
    else:
        _tell(changed, released=release)
    if changed and not release:
        raise click.exceptions.Exit(_EXIT_UNRELEASED)


def write_lock(lock: Mapping[str, list[dict[str, Any]]], changed: list[str]) -> None:
    """Add the present version of changed schemas to the lock file, under new ids; what was released stays as it is."""
    following = 1 + max((one["id"] for versions in lock.values() for one in versions), default=0)
    after = {name: list(lock.get(name, [])) for name in schemas.NAMES}
    for at, name in enumerate(changed):
        after[name].append({"id": following + at, "schema": stripped(schemas.whole(name))})
    blocks = [f' "{name}": [\n' + ",\n".join(_line(one) for one in versions) + "\n ]" for name, versions in after.items()]
    schemas.LOCK_FILE.write_text("{\n" + ",\n".join(blocks) + "\n}\n", encoding="utf-8")


def _unread() -> list[str]:
    """Say which files are no JSON at all."""
    found = []
    readings: dict[str, Callable[[], object]] = {f"{name}.avsc": partial(_json, f"{name}.avsc") for name in schemas.NAMES}
    readings[schemas.LOCK_FILE.name] = schemas.lock
    for file, reading in readings.items():
        try:
            reading()
        except json.JSONDecodeError as error:
            found.append(f"`{file}`: is not JSON: line {error.lineno} column {error.colno}: {error.msg.lower()}")
        except (OSError, UnicodeDecodeError) as error:
            found.append(f"`{file}`: cannot be read: {reason_in_words(error)}")
    return found


def _json(file: str) -> object:
    return json.loads((schemas.FOLDER / file).read_text(encoding="utf-8"))


def _faults(name: str, versions: list[dict[str, Any]]) -> list[str]:
    present = schemas.whole(name)
    found = [f"schema `{name}`: {fault}" for fault in faults_of_fields(present)]
    if found:
        return found
    for version in versions:
        found += [
            f"schema `{name}` against id {version['id']}: {fault}" for fault in faults_of_change(version["schema"], present)
        ]
    return found


def _doubled(lock: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    """Say which ids name more than one version, as when two changes were released apart and put together."""
    bearers: dict[int, list[str]] = {}
    for name, versions in lock.items():
        for version in versions:
            bearers.setdefault(version["id"], []).append(name)
    mend = "its bytes cannot be read for sure: release the later one again under a new id"
    return [
        f"`{schemas.LOCK_FILE.name}`: id {number} stands at {' and '.join(f'`{one}`' for one in names)}: {mend}"
        for number, names in bearers.items()
        if len(names) > 1
    ]


def _changed(name: str, versions: list[dict[str, Any]]) -> bool:
    return not versions or bool(versions[-1]["schema"] != stripped(schemas.whole(name)))


def _line(version: Mapping[str, Any]) -> str:
    schema = json.dumps(version["schema"], separators=(",", ":"), ensure_ascii=False)
    return f'  {{"id": {version["id"]}, "schema": {schema}}}'


def _tell(changed: list[str], *, released: bool) -> None:
    for name in changed:
        click.echo(f"schema `{name}`: changed, and may: " + ("released" if released else "release it with --release"))
    click.echo(f"{len(schemas.NAMES)} schemas can read every released byte, and every released reader can read theirs")


commands: dict[str, click.Command] = {"schemas": group}
