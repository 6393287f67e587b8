"""Our Faust transport against the bare client loop, and against stock Faust."""

import asyncio
import os
import uuid
from collections.abc import Iterator

from aiokafka.admin import NewTopic

from broker.core.model.ports import Outgoing
from broker.stream.clients import Writer, open_admin, open_producer
from tests.benchmarks import Figure, Place, in_own_process, median_of
from tests.benchmarks.pass_through import written

PARTITIONS = 8
RECORDS = 200_000
RECORDS_STOCK = 20_000
VALUE_BYTES = 300


def measure(place: Place) -> Iterator[Figure]:
    """Return `transport` and `transport_vs_faust`: records per CPU second of the worker, acks=all."""
    reads, few, writes = asyncio.run(_fill(place.kafka))

    def run(kind: str, topic: str, count: int) -> tuple[float, list[float]]:
        def once() -> float:
            found = in_own_process("tests.benchmarks.pass_through", [kind, place.kafka, topic, writes, str(count)])
            return float(found["per_cpu_second"])

        return median_of(once)

    ours, ours_all = run("ours", reads, RECORDS)
    bare, bare_all = run("bare", reads, RECORDS)
    stage, stage_all = run("stage", reads, RECORDS)
    stock, stock_all = run("stock", few, RECORDS_STOCK)
    runs = {"runs": ours_all, "records": RECORDS, "whole_stage": round(stage), "whole_stage_runs": stage_all}
    yield Figure("transport", round(ours), "records/CPU-s", round(bare), round(ours / bare, 2), {**runs, "rival_runs": bare_all})
    yield Figure(
        "transport_vs_faust", round(ours), "records/CPU-s", round(stock), round(ours / stock, 1), {"rival_runs": stock_all}
    )
    expected = 5 * (3 * RECORDS + RECORDS_STOCK)
    assert asyncio.run(written(place.kafka, writes, PARTITIONS)) >= expected, "every record of every run must be there"


async def _fill(kafka: str) -> tuple[str, str, str]:
    """Make the topics and fill the two that are read."""
    run = uuid.uuid4().hex[:8]
    reads, few, writes = f"bench-in-{run}", f"bench-few-{run}", f"bench-out-{run}"
    async with open_admin(kafka) as admin:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in (reads, few, writes)])
    async with open_producer(kafka, topics=[reads, few]) as producer:
        writer = Writer(producer)
        value = os.urandom(VALUE_BYTES)
        for topic, count in ((reads, RECORDS), (few, RECORDS_STOCK)):
            for start in range(0, count, 10_000):
                await writer.write(
                    [Outgoing(topic, b"%d" % one, value, partition=one % PARTITIONS) for one in range(start, start + 10_000)]
                )
    return reads, few, writes
