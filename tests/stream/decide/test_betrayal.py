"""What betrays a protected place is deleted by everybody whom it was told before, whatever category it went in (I7, I8)."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.model.event import Body, Category
from broker.core.model.identifiers import RoleName
from broker.core.model.policy import Condition, Cut, Effect, Policy, Question, Rule
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


@pytest.mark.parametrize(("kind", "heard"), [*((one, "CORRECTION") for one in KINDS[:2]), (KINDS[2], "RETRACTION")])
def test_who_was_told_the_producer_is_told_to_delete_it_unless_the_rules_spare_them(kind: str, heard: str) -> None:
    line = a_line().take(a_protection(kind=kind))

    assert kinds(line, SCHOOL) == kinds(line, GP) == ["ALERT", heard]
    assert kinds(line, HUB) == ["ALERT"]


def test_unchecked_words_are_taken_back_from_whoever_the_place_rule_spares_too() -> None:
    unchecked = a_line(body={**CODED, "narrative": {"text": "stays at the refuge", "checked": False}}).take(a_protection())
    checked = a_line(body={**CODED, "narrative": {"text": "is well", "checked": True}}).take(a_protection())

    assert kinds(unchecked, HUB) == ["ALERT", "CORRECTION"]
    assert "free text" in unchecked.disclosures(HUB)[1]["because"][1]
    assert "who said it" not in unchecked.disclosures(HUB)[1]["because"][1]
    assert kinds(checked, HUB) == ["ALERT"]


def test_a_former_name_that_was_told_is_deleted_too() -> None:
    """I8: so is an old identity; today's decision would leave it out."""
    told = [a_rule("hub", "hub", categories=KNOWN | {Category.IDENTITY}), a_cut(Cut.PLACE), a_cut(Cut.FREE_TEXT)]
    former = {"given": "Wren", "family": "Before", "kind": "former"}
    line = ALine(a_policy(*told, a_cut(Cut.FORMER_IDENTITY, spare="")))
    line.take(an_event(body={**CODED, "identity": {"names": [former], "identifiers": []}}), a_protection())

    assert kinds(line, HUB) == ["ALERT", "CORRECTION"]
    assert "former names" in line.disclosures(HUB)[1]["because"][1]


def test_what_a_rule_keeps_back_beside_the_place_is_deleted_too() -> None:
    """What may be kept is what would be told today (I7)."""
    quiet = replace(a_cut(Cut.PLACE, spare=""), categories=frozenset({Category.NARRATIVE}))
    line = ALine(a_policy(a_rule("school", "dsl", categories=KNOWN), quiet, a_cut(Cut.FREE_TEXT, spare="")))
    line.take(on_roll(), an_event(body={**CODED, "narrative": {"text": "is well", "checked": True}}), a_protection())

    assert "narrative" in line.disclosures(SCHOOL)[1]["because"][1]
    assert line.disclosures(SCHOOL)[1]["because"][2] == "Keep what else it says: concern."


def test_what_was_told_under_a_protection_betrays_nothing_when_another_is_set() -> None:
    line = a_line().take(a_protection("first"))
    line.take(an_event("later", body=CODED), a_protection("second", "restricted_record"))

    assert kinds(line, SCHOOL) == ["ALERT", "CORRECTION", "ALERT"]


def test_a_correction_that_still_betrays_is_corrected_in_its_turn() -> None:
    line = a_line().take(an_update("e1", "e2", body={"concern": {"grade": "low"}}), a_protection())

    assert kinds(line, SCHOOL) == ["ALERT", "CORRECTION", "CORRECTION"]
    assert line.disclosures(SCHOOL)[2]["replaces"] == line.disclosures(SCHOOL)[1]["disclosure_id"]


def test_a_merge_takes_back_what_betrays_a_place_that_the_other_record_protects() -> None:
    line = a_line()
    line.take(a_protection(), child="c-loser")
    line.feed({"kind": "HANDOVER", "child_ref": "c-child"}, key=b"c-loser")

    assert (kinds(line, SCHOOL), kinds(line, HUB)) == (["ALERT", "CORRECTION"], ["ALERT"])
