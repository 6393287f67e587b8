"""What a family was told, on the shipped rules: a change reaches whoever was told of the event (I7), and opens nothing (I6)."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.account.tell import tell
from broker.core.line.decide_again import answer_ask, tell_released
from broker.core.model.event import Action, Event, ToldFamily
from broker.core.model.facts import Finding
from broker.core.model.identifiers import EventId, RecipientId
from broker.core.model.rules import Rules
from tests.stream.england import (
    AWAY,
    DSL,
    DUTY,
    FAR_SCHOOL,
    FORCE,
    HOME,
    HUB,
    NOTICE,
    POLICE_PROTECTION,
    SCHOOL,
    england,
    extract_row,
    says,
    tie,
)
from tests.stream.lines import CHILD, ALine
from tests.stream.what_families_know import (
    NAME,
    NOT_SAFE,
    a_line,
    asked,
    reads,
    review_at,
    version,
    word,
)


def test_whoever_was_told_hears_what_the_family_was_told_since() -> None:
    line = a_line(NOT_SAFE, word("YES"))
    first, again = line.disclosures(DSL)

    assert (first["told_family"], again["told_family"], again["kind"], again["replaces"]) == (
        "NOT_SAFE",
        "YES",
        "CORRECTION",
        first["disclosure_id"],
    )
    assert again["because"][:2] == ["The family was told of this.", "It is no longer said that telling them would not be safe."]
    lines = dict(tell(again))
    assert (lines["about"], lines["family told"]) == (first["disclosure_id"], "yes")
    assert again["due_at"], "it is confirmed like any correction"
    assert again["identity"] is again["producer"] is again["contact_point"] is None, "it says nothing else"
    assert NAME in line.audits()[-1]["concerns"], "`broker explain --event` finds it"
    assert line.facts().unsafe == ()


def test_who_was_told_that_a_family_may_know_hears_that_it_is_not_safe() -> None:
    line = a_line(says(FORCE, NOTICE, told_family=ToldFamily.NOT_YET))
    line.take(word("NOT_SAFE", about=says(FORCE, NOTICE, told_family=ToldFamily.NOT_YET).header.event_id))

    assert reads(line) == ["NOT_YET", "NOT_SAFE"]
    assert [one.event_type for one in line.facts().unsafe] == [NOTICE]


def test_versions_that_came_in_another_order_are_one_event() -> None:
    second = version(ToldFamily.NOT_YET)
    third = says(FORCE, NOTICE, action=Action.UPDATE, supersedes=second.header.event_id, told_family=ToldFamily.NOT_SAFE)
    line = a_line(third, second)
    assert (line.facts().told, [one.about for one in line.facts().unsafe]) == ({NAME: "NOT_SAFE"}, [NAME])
    line.take(word("YES", about=third.header.event_id))

    assert (line.facts().told, line.facts().unsafe) == ({NAME: "YES"}, ())
    assert reads(line) == ["NOT_SAFE", "YES"]


def test_versions_that_came_to_two_records_of_the_child_are_one_event() -> None:
    second = version(ToldFamily.NOT_YET)
    third = says(FORCE, NOTICE, action=Action.UPDATE, supersedes=second.header.event_id, told_family=ToldFamily.NOT_SAFE)
    school = says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL))
    line = a_line(second).take(extract_row(HOME), school, third, child="c-loser")
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")

    assert line.facts().told == {NAME: "NOT_SAFE"}
    assert [one["kind"] for one in line.disclosures(DSL)] == ["ALERT", "ALERT", "RETRACTION"], "of what is over, and no more"


def test_each_change_reaches_whoever_was_told_also_back_and_forth() -> None:
    line = a_line(NOT_SAFE, word("YES"), word("NOT_SAFE"), word("YES", sequence=7))

    assert reads(line) == ["NOT_SAFE", "YES", "NOT_SAFE", "YES"]
    assert len({one["disclosure_id"] for one in line.disclosures(DSL)}) == 4, "none is taken for another"
    assert {one["replaces"] for one in line.disclosures(DSL)[1:]} == {line.disclosures(DSL)[0]["disclosure_id"]}


def test_the_clock_of_the_alert_itself_runs_on() -> None:
    """I11: by when a school must have met the child does not wait for what its family was told."""
    line = a_line(NOT_SAFE, word("YES"))
    first = line.disclosures(DSL)[0]
    line.ring(first["due_at"])

    assert HUB in {one["recipient"] for one in line.disclosures() if one["kind"] == "ESCALATION"}


@pytest.mark.parametrize(
    ("later", "kind"), [(version(action=Action.RETRACT), "RETRACTION"), (version(ToldFamily.YES), "CORRECTION")]
)
def test_what_was_told_is_taken_back_or_changed_whole_whatever_was_said_of_it_since(later: Event, kind: str) -> None:
    line = a_line(NOT_SAFE, word("NOT_SAFE", HOME), word("YES"), later)
    first, _, last = line.disclosures(DSL)

    assert (last["kind"], last["replaces"]) == (kind, first["disclosure_id"])


def test_a_version_that_says_what_its_first_said_is_told_to_who_heard_otherwise_since() -> None:
    line = a_line(NOT_SAFE, word("YES"), version())

    assert reads(line) == ["NOT_SAFE", "YES", "NOT_SAFE"]


def test_the_same_word_again_tells_nobody() -> None:
    line = a_line(NOT_SAFE, word("NOT_SAFE"))

    assert reads(line) == ["NOT_SAFE"]


def test_a_word_that_is_taken_back_is_taken_back_from_whoever_was_told() -> None:
    line = a_line(NOT_SAFE, word("YES"))
    back = says(FORCE, "control.told_family", action=Action.RETRACT, supersedes=word("YES").header.event_id)
    line.take(back)

    assert reads(line) == ["NOT_SAFE", "YES", "NOT_SAFE"]
    assert [one.about for one in line.facts().unsafe] == [NAME], "and it is looked at again"


def test_who_is_told_later_reads_what_the_family_was_told_since() -> None:
    policy, registers = england()
    line = ALine(policy, registers=registers).take(extract_row(HOME), NOT_SAFE, word("YES"))
    line.take(says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL)))

    assert reads(line) == ["YES"]


def test_what_is_decided_again_is_told_with_what_the_family_was_told_since() -> None:
    facts, rules = a_line(NOT_SAFE, word("YES")).facts(), Rules(*england())
    release = Finding(
        kind="originator_release",
        by_role="originator",
        since=facts.at,
        recipients=frozenset({DSL}),
        event_id=EventId("r"),
        producer=FORCE,
        concerns=NAME,
    )
    answered = answer_ask(facts, NOT_SAFE, RecipientId(DSL), (), rules)
    released = tell_released(facts, replace(facts, findings=(release,)), NOT_SAFE, rules)

    assert released is not None
    assert [one.view["told_family"] for turn in (answered, released) for one in turn.notices] == ["YES", "YES"]


PLAIN = says(FORCE, NOTICE)
PLAINLY = PLAIN.header.event_id


def of_plain(told: ToldFamily = ToldFamily.NOT_SAID, of: str = PLAINLY, **header: Any) -> Event:
    return says(FORCE, NOTICE, action=Action.UPDATE, supersedes=EventId(of), told_family=told, occurred_at="2026-09-21", **header)


@pytest.mark.parametrize("by", [HOME, FORCE, SCHOOL])
def test_a_version_that_says_nothing_of_it_leaves_what_was_said_apart(by: str) -> None:
    """Who corrects a date takes no word back that it is not safe, least of all another agency's (R5)."""
    line = a_line(PLAIN, word("NOT_SAFE", by, PLAINLY))
    until = review_at(line)
    line.take(of_plain())

    assert line.facts().told == {PLAINLY: "NOT_SAFE"}
    assert review_at(line) == until, "nor does it put off when that is looked at"
    assert reads(line) == [None, "NOT_SAFE", "NOT_SAFE"], "the clean copy says so, too"
    line.take(word("YES", FORCE, PLAINLY))
    assert line.facts().told == {PLAINLY: "YES"}


