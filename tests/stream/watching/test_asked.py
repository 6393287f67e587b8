"""What a desk is asked, and that it is asked no more: of the rest of the log it hears nothing."""

from typing import Any

import pytest

from broker import codec
from broker.core.model.ports import CAUSE, Headers, Record
from broker.stream.watching.asked import Review, _take, is_shown_to

STAGE: Headers = ((CAUSE, b"candidates.v1/0@1+0"),)


def a_review(state: str, kind: str = "AMBIGUOUS", asked: str = "hub") -> dict[str, Any]:
    return {
        "review_id": "r-1", "kind": kind, "state": state, "for_recipient": asked, "opened_at": 1, "event_id": "e",
        "event_type": "x", "producer": "police:42", "why": "because", "matching_key": "m-1",
    }  # fmt: skip


def left(*said: dict[str, Any], shown: bool = False, headers: Headers = STAGE) -> list[str]:
    """What there is to show of a log."""
    waiting: dict[str, Review] = {}
    for one in said:
        record = Record("reviews.v1", 0, 0, 1, b"r-1", codec.encode("review", one), headers)
        _take(record, waiting, lambda review: shown if review["state"] == "WITHDRAWN" else review["for_recipient"] == "hub")
    return [one["state"] for one in waiting.values()]


def test_what_is_open_is_shown_to_who_was_asked_alone() -> None:
    assert left(a_review("OPEN")) == ["OPEN"]
    assert left(a_review("OPEN", asked="another")) == []
    assert left(a_review("OPEN", kind="GAP")) == [], "whoever is asked about a gap has a message of its own about it"


def test_what_nobody_is_asked_any_more_is_said_where_it_was_shown() -> None:
    assert left(a_review("OPEN"), a_review("WITHDRAWN")) == []
    assert left(a_review("WITHDRAWN"), shown=True) == ["WITHDRAWN"]
    assert left(a_review("WITHDRAWN"), a_review("OPEN"), shown=True) == ["OPEN"], "it is asked again, elsewhere"
    assert left(a_review("RESOLVED"), shown=True) == []


def test_what_no_stage_wrote_is_not_believed() -> None:
    assert left(a_review("OPEN"), headers=()) == []
    assert left(a_review("WITHDRAWN"), shown=True, headers=()) == []


@pytest.mark.parametrize(
    ("recipient", "child_ref", "stand_ins", "shown", "why"),
    [
        ("hub", None, [], True, "it is asked"),
        ("duty", None, ["duty"], True, "its hub may be closed"),
        ("duty", None, [], False, "an event excludes it: asking tells"),
        ("duty", "c-1", ["duty"], False, "whose child it is is known: its rules say who hears"),
        ("other", None, ["other"], False, "it is no duty team of that hub"),
    ],
)
def test_whom_a_question_is_shown(recipient: str, child_ref: str | None, stand_ins: list[str], shown: bool, why: str) -> None:
    review = {"for_recipient": "hub", "child_ref": child_ref, "stand_ins": stand_ins}
    hubs = frozenset({"hub"} if recipient == "duty" else ())

    assert is_shown_to(review, recipient, hubs) == shown, why
