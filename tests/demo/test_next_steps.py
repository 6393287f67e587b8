"""What the demo says to try next can be typed as it stands, in a terminal that knows nothing of the program."""

import re
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from broker.demo.page import next_steps

BARE = {"PATH": "/usr/bin:/bin"}


def commands(folder: Path, *, event: str | None = None, running: bool) -> list[str]:
    said = StringIO()
    Console(file=said, width=60).print(next_steps(folder, event=event, running=running), soft_wrap=True)
    return re.findall(r"^    (\S.*?) *$", said.getvalue(), flags=re.MULTILINE)


@pytest.mark.parametrize("running", [False, True])
def test_a_terminal_that_does_not_know_the_program_is_told_how_it_does(
    running: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make demo` calls the program by its place, and leaves the terminal as it was."""
    monkeypatch.setenv("PATH", BARE["PATH"])
    shown = commands(tmp_path, event="an-event", running=running)
    first = next(at for at, one in enumerate(shown) if one.startswith("broker "))

    script = "\n".join((*shown[:first], "command -v broker"))
    done = subprocess.run(["sh", "-ec", script], env=BARE, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_folder_with_a_blank_in_its_name_is_one_word(tmp_path: Path) -> None:
    folder = tmp_path / "our area"
    (folder / "inboxes" / "a" / "b" / "accepted").mkdir(parents=True)
    (folder / "truth.jsonl").touch()
    shown = [one.replace("less", "ls") for one in commands(folder, running=False) if one.startswith(("less", "ls"))]
    [export] = [one for one in commands(folder, running=True) if one.startswith("export")]

    done = subprocess.run(
        ["sh", "-ec", "\n".join([*shown, export, "echo $BROKER_SETTINGS"])], env=BARE, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"{folder}/broker.toml"


def test_no_event_is_named_where_nobody_was_told(tmp_path: Path) -> None:
    assert not any("None" in one for one in commands(tmp_path, running=True))
