"""The explorer finds nothing in the chunk protocol, and finds what is lost when a protection is taken out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from broker.core.line import corrections
from broker.core.line.corrections import Corrected
from broker.core.model.ports import Effects, Record, Task
from broker.errors import RejectError
from broker.stream import deliver
from broker.stream.decide import stage, work
from broker.stream.decide.agenda import Agenda
from broker.stream.engine.chunk import take
from broker.stream.engine.table import StateTable
from broker.stream.identify.children import Line
from broker.stream.identify.turn import Turn
from tests.stream.chains import whole_line
from tests.stream.chains.counting import CHAIN
from tests.stream.explorer import Chain, Protections, World, chains_there_are, explore, undisturbed

pytestmark = pytest.mark.search

SCHEDULES = 2_000
TO_FIND = 1_500  # schedules in which a missing protection must show
PARTS = 4  # so that no worker is left with all schedules of the broker's own stages
# Where it showed late when last looked for: tried first and then all others, so that nothing is found by this list alone.
LATE = {"the highest version wins": 1_360, "the position found before the state": 414, "a person's answer": 68}


def test_no_schedule_loses_repeats_reorders_or_sends_before_it_is_recorded() -> None:
    assert explore(CHAIN, range(schedules_of(CHAIN))) is None


@pytest.mark.parametrize("part", range(PARTS))
def test_no_schedule_of_the_brokers_own_stages_loses_an_event_or_tells_it_twice(part: int) -> None:
    assert explore(whole_line.CHAIN, seeds_of(part)) is None


def schedules_of(chain: Chain) -> int:
    return round(SCHEDULES * chain.share)


def seeds_of(part: int) -> range:
    return range(part, schedules_of(whole_line.CHAIN), PARTS)


def seeds_for(without: str, count: int) -> Sequence[int]:
    """Return the seeds to look in; those in which nothing was found before come last."""
    return sorted(range(count), key=lambda seed: seed != LATE.get(without))


def test_every_schedule_is_of_some_chain() -> None:
    assert sum(map(schedules_of, chains_there_are().values())) == SCHEDULES
    assert sorted(seed for part in range(PARTS) for seed in seeds_of(part)) == list(range(schedules_of(whole_line.CHAIN)))
    assert sorted(seeds_for("a person's answer", TO_FIND)) == list(range(TO_FIND))


def test_a_schedule_is_the_same_every_time() -> None:
    first, second = World(CHAIN, 7), World(CHAIN, 7)
    first.run()
    second.run()

    assert first.kafka.logs == second.kafka.logs


def test_what_is_left_after_faults_is_what_is_there_without_any() -> None:
    world = World(CHAIN, 11)
    world.run()

    calm = undisturbed(CHAIN, world.fed)

    assert {record.value for record in world.kafka.topic("middle")} == {record.value for record in calm.topic("middle")}


async def state_first(task: Task, records: Sequence[Record], writer: Any, limits: Any) -> None:
    effects = take(task, records, limits)
    for batch in (effects.audit, list(effects.state.values()), effects.outputs):
        await writer.write(batch)


async def outputs_first(task: Task, records: Sequence[Record], writer: Any, limits: Any) -> None:
    effects = take(task, records, limits)
    for batch in (effects.outputs, effects.audit, list(effects.state.values())):
        await writer.write(batch)


async def failures_ignored(task: Task, records: Sequence[Record], writer: Any, limits: Any) -> None:
    effects = take(task, records, limits)
    for batch in (effects.audit, effects.outputs, list(effects.state.values())):
        try:
            await writer.write(batch)
        except Exception:  # noqa: BLE001 - what stock Faust does with a failed send
            continue


async def rejects_dropped(task: Task, records: Sequence[Record], writer: Any, limits: Any) -> None:
    effects = Effects()
    for record in records:
        try:
            task.step(record, effects)
        except RejectError:
            continue
    for batch in (effects.audit, effects.outputs, list(effects.state.values())):
        await writer.write(batch)


class LastWins(StateTable):
    """A table that believes the last record, as a plain compacted topic tells it."""

    def load(self, record: Record) -> None:
        self._states.pop(record.key or b"", None)
        super().load(record)


class Forgetful(StateTable):
    """A table that keeps nothing over a restart."""

    def load(self, record: Record) -> None:
        return


@pytest.mark.parametrize(
    ("without", "protections"),
    [
        ("outputs acknowledged before state", Protections(run_chunk=state_first)),
        ("audit acknowledged before outputs", Protections(run_chunk=outputs_first)),
        ("every send verified", Protections(run_chunk=failures_ignored)),
        ("dead letters", Protections(run_chunk=rejects_dropped)),
        ("the highest version wins", Protections(table=LastWins)),
        ("the state read back", Protections(table=Forgetful)),
        ("the owner follows its state", Protections(follow=False)),
        ("commit only what is acknowledged", Protections(commit_early=True)),
        ("the position found before the state", Protections(position_first=False)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_explorer_finds_what_is_lost_without(without: str, protections: Protections) -> None:
    assert explore(CHAIN, seeds_for(without, TO_FIND), protections) is not None, f"nothing was lost without: {without}"


@pytest.mark.parametrize(
    ("without", "protections"),
    [
        ("outputs acknowledged before state", lambda: Protections(run_chunk=state_first)),
        ("audit acknowledged before outputs", lambda: Protections(run_chunk=outputs_first)),
        ("every send verified", lambda: Protections(run_chunk=failures_ignored)),
        ("dead letters", lambda: Protections(run_chunk=rejects_dropped)),
        ("the state read back", lambda: Protections(table=Forgetful)),
        ("commit only what is acknowledged", lambda: Protections(commit_early=True)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_broker_itself_loses_or_repeats_without(without: str, protections: Callable[[], Protections]) -> None:
    seeds = range(schedules_of(whole_line.CHAIN))
    assert explore(whole_line.CHAIN, seeds, protections()) is not None, f"nothing was lost without: {without}"


FORGOTTEN: dict[str, tuple[object, str, Callable[..., Any]]] = {
    "what was taken before": (stage, "_now", lambda stored, _place, at: replace(stored, at=max(at, stored.at))),
    "clocks": (Agenda, "due", lambda _self, _now: ()),
    "receipts": (deliver._DeliverTask, "step", lambda _self, _record, _effects: None),
    "retractions": (corrections, "taken_back", lambda _facts, _event: Corrected()),
    "a person's answer": (work.Work, "_resolution", lambda _self: None),
    "what a release brings into force": (stage.Line, "_epoch", lambda _self, _record, _epoch, _effects: None),
    "what was said of a child before its registration": (Line, "_settle", lambda _self: None),
    "that what waits for a person was taken back": (Turn, "changed", lambda *_args: None),
    "that a question of whom an event is about runs on a clock": (Turn, "_clock_of", lambda *_args, **_more: None),
}


@pytest.mark.parametrize("forgotten", FORGOTTEN)
def test_the_explorer_finds_what_a_stage_forgets(forgotten: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*FORGOTTEN[forgotten])

    assert explore(whole_line.CHAIN, seeds_for(forgotten, schedules_of(whole_line.CHAIN))) is not None


def test_the_commit_of_a_zombie_does_no_harm_even_if_kafka_let_it_through() -> None:
    """It says only what is done, and that is in the state that the new owner reads; at worst records come again."""
    assert explore(CHAIN, range(500), Protections(fence=False)) is None
