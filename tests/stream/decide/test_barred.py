"""A statutory alert that a rule keeps from everybody but the hub: the hub hears that, and why as far as it may know (I3, I4)."""

from dataclasses import replace
from typing import Any

import pytest

from broker import codec
from broker.core.model.event import Action, Category, Control, Event
from broker.core.model.identifiers import EventId, RecipientId
from broker.core.model.policy import Condition, Effect, Question
from broker.sealing.reviews import open_event
from tests.stream.england import (
    DSL,
    DUTY,
    FORCE,
    HOME,
    HUB,
    NOTICE,
    OTHER_SCHOOL,
    POLICE_PROTECTION,
    PRACTICE,
    SCHOOL,
    TEAM,
    a_child,
    england,
    questions,
    says,
    tie,
    told,
)
from tests.stream.lines import CHILD, SECRETS, ALine, a_policy, a_rule, its_key

HARM = (
    "Somebody named, with a reason and a review date, found that telling this recipient would harm the child more than silence."
)
AT_THE_HUB = tuple(map(RecipientId, (HUB, "hub-alternate.home", DUTY)))


def detriment(*keeps_from: str, state: str = "made") -> Event:
    control = Control(
        kind="detriment",
        state=state,
        by_role="social_worker",
        reason="he works there",
        until="2027-06-01",
        recipients=[*keeps_from],
    )
    return says(HOME, "control.finding", control)


def protected(kind: str, by: str = HOME) -> Event:
    return says(by, "control.protection", {"kind": kind, "state": "set"})


def gaps(line: ALine) -> list[tuple[str, str]]:
    return [(one["recipient"], one["because"][0]) for one in line.disclosures() if one["kind"] == "GAP"]


def seen(line: ALine) -> set[str]:
    (gap,) = [one for one in line.reviews() if one["kind"] == "GAP"]
    return set(codec.decode_event(open_event(SECRETS, gap["review_id"], gap["sealed_event"])).body)


def test_the_hub_hears_that_a_finding_keeps_a_statutory_alert_from_everybody_else_and_why() -> None:
    line = a_child(detriment("dsl"), says(FORCE, NOTICE))

    assert told(line, NOTICE) == {HUB}
    assert gaps(line) == [(HUB, f"a statute wants it told in the role `dsl`, and nobody but you hears of it. {HARM}")]
    assert questions(line) == [("GAP", HUB)]
    assert seen(line) == {"identity"}, "who the child is, and nothing that no rule tells it"
    assert "he works there" not in repr((line.disclosures(), line.reviews())), "the reason of a finding is for the audit"


def test_the_hub_that_is_told_itself_hears_who_is_not() -> None:
    line = a_child(detriment("duty_team", "dsl"), says(FORCE, POLICE_PROTECTION))

    assert told(line, POLICE_PROTECTION) == {HUB}
    assert [one["kind"] for one in line.disclosures(HUB)] == ["ALERT", "GAP"]
    assert gaps(line) == [(HUB, f"a statute wants it told in the role `duty_team`, and nobody but you hears of it. {HARM}")]


def test_where_anybody_else_hears_of_it_there_is_no_gap() -> None:
    plan = says(HOME, "council.cp_plan.started", area=HOME)
    practice = says(PRACTICE, "health.gp.registered", tie("gp", PRACTICE))
    line = a_child(practice, detriment("dsl"), plan)

    assert DSL not in told(line, plan.header.event_type)
    assert len(told(line, plan.header.event_type) - {HUB}) > 0
    assert [one for one in gaps(line) if "`dsl`" in one[1]] == []


def test_a_finding_that_keeps_nothing_from_whom_a_statute_names_makes_no_gap() -> None:
    line = a_child(detriment(TEAM), says(FORCE, NOTICE))

    assert (told(line, NOTICE), gaps(line)) == ({DSL}, [])


def test_a_role_that_is_vacant_besides_is_one_gap() -> None:
    """One school's lead may not hear, and the other school has no desk: two messages of one id would be one too many."""
    policy, registers = england()
    left = {name: one for name, one in registers.recipients.items() if name != "dsl.other_school"}
    line = ALine(policy, registers=replace(registers, recipients=left))
    line.take(*(says(one, "school.pupil.registered", tie("school", one)) for one in (SCHOOL, OTHER_SCHOOL)))
    line.take(detriment(DSL), says(FORCE, NOTICE))

    assert len(gaps(line)) == 1


@pytest.mark.parametrize(("statutory", "if_nobody", "roles"), [(True, "hub", [HUB]), (False, "hub", []), (True, "nothing", [])])
def test_only_what_a_statute_wants_told_without_fail_makes_such_a_gap(statutory: bool, if_nobody: str, roles: list[str]) -> None:
    named = Condition(Question.FINDING, values=frozenset({"detriment"}))
    keeps = a_rule("keeps", "dsl", effect=Effect.WITHHOLD, basis=None, categories=frozenset(Category), when=(named,))
    policy = a_policy(a_rule("school", "dsl", statutory=statutory, if_nobody=if_nobody), keeps)
    roll = says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL))
    line = ALine(policy, registers=england()[1]).take(roll, detriment("dsl"), says(FORCE, NOTICE))

    assert [to for to, _ in gaps(line)] == roles


