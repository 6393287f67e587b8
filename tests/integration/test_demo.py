"""The whole main job on a Kafka of its own, small: what the results page says is so, and nothing stays running."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SMALL = ["--children", "500", "--stories", "68"]


def run_demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "broker", "demo", "--folder", str(folder), *SMALL, *options]
    environment = {name: value for name, value in os.environ.items() if name != "KAFKA"} | {"COLUMNS": "160"}
    return subprocess.run(command, capture_output=True, text=True, timeout=170, env=environment, check=False)


def still_running(folder: Path) -> list[str]:
    found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in found.splitlines() if str(folder) in line and "pytest" not in line]


@pytest.mark.kafka
@pytest.mark.parametrize("kafka", [(), ("--kafka", "embedded")], ids=["apache", "embedded"])
def test_everybody_who_must_hear_does_and_nobody_else_and_nothing_stays_running(tmp_path: Path, kafka: tuple[str, ...]) -> None:
    folder = tmp_path / "demo-area"

    done = run_demo(folder, *kafka)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert re.search(r"missing 0 +forbidden 0 +duplicated 0 +late 0", done.stdout)
    assert "DOES NOT BALANCE" not in done.stdout
    assert not still_running(folder)


def test_a_folder_that_no_demo_wrote_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")

    done = run_demo(tmp_path)

    assert done.returncode == 2
    assert "holds something that no demo wrote" in done.stderr
    assert (tmp_path / "mine.txt").exists()
