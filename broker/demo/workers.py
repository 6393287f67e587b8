"""Worker processes of the demo: `broker run`, as an operator would start them, each with its log in the folder."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from broker.errors import RetryError
from broker.stream.node.child_process import ChildProcess

_LAST_LINES = 12


class Workers:
    """Some workers that live no longer than the demo."""

    def __init__(self, count: int, settings_file: Path, logs: Path) -> None:
        self._logs = [logs / f"worker-{number}.log" for number in range(1, count + 1)]
        self._command = [sys.executable, "-m", "broker", "run", "--settings", str(settings_file)]
        self.count = count
        self._processes = [ChildProcess(self._command, log) for log in self._logs]

    def start(self) -> None:
        """Start them all."""
        for log in self._logs:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.unlink(missing_ok=True)
        for process in self._processes:
            process.start()

    def stop(self) -> None:
        """Ask all of them to end, then wait for each."""
        for process in self._processes:
            process.stop(6)

    def revive(self) -> Iterator[str]:
        """Start again whoever was ended from outside, as whatever keeps workers running does; say so of each.

        Raises RetryError as `check` when one ended by itself.
        """
        for at, process in enumerate(self._processes):
            status = process.exit_status
            if status is not None and status < 0:
                self._processes[at] = ChildProcess(self._command, self._logs[at])
                self._processes[at].start()
                name = signal.Signals(-status).name
                yield f"worker {at + 1} was ended by {name} and is started again: nothing is lost, nobody is told twice"
        self.check()

    def check(self) -> None:
        """Raise RetryError with a worker's last words when one has ended."""
        for process, log in zip(self._processes, self._logs, strict=True):
            if process.exit_status is not None:
                raise RetryError(f"a worker ended with status {process.exit_status}: `{log}`: {_last_words(log)}")


def _last_words(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return " | ".join(lines[-_LAST_LINES:]) or "it said nothing"