def test_of_a_changed_identity_the_hub_hears_that_nobody_else_hears_and_not_why() -> None:
    line = a_child(protected("identity_changed"), says(FORCE, NOTICE))

    assert gaps(line) == [
        (HUB, "a statute wants it told in the role `dsl`, and nobody but you hears of it. It may not be said here why.")
    ]
    assert "identity" not in repr([one["because"] for one in line.disclosures(HUB)])
    assert seen(line) == set(), "the old and the new identity never meet"


@pytest.mark.parametrize(
    "kept",
    [detriment("dsl", HUB), protected("protected_person", FORCE)],
    ids=["a finding that means the hub too", "a protected person"],
)
def test_a_hub_that_may_not_know_that_there_is_anything_sees_no_difference(kept: Event) -> None:
    with_it, without = a_child(kept, says(FORCE, NOTICE)), a_child(kept)

    assert list(with_it.visible_to(HUB)) == list(without.visible_to(HUB))
    assert list(with_it.visible_to(DSL)) == list(without.visible_to(DSL)) == []
    assert with_it.reviews() == without.reviews()


def test_old_news_that_nobody_hears_are_no_gap() -> None:
    history: dict[str, Any] = {"attributes": {"history": "yes"}}
    line = a_child(detriment("dsl"), says(HOME, "council.cp_plan.started", **history))

    assert gaps(line) == []


def test_nobody_but_the_hub_is_told_that_a_finding_keeps_something_back() -> None:
    """Where nobody at the hub may hear of the child a gap goes to the publisher: it is nothing for it that there is a finding."""
    line = a_child(says(FORCE, "control.exclusion", excluded=AT_THE_HUB))
    line.resolve(line.reviews()[0])
    since = len(line.reviews())
    line.take(detriment("dsl"), says(FORCE, NOTICE))

    assert (gaps(line), line.reviews()[since:]) == ([], [])


def test_who_comes_to_the_child_and_is_not_meant_is_told_within_the_days_of_a_gap() -> None:
    line = a_child(detriment(DSL), says(FORCE, NOTICE))
    line.take(says(OTHER_SCHOOL, "school.pupil.registered", tie("school", OTHER_SCHOOL)))

    assert told(line, NOTICE) == {HUB, "dsl.other_school"}
    assert [one["state"] for one in line.reviews()] == ["OPEN", "WITHDRAWN"]


def test_whom_a_statute_names_hears_once_the_finding_is_withdrawn_within_the_days_of_a_gap() -> None:
    line = a_child(detriment("dsl"), says(FORCE, NOTICE), detriment("dsl", state="withdrawn"))

    assert told(line, NOTICE) == {HUB, DSL}
    assert [one["state"] for one in line.reviews()] == ["OPEN", "WITHDRAWN"]


def test_also_where_whoever_made_it_says_on_its_review_date_that_it_holds_no_more() -> None:
    policy, registers = england()
    line = ALine(policy, registers=replace(registers, keys={key.id: key for key in map(its_key, (HUB, TEAM))}))
    made = detriment("dsl")
    soon = replace(made, control={**(made.control or {}), "until": "2026-09-23"})  # type: ignore[typeddict-item] # of a test
    home = says(HOME, "council.person.registered", tie("home_area", f"la:{HOME}"))
    line.take(home, says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL)), soon, says(FORCE, NOTICE))
    line.ring(line.facts().findings[0].until or 0)
    line.resolve(next(one for one in line.reviews() if one["kind"] == "ASK"), "REJECT")

    assert line.facts().findings == ()
    assert DSL in told(line, NOTICE)


def test_so_does_who_was_excluded_once_that_is_taken_back() -> None:
    """An exclusion in error left the school without what the police must tell it."""
    wrong = says(HOME, "control.exclusion", excluded=tuple(map(RecipientId, (DSL, "dsl-alternate.school"))))
    line = a_child(wrong, says(FORCE, NOTICE))
    assert told(line, NOTICE) == {HUB}
    line.take(says(HOME, "control.exclusion", action=Action.RETRACT, supersedes=wrong.header.event_id))

    assert told(line, NOTICE) == {HUB, DSL}


def test_it_goes_as_the_gap_of_any_event_when_its_event_is_taken_back() -> None:
    notice = says(FORCE, NOTICE)
    line = a_child(detriment("dsl"), notice)
    line.take(says(FORCE, "control.retraction", {"concerns_event": notice.header.event_id}))

    assert [one["state"] for one in line.reviews()] == ["OPEN", "WITHDRAWN"]
    assert EventId(notice.header.event_id) in line.facts(CHILD).cancelled
    assert SCHOOL not in repr(gaps(line))
