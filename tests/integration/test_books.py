"""The reconciler's books as a worker keeps them, on a real Kafka: what metrics, health and commands say of what was lost."""

import asyncio
import json
import subprocess
import sys

import pytest
from aiokafka import TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from broker.core.account.balance import total
from broker.settings import load_settings
from broker.stream.clients import Writer, open_consumer, open_producer
from broker.stream.node.kafka_probe import free_port
from broker.stream.topics import EVENTS
from broker.stream.watching.reconcile_reader import BOOKS_FILE, open_reconciler
from tests.area import Area, encompass
from tests.feed import prepare
from tests.patience import LONG
from tests.worker import fetch, wait_for, workers

pytestmark = pytest.mark.kafka

CHILDREN = 12


@pytest.fixture(scope="module")
def known(area: Area) -> Area:
    """The area with policy and registers in force and its children on their way."""
    asyncio.run(prepare(area, area.children(CHILDREN)))
    return area


def broker(area: Area, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "broker", *words, "--settings", str(area.settings_file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)


def shown(port: int) -> dict[str, float]:
    """Return what a worker's metrics say of the equation, over all partitions."""
    found: dict[str, float] = {}
    status, text = fetch(f"http://127.0.0.1:{port}/metrics")
    for family in text_string_to_metric_families(text) if status == 200 else ():
        for sample in family.samples:
            if sample.name in {"safeguarding_records", "safeguarding_unaccounted"}:
                outcome = sample.labels.get("outcome", "unaccounted")
                found[outcome] = found.get(outcome, 0) + sample.value
    return found


async def lose(area: Area, matter: str) -> TopicPartition:
    """Write an event and let the group's position pass it, as a reset of the group by hand does."""
    signed = area.sign(encompass(area.child(1), matter))
    async with open_producer(area.kafka) as producer:
        await Writer(producer).write([signed])
    settings = load_settings(area.settings_file)
    async with open_consumer(area.kafka, group=settings.group) as consumer:
        places = [TopicPartition(topic, one) for topic in EVENTS.values() for one in range(area.partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        before = {place: await consumer.committed(place) or 0 for place in places}
        await consumer.commit(ends)
        (passed,) = [place for place in places if ends[place] > before[place]]
    return passed


def test_every_worker_shows_the_same_books_and_says_when_a_record_was_lost(known: Area) -> None:
    ports = [free_port(), free_port()]
    one, other = (("--metrics-port", str(port)) for port in ports)
    with workers(known, 1, *one) as (first,), workers(known, 1, *other) as (second,):
        whole = [wait_for(lambda port=port: shown(port).get("applied") == 2 * CHILDREN, 40) for port in ports]
        well = [shown(port) for port in ports]
        second.stop()
        first.stop()  # politely: a position is set from outside only when the group is empty
    lost = asyncio.run(lose(known, "lost"))
    with workers(known, 1, *one):
        seen = wait_for(lambda: shown(ports[0]).get("unaccounted") == 1, 40)
        status, words = fetch(f"http://127.0.0.1:{ports[0]}/health")
        lag = broker(known, "lag", "--for", "0")
        quick, afresh = broker(known, "reconcile", "--quick", "--json"), broker(known, "reconcile", "--json")

    assert whole == [True, True], well
    assert well[0] == well[1]
    assert (well[0]["unaccounted"], sum(well[0].values())) == (0, 2 * CHILDREN)
    assert seen, shown(ports[0])
    assert status == 503
    assert words.startswith("1 record of the police events is not accounted for; `broker reconcile` names them")
    assert (lag.returncode, lag.stdout.splitlines()[0][:37]) == (4, "• 1 record of the police events is no")
    assert [done.returncode for done in (quick, afresh)] == [1, 1]
    faults = [fault for one in json.loads(afresh.stdout)["partitions"] for fault in one["faults"]]
    assert len(faults) == 1
    assert json.loads(quick.stdout) == json.loads(afresh.stdout), (lost, faults)


async def test_damaged_books_are_made_anew_from_the_log_and_a_round_reads_only_what_is_new(known: Area) -> None:
    settings = load_settings(known.settings_file)
    read: list[tuple[str, int]] = []
    books = settings.data / BOOKS_FILE
    books.write_bytes(b"not a database" * 500)
    async with open_reconciler(settings, books, lambda topic, done, _: read.append((topic, done))) as reconciler:
        first = await reconciler.balance()
        topics = {topic for topic, _ in read}
        read.clear()
        second = await reconciler.balance()
    async with open_reconciler(settings, books, lambda topic, done, _: read.append((topic, done))) as reconciler:
        third = await reconciler.balance()

    assert topics >= set(EVENTS.values()) - {"events.councils.v1"}
    assert total(first)["accepted"] >= 2 * CHILDREN
    assert first == second == third
    assert read == []
