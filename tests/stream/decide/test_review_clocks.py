"""What waits for a person runs on a clock: who was asked is warned, then the hub hears, then its duty team (I11)."""

from dataclasses import replace
from typing import Any

import pytest

from broker import codec
from broker.core.model.event import Body, Category, Event, Sector
from broker.core.model.identifiers import AgencyId, Millis, RecipientId, RoleName
from broker.core.model.policy import ClockKind, Condition, Effect, Policy, Question, Role
from broker.core.model.ports import ACCEPTED, Record
from broker.core.model.registers import Area
from broker.core.waiting.clocks import due_for
from tests.stream.lines import (
    CHILD,
    GP,
    HUB,
    POLICE_DESK,
    SCHOOL,
    ALine,
    a_policy,
    a_protection,
    a_recipient,
    a_retraction,
    a_rule,
    an_event,
    an_update,
    at_practice,
    its_key,
    of_the_council,
    on_roll,
    some_registers,
)

DUTY = RecipientId("north-duty")
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY, HOURS = "1_working_day", "4_hours"
UNSURE = Condition(Question.ATTRIBUTE, name="seen_by_doctor", values=frozenset({"yes"}))
SOME = frozenset({Category.EXISTENCE, Category.CONCERN})


def a_clocked_policy(*more: Any, asks: bool) -> Policy:
    """The doctor may only hear what the holder grants, within four hours; what no rule winds a clock for has a day."""
    maybe = a_rule("maybe", "gp", when=(*a_rule("x", "gp").when, UNSURE), categories=SOME, clock=HOURS)
    plain = a_policy(a_rule("school", "dsl", clock=DAY), *([maybe] if asks else []), *more)
    duty = Role(name=RoleName("duty_team"), title="duty", filled_by="area_duty")
    steps: dict[str, Any] = {"warn_before": "30_minutes", "next": RoleName("duty_team"), "next_after": "1_hour"}
    clocks = {
        HOURS: ClockKind(name=HOURS, says="four hours", **steps),
        DAY: ClockKind(name=DAY, says="a day", reviews=True, **steps),
    }
    roll = "school.pupil.registered"
    events = {**plain.events, roll: replace(plain.events[roll], registers_person=True)}
    return replace(plain, events=events, roles={**plain.roles, duty.name: duty}, clocks=clocks)


def a_line(*more: Any, asks: bool = True) -> ALine:
    registers = some_registers(keys=map(its_key, ("police:42", HUB, SCHOOL, DUTY)))
    duty = a_recipient(DUTY, "duty_team", "la:E10000030", "E10000030")
    area = Area(id="E10000030", name="North", hub=HUB, out_of_hours=DUTY)
    registers = replace(registers, recipients={**registers.recipients, DUTY: duty}, areas={area.id: area})
    return ALine(a_clocked_policy(*more, asks=asks), registers=registers)


def an_asking_line(**event: Any) -> ALine:
    return a_line().take(on_roll(), at_practice(), an_event(**event))


def a_held_line(*, asks: bool = True) -> ALine:
    return a_line(asks=asks).take(on_roll(), an_event("nonsense", "control.protection", body=Body()))


def heard(line: ALine) -> list[tuple[str, str]]:
    found = [one for one in line.disclosures() if one["event_type"] == "broker.review.unanswered"]
    return [(one["recipient"], one["because"][0]) for one in found]


def who(line: ALine) -> list[str]:
    return [one for one, _ in heard(line)]


def the(line: ALine, kind: str) -> dict[str, Any]:
    return next(one for one in reversed(line.reviews()) if one["kind"] == kind)


def accepted(line: ALine, event: Event, at: int) -> ALine:
    """Take an event that was accepted earlier than it came to the child's line."""
    record = line.record(_value(event), CHILD.encode())
    line.log[-1] = replace(record, headers=(*record.headers, (ACCEPTED, b"%d" % at)))
    line.feed_record(line.log[-1])
    return line


def _value(event: Event) -> bytes:
    return codec.encode("subject_record", {"kind": "EVENT", "child_ref": CHILD, "event": codec.encode_event(event)})


def test_who_was_asked_is_warned_then_the_hub_hears_then_its_duty_team() -> None:
    line = an_asking_line()
    asked = the(line, "ASK")
    due = asked["due_at"]
    found = []
    for now in (due - 30 * MINUTE - 1, due - 30 * MINUTE, due - 1, due, due + HOUR - 1, due + HOUR):
        line.ring(now)
        found.append(who(line))

    assert (asked["clock"], due) == (HOURS, asked["opened_at"] + 4 * HOUR)
    assert found == [[], [POLICE_DESK], [POLICE_DESK], [POLICE_DESK, HUB], [POLICE_DESK, HUB], [POLICE_DESK, HUB, DUTY]]


