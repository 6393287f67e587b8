"""While it is in question whether somebody is excluded (R11), others are asked, and no false word silences anybody (I10)."""

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from broker.core.model.dates import instant_of
from broker.core.model.event import Action, Control, Event
from broker.core.model.facts import Exclusion
from broker.core.model.identifiers import AgencyId, KeyId, Millis, RecipientId, RoleName
from broker.core.model.policy import Condition, Question
from broker.core.model.registers import Registers
from broker.errors import NotPermittedError
from tests.stream.england import (
    AWAY,
    DSL,
    DUTY,
    FORCE,
    HOME,
    HUB,
    JUDGE,
    NOTICE,
    POLICE_PROTECTION,
    SCHOOL,
    TEAM,
    england,
    says,
    tie,
    told,
)
from tests.stream.lines import CHILD, ALine, a_policy, a_rule, its_key

ALTERNATE, OF_AWAY, POLICE_DESK, HEALTH_DESK = "hub-alternate.home", "hub.away", "police_desk.home", "health_desk.home"
AT_THE_HUB = (HUB, ALTERNATE, DUTY)
LOSER = "c-loser"


@cache
def registers() -> Registers:
    """Everybody who may be asked has a key."""
    found = england()[1]
    keys = map(its_key, (*AT_THE_HUB, JUDGE, POLICE_DESK, HEALTH_DESK, OF_AWAY, DSL, TEAM, FORCE, AWAY, HOME))
    return replace(found, keys={KeyId(key.id): key for key in keys})


def without(*desks: str) -> Registers:
    """The same registers without some desks."""
    found = registers()
    return replace(found, recipients={name: one for name, one in found.recipients.items() if name not in desks})


def excludes(by: str, *desks: str, **more: Any) -> Event:
    return says(by, "control.exclusion", excluded=tuple(map(RecipientId, desks)), **more)


UNSURE = (
    Condition(Question.EVENT, values=frozenset({NOTICE})),
    Condition(Question.ATTRIBUTE, name="met", values=frozenset({"yes"})),
)


def a_pupil(*events: Event, rules: Registers | None = None) -> ALine:
    """A pupil of whom each notice makes a gap, for there is no practice, and a question."""
    policy = a_policy(
        a_rule("doctor", "gp"),
        a_rule("answerable", "hub"),
        a_rule("unsure", "dsl", when=UNSURE, ask=RoleName("hub")),
    )
    roll = says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL))
    return ALine(policy, registers=rules or registers()).take(roll, *events)


def a_child(*events: Event) -> ALine:
    """A child on roll whose own council holds it, under the shipped rules."""
    home = says(HOME, "council.person.registered", tie("home_area", f"la:{HOME}"))
    roll = says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL))
    return ALine(england()[0], registers=registers()).take(home, roll, *events)


def asked(line: ALine, since: int = 0) -> list[tuple[str, str]]:
    return sorted((one["kind"], one["for_recipient"]) for one in line.reviews()[since:] if one["state"] == "OPEN")


def of_exclusion(line: ALine) -> dict[str, Any]:
    return next(one for one in line.reviews() if one["event_type"] == "control.exclusion")


def test_while_it_is_in_question_whether_the_hub_is_excluded_its_alternate_is_asked_in_its_stead() -> None:
    line = a_pupil(excludes(AWAY, HUB), says(FORCE, NOTICE))

    assert asked(line) == [("ASK", ALTERNATE), ("GAP", ALTERNATE), ("HOLD", ALTERNATE)]
    assert [one["recipient"] for one in line.disclosures() if one["kind"] == "GAP"] == [ALTERNATE]
    assert told(line, NOTICE) == {HUB, ALTERNATE}, "an alert is no question: no false word keeps it from the hub"


def test_where_the_alternate_is_in_question_too_the_duty_team_is_asked() -> None:
    assert asked(a_pupil(excludes(AWAY, HUB, ALTERNATE), says(FORCE, NOTICE))) == [("ASK", DUTY), ("GAP", DUTY), ("HOLD", DUTY)]


def test_what_was_asked_before_stays_with_the_hub_and_it_answers_it() -> None:
    line = a_pupil(says(FORCE, NOTICE))
    before = line.reviews()
    line.take(excludes(AWAY, HUB))

    assert asked(line) == [("ASK", HUB), ("GAP", HUB), ("HOLD", ALTERNATE)]
    line.resolve(next(one for one in before if one["kind"] == "ASK"), "REJECT")
    assert line.reviews()[-1]["state"] == "RESOLVED"


