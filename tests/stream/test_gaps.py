"""Nobody in a role: the hub hears it, and whoever comes to the child soon after still hears what came before them."""

from broker import codec
from broker.stream.decide.work import GAP_STAYS
from tests.stream.lines import CHILD, HUB, SCHOOL, ALine, a_retraction, again, an_event, an_update, on_roll


def test_a_school_whose_roll_comes_after_the_notice_is_told_once_and_the_gap_is_closed() -> None:
    """Feeds keep no order between agencies: the child may be known, and its school not yet, when the notice is decided."""
    line = ALine().take(an_event())
    assert line.disclosures(SCHOOL) == []

    line.take(on_roll(), on_roll(name="roll again"))

    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT"]
    assert [one["state"] for one in line.reviews()] == ["OPEN", "WITHDRAWN"]
    told = [one for one in line.audits() if one["event_id"] == "e1"]
    assert [one["outcome"] for one in told] == ["DECIDED", "DECIDED"]
    assert [one["recipient"] for one in told[1]["decisions"]] == [SCHOOL]


def test_what_fills_a_gap_is_recorded_first_and_replays_with_equal_bytes() -> None:
    whole = ALine().take(an_event(), on_roll())
    crashed = ALine()
    for record in whole.log[2:3]:
        crashed.feed_record(record)
    before = len(crashed.written)
    crashed.restart()

    crashed.feed_record(whole.log[3])

    assert crashed.written[before:] == whole.written[before:]


def test_a_gap_is_not_filled_once_its_event_was_taken_back_or_changed() -> None:
    taken_back = ALine().take(an_event(), a_retraction("e1"), on_roll())
    changed = ALine().take(an_event(), an_update("e1", "e2", body={"concern": {"grade": "low"}}), on_roll())

    assert taken_back.disclosures(SCHOOL) == []
    assert [one["concern"]["grade"] for one in changed.disclosures(SCHOOL)] == ["low"]


def test_a_school_that_comes_to_the_child_long_after_does_not_hear_of_it() -> None:
    line = ALine().take(an_event())
    roll = codec.encode("subject_record", {"kind": "EVENT", "child_ref": CHILD, "event": codec.encode_event(on_roll())})

    line.feed_record(line.record(roll, CHILD.encode(), timestamp=line.log[-1].timestamp + GAP_STAYS))

    assert line.disclosures(SCHOOL) == []


def test_the_hub_may_settle_a_gap_and_then_nobody_is_told_of_it() -> None:
    line = ALine().take(an_event())
    (gap,) = line.reviews()

    line.resolve(gap, "REJECT", by=HUB)
    line.take(on_roll())

    assert [one["state"] for one in line.reviews()] == ["OPEN", "RESOLVED"]
    assert line.disclosures(SCHOOL) == []


def test_another_event_about_the_child_fills_its_own_gap_too() -> None:
    line = ALine().take(an_event(), again(an_event(), "e9"), on_roll())

    assert len(line.disclosures(SCHOOL)) == 2
