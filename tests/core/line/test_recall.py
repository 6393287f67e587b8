"""What somebody is told to delete leaves them with no more than they would be told today, and no less than is of use (I7, I8)."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.core.deciding.decide import decide
from broker.core.deciding.disclose import granted_view, without
from broker.core.line import corrections
from broker.core.line.apply import apply_event
from broker.core.line.notices import notice_of
from broker.core.model import ledger
from broker.core.model.facts import Protection
from broker.core.model.identifiers import DisclosureId, EventId
from broker.core.model.policy import SHAREABLE
from broker.core.model.rules import Rules
from broker.core.model.verdict import Outcome
from tests.core.families import CANARY, bodies, children, events
from tests.core.values import AT, an_event, area, england

pytestmark = pytest.mark.search

KINDS = st.sampled_from(("safe_address", "restricted_record", "identity_changed", "protected_person"))
modest = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def told(event, facts, at=AT):
    """Decide as the line does, and put what goes into the ledger; return the facts and each recipient's view."""
    after = apply_event(replace(facts, protections=()), event, at, england())
    verdict = decide(event, after, england(), area(), at)
    found = [
        notice_of(event, one, after, Rules(england(), area())) for one in verdict.decisions if one.outcome is Outcome.DISCLOSE
    ]
    lines = [ledger.line_of(one, DisclosureId(f"d-{one.recipient}"), after) for one in found]
    return replace(after, ledger=ledger.with_lines(after.ledger, lines)), {one.recipient: one.view for one in found}


def todays_views(event, facts):
    verdict = decide(event, facts, england(), area(), facts.at)
    return {one.recipient: granted_view(event, one, facts) for one in verdict.decisions if one.outcome is Outcome.DISCLOSE}


def held_views(views, facts, corrected):
    """Return what each recipient has in hand after doing what it was told."""
    stops = {one.recipient for one in corrected.notices if one.kind == "RETRACTION"}
    held = {recipient: view for recipient, view in views.items() if recipient not in stops}
    for one in corrected.notices:
        if one.kind == "CORRECTION":
            before = next(line for line in facts.ledger if line.disclosure_id == one.replaces)
            kept = without(held[one.recipient], before.cuts - one.cuts)
            gone = {category.value for category in SHAREABLE if category not in one.categories}
            held[one.recipient] = {name: value for name, value in kept.items() if name not in gone}
    return held


def protect(facts, kind):
    event = an_event("control.protection", event_id=EventId("shield"), control={"kind": kind, "state": "set"})
    shield = Protection(kind=kind, since=AT, by="x", event_id=EventId("shield"))
    after = replace(facts, at=AT, protections=(shield,))  # at the same instant, so that roles that end are no cause
    return after, corrections.no_longer_held(after, event, england(), area())


def check_nobody_holds_more_than_today(event, facts, kind):
    facts, views = told(event, facts)
    facts, corrected = protect(facts, kind)
    today = todays_views(event, facts)

    for recipient, view in held_views(views, facts, corrected).items():
        fresh = today.get(recipient, {})
        more = {name: value for name, value in view.items() if name != "because" and fresh.get(name) != value}
        assert not more, f"{recipient} goes on holding {sorted(more)} under {kind}"


@modest
@given(events(), children, KINDS)
def test_after_a_protection_nobody_holds_more_than_they_would_be_told_today(event, facts, kind):
    """I7 corrections-follow, I8 safe-address."""
    check_nobody_holds_more_than_today(event, facts, kind)


@modest
@given(events(body=bodies().map(lambda body: {**body, "concern": {"grade": "high", "place": CANARY}})), children)
def test_a_safe_address_leaves_the_concern_with_whoever_would_be_told_it_today(event, facts):
    facts, views = told(event, facts)
    facts, corrected = protect(facts, "safe_address")
    held = held_views(views, facts, corrected)

    for recipient, view in todays_views(event, facts).items():
        if "concern" in view and "concern" in views.get(recipient, {}):
            assert held[recipient]["concern"]["grade"] == "high"