def test_the_hub_answers_nothing_that_another_is_asked_in_its_stead() -> None:
    line = a_pupil(excludes(AWAY, HUB), says(FORCE, NOTICE))

    for question in line.reviews():
        with pytest.raises(NotPermittedError, match="was not asked"):
            line.resolve(question, "REJECT", by=HUB)


@pytest.mark.parametrize(("answer", "then"), [("REJECT", HUB), ("LINK", ALTERNATE)])
def test_once_a_person_has_answered_the_hub_is_asked_again_or_hears_no_more(answer: str, then: str) -> None:
    line = a_pupil(excludes(AWAY, HUB))
    line.resolve(of_exclusion(line), answer)
    since = len(line.reviews())
    line.take(says(FORCE, NOTICE))

    assert asked(line, since) == [("ASK", then), ("GAP", then)]
    assert line.facts().doubted == ()


def test_an_exclusion_in_question_that_is_taken_back_is_in_question_no_more() -> None:
    word = excludes(AWAY, HUB)
    line = a_pupil(word, says(AWAY, "control.exclusion", action=Action.RETRACT, supersedes=word.header.event_id))
    since = len(line.reviews())
    line.take(says(FORCE, NOTICE))

    assert asked(line, since) == [("ASK", HUB), ("GAP", HUB)]


def test_a_merge_brings_what_is_in_question_along_and_a_restart_keeps_it() -> None:
    line = a_pupil().take(says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL)), child=LOSER)
    line.take(excludes(AWAY, HUB), child=LOSER)
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=LOSER.encode())
    since = len(line.reviews())
    line.restart().take(says(FORCE, NOTICE))

    assert asked(line, since) == [("ASK", ALTERNATE), ("GAP", ALTERNATE)]
    (kept,) = line.facts().doubted
    assert isinstance(kept, Exclusion)
    assert (kept.recipient, kept.by) == (HUB, AWAY)
    assert line.facts(LOSER).doubted == ()


def test_a_desk_that_decides_a_question_of_its_own_is_passed_over_for_the_hub() -> None:
    policy = a_policy(a_rule("unsure", "gp", when=UNSURE, ask=RoleName("dsl")), a_rule("school", "dsl"))
    practice = says("ods:A00001", "health.gp.registered", tie("gp", "ods:A00001"))
    roll = says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL))
    line = ALine(policy, registers=registers()).take(roll, practice, excludes(AWAY, DSL), says(FORCE, NOTICE))

    assert asked(line) == [("ASK", HUB), ("HOLD", HUB)]


@pytest.mark.parametrize(("doubted", "who"), [((TEAM,), HUB), ((TEAM, *AT_THE_HUB), HOME)])
def test_a_finding_is_reviewed_by_nobody_whose_exclusion_is_in_question(doubted: tuple[str, ...], who: str) -> None:
    control = Control(
        kind="detriment", state="made", by_role="social_worker", reason="known", until="2026-10-01", recipients=["dsl"]
    )
    line = a_child(says(HOME, "control.finding", control), excludes(AWAY, *doubted))
    line.ring(instant_of("2026-10-01") or 0)

    assert ("ASK", who) in asked(line)


def test_an_agency_comes_to_be_asked_about_no_child_by_its_own_word() -> None:
    """Councils stand in for one another: by excluding the hub, the other one would hear of a child that is not its own."""
    found = registers()
    hub = replace(found.recipients[RecipientId(HUB)], alternate=RecipientId(OF_AWAY))
    shared = replace(found, recipients={**found.recipients, hub.id: hub})
    line = a_pupil(excludes(AWAY, HUB), says(FORCE, NOTICE), rules=shared)
    own = a_pupil(excludes(SCHOOL, HUB), says(FORCE, NOTICE), rules=shared)

    assert asked(line) == [("ASK", DUTY), ("GAP", DUTY), ("HOLD", DUTY)]
    with pytest.raises(NotPermittedError, match="was not asked"):
        line.resolve(of_exclusion(line), by=OF_AWAY)
    assert ("GAP", OF_AWAY) in asked(own), "who knows the child excludes by its word alone, and the registers say who stands in"


