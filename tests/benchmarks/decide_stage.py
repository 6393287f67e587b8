"""The whole decide stage, 400 recipients, audit first, against a bare client loop that calls the same pure functions."""

import asyncio
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from broker import codec
from broker.core.model.event import Event
from broker.core.model.ports import CAUSE, ORIGIN, Outgoing, Position
from broker.core.model.registers import ADMINISTRATOR
from broker.policyfile import load_policy, policy_content
from broker.registerfile import load_content, load_registers
from broker.stream.clients import Writer, open_admin, open_consumer, open_producer
from broker.stream.node.kafka_node import KafkaNode
from broker.stream.releases.follow import release
from broker.stream.topics import AUDIT, CLOCKS, FACTS, SUBJECTS
from broker.stream.watching.places import places_of
from tests.area import Area, create_topics, encompass, register_all
from tests.benchmarks import Figure, in_own_process, median_of

SCHOOLS = 400
CHILDREN = 1_000
EVENTS = 4_000


def measure() -> Iterator[Figure]:
    """Return `decide_stage`: events per CPU second of the worker. On a Kafka of its own: topic names are fixed."""
    node = KafkaNode()
    try:
        with tempfile.TemporaryDirectory() as folder:
            area = Area(Path(folder), node.start(), schools=SCHOOLS, practices=40)
            area.write()
            count = asyncio.run(_fill(area))
            yield _figure(area, count)
    finally:
        node.stop()


def _figure(area: Area, count: int) -> Figure:
    def run(kind: str) -> tuple[float, list[float]]:
        def once() -> float:
            asyncio.run(_forget(area))
            arguments = [kind, area.kafka, str(area.folder), str(count)]
            return float(in_own_process("tests.benchmarks.decide_loop", arguments, seconds=120)["per_cpu_second"])

        return median_of(once)

    ours, ours_all = run("stage")
    audited = asyncio.run(_ends(area, AUDIT))
    bare, bare_all = run("bare")
    if audited != asyncio.run(_ends(area, AUDIT)):
        raise AssertionError(f"the two did not decide the same events: {audited} audit entries by the stage")
    detail = {"runs": ours_all, "rival_runs": bare_all, "events": count, "audit_entries": audited, "schools": SCHOOLS}
    return Figure("decide_stage", round(ours), "events/CPU-s", round(bare), round(ours / bare, 3), detail)


async def _fill(area: Area) -> int:
    """Write the children's lines once: releases, registrations, then notices; return how many records a stage takes."""
    await create_topics(area)
    children = area.children(CHILDREN)
    notices = (encompass(children[at % CHILDREN], f"m-{at}") for at in range(EVENTS))
    records = []
    for at, event in enumerate(chain(register_all(children), notices)):
        child_ref = f"c-{_birth(event)}"
        value = codec.encode("subject_record", {"kind": "EVENT", "child_ref": child_ref, "event": codec.encode_event(event)})
        place = bytes(Position("candidates.v1/0", at))
        records.append(Outgoing(SUBJECTS, child_ref.encode(), value, ((ORIGIN, place), (CAUSE, place))))
    async with open_producer(area.kafka) as producer:
        administrator, registers = area.signers[ADMINISTRATOR], load_registers(area.registers_file)
        await release(producer, "registers", registers.version, load_content(area.registers_file), administrator)
        await release(producer, "policy", load_policy().version, policy_content(), administrator)
        for start in range(0, len(records), 2_000):
            await Writer(producer).write(records[start : start + 2_000])
    return await _ends(area, SUBJECTS)


def _birth(event: Event) -> str:
    """Tell the children of the area apart by what the events say of them."""
    identity = event.body["identity"]
    return f"{identity['birth_date']}-{identity['names'][0]['given']}-{identity['names'][0]['family']}"


async def _forget(area: Area) -> None:
    """Empty what a run before wrote, so that every run decides everything; Kafka deletes in its own time."""
    made = {FACTS, CLOCKS, AUDIT}
    async with open_admin(area.kafka) as admin:
        await admin.delete_topics(list(made))
        for _ in range(60):
            await asyncio.sleep(0.5)
            await create_topics(area)
            existing = set(await admin.list_topics())
            if made <= existing and not sum([await _ends(area, topic) for topic in made]):
                return
    raise AssertionError("Kafka did not make the topics anew within half a minute")


async def _ends(area: Area, topic: str) -> int:
    places = await places_of(area.kafka, [topic])
    async with open_consumer(area.kafka) as consumer:
        return sum((await consumer.end_offsets(places)).values())
