"""What counts as a review is one rule: who follows questions, who lists them, the reconciler and open work go by it alike."""

import pytest

from broker.codec import encode
from broker.core.model.ports import CAUSE, Record
from broker.stream.topics import REVIEWS
from broker.stream.watching.review_record import review_in

REVIEW = {
    "review_id": "r-1", "kind": "UNIDENTIFIED", "state": "OPEN", "for_recipient": "hub", "opened_at": 5, "event_id": "e",
    "event_type": "t", "producer": "p", "why": "w", "matching_key": "m",
}  # fmt: skip
CAUSED = ((CAUSE, b"candidates.v1/0@1+0"),)


def a_record(value: bytes | None, headers: tuple[tuple[str, bytes], ...] = CAUSED) -> Record:
    return Record(REVIEWS, 0, 7, 0, b"r-1", value, headers)


def test_what_a_stage_wrote_is_a_review() -> None:
    found = review_in(a_record(encode("review", REVIEW)))

    assert found is not None
    assert found["review_id"] == "r-1"


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (a_record(encode("review", REVIEW), ()), "no stage wrote it"),
        (a_record(None), "it has no value"),
        (a_record(b"anything"), "it is in no form of ours"),
        (
            a_record(encode("receipt", {"disclosure_id": "d", "recipient": "r", "state": "READ", "said_at": 1, "token": b""})),
            "another",
        ),
    ],
)
def test_whatever_else_stands_there_is_none(record: Record, why: str) -> None:
    assert review_in(record) is None, why
