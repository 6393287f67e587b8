"""Who is asked about an event sees no more of it than it may know: the review is no way round the rules (I8, R28)."""

from dataclasses import replace
from typing import Any

import pytest

from broker import codec
from broker.core.model.event import Body, Category, Event, ToldFamily
from broker.core.model.policy import Condition, Cut, Effect, Question, Rule
from broker.sealing.reviews import open_event
from tests.stream.lines import (
    GP,
    HUB,
    NOTICE,
    SECRETS,
    ALine,
    a_policy,
    a_protection,
    a_rule,
    an_event,
    at_practice,
    on_roll,
)

WHAT = Body(
    identity={"names": [{"given": "Ada", "family": "Wexwick", "kind": "usual"}], "birth_date": "2017-01-15"},
    concern={"grade": "high"},
    location={"postcode": "ZZ1 1ZZ"},
    intelligence={"text": "as heard", "handling_code": "P"},
)
ALWAYS = Condition(Question.EVENT, values=frozenset({NOTICE}))
UNSURE = Condition(Question.ATTRIBUTE, name="seen_by_doctor", values=frozenset({"yes"}))
INTELLIGENCE = frozenset({Category.INTELLIGENCE, Category.CONCERN})


def a_withhold(name: str, categories: frozenset[Category], **more: Any) -> Rule:
    made = a_rule(name, "dsl", effect=Effect.WITHHOLD, basis=None, categories=categories, when=(ALWAYS,), **more)
    return replace(made, to=frozenset())


def seen(line: ALine, kind: str) -> Event:
    review = next(one for one in reversed(line.reviews()) if one["kind"] == kind and one["state"] == "OPEN")
    return codec.decode_event(open_event(SECRETS, review["review_id"], review["sealed_event"]))


def a_held_line(*rules: Rule) -> ALine:
    policy = a_policy(a_rule("school", "dsl"), *rules)
    return ALine(policy).take(on_roll(), an_event("odd", "control.protection", body=Body())).take(an_event("e1", body=WHAT))


def test_what_stays_with_its_originator_is_in_no_review_for_another() -> None:
    line = a_held_line(a_withhold("stays", INTELLIGENCE))

    assert set(seen(line, "HOLD").body) == {"identity", "location"}
    assert b"as heard" not in codec.encode_event(seen(line, "HOLD"))


def test_the_hub_sees_what_no_rule_withholds_from_it_to_say_whether_an_event_goes_on() -> None:
    assert set(seen(a_held_line(), "HOLD").body) == {"identity", "concern", "location", "intelligence"}


@pytest.mark.parametrize(
    ("also", "place"), [(frozenset({Cut.PLACE}), {"identity", "concern"}), (frozenset(), {"identity", "concern", "intelligence"})]
)
def test_a_protected_place_is_in_no_review_of_an_event_that_is_held(also: frozenset[Cut], place: set[str]) -> None:
    line = ALine(a_policy(a_rule("school", "dsl"), a_withhold("betrays", frozenset(), cut=also or frozenset({Cut.REFERRER}))))
    line.take(on_roll(), a_protection(), an_event("odd", "control.protection", body=Body()), an_event("e1", body=WHAT))

    assert b"ZZ1 1ZZ" not in codec.encode_event(seen(line, "HOLD"))
    assert place <= set(seen(line, "HOLD").body)


def test_nor_does_its_header_say_where_that_is() -> None:
    """By whom it came, its area and why a family was not told stand there: people type an address into a reason."""
    cut = a_withhold("betrays", frozenset(), cut=frozenset({Cut.PLACE, Cut.FREE_TEXT}))
    why = {"told_family": ToldFamily.NOT_SAFE, "told_family_reason": "she is at 1 Refuge Road"}
    line = ALine(a_policy(a_rule("school", "dsl"), cut)).take(on_roll(), an_event("odd", "control.protection", body=Body()))
    shown = seen(line.take(an_event("e1", body=WHAT, **why)), "HOLD").header

    assert (shown.producer, shown.area, shown.source.system, shown.told_family_reason) == ("", None, "", None)
    assert shown.told_family == "NOT_SAFE"


def test_the_hub_sees_what_a_control_event_in_question_sets_and_whom_it_excludes() -> None:
    control = {"kind": "safe_adress", "state": "set"}
    line = ALine().take(on_roll(), an_event("odd", "control.protection", body=Body(), control=control, excluded=("nobody",)))

    event = seen(line, "HOLD")
    assert (event.control or {})["kind"] == "safe_adress"
    assert event.header.excluded == ["nobody"] or tuple(event.header.excluded) == ("nobody",)


def test_the_holder_sees_all_of_its_own_event() -> None:
    asks = a_rule("maybe", "gp", when=(ALWAYS, UNSURE), categories=frozenset({Category.EXISTENCE, Category.CONCERN}))
    line = ALine(a_policy(a_rule("school", "dsl"), asks, a_withhold("stays", frozenset({Category.INTELLIGENCE}))))
    line.take(on_roll(), at_practice(), an_event(body=WHAT))

    assert set(seen(line, "ASK").body) == set(WHAT)


def test_a_desk_that_decides_for_another_sees_who_it_is_what_is_asked_and_what_it_is_told_itself() -> None:
    asks = a_rule("maybe", "gp", when=(ALWAYS, UNSURE), categories=frozenset({Category.EXISTENCE, Category.CONCERN}), ask="hub")
    line = ALine(a_policy(asks, a_rule("answerable", "hub", categories=frozenset({Category.EXISTENCE}))))
    line.take(on_roll(), at_practice(), an_event(body=WHAT))

    review = line.reviews()[-1]
    assert (review["for_recipient"], review["kind"], line.disclosures(GP)) == (HUB, "ASK", [])
    assert set(seen(line, "ASK").body) == {"identity", "concern"}
