"""What a person grants goes on the terms of the rules that wanted it, and the audit log says who granted it and why."""

import json
from dataclasses import replace
from typing import Any

import pytest

from broker.core.account.explain import explain_entry
from broker.core.model.event import Category, Event
from broker.core.model.facts import Facts
from broker.core.model.identifiers import ChildRef, RoleName
from broker.core.model.policy import HOLDER, SHAREABLE, Basis, ClockKind, Condition, Effect, Policy
from broker.core.model.policy import Question as Asks
from broker.core.model.question import ASK, Question
from broker.core.model.rules import Rules
from broker.core.waiting.questions import put_to_another
from broker.stream.decide.replay import differences, replay
from broker.stream.decide.shelf import shelf_from_bytes
from tests.stream.lines import (
    CHILD,
    GP,
    HUB,
    NOTICE,
    SECRETS,
    ALine,
    a_policy,
    a_protection,
    a_rule,
    a_signer,
    an_event,
    at_practice,
    on_roll,
)

UNSURE = Condition(Asks.ATTRIBUTE, name="seen_by_doctor", values=frozenset({"yes"}))
ALWAYS = Condition(Asks.EVENT, values=frozenset({NOTICE}))
EXISTENCE, CONCERN, LOCATION = (frozenset({one}) for one in (Category.EXISTENCE, Category.CONCERN, Category.LOCATION))


def a_maybe_policy(*more: Any, version: str = "1") -> Policy:
    """The doctor hears that there is something; what, and where, only when the holder says so, each by a rule of its own."""
    known = a_rule("known", "gp", categories=EXISTENCE, basis="WEAK")
    what = a_rule(
        "what", "gp", when=(ALWAYS, UNSURE), categories=CONCERN, clock="4_hours", obligations=("onward",), gateway="s.47"
    )
    plain = a_policy(known, what, *more, version=version)
    return replace(
        plain,
        bases={**plain.bases, "WEAK": Basis(name="WEAK", rung=5, says="weak")},
        clocks={"4_hours": ClockKind(name="4_hours", says="four hours", stops_on="acted")},
        obligations={"onward": "Pass it on to nobody."},
    )


def an_asked_line(*policies: Policy) -> ALine:
    return ALine(*(policies or (a_maybe_policy(),))).take(on_roll(), at_practice(), an_event())


def question(line: ALine) -> dict[str, Any]:
    return next(one for one in line.reviews() if one["kind"] == "ASK")


def test_a_grant_has_the_reasons_basis_obligations_and_clock_of_the_rules_that_wanted_it() -> None:
    line = an_asked_line()
    line.resolve(question(line))

    first, second = line.disclosures(GP)
    assert (first["lawful_basis"], first["rules"], first["obligations"], first["due_at"]) == ("WEAK", ["known"], [], None)
    assert (second["kind"], second["replaces"]) == ("CORRECTION", first["disclosure_id"])
    assert (second["lawful_basis"], second["gateway"], second["rules"]) == ("LEGAL", "s.47", ["known", "what"])
    assert second["obligations"] == ["Pass it on to nobody."]
    assert second["because"] == ["The gp needs to know.", "The gp needs to know."]
    assert second["due_at"] == question(line)["due_at"]


def test_the_audit_log_says_who_granted_it_with_which_key_and_why() -> None:
    line = an_asked_line()
    line.resolve(question(line), by=HUB)

    entry = line.audits()[-1]
    assert (entry["decided_by"], entry["decided_with"], entry["decided_because"]) == (HUB, a_signer(HUB).key_id, "known")
    assert {one["clock"] for one in entry["decisions"]} == {"4_hours"}
    told = explain_entry(entry, width=None)
    assert f"a person decided: {HUB}, with the key {a_signer(HUB).key_id}" in told
    assert "the reason given: known" in told
    assert "[what]" in told
    forged = explain_entry({**entry, "decided_because": "fine\n  policy 0\x1b[2J"}, width=None)
    assert "  the reason given: fine   policy 0\\u{1b}[2J\n" in forged


