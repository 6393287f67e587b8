"""What one agency cannot end for another (I10), on the shipped rules: a plan, care, a case, an agreement."""

import pytest

from tests.stream.england import (
    AWAY,
    CONCERN,
    DSL,
    HOME,
    HUB,
    OTHER_SCHOOL,
    SCHOOL,
    TEAM,
    a_child,
    a_pupil,
    says,
    tie,
    told,
)  # fmt: skip
from tests.stream.lines import ALine


def holds(line: ALine) -> list[str]:
    """Who is, or was, asked whether an event may go on."""
    return [one["for_recipient"] for one in line.reviews() if one["kind"] == "HOLD" and one["for_recipient"]]


PLAN, CARE = says(HOME, "council.cp_plan.started"), says(HOME, "council.care.started")
OF_A_PLAN = ("council.cp_plan.ended", "council.cp_plan.reviewed", "council.cp_plan.category_changed")
OF_CARE = ("council.care.ended", "council.care.reviewed", "council.placement.changed")
STAND_DOWN = (*OF_A_PLAN, *OF_CARE, "council.icpc.held", "council.child.died", "council.case.closed")


@pytest.mark.parametrize("event_type", STAND_DOWN)
def test_no_other_council_tells_anybody_that_what_protects_a_child_is_over_or_changed(event_type: str) -> None:
    """A school and CP-IS would stand down on it while the plan goes on: the child's own hub looks first."""
    case, enquiry = says(HOME, "council.case.opened", tie("social_care", f"la:{HOME}")), says(HOME, "council.s47.started")
    line = a_child(case, enquiry, PLAN, CARE)
    before = len(line.disclosures())
    line.take(says(AWAY, event_type))

    assert line.disclosures()[before:] == []
    assert holds(line) == [HUB]
    line.take(says(HOME, event_type))
    assert told(line, event_type), "its own council's word is not held back by another's"
    assert holds(line) == [HUB]


@pytest.mark.parametrize("event_type", STAND_DOWN)
def test_of_a_child_whose_plan_or_care_the_broker_never_heard_of_only_its_own_council_speaks(event_type: str) -> None:
    own, others = a_child(says(HOME, event_type)), a_child(says(AWAY, event_type))
    without_home = a_pupil(says(AWAY, event_type))

    assert holds(own) == []
    for line in (others, without_home):
        assert (told(line, event_type), len(holds(line))) == (set(), 1)


def test_a_council_ends_what_it_holds_itself_and_nobody_is_asked() -> None:
    """Its own hub said that another council may work with the child; what that one began it ends."""
    started, ended = says(AWAY, "council.cp_plan.started"), says(AWAY, "council.cp_plan.ended")
    line = a_child(started)
    [asked] = [one for one in line.reviews() if one["kind"] == "HOLD"]
    line.resolve(asked)
    line.take(says(HOME, "council.cp_plan.ended"))
    assert (told(line, "council.cp_plan.ended"), holds(line)[1:]) == (set(), [HUB]), "the other's plan goes on"

    line.take(ended)
    assert DSL in told(line, "council.cp_plan.ended")
    assert len(holds(line)) == 2


def test_a_first_census_of_another_council_is_old_news_and_no_question() -> None:
    line = a_child(PLAN, says(AWAY, "council.cp_plan.ended", attributes={"history": "yes"}))

    assert holds(line) == []
    assert told(line, "council.cp_plan.ended") == set()
    assert [one.organisation for one in line.facts().statuses if one.until is None] == [f"la:{HOME}"]


def test_what_another_council_says_of_a_plan_goes_once_the_hub_has_said_that_it_is_so() -> None:
    line = a_child(PLAN, says(HOME, "council.case.opened"), says(AWAY, "council.cp_plan.ended"))
    [asked] = [one for one in line.reviews() if one["kind"] == "HOLD"]
    line.resolve(asked)

    assert {DSL, TEAM} & told(line, "council.cp_plan.ended")


KINDS = ("control.service_agreement", "control.consent")
LOW = {"level": "low"}


@pytest.mark.parametrize("no", ["withdrawn", "refused"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("by", [AWAY, OTHER_SCHOOL])
def test_by_a_strangers_no_nothing_stops_that_a_family_agreed_to_elsewhere(by: str, kind: str, no: str) -> None:
    """R4, R13: help would stop without a word. The hub is asked, and no alert waits for the answer."""
    line = a_child(says(HOME, kind, {"state": "given"}), says(by, kind, {"state": no}))

    assert [one.state for one in line.facts().agreements] == ["given"]
    assert holds(line) == [HUB]
    line.take(says(SCHOOL, CONCERN))
    assert HUB in told(line, CONCERN)

    line.resolve(next(one for one in line.reviews() if one["kind"] == "HOLD"))
    assert [one.state for one in line.facts().agreements] == ["given", no], "the hub says that it is so"


def test_a_low_need_goes_on_to_the_help_that_the_family_agreed_to_while_a_strangers_no_is_in_question() -> None:
    yes, low = says(HOME, "control.service_agreement", {"state": "given"}), says(SCHOOL, CONCERN, attributes=LOW)
    agreed, stranger = a_child(yes, low), a_child(yes, says(AWAY, "control.service_agreement", {"state": "withdrawn"}), low)

    assert told(stranger, CONCERN) == told(agreed, CONCERN)


@pytest.mark.parametrize("kind", KINDS)
def test_a_no_counts_at_once_from_who_has_to_do_with_the_child_and_against_its_publishers_own_word(kind: str) -> None:
    """A withdrawal counts from its place in the order."""
    yes = says(HOME, kind, {"state": "given"})
    tied = a_child(yes, says(SCHOOL, kind, {"state": "withdrawn"}))
    own = a_child(says(AWAY, kind, {"state": "given"}))
    own.resolve(own.reviews()[0]).take(says(AWAY, kind, {"state": "withdrawn"}))
    ended = a_child(yes, says(HOME, kind, {"state": "withdrawn"}), says(AWAY, kind, {"state": "refused"}))
    both = a_child(yes, says(AWAY, kind, {"state": "given"}), says(AWAY, kind, {"state": "withdrawn"}))

    assert [holds(one) for one in (tied, ended)] == [[], []]
    assert {one["state"] for one in own.reviews()} == {"OPEN", "RESOLVED"}, "its yes was asked about, its no is not"
    assert [one.facts().agreements[-1].state for one in (tied, own, ended)] == ["withdrawn", "withdrawn", "refused"]
    assert holds(both) == [HUB, HUB], "to have said yes first lets nobody end what another heard"


def test_a_yes_that_is_ended_for_one_role_only_stands_against_a_strangers_no() -> None:
    yes, less = says(HOME, KINDS[1], {"state": "given"}), says(HOME, KINDS[1], {"state": "withdrawn", "recipients": ["gp"]})

    assert holds(a_child(yes, less, says(AWAY, KINDS[1], {"state": "withdrawn"}))) == [HUB]
