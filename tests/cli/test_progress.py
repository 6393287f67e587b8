"""Who waits at a terminal for a Kafka that is slow, or away, sees that something is under way and what."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from broker.settings import VARIABLE
from tests.area import Area


@pytest.fixture
def area(tmp_path: Path) -> Area:
    made = Area(tmp_path / "area", "127.0.0.1:1")
    made.write()
    return made


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("policy show", "reading the policy in force"),
        ("outcome dsl-100001 d-aaaaaaaa assessment", "reading the policy in force"),
        ("topics apply --registers {registers}", "looking at topics and access"),
        ("publish {registers} --agency urn:100001", "reading the policy and the registers in force"),
    ],
)
def test_a_command_that_waits_for_kafka_says_what_it_waits_for(words: str, said: str, area: Area) -> None:
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm", VARIABLE: str(area.settings_file)}
    command = [sys.executable, "-m", "broker", *words.format(registers=area.registers_file).split()]

    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment, timeout=60, check=False)
    os.close(theirs)
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        shown = terminal.read(65_536)

    assert said in shown.decode(errors="replace")