def test_nobody_silences_a_hub_by_excluding_all_of_it_and_somebody_apart_from_it_says_whether_that_is_so() -> None:
    line = a_pupil(excludes(AWAY, *AT_THE_HUB), says(FORCE, NOTICE))

    assert asked(line) == [("ASK", HUB), ("GAP", HUB), ("HOLD", JUDGE)]
    for by in (*AT_THE_HUB, AWAY):
        with pytest.raises(NotPermittedError):
            line.resolve(of_exclusion(line), by=by)

    line.resolve(of_exclusion(line), "REJECT")
    assert (line.facts().doubted, line.facts().exclusions) == ((), ())


def test_a_hub_that_is_in_question_as_a_whole_is_asked_about_all_but_who_is_excluded() -> None:
    line = a_pupil(excludes(AWAY, *AT_THE_HUB), says(SCHOOL, "control.consent", {"state": "perhaps"}))
    by_two = a_pupil(excludes(AWAY, DUTY), excludes("urn:100002", HUB, ALTERNATE))

    assert asked(line) == [("HOLD", HUB), ("HOLD", JUDGE)]
    assert asked(by_two) == [("HOLD", HUB), ("HOLD", JUDGE)], "each of them in question, if not by the same word"


@pytest.mark.parametrize("by", [SCHOOL, FORCE, HOME], ids=["school", "force", "the child's council"])
def test_somebody_apart_answers_where_an_agency_that_knows_the_child_excludes_all_of_the_hub(by: str) -> None:
    """Its publisher could only reject it: nobody decides that its own word goes on."""
    line = a_child(excludes(by, *AT_THE_HUB))
    assert asked(line) == [("HOLD", JUDGE)]

    line.resolve(of_exclusion(line))
    assert {one.recipient for one in line.facts().exclusions} == set(AT_THE_HUB)


@pytest.mark.parametrize(
    ("missing", "who"),
    [((), JUDGE), ((JUDGE,), POLICE_DESK), ((JUDGE, POLICE_DESK), HEALTH_DESK), ((JUDGE, POLICE_DESK, HEALTH_DESK), FORCE)],
)
def test_who_judges_a_conflict_of_the_whole_hub(missing: tuple[str, ...], who: str) -> None:
    assert asked(a_pupil(excludes(FORCE, *AT_THE_HUB), rules=without(*missing))) == [("HOLD", who)]


def test_no_desk_of_the_publisher_judges_its_own_word_and_no_excluded_one_does() -> None:
    found = registers()
    desk = replace(found.recipients[RecipientId(POLICE_DESK)], agency=AgencyId(FORCE))
    of_force = replace(found, recipients={**found.recipients, desk.id: desk})
    line = a_pupil(excludes(FORCE, *AT_THE_HUB, JUDGE), rules=of_force)

    assert asked(line) == [("HOLD", HEALTH_DESK)]


def test_whatever_else_waits_where_all_of_the_hub_is_excluded_has_somebody_who_may_let_it_go_on() -> None:
    line = a_pupil(excludes(FORCE, *AT_THE_HUB))
    line.resolve(of_exclusion(line))
    since = len(line.reviews())
    line.take(says(FORCE, "control.protection"))

    assert asked(line, since) == [("HOLD", JUDGE)]
    line.resolve(line.reviews()[since])
    assert line.reviews()[-1]["state"] == "RESOLVED"


def test_what_was_asked_of_the_hub_has_somebody_who_may_let_it_go_on_once_all_of_it_is_excluded() -> None:
    line = a_pupil(says(FORCE, "control.protection"), excludes(FORCE, *AT_THE_HUB))
    line.resolve(of_exclusion(line))

    assert asked(line)[-1] == ("HOLD", JUDGE)


def test_a_clock_that_nobody_stops_tells_the_hub_whatever_is_in_question() -> None:
    """I11: who stands in may not be there; that a question is late is said without what it is."""
    line = a_child(excludes(AWAY, HUB), says(FORCE, POLICE_PROTECTION), says(AWAY, "council.s47.started"))
    due = max(one["due_at"] or 0 for one in line.reviews())
    line.ring(Millis(due))

    assert {"ALERT", "ESCALATION"} <= {one["kind"] for one in line.disclosures(HUB)}
