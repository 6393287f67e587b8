"""Taking an event back, in any version, undoes all that it set and nothing that another agency said (I7 corrections-follow)."""

import pytest

from broker.core.line.apply import apply_event, claimed
from broker.core.line.merging import merge
from broker.core.line.taking import take_event
from broker.core.model.event import Action, Sector, ToldFamily
from broker.core.model.facts import Facts
from broker.core.model.identifiers import ChildRef, EventId, Millis
from broker.core.model.rules import Rules
from tests.core.values import AT, OTHER_SCHOOL, SCHOOL, an_event, area, england

HOME = "E10000001"


def after(*events, facts=None, at=AT):
    facts = facts or Facts(child_ref=ChildRef("child"))
    for number, event in enumerate(events):
        facts = apply_event(facts, event, Millis(at + number), england())
    return facts


def control(event_type, name, producer=HOME, **said):
    return an_event(event_type, event_id=EventId(name), producer=producer, control=said)


def plan(name, of=None, producer=HOME, event_type="council.cp_plan.started"):
    version = {"action": Action.UPDATE, "supersedes": EventId(of)} if of else {}
    return an_event(event_type, event_id=EventId(name), producer=producer, **version)


def back(of, producer=HOME, event_type="council.cp_plan.started"):
    return an_event(event_type, event_id=EventId("back"), producer=producer, action=Action.RETRACT, supersedes=EventId(of))


def registered(name, born, home):
    """A council says of itself that the child is its own."""
    tie = {"role": "home_area", "organisation": f"la:{home}"}
    body = {"identity": {"birth_date": born}}
    by = {"producer": home, "sector": Sector.COUNCILS}
    return an_event("council.person.registered", event_id=EventId(name), body=body, control=tie, **by)


def test_a_wish_that_is_taken_back_gives_way_to_the_one_before_it():
    wanted = control("control.wish", "w1", kind="advocate", state="wanted")
    refused = control("control.wish", "w2", kind="advocate", state="refused")

    assert after(wanted, refused, back("w2", event_type="control.wish")).wishes == {"advocate": "wanted"}
    assert after(wanted, refused, back("w1", event_type="control.wish")).wishes == {"advocate": "refused"}
    assert after(wanted, back("w1", event_type="control.wish")).wishes == {}


def test_a_birth_date_and_a_home_that_are_taken_back_give_way_to_what_still_stands():
    first, second = registered("r1", "2015-05-05", "E10000002"), registered("r2", "2016-06-06", "E10000003")
    taken_back = after(first, second, back("r2", "E10000003", "council.person.registered"))
    nothing_left = after(first, back("r1", "E10000002", "council.person.registered"))

    assert (taken_back.birth_date, taken_back.home_area) == ("2015-05-05", "E10000002")
    assert (nothing_left.birth_date, nothing_left.home_area) == (None, None)


def test_of_two_who_say_the_same_birth_date_one_may_take_it_back():
    facts = after(registered("r1", "2015-05-05", HOME), registered("r2", "2015-05-05", HOME), back("r1", HOME))

    assert (facts.birth_date, facts.home_area) == ("2015-05-05", HOME)


def test_what_the_family_was_told_of_another_event_is_undone_with_the_word_that_said_so():
    notice = an_event(event_id=EventId("e1"), told_family=ToldFamily.NOT_YET)
    told = control("control.told_family", "k1", state="YES", concerns_event="e1")

    assert after(notice, told).told == {"e1": "YES"}
    assert after(notice, told, back("k1", event_type="control.told_family")).told == {"e1": "NOT_YET"}
    assert after(told, back("k1", event_type="control.told_family")).told == {}


@pytest.mark.parametrize("of", ["c1", "c2", "c3"])
def test_taking_back_any_version_undoes_what_every_version_set(of):
    chain = after(plan("c1"), plan("c2", of="c1"), plan("c3", of="c2"))
    assert [one.event_id for one in chain.statuses] == ["c3"]

    assert after(back(of), facts=chain).statuses == ()


def test_a_later_version_that_names_the_first_replaces_the_one_between():
    assert [one.event_id for one in after(plan("c1"), plan("c2", of="c1"), plan("c3", of="c1")).statuses] == ["c3"]


def test_taking_back_an_event_touches_nothing_that_another_agency_hung_on_its_id():
    """I10: it named the id before the event came; that binds nobody but itself."""
    stranger = plan("other", of="c1", producer="E10000002")
    facts = after(plan("c1"), facts=claimed(after(stranger), EventId("c1"), HOME))

    assert [one.event_id for one in after(back("c1"), facts=facts).statuses] == ["other"]


def test_what_is_said_again_and_again_is_kept_a_few_times_only():
    facts = after(*(registered(f"r{number}", "2015-05-05", HOME) for number in range(20)))

    assert len(facts.statements) == 12


def test_a_merged_record_can_still_be_taken_back():
    loser = after(registered("r1", "2015-05-05", "E10000002"))
    winner = after(an_event("school.pupil.registered", event_id=EventId("s"), producer=OTHER_SCHOOL))
    merged = merge(winner, loser, Millis(AT + 9), Rules(england(), area())).facts

    assert merged.birth_date == "2015-05-05"
    assert after(back("r1", SCHOOL), facts=merged).birth_date is None


@pytest.mark.parametrize("over", [plan("c2", of="c1", event_type="council.cp_plan.reviewed"), back("c1")])
def test_a_merge_undoes_what_the_other_record_knows_to_be_changed_or_taken_back(over):
    one, other = after(plan("c1")), take(over)
    for winner, loser in ((one, other), (other, one)):
        assert merge(winner, loser, Millis(AT + 9), Rules(england(), area())).facts.statuses == ()


def take(event):
    """Take one event into an empty line."""
    return take_event(Facts(child_ref=ChildRef("child"), home_area=HOME), event, Rules(england(), area()), AT).facts
