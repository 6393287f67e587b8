"""What every test may ask for: the public sample files, where they are."""

import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

# A clone's tests are the same whenever and wherever they run; `make test-deep` looks further each time.
settings.register_profile("same", derandomize=True, deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    """Let property tests try the same examples in every ordinary run, and let what tests start hear Ctrl-C.

    A run that a shell started in the background ignores it, and so would every process that it starts.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.option.markexpr != "deep":
        settings.load_profile("same")


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of public files in the real formats; a test that needs it says so when it is not on this machine."""
    beside = Path(__file__).parent.parent.parent / "shared" / "samples"
    named = os.environ.get("BROKER_SAMPLES")
    folder = Path(named or beside)
    if folder.is_dir():
        return folder
    if named:  # somebody says that they are there: to pass them by would look as if they had been read
        pytest.fail(f"BROKER_SAMPLES names no folder: {folder}")
    pytest.skip(f"the public sample files are not here: set BROKER_SAMPLES to their folder (looked in {folder})")


@pytest.fixture
def log_put_back() -> Iterator[None]:
    """Put logging back after a test that sets it up: the next test in this process may log, and the stream is closed then."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = before
