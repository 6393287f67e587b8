"""Builders of events, facts and small policies for the tests of deciding."""

from dataclasses import replace
from functools import cache
from typing import Any

from broker.core.model.event import Category, Event, Header, Sector, Source
from broker.core.model.facts import Connection, Facts
from broker.core.model.identifiers import AgencyId, ChildRef, Digest, EventId, Millis, RecipientId, RoleName, RuleId
from broker.core.model.policy import Basis, ClockKind, Condition, Effect, EventKind, Policy, Question, Role, Rule
from broker.core.model.registers import Registers
from broker.core.model.verdict import Decision, Verdict
from broker.policyfile import load_policy
from broker.policyfile.world import registers_for

AT = Millis(1_794_300_000_000)  # 10 November 2026
DAY = 24 * 3600 * 1000
SCHOOL, OTHER_SCHOOL, PRACTICE, COUNCIL = "urn:100001", "urn:100002", "ods:A00001", "la:E10000001"


@cache
def england() -> Policy:
    """The policy that is shipped."""
    return load_policy()


@cache
def area() -> Registers:
    """The small area of the policy's cases."""
    return registers_for(england())


def an_event(event_type: str = "police.encompass.notified", *, body: Any = None, control: Any = None, **header: Any) -> Event:
    """An event of the force, unless said otherwise."""
    said = {
        "event_id": EventId("event-1"),
        "producer": AgencyId("police:1"),
        "sector": Sector.POLICE,
        "recorded_at": AT,
        "occurred_at": "2026-11-10",
        "source": Source("niche", "notice", "1", "d", "line 1"),
        **header,
    }
    return Event(Header(event_type=event_type, **said), body or {}, control)


def a_tie(relation: str, organisation: str, since: int = 0, until: int | None = None) -> Connection:
    """A connection of the child."""
    ends = None if until is None else Millis(until)
    return Connection(relation=relation, organisation=organisation, since=Millis(since), until=ends, event_id=EventId("before"))


def a_child(**changes: Any) -> Facts:
    """A child of nine at a school and with a practice."""
    facts = Facts(
        child_ref=ChildRef("child"),
        at=AT,
        birth_date="2017-01-15",
        home_area="E10000001",
        connections=(a_tie("school", SCHOOL), a_tie("gp", PRACTICE)),
    )
    return replace(facts, **changes)


def a_rule(rule_id: str, *, effect: str = "disclose", to: str = "dsl", share: str = "existence", **changes: Any) -> Rule:
    """A rule about `it.happened`; `share` and `to` are names with spaces between them."""
    said = {
        "when": (Condition(Question.EVENT, values=frozenset({"it.happened"})), *changes.pop("asks", ())),
        "because": f"because of {rule_id}",
        "basis": "PUBLIC_TASK" if effect == "disclose" else None,
        "owner": "somebody",
        "source": "a statute",
        "verified": True,
        "statutory": False,
        "in_force_from": Millis(0),
        **changes,
    }
    return Rule(
        id=RuleId(rule_id),
        effect=Effect(effect),
        to=frozenset(RoleName(one) for one in to.split()),
        categories=frozenset(Category(one) for one in share.split()),
        **said,
    )


def a_policy(*rules: Rule, kind: EventKind | None = None, **changes: Any) -> Policy:
    """A policy of these rules, with England's roles."""
    happened = kind or EventKind(name="it.happened", says="it happened", sector="it")
    said = {
        "version": "test",
        "digest": Digest("test"),
        "name": "test",
        "purposes": frozenset({"safeguarding"}),
        "roles": dict(england().roles),
        "events": {"it.happened": happened},
        "findings": england().findings,
        "bases": {"PUBLIC_TASK": Basis(name="PUBLIC_TASK", rung=4, says="a task by law", gateway="an act")},
        "clocks": {"1_hour": ClockKind(name="1_hour", says="soon"), "same_day": ClockKind(name="same_day", says="today")},
        **changes,
    }
    return Policy(rules=rules, **said)


def the(verdict: Verdict, recipient: str) -> Decision:
    """The decision about one recipient."""
    return next(one for one in verdict.decisions if one.recipient == RecipientId(recipient))


def role(name: str, **said: Any) -> Role:
    """A role."""
    return Role(name=RoleName(name), title=name, **said)
