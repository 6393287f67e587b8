"""`broker reconcile`: prove from the log that every accepted record is accounted for."""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from itertools import groupby

import click

from broker.cli.layout import Page, busy
from broker.cli.options import json_option, with_broker_settings
from broker.core.account.balance import Balance, names, total
from broker.errors import NotFoundError
from broker.lag.words import duration, feed
from broker.settings import Settings
from broker.stream.watching.noted import Noted, read_noted
from broker.stream.watching.reconcile_reader import reconcile as read_balances

_SHOWN = 20


@click.command()
@click.option("--partitions", "every", is_flag=True, help="Show every partition with its offsets, not only the topics.")
@click.option("--quick", is_flag=True, help="Read no log: say what the worker that keeps the books here found last, and when.")
@json_option
@with_broker_settings
def reconcile(settings: Settings, *, every: bool, quick: bool, as_json: bool) -> None:
    """Prove that nothing vanished: accepted = decided + applied + duplicate + in review + dead-lettered + in flight.

    Reads the log's headers, per partition and offset range, and names the offset of anything that does not add up.
    Ends with exit code 1 when it does not balance, and with 2 when the log is another than the workers of this place know.

    Example: broker reconcile --json
    """
    noted = _noted(settings) if quick else None
    balances = list(noted.balances) if noted else asyncio.run(_balances(settings))
    faults = sum(one.faults_in_all for one in balances)
    if as_json:
        click.echo(json.dumps(_plain(balances)))
    else:
        _print(balances, faults, every=every)
        if noted and noted.reconciled_at:
            ago = duration(time.time() - noted.reconciled_at / 1000)
            click.echo(f"so a worker found {ago} ago; without --quick it is read from the log now")
    sys.exit(1 if faults else 0)


def _noted(settings: Settings) -> Noted:
    found = read_noted(settings.data)
    if found is None or found.reconciled_at is None:
        raise NotFoundError(f"`{settings.data}`: no worker has kept the books here yet: leave out --quick, or start `broker run`")
    return found


async def _balances(settings: Settings) -> list[Balance]:
    with busy("reading the log") as status:

        def say(topic: str, done: int, in_all: int) -> None:
            if status is not None:
                status.update(f"reading the log: {topic}, {done:,} of {in_all:,}")

        return await read_balances(settings, say)


def _plain(balances: list[Balance]) -> dict[str, object]:
    partitions = [
        {
            "topic": one.topic,
            "partition": one.partition,
            "first": one.first,
            "end": one.end,
            "accepted": one.accepted,
            **one.counts,
            "faults": [{"offset": fault.offset, "problem": fault.problem} for fault in one.faults],
        }
        for one in balances
    ]
    return {"balances": all(one.balances for one in balances), "total": total(balances), "partitions": partitions}


def _print(balances: list[Balance], faults: int, *, every: bool) -> None:
    page = Page()
    for topic, group in groupby(balances, key=lambda one: one.topic):
        partitions = [one for one in group if one.accepted or one.faults]
        if partitions:
            page.line(f"{feed(topic)} ({topic}): {equation(total(partitions), zeros=False)}")
        for one in partitions if every else ():
            where = f"partition {one.partition}, offsets {one.first} to {one.end - 1}"
            page.line(f"{where}: {equation(one.counts, zeros=False)}", indent=2)
    page.line(f"in all: {equation(total(balances))}", "bold")
    for fault in [fault for one in balances for fault in one.faults][:_SHOWN]:
        page.line(f"{fault.topic} partition {fault.partition} offset {fault.offset}: {fault.problem}")
    if faults > _SHOWN:
        page.line(f"and {faults - _SHOWN} more: see broker reconcile --json")
    page.line("it does not balance" if faults else "it balances: nothing vanished", "red" if faults else "green")


def equation(counts: Mapping[str, int], *, zeros: bool = True) -> str:
    """Write the equation out, with or without the terms that are 0."""
    accepted = counts.get("accepted", sum(counts.values()))
    terms = [f"{counts[name]:,} {name.replace('_', ' ')}" for name in names() if counts[name] or (zeros and name != "nowhere")]
    return f"{accepted:,} accepted = {' + '.join(terms) or 0}"


commands = {"reconcile": reconcile}
