"""Facts survive being stored, in equal bytes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.model.event import Category
from broker.core.model.facts import Agreement, Connection, Exclusion, Facts, Finding, Protection, Sent, Statement, Status
from broker.core.model.identifiers import ChildRef, EventId
from broker.core.model.verdict import Request
from broker.core.waiting.clocks import Clock
from broker.errors import StopError
from broker.stream.decide.facts_record import (
    VERSION,
    clocks_from_bytes,
    clocks_to_bytes,
    clocks_with,
    facts_from_bytes,
    facts_to_bytes,
    request_from_bytes,
    request_to_bytes,
)
from tests.stream.lines import an_event

WORDS = st.text(max_size=8)
INSTANTS = st.integers(0, 2**45)


def rows(of: type, **special: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(st.builds(of, **special), max_size=3).map(tuple)


FACTS = st.builds(
    Facts,
    child_ref=WORDS,
    version=INSTANTS,
    at=INSTANTS,
    connections=rows(Connection),
    statuses=rows(Status),
    protections=rows(Protection),
    findings=rows(Finding, recipients=st.frozensets(WORDS, max_size=2)),
    agreements=rows(Agreement),
    told=st.dictionaries(WORDS, WORDS, max_size=2),
    wishes=st.dictionaries(WORDS, WORDS, max_size=2),
    seen=st.dictionaries(WORDS, INSTANTS, max_size=2),
    cancelled=st.frozensets(WORDS, max_size=2),
    referrers=st.dictionaries(WORDS, WORDS, max_size=2),
    ledger=rows(Sent, categories=st.frozensets(st.sampled_from(Category))),
    holds=st.frozensets(WORDS, max_size=2),
    lanes=st.dictionaries(WORDS, INSTANTS, max_size=2),
    exclusions=rows(Exclusion),
    doubted=rows(Exclusion),
    statements=rows(Statement),
    roots=st.dictionaries(WORDS, WORDS, max_size=2),
    contents=st.dictionaries(WORDS, WORDS, max_size=2),
)


@pytest.mark.search
@given(FACTS)
def test_facts_read_back_as_they_were_written(facts: Facts) -> None:
    assert facts_from_bytes(facts_to_bytes(facts)) == facts


@pytest.mark.search
@given(FACTS)
def test_equal_facts_give_equal_bytes_after_a_restart(facts: Facts) -> None:
    stored = facts_to_bytes(facts)

    assert facts_to_bytes(facts_from_bytes(stored)) == stored


@pytest.mark.search
@given(FACTS)
def test_a_request_keeps_what_a_decision_reads_and_no_bookkeeping(facts: Facts) -> None:
    asked = Request(an_event(purpose="safeguarding").header, ("suspect",), facts)

    request, used = request_from_bytes(request_to_bytes(asked, {"present": ["concern"]}))

    read = request.facts
    assert used == {"present": ["concern"]}
    assert (request.header, request.parties) == (asked.header, asked.parties)
    assert (read.ledger, dict(read.seen), dict(read.lanes), read.statements, dict(read.roots)) == ((), {}, {}, (), {})
    assert (read.protections, read.findings, read.agreements) == (facts.protections, facts.findings, facts.agreements)
    assert (read.exclusions, read.doubted) == (facts.exclusions, facts.doubted)


@given(st.lists(st.builds(Clock), max_size=3).map(tuple))
def test_clocks_read_back_as_they_were_written(clocks: tuple[Clock, ...]) -> None:
    assert clocks_from_bytes(clocks_to_bytes(clocks)) == clocks


@given(st.lists(st.builds(Clock), max_size=3), st.lists(st.builds(Clock), min_size=1, max_size=3))
def test_clocks_that_are_added_give_the_bytes_of_all_of_them(running: list[Clock], started: list[Clock]) -> None:
    assert clocks_with(clocks_to_bytes(running), started) == clocks_to_bytes([*running, *started])


def test_a_field_that_older_bytes_lack_takes_its_default() -> None:
    older = VERSION + b'["child",3,4]'

    assert facts_from_bytes(older) == Facts(child_ref=ChildRef("child"), version=3, at=4)


def test_bytes_of_a_later_version_stop_the_worker_with_the_remedy() -> None:
    with pytest.raises(StopError, match="upgrade this worker"):
        facts_from_bytes(b"\x02[]")


def test_state_of_a_known_child_is_small() -> None:
    facts = Facts(
        child_ref=ChildRef("c" * 26),
        protections=(Protection(kind="safe_address", since=1, by="E10000030", event_id=EventId("e" * 36)),),
    )

    assert len(facts_to_bytes(facts)) < 210
