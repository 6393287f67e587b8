"""The invariants of DESIGN §3 that the decision point holds, over generated children, events and instants."""

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.core.deciding.decide import decide
from broker.core.deciding.disclose import granted_view, view_digest
from broker.core.line.apply import apply_event
from broker.core.model.event import Category
from broker.core.model.facts import Agreement, Exclusion, Finding, Protection
from broker.core.model.identifiers import EventId, Millis
from broker.core.model.policy import Effect, Policy
from broker.core.model.protections import PLACE_PROTECTED, protections_at
from broker.core.model.verdict import Outcome, Voice
from broker.policyfile import policy_content, policy_from_content
from tests.core.families import CANARY, DESKS, PROTECTIONS, bodies, children, events
from tests.core.values import AT, DAY, a_child, an_event, area, england

pytestmark = pytest.mark.search

INSTANTS = st.integers(-900, 900).map(lambda days: Millis(AT + days * DAY))
CLEARED_FOR_PLACE = {"hub", "duty_team", "social_worker"}

modest = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
many = settings(max_examples=20_000, deadline=None, suppress_health_check=list(HealthCheck))


def told(event, facts, at=AT):
    """Decide and make every view, as the line does."""
    after = apply_event(facts, event, at, england())
    verdict = decide(event, after, england(), area(), at)
    return after, verdict, {one.recipient: granted_view(event, one, after) for one in verdict.decisions}


def check_i3_deny_by_default(event, facts, at):
    """I3: what is granted, a rule in force grants to that role for that event type; the rest is withheld, with why."""
    rules = {rule.id: rule for rule in england().rules}
    _, verdict, _ = told(event, facts, at)
    for decision in verdict.decisions:
        assert {*decision.granted, *decision.asked, *decision.withheld} == set(Category)
        assert len(decision.granted) + len(decision.asked) + len(decision.withheld) == len(Category)
        assert decision.reasons
        for reason in decision.reasons:  # a withhold wins for its categories, whoever grants them
            assert reason.voice is not Voice.WITHHOLDS or {*reason.categories}.isdisjoint({*decision.granted, *decision.asked})
        granting = [rules[one] for one in decision.rules]
        for category in decision.granted:
            assert any(category in rule.categories for rule in granting)
        for rule in granting:
            assert rule.effect is Effect.DISCLOSE
            assert rule.to & set(decision.roles)
            assert event.header.event_type in rule.event_types
            assert rule.in_force_from <= at
            assert rule.in_force_to is None or at < rule.in_force_to
            assert rule.statutory or rule.review_by is None or at < rule.review_by
        assert (decision.outcome is Outcome.DISCLOSE) == bool(decision.granted) == bool(decision.rules)
        assert decision.lawful_basis is not None or not decision.granted


def check_i5_determinism(event, facts, at):
    """I5: the same request gives the same bytes, also with a policy that was read again and knows nothing of earlier answers."""
    again: Policy = policy_from_content(policy_content())
    after = apply_event(facts, event, at, england())
    first = decide(event, after, england(), area(), at)
    assert bytes(first) == bytes(decide(event, apply_event(facts, event, at, again), again, area(), at))
    assert json.loads(bytes(first))["policy"] == again.digest == england().digest


def check_i4_no_inference(event, facts, other_body):
    """I4: an event that differs only in what was not granted gives a recipient an equal decision and an equal view.

    Who the child is stays: the birth date tells whether a rule about an age is meant, whoever may read it.
    """
    _, verdict, views = told(event, facts)
    for decision in verdict.decisions:
        kept = {*decision.granted, Category.IDENTITY}
        body = {name: part for name, part in other_body.items() if name not in kept}
        twin = replace(event, body={**body, **{name: part for name, part in event.body.items() if name in kept}})
        _, other, others = told(twin, facts)
        same = next(one for one in other.decisions if one.recipient == decision.recipient)
        assert same == decision
        assert others[decision.recipient] == views[decision.recipient]
        assert view_digest(others[decision.recipient]) == view_digest(views[decision.recipient])
        for category in set(Category) - set(decision.granted):
            assert category.value not in views[decision.recipient]


def check_i8_safe_address(event, facts, kind):
    """I8: of a protected child no place, number or unchecked text is in any view; the cleared alone may know whom to ask."""
    safe = Protection(kind=kind, since=Millis(0), by="x", event_id=EventId("safe"))
    _, verdict, views = told(event, replace(facts, protections=(safe,)))
    for decision in verdict.decisions:
        view = dict(views[decision.recipient])
        assert not {"location", "contact"} & set(view)
        assert CANARY not in json.dumps({name: view.get(name) for name in ("narrative", "wish")})
        if CLEARED_FOR_PLACE.isdisjoint(decision.roles):
            assert CANARY not in json.dumps(view)
        assert not any(CANARY in text for text in decision.because)


def check_i6_three_fields(event, facts, consent):
    """I6: with significant harm found, consent given, refused or never asked changes no decision but what needs agreement."""
    harm = Finding(kind="significant_harm", by_role="social_worker", since=Millis(0), event_id=EventId("harm"))
    base = replace(facts, findings=(*facts.findings, harm), agreements=())
    answer = Agreement(kind="consent", state=consent, since=Millis(0), event_id=EventId("consent"))
    _, without, _ = told(event, base)
    _, refused, _ = told(event, replace(base, agreements=(answer,)))
    assert [replace_reasons(one) for one in without.decisions] == [replace_reasons(one) for one in refused.decisions]


