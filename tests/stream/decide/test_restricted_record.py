"""I8 safe-address: what a hospital's register restricts holds for all that any agency says of the child, before and after."""

from typing import Any

import pytest

from broker.core.model.event import Body, Event
from tests.connectors.contract import MemoryInHand
from tests.connectors.health.messages import message, pid, read
from tests.stream.decide.test_betrayal import a_protecting_policy
from tests.stream.lines import GP, SCHOOL, ALine, an_event, at_practice, on_roll

SECRET = "ZZ9 9ZZ"
PLACE: Body = {"location": {"postcode": SECRET, "place": "by the mill"}, "concern": {"grade": "high"}}


def hospital(*flags: str) -> list[Event]:
    """What comes of a registration and of changes with these words in PD1-12."""
    memory = MemoryInHand()
    events = read(message("A28", pid(), control="C0"), memory)[0]
    for number, flag in enumerate(flags, 1):
        events += read(message("A31", pid(), "PD1" + "|" * 12 + flag, control=f"C{number}"), memory)[0]
    return events


def kinds(line: ALine, recipient: str) -> list[str]:
    """The messages about what the police said: those about unknown kinds of event are the hub's gaps."""
    return [one["kind"] for one in line.disclosures(recipient)]


def holds_place(disclosure: dict[str, Any]) -> bool:
    return disclosure["location"] is not None


def test_who_was_told_where_is_told_to_delete_it_and_nobody_is_told_it_later() -> None:
    registered, *changed = hospital("Y")
    line = ALine().take(on_roll(), at_practice(), registered, an_event("before", body=PLACE))
    assert [holds_place(one) for one in line.disclosures(SCHOOL)] == [True]

    line.take(*changed)
    written = len(line.written)
    line.take(an_event("after", body=PLACE))

    (corrected,) = [one for one in line.disclosures(SCHOOL) if one["kind"] == "CORRECTION"]
    assert "delete" in " ".join(corrected["because"]).lower()
    assert kinds(line, SCHOOL) == ["ALERT", "CORRECTION", "ALERT"]
    assert kinds(line, GP) == ["ALERT", "CORRECTION", "ALERT"]
    assert not any(holds_place(one) for one in line.disclosures()[-2:])
    assert all(SECRET.encode() not in (one.value or b"") for one in line.written[written:] if one.topic.startswith("disclosures"))


def test_it_ends_when_the_hospital_says_so_and_not_by_its_silence() -> None:
    events = hospital("Y", "", "N")
    lifted = next(at for at, event in enumerate(events) if (event.control or {}).get("state") == "lifted")
    line = ALine().take(on_roll(), *events[:lifted], an_event("while", body=PLACE))
    line.take(*events[lifted:], an_event("later", body=PLACE))

    told = [one for one in line.disclosures(SCHOOL) if one["event_type"] == "police.encompass.notified"]
    assert [holds_place(one) for one in told] == [False, True]


@pytest.mark.parametrize(("code", "told"), [("U", True), ("R", False), ("V", False)])
def test_a_record_that_says_itself_restricted_carries_no_place_although_no_protection_is_known(code: str, told: bool) -> None:
    line = ALine().take(on_roll(), an_event(body=PLACE, confidentiality={"code": code, "source": "register"}))

    assert [holds_place(one) for one in line.disclosures(SCHOOL)] == [told]


def test_a_record_that_says_itself_restricted_is_protected_by_every_rule_that_protects() -> None:
    """Who says it can betray where: the rules cut that, too."""
    line = ALine(a_protecting_policy()).take(on_roll(), an_event("open"))
    line.take(an_event("restricted", body=PLACE, confidentiality={"code": "R", "source": "register"}))

    assert [one["producer"] for one in line.disclosures(SCHOOL)] == ["police:42", None]


def test_its_review_names_no_publisher_in_the_clear() -> None:
    """Everybody who lists reviews would read which hospital or practice it is."""
    line = ALine().take(an_event("gap", confidentiality={"code": "R", "source": "register"}))
    line.resolve(line.reviews()[0], "REJECT")

    assert [(one["kind"], one["state"], one["producer"], one["guarded"]) for one in line.reviews()] == [
        ("GAP", "OPEN", "", True),
        ("GAP", "RESOLVED", "", True),
    ]
