"""Why a rule did not speak: its first condition that was not so, in words, for whoever explains a decision."""

import pytest

from broker.core.account.explain import explain_entry
from broker.core.deciding.decide import decide
from broker.core.deciding.unmet import _SAYERS, Unmet, unmet
from broker.core.model.identifiers import RecipientId, RoleName
from broker.core.model.policy import Attribute, Condition, EventKind, Question
from broker.stream.decide.replay import unmet_read
from tests.core.values import AT, a_child, a_policy, a_rule, an_event, area
from tests.stream import england
from tests.stream.lines import SECRETS

KIND = EventKind(
    name="it.happened",
    says="it happened",
    sector="it",
    attributes={"grade": Attribute(name="grade", values=frozenset({"high", "low"}), absent="low")},
)
CASES = [
    (Condition(Question.AGE, most=4), "of children under 5", "this child was 9"),
    (Condition(Question.AGE, least=13), "of children of 13 and over", "this child was 9"),
    (Condition(Question.AGE, least=4, most=7), "of children aged 4 to 7", "this child was 9"),
    (Condition(Question.ATTRIBUTE, name="grade", values=frozenset({"high"})), "where `grade` is high", "here it is low"),
    (
        Condition(Question.STATUS, values=frozenset({"cp_plan", "looked_after"})),
        "of children whose status is cp plan or looked after",
        "this child has none of these",
    ),
    (
        Condition(Question.CONNECTION, values=frozenset({"home_education"})),
        "of children with a tie to home education",
        "this child has none in force",
    ),
    (Condition(Question.PARTY, values=frozenset({"staff"})), "of events that name a staff", "this one does not"),
    (
        Condition(Question.IDENTITY, values=frozenset({"unidentified"})),
        "where the child is unidentified",
        "here it is identified",
    ),
]


def found(*asks: Condition) -> tuple[Unmet, ...]:
    policy = a_policy(a_rule("wanted", share="existence concern", asks=asks), a_rule("other", to="gp"), kind=KIND)
    event = an_event("it.happened", attributes={"grade": "low"})
    verdict = decide(event, a_child(), policy, area(), AT)
    return unmet(verdict, policy)[RecipientId("dsl@school"), RoleName("dsl")]


@pytest.mark.parametrize(("condition", "speaks", "here"), CASES, ids=[one[1] for one in CASES])
def test_the_first_condition_that_was_not_so_is_said_in_words(condition: Condition, speaks: str, here: str) -> None:
    (one,) = found(condition)

    assert (one.rule, one.speaks, one.here) == ("wanted", speaks, here)
    assert list(one.categories) == ["existence", "concern"]


def test_only_the_first_is_said_and_a_rule_that_spoke_is_not_among_them() -> None:
    assert [one.speaks for one in found(CASES[0][0], CASES[1][0])] == ["of children under 5"]
    assert found() == ()


@pytest.mark.parametrize("question", Question)
def test_every_question_of_the_closed_list_can_be_said(question: Question) -> None:
    """One that could not would end the explanation of everything."""
    assert question in _SAYERS or question is Question.EVENT


def test_of_an_entry_that_keeps_no_request_nothing_is_said() -> None:
    entry = england.a_child(england.says(england.HOME, "council.cp_plan.started")).audits()[-1]

    assert unmet_read({**entry, "request": b""}, SECRETS, england.a_child().releases) == {}


def test_the_story_of_an_entry_names_the_rule_and_what_was_not_so() -> None:
    """The plan of a child of nine: the rule for the health visitor is there, and speaks of children under five."""
    line = england.a_child(england.says(england.HOME, "council.cp_plan.started"))
    entry = line.audits()[-1]

    story = explain_entry({**entry, "unmet": unmet_read(entry, SECRETS, line.releases)}, width=None)

    assert "`plan-to-health-visitor` speaks only of children under 5: this child was 9 (that it happened" in story
