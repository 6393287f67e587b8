"""How the demo looks: what it is doing, the alerts as they arrive, and the page of results."""

import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from broker.core.account.words import born_in_words, count, scheme_in_words, words_of
from broker.core.model.registers import Registers
from broker.demo.notebook import Notebook, percentile
from broker.demo.outcome import Outcome
from broker.lag.words import spark
from broker.policyfile import load_policy
from broker.simulate.compare import Fault, Received

_SECTOR_COLOURS = {
    "police": "blue",
    "school": "green",
    "health": "magenta",
    "council": "yellow",
    "control": "cyan",
    "identity": "cyan",
}
_ALERTS_A_DAY = 6  # shown one by one; the rest is counted
_ROWS = 12
_DESKS = 40
_HELD = ("UNIDENTIFIED", "AMBIGUOUS", "IDENTIFIER_CONFLICT", "HOLD")  # kinds of review that hold an event as a whole
_WIDE = 150  # columns from which two tables stand side by side


class Screen:
    """Where the demo tells what happens. Without a terminal the words are the same, without colours and movement."""

    def __init__(self, console: Console, registers: Registers) -> None:
        self._console = console
        self._words = words_of(load_policy(), registers)
        self._shown: set[str] = set()
        self._left_today = 0
        self._more = 0

    @property
    def width(self) -> int:
        """How many columns there are."""
        return self._console.width

    def day(self, title: str) -> None:
        """Begin a day."""
        self._left_today = _ALERTS_A_DAY
        self._console.print()
        self._console.print(Rule(Text(title, style="bold"), align="left", style="dim"))

    def close_day(self, events: int, deliveries: int) -> None:
        """Say what the day brought in all."""
        more = f", {count(self._more, 'more alert')}" if self._more else ""
        self._console.print(
            Text(f"  {count(events, 'event')} in {count(deliveries, 'delivery', 'deliveries')}{more}", style="dim")
        )
        self._more = 0

    def told(self, one: Received) -> None:
        """Show an alert: first each kind of event and recipient once, then only count."""
        kind = f"{one.message['event_type']}/{one.message['role']}/{one.message['kind']}"
        if self._left_today and kind not in self._shown:
            self._shown.add(kind)
            self._left_today -= 1
            self._console.print(self._alert(one))
        else:
            self._more += 1

    def _alert(self, one: Received) -> RenderableType:
        said = one.message
        colour = _SECTOR_COLOURS.get(str(said["event_type"]).partition(".")[0], "white")
        line = Text("  ● ", style=colour)
        line.append(self.name(one.recipient), style="bold")
        line.append(f"  {_kind_words(said)}", style=colour)
        details = Table.grid(padding=(0, 1))
        for label, words in self._details(one):
            if words:
                details.add_row(Text(f"{label:<6}", style="dim"), words)
        return Group(line, Padding(details, (0, 0, 0, 4)))

    def _details(self, one: Received) -> Sequence[tuple[str, str]]:
        said = one.message
        because = self.reason(said["because"][0]) if said["because"] else ""
        basis = self._words.basis(said["lawful_basis"], said.get("gateway"))
        speaker = self._words.names.get(str(said.get("producer")))
        what = self._words.event(said["event_type"]) + (f", says {speaker}" if speaker else "")
        return (("who", _who(said)), ("what", what), ("why", because), ("basis", basis))

    def name(self, recipient: str) -> str:
        """Return the name of a recipient."""
        return self._words.names.get(recipient, recipient)

    def reason(self, because: str) -> str:
        """Return a reason with roles and names instead of codes."""
        return self._words.spelt_out(because)

    def event(self, event_type: str) -> str:
        """Return what an event of this type says."""
        return self._words.event(event_type)


def opening() -> Panel:
    """Say what is about to be shown."""
    text = Text.assemble(
        ("A week in an invented county.", "bold"),
        " Police, schools, a hospital and the council drop their own systems' files. The broker decides, for everybody "
        "who might need to know, whether they do, what the least is that they need, and on which basis; and tells them.\n"
        "Nobody in it is real. Each family's story says by hand who must hear what, and who must never.",
    )
    return Panel(text, title="safeguarding broker", title_align="left", border_style="cyan", padding=(0, 2))


