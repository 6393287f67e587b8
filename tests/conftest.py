"""What every test may ask for: the public sample files, where they are."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

# A clone's tests are the same whenever and wherever they run; `make test-deep` looks further each time.
settings.register_profile("same", derandomize=True, deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    """Let property tests try the same examples in every ordinary run."""
    if config.option.markexpr != "deep":
        settings.load_profile("same")


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of public files in the real formats; a test that needs it says so when it is not on this machine."""
    beside = Path(__file__).parent.parent.parent / "shared" / "samples"
    folder = Path(os.environ.get("BROKER_SAMPLES") or beside)
    if not folder.is_dir():
        pytest.skip(f"the public sample files are not here: set BROKER_SAMPLES to their folder (looked in {folder})")
    return folder


@pytest.fixture
def log_put_back() -> Iterator[None]:
    """Put logging back after a test that sets it up: the next test in this process may log, and the stream is closed then."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    yield
    structlog.reset_defaults()
    root.handlers[:], root.level = before
