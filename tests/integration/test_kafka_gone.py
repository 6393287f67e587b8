"""Kafka came back empty: whoever asks at a place that knows what was there hears so, and nobody is told that all is well."""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from broker.cli import cli
from broker.core.model.ports import Outgoing
from broker.errors import DataLossError
from broker.settings import load_settings
from broker.stream.clients import Writer, open_admin, open_consumer, open_producer
from broker.stream.log_ends import log_ends
from broker.stream.node.kafka_node import KafkaNode
from broker.stream.node.kafka_probe import free_port
from broker.stream.topics import CANDIDATES, EVENTS, POLICIES, RECEIPTS, REGISTERS
from broker.stream.watching.places import places_where
from tests.area import Area, create_topics
from tests.cli.speaking import CALLS, LEAD, SPEAKING, words_of
from tests.feed import Feed, Ledger, prepare
from tests.integration.apache_kafka import need_apache_kafka
from tests.worker import wait_for, workers

EXTRACT = "SourceID,Forename,Surname,DOB\n7001,Ada,Quill,2016-04-02\n"
pytestmark = pytest.mark.kafka
WELL = tuple(f"{name} {SPEAKING[name]}" for name in ("reconcile", "lag", "publish", "connect", "reviews list", "topics access"))


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
            alert = json.loads(listen(area, "--from", "beginning", "--again", "--no-receipt").stdout.splitlines()[0])[
                "disclosure_id"
            ]
        (area.folder / "alert").write_text(alert)
        well = [broker(area, *words_of(area, call, alert)) for call in WELL]
        assert ["another Kafka" in one.stderr for one in well] == [False] * len(well)
        node.stop()
        node = empty(area, folder)
        yield area
    finally:
        node.stop()


async def _write(area: Area, *records: Outgoing) -> None:
    async with open_producer(area.kafka) as producer:
        await Writer(producer).write(records)


@pytest.mark.parametrize("call", [one for one in CALLS if one not in {"doctor", "run"}])
def test_who_reads_or_writes_hears_that_it_is_another_and_does_neither(gone: Area, call: str) -> None:
    """Also who would wait for a Kafka that is away, and who has something to say in answer to what was there before."""
    words = words_of(gone, call, (gone.folder / "alert").read_text())
    said = CliRunner().invoke(cli, [*words, "--settings", str(gone.settings_file)])

    assert isinstance(said.exception, DataLossError), said.output
    assert said.stdout == ""
    assert "another Kafka, or empty" in str(said.exception)
    assert str(load_settings(gone.settings_file).data / "kafka.json") in str(said.exception), "what to do if that is meant"


@pytest.mark.parametrize("call", ["run", "reconcile"])
def test_it_ends_with_a_status_of_its_own_and_one_line(gone: Area, call: str) -> None:
    said = broker(gone, call)

    assert (said.returncode, said.stdout) == (2, "")
    assert "another Kafka, or empty" in said.stderr
    assert "Traceback" not in said.stderr


def test_nothing_was_written_to_the_kafka_that_nobody_knows(gone: Area) -> None:
    """After all of the above: no receipt, event, answer or release, and no topic that was not made for it by hand."""
    written = asyncio.run(_ends(gone))

    assert {topic: end for topic, end in written.items() if topic in {RECEIPTS, CANDIDATES, *EVENTS.values()} and end} == {}
    assert written[REGISTERS] == written[POLICIES] == 1


async def _ends(area: Area) -> dict[str, int]:
    async with open_admin(area.kafka) as admin, open_consumer(area.kafka) as consumer:
        places = await places_where(admin, lambda topic: not topic.startswith("_"))
        found: Counter[str] = Counter()
        for place, end in (await log_ends(consumer, places)).items():
            found[place.topic] += end
        return found


def test_the_doctor_says_so_and_looks_no_further(gone: Area) -> None:
    said = broker(gone, "doctor")

    assert said.returncode == 4
    assert "another Kafka, or empty" in said.stdout
    assert "not fit to work: see to kafka" in said.stdout


def test_who_follows_hears_so_and_begins_anew_when_it_is_meant(gone: Area) -> None:
    """Also where only the note of the inbox is left; an inbox that begins anew knows the new log from then on."""
    notes = load_settings(gone.settings_file).data / "kafka.json"
    kept = notes.read_text()
    notes.unlink()

    alert = (gone.folder / "alert").read_text()
    said = [broker(gone, "acknowledge", LEAD, alert), listen(gone), listen(gone, "--from", "beginning"), listen(gone)]
    notes.write_text(kept)

    assert [one.returncode for one in said] == [2, 2, 0, 0], [one.stderr for one in said]
    for one in said[:2]:
        assert "topic `disclosures.dsl-100001.v1` was made anew: its records are lost" in one.stderr
        assert f"broker subscribe {LEAD} --from beginning" in one.stderr


def test_who_is_at_work_when_it_comes_back_empty_stops_and_says_so(tmp_path: Path) -> None:
    """Their clients would go on by themselves, as if nothing had ever been written there."""
    need_apache_kafka()
    folder = tmp_path / "kafka"
    node = KafkaNode(folder, port=free_port())
    area = Area(tmp_path / "area", node.start())
    area.write()
    calls = {
        "run": "run",
        "connect": "connect sui-extract --agency {council} --inbox {inbox}",
        "subscribe": "subscribe {lead} --json",
        "lag": "lag --watch --json",
    }
    said = {name: tmp_path / name for name in calls}
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        asyncio.run(create_topics(area))
        asyncio.run(prepare(area, []))
        for name, call in calls.items():
            command = [sys.executable, "-m", "broker", *words_of(area, call), "--settings", str(area.settings_file)]
            with said[name].open("ab") as out:
                running[name] = subprocess.Popen(command, stdout=out, stderr=out)
        assert wait_for(lambda: "worker_started" in said["run"].read_text())
        assert wait_for(lambda: '"headline"' in said["lag"].read_text())
        assert wait_for((area.folder / "inbox" / "accepted").is_dir)
        time.sleep(3)  # what follows has no other sign of being at work
        assert {name: one.poll() for name, one in running.items()} == dict.fromkeys(calls)

        node.kill()
        node = empty(area, folder)
        (area.folder / "inbox" / "extract.csv").write_text(EXTRACT)
        for name, one in running.items():
            assert one.wait(60) == 2, (name, said[name].read_text())
            assert "its records are lost" in said[name].read_text() or "another Kafka, or empty" in said[name].read_text(), name
            assert "Traceback" not in said[name].read_text(), name
        assert not list((area.folder / "inbox" / "accepted").iterdir()), "it is taken once somebody has looked"
    finally:
        for one in running.values():
            one.kill()
            one.wait(10)
        node.stop()
