"""What becomes of what waits about a child when something else is taken: it goes on, is over, is filled, or asked of another."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from broker import codec
from broker.core.agencies.exclusions import excluded_for
from broker.core.line import taking
from broker.core.line.decide_again import fill_gap, tell_released
from broker.core.model.event import Event, Header
from broker.core.model.facts import Facts
from broker.core.model.identifiers import Millis
from broker.core.model.ports import Outgoing
from broker.core.model.question import GAP, HOLD, Question
from broker.core.model.rules import Rules
from broker.core.waiting import judgements, questions, unsafe
from broker.stream.decide.draft import Draft
from broker.stream.decide.enforce import Cause, Enforcer, filled_review, freed_review, late_review, overtaken_review
from broker.stream.decide.overtaken import events_of, over_elsewhere, overtaken_by, without_overtaken
from broker.stream.decide.shelf import RELEASE, Waiting

Closing = Callable[[Waiting, Header, Facts, Cause], Outgoing]  # makes the record that closes a review


def after_event(draft: Draft, before: Facts, rules: Rules, over: Sequence[Waiting], cause: Cause) -> None:
    """Do with what waits what follows from an event that was taken; `over` is what it takes back or changes."""
    if not draft.shelf:
        return
    take_off(draft, [*over, *(one for one in _settled(draft) if one not in over)], cause)
    follow(draft, before, rules, freed_review)


def follow(draft: Draft, before: Facts, rules: Rules, closed: Closing) -> None:
    """Let go on what nothing holds any more, ask anew where somebody is excluded by now, and tell what may go by now."""
    free(draft, before, rules, closed)
    _readdress(draft, before, rules)
    _tell_released(draft, before, rules)
    fill(draft, before, rules)


def fill(draft: Draft, before: Facts, rules: Rules) -> None:
    """Try again to tell whom nobody could be told for, where something is otherwise that says who hears."""
    if _hearing(before) != _hearing(draft.facts):
        _fill_gaps(draft, rules)


def after_merge(draft: Draft, before: Facts, here: Sequence[Waiting], loser: Facts, cause: Cause) -> None:
    """Do with what waits what follows from a merge; `here` waited in this record, all else came with the other one's facts.

    Nobody is asked or told any more of what either knows to be over; who came to the child in one hears of the other's gaps.
    """
    rules, joined = draft.begin(), draft.facts
    there = [one for one in draft.shelf if one not in here]
    over, draft.facts = over_elsewhere(here, before, loser, joined)
    also, draft.facts = over_elsewhere(there, loser, before, draft.facts)
    go_on(draft, [one for one in (*over, *also) if one.kind == HOLD], rules, overtaken_review)
    take_off(draft, [one for one in (*over, *also) if one.kind != HOLD], cause)
    take_off(draft, _settled(draft), cause)
    free(draft, joined, rules, freed_review)
    for known in (before, loser):
        _readdress(draft, known, rules)
        _tell_released(draft, known, rules)
    _fill_gaps(draft, rules)


def after_release(draft: Draft) -> None:
    """Tell whoever the registers name by now for a gap; not while the line is held: people decide then."""
    if draft.shelf and not draft.facts.holds:
        _fill_gaps(draft, draft.rules())


def _settled(draft: Draft) -> list[Waiting]:
    """Return the questions whether it is still not safe to tell a family that somebody's later word has answered."""
    return [one for one in draft.shelf if one.is_about_unsafe and not unsafe.is_open(draft.facts, one.about)]


def take_off(draft: Draft, over: Sequence[Waiting], cause: Cause) -> None:
    """Take off what is over, and gaps that nobody filled in time."""
    late = [one for one in draft.shelf if one not in over and 0 < one.until <= draft.facts.at]
    for gone, close in ((over, overtaken_review), (late, late_review)):
        for one in (one for one in gone if one.kind != RELEASE):
            if one.kind == HOLD:
                _end_held(draft, one)
            draft.outputs.append(close(one, codec.decode_header(one.event), draft.facts, cause))
    draft.shelve(one for one in draft.shelf if one not in over and one not in late)


