"""The explorer finds nothing in the chunk protocol, and finds what is lost when a protection is taken out."""

from collections.abc import Sequence
from typing import Any

import pytest

from broker.core.ports import Effects, Record, Task
from broker.errors import RejectError
from broker.stream.engine.chunk import take
from broker.stream.engine.table import StateTable
from tests.stream.chains import whole_line
from tests.stream.chains.counting import CHAIN
from tests.stream.explorer import Protections, World, explore, undisturbed

SCHEDULES = 2_000
TO_FIND = 1_500  # schedules in which a missing protection must show


def test_no_schedule_loses_repeats_reorders_or_sends_before_it_is_recorded() -> None:
    assert explore(CHAIN, range(SCHEDULES)) is None


def test_no_schedule_of_the_brokers_own_stages_loses_an_event_or_tells_it_twice() -> None:
    assert explore(whole_line.CHAIN, range(SCHEDULES // whole_line.CHAIN.costs)) is None


@pytest.mark.parametrize("without", ["outputs acknowledged before state", "audit acknowledged before outputs", "dead letters"])
def test_the_broker_itself_loses_events_without(without: str) -> None:
    protections = Protections(run_chunk={"outp": state_first, "audi": outputs_first, "dead": rejects_dropped}[without[:4]])

    assert explore(whole_line.CHAIN, range(300), protections) is not None


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
        self._states[record.key or b""] = (int(record.header("sb_version") or 0), record.value or b"")


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
    assert explore(CHAIN, range(TO_FIND), protections) is not None, f"nothing was lost without: {without}"


def test_the_commit_of_a_zombie_does_no_harm_even_if_kafka_let_it_through() -> None:
    """It says only what is done, and that is in the state that the new owner reads; at worst records come again."""
    assert explore(CHAIN, range(500), Protections(fence=False)) is None
