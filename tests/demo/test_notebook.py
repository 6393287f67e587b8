from dataclasses import replace
from typing import Any

import pytest

from broker import codec
from broker.core.model.ports import ORIGIN, OUTCOME, Position, Record
from broker.demo.notebook import Notebook, percentile, reason_of
from broker.demo.page import for_people
from broker.stream.topics import AUDIT, EVENTS

TOPIC = next(iter(EVENTS.values()))


def published(offset: int, *, at: int = 1_000) -> Record:
    headers = (("ce_type", b"school.concern.raised"), ("ce_id", f"e{offset}".encode()))
    return Record(TOPIC, 0, offset, at, b"key", b"value", headers)


def disclosed(which: str) -> Record:
    said = {"disclosure_id": which, "recipient": "hub", "role": "hub", "child": "p", "kind": "ALERT", "issued_at": 1}
    said |= {"event_type": "school.concern.raised", "lawful_basis": "PUBLIC_TASK", "token": b""}
    return Record("disclosures.v1", 0, 0, 1_200, b"p", codec.encode("disclosure", said), ())


def audited(offset: int, outcome: str, *disclosures: str, event_id: str = "") -> Record:
    decision = {"decision_id": "n", "recipient": "hub", "role": "hub", "outcome": "DISCLOSE"}
    entry = {
        "entry_id": f"a{offset}",
        "at": 1,
        "child_ref": "c",
        "outcome": outcome.upper(),
        "subject": "event",
        "event_id": event_id or f"e{offset}",
        "event_type": "school.concern.raised",
        "producer": "urn:1",
        "policy_digest": "p",
        "registers_digest": "r",
        "decisions": [{**decision, "disclosure_id": one} for one in disclosures],
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


def test_what_the_audit_allows_is_waited_for_until_a_reader_sees_it():
    book = Notebook(day=3)
    book.note(published(0, at=1_000), now=1_000)
    book.note(audited(0, "decided", "d-1"), now=1_100)
    assert (book.waiting, book.unseen) == (0, 1)

    book.note(disclosed("d-1"), now=1_450)

    assert (book.unseen, [(one.day, one.took) for one in book.timed()]) == (0, [(3, 450)])


def test_what_takes_something_back_by_its_trail_is_timed_by_its_own_event():
    book = Notebook()
    book.note(published(7, at=1_000), now=1_000)
    book.note(replace(audited(7, "applied", "d-1", event_id="e7/elsewhere"), headers=((OUTCOME, b"applied"),)), now=1_100)
    book.note(disclosed("d-1"), now=1_600)

    assert [one.took for one in book.timed()] == [600]


KEEPS = frozenset({"lay-referrer", "safe-address"})


def because(rule: str, *categories: str) -> dict[str, Any]:
    return {"rule": rule, "because": f"because of {rule}", "categories": list(categories)}


REASONS = [
    (
        "DISCLOSE",
        [because("lay-referrer"), because("school", "existence", "concern")],
        "school",
        "a cut says nothing of why it goes",
    ),
    ("DISCLOSE", [because("police", "clinical"), because("school", "existence")], "school", "another was overruled"),
    ("DISCLOSE", [because("gap")], "gap", "what goes by the ledger is of no category"),
    (
        "WITHHOLD",
        [because("lay-referrer"), because("police", "concern"), because("no-existence")],
        "no-existence",
        "a cut alone",
    ),
    ("WITHHOLD", [because("police", "existence"), because("nothing-matches", "existence")], "nothing-matches", "a note only"),
    (
        "WITHHOLD",
        [because("lay-referrer", "third_party"), because("safe-address", "existence"), because("police", "existence")],
        "safe-address",
        "without existence nothing goes",
    ),
    ("ASK", [because("safe-address", "location"), because("maybe", "concern")], "maybe", "what is asked about"),
    ("ASK", [because("school", "concern"), because("on-hold")], "on-hold", "asked only because it is held"),
]


@pytest.mark.parametrize(("outcome", "reasons", "rule", "why"), REASONS, ids=[one[3] for one in REASONS])
def test_a_decision_is_counted_under_a_reason_for_its_own_outcome(outcome, reasons, rule, why):
    decision = {"outcome": outcome, "reasons": reasons, "granted": ["existence"], "asked": ["concern"]}

    assert reason_of(decision, KEEPS) == f"because of {rule}"


def test_a_decision_without_reasons_is_counted_too():
    assert reason_of({"outcome": "WITHHOLD", "reasons": [], "granted": [], "asked": []}, KEEPS) == "no rule speaks of it"


def test_the_page_says_which_open_reviews_are_events_in_review():
    said = for_people({"AMBIGUOUS": 8, "UNIDENTIFIED": 16, "GAP": 24, "ASK": 8})

    assert said == [
        "56 open reviews",
        "24 hold an event as a whole, which is in review: 8 ambiguous, 16 unidentified",
        "32 are about one desk or role, of events that were decided: 8 ask, 24 gap",
    ]
    assert for_people({}) == ["0 open reviews"]
