"""`broker lag`: how far behind each stage is, in seconds and in words, and what that puts at risk."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from textwrap import fill

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from broker.cli.options import json_option, with_broker_settings
from broker.cli.patience import patiently
from broker.cli.wording import words_at_hand
from broker.core.account.harmless import one_line
from broker.core.account.words import Words, count, instant_in_words
from broker.lag.evaluation import Status
from broker.lag.open_work import Undelivered
from broker.lag.report import PartitionLag, Report
from broker.lag.words import STATUS_WORDS, duration, headline, sentences, spark
from broker.settings import Settings
from broker.stream.watching.noted import read_noted, with_noted
from broker.stream.watching.watch import open_watch

EXIT_SLOW = 1
EXIT_NEEDS_HELP = 4
_WATCH_EVERY_S = 2.0
_NARROW = 76  # columns below which a line for each recipient says more than a table
_NAME = 36  # columns of the name of a desk
_SHOWN = 20  # recipients told one by one; the others are counted
_GAP = 2  # columns between two of the table
_WORDS = frozenset({"stage", "topic", "lately", "status"})
_CAN_BE_MISSED = (
    ("deleted in", "lately"),
    ("read up to", "end"),
    ("part.",),
    ("drained in",),
    ("stage",),
    ("waiting",),
)  # in turn
_UNWRAPPED = 1_000  # columns for a program or a file
_WAITING = "something waits: looking whether it moves (Ctrl-C to stop, --for 0 to skip)"
_COLOURS = {Status.OK: "green", Status.SILENT: "yellow", Status.WARN: "yellow"}


@click.command()
@click.option("--watch", is_flag=True, help="Go on until Ctrl-C, renewed every two seconds.")
@click.option(
    "--for",
    "seconds",
    type=click.FloatRange(0, 600),
    default=12.0,
    show_default=True,
    help="How long to look at most, when something waits, to tell slow from stuck; 0 looks once.",
)
@click.option("--partitions", "every", is_flag=True, help="Show every partition, not only those where something waits.")
@json_option
@with_broker_settings
def lag(settings: Settings, *, watch: bool, seconds: float, every: bool, as_json: bool) -> None:
    """Show how far behind each stage is, in seconds and in words.

    Seconds are exact: the age of the next record to be read. Status follows Burrow's rules.
    Exit codes: 0 all is well or catching up; 1 slow, a feed is silent, or an alert or a review is past its time; 4 somebody must
    help (stuck, stopped, records lost); 2 the log is another than the workers of this place know; 75 Kafka does not answer, or
    has no topics yet: --watch waits for it.

    Example: broker lag --watch
    """
    if watch:
        with suppress(KeyboardInterrupt):  # watching ends so; a look that was broken off must not say that all is well
            asyncio.run(patiently(partial(_watch, settings, every=every, as_json=as_json)))
        return
    report, words = asyncio.run(_look(settings, seconds))
    if as_json:
        _print_json(report)
    else:
        _print_page(report, words, every=every)
    raise click.exceptions.Exit(exit_code(report))


def exit_code(report: Report) -> int:
    """Return what the command's exit code says of a report."""
    if report.needs_help:
        return EXIT_NEEDS_HELP
    return EXIT_SLOW if report.is_late else 0


async def _look(settings: Settings, seconds: float) -> tuple[Report, Words]:
    with Console(stderr=True).status("reading offsets and open work") as progress:
        async with open_watch(settings) as watch:
            report = await watch.look_until_sure(seconds, lambda: progress.update(_WAITING))
        words = await words_at_hand(settings.kafka)
        return with_noted(report, read_noted(settings.data)), words


async def _watch(settings: Settings, *, every: bool, as_json: bool) -> None:
    async with open_watch(settings) as watch:
        words = await words_at_hand(settings.kafka)
        with Live(console=Console(), auto_refresh=False, screen=False) as live:
            while True:
                report = with_noted(await watch.look(), read_noted(settings.data))
                if as_json:
                    _print_json(report)
                elif not live.console.is_terminal:  # nothing can be drawn over there: each look below the last
                    click.echo(instant_in_words(report.at))
                    _print_page(report, words, every=every)
                    click.echo()
                else:
                    live.update(page(report, words, every=every, width=live.console.width), refresh=True)
                await asyncio.sleep(_WATCH_EVERY_S)


def _print_json(report: Report) -> None:
    told = {**report.as_json(), "headline": headline(report), "sentences": sentences(report)}
    click.echo(json.dumps(told))


def _print_page(report: Report, words: Words, *, every: bool) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_UNWRAPPED)
    console.print(page(report, words, every=every, width=console.width), soft_wrap=True)


def page(report: Report, words: Words, *, every: bool = False, width: int = 120) -> Group:
    """Return the report as a person reads it: the sentences first, then the figures."""
    colour = _COLOURS.get(report.status, "red")
    parts: list[Text | Table] = [
        Text(_filled(f"• {sentence}", width), colour if not at else "") for at, sentence in enumerate(sentences(report))
    ]
    parts.append(_table(report, every=every, width=width))
    if report.undelivered:
        parts += [Text(), _undelivered(report, words, width)]
    workers = f"{report.members} worker{'' if report.members == 1 else 's'} in group `{report.group}`"
    parts.append(Text(workers, style="dim"))
    return Group(*parts)