def test_a_version_that_says_something_of_it_counts_in_place_of_a_word() -> None:
    assert reads(a_line(PLAIN, word("NOT_SAFE", HOME, PLAINLY), of_plain(ToldFamily.YES)))[-1] == "YES"


def test_so_it_is_where_its_versions_came_in_another_order_or_to_two_records() -> None:
    second = of_plain()
    third = of_plain(of=second.header.event_id, sequence=3)
    line = a_line(PLAIN, word("NOT_SAFE", HOME, PLAINLY), third, second)
    assert line.facts().told == {PLAINLY: "NOT_SAFE"}

    other = a_line(second).take(extract_row(HOME), PLAIN, word("NOT_SAFE", HOME, PLAINLY), child="c-loser")
    other.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")
    assert other.facts().told == {PLAINLY: "NOT_SAFE"}


def test_what_was_said_of_an_event_that_is_over_is_over_with_it() -> None:
    said = (PLAIN, word("NOT_SAFE", HOME, PLAINLY))
    back = says(FORCE, NOTICE, action=Action.RETRACT, supersedes=PLAINLY)

    assert (a_line(*said, back).facts().told, a_line(*said, back).facts().unsafe) == ({}, ())


def test_a_word_that_came_before_its_event_counts_for_it_from_its_own_agency_alone() -> None:
    assert reads(a_line(word("YES"), NOT_SAFE)) == ["YES"]
    assert reads(a_line(word("YES", HOME), NOT_SAFE)) == ["NOT_SAFE"]