def free(draft: Draft, before: Facts, rules: Rules, closed: Closing) -> None:
    """Let everything go on that was held, once nothing holds the line any more, and tell who came to the child meanwhile."""
    if freed := freed_since(draft, before, rules):
        go_on(draft, freed, rules, closed)
    if before.holds and not draft.facts.holds:
        _fill_gaps(draft, rules)


def freed_since(draft: Draft, before: Facts, rules: Rules) -> list[Waiting]:
    """Return what was held by nothing but the line, when it was held before and is so no more; in the order it came."""
    if not before.holds or draft.facts.holds:
        return []
    held = ((one, codec.decode_event(one.event)) for one in draft.shelf if one.kind == HOLD)
    return [one for one, event in held if not taking.doubt_about(draft.facts, event, rules)]


def go_on(draft: Draft, released: Sequence[Waiting], rules: Rules, closed: Closing) -> None:
    """Decide what was held, one after the other; what another of them takes back or changes never goes."""
    draft.shelve(one for one in draft.shelf if one not in released)
    draft.facts = without_overtaken(draft.facts, released)
    for one in released:
        event, cause = draft.again("event", one)
        waits = overtaken_by(event, draft.shelf, draft.facts)
        turn = taking.decide_released(taking.without_held(draft.facts, events_of(waits)), event, rules)
        take_off(draft, waits, cause)
        draft.put(turn, cause, rules)
        take_off(draft, _settled(draft), cause)
        draft.outputs.append(closed(one, event.header, draft.facts, cause))


def _end_held(draft: Draft, one: Waiting) -> None:
    """End a held event as its own record of the log: it was accepted, and nobody decides about it any more."""
    event, cause = draft.again("event", one)
    draft.put(taking.end_held(draft.facts, event), replace(cause, event=None), None)


def _readdress(draft: Draft, before: Facts, rules: Rules) -> None:
    """Ask whoever stands in instead of whom somebody excludes by now (R11): asking tells."""
    excluded = excluded_for(draft.facts) - excluded_for(before)
    for one in [one for one in draft.shelf if one.for_recipient in excluded]:
        event, cause = draft.again("event", one)
        question = _put_to_another(one)(one.question(), event, draft.facts, rules)
        again = replace(one, for_recipient=question.for_recipient)
        draft.shelve([again if other is one else other for other in draft.shelf])
        draft.outputs.append(Enforcer(draft.secrets).review(question, draft.facts, cause, one.review_id))


def _put_to_another(one: Waiting) -> Callable[[Question, Event, Facts, Rules], Question]:
    if one.is_about_unsafe:
        return unsafe.unsafe_put_to_another
    return judgements.put_to_another if one.is_about_finding else questions.put_to_another


def _tell_released(draft: Draft, before: Facts, rules: Rules) -> None:
    """Decide again what an originator has released, or releases no longer."""
    if before.findings == draft.facts.findings and not (before.holds and not draft.facts.holds):
        return
    for one in [one for one in draft.shelf if one.kind == RELEASE]:
        event, cause = draft.again("event", one)
        turn = tell_released(before, draft.facts, event, rules)
        if turn is not None:  # it may go since the release came: its clocks run from there
            draft.put(turn, replace(cause, accepted_at=Millis(draft.record.accepted_at)), rules)


def _fill_gaps(draft: Draft, rules: Rules) -> None:
    """Try again to tell whom nobody could be told for: another organisation has come to the child, or to the registers."""
    for one in [one for one in draft.shelf if one.kind == GAP and not 0 < one.until <= draft.facts.at]:
        event, cause = draft.again("event", one)
        turn = fill_gap(draft.facts, event, one.about, rules)
        if turn is not None:
            draft.shelve([other for other in draft.shelf if other is not one])
            draft.put(turn, cause, rules)
            draft.outputs.append(filled_review(one, event.header, draft.facts, cause))


def _hearing(facts: Facts) -> tuple[object, ...]:
    """Return what says who fills which role for a child, and what keeps somebody in one from hearing."""
    return facts.connections, facts.statuses, facts.home_area, facts.exclusions, facts.findings
