"""An event that is in question itself is asked about as such: it is no event that another review holds up."""

import pytest

from broker.cli.review_words import answers, question
from broker.core.model.question import BEHIND_A_CONTROL, BEHIND_A_RECORD
from tests.stream import england


def a_hold(why: str) -> dict[str, str]:
    return {"review_id": "r-1", "kind": "HOLD", "event_type": "control.exclusion", "for_recipient": "hub", "why": why}


def test_who_is_asked_whether_a_word_counts_hears_that_it_can_be_rejected() -> None:
    """It read that another review held it up, and of no answer but yes."""
    line = england.a_child(england.says(england.AWAY, "control.exclusion", excluded=(england.TEAM,)))
    (asked,) = line.reviews()

    assert asked["kind"] == "HOLD"
    assert question(asked).startswith("Does this count?")
    assert [command.split()[2] for command, _ in answers(asked)] == ["link", "reject"]


@pytest.mark.parametrize("why", [BEHIND_A_CONTROL, BEHIND_A_RECORD])
def test_what_only_waits_behind_another_review_says_so(why: str) -> None:
    asked = a_hold(why)

    assert question(asked) == "Held: another review holds up this child"
    assert "broker reviews list" in [command for command, _ in answers(asked)]


def test_on_the_line_what_waits_behind_another_is_told_from_what_is_in_question() -> None:
    typed_wrong = england.says(england.HOME, "control.protection", {"kind": "safe_adress", "state": "set"})
    line = england.a_child(typed_wrong, england.says(england.FORCE, england.NOTICE))

    assert [question(one)[:5] for one in line.reviews() if one["kind"] == "HOLD"] == ["Does ", "Held:"]
