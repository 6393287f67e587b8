"""A Kafka for this machine: the one that is there, a real single node of Apache Kafka 4.4, or the embedded one.

For the demo, the tests and the benchmarks. Never for keeping children's records: one node has no replica.
"""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from broker.errors import KafkaUnavailableError, StopError
from broker.kafkaaccess import KafkaAccess, KafkaPlace
from broker.stream.node.child_process import ChildProcess
from broker.stream.node.kafka_embedded import EmbeddedNode
from broker.stream.node.kafka_probe import acknowledges_a_send, answers, free_port, is_free, wait_until

VERSION = "4.4.0"
EMBEDDED = "embedded"
JAVA_NEEDED = 17
_JVM = ["-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
_START_SECONDS = 90
_ACCESS_FILE = "where it wants TLS or a password, KAFKA_ACCESS=FILE: settings whose `[kafka_access]` says how it lets one in"
_OTHER_WAYS = "set KAFKA=host:port to use one that runs, or KAFKA=embedded for the in-memory one"

_PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    # One node cannot replicate: what Kafka keeps for itself must be content with one copy.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # After a kill the node must wait until its former self counts as gone.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # The instant of a decision is Kafka's, never a client's.
    "log.message.timestamp.type": "LogAppendTime",
    # A topic exists because it was declared; a misspelt name is an error.
    "auto.create.topics.enable": "false",
    "num.recovery.threads.per.data.dir": "4",
    "num.network.threads": "2",
    "num.io.threads": "4",
}


class Node(Protocol):
    """A Kafka to work with, whoever runs it."""

    @property
    def description(self) -> str:
        """Say in words which Kafka this is."""
        ...

    def start(self) -> str:
        """Start it if it is ours, wait until it acknowledges a send, and return its address as `host:port`."""
        ...

    def stop(self) -> None:
        """End it if it is ours; nothing of it stays running."""
        ...


class GivenNode:
    """A Kafka that somebody else runs."""

    def __init__(self, address: str, access: KafkaAccess | None = None) -> None:
        self._kafka = KafkaPlace(address, access)
        how = f", by {access.protocol}" if access else ""
        self.description = f"the Kafka at {address}{how}"

    def start(self) -> str:
        """Return its address; raises KafkaUnavailableError when it does not answer."""
        how = f"check KAFKA=host:port, and {_ACCESS_FILE}"
        wait_until(lambda: answers(self._kafka), 20, f"Kafka at `{self._kafka}` does not answer: {how}")
        return str(self._kafka)

    def stop(self) -> None:
        """Leave it alone: it is not ours."""


class KafkaNode:
    """A real single node of Apache Kafka, in KRaft mode, on free ports of 127.0.0.1.

    Without a data folder it keeps its data in a temporary one, which goes when it stops. With one, data and port stay
    the same over `kill` or `stop` and `start`, also for the next process that uses the folder.
    """

    def __init__(
        self,
        data: Path | None = None,
        *,
        port: int | None = None,
        properties: Mapping[str, str] | None = None,
        heap_mb: int = 512,
    ) -> None:
        self._given = data
        self._data = data
        self._port = port
        self._properties = dict(properties or {})
        self._jvm = [option if not option.startswith("-Xmx") else f"-Xmx{heap_mb}m" for option in _JVM]
        self._process: ChildProcess | None = None

    @property
    def description(self) -> str:
        """Say in words which Kafka this is."""
        where = f"data in {self._given}" if self._given else "data goes when it stops"
        return f"Apache Kafka {VERSION}, one node started here, {where}"

    @property
    def address(self) -> str:
        """Return `host:port`, the same from the first start on."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """Return the process id of the node while it runs."""
        return self._process.pid if self._process else None

    @property
    def folder(self) -> Path | None:
        """Return the folder with its data, its settings and its log, once it was started."""
        return self._data

    def start(self) -> str:
        """Fetch Kafka when it is not there, start the node, and return its address once it acknowledged a send.

        Starting it again after `kill` or `stop` keeps data and port. Raises StopError when Java or Maven are missing or
        Kafka cannot be fetched, KafkaUnavailableError when it does not come up; both say what to do.
        """
        _require_java()
        jars = fetch_jars()
        data = self._folder()
        self._prepare(jars, data)
        log = data / "kafka.log"
        log.write_bytes(b"")
        self._process = ChildProcess(self._java(jars, "kafka.Kafka", str(data / "server.properties")), log)
        self._process.start()
        try:
            self._wait_until_ready(log)
        except BaseException:
            self.kill()
            raise
        return self.address

    def kill(self) -> None:
        """End it as a power cut would; `start` brings it back with its data."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def stop(self) -> None:
        """End it; a temporary data folder goes with it."""
        if self._process is not None and self._given is not None:
            self._process.stop(15)
            self._process = None
        self.kill()
        if self._given is None and self._data is not None:
            shutil.rmtree(self._data, ignore_errors=True)
            self._data = None

    def _folder(self) -> Path:
        if self._data is None:
            self._data = Path(tempfile.mkdtemp(prefix="safeguarding-kafka-"))
        self._data.mkdir(parents=True, exist_ok=True)
        return self._data

    def _prepare(self, jars: Path, data: Path) -> None:
        """Write the settings for this start, and format the data folder at its first."""
        settings = data / "server.properties"
        if self._port is None:
            self._port = _port_of(settings) or free_port()
        taken = f"port {self._port} is taken: stop what uses it, or give another"
        wait_until(lambda: is_free(self._port or 0), 3, taken)
        controller = free_port(but=self._port)
        properties = {
            **_PROPERTIES,
            "listeners": f"PLAINTEXT://127.0.0.1:{self._port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self._port}",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(data / "log"),
            **self._properties,
        }
        settings.write_text("".join(f"{key}={value}\n" for key, value in properties.items()), encoding="utf-8")
        if not (data / "log" / "meta.properties").exists():
            format_ = ["format", "--cluster-id", _new_cluster_id(), "--config", str(settings)]
            _run(self._java(jars, "kafka.tools.StorageTool", *format_), "Kafka's data folder could not be formatted")

    def _java(self, jars: Path, main: str, *arguments: str) -> list[str]:
        return ["java", *self._jvm, "-cp", f"{jars}/*", main, *arguments]

    def _wait_until_ready(self, log: Path) -> None:
        process = self._process
        assert process is not None

        def ready() -> bool:
            if process.exit_status is not None:
                raise KafkaUnavailableError(f"Apache Kafka ended while it started: {_last_words(log)}: {_OTHER_WAYS}")
            return acknowledges_a_send(self.address)

        wait_until(ready, _START_SECONDS, f"Apache Kafka did not come up in {_START_SECONDS} s: its log is {log}: {_OTHER_WAYS}")


