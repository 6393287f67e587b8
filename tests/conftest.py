"""What every test may ask for: the public sample files, where they are."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of public files in the real formats; a test that needs it says so when it is not on this machine."""
    beside = Path(__file__).parent.parent.parent / "shared" / "samples"
    folder = Path(os.environ.get("BROKER_SAMPLES") or beside)
    if not folder.is_dir():
        pytest.skip(f"the public sample files are not here: set BROKER_SAMPLES to their folder (looked in {folder})")
    return folder