def test_what_no_rule_winds_a_clock_for_runs_on_the_policys_own_clock_for_reviews() -> None:
    line = a_held_line()
    held = the(line, "HOLD")

    line.ring(held["due_at"] + HOUR)

    assert held["clock"] == DAY
    assert who(line) == [HUB, DUTY], "the hub was asked, so its duty team hears that it did not answer"


def test_an_event_that_is_held_waits_no_longer_than_the_first_of_its_own_clocks() -> None:
    line = a_line().take(on_roll(), at_practice(), an_event("nonsense", "control.protection", body=Body()), an_event())

    assert the(line, "HOLD")["clock"] == HOURS


def test_a_gap_runs_on_the_clock_of_the_role_that_nobody_fills() -> None:
    line = a_line(a_rule("team", "gp", clock=HOURS, categories=SOME)).take(on_roll(), an_event())
    gap = the(line, "GAP")
    line.ring(gap["due_at"])

    assert (gap["clock"], gap["for_recipient"]) == (HOURS, HUB)
    assert who(line) == [HUB, DUTY]


def test_the_clock_runs_from_when_the_event_was_accepted_and_so_does_that_of_what_is_told_in_the_end() -> None:
    line = a_held_line(asks=False)
    before = line.log[-1].timestamp - 100 * HOUR
    accepted(line, an_event("e1"), before)
    held = the(line, "HOLD")
    line.resolve(next(one for one in line.reviews() if one["event_id"] == "nonsense"), "REJECT", by=HUB)

    (told,) = line.disclosures(SCHOOL)
    assert held["due_at"] == told["due_at"] == due_for(DAY, Millis(before), SCHOOL, line.registers)
    assert line.ring(line.log[-1].timestamp), "it is late already: the hub hears at once"
    assert [one["kind"] for one in line.disclosures(HUB)] == ["ESCALATION"]


def test_what_is_granted_or_filled_late_is_due_when_it_would_have_been() -> None:
    granted = an_asking_line()
    ask = the(granted, "ASK")
    granted.resolve(ask)
    filled = a_line().take(an_event())
    opened = the(filled, "GAP")["opened_at"]
    filled.take(on_roll())

    assert granted.disclosures(GP)[0]["due_at"] == ask["due_at"]
    assert filled.disclosures(SCHOOL)[0]["due_at"] == due_for(DAY, Millis(opened), SCHOOL, filled.registers)


@pytest.mark.parametrize("how", ["granted", "rejected", "taken back", "changed", "settled", "filled", "let go", "freed"])
def test_a_question_that_nobody_is_asked_any_more_neither_warns_nor_escalates(how: str) -> None:
    line = a_line(asks=False).take(an_event()) if how in {"settled", "filled"} else an_asking_line()
    if how in {"let go", "freed"}:
        line = a_held_line(asks=False).take(an_event())
    late = line.log[-1].timestamp + 900 * HOUR
    on_their_way = [one for one in line.task.due(late) if b"q-" in (one.value or b"")]
    assert on_their_way
    if how in {"granted", "rejected", "let go"}:
        line.resolve(line.reviews()[0], "REJECT" if how == "rejected" else "LINK")
    elif how == "settled":
        line.resolve(line.reviews()[0], "REJECT", by=HUB)
    else:
        line.take({"taken back": a_retraction("e1"), "changed": an_update("e1", "e2", expires_at=Millis(1)),
                   "filled": on_roll(), "freed": a_retraction("nonsense")}[how])  # fmt: skip
    for bell in on_their_way:
        line.feed_record(line.record(bell.value or b"", bell.key, stamped=False))

    assert heard(line) == []
    assert line.audits()[-1]["others"] == "the question was answered, or nobody is asked any more"
    assert not [one for one in line.restart().task.due(late) if b"q-" in (one.value or b"")]


def test_a_worker_that_died_after_ringing_rings_again_and_everybody_hears_it_once() -> None:
    line = an_asking_line()
    late = the(line, "ASK")["due_at"] + HOUR
    bells = [*line.task.due(late), *line.restart().task.due(late)]
    for bell in bells:
        line.feed_record(line.record(bell.value or b"", bell.key, stamped=False))

    assert len(bells) == 6
    assert who(line) == [POLICE_DESK, HUB, DUTY]


