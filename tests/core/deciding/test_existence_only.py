"""A publisher may share no more than that there is something: content goes to nobody, and nothing else changes (R6)."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from broker.core.deciding.answer import BUILT_IN, kept_back
from broker.core.deciding.decide import decide
from broker.core.deciding.disclose import granted_view
from broker.core.model.event import Category, Event, SharingMode
from broker.core.model.identifiers import RuleId
from broker.core.model.verdict import Decision, Outcome, Reason, Voice
from tests.core.families import children, events
from tests.core.values import AT, a_child, a_policy, a_rule, an_event, area, england, the

EXISTENCE_ONLY = RuleId("existence-only")
LEFT = {Category.EXISTENCE, Category.IDENTITY}
SAME = (
    "recipient", "role", "roles", "outcome", "lawful_basis", "gateway", "obligations", "clock", "rules", "statutory", "wanted_by",
    "barred", "would_cut",
)  # fmt: skip
modest = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def shared_as(mode: SharingMode, event: Event) -> Event:
    return replace(event, header=replace(event.header, sharing_mode=mode))


def terms(decision: Decision) -> list[object]:
    return [getattr(decision, name) for name in SAME]


@pytest.mark.search
@modest
@given(events(), children)
def test_existence_only_takes_content_from_everybody_and_neither_the_word_nor_its_terms_from_anybody(event, facts):
    """Basis, clock, obligations and who is told stay; so do the gaps, each with its clock."""
    whole = decide(shared_as(SharingMode.CONTENT, event), facts, england(), area(), AT)
    least = decide(shared_as(SharingMode.EXISTENCE, event), facts, england(), area(), AT)

    assert [terms(one) for one in least.decisions] == [terms(one) for one in whole.decisions]
    for now, before in zip(least.decisions, whole.decisions, strict=True):
        assert {*now.granted} == {*before.granted} & LEFT
        assert {*now.asked} == {*before.asked} & LEFT
        assert set(Category) - LEFT <= {*now.withheld}
        assert now.kind == ("OUTCOME" if before.kind == "OUTCOME" else "EXISTENCE")
        view = granted_view(shared_as(SharingMode.EXISTENCE, event), now, facts)
        assert view.keys() <= {"producer", "contact_point", "told_family", "expires_at", "identity"}
    assert [(one.role, one.hub, one.because, one.rules) for one in least.gaps] == [
        (one.role, one.hub, one.because, one.rules) for one in whole.gaps
    ]
    assert [one.clock for one in least.gaps] == [one.clock for one in whole.gaps]


def test_what_it_takes_is_recorded_with_the_reason_beside_what_no_rule_would_have_given():
    """R3."""
    decision = the(decide(an_event(sharing_mode=SharingMode.EXISTENCE), a_child(), england(), area(), AT), "dsl@school")
    kept = next(one for one in decision.reasons if one.rule == EXISTENCE_ONLY)
    unspoken = next(one for one in decision.reasons if one.rule == "nothing-matches")

    content = tuple(one for one in Category if one not in LEFT)
    assert kept == Reason(EXISTENCE_ONLY, Voice.WITHHOLDS, BUILT_IN[EXISTENCE_ONLY], content)
    assert decision.withheld == content
    assert Category.MONITORING in unspoken.categories
    assert Category.CONCERN not in unspoken.categories
    assert kept_back(decision) == {*content}


def test_one_event_of_either_mode_is_decided_as_it_says_whatever_was_decided_before():
    """Answers are remembered by the values of conditions, and the mode is none of them."""
    for mode in (SharingMode.CONTENT, SharingMode.EXISTENCE, SharingMode.CONTENT):
        decision = the(decide(an_event(sharing_mode=mode), a_child(), england(), area(), AT), "dsl@school")

        assert (Category.CONCERN in decision.granted) == (mode is SharingMode.CONTENT)


def test_where_no_rule_names_the_child_it_is_not_named_and_where_nothing_goes_nothing_does():
    policy = a_policy(a_rule("school", share="existence concern"))
    event = an_event("it.happened", sharing_mode=SharingMode.EXISTENCE)

    (decision,) = decide(event, a_child(), policy, area(), AT).decisions
    assert decision.granted == (Category.EXISTENCE,)

    keeps = a_rule("keeps", effect="withhold", share="existence")
    (decision,) = decide(event, a_child(), a_policy(a_rule("school"), keeps), area(), AT).decisions
    assert decision.outcome is Outcome.WITHHOLD


def test_what_a_person_grants_goes_no_further_than_the_publisher_shares():
    policy = a_policy(a_rule("school", share="existence identity concern"))
    facts = a_child(allowed={"dsl@school": ("existence", "identity", "concern")})

    decision = the(decide(an_event("it.happened", sharing_mode=SharingMode.EXISTENCE), facts, policy, area(), AT), "dsl@school")

    assert {*decision.granted} == LEFT
