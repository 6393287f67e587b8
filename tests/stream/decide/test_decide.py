"""The stage that decides: each record once, recorded first, in one order for each child."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from broker import codec
from broker.core.model.identifiers import RecipientId
from broker.core.model.ports import OUTCOME, Effects, Outgoing
from broker.core.model.registers import Area
from broker.errors import NothingInForceError, NotPermittedError, RetryError, UnknownDisclosureError, UnreadableRecordError
from broker.stream.engine.chunk import DeadLetterLimits, run_chunk
from broker.stream.topics import AUDIT, CLOCKS, DISCLOSURES, FACTS, disclosures_topic
from tests.stream.lines import (
    CHILD,
    GP,
    HUB,
    NOW,
    POLICE_DESK,
    SCHOOL,
    ALine,
    a_policy,
    a_protection,
    a_retraction,
    a_rule,
    again,
    an_event,
    an_update,
    at_practice,
    its_key,
    on_roll,
    some_registers,
)  # fmt: skip


def a_told_line() -> ALine:
    return ALine().take(on_roll(), at_practice(), an_event())


def test_everyone_whom_a_rule_names_is_told_the_least_it_grants() -> None:
    line = a_told_line()

    assert sorted(one["recipient"] for one in line.disclosures()) == sorted([GP, HUB, SCHOOL])
    (to_doctor,) = line.disclosures(GP)
    assert to_doctor["concern"] == {**to_doctor["concern"], "grade": "high"}
    assert to_doctor["location"] is None


def test_a_recipient_with_its_own_principal_has_its_own_topic() -> None:
    line = a_told_line()

    topics = {one.topic for one in line.written if one.topic.startswith("disclosures")}
    assert topics == {DISCLOSURES, disclosures_topic(SCHOOL)}


def test_two_recipients_cannot_join_what_they_are_told_about_one_child() -> None:
    line = a_told_line()

    assert len({one["child"] for one in line.disclosures()}) == 3
    assert len({one.key for one in line.written if one.topic.startswith("disclosures")}) == 3


def test_no_header_of_a_disclosure_names_a_place_in_the_log() -> None:
    line = a_told_line()

    names = {name for one in line.written if one.topic.startswith("disclosures") for name, _ in one.headers}
    assert names == {"ce_specversion", "ce_source", "ce_type", "ce_id", "content-type"}


def test_every_event_ends_in_one_audit_entry_that_names_every_decision() -> None:
    line = a_told_line()

    outcomes = [(one["event_id"], one["outcome"]) for one in line.audits()]
    assert outcomes == [("roll", "APPLIED"), ("practice", "APPLIED"), ("e1", "DECIDED")]
    decided = line.audits()[-1]
    assert {one["recipient"]: one["outcome"] for one in decided["decisions"]} == {
        GP: "DISCLOSE",
        HUB: "DISCLOSE",
        SCHOOL: "DISCLOSE",
    }
    assert (decided["policy_digest"], decided["registers_digest"]) == ("policy-1", "registers-1")
    shown = {one["disclosure_id"] for one in line.disclosures()}
    assert {one["disclosure_id"] for one in decided["decisions"]} == shown
    headers = [dict(one.headers)[OUTCOME] for one in line.written if one.topic == AUDIT]
    assert headers == [b"applied", b"applied", b"decided"]


async def test_nothing_leaves_before_its_audit_entry_is_acknowledged() -> None:
    """I1 recorded-first."""
    line = ALine().take(on_roll())
    record = line.record(
        codec.encode("subject_record", {"kind": "EVENT", "child_ref": CHILD, "event": codec.encode_event(an_event())}),
        CHILD.encode(),
    )
    batches: list[list[str]] = []

    class Recorder:
        async def write(self, batch: Sequence[Outgoing]) -> None:
            batches.append([one.topic for one in batch])

    await run_chunk(line.task, [record], Recorder(), DeadLetterLimits())

    assert batches[0] == [AUDIT]
    assert any(topic.startswith("disclosures") for topic in batches[1])
    assert CLOCKS in batches[1]  # a clock is acknowledged before the facts that say its record was taken
    assert batches[2] == [FACTS]


def test_the_same_record_read_again_does_nothing() -> None:
    """I12 once."""
    line = a_told_line()
    line.restart()
    before = len(line.written)

    for record in line.log[2:]:
        line.feed_record(record)

    assert len(line.written) == before


def test_the_same_event_in_another_record_is_a_duplicate_and_recorded_as_one() -> None:
    line = a_told_line().take(an_event())

    assert line.audits()[-1]["outcome"] == "DUPLICATE"
    assert len(line.disclosures()) == 3


@pytest.mark.parametrize("back_to", range(2, 8))
def test_a_replay_from_any_earlier_state_emits_equal_bytes(back_to: int) -> None:
    """I12 once: a crash before the state was written decides again, with equal ids."""
    story = [on_roll(), an_event(), an_update("e1", "e2", body={"concern": {"grade": "low"}}), a_protection(), a_retraction("e2")]
    whole, crashed = ALine().take(*story), ALine()
    for record in whole.log[2:back_to]:
        crashed.feed_record(record)
    lost = len(crashed.written)

    for record in whole.log[back_to:]:
        crashed.feed_record(record)

    again_written = crashed.written[lost:]
    assert again_written == whole.written[lost:]


def test_what_came_before_any_release_waits_as_a_dead_letter_for_a_redrive() -> None:
    line = ALine(in_force=False)
    effects = Effects()

    with pytest.raises(NothingInForceError, match="no policy in force yet: run `broker policy release`"):
        line.task.step(
            line.record(
                codec.encode("subject_record", {"kind": "EVENT", "child_ref": CHILD, "event": codec.encode_event(an_event())}),
                b"c",
            ),
            effects,
        )

    assert effects == Effects()


def test_a_worker_that_does_not_hold_a_release_waits_for_it() -> None:
    line = ALine()

    with pytest.raises(RetryError):
        line.release("policy", "policy-2")


def test_a_release_is_in_force_from_its_place_and_a_replay_decides_under_the_older_one() -> None:
    narrow = a_policy(a_rule("nobody", "gp"), version="2")
    line = ALine(a_policy(), narrow).take(on_roll(), an_event())
    first = line.log[-1]
    line.release("policy", narrow.digest)
    line.take(again(an_event(), "e2"))

    assert [one["policy_digest"] for one in line.audits()] == ["policy-1", "policy-1", "policy-2"]
    assert len(line.disclosures(SCHOOL)) == 1

    # The facts of the first event never became durable, but the epoch after it did: it is decided as it was.
    redone = ALine(a_policy(), narrow).take(on_roll())
    redone.log.append(first)
    redone.release("policy", narrow.digest)
    redone.feed_record(first)

    assert redone.disclosures(SCHOOL) == line.disclosures(SCHOOL)


def test_a_record_that_lacks_what_its_kind_carries_is_refused_whole() -> None:
    line = ALine()

    with pytest.raises(UnreadableRecordError):
        line.feed({"kind": "EVENT", "child_ref": CHILD}, key=CHILD.encode())

    assert line.facts().version == 0


def test_nobody_in_a_role_is_heard_by_the_hub_and_asked_of_a_person() -> None:
    line = ALine().take(an_event())  # no school is known

    gaps = [one for one in line.disclosures(HUB) if one["kind"] == "GAP"]
    assert len(gaps) == 1
    assert "nobody can be told in the role `dsl`" in gaps[0]["because"][0]
    assert [one["kind"] for one in line.reviews()] == ["GAP"]


def test_a_retraction_before_its_event_cancels_it() -> None:
    line = ALine().take(on_roll(), a_retraction("e1"), an_event())

    assert line.disclosures() == []
    assert line.audits()[-1]["others"] == "it was taken back by its publisher before it came"


def test_a_receipt_goes_into_the_ledger_and_never_backwards() -> None:
    line = a_told_line()
    (told,) = line.disclosures(SCHOOL)
    line.receipt(told, "READ").receipt(told, "DELIVERED")

    assert [one.state for one in line.facts().ledger if one.recipient == SCHOOL] == ["read"]
    assert [one["outcome"] for one in line.audits()[-2:]] == ["APPLIED", "DUPLICATE"]


def test_a_receipt_for_what_nobody_was_told_is_refused() -> None:
    line = a_told_line()
    (told,) = line.disclosures(SCHOOL)

    with pytest.raises(UnknownDisclosureError):
        line.receipt({**told, "recipient": GP}, "READ")


def test_an_outcome_goes_to_whoever_spoke_first_in_the_matter() -> None:
    """R22."""
    line = a_told_line()
    (told,) = line.disclosures(HUB)
    line.receipt(told, "OUTCOME", outcome="assessment")

    (heard,) = line.disclosures(POLICE_DESK)
    assert (heard["kind"], heard["concern"]["decision"]) == ("OUTCOME", "assessment")
    assert line.audits()[-1]["outcome"] == "DECIDED"


def test_an_outcome_in_free_words_is_refused() -> None:
    line = a_told_line()
    (told,) = line.disclosures(HUB)

    with pytest.raises(NotPermittedError, match="say one of assessment, no_further_action"):
        line.receipt(told, "OUTCOME", outcome="moved to 3 Safe Street")


def test_an_outcome_said_twice_is_heard_once() -> None:
    line = a_told_line()
    (told,) = line.disclosures(HUB)
    line.receipt(told, "OUTCOME", outcome="no_further_action").receipt(told, "OUTCOME", outcome="no_further_action")

    assert len(line.disclosures(POLICE_DESK)) == 1


def test_a_clock_that_nobody_stopped_is_heard_by_the_hub_once() -> None:
    """I11 clocks."""
    line = a_told_line()
    (told,) = line.disclosures(SCHOOL)

    assert line.ring(told["due_at"] - 1) == []
    assert len(line.ring(told["due_at"])) == 1
    (heard,) = [one for one in line.disclosures(HUB) if one["kind"] == "ESCALATION"]
    assert "`oak-dsl` (dsl) has not confirmed" in heard["because"][0]
    assert line.restart().ring(told["due_at"] + 1) == []


def test_a_clock_stopped_by_its_receipt_does_not_ring() -> None:
    line = a_told_line()
    (told,) = line.disclosures(SCHOOL)
    line.receipt(told, "READ")

    assert line.restart().ring(told["due_at"] + 1) == []


def test_a_bell_that_was_on_its_way_when_the_receipt_came_says_nothing() -> None:
    line = a_told_line()
    (told,) = line.disclosures(SCHOOL)
    (bell,) = list(line.task.due(told["due_at"]))
    line.receipt(told, "READ")
    line.feed_record(line.record(bell.value or b"", bell.key, stamped=False))

    assert line.audits()[-1]["others"] == "the clock had been stopped"


def test_a_worker_that_died_after_ringing_rings_again_and_the_hub_hears_it_once() -> None:
    line = a_told_line()
    (told,) = line.disclosures(SCHOOL)
    first = list(line.task.due(told["due_at"]))
    second = list(line.restart().task.due(told["due_at"]))
    for bell in (*first, *second):
        line.feed_record(line.record(bell.value or b"", bell.key, stamped=False))

    assert first == second
    assert len([one for one in line.disclosures(HUB) if one["kind"] == "ESCALATION"]) == 1


def test_a_hub_that_was_not_told_of_the_event_hears_no_word_of_it() -> None:
    line = ALine(a_policy(a_rule("school", "dsl", clock="1_working_day"))).take(on_roll(), an_event())
    line.ring(line.disclosures(SCHOOL)[0]["due_at"])

    (heard,) = line.disclosures(HUB)
    assert heard["event_type"] == "broker.alert.unconfirmed"
    assert SCHOOL not in heard["because"][0]


def test_a_hub_that_the_publisher_excludes_hears_no_escalation() -> None:
    """That an alert about this child is late would tell it that there is one (R11, I4)."""
    line = ALine(a_policy(a_rule("school", "dsl", clock="1_working_day")))
    line.take(on_roll(), an_event(excluded=(HUB,)))
    line.ring(line.disclosures(SCHOOL)[0]["due_at"])

    assert line.disclosures(HUB) == []
    assert line.audits()[-1]["others"].startswith("the clock ran out")


def test_the_hub_of_another_area_decides_nothing_about_this_child() -> None:
    registers = some_registers(keys=map(its_key, ("police:42", HUB, "south-hub")))
    south = Area(id="E10000031", name="South", hub=RecipientId("south-hub"))
    line = ALine(registers=replace(registers, areas={**registers.areas, "E10000031": south}))
    line.take(on_roll(), an_event(), a_retraction("e1", producer="urn:100001"))

    with pytest.raises(NotPermittedError, match="was not asked"):
        line.resolve(line.reviews()[0], by="south-hub")


def test_facts_and_ledger_of_a_merged_reference_are_handed_over_and_later_records_forwarded() -> None:
    line = ALine().take(on_roll(), an_event(), child="c-loser")
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")
    line.take(a_retraction("e1"), child="c-loser")

    assert line.facts("c-loser").merged_into == CHILD
    kinds = [one["kind"] for one in line.disclosures(SCHOOL)]
    assert kinds == ["ALERT", "RETRACTION"]


def test_at_is_kafkas_and_never_goes_back() -> None:
    line = ALine().take(on_roll())
    late = line.record(
        codec.encode("subject_record", {"kind": "EVENT", "child_ref": CHILD, "event": codec.encode_event(an_event())}),
        CHILD.encode(),
        timestamp=NOW - 5,
    )
    line.feed_record(late)

    assert line.audits()[-1]["at"] == line.audits()[0]["at"] > NOW - 5
