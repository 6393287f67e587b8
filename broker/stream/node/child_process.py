"""A program that lives no longer than we do: however we end, it ends too."""

import atexit
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from broker.errors import StopError

# Runs before the program proper: asks Linux to kill it when the thread that started it is gone, then becomes it.
# If we were gone before it could ask, it ends at once. Elsewhere than Linux the exit hook below has to do.
_LAUNCHER = """
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class ChildProcess:
    """Start a program whose output goes to a file, and end it when told to or when we end.

    It has a session of its own, so that Ctrl-C at the terminal reaches us and not it. A thread of ours starts it and
    waits for it: Linux ends a child with the *thread* that started it, and that one stays as long as we do.
    """

    def __init__(self, command: list[str], output: Path) -> None:
        self._command = command
        self._output = output
        self._started = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._error: OSError | None = None
        self._thread = threading.Thread(target=self._run, name=f"keeper of {Path(command[0]).name}", daemon=True)

    def start(self) -> None:
        """Start it; raises StopError when the program cannot be started at all."""
        self._thread.start()
        self._started.wait()
        if self._error is not None:
            raise StopError(f"`{self._command[0]}` could not be started: {self._error.strerror}")
        atexit.register(self.kill)

    @property
    def pid(self) -> int | None:
        """Return its process id while it is known."""
        return self._process.pid if self._process else None

    @property
    def exit_status(self) -> int | None:
        """Return how it ended, or None while it runs."""
        return self._process.poll() if self._process else None

    def kill(self) -> None:
        """End it now, as a power cut would."""
        self._end(signal.SIGKILL, 10)

    def stop(self, patience: float = 10) -> None:
        """Ask it to end, and insist when it has not done so in time."""
        if not self._end(signal.SIGTERM, patience):
            self.kill()

    def _end(self, signal_number: signal.Signals, patience: float) -> bool:
        process = self._process
        if process is None:
            return True
        if process.poll() is None:
            process.send_signal(signal_number)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            return False
        atexit.unregister(self.kill)
        self._thread.join()
        return True

    def _run(self) -> None:
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid())]
        try:
            with self._output.open("ab") as output:
                self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                    [*launcher, *self._command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
                )
        except OSError as error:
            self._error = error
        self._started.set()
        if self._process is not None:
            self._process.wait()
