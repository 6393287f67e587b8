"""The story of an audit entry in plain English: who was told, what, why and on which basis, and why each other one was not.

Deterministic: the same entry gives the same words on any machine. For those who may read the audit log; a recipient's own
view is the disclosure itself.
"""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from broker.core.account.harmless import one_line
from broker.core.account.words import Words, category_in_words, count, instant_in_words, until_in_words
from broker.core.model.facts import Finding

WIDTH = 100
_NO_WORDS = Words()
_OUTCOMES = {
    "DECIDED": "decided: {told} told, {asked} asked about, {not_told} not told",
    "APPLIED": "taken into what is known about the child; nobody is told of it",
    "DUPLICATE": "a duplicate of what was already taken; nothing was done again",
    "IN_REVIEW": "held: a person has to decide first",
}
_WENT_NOWHERE = "it goes no further"
_TOLD, _HELD = "DISCLOSE", "held"  # how a decision came out: sent now, or standing as it was sent before
_NOBODY_TOLD = "nobody was told anything of this child"
_ANSWERED = "a person has answered what was asked"
_SUBJECTS = {
    "event": "Event",
    "clock": "Clock that fell due",
    "receipt": "Receipt",
    "handover": "Merge of two records of one child",
    "resolution": "A person's decision",
    "epoch": "Release that came into force",
}
_CHANGE = "Event that takes back or changes an earlier one"

# A decoded audit entry; `decisions` as its schema has them; where its request was opened, `findings`, and `unmet`: of a decision
# (by its id) the rules that would have spoken.
Entry = Mapping[str, Any]


def explain_entry(entry: Entry, words: Words = _NO_WORDS, width: int | None = WIDTH) -> str:
    """Tell the whole story of one audit entry; without a width no line is wrapped."""
    return _wrapped(_story(entry, words), width)


def explain_decision(entry: Entry, decision_id: str, words: Words = _NO_WORDS, width: int | None = WIDTH) -> str:
    """Tell the story of one decision, by its own id or that of its disclosure, with the matter that it was about."""
    found = [one for one in entry["decisions"] if decision_id in {one["decision_id"], one["disclosure_id"]}]
    return _wrapped([*_opening(entry, words), "", *_all(entry, found, words)], width)


def explain_history(entries: Sequence[Entry], words: Words = _NO_WORDS, width: int | None = WIDTH) -> str:
    """Tell all that happened about one event, in the order of the log."""
    return ("\n" + "-" * min(width or 40, 40) + "\n").join(explain_entry(entry, words, width) for entry in _with_held(entries))


def explain_told(entries: Sequence[Entry], words: Words = _NO_WORDS, width: int | None = WIDTH) -> str:
    """Tell who was told what of one child, and on which basis, in the order of the log; who was not is told of each event."""
    said: list[str] = []
    desks: list[str] = []
    for entry in _with_held(entries):
        told = [one for one in entry["decisions"] if _came_out(one) == _TOLD]
        if told:
            said += [*_opening(entry, words), "", *_all({**entry, "unmet": {}}, told, words), ""]
            desks += [one["recipient"] for one in told]
    times, in_all = count(len(desks), "time"), count(len(set(desks)), "desk")
    summed = f"{times} somebody was told of this child, {in_all} in all" if desks else _NOBODY_TOLD
    return _wrapped([*said, f"{summed}; who was not, and why: broker explain --event EVENT"], width)


