"""The shipped policy in a folder of its own, to be changed."""

import shutil
from pathlib import Path

import pytest

from broker.policyfile import POLICIES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of what is shipped."""
    copy = tmp_path / "policies"
    shutil.copytree(POLICIES, copy)
    return copy
