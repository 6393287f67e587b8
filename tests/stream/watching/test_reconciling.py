"""At no moment is there a record of which the log does not say where it is (I2 nothing-vanishes)."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.audit.books import Books
from broker.core.account.balance import Balance
from broker.core.model.event import Event
from broker.core.model.ports import Record
from broker.stream.topics import AUDIT, CANDIDATES, IDENTITIES, REVIEWS, SUBJECTS
from broker.stream.watching.reconcile_reader import note
from tests.stream.identify_runner import Runner, record_of
from tests.stream.people import NHS, UPN, attended, enrolled, notified, registered

LANE = "events.tests.v1/0"
CHILD = {"given": "Alfie", "family": "Marsh", "postcode": "ES1 2AB"}
# Claims are asked and answered; one identifier stands under two birth dates; one notice is about nobody.
STORY = (
    enrolled(event_id="enrolled", upn=UPN[0], **CHILD),
    registered(event_id="patient", nhs=NHS[0], **CHILD),
    registered(event_id="other", nhs=NHS[0], birth_date="2016-05-04", given="Noah", family="Reed", postcode="ES9 9ZZ"),
    notified(event_id="notice", **CHILD),
    notified(event_id="nobody", given="Jo", family="Winter", postcode="ES3 3CC"),
    attended(event_id="visit", nhs=NHS[0], **CHILD),
)


def records(runner: Runner) -> Iterator[Record]:
    """Walk what a reader of the log sees, in the order in which the reconciler reads."""
    for (topic, _), states in runner.states.items():
        if topic == IDENTITIES:
            yield from states
    written = [record_of(one, 0, at) for at, one in enumerate(runner.written)]
    yield from (one for one in written if one.topic == REVIEWS)
    for partition, log in runner.log.items():
        yield from log[runner.done.get(partition, 0) :]
    yield from (one for one in written if one.topic == SUBJECTS)
    yield from (record_of(one, 0, at) for at, one in enumerate(runner.audit))


def balance(runner: Runner) -> Balance:
    books = Books(None, "log")
    with books.batch():
        books.begin({LANE: 0}, {LANE: runner.published})
        for offset in range(runner.published):
            books.accept(LANE, offset)
        books.accepted_to(LANE, runner.published)
        for record in records(runner):
            note(books, record)
    (found,) = books.balance()
    books.close()
    return found


@pytest.mark.search
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(order=st.permutations(STORY), seed=st.integers(0, 2**32), partitions=st.integers(1, 4))
def test_after_every_chunk_every_event_is_somewhere(order: list[Event], seed: int, partitions: int) -> None:
    chance = random.Random(seed)
    runner = Runner(partitions=partitions)
    for event in order:
        runner.publish(event)
    while ready := [one for one in sorted(runner.log) if runner.done.get(one, 0) < len(runner.log[one])]:
        partition = chance.choice(ready)
        begin = runner.done.get(partition, 0)
        chunk = runner.log[partition][begin : begin + chance.randint(1, 3)]
        runner.write(partition, runner.step(partition, chunk))
        written = balance(runner)
        runner.done[partition] = begin + len(chunk)
        committed = balance(runner)

        assert (written.faults, committed.faults) == ((), ())
        assert committed.accepted == len(STORY)


def test_an_event_whose_identifiers_are_asked_for_is_in_flight_meanwhile() -> None:
    runner = Runner(partitions=1)
    runner.publish(STORY[0], STORY[3])
    chunk = runner.log[0][:2]
    runner.write(0, runner.step(0, chunk))
    runner.done[0] = 2

    assert {one.topic for one in runner.written} == {CANDIDATES}, "only the claim was written: it says nothing of the two events"
    assert balance(runner).counts["in_flight"] == 2
    assert AUDIT not in {one.topic for one in runner.written}
