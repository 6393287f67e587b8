"""A Kafka for this machine: starts, comes back, leaves nothing behind, and says what is wrong."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from broker.errors import KafkaUnavailableError, StopError
from broker.stream.node import kafka_node
from broker.stream.node.kafka_embedded import EmbeddedNode
from broker.stream.node.kafka_node import GivenNode, KafkaNode, choose, fetch_jars
from tests.patience import LONG

pytestmark = pytest.mark.kafka


@pytest.fixture
def no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_node.shutil, "which", lambda name: None if name == "java" else f"/usr/bin/{name}")


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def write(address: str, topic: str, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    producer = AIOKafkaProducer(bootstrap_servers=address, acks="all", enable_idempotence=True)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await producer.start()
    await producer.send_and_wait(topic, value, timestamp_ms=1)
    await producer.stop()
    await admin.close()


async def read(address: str, topic: str) -> tuple[bytes, int]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=address, auto_offset_reset="earliest")
    await consumer.start()
    record = await consumer.getone()
    await consumer.stop()
    return record.value, record.timestamp


async def test_a_killed_node_comes_back_on_its_port_with_its_data_and_kafkas_own_time_stamps(tmp_path: Path) -> None:
    node = KafkaNode(tmp_path / "data")
    before = node.start()
    try:
        await write(before, "kept", b"a record")
        node.kill()

        after = node.start()

        value, timestamp = await read(after, "kept")
        assert after == before
        assert value == b"a record"
        assert timestamp > 1_000_000_000_000, "the client said 1; Kafka stamps records itself"
    finally:
        node.stop()


def test_stopping_leaves_no_process_and_no_temporary_folder() -> None:
    node = KafkaNode()
    node.start()
    pid, folder = node.pid, node.folder
    assert pid is not None
    assert folder is not None

    node.stop()

    assert not is_running(pid)
    assert not folder.exists()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_node_ends_with_the_program_that_started_it_however_that_ends(end: signal.Signals) -> None:
    script = (
        "from broker.stream.node.kafka_embedded import EmbeddedNode as N; n = N(); n.start(); print(n.pid, flush=True); input()"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert program.stdout is not None
    assert program.stdin is not None
    pid = int(program.stdout.readline())
    assert is_running(pid)

    program.send_signal(end)
    program.wait(10)
    program.stdout.close()
    program.stdin.close()

    until = time.monotonic() + LONG
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(pid)


async def test_the_embedded_node_takes_and_gives_records_and_says_what_it_is_not() -> None:
    node = EmbeddedNode()
    address = node.start()
    try:
        producer = AIOKafkaProducer(bootstrap_servers=address, acks="all")
        admin = AIOKafkaAdminClient(bootstrap_servers=address)
        await admin.start()
        await admin.create_topics([NewTopic("kept", 1, 1)])
        await producer.start()
        await producer.send_and_wait("kept", b"a record")
        await producer.stop()
        await admin.close()

        assert (await read(address, "kept"))[0] == b"a record"
        assert "in memory only" in node.description
    finally:
        node.stop()


def test_the_choice_is_the_given_address_then_embedded_on_request_then_apache_kafka() -> None:
    assert isinstance(choose("127.0.0.1:9092"), GivenNode)
    assert isinstance(choose("embedded"), EmbeddedNode)
    assert isinstance(choose(None), KafkaNode)
    assert choose("127.0.0.1:9092").description == "the Kafka at 127.0.0.1:9092"
    assert choose(None).description.startswith("Apache Kafka 4.4")


@pytest.mark.usefixtures("no_java")
def test_without_java_the_embedded_node_is_chosen_and_says_why() -> None:
    node = choose(None)

    assert isinstance(node, EmbeddedNode)
    assert "`java` is not installed" in node.description


@pytest.mark.usefixtures("no_java")
def test_apache_kafka_without_java_says_what_to_do() -> None:
    with pytest.raises(StopError, match=r"needs Java 17 or later: `java` is not installed: set KAFKA=host:port"):
        KafkaNode().start()


def test_a_fetch_that_fails_says_what_maven_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(kafka_node, "_pom", lambda: tmp_path / "pom.xml")
    (tmp_path / "pom.xml").write_text("<project>")

    with pytest.raises(StopError, match=r"Apache Kafka could not be fetched with Maven: Some problems were.*set KAFKA=host:port"):
        fetch_jars()


def test_a_port_that_is_taken_is_said_in_words(tmp_path: Path) -> None:
    first = EmbeddedNode()
    address = first.start()
    try:
        with pytest.raises(KafkaUnavailableError, match=r"port \d+ is taken"):
            KafkaNode(tmp_path / "data", port=int(address.rpartition(":")[2])).start()
    finally:
        first.stop()


def test_an_address_that_is_none_is_said_in_words() -> None:
    with pytest.raises(StopError, match="`nonsense` is not the address of a Kafka: write it as host:port"):
        GivenNode("nonsense").start()
