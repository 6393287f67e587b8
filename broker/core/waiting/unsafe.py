"""That it is not safe to tell a family, and the date on which that is looked at again (R5): it never ends by itself.

On that date whoever speaks for the event's publisher is asked. Until somebody answers, or the publisher says otherwise, it
stands: who was told of the event goes on reading that it is not safe. It keeps nothing back from anybody (I6).
"""

from dataclasses import replace

from broker.core.account.words import instant_in_words
from broker.core.agencies.asking import hub_asked
from broker.core.agencies.exclusions import doubted_for, excluded_for
from broker.core.agencies.roles import alternates, area_of, desk_at, organisation_of, stand_in
from broker.core.model import ledger
from broker.core.model.dates import months_later
from broker.core.model.event import Control, Event, Header, Sector, Source, ToldFamily
from broker.core.model.facts import Facts, Unsafe
from broker.core.model.identifiers import AgencyId, DisclosureId, EventId, Millis, RecipientId, RoleName
from broker.core.model.policy import REFERRER, Policy
from broker.core.model.question import ASK, Question
from broker.core.model.registers import Registers
from broker.core.model.rules import Rules
from broker.core.model.turn import APPLIED, Turn
from broker.core.waiting.clocks import Clock, clock_id

UNSAFE_REVIEW = "unsafe_review"
TOLD_TYPE = "control.told_family"
GONE = "nobody says any more that it is not safe to tell the family, or that was looked at before"
_SOURCE = Source(system="safeguarding-broker", format="told-family", format_version="1", native_digest="", location="")
_UNTIL = "until you answer, whoever was told goes on reading that it is not safe"


def dated(before: Facts, turn: Turn, said: Header | None, policy: Policy) -> Turn:
    """Give each "not safe" that came its review date, and let go of those that nobody says any more; `said` is what came."""
    after = turn.facts
    if after.told is before.told and after.unsafe is before.unsafe:
        return turn
    if not after.unsafe and ToldFamily.NOT_SAFE not in after.told.values():
        return turn
    kept = {one.about: one for one in after.unsafe if after.told.get(one.about) == ToldFamily.NOT_SAFE}
    longest = _longest(policy)
    new = [about for about, word in after.told.items() if word == ToldFamily.NOT_SAFE and about not in kept] if longest else []
    until = months_later(after.at, longest or 0)
    made = (_marker(about, said, after, until) for about in new)
    unsafe = (*kept.values(), *made)
    others = (turn.others, f"that it is not safe to tell the family is asked again on {instant_in_words(until)}" if new else "")
    return replace(turn, facts=replace(after, unsafe=unsafe), others="; ".join(filter(None, others)))


def unsafe_clocks(before: Facts, after: Facts) -> tuple[Clock, ...]:
    """Return a clock for each that came, or that holds for as long again."""
    if before.unsafe is after.unsafe:
        return ()
    known = {(one.about, one.until) for one in before.unsafe if not one.asked}
    return tuple(_clock(one) for one in after.unsafe if not one.asked and (one.about, one.until) not in known)


def unsafe_still(facts: Facts, wanted: str, rules: Rules) -> tuple[Turn, Event | None]:
    """Ask on its review date whether it is still not safe; what is over or was said again asks nobody."""
    found = next((one for one in facts.unsafe if _clock_id(one) == wanted and not one.asked), None)
    if found is None or found.until > facts.at:
        return Turn(outcome=APPLIED, facts=facts, others=GONE), None
    asked = _asked(found, facts, rules)
    question = Question(kind=ASK, for_recipient=asked, about=f"{found.about}/{found.until}", why=_why(found, rules.policy))
    unsafe = tuple(replace(one, asked=True) if one == found else one for one in facts.unsafe)
    others = f"`{asked}` is asked whether it is still not safe to tell the family; until then it counts as not safe"
    turn = Turn(outcome=APPLIED, facts=replace(facts, unsafe=unsafe), others=others, questions=(question,))
    return replace(turn, concerns=(found.about,)), _event_of(found, facts, rules)


def is_about_unsafe(header: Header, about: str) -> bool:
    """Tell whether a question is whether it is still not safe to tell the family of an event."""
    return header.event_type == TOLD_TYPE and about.startswith(f"{header.event_id}/")


def asked_of(event: Event) -> Event:
    """Return the event in question as far as it is known, in the place of the question about it: it says who may hear of it."""
    return replace(event, header=replace(event.header, event_type=(event.control or {}).get("kind") or TOLD_TYPE))


def is_open(facts: Facts, about: str) -> bool:
    """Tell whether such a question is still to be answered."""
    return any(one.asked and f"{one.about}/{one.until}" == about for one in facts.unsafe)