def _table(report: Report, *, every: bool, width: int) -> Table:
    rows: list[_Row] = []
    for (stage, topic), group in groupby(report.partitions, key=lambda one: (one.stage, one.topic)):
        lags = tuple(group)
        rows.append(_topic_row(stage, topic, lags))
        rows += [_partition_row(one) for one in lags if every or (one.lag and len(lags) > 1)]
    return _drawn(rows, width)


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the table, in words."""

    stage: str
    topic: str
    part: str
    read: int
    end: int
    waiting: int
    behind: str
    drained: str
    deleted: str
    lately: str
    status: Text

    def cells(self) -> dict[str, str | Text]:
        """Return what stands under each heading."""
        return {
            "stage": self.stage,
            "topic": self.topic,
            "part.": self.part,
            "read up to": f"{self.read:,}",
            "end": f"{self.end:,}",
            "waiting": f"{self.waiting:,}" if self.waiting else "·",
            "behind": self.behind,
            "drained in": self.drained,
            "deleted in": self.deleted,
            "lately": self.lately,
            "status": self.status,
        }


def _drawn(rows: list[_Row], width: int) -> Table:
    """Draw the rows; where not all columns fit, those that matter least are left out, and none is cut."""
    cells = [row.cells() for row in rows]
    heads = list(cells[0]) if cells else ["stage", "topic", "status"]
    wide = {name: max(len(name), *(len(row[name]) for row in cells)) if cells else len(name) for name in heads}
    for names in _CAN_BE_MISSED:
        if sum(wide[one] for one in heads) + _GAP * (len(heads) - 1) <= width:
            break
        heads = [one for one in heads if one not in names]
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in heads:
        last = name == "status"  # on the narrowest terminal it goes on below
        table.add_column(name, justify="left" if name in _WORDS else "right", no_wrap=not last, overflow="fold")
    for row in cells:
        table.add_row(*(row[name] for name in heads))
    return table


def _topic_row(stage: str, topic: str, lags: tuple[PartitionLag, ...]) -> _Row:
    worst = max(lags, key=lambda one: (one.status.rank, one.seconds))
    waiting = sum(one.lag for one in lags)
    return _Row(
        stage=stage,
        topic=topic,
        part=str(len(lags)),
        read=sum(one.committed for one in lags),
        end=sum(one.end for one in lags),
        waiting=waiting,
        behind=duration(max(one.seconds for one in lags)) if waiting else "",
        drained=_drain([one.drain_seconds for one in lags if one.lag]),
        deleted=_headroom(lags),
        lately=spark(sum(values) for values in zip(*(one.history for one in lags), strict=False)),
        status=_status(worst),
    )


def _partition_row(one: PartitionLag) -> _Row:
    return _Row(
        stage="",
        topic=f"  #{one.partition}",
        part="",
        read=one.committed,
        end=one.end,
        waiting=one.lag,
        behind=duration(one.seconds) if one.lag else "",
        drained=_drain([one.drain_seconds] if one.lag else []),
        deleted=_headroom((one,)),
        lately=spark(one.history),
        status=_status(one),
    )


def _drain(seconds: list[float | None]) -> str:
    if not seconds:
        return ""
    known = [one for one in seconds if one is not None]
    return duration(max(known)) if len(known) == len(seconds) else "not yet"


def _headroom(lags: tuple[PartitionLag, ...]) -> str:
    hours = [one.headroom_hours for one in lags if one.headroom_hours is not None]
    return duration(max(0.0, min(hours)) * 3600) if hours else ""


def _status(one: PartitionLag) -> Text:
    return Text(STATUS_WORDS[one.status][0], _COLOURS.get(one.status, "red"))


def _undelivered(report: Report, words: Words, width: int) -> Table | Text:
    """Say who has not received what; an id stays in one piece, so that it can be copied."""
    shown = report.undelivered[:_SHOWN]
    more = [f"and {len(report.undelivered) - _SHOWN} more"] if len(report.undelivered) > _SHOWN else []
    if width < _NARROW:
        lines = (_filled(f"{words.name(one.recipient)}: {_waiting(one)}", width) for one in shown)
        return Text("\n".join(("not yet received by", *lines, *more)))
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, justify in (("not yet received by", "left"), ("alerts", "right"), ("oldest", "right"), ("at risk", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]  # rich's Literal, from a tuple
    table.add_column("too late", justify="right")
    for one in shown:
        risk, late = f"{one.at_risk or ''}", f"{one.past_due or ''}"
        named = Text(_filled(words.name(one.recipient), _NAME))  # text: a bracket marks nothing
        table.add_row(named, f"{one.count:,}", duration(one.oldest_seconds), risk, late)
    for line in more:
        table.add_row(line, "", "", "", "")
    return table


def _waiting(one: Undelivered) -> str:
    parts = [count(one.count, "alert"), f"the oldest {duration(one.oldest_seconds)} old"]
    parts += [f"{one.at_risk} at risk"] if one.at_risk else []
    return ", ".join([*parts, *([f"{one.past_due} too late"] if one.past_due else [])])


def _filled(text: str, width: int) -> str:
    return fill(one_line(text), width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


commands = {"lag": lag}