def _with_held(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Mark what was decided as before: a recipient whose view a later version leaves as it was holds it, and is sent nothing."""
    sent: set[str] = set()
    for entry in entries:
        yield {**entry, "decisions": [{**one, "held": one["disclosure_id"] in sent} for one in entry["decisions"]]}
        sent.update(one["disclosure_id"] for one in entry["decisions"] if one["disclosure_id"])


def _unmet(entry: Entry, decision: Entry, words: Words) -> Iterator[str]:
    """Say which rules would have told somebody, and the first thing that was not so."""
    for one in entry.get("unmet", {}).get(decision["decision_id"], ()):
        yield f"    `{one.rule}` speaks only {words.named(one.speaks)}: {words.named(one.here)} ({_categories(one.categories)})"


def _story(entry: Entry, words: Words) -> Iterator[str]:
    yield from _opening(entry, words)
    for heading, outcome in (("Told", _TOLD), ("Told before", _HELD), ("Waiting for a person", "ASK"), ("Not told", "WITHHOLD")):
        decisions = [one for one in entry["decisions"] if _came_out(one) == outcome]
        if decisions:
            yield from ("", heading)
            yield from _all(entry, decisions, words)
    yield from _findings(entry.get("findings", ()), words)
    if entry["others"]:
        yield from (
            "",
            f"Everybody else: {words.with_roles(entry['others'])}" if entry["decisions"] else _sentence(entry["others"], words),
        )


def _opening(entry: Entry, words: Words) -> Iterator[str]:
    outcomes = [_came_out(one) for one in entry["decisions"]]
    said_by = f", said by {words.name(entry['producer'])}" if entry["producer"] else ""
    what = _CHANGE if entry["subject"] == "event" and entry["concerns"] else _SUBJECTS.get(entry["subject"], entry["subject"])
    yield f"{what}: {words.event(entry['event_type'])}{said_by}"
    yield (
        f"  {instant_in_words(entry['at'])}: "
        + _outcome(entry).format(told=outcomes.count(_TOLD), asked=outcomes.count("ASK"), not_told=outcomes.count("WITHHOLD"))
        + (f", {held} told before and unchanged" if (held := outcomes.count(_HELD)) else "")
    )
    yield f"  event {entry['event_id']} ({entry['event_type']}), audit entry {entry['entry_id']}"
    if entry["concerns"]:
        yield f"  about {', '.join(entry['concerns'])}"
    if entry.get("decided_by"):
        yield f"  a person decided: {words.name(entry['decided_by'])}, with the key {entry['decided_with']}"
        yield f"  the reason given: {entry['decided_because']}"
    yield f"  policy {entry['policy_digest'][:12] or 'none'}, registers {entry['registers_digest'][:12] or 'none'}"


def _came_out(decision: Entry) -> str:
    return _HELD if decision.get("held") and decision["outcome"] == _TOLD else str(decision["outcome"])


def _outcome(entry: Entry) -> str:
    """Say how a record ended; what ended before it was on any child's line went nowhere, but for what is a duplicate."""
    if entry["child_ref"] or entry["outcome"] == "DUPLICATE":
        return _OUTCOMES[entry["outcome"]]
    return _ANSWERED if entry["subject"] == "resolution" else _WENT_NOWHERE


def _findings(found: Sequence[Finding], words: Words) -> Iterator[str]:
    """Say what people had found about the child that this was decided by: who, why, and when it is looked at again (R3)."""
    if found:
        yield from ("", "What people had found")
    for one in found:
        lapsed = " (in question: its review date passed)" if one.lapsed else ""
        yield f"  {one.kind.replace('_', ' ')}, found by {words.role(one.by_role)} of {words.name(one.producer)}{lapsed}"
        yield f"    on {instant_in_words(one.since)}{f' because: {one.reason}' if one.reason else ''}"
        if one.recipients:
            yield f"    about telling {', '.join(words.name(who) for who in sorted(one.recipients))}"
        if one.until is not None:
            yield f"    to be looked at again by {until_in_words(one.until)}"
        yield f"    event {one.event_id}"


def _all(entry: Entry, decisions: Iterable[Entry], words: Words) -> Iterator[str]:
    for decision in decisions:
        yield from _decision(entry, decision, words)


def _decision(entry: Entry, decision: Entry, words: Words) -> Iterator[str]:
    who = words.name(decision["recipient"]) if decision["recipient"] else "nobody fills this role"
    yield f"  {who}: {words.role(decision['role'])}"
    if decision["granted"]:
        told = "holds, as it was told before" if decision.get("held") else "was told, as far as it was said"
        yield f"    {told}: {_categories(decision['granted'])}"
    for verb, group in (("was not told", "withheld"), ("not before a person decides", "asked")):
        if decision[group] and decision["outcome"] != "WITHHOLD":
            yield f"    {verb}: {_categories(decision[group])}"
    if decision["asked_of"]:
        yield f"    who decides: {words.role(decision['asked_of'])}"
    for reason in decision["reasons"]:
        about = f" ({_categories(reason['categories'])})" if reason["categories"] else ""
        yield f"    because {_clause(words.spelt_out(reason['because']))}{about} [{reason['rule']}]"
    yield from _unmet(entry, decision, words)
    yield from _terms(decision, words)


def _terms(decision: Entry, words: Words) -> Iterator[str]:
    if decision["lawful_basis"]:
        yield f"    on the basis: {words.basis(decision['lawful_basis'], decision['gateway'])}"
    for obligation in decision["obligations"]:
        yield f"    must keep to: {obligation}"
    if decision["due_at"]:
        clock = f" ({decision['clock'].replace('_', ' ')})" if decision["clock"] else ""  # a gap has that of the role it is in
        yield f"    by {until_in_words(decision['due_at'])}{clock}"
    made = f", disclosure {decision['disclosure_id']}" if decision["disclosure_id"] else ""
    yield f"    decision {decision['decision_id']}{made}"


def _categories(categories: Iterable[str]) -> str:
    return ", ".join(category_in_words(one) for one in categories)


def _clause(sentence: str) -> str:
    """Make a sentence the second half of one: `The school must know.` becomes `the school must know`."""
    text = sentence.rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[:2] == "A " else text


def _sentence(text: str, words: Words) -> str:
    first, _, rest = text.partition(" ")
    return f"{words.name(first)} {rest}" if first in words.names else text[:1].upper() + text[1:]


def _wrapped(lines: Iterable[str], width: int | None) -> str:
    shown = map(one_line, lines)  # people typed the reasons, and agencies what happened
    return "\n".join(_wrap(line, width) if width else line for line in shown) + "\n"


def _wrap(line: str, width: int) -> str:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) if line else line
