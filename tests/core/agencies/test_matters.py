"""Matters: each referral with its referrer, open until it is answered (R22)."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.agencies import matters
from broker.core.model.event import Event
from broker.core.model.facts import Facts
from broker.core.model.identifiers import ChildRef, EventId
from tests.core.values import SCHOOL, an_event, area

NOTHING = Facts(child_ref=ChildRef("c"), home_area="E10000001")


def opened(*names: str, by: str = SCHOOL) -> Facts:
    facts = NOTHING
    for name in names:
        facts = replace(facts, **matters.opened(facts, an_event("school.concern.raised", event_id=EventId(name)), by))
    return facts


def closing(name: str, which: str | None = None) -> Event:
    return an_event("council.referral.outcome", event_id=EventId(name), control={"concerns_event": which} if which else None)


def closed(facts: Facts, *events: Event) -> Facts:
    for event in events:
        facts = replace(facts, **matters.closed(facts, event))
    return facts


def test_what_is_not_said_of_one_referral_is_said_of_those_that_wait_and_then_of_those_that_closed_last() -> None:
    three = opened("a", "b", "c")
    said = an_event("council.referral.decided")

    assert set(matters.meant(closed(three, closing("o", "a")), said, area()).referrers) == {"b"}, "of several strangers the first"
    assert set(matters.meant(closed(three, closing("o", "a"), closing("p")), said, area()).referrers) == {"b"}
    assert set(matters.meant(three, closing("o", "c"), area()).referrers) == {"c"}
    assert not matters.is_open(closed(three, closing("p")))
    assert matters.is_open(closed(three, closing("o", "b")))


def test_only_the_last_closed_matters_are_kept_and_every_open_one_is() -> None:
    names = [f"m{number}" for number in range(30)]
    facts = closed(opened(*names, "open"), *(closing(f"o{one}", one) for one in names))

    assert len(facts.referrers) == 17
    assert {"open", "m29", "m14"} <= set(facts.referrers)
    assert "m13" not in facts.referrers
    assert facts.referrers.keys() == facts.matters.keys()


@pytest.mark.parametrize("turned", [False, True])
def test_what_one_of_two_records_of_a_child_knows_to_be_closed_is_closed(turned: bool) -> None:
    one, other = closed(opened("a", "b"), closing("o", "a")), opened("a", "c", by="ods:RX001")
    joined: dict[str, Any] = matters.joined(*((other, one) if turned else (one, other)))

    assert joined["matters"] == {"a": "o", "b": "", "c": ""}
    assert joined["referrers"].keys() == {"a", "b", "c"}


def test_a_matter_is_found_by_any_version_of_its_referral() -> None:
    facts = replace(opened("a"), roots={EventId("a2"): EventId("a"), EventId("a3"): EventId("a")})
    late = replace(opened("b2"), roots={EventId("b2"): EventId("b")})  # its first version came after it

    assert [matters.matter_of(facts, one) for one in ("a", "a2", "a3", "x")] == ["a", "a", "a", None]
    assert matters.matter_of(late, "b") == "b2"
