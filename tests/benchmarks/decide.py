"""Decisions (event, recipient) per second with reasons: ours against Cedar with an equivalent policy, parsed beforehand.

Ours decides every category at once, finds who fills the roles, and gives every reason. The rival is asked about one category
only (whether the recipient may know that there is anything), with recipients, ages and defaults handed to it ready made; the
ratio for all categories is in the detail. Ours remembers its answers by the values of the conditions, as a worker does:
`distinct` says how many answers that are, and `cold` how many decisions it makes where none is remembered from event to event.
Before anything is timed, the two must agree on every category of a sample.
"""

import random
import statistics
import time
from dataclasses import replace
from importlib.metadata import version
from itertools import product

import cedarpy

from broker.core.deciding.answer import BUILT_IN
from broker.core.deciding.decide import decide
from broker.core.deciding.tables import plan_for
from broker.core.model.event import Category, Event
from broker.core.model.facts import Agreement, Facts, Protection, Status
from broker.core.model.identifiers import ChildRef, EventId, Millis
from broker.core.model.known import know
from broker.core.model.verdict import Decision
from broker.policyfile import load_policy
from broker.policyfile.world import registers_for
from tests.benchmarks import RUNS, Figure, median_of
from tests.benchmarks.cedar_rules import cedar_text, context_of
from tests.core.values import AT, COUNCIL, a_child, a_tie, an_event

CHILDREN = 200
ROUNDS = 20
RIVAL_REQUESTS = 2_000
_NOT_CEDARS = frozenset(BUILT_IN) - {"nothing-matches", "no-existence", "existence-only"}

Work = tuple[Event, Facts]


def measure() -> list[Figure]:
    """Return both figures, each the median of five runs of CPU time, and how the cost grows with what does not concern it."""
    policy = load_policy()
    registers = registers_for(policy)
    work = some_work()
    policies = cedarpy.PolicySet.from_str(cedar_text(policy, AT))
    entities = cedarpy.Entities.from_json_str("[]")
    asked = questions(work)
    check_agreement(asked, policies, entities)

    requests = [_request(context, Category.EXISTENCE) for context, _ in asked[:RIVAL_REQUESTS]]

    def ours(*, cold: bool = False) -> float:
        start, decisions = time.process_time(), 0
        for event, facts in work * (1 if cold else ROUNDS):
            if cold:
                plan_for(policy, event.header, AT).memo.clear()
            decisions += len(decide(event, facts, policy, registers, AT).decisions)
        return decisions / (time.process_time() - start)

    def rival() -> float:
        start = time.process_time()
        for request in requests:
            result = cedarpy.is_authorized(request, policies, entities)
            _ = result.allowed, result.diagnostics.reasons
        return len(requests) / (time.process_time() - start)

    ours()  # the tables are compiled once for the life of a worker
    mine, runs = median_of(ours)
    theirs, rival_runs = median_of(rival)
    plans = [plan_for(policy, header, AT) for header in {event.header.event_type: event.header for event, _ in work}.values()]
    detail = {
        "rules": len(policy.rules),
        "event_types": len({event.header.event_type for event, _ in work}),
        "decisions": len(asked),
        "distinct": sum(len(plan.memo) for plan in plans),
        "cold": round(statistics.median(ours(cold=True) for _ in range(RUNS))),
        "runs": runs,
        "rival_runs": rival_runs,
        "rival": f"cedarpy {version('cedarpy')}",
        "ratio_all_categories": round(mine / theirs * (len(Category) - 1), 1),
        "agreed": True,
    }
    return [
        Figure("decide", round(mine), "decisions per CPU second", round(theirs), round(mine / theirs, 1), detail),
        _growth(work),
    ]


def some_work() -> list[Work]:
    """Every event type that tells anybody, about children who differ in age, ties, statuses, protections and agreements."""
    chance = random.Random(20261110)
    types = sorted({name for rule in load_policy().rules for name in rule.event_types})
    children = [_child(number, chance) for number in range(CHILDREN)]
    picked = [(kind, child) for kind, child in product(types, children) if chance.random() < 8 / len(types)]
    return [(replace_id(an_event(kind), number), child) for number, (kind, child) in enumerate(picked)]


def replace_id(event: Event, number: int) -> Event:
    """Return the event under an id of its own."""
    return replace(event, header=replace(event.header, event_id=EventId(f"event-{number}")))


