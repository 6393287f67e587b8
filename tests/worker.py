"""Worker processes for tests: started, killed and asked politely, with their log kept in the area's folder."""

import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from tests.area import Area
from tests.patience import LONG

LEAVE_SECONDS = 5.0


class Worker:
    """One `broker run` process of an area."""

    def __init__(self, area: Area, name: str = "worker", *options: str) -> None:
        self.log = area.folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._command = [sys.executable, "-m", "broker", "run", "--settings", str(area.settings_file), *options]

    def start(self) -> "Worker":
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log)
        return self

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> tuple[int, float]:
        """Ask it to leave; return its exit code and how many seconds that took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(LONG)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return code, time.monotonic() - began

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def said(self, words: str, seconds: float = LONG) -> bool:
        """Wait until its log holds these words."""
        return wait_for(lambda: words in self.log.read_text(), seconds)


@contextmanager
def workers(area: Area, count: int = 1, *options: str) -> Iterator[list[Worker]]:
    """Run workers and wait until each has its partitions; none is left behind."""
    made = [Worker(area, f"worker-{at}", *options).start() for at in range(count)]
    try:
        for worker in made:
            assert worker.said("worker_started"), worker.log.read_text()
        yield made
    finally:
        for worker in made:
            if worker.running:
                worker.kill()


def wait_for(true, seconds: float = LONG, every: float = 0.1) -> bool:
    """Ask again until it is true or the time is over; return which."""
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(every)
    return True


def fetch(url: str) -> tuple[int, str]:
    """Return the status and text behind an address; 0 and why when nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)
