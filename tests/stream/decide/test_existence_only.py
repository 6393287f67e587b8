"""What a publisher shares as existence only is told, confirmed, escalated and corrected like any alert, without content (R6)."""

from typing import Any

import pytest

from broker import codec
from broker.core.account.explain import explain_entry
from broker.core.account.tell import heading, tell
from broker.core.deciding.tables import EXISTENCE_ONLY
from broker.core.model.event import Body, Category, Event, SharingMode, ToldFamily
from broker.core.model.identifiers import EventId
from broker.core.model.policy import Condition, Question
from broker.sealing.reviews import open_event
from tests.stream.lines import (
    GP,
    HUB,
    NOTICE,
    SCHOOL,
    SECRETS,
    ALine,
    a_policy,
    a_retraction,
    a_rule,
    an_event,
    an_update,
    at_practice,
    on_roll,
)  # fmt: skip

CONTENT, EXISTENCE = SharingMode.CONTENT, SharingMode.EXISTENCE
WHAT = Body(
    identity={"names": [{"given": "Ada", "family": "Wexwick", "kind": "usual"}], "birth_date": "2017-01-15"},
    concern={"grade": "high"},
    location={"postcode": "ZZ1 1ZZ"},
)
SECRETS_OF_IT = (b"ZZ1 1ZZ", b"high")
GROUPS = ("contact", "location", "concern", "narrative", "clinical", "intelligence", "third_party", "wish")
ALWAYS = Condition(Question.EVENT, values=frozenset({NOTICE}))
UNSURE = Condition(Question.ATTRIBUTE, name="seen_by_doctor", values=frozenset({"yes"}))
KNOWN = frozenset({Category.EXISTENCE, Category.IDENTITY, Category.CONCERN})


def said(mode: SharingMode, name: str = "e1", of: str = "", **more: Any) -> Event:
    header = {"body": WHAT, "contact_point": "desk 3", "occurred_at": "2026-09-20", "sharing_mode": mode, **more}
    return an_update(of, name, **header) if of else an_event(name, **header)


def content(disclosure: dict[str, Any]) -> set[str]:
    return {group for group in GROUPS if disclosure[group]}


def test_who_is_asked_to_act_gets_the_alert_with_its_clock_who_it_is_and_whom_to_ask_and_no_content() -> None:
    whole, least = ((ALine().take(on_roll(), said(mode)).disclosures(SCHOOL)[0]) for mode in (CONTENT, EXISTENCE))

    for name in ("due_at", "rules", "lawful_basis", "gateway", "obligations", "role", "producer", "contact_point", "identity"):
        assert least[name] == whole[name], name
    assert least["due_at"] is not None
    assert content(whole) == {"concern", "location"}
    assert content(least) == set()
    assert (least["kind"], least["occurred_at"]) == ("EXISTENCE", None)


def test_it_says_in_words_that_there_is_more_and_whom_to_ask() -> None:
    (least,) = ALine().take(on_roll(), said(EXISTENCE)).disclosures(SCHOOL)
    lines = dict(tell(least))

    assert heading(least) == f"THERE IS SOMETHING  {NOTICE}"
    assert lines["why you"] == (
        "The dsl needs to know. The publisher lets it be known only that it holds something restricted and whom to ask, "
        "and nothing of what it says."
    )
    assert (lines["said by"], lines["ask"]) == ("police:42", "desk 3")
    assert lines["child"].startswith("Ada Wexwick")


def test_an_event_that_holds_nothing_and_one_that_holds_much_are_told_alike() -> None:
    """I4: the sentence is the publisher's mode, not a sign that something was cut out."""
    bare = said(EXISTENCE, body=Body(identity=WHAT["identity"]))
    one, other = (list(ALine().take(on_roll(), event).visible_to(SCHOOL)) for event in (bare, said(EXISTENCE)))

    assert one == other


def test_nothing_of_the_content_is_in_anything_that_a_recipient_can_read() -> None:
    line = ALine().take(on_roll(), at_practice(), said(EXISTENCE))

    for recipient in (SCHOOL, GP, HUB):
        seen = repr(list(line.visible_to(recipient))).encode()
        assert seen != b"[]"
        assert not any(secret in seen for secret in SECRETS_OF_IT)


def test_a_later_version_with_content_gives_the_rest_as_a_correction() -> None:
    line = ALine().take(on_roll(), said(EXISTENCE), said(CONTENT, "e2", of="e1"))
    first, second = line.disclosures(SCHOOL)

    assert (second["kind"], second["replaces"]) == ("CORRECTION", first["disclosure_id"])
    assert content(second) == {"concern", "location"}
    assert EXISTENCE_ONLY.because not in second["because"]


