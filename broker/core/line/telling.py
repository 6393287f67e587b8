"""What a family was told of an event, as it comes to be otherwise: whoever was told of the event hears that (R5, I7).

It is said to who relies on the event and may still hear of the child. What they hold stands, and so does the clock on which they
confirm it. It opens nothing and keeps nothing back (I6).
"""

from collections.abc import Mapping
from dataclasses import replace

from broker.core.agencies.exclusions import excluded_for
from broker.core.agencies.standing import is_tied
from broker.core.line import corrections, recall
from broker.core.line.corrections import Corrected
from broker.core.line.undoing import TOLD, by_first
from broker.core.model import ledger
from broker.core.model.event import Event, Header, ToldFamily
from broker.core.model.facts import OVERTAKEN, Facts, Statement
from broker.core.model.identifiers import AgencyId, EventId
from broker.core.model.policy import EventKind, Policy
from broker.core.model.registers import Registers
from broker.core.model.turn import APPLIED, DECIDED, Turn
from broker.core.waiting.unsafe import GONE, still_unsafe

_SAFER = "It is no longer said that telling them would not be safe."
_SAYS: Mapping[str, str] = {
    ToldFamily.YES: "The family was told of this.",
    ToldFamily.NOT_SAFE: "It is not safe to tell the family of this.",
    ToldFamily.NOT_PRACTICABLE: "The family was not told of this: that was not practicable.",
    ToldFamily.NOT_YET: "The family was not told of this yet.",
}
_TAKEN_BACK = "What was said of whether the family was told of this was taken back: ask the source."
_REST = "All else in the earlier message stands, also what it asks you to keep to."


def about_another(event: Event, kind: EventKind | None) -> tuple[EventId, ...]:
    """Return the event of which this one says what the family was told; none for every other event."""
    about = (event.control or {}).get("concerns_event")
    return (EventId(about),) if about and kind is not None and kind.control == "told_family" else ()


def as_known(facts: Facts, event: Event) -> Event:
    """Return the event with what is known by now of what the family was told; itself where it says that already."""
    said = facts.told.get(ledger.root_of(facts, event.header.event_id))
    if said is None or said == event.header.told_family:
        return event
    return replace(event, header=replace(event.header, told_family=ToldFamily(said), told_family_reason=None))


def without_strangers(facts: Facts, header: Header, registers: Registers) -> Facts:
    """Return the facts without what agencies that are nothing to the child said of this event's telling before it came (I10).

    Whose event it would be nobody knew by then: its own agency's word counts, and that of whoever has to do with the child.
    """
    name = header.event_id
    if name not in facts.told or facts.seen.get(name, OVERTAKEN) != OVERTAKEN:
        return facts
    about = f"{TOLD}{name}"
    said = [one for one in facts.statements if one.about == about]
    gone = {one.event_id for one in said if not _may_say(facts.voices.get(one.event_id, ""), header, facts, registers)}
    if not gone:
        return facts
    told = {one: word for one, word in facts.told.items() if one != name}
    for one in said:
        if one.event_id not in gone:
            told[name] = one.value
    statements = tuple(one for one in facts.statements if one.about != about or one.event_id not in gone)
    return replace(facts, told=told, statements=statements)


def _may_say(voice: str, header: Header, facts: Facts, registers: Registers) -> bool:
    agency = registers.agencies.get(AgencyId(voice))
    if voice == header.producer or agency is None:
        return voice == header.producer
    return is_tied(replace(header, producer=agency.id, sector=agency.sector), facts, registers)


def told_anew(before: Facts, after: Facts) -> Corrected:
    """Return the corrections to everybody who relies on an event of whose family something else is said now."""
    if after.told is before.told:
        return Corrected()
    changed = {about for about, _ in before.told.items() ^ after.told.items()}
    passed = excluded_for(after)
    held = (
        (one, before.told.get(about), after.told.get(about))
        for about in sorted(changed)
        for one in ledger.standing(after, about)
        if one.recipient not in passed | one.excluded
    )
    return Corrected(
        tuple(
            recall.tell_anew(one, said or "", _words(was, said), ledger.next_version(after, one.event_id, one.recipient))
            for one, was, said in held
        )
    )


def answered(facts: Facts, event: Event, policy: Policy, *, holds: bool) -> Turn:
    """Let "not safe" hold for as long again, or no more, as who was asked says; in the end whoever was told hears that."""
    about = event.header.event_id
    if all(one.about != about for one in facts.unsafe):
        return Turn(outcome=APPLIED, facts=facts, others=GONE)
    if holds:
        others = "it is still not safe to tell the family, says who was asked"
        return Turn(outcome=APPLIED, facts=still_unsafe(facts, about, policy), others=others)
    said = Statement(about=f"{TOLD}{about}", value=ToldFamily.NOT_YET.value, event_id=EventId(f"{about}/answered"))
    after = replace(facts, told={**facts.told, about: said.value}, statements=(*facts.statements, said))
    corrected = told_anew(facts, after)
    return Turn(
        outcome=DECIDED if corrected.notices else APPLIED,
        facts=after,
        others="the family may be told now, says who was asked",
        notices=corrected.notices,
    )


def joined(facts: Facts, loser: Facts) -> Mapping[EventId, str]:
    """Return what two records of one child know of what its family was told.

    Of the same event a word that came apart from it counts before its own, and else that it is not safe.
    """
    both = {**loser.told, **facts.told}
    for name in facts.told.keys() & loser.told.keys():
        mine, other = ((_apart(one, name), one.told[name] == ToldFamily.NOT_SAFE) for one in (facts, loser))
        both[name] = loser.told[name] if other > mine else facts.told[name]
    return both


def told_by_merge(facts: Facts, loser: Facts, merged: Facts) -> Corrected:
    """Return the corrections to whoever was told under one record of a child what the other knows to be otherwise."""
    here = {line.disclosure_id for line in facts.ledger}
    there = {line.disclosure_id for line in loser.ledger} - here
    held = (tuple(line for line in merged.ledger if line.disclosure_id in theirs) for theirs in (here, there))
    known = (by_first(replace(one, roots=merged.roots)) for one in (facts, loser))
    return corrections.joined(*(told_anew(one, replace(merged, ledger=lines)) for one, lines in zip(known, held, strict=True)))


def _apart(facts: Facts, name: EventId) -> bool:
    """Tell whether what counts here of an event was said apart from it."""
    said = next((one for one in reversed(facts.statements) if one.about == f"{TOLD}{name}"), None)
    return said is not None and ledger.root_of(facts, said.event_id) != name


def _words(was: str | None, said: str | None) -> tuple[str, ...]:
    safer = (_SAFER,) if was == ToldFamily.NOT_SAFE and said != ToldFamily.NOT_SAFE else ()
    return (_SAYS.get(said or "", _TAKEN_BACK), *safer, _REST)