def choose(kafka: str | None, *, access: KafkaAccess | None = None) -> Node:
    """Choose a Kafka: the given `host:port`; `embedded`; else Apache Kafka where Java and Maven are; else the embedded one.

    `kafka` is what the environment variable KAFKA or the settings say, `access` how the given one lets us in. The node's
    description says which it is. Raises StopError when nothing is left to choose.
    """
    if kafka == EMBEDDED:
        return EmbeddedNode()
    if kafka:
        return GivenNode(kafka, access)
    reason = why_no_apache_kafka()
    if reason is None:
        return KafkaNode()
    return EmbeddedNode(because=reason)


def why_no_apache_kafka() -> str | None:
    """Say why Apache Kafka cannot be started on this machine, or None when it can."""
    try:
        _require_java()
    except StopError as error:
        return str(error)
    if not _is_complete(_jar_folder()) and shutil.which("mvn") is None:
        return "Maven (`mvn`) is not installed"
    return None


def fetch_jars() -> Path:
    """Return the folder with Apache Kafka's jars, fetching them with Maven when they are not there yet.

    Raises StopError in plain words when Maven is missing or cannot reach what it needs.
    """
    folder = _jar_folder()
    if _is_complete(folder):
        return folder
    if shutil.which("mvn") is None:
        raise StopError(f"Apache Kafka cannot be fetched: Maven (`mvn`) is not installed: {_OTHER_WAYS}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as scratch:
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={scratch}/jars", "-DincludeScope=runtime"]
        _run(["mvn", "-q", "-B", "-f", str(_pom()), *goal], "Apache Kafka could not be fetched with Maven")
        try:
            Path(scratch, "jars").rename(folder)
        except OSError:
            if not _is_complete(folder):  # else another process was quicker, and its jars are as good
                raise
    return folder


def _port_of(settings: Path) -> int | None:
    """Return the port that a data folder was used with before."""
    try:
        found = re.search(r"^advertised\.listeners=PLAINTEXT://127\.0\.0\.1:(\d+)$", settings.read_text("utf-8"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) if found else None


def _pom() -> Path:
    """Return the pom.xml: in the checkout beside the package, or in the installed package."""
    package = Path(__file__).parents[2]
    for folder in (package / "deploy" / "kafka", package.parent / "deploy" / "kafka"):
        if (folder / "pom.xml").is_file():
            return folder / "pom.xml"
    raise StopError("`deploy/kafka/pom.xml` is missing from this installation: install it again")


def _jar_folder() -> Path:
    pom = _pom()
    digest = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    checkout = pom.parents[2]
    if os.environ.get("XDG_CACHE_HOME"):
        cache = Path(os.environ["XDG_CACHE_HOME"]) / "safeguarding-broker"
    elif (checkout / "pyproject.toml").is_file():
        cache = checkout / ".cache"
    else:
        cache = Path.home() / ".cache" / "safeguarding-broker"
    return cache / f"kafka-{VERSION}-{digest}"


def _is_complete(folder: Path) -> bool:
    return (folder / f"kafka-server-{VERSION}.jar").is_file()


def _require_java() -> None:
    if shutil.which("java") is None:
        raise StopError(f"Apache Kafka needs Java {JAVA_NEEDED} or later: `java` is not installed: {_OTHER_WAYS}")
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S607 - from PATH
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    if found is None or int(found[1]) < JAVA_NEEDED:
        version = found[1] if found else "unknown"
        raise StopError(f"Apache Kafka needs Java {JAVA_NEEDED} or later: this is Java {version}: {_OTHER_WAYS}")


def _run(command: list[str], what_failed: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the command is ours
    if done.returncode != 0:
        said = re.sub(r"\x1b\[[0-9;]*m|\[ERROR\]", "", done.stdout + done.stderr)
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        raise StopError(f"{what_failed}: {lines[0] if lines else 'no reason given'}: {_OTHER_WAYS}")


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    telling = [line for line in lines if "Exception" in line or "ERROR" in line or "error" in line]
    return (telling or lines or ["no reason given"])[0].strip()


def _new_cluster_id() -> str:
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text
