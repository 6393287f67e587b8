"""What a desk may still use of what it was told: a later word of the family leaves the message before it in use."""

from typing import Any

import pytest

from broker.core.model.notice import TOLD_RULE
from broker.stream.watching.told_before import standing_with

FIRST = {"disclosure_id": "d-1", "kind": "ALERT", "replaces": None, "rules": ["a-rule"], "issued_at": 1}
FAMILY = {"disclosure_id": "d-2", "kind": "CORRECTION", "replaces": "d-1", "rules": [TOLD_RULE], "issued_at": 2}
AGAIN = {**FAMILY, "disclosure_id": "d-3", "issued_at": 3}


def later(kind: str) -> dict[str, Any]:
    return {"disclosure_id": "d-4", "kind": kind, "replaces": "d-1", "rules": ["corrections-follow"], "issued_at": 4}


@pytest.mark.parametrize(
    ("messages", "left"),
    [
        ((FIRST, FAMILY), ["d-2", "d-1"]),
        ((FIRST, FAMILY, AGAIN), ["d-3", "d-2", "d-1"]),
        ((FIRST, FAMILY, AGAIN, later("RETRACTION")), []),
        ((FIRST, FAMILY, later("CORRECTION")), ["d-4"]),
        ((FIRST, later("CORRECTION")), ["d-4"]),
    ],
    ids=["said anew", "twice", "taken back", "replaced", "replaced at once"],
)
def test_what_says_anew_what_a_family_was_told_leaves_who_the_child_is(messages: Any, left: list[str]) -> None:
    assert [one["disclosure_id"] for one in standing_with(messages)] == left
