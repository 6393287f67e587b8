"""Kafka came back empty: whoever asks at a place that knows what was there hears so, and nobody is told that all is well."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.core.ports import Outgoing
from broker.settings import load_settings
from broker.stream.clients import Writer, open_producer
from broker.stream.node.kafka_node import KafkaNode
from broker.stream.node.kafka_probe import free_port
from tests.area import COUNCIL, Area, create_topics
from tests.feed import Feed, Ledger, prepare
from tests.integration.apache_kafka import need_apache_kafka
from tests.worker import wait_for, workers

pytestmark = pytest.mark.kafka
LEAD = "dsl-100001"


def broker(area: Area, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "broker", *words, "--settings", str(area.settings_file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def listen(area: Area, *words: str) -> subprocess.CompletedProcess[str]:
    return broker(area, "subscribe", LEAD, "--until-now", "--json", *words)


def empty(area: Area, folder: Path) -> KafkaNode:
    """Start a Kafka of that address without any of its records, with topics and registers as if nothing had been."""
    shutil.rmtree(folder)
    node = KafkaNode(folder, port=int(area.kafka.rpartition(":")[2]))
    node.start()
    asyncio.run(create_topics(area))
    asyncio.run(prepare(area, []))
    return node


@pytest.fixture(scope="module")
def gone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Area]:
    """An area where a worker worked and a lead was told something, before its Kafka came back empty."""
    need_apache_kafka()
    folder = tmp_path_factory.mktemp("node") / "kafka"
    node = KafkaNode(folder, port=free_port())
    area = Area(tmp_path_factory.mktemp("area"), node.start())
    area.write()
    try:
        asyncio.run(create_topics(area))
        child = area.child(0)
        asyncio.run(prepare(area, [child]))
        with workers(area, 1):
            asyncio.run(_write(area, *Feed(area, [child], Ledger("ES/gone"), run="gone").make(1)))
            assert wait_for(lambda: bool(listen(area, "--no-receipt").stdout), 40, 1.0)
        well = [broker(area, *words) for words in (["reconcile"], ["lag", "--for", "0"], *_sending(area))]
        assert ["another Kafka" in one.stderr for one in well] == [False] * len(well)
        node.stop()
        node = empty(area, folder)
        yield area
    finally:
        node.stop()


async def _write(area: Area, *records: Outgoing) -> None:
    async with open_producer(area.kafka) as producer:
        await Writer(producer).write(records)


def _sending(area: Area) -> list[list[str]]:
    """What an agency does, with nothing to say: it has to know first whom it speaks to."""
    events, inbox = area.folder / "events.jsonl", area.folder / "inbox"
    events.write_text("")
    inbox.mkdir(exist_ok=True)
    return [
        ["publish", str(events), "--agency", "urn:100001"],
        ["connect", "sui-extract", "--agency", COUNCIL, "--inbox", str(inbox), "--once"],
    ]


@pytest.mark.parametrize("words", [["reconcile"], ["lag", "--for", "0"], ["explain", "--event", "e-12345678"]])
def test_who_looks_at_the_log_hears_that_it_is_another(gone: Area, words: list[str]) -> None:
    said = broker(gone, *words)

    assert said.returncode == 2, said.stdout
    assert "another Kafka, or empty" in said.stderr
    assert "balances" not in said.stdout
    assert str(load_settings(gone.settings_file).data / "kafka.json") in said.stderr, "what to do if that is meant"


def test_the_doctor_says_so_and_looks_no_further(gone: Area) -> None:
    said = broker(gone, "doctor")

    assert said.returncode == 4
    assert "another Kafka, or empty" in said.stdout
    assert "not fit to work: see to kafka" in said.stdout


def test_who_publishes_hears_so_before_anything_is_sent(gone: Area) -> None:
    """A connector would publish what is new since its last file to a Kafka that never had that one."""
    said = [broker(gone, *words) for words in _sending(gone)]

    assert [one.returncode for one in said] == [2, 2]
    assert all("another Kafka, or empty" in one.stderr for one in said)


def test_who_follows_hears_so_and_begins_anew_when_it_is_meant(gone: Area) -> None:
    """Also where only the note of the inbox is left; an inbox that begins anew knows the new log from then on."""
    notes = load_settings(gone.settings_file).data / "kafka.json"
    kept = notes.read_text()
    notes.unlink()

    said = [listen(gone), listen(gone, "--from", "beginning"), listen(gone)]
    notes.write_text(kept)

    assert [one.returncode for one in said] == [2, 0, 0], [one.stderr for one in said]
    assert "topic `disclosures.dsl-100001.v1` is another than was read here" in said[0].stderr
    assert f"broker subscribe {LEAD} --from beginning" in said[0].stderr
