"""The shipped policy in a folder of its own, to be changed; what a test leaves as it is, is parsed once for all tests."""

import shutil
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import pytest

from broker.policyfile import POLICIES, reading


@pytest.fixture(scope="session", autouse=True)
def parsed_once() -> Iterator[None]:
    """Let equal files be parsed once: nobody changes what was parsed (`broker.policyfile.mending` mends a copy)."""
    loads = lru_cache(maxsize=256)(tomllib.loads)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "tomllib", SimpleNamespace(loads=loads, TOMLDecodeError=tomllib.TOMLDecodeError))
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of what is shipped."""
    copy = tmp_path / "policies"
    shutil.copytree(POLICIES, copy)
    return copy