def replace_reasons(decision):
    return replace(decision, reasons=tuple(one for one in decision.reasons if one.voice is Voice.GRANTS))


@modest
@given(events(), children, INSTANTS)
def test_i3_deny_by_default(event, facts, at):
    check_i3_deny_by_default(event, facts, at)


@modest
@given(events(), children, bodies("Hemlock"))
def test_i4_no_inference(event, facts, other_body):
    check_i4_no_inference(event, facts, other_body)


@settings(modest, max_examples=40)
@given(events(), children, INSTANTS)
def test_i5_replayable(event, facts, at):
    check_i5_determinism(event, facts, at)


@modest
@given(events(), children, st.sampled_from(("given", "refused", "withdrawn")))
def test_i6_three_fields(event, facts, consent):
    check_i6_three_fields(event, facts, consent)


@modest
@given(events(), children, st.sampled_from(PROTECTIONS))
def test_i8_safe_address(event, facts, kind):
    check_i8_safe_address(event, facts, kind)


@pytest.mark.deep
@settings(many)
@given(events(), children, INSTANTS, bodies("Hemlock"), st.sampled_from(PROTECTIONS))
def test_every_invariant_many_times(event, facts, at, other_body, kind):
    check_i3_deny_by_default(event, facts, at)
    check_i4_no_inference(event, facts, other_body)
    check_i6_three_fields(event, facts, "refused")
    check_i8_safe_address(event, facts, kind)


@modest
@given(events(), children)
def test_a_protected_person_is_as_if_there_were_nothing(event, facts):
    """No disclosure, no question that would reach anybody, no gap."""
    safe = Protection(kind="protected_person", since=Millis(0), by="x", event_id=EventId("safe"))
    _, verdict, views = told(event, replace(facts, protections=(safe,), holds=frozenset()))

    assert verdict.gaps == ()
    assert {one.outcome for one in verdict.decisions} <= {Outcome.WITHHOLD}
    assert not any(views.values())


@modest
@given(events(), children)
def test_of_a_changed_identity_nobody_reads_a_name_or_number(event, facts):
    """R16: no view holds any identity, so that no old one can meet a new one."""
    changed = Protection(kind="identity_changed", since=Millis(0), by="x", event_id=EventId("changed"))
    _, verdict, views = told(event, replace(facts, protections=(changed,)))

    for decision in verdict.decisions:
        assert not {"identity", "third_party", "narrative"} & set(views[decision.recipient])
        assert "hub" in decision.roles or not views[decision.recipient]


@modest
@given(events(), children, st.sampled_from(DESKS))
def test_whoever_the_publisher_excludes_reads_nothing(event, facts, excluded):
    """R11."""
    itself = replace(event, header=replace(event.header, excluded=(excluded,)))
    before = Exclusion(recipient=excluded, by="police:9", since=Millis(0), event_id=EventId("earlier"))
    for said, known in ((itself, facts), (event, replace(facts, exclusions=(before,)))):
        _, verdict, views = told(said, known)

        assert not views.get(excluded)
        assert all(gap.hub != excluded for gap in verdict.gaps)


@modest
@given(events(), children)
def test_monitoring_is_never_granted_asked_or_shown(event, facts):
    """R29."""
    _, verdict, views = told(event, facts)

    for decision in verdict.decisions:
        assert Category.MONITORING in decision.withheld
        assert "monitoring" not in views[decision.recipient]


@modest
@given(events(), children)
def test_protections_in_force_are_those_that_guard_the_view(event, facts):
    """The last guard of `granted_view` and the conditions agree on when a protection is in force."""
    after, _, views = told(event, facts)
    if protections_at(after.protections, AT) & PLACE_PROTECTED:
        assert not any({"location", "contact"} & set(view) for view in views.values())


def test_adding_recipients_to_the_registers_changes_no_decision():
    """Cost and outcome depend on who is possible, never on how many there are."""
    extra = {
        f"r{n}": replace(next(iter(area().recipients.values())), id=f"r{n}", serves=frozenset({f"urn:{n}"})) for n in range(500)
    }
    more = replace(area(), recipients={**area().recipients, **extra})
    for event_type in england().events:
        event = an_event(event_type)
        assert decide(event, a_child(), england(), more, AT) == decide(event, a_child(), england(), area(), AT)


def test_without_the_rule_that_guards_places_the_canary_would_be_read():
    """The property above can fail: it is the rule, not the generator, that keeps the place."""
    rules = tuple(rule for rule in england().rules if not rule.id.startswith("protected-"))
    careless = replace(england(), rules=rules, memo={})
    safe = Protection(kind="safe_address", since=Millis(0), by="x", event_id=EventId("safe"))
    event = an_event(body={"concern": {"reference": f"ref {CANARY}"}}, contact_point=f"desk of {CANARY}")
    facts = a_child(protections=(safe,))

    (lead,) = [one for one in decide(event, facts, careless, area(), AT).decisions if one.recipient == "dsl@school"]
    assert CANARY in json.dumps(granted_view(event, lead, facts))