def next_steps(folder: Path, *, event: str | None = None, running: bool) -> Group:
    """Say what to try next: with everything still running, or how to have it so."""
    lines = _activated(another_terminal=running)
    if not running:
        place = shlex.quote(str(folder))
        lines += [("broker demo --keep", "leaves it all running until Ctrl-C, to look around in")]
        lines += [(f"less {place}/truth.jsonl", "who had to hear what, and who never")]
        lines += [(f"ls {place}/inboxes/*/*/accepted", "the files as they were taken, with a report beside each")]
    else:
        explained = [(f"broker explain --event {event}", "who was told of one event, who was not, and why")] if event else []
        lines += [
            (f"export BROKER_SETTINGS={shlex.quote(str(folder.resolve()))}/broker.toml", "say which set-up is meant"),
            ("broker subscribe hub-eskshire --from beginning", "what the hub was told"),
            *explained,
            ("broker lag", "how far behind each stage is, in seconds and words"),
            ("broker reconcile", "prove that nothing vanished"),
            ("broker reviews list", "what waits for a person"),
            ("broker dead-letters list", "what could not be taken"),
        ]
    title = "running until Ctrl-C; try in another terminal" if running else "try next"
    said: list[RenderableType] = [Text(), Rule(Text(title, style="bold"), align="left", style="cyan")]
    for command, why in lines:  # a command stays on one line, to be copied whole
        said += [Text(f"  {why}", style="dim"), Text(f"    {command}", style="bold cyan", no_wrap=True, overflow="ignore")]
    return Group(*said)


def _activated(*, another_terminal: bool) -> list[tuple[str, str]]:
    """Return how a terminal comes to know `broker`: `make demo` calls it by its place, and another terminal may not know it."""
    own = Path(sys.prefix, "bin")
    known = not another_terminal and shutil.which("broker") == str(own / "broker")
    if known or not (own / "activate").is_file():
        return []
    return [(f". {shlex.quote(str(own / 'activate'))}", "first let the terminal know the program")]


def day_title(first_day: date, day: int) -> str:
    """Return the heading of a day of the week."""
    on = date.fromordinal(first_day.toordinal() + day - 1)
    return "before the week" if day == 0 else f"{on:%A} {on.day} {on:%B}"


def _who(said: Mapping[str, Any]) -> str:
    identity = said.get("identity") or {}
    names = identity.get("names") or ()
    born = identity.get("birth_date")
    numbers = identity.get("identifiers") or ()
    if not (names or born or numbers):
        return "a child, by this desk's own pseudonym"
    number = f"the child with {scheme_in_words(numbers[-1]['scheme'])} {numbers[-1]['value']}" if numbers else "a child"
    name = f"{names[0]['given']} {names[0]['family']}".title() if names else number
    return f"{name}, born {born_in_words(born)}" if born else name


def _kind_words(said: Mapping[str, Any]) -> str:
    words = {"ALERT": "is told", "EXISTENCE": "is told only that there is something", "CORRECTION": "is told again, put right"}
    words |= {"RETRACTION": "is told to forget it", "OUTCOME": "hears what came of it", "GAP": "hears of a gap"}
    return words.get(str(said["kind"]), str(said["kind"]).lower())


def results(outcome: Outcome, screen: Screen) -> Group:
    """Return the page of results."""
    book = outcome.notebook
    parts: list[RenderableType] = [Text(), Rule(Text("results", style="bold"), align="left", style="cyan"), Text()]
    tables = (_events(book, screen), _decisions(book, screen, min(90, max(40, screen.width - 12))))
    parts += [_side_by_side(*tables)] if screen.width >= _WIDE else [tables[0], Text(), tables[1]]
    parts += [Text(), _recipients(book, screen), Text(), _flow(outcome), Text(), _truth(outcome, screen)]
    return Group(*parts)


def _side_by_side(left: RenderableType, right: RenderableType) -> Table:
    table = Table.grid(padding=(0, 4))
    table.add_row(left, right)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, header_style="dim")
    for at, column in enumerate(columns):
        table.add_column(column, justify="left" if at == 0 else "right", no_wrap=at != 0)
    return table


def _events(book: Notebook, screen: Screen) -> Table:
    table = _table("events published", "sector and type", "")
    for topic in sorted({topic for topic, _ in book.events}):
        of_topic = {kind: number for (where, kind), number in book.events.items() if where == topic}
        table.add_row(Text(topic.split(".")[1], style="bold"), f"{sum(of_topic.values()):,}")
        for kind, number in sorted(of_topic.items(), key=lambda pair: -pair[1]):
            table.add_row(f"  {screen.event(kind)}", f"{number:,}")
    return table


def _decisions(book: Notebook, screen: Screen, width: int) -> Table:
    table = _table("decisions, by outcome and reason", "", "")
    for outcome, words in (("DISCLOSE", "told"), ("WITHHOLD", "not told"), ("ASK", "a person is asked")):
        reasons = Counter({reason: number for (said, reason), number in book.decisions.items() if said == outcome})
        table.add_row(Text(words, style="bold"), f"{sum(reasons.values()):,}")
        for reason, number in reasons.most_common(_ROWS):
            table.add_row(f"  {_short(screen.reason(reason), width)}", f"{number:,}")
        if len(reasons) > _ROWS:
            table.add_row(Text(f"  {len(reasons) - _ROWS} more reasons", style="dim"), "")
    return table


