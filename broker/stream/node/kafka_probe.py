"""Finding out whether a Kafka answers, and where a new one may listen."""

import asyncio
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from broker.errors import KafkaUnavailableError, StopError
from broker.kafkaaccess import Kafka
from broker.stream.client_options import client_options

_PATIENCE_MS = 5_000


def answers(kafka: Kafka) -> bool:
    """Tell whether a Kafka tells about itself."""
    return _listens(str(kafka)) and _succeeds(_describe(kafka))


def acknowledges_a_send(kafka: Kafka) -> bool:
    """Tell whether a Kafka takes a topic and acknowledges a record in it; the topic goes again."""
    return _listens(str(kafka)) and _succeeds(_send(kafka))


def wait_until(ready: Callable[[], bool], seconds: float, complaint: str) -> None:
    """Ask until it is so; raises KafkaUnavailableError with the complaint when time is up."""
    until = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > until:
            raise KafkaUnavailableError(complaint)
        time.sleep(0.1)


def free_port(but: int | None = None) -> int:
    """Return a port that nobody uses and that the system does not hand out to clients by itself.

    A port from the system's own range could be taken by a client that tries to reach a node while it is down.
    """
    for port in random.sample(range(20_000, _first_port_of_clients()), 200):
        if port != but and is_free(port):
            return port
    raise StopError("no free port between 20000 and the range of the system's clients: is something using them all?")


def is_free(port: int) -> bool:
    """Tell whether a program could listen on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _first_port_of_clients() -> int:
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        first = 32_768
    return first if first > 21_000 else 32_768


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise StopError(f"`{address}` is not the address of a Kafka: write it as host:port")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=3):
            return True
    except OSError:
        return False


def _succeeds(work: Coroutine[Any, Any, None]) -> bool:
    """Run it on a loop of its own, in a thread of its own: the caller may be on one."""
    outcome: list[bool] = []

    def run() -> None:
        try:
            asyncio.run(asyncio.wait_for(work, 3 * _PATIENCE_MS / 1000))
        except (KafkaError, OSError, TimeoutError):
            outcome.append(False)
        else:
            outcome.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return bool(outcome and outcome[0])


async def _describe(kafka: Kafka) -> None:
    admin = AIOKafkaAdminClient(**client_options(kafka), request_timeout_ms=_PATIENCE_MS)
    try:
        await admin.start()
        await admin.list_topics()
    finally:
        await admin.close()


async def _send(kafka: Kafka) -> None:
    topic = f"probe-{uuid.uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(**client_options(kafka), request_timeout_ms=_PATIENCE_MS)
    producer = AIOKafkaProducer(**client_options(kafka), acks="all", request_timeout_ms=_PATIENCE_MS)
    try:
        await admin.start()
        await admin.create_topics([NewTopic(topic, 1, 1)], timeout_ms=_PATIENCE_MS)
        await producer.start()
        await producer.send_and_wait(topic, b"is anybody there?")
        await admin.delete_topics([topic], timeout_ms=_PATIENCE_MS)
    finally:
        await producer.stop()
        await admin.close()
