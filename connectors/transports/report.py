"""The report beside a file: in plain words what was published, what was wrong and where, and what to do. No personal data."""

import re
from collections import Counter
from dataclasses import dataclass, field

from broker.core.account.harmless import one_line
from broker.core.account.words import Words, instant_in_words
from broker.core.intake.delivery import Delivery, Finding
from broker.core.model.event import Action, Event

SHOWN = 20  # places named of one kind of finding; of the rest, how many
_ACTIONS = {Action.NEW: "", Action.UPDATE: ", corrected", Action.RETRACT: ", taken back"}
_ORDER = {"error": 0, "warning": 1, "info": 2}


@dataclass(slots=True)
class Tally:
    """What came of a delivery, counted as it is read; it does not grow with the delivery."""

    events: Counter[str] = field(default_factory=Counter)
    findings: Counter[tuple[str, str]] = field(default_factory=Counter)
    shown: list[Finding] = field(default_factory=list)
    later: int = 0  # findings of what was left out and the same delivery may say later

    @property
    def nothing_taken(self) -> bool:
        """Tell whether something is wrong and no event came of it."""
        return not self.events and any(severity == "error" for severity, _ in self.findings)

    def count(self, one: Event | Finding) -> None:
        """Add an event or a finding."""
        if isinstance(one, Event):
            self.events[one.header.event_type + _ACTIONS[one.header.action]] += 1
            return
        kind = (one.severity, one.rule)
        self.later += one.later
        self.findings[kind] += 1
        if self.findings[kind] <= SHOWN:
            self.shown.append(one)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery. `reason` says why it was rejected, or why there was nothing to publish.

    What is `left` is no delivery and stays where it is.
    """

    files: tuple[str, ...]
    accepted: bool
    tally: Tally
    reason: str = ""
    left: bool = False

    def as_json(self) -> dict[str, object]:
        """Return it for a machine."""
        return {
            "files": list(self.files),
            "accepted": self.accepted,
            "reason": self.reason or None,
            "published": dict(sorted(self.tally.events.items())),
            "findings": {f"{severity}:{rule}": count for (severity, rule), count in sorted(self.tally.findings.items())},
        }


def write_report(outcome: Outcome, delivery: Delivery, format_name: str, words: Words) -> str:
    """Return the report of a delivery as text."""
    agency = delivery.agency
    lines = [
        f"{', '.join(outcome.files)}",
        f"received on {instant_in_words(delivery.received_at)} from {agency.name} ({agency.id}), read as {format_name}",
        "",
        *_fate(outcome, words),
    ]
    wrong = sorted(outcome.tally.shown, key=lambda one: (_ORDER[one.severity], _in_order(one.place)))
    if wrong:
        lines += ["", "What to know:" if wrong[0].severity == "info" else "What was wrong:"]
    for finding in wrong:
        lines += ["", f"  {finding.severity}: {finding.place}", f"    {finding.message}", f"    what to do: {finding.remedy}"]
    more = {kind: number - SHOWN for kind, number in outcome.tally.findings.items() if number > SHOWN}
    for (severity, rule), number in more.items():
        message = next(one.message for one in wrong if (one.severity, one.rule) == (severity, rule))
        lines += ["", f"  and {number:,} more of the kind {severity} {rule}: {message}"]
    return "\n".join((*map(one_line, lines), ""))  # a source names its files, and its places in them


def _in_order(place: str) -> list[tuple[int, str]]:
    """Return what sorts places as a person reads them: line 2 stands before line 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]{1,18})", place)]


def published(tally: Tally, words: Words) -> list[str]:
    """Say what was published, a line for each kind of event: how many, what it says, and its code."""
    width = max((len(f"{number:,}") for number in tally.events.values()), default=0)
    return [f"{number:>{width},}  {_in_words(name, words)}" for name, number in sorted(tally.events.items())]


def _in_words(name: str, words: Words) -> str:
    event_type, comma, action = name.partition(",")
    return f"{words.event_and_code(event_type)}{comma}{action}"


def _fate(outcome: Outcome, words: Words) -> list[str]:
    if outcome.left:
        return [f"Left where it is, nothing was published: {outcome.reason}"]
    if not outcome.accepted:
        return [f"REJECTED, nothing was published: {outcome.reason}"]
    later = outcome.tally.later
    left_out = [f"Not published: {later:,}, each named below. What is mended goes when the same files are delivered again."]
    left_out = left_out if later else []
    if not outcome.tally.events:
        return [f"Accepted; nothing was published: {outcome.reason or 'the delivery says nothing new'}", *left_out]
    total = sum(outcome.tally.events.values())
    return [
        f"Accepted; {total:,} {'event was' if total == 1 else 'events were'} published:",
        *(f"  {line}" for line in published(outcome.tally, words)),
        *left_out,
    ]
