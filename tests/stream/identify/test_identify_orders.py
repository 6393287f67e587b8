"""Whatever order records come in, and wherever a worker dies: the same children, nothing lost, nothing told twice."""

import random
from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker import codec
from broker.core.model.event import Event
from broker.core.model.ports import Effects
from broker.stream.topics import CANDIDATES, IDENTIFIERS, IDENTITIES, SUBJECTS
from tests.stream.identify_runner import STATES, Runner
from tests.stream.people import NHS, UPN, attended, enrolled, in_care_system, merged, notified, registered

pytestmark = pytest.mark.search

ALFIE = {"given": "Alfie", "family": "Marsh", "postcode": "ES1 2AB"}
BERTIE = {"given": "Bertie", "family": "Marsh", "postcode": "ES1 2AB"}
CLARA = {"given": "Clara", "family": "Hall", "postcode": "ES3 4CD", "born": "2012-07-09"}

# Two twins and a third child, said by three sectors; events of each by name, by number, and without a birth date.
STORY: tuple[Event, ...] = (
    enrolled(event_id="alfie-school", upn=UPN[0], **ALFIE),
    registered(event_id="alfie-trust", nhs=NHS[0], local="M1", **ALFIE),
    notified(event_id="alfie-police", **ALFIE),
    attended(event_id="alfie-ed", local="M1"),
    attended(event_id="alfie-ed-no-date", nhs=NHS[0], born=None),
    enrolled(event_id="bertie-school", upn=UPN[1], **BERTIE),
    registered(event_id="bertie-trust", nhs=NHS[1], local="M2", **BERTIE),
    notified(event_id="bertie-police", **BERTIE),
    in_care_system(event_id="clara-council", nhs=NHS[2], local="L3", **CLARA),
    attended(event_id="clara-ed", nhs=NHS[2], born=CLARA["born"]),
    notified(event_id="clara-police", **CLARA),
)
CHILDREN = (
    {"alfie-ed", "alfie-ed-no-date", "alfie-police", "alfie-school", "alfie-trust"},
    {"bertie-police", "bertie-school", "bertie-trust"},
    {"clara-council", "clara-ed", "clara-police"},
)


def groups(runner: Runner) -> list[set[str]]:
    return sorted((set(line) for line in runner.lines().values()), key=min)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(order=st.permutations(STORY), seed=st.integers(0, 2**32), partitions=st.integers(1, 5))
def test_any_order_of_arrival_ends_in_the_same_children_and_no_open_review(
    order: list[Event], seed: int, partitions: int
) -> None:
    runner = Runner(partitions=partitions, chance=random.Random(seed))
    publish_in_pieces(runner, order, seed)

    assert groups(runner) == list(CHILDREN)
    assert not runner.reviews()
    assert not runner.rejected
    assert not runner.audit


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(order=st.permutations(STORY), seed=st.integers(0, 2**32))
def test_a_worker_that_dies_anywhere_loses_nothing_and_repeats_only_what_it_said(order: list[Event], seed: int) -> None:
    runner = Runner(chance=random.Random(seed))
    for event in order:
        runner.publish(event)
    run_with_deaths(runner, random.Random(seed))

    assert groups(runner) == list(CHILDREN)
    assert not runner.reviews()
    forwarded = Counter(event_id for line in runner.lines().values() for event_id in line)
    assert forwarded == Counter(event.header.event_id for event in STORY)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_two_children_share_an_identifier_under_two_birth_dates_without_a_review(data: st.DataObject) -> None:
    events = data.draw(st.lists(people(), min_size=2, max_size=8))
    runner = Runner(chance=random.Random(len(events)))
    for event in events:
        runner.publish(event)
    runner.run()

    holders: dict[str, set[str]] = {}
    for line, event_ids in runner.lines().items():
        for event in (one for one in events if one.header.event_id in event_ids):
            for identifier in event.body["identity"]["identifiers"]:
                name = f"{identifier['scheme']}:{identifier.get('issuer')}:{identifier['value']}"
                holders.setdefault(name, set()).add(line)
    assert all(len(lines) == 1 for lines in holders.values())
    accounted = Counter(event_id for line in runner.lines().values() for event_id in line)
    accounted.update(review["event_id"] for review in runner.reviews())
    assert accounted == Counter(event.header.event_id for event in events)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(order=st.permutations(range(5)), seed=st.integers(0, 2**32))
