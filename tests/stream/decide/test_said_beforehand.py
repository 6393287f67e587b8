"""What is said beforehand counts from its day: until then whoever has to do with the child goes on hearing of it."""

from dataclasses import replace

from broker import codec
from broker.core.model.event import Action, Event
from tests.stream.england import (
    DSL,
    FORCE,
    HOME,
    NOTICE,
    PRACTICE,
    SCHOOL,
    TRUST,
    a_child,
    says,
    tie,
    told,
)
from tests.stream.lines import CHILD, NOW, ALine

DAY = 24 * 3600 * 1000
LEAVES = says(SCHOOL, "school.pupil.left", {**tie("school", SCHOOL, "ended"), "until": "2026-12-18"}, occurred_at="2026-12-18")
ROLL = says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL))


def later(line: ALine, days: int, event: Event) -> ALine:
    """Let an event come so many days later: the line begins on 21 September 2026."""
    message = {"kind": "EVENT", "child_ref": CHILD, "event": codec.encode_event(event)}
    line.feed_record(line.record(codec.encode("subject_record", message), CHILD.encode(), timestamp=NOW + days * DAY))
    return line


def test_a_school_that_a_child_leaves_at_christmas_hears_of_it_until_then() -> None:
    line = a_child(LEAVES, says(FORCE, NOTICE))
    last_day = later(a_child(LEAVES), 88, says(FORCE, NOTICE, sequence=2))
    gone = later(a_child(LEAVES), 89, says(FORCE, NOTICE, sequence=3))

    assert DSL in told(line, NOTICE) & told(last_day, NOTICE)
    assert DSL not in told(gone, NOTICE)


def test_a_leaver_of_yesterday_is_let_go_at_once() -> None:
    left = says(SCHOOL, "school.pupil.left", {**tie("school", SCHOOL, "ended"), "until": "2026-09-18"})

    assert DSL not in told(a_child(left, says(FORCE, NOTICE)), NOTICE)


def test_a_child_that_stays_after_all_stays_on_the_roll() -> None:
    back = says(SCHOOL, "control.retraction", action=Action.RETRACT, supersedes=LEAVES.header.event_id)
    line = later(a_child(LEAVES, back), 89, says(FORCE, NOTICE))

    assert DSL in told(line, NOTICE)


def test_the_practice_of_today_hears_until_the_next_ones_day() -> None:
    today = says(TRUST, "health.gp.registered", tie("gp", PRACTICE))
    next_one = says(TRUST, "health.gp.registered", {**tie("gp", "ods:A00002"), "since": "2026-12-18"})
    line = a_child(today, next_one, says(HOME, "council.s47.started"))
    then = later(a_child(today, next_one), 89, says(HOME, "council.s47.started"))

    assert "gp.practice" in told(line, "council.s47.started")
    assert told(then, "council.s47.started") & {"gp.practice", "gp.other_practice"} == {"gp.other_practice"}


def test_a_later_entry_date_takes_no_pupil_off_the_roll_today() -> None:
    changed = says(SCHOOL, "school.pupil.registered", {**tie("school", SCHOOL), "since": "2027-01-05"})
    header = replace(changed.header, action=Action.UPDATE, supersedes=ROLL.header.event_id)
    line = a_child(Event(header, changed.body, changed.control), says(FORCE, NOTICE))

    assert DSL in told(line, NOTICE)
