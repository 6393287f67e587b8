"""The reconciler finds whatever was lost, made up or counted twice, and nothing else (I2 nothing-vanishes)."""

from hypothesis import given
from hypothesis import strategies as st

from broker.audit.reconcile import OUTCOMES, Books, End, total
from broker.core.ports import Position

TOPIC = "events.police.v1"
LANE = f"{TOPIC}/0"


def books(end: int, first: int = 0) -> Books:
    found = Books({(TOPIC, 0): (first, end)})
    for offset in range(first, end):
        found.accept(TOPIC, 0, offset)
    return found


def test_every_way_to_end_is_counted_and_the_equation_balances() -> None:
    log = books(6)
    for offset, end in enumerate([End.DECIDED, End.APPLIED, End.DUPLICATE, End.IN_REVIEW, End.DEAD_LETTERED]):
        log.end(Position(LANE, offset), end)
    log.unread(TOPIC, 0, 5)

    (balance,) = log.balance()

    assert balance.balances
    assert balance.counts == {
        "decided": 1, "applied": 1, "duplicate": 1, "in_review": 1, "dead_lettered": 1, "in_flight": 1, "nowhere": 0,
    }  # fmt: skip
    assert total([balance])["accepted"] == 6


def test_a_lost_record_is_named_by_its_offset() -> None:
    log = books(3)
    log.end(Position(LANE, 0), End.DECIDED)
    log.end(Position(LANE, 2), End.DECIDED)

    (balance,) = log.balance()

    assert not balance.balances
    assert [(fault.offset, fault.problem[:8]) for fault in balance.faults] == [(1, "accepted")]


def test_an_audit_entry_for_a_record_that_never_was_is_a_fault() -> None:
    log = Books({(TOPIC, 0): (0, 2)})
    log.accept(TOPIC, 0, 0)
    log.end(Position(LANE, 0), End.DECIDED)
    log.end(Position(LANE, 1), End.DECIDED)

    (balance,) = log.balance()

    assert [(fault.offset, fault.problem) for fault in balance.faults] == [(1, "accounted for, but there is no such record")]


def test_two_different_final_ends_of_one_record_are_a_fault() -> None:
    log = books(1)
    log.end(Position(LANE, 0), End.DECIDED)
    log.end(Position(LANE, 0), End.DUPLICATE)

    (balance,) = log.balance()

    assert "accounted for twice: decided and duplicate" in balance.faults[0].problem


def test_the_same_end_written_again_after_a_crash_counts_once() -> None:
    log = books(1)
    log.end(Position(LANE, 0), End.DECIDED)
    log.end(Position(LANE, 0), End.DECIDED)

    (balance,) = log.balance()

    assert balance.balances
    assert balance.counts["decided"] == 1


def test_what_a_person_resolved_is_no_longer_in_review() -> None:
    log = books(1)
    log.end(Position(LANE, 0), End.IN_REVIEW)
    log.end(Position(LANE, 0), End.DECIDED)

    (balance,) = log.balance()

    assert balance.balances
    assert (balance.counts["in_review"], balance.counts["decided"]) == (0, 1)


def test_records_before_the_range_and_without_origin_are_left_alone() -> None:
    log = books(12, first=10)
    log.end(Position(LANE, 3), End.DECIDED)
    log.end(Position("receipts.v1/0", 11), End.APPLIED)
    log.end(None, End.APPLIED)
    log.unread(TOPIC, 0, 4)

    (balance,) = log.balance()

    assert balance.counts["in_flight"] == 2


@given(st.lists(st.sampled_from([*OUTCOMES.values(), End.DEAD_LETTERED, End.IN_FLIGHT, End.NOWHERE]), max_size=40))
def test_whatever_happens_the_terms_add_up_and_each_loss_is_named(ends: list[End]) -> None:
    log = books(len(ends))
    for offset, end in enumerate(ends):
        log.end(Position(LANE, offset), end)

    (balance,) = log.balance()

    assert balance.accepted == len(ends)
    assert [fault.offset for fault in balance.faults] == [offset for offset, end in enumerate(ends) if end is End.NOWHERE]


def test_a_closed_review_holds_its_record_no_more() -> None:
    log = books(3)
    for offset in range(3):
        log.review(Position(LANE, offset), is_open=True)
    log.review(Position(LANE, 1), is_open=False)
    log.review(Position(LANE, 2), is_open=False)
    log.end(Position(LANE, 2), End.IN_FLIGHT)

    (balance,) = log.balance()

    assert (balance.counts["in_review"], balance.counts["in_flight"]) == (1, 1)
    assert [fault.offset for fault in balance.faults] == [1]
