"""A person's answer to what a child's line asks: who may give it, and what it does.

Whoever was asked answers, or the hub of the child's own area, and not everything.
"""

from dataclasses import replace
from typing import Any

from broker import codec
from broker.core.agencies.exclusions import excluded_for
from broker.core.line import taking, telling
from broker.core.line.decide_again import answer_ask
from broker.core.line.taking import hub_for
from broker.core.model.event import Category, Header
from broker.core.model.facts import Facts
from broker.core.model.identifiers import EventId, RecipientId
from broker.core.model.ports import ORIGIN, Outgoing
from broker.core.model.question import ASK, GAP, HOLD
from broker.core.model.registers import Registers
from broker.core.model.rules import Rules
from broker.core.model.turn import APPLIED, Turn
from broker.core.waiting import judgements
from broker.errors import NotPermittedError, UnknownDisclosureError
from broker.sealing.signatures import signed_by
from broker.stream.decide.draft import Draft
from broker.stream.decide.enforce import Cause, Decided, closed_review
from broker.stream.decide.shelf import RELEASE, Waiting
from broker.stream.decide.waiting import fill, follow, freed_since, go_on

LINK = "LINK"
_REJECTED = "a person decided that this does not go on"
_SETTLED = "the hub has seen to it"

Message = dict[str, Any]


def take_answer(draft: Draft, resolution: Message) -> None:
    """Do what a person decided about a question of this line; raises RejectError when there is none, or it is not theirs."""
    asked = next((one for one in draft.shelf if one.kind != RELEASE and one.review_id == resolution["review_id"]), None)
    if asked is None:
        raise UnknownDisclosureError("no question with this id waits on the child's line")
    rules = draft.begin()
    key = signed_by(rules.registers, draft.record, asked.review_id)
    check_answer(key.holder, resolution["decision"], asked, draft.facts, rules.registers)
    draft.decided = Decided(key.holder, key.id, resolution["reason"])
    if asked.kind == HOLD:
        _let_go(draft, asked, resolution, rules)
    else:
        _answer(draft, asked, resolution, rules)


def check_answer(holder: str, decision: str, asked: Waiting, facts: Facts, registers: Registers) -> None:
    """Check that the holder of the key that signed an answer may give it; raises NotPermittedError.

    Never whom somebody excludes for the child by now (R11), nor a publisher that its own event in question goes on, nor
    anybody but the hub that more is told while something that protects the child is in question. Whether a finding holds, or
    it is still not safe to tell a family, is for who was asked alone.
    """
    event = codec.decode_event(asked.event)
    asks_hub = (facts.home_area or asked.kind != HOLD) and not (asked.is_about_finding or asked.is_about_unsafe)
    hub = hub_for(facts, event, registers) if asks_hub else None
    if holder not in {asked.for_recipient, hub} - excluded_for(facts):
        raise NotPermittedError(f"`{holder}` was not asked and cannot decide this")
    if decision != LINK:
        return
    if asked.kind == HOLD and holder == event.header.producer:
        raise NotPermittedError("nobody decides that its own event in question goes on: it can only be rejected, or taken back")
    if asked.kind == ASK and facts.holds and hub not in {None, holder}:
        raise NotPermittedError("something that protects this child is in question: until that is answered its hub decides")


def _answer(draft: Draft, asked: Waiting, resolution: Message, rules: Rules) -> None:
    before = draft.facts
    event, cause = draft.again("resolution", asked)
    cause = replace(cause, record_id=asked.review_id, origin=draft.record.header(ORIGIN))
    draft.shelve(one for one in draft.shelf if one is not asked)
    if asked.is_about_finding:
        turn = judgements.judged(draft.facts, event, rules.policy, holds=resolution["decision"] == LINK)
    elif asked.is_about_unsafe:
        turn = telling.answered(draft.facts, event, rules.policy, holds=resolution["decision"] == LINK)
    elif asked.kind == GAP:
        turn = Turn(outcome=APPLIED, facts=draft.facts, others=_SETTLED)
    elif resolution["decision"] == LINK:
        allowed = tuple(Category(one) for one in asked.asks)
        turn = answer_ask(draft.facts, event, RecipientId(asked.about), allowed, rules)
    else:
        turn = Turn(outcome=APPLIED, facts=draft.facts, others=_REJECTED)
    draft.put(replace(turn, concerns=(*turn.concerns, event.header.event_id)), cause, rules)
    draft.outputs.append(closed_review(asked, event.header, draft.facts, resolution, cause))
    fill(draft, before, rules)


def _let_go(draft: Draft, asked: Waiting, resolution: Message, rules: Rules) -> None:
    """Decide what was held. When the last that held the line is resolved, everything goes on in the order it came."""
    before = draft.facts
    draft.shelve(one for one in draft.shelf if one is not asked)
    draft.facts = replace(before, holds=before.holds - {EventId(asked.about)})
    event, cause = draft.again("event", asked)

    def closed(one: Waiting, header: Header, facts: Facts, cause: Cause) -> Outgoing:
        return closed_review(one, header, facts, resolution, cause)

    if resolution["decision"] == LINK:
        draft.facts = taking.spoken_for(draft.facts, event)
        go_on(draft, [asked, *freed_since(draft, before, rules)], rules, closed)
    else:
        draft.put(Turn(outcome=APPLIED, facts=draft.facts, others=_REJECTED), cause, rules)
        draft.outputs.append(closed(asked, event.header, draft.facts, cause))
    follow(draft, before, rules, closed)
