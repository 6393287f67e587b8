import pytest

from broker import codec
from broker.core.ports import ORIGIN, OUTCOME, Position, Record
from broker.demo.notebook import Notebook, percentile
from broker.stream.topics import AUDIT, EVENTS

TOPIC = next(iter(EVENTS.values()))


def published(offset: int, *, at: int = 1_000) -> Record:
    return Record(TOPIC, 0, offset, at, b"key", b"value", (("ce_type", b"school.concern.raised"),))


def audited(offset: int, outcome: str) -> Record:
    entry = {
        "entry_id": f"a{offset}",
        "at": 1,
        "child_ref": "c",
        "outcome": outcome.upper(),
        "subject": "event",
        "event_id": f"e{offset}",
        "event_type": "school.concern.raised",
        "producer": "urn:1",
        "policy_digest": "p",
        "registers_digest": "r",
        "decisions": [],
        "others": "",
        "request": b"",
        "facts_version": 1,
    }
    headers = ((ORIGIN, bytes(Position(f"{TOPIC}/0", offset))), (OUTCOME, outcome.encode()))
    return Record(AUDIT, 0, offset, 1_100, b"c", codec.encode("audit_entry", entry), headers)


def test_an_event_waits_until_the_audit_says_how_it_ended():
    book = Notebook()
    book.note(published(0), now=1_000)
    book.note(published(1), now=1_000)
    book.note(audited(0, "applied"), now=1_100)

    assert (book.published, book.waiting) == (2, 1)


@pytest.mark.parametrize(("values", "share", "expected"), [([], 0.5, None), ([7], 0.99, 7), (list(range(100)), 0.99, 99)])
def test_a_percentile_is_a_value_that_was_measured(values, share, expected):
    assert expected == percentile(values, share)