def _child(number: int, chance: random.Random) -> Facts:
    facts = a_child(child_ref=ChildRef(f"child-{number}"), birth_date=f"{chance.randint(2009, 2025)}-01-15")
    ties, of = list(facts.connections), EventId("before")
    if chance.random() < 0.3:
        ties.append(a_tie("social_care", COUNCIL))
    statuses = [name for name in ("cp_plan", "looked_after", "cin") if chance.random() < 0.15]
    return replace(
        facts,
        connections=tuple(ties),
        statuses=tuple(Status(name=name, since=Millis(0), organisation=COUNCIL, event_id=of) for name in statuses),
        protections=(Protection(kind="safe_address", since=Millis(0), by="x", event_id=of),) if chance.random() < 0.05 else (),
        agreements=(Agreement(kind="service", state="given", since=Millis(0), event_id=of),) if chance.random() < 0.1 else (),
        wishes={"advocate": chance.choice(("wanted", "not_wanted"))},
    )


def questions(work: list[Work]) -> list[tuple[dict[str, object], Decision]]:
    """Return Cedar's context for each of our decisions, with the decision."""
    policy = load_policy()
    registers = registers_for(policy)
    found = []
    for event, facts in work:
        known = know(event, facts, AT)
        kind = policy.events[event.header.event_type]
        found += [(context_of(kind, known, one), one) for one in decide(event, facts, policy, registers, AT).decisions]
    return found


def check_agreement(
    asked: list[tuple[dict[str, object], Decision]], policies: cedarpy.PolicySet, entities: cedarpy.Entities
) -> None:
    """Check that Cedar grants the same categories; without existence nothing goes."""
    for context, decision in random.Random(1).sample(asked, min(400, len(asked))):
        allowed = {one for one in Category if cedarpy.is_authorized(_request(context, one), policies, entities).allowed}
        expected = set() if Category.EXISTENCE not in allowed else allowed
        if expected != set(decision.granted) and not _NOT_CEDARS.intersection(reason.rule for reason in decision.reasons):
            raise AssertionError(
                f"cedar grants {sorted(expected)}, we grant {decision.granted} to {decision.recipient}: {context}"
            )


def _request(context: dict[str, object], category: Category) -> dict[str, object]:
    return {"principal": 'Desk::"d"', "action": f'Action::"{category}"', "resource": 'Event::"e"', "context": context}


def _growth(work: list[Work]) -> Figure:
    """How the cost per decision grows when the registers hold 2,000 more recipients and the policy 500 rules for other events."""
    policy = load_policy()
    registers = registers_for(policy)
    crowd = {f"r{at}": replace(one, id=f"r{at}", serves=frozenset({f"urn:{at}"})) for at, one in _crowd(registers)}
    more = replace(registers, recipients={**registers.recipients, **crowd})
    elsewhere = [
        replace(rule, id=f"{rule.id}-{at}", when=_elsewhere(at)) for at in range(10) for rule in policy.rules if rule.event_types
    ]
    wide = replace(policy, rules=(*policy.rules, *elsewhere), memo={})

    def cost(of_policy, of_registers) -> float:
        start = time.process_time()
        for _ in range(ROUNDS // 2):
            for event, facts in work:
                decide(event, facts, of_policy, of_registers, AT)
        return (time.process_time() - start) / (ROUNDS // 2 * len(work)) * 1e6

    cost(wide, more), cost(policy, registers)
    pairs = [(cost(policy, registers), cost(wide, more)) for _ in range(RUNS)]
    small, large = (sorted(one)[RUNS // 2] for one in zip(*pairs, strict=True))
    detail = {"recipients": [len(registers.recipients), len(more.recipients)], "rules": [len(policy.rules), len(wide.rules)]}
    return Figure(
        "decide_growth", round(large, 2), "CPU microseconds per event", round(small, 2), round(large / small, 3), detail
    )


def _crowd(registers):
    one = next(iter(registers.recipients.values()))
    return ((at, one) for at in range(2_000))


def _elsewhere(at: int):
    event = next(one for one in load_policy().rules[0].when)
    return (replace(event, values=frozenset({f"some.other.event.{at}"})),)


if __name__ == "__main__":
    for figure in measure():
        print(figure.line())