def test_who_rejects_settles_or_lets_go_is_named_too_and_nobody_where_no_person_decided() -> None:
    rejected = an_asked_line()
    rejected.resolve(question(rejected), "REJECT")
    freed = ALine().take(on_roll(), an_event("odd", "control.protection"), an_event())
    freed.resolve(freed.reviews()[0], "REJECT", by=HUB)

    assert rejected.audits()[-1]["decided_by"] == "police:42"
    assert [one["decided_by"] for one in freed.audits()] == [None, None, None, HUB, HUB]


def test_an_answer_is_decided_again_to_the_same_bytes() -> None:
    line = an_asked_line()
    line.resolve(question(line))
    entry = line.audits()[-1]

    assert entry["request"]
    assert differences(entry, replay(entry, SECRETS, line.releases)) == []
    assert differences(
        {**entry, "decisions": [{**entry["decisions"][0], "lawful_basis": "WEAK"}]}, replay(entry, SECRETS, line.releases)
    )


def test_what_is_withheld_today_is_not_granted() -> None:
    never = a_rule("never", "gp", effect=Effect.WITHHOLD, when=(ALWAYS,), categories=CONCERN, basis=None)
    line = an_asked_line(a_maybe_policy(), a_maybe_policy(never, version="2"))
    asked = question(line)
    line.release("policy", a_maybe_policy(version="2").digest)
    line.resolve(asked)

    assert [one["rules"] for one in line.disclosures(GP)] == [["known"]]
    assert "nothing is left" in line.audits()[-1]["others"]


def test_a_grant_reaches_no_further_than_what_the_person_was_asked() -> None:
    """By now the policy asks about where, too: nobody has said yes to that."""
    where = a_rule("where", "gp", when=(ALWAYS, UNSURE), categories=LOCATION)
    line = an_asked_line(a_maybe_policy(), a_maybe_policy(where, version="2"))
    asked = question(line)
    line.release("policy", a_maybe_policy(version="2").digest)
    line.resolve(asked)

    told = line.disclosures(GP)[-1]
    assert (told["concern"]["grade"], told["location"]) == ("high", None)
    again = line.reviews()[-2]
    assert (again["state"], again["why"]) == ("OPEN", "May somebody in the role `gp` be told: places and addresses?")
    assert again["review_id"] != asked["review_id"]


SAID = "be told: what the concern is?"


@pytest.mark.parametrize(
    ("asked_of", "before", "whom"),
    [
        (HOLDER, (), "somebody in the role `gp`"),
        (RoleName("hub"), (), f"`{GP}` in the role `gp`"),
        (RoleName("hub"), (a_protection(),), "somebody in the role `gp`"),
    ],
    ids=["its publisher", "the hub", "the hub of a protected child"],
)
def test_who_is_asked_reads_in_words_what_and_to_whom_and_the_hub_alone_by_name(
    asked_of: RoleName, before: tuple[Event, ...], whom: str
) -> None:
    """The name of a practice or a school says where a child is: whom no rule lets know it does not learn it by being asked."""
    known = a_rule("known", "gp", categories=EXISTENCE)
    what = a_rule("what", "gp", when=(ALWAYS, UNSURE), categories=CONCERN, ask=asked_of)
    line = ALine(a_policy(known, what, a_rule("answerable", "hub"))).take(on_roll(), at_practice(), *before, an_event())

    assert question(line)["why"] == f"May {whom} {SAID}"
    assert question(line)["for_recipient"] == (HUB if asked_of == "hub" else "police:42")


def test_a_question_that_is_put_to_another_names_nobody_any_more() -> None:
    line = an_asked_line()
    asked = Question(kind=ASK, for_recipient=HUB, about=GP, why=f"May `{GP}` in the role `gp` {SAID}", asks=(Category.CONCERN,))
    rules = Rules(a_maybe_policy(), line.registers)

    again = put_to_another(asked, an_event(excluded=(HUB,)), Facts(child_ref=ChildRef(CHILD)), rules)

    assert (again.for_recipient, again.why) == ("police:42", f"May somebody in the role `gp` {SAID}")


def test_a_question_that_was_put_before_its_categories_were_kept_is_answered_as_it_was_then() -> None:
    child = ChildRef(CHILD)
    row = ["r-1", "ASK", GP, "police:42", "", "events.police.v1/0@1+0", 0]

    (one,) = shelf_from_bytes(SECRETS.seal(child, b"shelf", json.dumps([row]).encode()), SECRETS, child)

    assert (set(one.asks), one.since) == (set(SHAREABLE), 0)