@pytest.mark.parametrize(("by", "counts"), [(AWAY, False), (FAR_SCHOOL, False), (SCHOOL, True), (HOME, True)])
def test_of_an_event_that_says_nothing_of_it_no_stranger_said_anything_before(by: str, *, counts: bool) -> None:
    """Ids can be guessed (I10). A school that reads that the family was told speaks with it."""
    line = a_line(word("YES", by, PLAINLY), PLAIN)

    assert reads(line) == ["YES" if counts else None]
    assert bool(line.facts().told) is counts


def test_whoever_is_excluded_by_now_hears_no_more_of_it() -> None:
    line = a_line(NOT_SAFE, says(HOME, "control.exclusion", excluded=(RecipientId(DSL),)), word("YES"))

    assert reads(line) == ["NOT_SAFE"]


def test_a_word_about_a_later_version_is_about_the_event() -> None:
    later = version()
    line = a_line(NOT_SAFE, later, word("YES", about=later.header.event_id))

    assert reads(line)[-1] == "YES"
    assert line.facts().unsafe == ()


@pytest.mark.parametrize(
    ("who", "state", "waits"),
    [
        (HOME, "YES", False),
        (SCHOOL, "YES", True),
        (SCHOOL, "NOT_SAFE", False),
        (FAR_SCHOOL, "NOT_SAFE", True),
        (AWAY, "YES", True),
    ],
)
def test_nobody_but_its_publisher_or_the_childs_council_ends_that_it_is_not_safe(who: str, state: str, waits: bool) -> None:
    line = a_line(NOT_SAFE, word(state, who))

    assert [one for one in asked(line) if one == ("HOLD", HUB)] == ([("HOLD", HUB)] if waits else [])
    assert reads(line)[-1] == ("NOT_SAFE" if waits else state)
    assert {HUB, DUTY} <= {one["recipient"] for one in line.take(says(FORCE, POLICE_PROTECTION)).disclosures()}, "nothing waits"


def test_it_keeps_nothing_back_and_opens_nothing() -> None:
    """I6: what a family was told is no basis and no agreement."""
    said = {told: a_line(says(FORCE, NOTICE, told_family=told)) for told in (ToldFamily.NOT_SAFE, ToldFamily.YES)}
    views = [[(one["recipient"], one["identity"], one["concern"]) for one in line.disclosures()] for line in said.values()]

    assert views[0] == views[1]


@pytest.mark.parametrize("there", ["c-loser", CHILD])
def test_what_one_record_knows_of_the_family_reaches_who_was_told_under_the_other(there: str) -> None:
    line = a_line().take(extract_row(HOME), says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL)), child="c-loser")
    line.take(NOT_SAFE, child="c-loser" if there == CHILD else CHILD).take(word("YES"), child=there)
    assert reads(line) == ["NOT_SAFE"]
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")

    assert reads(line) == ["NOT_SAFE", "YES"]
    assert line.facts().unsafe == ()
