"""`broker publish --form`: how an event is written in the canonical form, from its schema and the catalogue."""

from collections.abc import Iterator
from typing import Any

import click

import schemas
from broker.cli.layout import Page
from broker.policyfile import load_policy

_WIDTH = 26
_EXAMPLE = (
    '{"header": {"event_type": "school.concern.raised", "occurred_at": "2026-11-20", "recorded_at": "2026-11-20T09:00:00Z"}, '
    '"identity": {"names": [{"given": "Jo", "family": "Example"}], "birth_date": "2015-03-02"}, "narrative": {"text": "…"}}'
)
_TAKEN_BACK = (
    '{"header": {"event_type": "school.concern.raised", "action": "RETRACT", '
    '"supersedes": "0d7e6a4c-6b0e-5d7e-9b63-1f5a3c1d2e4f", "recorded_at": "2026-11-21T09:00:00Z"}}'
)
_CORRECTED = (
    "To correct an event, write it again, whole and as it should be, with `action` UPDATE and in `supersedes` the id of the one "
    "that it corrects. To take one back, only say so. `broker publish --json` lists the ids."
)
_LEFT_OUT = (
    "Of the header only `event_type` and `recorded_at` have to be there, of the rest what is marked *, where its group is. "
    "A time that is kept in milliseconds may be written as there."
)


def show_form(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print the form and end, before anything else is asked for."""
    if not wanted:
        return
    page = Page()
    page.line("An event is one JSON object on one line, in UTF-8, with these groups and fields:")
    page.command(_EXAMPLE, indent=2)
    page.line(_LEFT_OUT)
    page.line()
    page.line(_CORRECTED)
    page.command(_TAKEN_BACK, indent=2)
    for group in schemas.whole("event")["fields"]:
        page.line()
        page.line(f"{group['name']}: {group['doc']}", "bold")
        for name, says in _fields(group["type"], marks=group["name"] != "header"):
            page.labelled(name, says, width=_WIDTH)
    page.line()
    page.line("event types, and what may stand in `attributes` of each", "bold")
    for one in load_policy().events.values():
        page.line(f"{one.name}: {one.says}", indent=2)
        for attribute in one.attributes.values():
            page.line(f"{attribute.name}: {' | '.join(sorted(attribute.values))}", indent=6)
    context.exit()


def _fields(kind: Any, *, marks: bool, indent: str = "") -> Iterator[tuple[str, str]]:
    """Yield each field of a group with what it says, and those of what it holds below it."""
    for one in kind if isinstance(kind, list) else [kind]:
        if not isinstance(one, dict):
            continue
        if one["type"] == "array":
            yield from _fields(one["items"], marks=marks, indent=indent)
        for field in one.get("fields", ()):
            said = field["type"]
            codes = f" {' | '.join(said['symbols'])}" if isinstance(said, dict) and said["type"] == "enum" else ""
            yield f"{indent}{field['name']}{'' if 'default' in field or not marks else ' *'}", field["doc"] + codes
            yield from _fields(said, marks=marks, indent=f"{indent}  ")


form_option = click.option(
    "--form",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=show_form,
    help="Show how an event is written: every field, and every event type that comes with the program.",
)