def test_a_bell_says_which_question_to_whoever_may_see_it_and_to_others_only_that_there_is_one() -> None:
    line = an_asking_line()
    asked = the(line, "ASK")
    line.ring(asked["due_at"] + HOUR)

    (_, warned), (_, hub), (_, duty) = heard(line)
    assert warned.startswith(f"`{asked['review_id']}` waits for your answer: 30 minutes are left")
    assert hub == duty == "A question about this child was not answered within 4 hours: ask the operator, who knows whose it is."
    assert all(one["producer"] is one["concern"] is one["due_at"] is None for one in line.disclosures(HUB))


def test_whom_the_publisher_excludes_hears_no_bell_of_a_question() -> None:
    line = an_asking_line(excluded=(HUB, POLICE_DESK))
    line.ring(the(line, "ASK")["due_at"] + HOUR)

    assert who(line) == [DUTY]


def test_a_stranger_silences_no_bell_of_the_question_about_its_own_word() -> None:
    """Its exclusion of everybody is what the hub is asked about."""
    stranger = {"producer": AgencyId("urn:100002"), "sector": Sector.SCHOOLS}
    claim = an_event("claim", "control.protection", body=Body(), excluded=(HUB, DUTY), **stranger)
    line = a_line().take(of_the_council(), on_roll(), claim)
    line.ring(the(line, "HOLD")["due_at"] + HOUR)

    assert line.facts().home_area == "E10000030"
    assert who(line) == [HUB, DUTY]


def test_who_may_not_know_that_there_is_anything_does_not_hear_that_a_person_is_asked() -> None:
    """I8: a changed identity is for the hub alone; the policy denies everybody else even that there is something."""
    hidden = a_rule(
        "hidden", "dsl", effect=Effect.WITHHOLD, spare=frozenset({RoleName("hub")}), categories=frozenset(Category),
        basis=None, when=(Condition(Question.PROTECTION, values=frozenset({"identity_changed"})),),
    )  # fmt: skip
    hidden = replace(hidden, to=frozenset())
    line = a_line(hidden).take(
        on_roll(), a_protection(kind="identity_changed"), an_event("odd", "control.protection", body=Body())
    )
    line.ring(the(line, "HOLD")["due_at"] + HOUR)

    assert set(who(line)) == {HUB}


def test_a_question_goes_with_the_child_into_another_record_and_its_clock_is_the_same() -> None:
    line = a_line()
    line.take(on_roll(), at_practice(), an_event(), child="c-loser")
    before = the(line, "ASK")
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")
    after = the(line, "ASK")
    line.ring(after["due_at"] + HOUR)

    assert (after["review_id"], after["due_at"]) == (before["review_id"], before["due_at"])
    assert who(line) == [POLICE_DESK, HUB, DUTY]
    line.resolve(after)
    assert [one["due_at"] for one in line.disclosures(GP)] == [before["due_at"]]


def test_a_gap_that_nobody_filled_or_answered_in_time_is_closed_and_not_left_open_for_ever() -> None:
    line = a_line().take(an_event())
    gap = the(line, "GAP")
    late = line.record(
        _value(an_event("e9", "control.consent", body=Body())), CHILD.encode(), timestamp=gap["opened_at"] + 8 * 24 * HOUR
    )
    line.feed_record(late)

    assert the(line, "GAP")["state"] == "WITHDRAWN"
    assert gap["due_at"] < gap["opened_at"] + 7 * 24 * HOUR


def test_a_question_about_a_type_that_nobody_knows_can_be_answered_too() -> None:
    line = a_line().take(on_roll(), an_event("e1", "police.nobody.knows"))
    line.resolve(the(line, "GAP"), "REJECT", by=HUB)

    assert the(line, "GAP")["state"] == "RESOLVED"


def test_what_an_agency_says_of_when_it_was_accepted_counts_no_later_than_when_it_came() -> None:
    record = Record("subjects.v1", 0, 0, 5_000, b"", b"", ((ACCEPTED, b"9000"),))

    assert record.accepted_at == 5_000
    assert replace(record, headers=((ACCEPTED, b"4000"),)).accepted_at == 4_000
    assert replace(record, headers=((ACCEPTED, b"soon"),)).accepted_at == 5_000


def test_a_line_with_questions_and_their_bells_is_taken_again_to_the_same_bytes() -> None:
    line = an_asking_line()
    line.ring(the(line, "ASK")["due_at"])
    line.take(an_event("odd", "control.protection", body=Body()), an_event("e2"))
    line.ring(the(line, "HOLD")["due_at"] + HOUR)
    line.resolve(next(one for one in line.reviews() if one["event_id"] == "odd"), "REJECT", by=HUB)
    again = a_line()
    for record in line.log[2:]:
        again.feed_record(record)

    assert again.written == line.written
    assert {table: dict(again.tables[table].items()) for table in again.tables} == {
        table: dict(line.tables[table].items()) for table in line.tables
    }
