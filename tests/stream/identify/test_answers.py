"""A person's answer to a review goes to the line where it waits, signed, and is no record of the event in review."""

from pathlib import Path

import pytest

from broker import codec
from broker.core.model.ports import CAUSE, ORIGIN, Outgoing, Record
from broker.errors import InputError
from broker.stream.topics import CANDIDATES, REVIEWS, SUBJECTS
from broker.stream.watching.review_reader import Answer, Review, _Reviews, answer_to
from tests.stream.identify.test_identify_clocks import with_signer
from tests.stream.identify_runner import HUB as ASKED
from tests.stream.identify_runner import Runner
from tests.stream.lines import CHILD, HUB, SCHOOL, SECRETS, ALine, a_signer, an_event, on_roll
from tests.stream.people import UPN, enrolled, notified


def a_gap() -> tuple[ALine, Review]:
    line = ALine().take(an_event())
    (message,) = line.reviews()
    return line, Review(message, b"events.police.v1/0@1+0")


def put(line: ALine, made: Outgoing) -> None:
    assert made.key == CHILD.encode()
    line.feed_record(Record(SUBJECTS, 0, len(line.log), line.log[-1].timestamp, made.key, made.value, made.headers))


def test_the_answer_to_a_gap_goes_to_the_childs_line_and_is_audited() -> None:
    line, gap = a_gap()

    made = answer_to(gap, Answer("REJECT", "told by telephone"), a_signer(HUB), SECRETS)
    put(line, made)

    assert made.topic == SUBJECTS
    assert line.reviews()[-1]["state"] == "RESOLVED"
    assert line.audits()[-1]["subject"] == "resolution"
    assert line.take(on_roll()).disclosures(SCHOOL) == []


def test_nobody_links_a_gap() -> None:
    _, gap = a_gap()

    with pytest.raises(InputError, match="closes by itself"):
        answer_to(gap, Answer("LINK", "x"), a_signer(HUB), SECRETS)


def test_whoever_names_a_child_where_none_is_asked_for_shares_nothing() -> None:
    """Two reviews taken for each other at night: `link` means `share it` in the one, and `it is this child` in the other."""
    ask = Review({"review_id": "r-1", "kind": "ASK", "state": "OPEN", "child_ref": CHILD}, None)

    with pytest.raises(InputError, match="asks nothing about which child it is"):
        answer_to(ask, Answer("LINK", "seen", "c-other"), a_signer(HUB), SECRETS)


def test_an_answer_does_not_carry_the_origin_of_the_event_in_review() -> None:
    """Refused, it is a dead letter; the event is still in review, and must not count twice."""
    runner = Runner()
    runner.publish(notified(given="Jo", family="Winter"))
    runner.run()
    (message,) = runner.reviews()
    place = b"events.police.v1/0@7+0"

    made = answer_to(Review(message, place), Answer("REJECT", "not ours"), a_signer("hub"), SECRETS)

    assert made.topic == CANDIDATES
    assert ORIGIN not in dict(made.headers)
    assert place in dict(made.headers).values()


def test_a_review_that_no_stage_wrote_is_not_believed() -> None:
    _, gap = a_gap()
    forged = codec.encode("review", {**gap.message, "state": "RESOLVED"})
    reviews = _Reviews()

    reviews.take(Record(REVIEWS, 0, 0, 1, gap.id.encode(), codec.encode("review", dict(gap.message)), ((CAUSE, b"x/0@1+0"),)))
    reviews.take(Record(REVIEWS, 0, 1, 2, gap.id.encode(), forged, ()))

    assert reviews.found[gap.id].is_open


@pytest.mark.parametrize(("decision", "says"), [("LINK", "which child"), ("REJECT", "none of the children")])
def test_who_said_whom_an_event_is_about_and_why_is_in_the_audit_log(tmp_path: Path, decision: str, says: str) -> None:
    """A data protection officer finds it by the event; it is the end of no accepted record, so the books do not count it."""
    runner = Runner()
    hub = with_signer(runner, tmp_path, ASKED)
    runner.publish(
        enrolled(event_id="a", upn=UPN[0], given="Alfie", family="Marsh"), notified(event_id="b", given="Alfi", family="Marsh")
    )
    runner.run()
    [review] = runner.reviews()

    runner.resolve(hub, review, decision, review["candidates"][0] if decision == "LINK" else None)
    runner.run()

    [(entry, outgoing)] = [one for one in zip(runner.audits(), runner.audit, strict=True) if one[0]["subject"] == "resolution"]
    assert (entry["event_id"], entry["concerns"], entry["producer"]) == (review["review_id"], ["b"], review["producer"])
    assert (entry["decided_by"], entry["decided_with"]) == (ASKED, hub.key_id)
    assert entry["decided_because"] == "seen in the case system"
    assert says in entry["others"]
    assert ORIGIN not in dict(outgoing.headers)
