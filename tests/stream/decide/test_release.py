"""Intelligence goes no further than its originator releases it, by name and event by event (R28); a release can be recalled."""

from typing import Any

import pytest

from broker import codec
from broker.core.model.event import Body, Category, Event
from broker.core.model.identifiers import Millis
from broker.core.model.policy import Condition, Effect, Policy, Question
from broker.core.waiting.clocks import due_for
from broker.stream.decide.shelf import RELEASE_STAYS
from tests.stream.lines import (
    CHILD,
    GP,
    NOW,
    SCHOOL,
    ALine,
    a_policy,
    a_retraction,
    a_rule,
    an_event,
    an_update,
    at_practice,
    on_roll,
)

CONTENT = frozenset({Category.CONCERN, Category.LOCATION, Category.IDENTITY})
RELEASED = (Condition(Question.FINDING, values=frozenset({"originator_release"})),)


def a_releasing_policy() -> Policy:
    """The school may know that there is something, and the rest once it is released; the doctor nothing before that."""
    stays = a_rule("stays", "dsl", effect=Effect.WITHHOLD, categories=CONTENT, basis=None, unless=(RELEASED,))
    doctor = a_rule("doctor", "gp", when=(*stays.when, *RELEASED), if_nobody="nothing", clock="1_working_day")
    return a_policy(a_rule("school", "dsl"), doctor, stays)


def release(name: str, of: str, *to: str, **more: Any) -> Event:
    control = {
        "kind": "originator_release",
        "state": "made",
        "by_role": "originator",
        "recipients": list(to),
        "concerns_event": of,
    }
    return an_event(name, "control.finding", body=Body(), control=control | more)


def a_line(*events: Event) -> ALine:
    return ALine(a_releasing_policy()).take(on_roll(), at_practice(), *events)


def told(line: ALine, to: str) -> list[tuple[str, str | None]]:
    return [(one["kind"], (one["concern"] or {}).get("grade")) for one in line.disclosures(to)]


def test_a_release_after_the_event_tells_whom_it_names_and_nobody_of_what_comes_later() -> None:
    line = a_line(an_event("e1"), release("r1", "e1", SCHOOL), an_event("e2", body={"concern": {"grade": "never released"}}))

    assert told(line, SCHOOL) == [("EXISTENCE", None), ("CORRECTION", "high"), ("EXISTENCE", None)]
    assert told(line, GP) == []


def test_a_release_that_comes_first_counts_for_its_event_alone() -> None:
    line = a_line(release("r1", "e2", "gp"), an_event("e1"), an_event("e2"))

    assert told(line, GP) == [("ALERT", "high")]


def test_what_changes_the_event_has_to_be_released_anew() -> None:
    line = a_line(an_event("e1"), release("r1", "e1", GP), an_update("e1", "e2", body={"concern": {"grade": "not released"}}))

    assert told(line, GP) == [("ALERT", "high"), ("RETRACTION", None)]


@pytest.mark.parametrize("how", ["withdrawn", "retracted"])
def test_withdrawing_a_release_recalls_what_went_by_it(how: str) -> None:
    line = a_line(an_event("e1"), release("r1", "e1", GP, SCHOOL))
    line.take(release("r2", "e1", state="withdrawn") if how == "withdrawn" else a_retraction("r1", "r2"))

    assert told(line, GP) == [("ALERT", "high"), ("RETRACTION", None)]
    assert told(line, SCHOOL)[-2:] == [("RETRACTION", None), ("EXISTENCE", None)]


def test_a_release_that_another_still_covers_is_not_recalled_and_one_given_again_tells_again() -> None:
    covered = a_line(an_event("e1"), release("r1", "e1", GP), release("r2", "e1", "gp"), a_retraction("r1", "r3"))
    anew = a_line(an_event("e1"), release("r1", "e1", GP), a_retraction("r1", "r2"), release("r3", "e1", GP))

    assert told(covered, GP) == [("ALERT", "high")]
    assert told(anew, GP) == [("ALERT", "high"), ("RETRACTION", None), ("ALERT", "high")]
    assert len({one["disclosure_id"] for one in anew.disclosures(GP)}) == 3


def test_a_withdrawal_of_one_release_leaves_that_of_another_event() -> None:
    line = a_line(an_event("e1"), an_event("e2"), release("r1", "e1", GP), release("r2", "e2", GP))
    line.take(release("r3", "e1", state="withdrawn"))

    assert [one.concerns for one in line.facts().findings] == ["e2"]
    assert told(line, GP).count(("RETRACTION", None)) == 1


def test_what_was_taken_back_or_waited_too_long_is_not_released_any_more() -> None:
    taken_back = a_line(an_event("e1"), a_retraction("e1"), release("r1", "e1", GP))
    late = a_line(an_event("e1"))
    late_by = NOW + RELEASE_STAYS + 3600_000
    late.feed_record(late.record(_record(release("r1", "e1", GP)), CHILD.encode(), timestamp=late_by))

    assert told(taken_back, GP) == told(late, GP) == []


def test_what_is_released_days_later_is_due_from_its_release() -> None:
    """Nothing could go before: who hears of it is not late at once."""
    days, line = NOW + 3 * 24 * 3600_000, a_line(an_event("e1"))
    line.feed_record(line.record(_record(release("r1", "e1", GP)), CHILD.encode(), timestamp=days))

    (told_now,) = line.disclosures(GP)
    assert told_now["due_at"] == due_for("1_working_day", Millis(days), GP, line.registers)


def _record(event: Event) -> bytes:
    return codec.encode("subject_record", {"kind": "EVENT", "child_ref": CHILD, "event": codec.encode_event(event)})
