"""The reconciler finds whatever was lost, made up or counted twice, and nothing else (I2 nothing-vanishes)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.audit.books import Books
from broker.audit.pages import SIZE
from broker.core.account.balance import OUTCOMES, Balance, End, total
from broker.core.model.ports import Position

LANE = "events.police.v1/0"
BETWEEN = "subjects.v1/3"


def at(offset: int, lane: str = LANE) -> Position:
    return Position(lane, offset)


@dataclass
class Round:
    """One round of a reader: what was new of each topic since the last one, in the order in which it is read."""

    end: int = 0
    taken: int | None = None
    first: int = 0
    gaps: frozenset[int] = frozenset()
    committed: int = 0
    waits: list[tuple[bytes, list[int]]] = field(default_factory=list)
    reviews: list[tuple[str, int, bool]] = field(default_factory=list)
    on_their_way: dict[int, int] = field(default_factory=dict)  # offset on the way -> record
    ends: list[tuple[int, End]] = field(default_factory=list)

    def read(self, books: Books) -> Balance:
        with books.batch():
            books.begin({LANE: self.first}, {LANE: self.end if self.taken is None else self.taken})
            books.committed(BETWEEN, self.committed)
            for offset in range(max(self.first, books.next_offset(LANE)), self.end):
                if offset not in self.gaps:
                    books.accept(LANE, offset)
            books.read_to(LANE, self.end)
            books.accepted_to(LANE, self.end)
            for key, origins in self.waits:
                books.waits(key, map(at, origins))
            for name, record, is_open in self.reviews:
                books.review(name, at(record), is_open=is_open)
            for offset, record in self.on_their_way.items():
                books.on_its_way(BETWEEN, offset, at(record))
            for record, end in self.ends:
                books.end(at(record), end)
        (balance,) = books.balance()
        return balance


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    opened = Books(tmp_path / "books.sqlite", "log-1")
    yield opened
    opened.close()


def faults(balance: Balance) -> list[tuple[int, str]]:
    return [(fault.offset, fault.problem.split(":")[0]) for fault in balance.faults]


def test_every_way_to_end_is_counted_and_the_equation_balances(books: Books) -> None:
    ends = list(enumerate([End.DECIDED, End.APPLIED, End.DUPLICATE, End.LEFT_TO_PEOPLE, End.DEAD_LETTERED]))

    balance = Round(end=7, taken=6, ends=ends, reviews=[("r", 5, True)]).read(books)

    assert balance.balances
    assert balance.counts == {
        "decided": 1, "applied": 1, "duplicate": 1, "in_review": 2, "dead_lettered": 1, "in_flight": 1, "nowhere": 0,
    }  # fmt: skip
    assert total([balance])["accepted"] == 7


def test_a_lost_record_is_named_by_its_offset_and_a_gap_is_none(books: Books) -> None:
    balance = Round(end=4, gaps=frozenset({2}), ends=[(0, End.DECIDED), (3, End.DECIDED)]).read(books)

    assert balance.accepted == 3
    assert faults(balance) == [(1, "accepted and then nowhere")]


def test_an_end_without_a_record_is_a_fault_as_soon_as_the_offset_was_passed(books: Books) -> None:
    early = Round(end=1, ends=[(0, End.DECIDED), (1, End.DECIDED)]).read(books)
    passed = Round(end=3, gaps=frozenset({1}), ends=[(2, End.DECIDED)]).read(books)
    late = Round(end=4, gaps=frozenset({3}), ends=[(3, End.APPLIED)]).read(books)

    assert early.balances
    assert faults(passed) == [(1, "accounted for, but there is no such record")]
    assert [offset for offset, _ in faults(late)] == [1, 3]
    assert late.faults_in_all == 2


def test_two_different_final_ends_of_one_record_are_a_fault_and_the_same_one_again_is_not(books: Books) -> None:
    again = Round(end=1, ends=[(0, End.DECIDED), (0, End.DECIDED)]).read(books)
    torn = Round(end=1, ends=[(0, End.DUPLICATE)]).read(books)

    assert (again.balances, again.counts["decided"]) == (True, 1)
    assert torn.faults[0].problem == "accounted for twice: decided and duplicate"


def test_a_record_is_in_flight_as_long_as_something_of_it_is_on_its_way(books: Books) -> None:
    unread = Round(end=1, taken=0).read(books)
    on_its_way = Round(end=1, on_their_way={10: 0, 12: 0}).read(books)
    half = Round(end=1, committed=11).read(books)
    lost = Round(end=1, committed=13).read(books)

    assert [one.counts["in_flight"] for one in (unread, on_its_way, half, lost)] == [1, 1, 1, 0]
    assert (unread.balances, half.balances, lost.balances) == (True, True, False)


def test_what_was_on_its_way_before_the_round_that_accepts_it_is_not_in_flight_for_ever(books: Books) -> None:
    ahead = Round(end=0, on_their_way={0: 0}).read(books)
    gone = Round(end=0, committed=1).read(books)
    lost = Round(end=1, committed=1).read(books)

    assert (ahead.accepted, gone.accepted) == (0, 0)
    assert faults(lost) == [(0, "accepted and then nowhere")]


def test_a_record_that_waits_in_state_for_an_answer_is_in_flight_until_the_state_names_it_no_more(books: Books) -> None:
    waiting = Round(end=2, waits=[(b"key", [0, 1])]).read(books)
    forwarded = Round(end=2, waits=[(b"key", [1])], on_their_way={7: 0}).read(books)
    vanished = Round(end=2, waits=[(b"key", [])], ends=[(0, End.DECIDED)]).read(books)

    assert [one.counts["in_flight"] for one in (waiting, forwarded, vanished)] == [2, 2, 0]
    assert faults(vanished) == [(1, "accepted and then nowhere")]


def test_a_record_is_in_review_until_the_last_of_its_reviews_is_closed(books: Books) -> None:
    both = Round(end=1, reviews=[("r1", 0, True), ("r2", 0, True)]).read(books)
    one = Round(end=1, reviews=[("r1", 0, False)]).read(books)
    none = Round(end=1, reviews=[("r2", 0, False)]).read(books)
    decided = Round(end=1, ends=[(0, End.DECIDED)]).read(books)

    assert [found.counts["in_review"] for found in (both, one, none, decided)] == [1, 1, 0, 0]
    assert (one.balances, none.balances, decided.balances) == (True, False, True)


def test_what_a_person_rejected_stays_with_people(books: Books) -> None:
    balance = Round(end=1, reviews=[("r", 0, True), ("r", 0, False)], ends=[(0, End.LEFT_TO_PEOPLE)]).read(books)

    assert (balance.balances, balance.counts["in_review"]) == (True, 1)


def test_records_before_the_range_of_other_topics_and_without_origin_are_left_alone(books: Books) -> None:
    with books.batch():
        books.begin({LANE: 10}, {LANE: 10})
        books.end(at(3), End.DECIDED)
        books.end(at(11, "receipts.v1/0"), End.APPLIED)
        books.end(None, End.APPLIED)
        books.waits(b"key", [at(4)])

    (balance,) = books.balance()

    assert (balance.first, balance.accepted, balance.balances) == (10, 0, True)


def test_what_kafka_no_longer_holds_leaves_the_books_with_its_faults(books: Books) -> None:
    lost = [offset for offset in range(3 * SIZE) if offset % 1_000 == 0]
    ends = [(offset, End.DECIDED) for offset in range(3 * SIZE) if offset % 1_000]
    before = Round(end=3 * SIZE, ends=ends).read(books)
    after = Round(end=3 * SIZE, first=2 * SIZE + 5).read(books)

    left = [offset for offset in lost if offset >= 2 * SIZE]
    assert before.faults_in_all == len(lost)
    assert (after.first, after.accepted, after.faults_in_all) == (2 * SIZE, SIZE, len(left))
    assert [fault.offset for fault in after.faults] == left


def test_books_of_another_log_and_damaged_ones_are_begun_again(tmp_path: Path) -> None:
    file = tmp_path / "books.sqlite"
    first = Books(file, "log-1")
    Round(end=5).read(first)
    first.close()
    same, kept = Books(file, "log-1"), 0
    kept = same.balance()[0].accepted
    same.close()
    other = Books(file, "log-2")
    found = other.balance()
    other.close()
    file.write_bytes(b"garbage " * 1_000)
    damaged = Books(file, "log-2")

    assert (kept, found) == (5, [])
    assert Round(end=2).read(damaged).accepted == 2
    damaged.close()


RECORDS = st.integers(0, 11)
STEPS = st.one_of(
    st.tuples(st.just("accept"), st.integers(0, 3)),
    st.tuples(st.just("take"), st.integers(0, 3)),
    st.tuples(st.just("end"), RECORDS, st.sampled_from([*OUTCOMES.values(), End.DEAD_LETTERED])),
    st.tuples(st.just("review"), RECORDS, st.booleans()),
    st.tuples(st.just("waits"), RECORDS, st.booleans()),
    st.tuples(st.just("send"), RECORDS, st.booleans()),
    st.tuples(st.just("commit"), st.integers(0, 3)),
    st.tuples(st.just("look")),
)


class _Log:
    """A log that grows by steps, read all at once or a little at a time."""

    def __init__(self) -> None:
        self.end = self.taken = self.committed = 0
        self.events: list[tuple[str, int, object]] = []
        self.sent: list[int] = []

    def grow(self, step: tuple[object, ...]) -> None:
        kind, number, said = (*step, 0, 0)[:3]
        assert isinstance(number, int)
        if kind == "accept":
            self.end += number
        elif kind == "take":
            self.taken = min(self.end, self.taken + number)
        elif kind == "send":
            self.sent.append(number)
        elif kind == "commit":
            self.committed = min(len(self.sent), self.committed + number)
        elif number < self.end:
            self.events.append((str(kind), number, said))

    def since(self, seen: tuple[int, int]) -> Round:
        """Return what a reader that saw so many events and sent records has to read now."""
        events, sent = self.events[seen[0] :], dict(enumerate(self.sent))
        return Round(
            end=self.end,
            taken=self.taken,
            committed=self.committed,
            waits=[(b"%d" % one, [one] if said else []) for kind, one, said in events if kind == "waits"],
            reviews=[(str(one), one, bool(said)) for kind, one, said in events if kind == "review"],
            on_their_way={offset: one for offset, one in sent.items() if offset >= max(seen[1], self.committed)},
            ends=[(one, said) for kind, one, said in events if kind == "end" and isinstance(said, End)],
        )


@pytest.mark.search
@settings(max_examples=400, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_books_kept_little_by_little_say_what_books_made_afresh_say(steps: list[tuple[object, ...]]) -> None:
    log, kept, seen = _Log(), Books(None, "log"), (0, 0)
    for step in [*steps, ("look",)]:
        log.grow(step)
        if step[0] == "look":
            little = log.since(seen).read(kept)
            seen = len(log.events), len(log.sent)
            afresh = Books(None, "log")
            assert little == log.since((0, 0)).read(afresh)
            assert little.accepted == log.end
            afresh.close()
    kept.close()
