"""A child in the registers of two councils: an old row that is read first must not own it unseen (R26)."""

import pytest

from broker.core.model.event import Event
from broker.stream.decide.replay import differences, replay
from tests.stream.england import (
    AT_AWAY,
    AWAY,
    CONCERN,
    FORCE,
    HOME,
    HUB,
    POLICE_PROTECTION,
    SAFE,
    SCHOOL,
    england,
    extract_row,
    says,
    tie,
    told,
)
from tests.stream.lines import SECRETS, ALine

PUPIL = says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL))


def a_line(*events: Event) -> ALine:
    policy, registers = england()
    return ALine(policy, registers=registers).take(*events)


@pytest.mark.parametrize("alert", [says(SCHOOL, CONCERN), says(FORCE, POLICE_PROTECTION)], ids=["concern", "police protection"])
def test_the_hub_of_where_everybody_is_who_has_to_do_with_the_child_hears_besides_the_first_registers(alert: Event) -> None:
    line = a_line(extract_row(AWAY), extract_row(HOME), PUPIL, alert)

    assert {HUB, AT_AWAY[0]} <= told(line, alert.header.event_type)


def test_it_hears_nothing_where_its_council_has_no_such_child_or_somebody_at_the_childs_home_has() -> None:
    unknown = a_line(extract_row(AWAY), PUPIL, says(SCHOOL, CONCERN))
    at_home = a_line(extract_row(AWAY), extract_row(HOME), PUPIL, says(AWAY, "council.case.opened"), says(SCHOOL, CONCERN))

    assert HUB not in told(unknown, CONCERN)
    assert HUB not in told(at_home, CONCERN)


def test_of_a_protected_child_no_second_hub_hears() -> None:
    line = a_line(extract_row(AWAY), extract_row(HOME), PUPIL, SAFE, says(SCHOOL, CONCERN))

    assert not {HUB, AT_AWAY[0]} <= told(line, CONCERN)


def test_a_decision_that_reached_two_hubs_comes_out_the_same_when_it_is_repeated() -> None:
    line = a_line(extract_row(AWAY), extract_row(HOME), PUPIL, says(SCHOOL, CONCERN))
    entry = line.audits()[-1]

    assert {HUB, AT_AWAY[0]} <= {one["recipient"] for one in entry["decisions"]}
    assert differences(entry, replay(entry, SECRETS, line.releases)) == []
