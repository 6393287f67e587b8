"""How old a child is decides what a statute says of it: no placeholder, part or stranger's date changes that unseen (I3, R13)."""

import pytest

from broker.core.model.event import Event
from tests.stream.england import (
    DSL,
    FORCE,
    HOME,
    HUB,
    NOTICE,
    OTHER_SCHOOL,
    SCHOOL,
    TRUST,
    a_child,
    england,
    extract_row,
    questions,
    says,
    tie,
    told,
)
from tests.stream.lines import CHILD, ALine


def born(event: Event, day: str) -> Event:
    event.body["identity"]["birth_date"] = day
    return event


@pytest.mark.parametrize("day", ["1900-01-01", "1901-01-01", "1970-01-01", "2017", "2011", "1970", "2017-01", "2011-13", "x"])
@pytest.mark.parametrize("who", [OTHER_SCHOOL, HOME, TRUST])
def test_no_part_of_a_birth_date_and_no_placeholder_stands_over_a_whole_one(who: str, day: str) -> None:
    """A placeholder made a child of nine too old for a statute, in silence; a year alone opened a teenager's confidence."""
    types = {HOME: "council.person.registered", TRUST: "health.patient.registered"}
    line = a_child(born(says(who, types.get(who, "school.pupil.registered"), sequence=5), day), says(FORCE, NOTICE))

    assert line.facts().birth_date == "2017-01-15"
    assert DSL in told(line, NOTICE)


def test_a_placeholder_is_no_birth_date_where_none_is_known_either() -> None:
    policy, registers = england()
    line = ALine(policy, registers=registers).take(born(extract_row(HOME), "1900-01-01"))

    assert line.facts().birth_date is None
    assert line.take(born(ROLL_OF_SOMEBODY, "2017")).facts().birth_date == "2017"
    assert line.take(born(extract_row(HOME, sequence=9), "2017-01-15")).facts().birth_date == "2017-01-15"


ROLL_OF_SOMEBODY = says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL), sequence=8)


def test_a_birth_date_that_a_stranger_gives_a_child_is_a_question_and_its_own_peoples_is_put_right() -> None:
    stranger = a_child(born(says(OTHER_SCHOOL, "school.pupil.registered", tie("school", OTHER_SCHOOL)), "1999-01-15"))
    stranger.take(says(FORCE, NOTICE))
    own = a_child(born(says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL), sequence=2), "2017-01-16"))

    assert stranger.facts().birth_date == "2017-01-15"
    assert questions(stranger)[0] == ("HOLD", HUB)
    assert DSL in told(stranger, NOTICE), "nothing waits for the answer"
    assert own.facts().birth_date == "2017-01-16"
    assert questions(own) == []


@pytest.mark.parametrize("here", ["2017", "2017-01-15"])
def test_of_two_records_joined_the_whole_birth_date_stands(here: str) -> None:
    there = {"2017": "2017-01-15", "2017-01-15": "2017"}[here]
    policy, registers = england()
    line = ALine(policy, registers=registers).take(born(extract_row(HOME, sequence=3), there), child="c-loser")
    line.take(born(extract_row(HOME, sequence=4), here))
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")

    assert line.facts().birth_date == "2017-01-15"