def still_unsafe(facts: Facts, about: EventId, policy: Policy) -> Facts:
    """Let it hold for as long again, from now."""
    until = months_later(facts.at, _longest(policy) or 1)
    unsafe = (replace(one, asked=False, since=facts.at, until=until) if one.about == about else one for one in facts.unsafe)
    return replace(facts, unsafe=tuple(unsafe))


def unsafe_put_to_another(question: Question, event: Event, facts: Facts, rules: Rules) -> Question:
    """Put the question to whoever is asked now that somebody is excluded."""
    found = next((one for one in facts.unsafe if one.about == event.header.event_id), None)
    asked = _asked(found, facts, rules) if found else RecipientId(event.header.producer)
    return replace(question, for_recipient=asked)


def _longest(policy: Policy) -> int | None:
    """Return for how many months it holds at most; None under a policy that was released before that was asked for."""
    return next((one.longest for one in policy.events.values() if one.control == "told_family"), None)


def _marker(about: EventId, said: Header | None, facts: Facts, until: Millis) -> Unsafe:
    itself = said if said is not None and ledger.root_of(facts, said.event_id) == about else None
    line = next((one for one in reversed(facts.ledger) if ledger.root_of(facts, one.event_id, one.root) == about), None)
    event_type = itself.event_type if itself else line.event_type if line else ""
    producer = facts.voices.get(about) or (said.producer if said else "")
    said_of = dict(itself.attributes) if itself else None
    return Unsafe(about=about, event_type=event_type, producer=producer, since=facts.at, until=until, attributes=said_of)


def _why(found: Unsafe, policy: Policy) -> str:
    kind = policy.events.get(found.event_type)
    what = f"“{kind.says}”" if kind else "what your event says"
    return (
        f"Is it still not safe to tell the family of this: {what}? It was last said on {instant_in_words(found.since)}; {_UNTIL}"
    )


def _asked(found: Unsafe, facts: Facts, rules: Rules) -> RecipientId:
    """Find who is asked: the publisher's desk that hears what came of its events, else the child's hub, else the publisher.

    Never who may not hear of the child, nor a hub that was not told of the event: the question would say that there is one.
    """
    agency, registers = _publisher(found, facts), rules.registers
    passed = excluded_for(facts) | doubted_for(facts)
    referrer = rules.policy.roles.get(REFERRER)
    desks = desk_at(referrer, organisation_of(agency), registers) if referrer else ()
    in_turn = [told for one in desks if (told := stand_in(one, passed, registers))]
    hub = hub_asked(_event_of(found, facts, rules).header, facts, registers)
    knows = {one.recipient for one in ledger.standing(facts, found.about)}
    in_turn += [hub] if hub in knows - passed else []
    return next(iter(in_turn), RecipientId(agency))


def _publisher(found: Unsafe, facts: Facts) -> AgencyId:
    """Return whose event it is; whoever spoke of it before it came does not answer for it."""
    return AgencyId(facts.voices.get(found.about) or found.producer)


def _event_of(found: Unsafe, facts: Facts, rules: Rules) -> Event:
    """Return it as an event that says no more than it: for whoever is asked about it.

    Of an event of which too little is known to say whom a rule denies it, nobody hears a bell who was not told of it.
    """
    publisher = _publisher(found, facts)
    agency = rules.registers.agencies.get(publisher)
    header = Header(
        event_id=found.about,
        event_type=TOLD_TYPE,
        producer=publisher,
        sector=agency.sector if agency else Sector.COUNCILS,
        recorded_at=found.since,
        source=_SOURCE,
        attributes=found.attributes or {},
    )
    if found.attributes is None:
        header = replace(header, excluded=_untold(header, found, facts, rules.registers))
    control = Control(kind=found.event_type, state=ToldFamily.NOT_SAFE.value, concerns_event=found.about)
    return Event(header, {}, control)


def _untold(header: Header, found: Unsafe, facts: Facts, registers: Registers) -> tuple[RecipientId, ...]:
    area = area_of(header, facts, registers)
    first = [one for one in (area.hub, area.out_of_hours) if one] if area else []
    told = {one.recipient for one in facts.ledger if ledger.root_of(facts, one.event_id, one.root) == found.about}
    return tuple(sorted({one for desk in first for one in alternates(desk, registers)} - told))


def _clock(found: Unsafe) -> Clock:
    return Clock(
        clock_id=_clock_id(found),
        name=UNSAFE_REVIEW,
        event_id=found.about,
        event_type=TOLD_TYPE,
        disclosure_id=DisclosureId(found.about),
        recipient=RecipientId(""),
        role=RoleName(""),
        started_at=found.since,
        due_at=found.until,
    )


def _clock_id(found: Unsafe) -> str:
    return clock_id(DisclosureId(found.about), UNSAFE_REVIEW)