def _recipients(book: Notebook, screen: Screen) -> Table:
    told = book.by_recipient()
    table = _table("disclosures, by recipient", "", "told", "corrected", "taken back")
    busiest = sorted(told, key=lambda one: (-sum(told[one].values()), one))
    for recipient in busiest[:_DESKS]:
        kinds = told[recipient]
        first = sum(kinds.values()) - kinds["CORRECTION"] - kinds["RETRACTION"]
        table.add_row(screen.name(recipient), f"{first:,}", f"{kinds['CORRECTION']:,}", f"{kinds['RETRACTION']:,}")
    if rest := busiest[_DESKS:]:
        table.add_row(Text(f"{len(rest)} more desks", style="dim"), f"{sum(sum(told[one].values()) for one in rest):,}", "", "")
    return table


def _flow(outcome: Outcome) -> Table:
    book, latencies = outcome.notebook, outcome.notebook.latencies()
    table = Table.grid(padding=(0, 2))
    for at, said in enumerate(for_people(Counter(str(one["kind"]) for one in book.reviews.values() if one["state"] == "OPEN"))):
        table.add_row(Text("" if at else "for people", "bold"), said)
    dead = ", ".join(f"{count} {reason}" for reason, count in book.dead_letters.items())
    table.add_row(Text("dead letters", "bold"), f"{sum(book.dead_letters.values())}" + (f": {dead}" if dead else ""))
    table.add_row(
        Text("lag", "bold"), f"now {outcome.lag_now} records; at worst {outcome.lag_worst:,}  {spark(outcome.lag_history)}"
    )
    p50, p99 = percentile(latencies, 0.50), percentile(latencies, 0.99)
    spoken = f"p50 {p50:,} ms, p99 {p99:,} ms, over {len(latencies):,} disclosures" if p50 is not None else "nobody was told"
    table.add_row(Text("latency", "bold"), f"published to visible: {spoken}")
    table.add_row(Text("nothing vanishes", "bold"), _equation(outcome.equation))
    for fault in outcome.faults[:_ROWS]:
        table.add_row("", Text(fault, style="red"))
    return table


def for_people(waiting: Mapping[str, int]) -> Sequence[str]:
    """Say what waits for people: how many reviews, and how they stand to what is `in review`."""
    held = {kind: count for kind, count in waiting.items() if kind in _HELD}
    beside = {kind: count for kind, count in waiting.items() if kind not in _HELD}
    said = [f"{sum(waiting.values()):,} open reviews"]
    if held:
        said.append(f"{sum(held.values()):,} hold an event as a whole, which is in review: {_kinds(held)}")
    if beside:
        said.append(f"{sum(beside.values()):,} are about one desk or role, of events that were decided: {_kinds(beside)}")
    return said


def _kinds(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {kind.lower().replace('_', ' ')}" for kind, number in sorted(counted.items()))


def _equation(counts: Mapping[str, int]) -> Text:
    terms = [name for name in counts if name not in ("accepted", "nowhere")]
    right = " + ".join(f"{counts[name]:,} {name.replace('_', ' ')}" for name in terms)
    good = not counts.get("nowhere") and counts["accepted"] == sum(counts[name] for name in terms)
    return Text(
        f"{counts['accepted']:,} accepted = {right}" + ("" if good else "  DOES NOT BALANCE"), style="green" if good else "red"
    )


def _truth(outcome: Outcome, screen: Screen) -> Group:
    found = outcome.comparison
    line = Text.assemble(("held against the truth  ", "bold"), f"{found.heard:,} of {found.expected:,} had to hear and did;  ")
    held = {"missing": found.missing, "forbidden": found.forbidden, "duplicated": found.duplicated, "late": found.late}
    for label, faults in held.items():
        line.append(f"{label} {len(faults)}   ", style="bold green" if not faults else "bold red")
    parts: list[RenderableType] = [line]
    if found.slow:  # this machine was busy: told, and held against nobody
        parts.append(Text(f"  {len(found.slow)} took longer than the seconds that their story gives them", style="dim"))
    for label, faults in held.items():
        parts += [_fault(label, fault, screen) for fault in _distinct(faults)]
    return Group(*parts)


def _distinct(faults: Sequence[Fault]) -> list[Fault]:
    """Return one fault for each story, step and wording."""
    return list({(one.story, one.step, one.words): one for one in faults}.values())[:_ROWS]


def _fault(label: str, fault: Fault, screen: Screen) -> Text:
    where = f"story {fault.story} {fault.number}, {fault.step}: " if fault.story else ""
    return Text(f"  {label}: {where}{screen.name(fault.recipient)} {fault.words}", style="red")


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
