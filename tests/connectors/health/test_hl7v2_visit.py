"""Visits, and what takes them back."""

import pytest

from broker.core.model.event import Action
from tests.connectors.contract import MemoryInHand
from tests.connectors.health.messages import message, pid, read, visit


@pytest.mark.parametrize(("said", "cancelled"), [("A01", "A11"), ("A04", "A11"), ("A03", "A13")])
def test_a_cancellation_takes_back_what_the_visit_said(said: str, cancelled: str) -> None:
    kind = "I" if said == "A01" else "E"
    memory = MemoryInHand()
    (first,) = read(message(said, pid(), visit(kind)), memory)[0]

    (back,) = read(message(cancelled, pid(), visit(kind), control="C2"), memory)[0]

    assert (back.header.action, back.header.supersedes) == (Action.RETRACT, first.header.event_id)
    assert back.header.event_type == first.header.event_type
    assert read(message(cancelled, pid(), visit(kind), control="C3"), memory)[1][0].rule == "nothing_to_cancel"


@pytest.mark.parametrize(
    ("trigger", "kind", "method", "said", "why"),
    [
        ("A01", "I", "21", {"unscheduled": "yes"}, "by the emergency department"),
        ("A01", "I", "2a", {"unscheduled": "yes"}, "by that of another hospital"),
        ("A01", "I", "E", {"unscheduled": "yes"}, "as HL7 itself says it"),
        ("A01", "I", "11", {}, "from the waiting list"),
        ("A01", "I", "", {}, "nobody says so"),
        ("A04", "E", "21", {}, "a visit to the emergency department is unscheduled anyway"),
    ],
)
def test_an_admission_says_that_it_was_an_emergency(trigger: str, kind: str, method: str, said: dict[str, str], why: str) -> None:
    (event,) = read(message(trigger, pid(), f"PV1|1|{kind}||{method}{'|' * 15}V1"))[0]

    assert event.header.attributes == said, why


def test_a_visit_is_taken_back_step_by_step_and_a_cancellation_sent_twice_once() -> None:
    """The attendance and the admission that followed it are of one visit."""
    memory = MemoryInHand()
    attended, admitted = read(message("A04", pid(), visit("E")) + message("A01", pid(), visit("I"), control="C2"), memory)[0]
    first, second = message("A11", pid(), visit("I"), control="C3"), message("A11", pid(), visit("I"), control="C4")

    backs = [*read(first, memory)[0], *read(first, memory)[0], *read(second, memory)[0]]

    assert [back.header.supersedes for back in backs] == [
        admitted.header.event_id,
        admitted.header.event_id,
        attended.header.event_id,
    ]
    assert backs[0].header.event_id == backs[1].header.event_id
    assert [back.header.event_type for back in backs[1:]] == ["health.admitted", "health.ed.attended"]
    assert read(message("A11", pid(), visit("I"), control="C5"), memory)[1][0].rule == "nothing_to_cancel"


def test_what_is_remembered_of_a_visit_does_not_grow_for_ever() -> None:
    memory = MemoryInHand()
    for number in range(50):
        read(message("A04", pid(), visit("E"), control=f"C{number}"), memory)

    assert sum(len(value) for value in memory.kept.values()) < 3_000