def test_two_birth_dates_that_race_for_an_identifier_end_with_one_child_and_one_question(order: list[int], seed: int) -> None:
    events = [
        registered(event_id="a", nhs=NHS[0], **ALFIE),
        in_care_system(event_id="b", nhs=NHS[0], local="L1", **{**ALFIE, "born": "2015-02-03"}),
        notified(event_id="c", **ALFIE),
        notified(event_id="d", **{**ALFIE, "born": "2015-02-03"}),
        merged("M9", event_id="e", nhs=NHS[0], local="M1"),
    ]
    runner = Runner(chance=random.Random(seed))
    publish_in_pieces(runner, [events[at] for at in order], seed)

    assert len(runner.lines()) == 1
    assert {review["event_id"] for review in runner.reviews() if review["kind"] == "IDENTIFIER_CONFLICT"} & {"a", "b"}
    accounted = {event_id for line in runner.lines().values() for event_id in line} | {
        one["event_id"] for one in runner.reviews()
    }
    assert accounted == {"a", "b", "c", "d", "e"}


def publish_in_pieces(runner: Runner, order: Iterable[Event], seed: int) -> None:
    chance = random.Random(seed)
    for event in order:
        runner.publish(event)
        if chance.random() < 0.4:
            runner.run()
    runner.run()


def run_with_deaths(runner: Runner, chance: random.Random) -> None:
    """Take every candidate; a worker may die after any acknowledged part of a chunk, and starts again from the log."""
    deaths = 12
    while ready := [one for one in sorted(runner.log) if runner.done.get(one, 0) < len(runner.log[one])]:
        partition = chance.choice(ready)
        begin = runner.done.get(partition, 0)
        records = runner.log[partition][begin : begin + chance.randint(1, 5)]
        effects = runner.step(partition, records)
        if deaths and chance.random() < 0.4:
            deaths -= 1
            die(runner, partition, effects, chance)
            continue
        runner.write(partition, effects)
        runner.done[partition] = begin + len(records)


def die(runner: Runner, partition: int, effects: Effects, chance: random.Random) -> None:
    """Write some of the outputs, or all of them and of each state topic a first part, as a partition takes it; commit nothing."""
    runner.tasks.pop(partition)
    if chance.random() < 0.5:
        outputs = effects.outputs[: chance.randint(0, len(effects.outputs))]
        runner.write(partition, Effects(outputs=outputs))
        return
    by_topic = [[one for one in effects.state.values() if one.topic == topic] for topic in STATES]
    runner.write(partition, effects, state=[one for log in by_topic for one in log[: chance.randint(0, len(log))]])


def people() -> st.SearchStrategy[Event]:
    """A record of some person by some agency: few values, so that they meet."""
    described = st.fixed_dictionaries(
        {
            "born": st.sampled_from(["2015-03-02", "2015-02-03"]),
            "given": st.sampled_from(["Alfie", "Bertie", "Baby"]),
            "postcode": st.sampled_from(["ES1 2AB", "ES3 4CD"]),
        },
        optional={"nhs": st.sampled_from(NHS[:2]), "local": st.sampled_from(["1", "2"])},
    )
    return st.builds(
        lambda make, said: make(**said), st.sampled_from([registered, in_care_system, notified, attended]), described
    )


def test_a_step_repeated_from_the_same_state_gives_equal_records() -> None:
    runner = Runner(partitions=1)
    runner.publish(*STORY)
    first = [runner.step(0, [record]) for record in runner.log[0]]
    runner.tasks.clear()
    second = [runner.step(0, [record]) for record in runner.log[0]]

    assert first == second


def test_a_usual_event_writes_where_it_was_and_not_the_whole_roster() -> None:
    runner = Runner(partitions=1)
    runner.publish(STORY[0])
    runner.run()
    runner.publish(STORY[2])
    runner.step(0, runner.log[0][: runner.done[0]])
    effects = runner.step(0, runner.log[0][runner.done[0] :])

    [(topic, key)] = [place for place, one in effects.state.items() if one.value is not None]
    assert (topic, key.endswith(b"#lanes")) == (IDENTITIES, True)
    assert [one.topic for one in effects.outputs] == [SUBJECTS, CANDIDATES]


def test_state_names_no_child() -> None:
    runner = Runner(partitions=1)
    runner.publish(*STORY)
    runner.run()

    kept = [record for (topic, _), records in runner.states.items() for record in records if topic == IDENTIFIERS]
    assert kept
    assert not any(NHS[0].encode() in (record.value or b"") + (record.key or b"") for record in kept)
    assert all(codec.decode("state_record", record.value or b"")["lanes"] for record in kept)
