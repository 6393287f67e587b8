"""The digest by which a repeat is told from other words under the same id."""

import pytest

from broker.core.model.content import content_digest
from broker.core.model.event import Source
from broker.core.model.identifiers import Millis, RecipientId
from tests.core.values import an_event

SAID = {"concern": {"grade": "high"}}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"body": {"concern": {"grade": "low"}}}, "other words"),
        ({"attributes": {"history": "yes"}}, "what routing reads"),
        ({"excluded": (RecipientId("dsl@school"),)}, "whom it excludes"),
        ({"control": {"kind": "safe_address"}}, "what it sets"),
        ({"area": "E10000009"}, "where it happened"),
    ],
)
def test_other_content_has_another_digest(changed, why):
    assert content_digest(an_event(**{"body": SAID, **changed})) != content_digest(an_event(body=SAID)), why


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({"recorded_at": Millis(5)}, "the export was made again"),
        ({"sequence": 9}, "its place in the export"),
        ({"source": Source("other", "test", "2", "digest", "row 9")}, "the file it was in"),
        ({"body": {**SAID, "location": {"postcode": None, "address": []}}}, "what is left unsaid"),
    ],
)
def test_the_same_words_written_down_again_have_the_same_digest(written, why):
    assert content_digest(an_event(**{"body": SAID, **written})) == content_digest(an_event(body=SAID)), why
