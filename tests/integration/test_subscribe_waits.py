"""Who follows live is not left alone by a Kafka that is away: not at the start, not in between, not when its log is trimmed."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka.admin import RecordsToDelete

from broker.core.model.ports import Outgoing
from broker.settings import load_settings
from broker.stream.clients import Writer, open_admin, open_producer
from broker.stream.inbox import Inbox
from broker.stream.node.kafka_node import KafkaNode
from broker.stream.node.kafka_probe import free_port
from broker.stream.watching.places import places_of
from tests.area import Area, create_topics
from tests.feed import Feed, Ledger, prepare
from tests.integration.apache_kafka import need_apache_kafka
from tests.worker import wait_for, workers

pytestmark = pytest.mark.kafka
LEAD = "dsl-100001"
TOPIC = f"disclosures.{LEAD}.v1"


async def _write(area: Area, *records: Outgoing) -> None:
    async with open_producer(area.kafka) as producer:
        await Writer(producer).write(records)


async def _trim(area: Area) -> None:
    """Delete what the lead's topic holds, as its retention does."""
    places = await places_of(area.kafka, [TOPIC])
    async with open_admin(area.kafka) as admin:
        await admin.delete_records({place: RecordsToDelete(before_offset=-1) for place in places})


def _command(area: Area, *words: str) -> list[str]:
    return [sys.executable, "-m", "broker", "subscribe", LEAD, "--json", *words, "--settings", str(area.settings_file)]


def read_here(area: Area) -> int:
    """Return how many records of the lead's topic count as read at this place."""
    inbox = Inbox(load_settings(area.settings_file).data, LEAD)
    try:
        return sum(inbox.next_offset(TOPIC, one) or 0 for one in range(area.partitions))
    finally:
        inbox.close()


@contextmanager
def following(area: Area) -> Iterator[tuple[Path, Path]]:
    """Follow live: what it shows and what it says go to two files."""
    shown, said = area.folder / "shown", area.folder / "said"
    with shown.open("ab") as out, said.open("ab") as err:
        process = subprocess.Popen(_command(area), stdout=out, stderr=err)
    try:
        yield shown, said
        assert process.poll() is None, "it follows still"
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[KafkaNode]:
    need_apache_kafka()
    made = KafkaNode(tmp_path / "kafka", port=free_port())
    yield made
    made.stop()


def test_who_follows_waits_for_kafka_in_words(node: KafkaNode, tmp_path: Path) -> None:
    area = Area(tmp_path / "area", node.address)
    area.write()
    child = area.child(0)
    first, second = Feed(area, [child], Ledger("ES/wait"), run="wait").make(2)
    node.start()
    asyncio.run(create_topics(area))
    asyncio.run(prepare(area, [child]))
    node.kill()
    once = subprocess.run(_command(area, "--until-now"), capture_output=True, text=True, timeout=60, check=False)
    assert once.returncode == 75, "who asks what is there now is told to ask again"

    with following(area) as (shown, said):
        assert wait_for(lambda: "trying again in 2 s" in said.read_text(), 20), "away at the start"
        node.start()
        with workers(area, 1):
            asyncio.run(_write(area, first))
            assert wait_for(lambda: shown.read_text().count("\n") == 1, 60), said.read_text()
            before = said.read_text()
            node.kill()
            assert wait_for(lambda: said.read_text() != before, 40), "away in between"
            node.start()
            asyncio.run(_write(area, second))
            assert wait_for(lambda: shown.read_text().count("\n") == 2, 60), said.read_text()
        assert wait_for(lambda: read_here(area) == 2, 60), "it is noted as read once it is confirmed, not when it is shown"
        assert "Traceback" not in said.read_text()
        assert "Kafka does not answer" in said.read_text()

    asyncio.run(_trim(area))
    trimmed = subprocess.run(_command(area, "--until-now"), capture_output=True, text=True, timeout=60, check=False)
    assert (trimmed.returncode, trimmed.stdout) == (0, ""), "all was read before"
    assert "deleted" not in trimmed.stderr
