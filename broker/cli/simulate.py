"""`broker simulate`: write a synthetic area's native files and what must become of them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from broker.cli.layout import Page
from broker.cli.options import json_option
from broker.simulate.area import Area
from broker.simulate.arrival import Dispatch
from broker.simulate.write import Written, write_area

_YEARS = (1990, 2100)  # years for which there are ages, terms and calendars to invent


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The folder to write; empty or new.")
@click.option(
    "--children", type=click.IntRange(100, 300_000), default=2_000, show_default=True, help="How many children live there."
)
@click.option(
    "--stories", type=click.IntRange(0, 20_000), default=300, show_default=True, help="How many households have a story."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same area, byte for byte.")
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD", help="The last day of its week.  [default: yesterday]"
)
@json_option
def simulate(out: Path, *, children: int, stories: int, seed: int, **how: Any) -> None:
    """Write a synthetic area: a week of native files for four sectors, its registers, and the truth of its stories.

    Nobody in it is real: numbers come from ranges given to nobody, names and streets are made up. The stories are
    written by hand; each says who must hear what, and who must never.

    Example: broker simulate --out area --children 2000 --seed 7
    """
    until: datetime | None = how["until"]
    if until and not _YEARS[0] <= until.year <= _YEARS[1]:
        raise click.BadParameter(f"name a day of {_YEARS[0]} to {_YEARS[1]}", param_hint="--until")
    last = until.date() if until else (datetime.now(UTC) - timedelta(days=1)).date()
    console = Console(stderr=True)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task("writing", total=None)

        def told(one: Dispatch) -> None:
            progress.update(task, description=f"writing {one.connector}, {one.agency}")

        written = write_area(Area(seed=seed, children=children, stories=stories, until=last), out, told=told)
    if how["as_json"]:
        told_in_all = {
            "deliveries": written.deliveries,
            "records": written.records,
            "stories": written.told,
            "truth": written.truth,
        }
        click.echo(json.dumps({"folder": str(out), **told_in_all}))
    else:
        _summary(written, out)


def _summary(written: Written, out: Path) -> None:
    page = Page()
    page.line(f"{written.told} households with a story, in {out}", "bold")
    rows = [(name, f"{written.deliveries[name]:,}", f"{written.records[name]:,}") for name in sorted(written.deliveries)]
    page.table(("native format", "deliveries", "records"), rows, right=(1, 2))
    said = written.truth
    page.line(
        f"The truth: {said.get('hears', 0):,} times somebody must hear, {said.get('never', 0):,} times somebody must never, "
        f"{said.get('canary', 0):,} texts that must not leak."
    )


commands: dict[str, click.Command] = {"simulate": simulate}