def test_a_later_version_with_existence_only_takes_the_content_back_and_says_what_to_delete() -> None:
    line = ALine().take(on_roll(), said(CONTENT), said(EXISTENCE, "e2", of="e1"))
    first, second = line.disclosures(SCHOOL)

    assert (second["kind"], second["replaces"]) == ("CORRECTION", first["disclosure_id"])
    assert content(second) == set()
    assert second["contact_point"] == "desk 3"
    assert second["because"][-1].startswith("In every copy of the earlier message, delete now: every place; ")
    assert second["due_at"] is not None


def test_the_same_again_says_nothing_twice_and_a_retraction_takes_it_back() -> None:
    line = ALine().take(on_roll(), said(EXISTENCE), said(EXISTENCE, "e2", of="e1"))
    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["EXISTENCE"]

    line.take(a_retraction("e2"))
    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["EXISTENCE", "RETRACTION"]


def test_its_bell_rings_as_for_any_alert() -> None:
    def heard(mode: SharingMode) -> list[tuple[str, str, int | None]]:
        line = ALine().take(on_roll(), said(mode))
        line.ring(line.disclosures(SCHOOL)[0]["due_at"])
        return [(one["recipient"], one["kind"], one["due_at"]) for one in line.disclosures() if one["kind"] == "ESCALATION"]

    assert heard(EXISTENCE) == heard(CONTENT) != []


def test_where_nobody_fills_the_role_the_hub_hears_the_gap_and_reads_who_the_child_is() -> None:
    rules = a_rule("school", "dsl", clock="1_working_day"), a_rule("answerable", "hub", categories=KNOWN)
    line = ALine(a_policy(*rules)).take(said(EXISTENCE))
    (gap,) = [one for one in line.reviews() if one["kind"] == "GAP"]
    shown = codec.decode_event(open_event(SECRETS, gap["review_id"], gap["sealed_event"]))

    assert sorted(one["kind"] for one in line.disclosures(HUB)) == ["EXISTENCE", "GAP"]
    assert gap["due_at"] is not None
    assert set(shown.body) == {"identity"}
    assert shown.header.contact_point == "desk 3"
    assert shown.header.sharing_mode is EXISTENCE


@pytest.mark.parametrize(("kind", "first"), [("ASK", ()), ("HOLD", (an_event("odd", "control.protection", body=Body()),))])
def test_whoever_is_asked_about_it_reads_no_content_and_is_asked_about_none(kind: str, first: tuple[Event, ...]) -> None:
    """A question is no way round what its publisher keeps."""
    asks = a_rule("maybe", "gp", when=(ALWAYS, UNSURE), categories=KNOWN, ask="hub")
    line = ALine(a_policy(a_rule("answerable", "hub"), asks)).take(on_roll(), at_practice(), *first, said(EXISTENCE))
    review = next(one for one in reversed(line.reviews()) if one["kind"] == kind)
    shown = codec.decode_event(open_event(SECRETS, review["review_id"], review["sealed_event"]))

    assert review["for_recipient"] == HUB
    assert set(shown.body) == {"identity"}
    assert "concern" not in review["why"]


def test_the_audit_says_who_was_told_no_more_and_why() -> None:
    line = ALine().take(on_roll(), said(EXISTENCE))
    entry = next(one for one in line.audits() if one["event_id"] == EventId("e1"))
    story = explain_entry(entry, width=None)

    assert "because the publisher lets it be known only that it holds something restricted and whom to ask" in story
    assert "[existence-only]" in story
    (school,) = [one for one in entry["decisions"] if one["recipient"] == SCHOOL]
    assert {"concern", "location"} <= set(school["withheld"])


def test_nor_when_it_was_and_why_the_family_was_not_told_where_it_is_in_question_itself() -> None:
    """Whoever judges a held event reads its header too, and that holds content."""
    why = {"told_family": ToldFamily.NOT_SAFE, "told_family_reason": "he opens the post", "attributes": {"met": "yes"}}
    line = ALine().take(on_roll(), an_event("odd", "control.protection", body=Body()), said(EXISTENCE, **why))
    review = next(one for one in reversed(line.reviews()) if one["kind"] == "HOLD")
    shown = codec.decode_event(open_event(SECRETS, review["review_id"], review["sealed_event"])).header

    assert (shown.occurred_at, shown.told_family_reason, shown.attributes) == (None, None, {})
    assert (shown.told_family, shown.contact_point) == ("NOT_SAFE", "desk 3")
