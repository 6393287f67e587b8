"""Which return may follow which: the council's own, of a year that can be, and how a person goes back from a wrong one."""

from dataclasses import replace

import pytest

from broker.core.model.event import Action, Event
from broker.errors import DeliveryError
from connectors.councils.cin_census import CinCensus
from tests.connectors.contract import MemoryInHand
from tests.connectors.councils.cin_files import a_child, a_return, an_episode
from tests.connectors.councils.test_cin_census import CASE, FULL, read


def test_another_councils_file_is_refused() -> None:
    memory = MemoryInHand()
    read(FULL, memory=memory)

    with pytest.raises(DeliveryError, match="council 302"):
        read(FULL.replace(b"<LEA>301", b"<LEA>302"), memory=memory)


@pytest.mark.parametrize(("year", "why"), [(2016, "before the first that is read"), (2028, "after next year"), (2062, "a typo")])
def test_a_collection_year_that_cannot_be_is_refused(year: int, why: str) -> None:
    """Accepted, it would have every right return after it refused as older."""
    with pytest.raises(DeliveryError, match=f"{year}, which is none of 2017 to 2027"):
        read(a_return(a_child("A", an_episode()), year=year))


@pytest.mark.parametrize("year", [2017, 2027])
def test_the_first_and_the_last_collection_year_are_read(year: int) -> None:
    assert read(a_return(a_child("A", an_episode()), year=year))[0].total() == 2


def kinds(memory: MemoryInHand, content: bytes, *, accept: bool = False) -> list[tuple[str, str]]:
    delivery = replace(CASE.delivery({"cin.xml": content}), accept_disappearances=accept)
    yielded = list(CASE.connector.read(delivery, memory))
    return [
        (one.header.action.value, one.body["identity"]["identifiers"][0]["value"]) for one in yielded if isinstance(one, Event)
    ]


def test_a_wrong_year_can_be_forgotten_and_the_comparison_goes_on() -> None:
    memory, connector = MemoryInHand(), CinCensus()
    children = [a_child(f"N{number}", an_episode()) for number in range(30)]
    kinds(memory, a_return(*children, at="2026-01-10T09:00:00"))
    kinds(memory, a_return(*children, a_child("B", an_episode()), year=2027, at="2026-01-11T09:00:00"))
    right = a_return(*children[1:], a_child("B", an_episode()), a_child("C", an_episode()), at="2026-01-12T09:00:00")
    with pytest.raises(DeliveryError, match="--forget-last"):
        read(right, memory=memory)

    assert "year 2026, as of 2026-01-10, of council 301" in (connector.last_accepted(memory) or "")
    connector.forget_last(memory)

    assert kinds(memory, right) == [("NEW", "C"), ("NEW", "C"), ("RETRACT", "N0"), ("RETRACT", "N0")]


def test_a_first_file_of_another_council_can_be_forgotten_and_what_it_said_is_taken_back() -> None:
    memory, connector = MemoryInHand(), CinCensus()
    kinds(memory, a_return(a_child("X", an_episode()), lea="999", at="2026-01-10T09:00:00"))
    right = a_return(a_child("A", an_episode()), at="2026-01-09T09:00:00")
    with pytest.raises(DeliveryError, match=r"council 301, this inbox has been of 999.*--forget-last"):
        read(right, memory=memory)

    connector.forget_last(memory)

    assert connector.last_accepted(memory) is None
    assert kinds(memory, right) == [("NEW", "A"), ("NEW", "A")]
    assert kinds(memory, right, accept=True) == [("RETRACT", "X"), ("RETRACT", "X")]


def test_an_older_return_is_refused() -> None:
    memory = MemoryInHand()
    read(FULL, memory=memory)

    with pytest.raises(DeliveryError, match="older"):
        read(FULL.replace(b"2026-01-10T09", b"2026-01-09T09"), memory=memory)


def test_a_return_without_a_child_is_no_first_return_after_which_a_whole_caseload_would_be_news() -> None:
    memory = MemoryInHand()

    events, rules = read(a_return(), memory=memory)

    assert (events, rules) == ({}, {"no-child": 1})
    assert memory.kept == {}


def test_everything_in_a_first_return_is_history() -> None:
    assert all(event.header.attributes == {"history": "yes"} for event in CASE.read()[0])
    assert all(event.header.action is Action.NEW for event in CASE.read()[0])
