"""The clock of a question of whom an event is about: it waits in `identify`, and has a line of its own here that is no child's.

All is as on a child's line: a bell is a record, the policy and registers in force there say who hears it, and it is recorded
first (I1, I11, I12). Of the event nothing is known there but its header, and of no child anything but what protects it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from broker import codec
from broker.core.model.event import Header
from broker.core.model.facts import Protection
from broker.core.model.identifiers import DisclosureId, Millis, RecipientId, RoleName
from broker.core.model.question import WHO, Question
from broker.core.waiting.clocks import Clock, clock_id, question_clock_id
from broker.core.waiting.questions import with_due
from broker.errors import UnreadableRecordError
from broker.stream.decide.draft import Draft
from broker.stream.decide.shelf import Waiting


def take(draft: Draft, message: Mapping[str, Any]) -> None:
    """Start, change or stop the clock of a question, as `identify` says that it stands now.

    Of one that is asked anew, all starts again but what rang and was heard: the shelf may be written where its clocks are not.
    """
    said = message["question"]
    draft.skip()
    draft.shelve(())
    if not said["is_open"]:
        return
    value = message["event"]
    if value is None:
        raise UnreadableRecordError("a question that is open names no event")
    header, review = codec.decode_header(value), DisclosureId(said["review_id"])
    since = Millis(min(draft.record.accepted_at, draft.facts.at))
    draft.facts = replace(draft.facts, protections=tuple(_protection(one, header) for one in said["protections"]))
    wanted = ((said["clock"], said["for_recipient"]),)
    question = Question(kind=WHO, for_recipient=said["for_recipient"], about=header.event_id, why="", wanted=wanted)
    question = with_due(question, since, draft.facts.at, draft.rules())
    heard = {one.event_id.rpartition("/")[2] for one in draft.facts.ledger}
    clock = _clock(question, review, header, since)
    draft.started.extend(
        replace(clock, clock_id=question_clock_id(review, clock.name, stage), due_at=due, stage=stage)
        for stage, due in question.bells.items()
        if clock_id(review, clock.name, stage) not in heard
    )
    waits = Waiting(
        review_id=review,
        kind=WHO,
        about=header.event_id,
        for_recipient=question.for_recipient,
        event=value,
        since=since,
        clock=said["clock"],
        due_at=question.due_at or 0,
    )
    draft.shelve((waits,))


def _clock(question: Question, review: DisclosureId, header: Header, since: Millis) -> Clock:
    return Clock(
        clock_id="",
        name=question.clock or "",
        event_id=header.event_id,
        event_type=header.event_type,
        disclosure_id=review,
        recipient=RecipientId(question.for_recipient),
        role=RoleName(""),
        started_at=since,
        due_at=since,
        stops_on="outcome",
    )


def _protection(kind: str, header: Header) -> Protection:
    return Protection(kind=kind, since=Millis(0), by=header.producer, event_id=header.event_id)
