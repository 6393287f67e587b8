import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from broker.simulate.compare import Received, compare
from broker.simulate.days import due
from broker.simulate.truth import Claim, Evidence

EVIDENCE = Evidence(identifiers=("9990000018",), name="Ada O'Ashdale-Marley", born="2016-02-07", at="2026-11-16T22:41:00Z")
PLACE = {"story": "one", "number": 4, "step": "night", "event_type": "police.encompass.notified", "evidence": EVIDENCE}
IDENTITY = {"names": [{"given": "ADA", "family": "oashdale marley"}], "birth_date": "2016-02-07"}


BEGUN = datetime(2026, 11, 18, 22, 41, tzinfo=UTC)  # a Wednesday, the third day of its week
UNTIL = date(2026, 11, 22)


def hears(recipient: str = "dsl", by: str = "next_school_day", **said) -> Claim:
    when = {"by": by, "begun": BEGUN.isoformat(), "due": due(by, BEGUN, UNTIL).isoformat()}
    return Claim(claim="hears", recipient=recipient, **{**PLACE, **when, "has": ("identity",), **said})


def never(recipient: str) -> Claim:
    return Claim(claim="never", recipient=recipient, **PLACE)


def told(recipient: str = "dsl", which: str = "d1", **said) -> Received:
    message = {
        "disclosure_id": which,
        "event_type": "police.encompass.notified",
        "kind": "ALERT",
        "child": "p1",
        "occurred_at": "2026-11-16T22:41:00Z",
        "identity": IDENTITY,
        **said,
    }
    return Received(recipient, message, json.dumps(message).encode(), took=400)


def test_what_was_heard_by_who_must_hear_is_good():
    found = compare([hears(), never("gp")], [told()])

    assert found.is_good
    assert 1 == found.heard == found.expected


def test_what_nobody_told_is_missing_and_names_story_and_step():
    (fault,) = compare([hears()], []).missing

    assert (fault.story, fault.number, fault.step, fault.recipient) == ("one", 4, "night", "dsl")


def test_an_alert_about_another_child_does_not_count():
    other = {"names": [{"given": "Bea", "family": "Oakmoor"}], "birth_date": "2016-02-07"}

    assert compare([hears()], [told(identity=other)]).missing


def test_an_alert_without_what_is_needed_is_missing():
    (fault,) = compare([hears(has=("identity", "concern"))], [told()]).missing

    assert "without concern" in fault.words


def test_whoever_must_never_hear_and_did_is_forbidden():
    (fault,) = compare([hears(), never("gp")], [told(), told("gp", "d2")]).forbidden

    assert fault.recipient == "gp"


def test_a_forbidden_alert_that_says_only_that_there_is_something_is_still_found():
    assert compare([never("gp")], [told("gp", kind="EXISTENCE", identity=None)]).forbidden


def test_a_category_that_must_not_be_there_is_forbidden():
    assert compare([hears(lacks=("location",))], [told(location={"postcode": "QX1 0AA"})]).forbidden


@pytest.mark.parametrize(("reader", "faults"), [("hub", 0), ("dsl", 1)])
def test_a_secret_text_in_any_byte_is_forbidden_but_for_those_who_may(reader, faults):
    canary = Claim(claim="canary", story="one", number=4, text="Owl Gate 7", readable_by=("hub",))
    one = Received(reader, {"disclosure_id": "d"}, b"\x00\x01Owl Gate 7\x02")

    assert faults == len(compare([canary], [one]).forbidden)


def test_the_same_disclosure_shown_twice_is_duplicated():
    assert compare([hears()], [told(), told()]).duplicated


def test_one_event_told_under_two_ids_is_duplicated():
    assert compare([hears()], [told(), told(which="d2")]).duplicated


def test_a_retraction_that_names_no_child_is_found_by_what_it_replaces():
    taken_back = hears(kind="RETRACTION", has=(), step="taken-back", of="night")
    retraction = told(which="d2", kind="RETRACTION", identity=None, replaces="d1", occurred_at=None, child="?")

    assert compare([hears(), taken_back], [told(), retraction]).is_good


def test_a_review_is_heard_as_a_review_only():
    waiting = Received("hub", {"review_id": "r", **told("hub").message}, b"", review="UNIDENTIFIED", took=400)

    assert compare([hears("hub", review="UNIDENTIFIED", has=())], [waiting]).is_good
    assert compare([hears("hub", review="UNIDENTIFIED", has=())], [told("hub")]).missing


def test_what_names_nobody_is_about_the_child_of_its_event():
    other = {"names": [{"given": "Bea", "family": "Oakmoor"}], "birth_date": "2016-02-07"}
    gap = told("hub", identity=None, occurred_at=None, kind="GAP")

    assert not compare([never("hub")], [replace(gap, said={"identity": other, "occurred_at": None})]).forbidden
    assert compare([never("hub")], [replace(gap, said={"identity": IDENTITY})]).forbidden
    assert compare([never("hub")], [gap]).forbidden, "of what nobody can say whom it is about the worst is taken to be so"


def test_a_review_about_another_child_does_not_count():
    waiting = Received("hub", {"review_id": "r", **told("hub", identity=None).message}, b"", review="GAP", took=400)
    other = {"names": [{"given": "Bea", "family": "Oakmoor"}], "birth_date": "2016-02-07"}

    assert compare([hears("hub", review="GAP", has=())], [replace(waiting, said={"identity": IDENTITY})]).is_good
    assert compare([hears("hub", review="GAP", has=())], [replace(waiting, said={"identity": other})]).missing


def test_a_review_of_that_time_counts_though_its_name_is_the_very_thing_that_is_wrong():
    said = {"identity": {"names": [{"given": "Adda", "family": "Ashdown"}]}, "occurred_at": EVIDENCE.at}
    waiting = Received("hub", {"review_id": "r", **told("hub").message}, b"", review="UNIDENTIFIED", took=400, said=said)

    assert compare([hears("hub", review="UNIDENTIFIED", has=())], [waiting]).is_good


@pytest.mark.parametrize(
    ("by", "day", "took", "late", "slow"),
    [
        ("10_seconds", 3, 9_000, 0, 0),
        ("10_seconds", 3, 30_000, 0, 1),  # a busy machine
        ("10_seconds", 3, 61_000, 1, 0),  # no machine is so busy
        ("10_seconds", 4, 9_000, 1, 0),  # the day after
        ("1_hour", 3, 3_500_000, 0, 0),
        ("1_hour", 4, 100, 1, 0),
        ("next_school_day", 3, 60_000, 0, 0),
        ("next_school_day", 4, 100, 1, 0),
        ("1_working_day", 4, 100, 1, 0),  # at the end of that day the office has long closed
        ("5_working_days", 6, 100, 0, 0),
        ("day_4", 4, 100, 0, 0),
        ("day_4", 5, 100, 1, 0),
        ("10_seconds", None, None, 1, 0),  # nobody knows when
    ],
)
def test_what_is_heard_later_than_its_story_says_is_late(by, day, took, late, slow):
    said = hears(by=by, day=3)
    found = compare([said], [replace(told(), day=day, took=took)])

    assert (late, slow) == (len(found.late), len(found.slow))
    assert found.is_good is not bool(late)
