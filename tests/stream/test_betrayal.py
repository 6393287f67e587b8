"""What betrays a protected place is taken back from everybody whom it was told before, whatever category it went in (I7, I8)."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.event import Body, Category
from broker.core.identifiers import RoleName
from broker.core.policy import Condition, Cut, Effect, Policy, Question, Rule
from tests.stream.lines import GP, HUB, SCHOOL, ALine, a_policy, a_protection, a_rule, an_event, an_update, at_practice, on_roll

KINDS = ("safe_address", "restricted_record", "identity_changed")
KNOWN = frozenset({Category.EXISTENCE, Category.CONCERN, Category.NARRATIVE})
CODED: Body = {"concern": {"grade": "high"}}


def a_cut(cut: Cut, spare: str = "hub") -> Rule:
    protected = Condition(Question.PROTECTION, values=frozenset(KINDS))
    spares = frozenset({RoleName(spare)}) if spare else frozenset()
    rule = a_rule(f"cut-{cut}", "dsl", effect=Effect.WITHHOLD, when=(protected,), categories=frozenset(), basis=None)
    return replace(rule, to=frozenset(), cut=frozenset({cut}), spare=spares)


def a_protecting_policy() -> Policy:
    told = [a_rule(to, to, categories=KNOWN, if_nobody="nothing") for to in ("dsl", "gp", "hub")]
    return a_policy(*told, a_cut(Cut.PLACE), a_cut(Cut.FREE_TEXT, spare=""))


def a_line(**said: Any) -> ALine:
    return ALine(a_protecting_policy()).take(on_roll(), at_practice(), an_event(**{"body": CODED, **said}))


def kinds(line: ALine, recipient: str) -> list[str]:
    return [one["kind"] for one in line.disclosures(recipient)]


@pytest.mark.parametrize("kind", KINDS)
def test_who_was_told_the_producer_is_told_to_stop_using_it_unless_the_rules_spare_them(kind: str) -> None:
    line = a_line().take(a_protection(kind=kind))

    assert kinds(line, SCHOOL) == kinds(line, GP) == ["ALERT", "RETRACTION"]
    assert kinds(line, HUB) == ["ALERT"]


def test_unchecked_words_are_taken_back_from_whoever_the_place_rule_spares_too() -> None:
    unchecked = a_line(body={**CODED, "narrative": {"text": "stays at the refuge", "checked": False}}).take(a_protection())
    checked = a_line(body={**CODED, "narrative": {"text": "is well", "checked": True}}).take(a_protection())

    assert kinds(unchecked, HUB) == ["ALERT", "RETRACTION"]
    assert kinds(checked, HUB) == ["ALERT"]


def test_what_was_told_under_a_protection_betrays_nothing_when_another_is_set() -> None:
    line = a_line().take(a_protection("first"))
    line.take(an_event("later", body=CODED), a_protection("second", "restricted_record"))

    assert kinds(line, SCHOOL) == ["ALERT", "RETRACTION", "ALERT"]


def test_a_correction_that_still_betrays_is_taken_back_in_its_turn() -> None:
    line = a_line().take(an_update("e1", "e2", body={"concern": {"grade": "low"}}), a_protection())

    assert kinds(line, SCHOOL) == ["ALERT", "CORRECTION", "RETRACTION"]
    assert line.disclosures(SCHOOL)[2]["replaces"] == line.disclosures(SCHOOL)[1]["disclosure_id"]


def test_a_merge_takes_back_what_betrays_a_place_that_the_other_record_protects() -> None:
    line = a_line()
    line.take(a_protection(), child="c-loser")
    line.feed({"kind": "HANDOVER", "child_ref": "c-child"}, key=b"c-loser")

    assert (kinds(line, SCHOOL), kinds(line, HUB)) == (["ALERT", "RETRACTION"], ["ALERT"])
