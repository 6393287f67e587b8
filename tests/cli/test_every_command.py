"""Every command there is: help with an example that names options which exist, JSON that parses, and no traceback."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from broker.cli import COMMANDS, cli, main
from broker.policyfile import POLICIES
from broker.settings import VARIABLE
from tests.area import Area
from tests.cli.speaking import SILENT, SPEAKING

EVENT = {"header": {"event_type": "school.concern.raised", "recorded_at": "2026-11-20T09:00:00Z"}}


def every_command() -> Iterator[tuple[str, ...]]:
    """Every command and sub-command, as the words that a person types."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        yield (name,)
        if isinstance(command, click.Group):
            yield from ((name, inner) for inner in command.list_commands(context))


def command_of(words: tuple[str, ...]) -> click.Command:
    found: click.Command | None = cli
    for word in words:
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), word)
    assert found is not None, f"no command {words}"
    return found


Ended = Callable[[list[str]], tuple[object, str, str]]


def broker(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


def typed(*words: str, settings: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program as a person does, not on a terminal."""
    environment = {"PATH": "/usr/bin:/bin", **({VARIABLE: str(settings)} if settings else {})}
    return subprocess.run(
        [sys.executable, "-m", "broker", *words], capture_output=True, text=True, env=environment, timeout=60, check=False
    )


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], log_put_back: None) -> Iterator[Ended]:
    """Run the whole program in this process: status, output and errors."""

    def run(words: list[str]) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["broker", *words])
        with pytest.raises(SystemExit) as found:
            main()
        return found.value.code, *capsys.readouterr()

    mask = os.umask(0o022)
    os.umask(mask)
    yield run
    os.umask(mask)


@pytest.fixture
def area(tmp_path: Path) -> Area:
    made = Area(tmp_path / "area", "127.0.0.1:1")
    made.write()
    return made


@pytest.mark.parametrize("words", tuple(every_command()), ids=" ".join)
def test_help_has_an_example_that_works_as_it_stands(words: tuple[str, ...]) -> None:
    shown = broker(*words, "--help")
    examples = re.findall(r"Examples?:\s+(broker .*?)(?:\n\n|\n  broker |\Z)", shown.output, re.DOTALL)

    assert shown.exit_code == 0
    assert examples, shown.output
    for example in examples:
        command, rest = cli, shlex.split(" ".join(example.split()))[1:]
        while isinstance(command, click.Group) and rest:
            command = command_of((rest[0],)) if command is cli else command.commands[rest[0]]  # type: ignore[assignment]  # narrows
            rest = rest[1:]
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in rest if word.startswith("--")} <= known, example


def test_the_list_of_commands_is_the_table_and_each_is_there() -> None:
    shown = broker("--help").output

    assert all(f"  {name} " in shown for name in COMMANDS)
    assert "Example: broker" in shown
    assert "75 Kafka is away or has no topics yet" in " ".join(shown.split()), "what a script has to know"


def test_machines_can_read_what_every_command_says_that_gives_answers() -> None:
    without = {" ".join(words) for words in every_command() if not _has_json(words)}

    assert without - {name for name in without if isinstance(command_of(tuple(name.split())), click.Group)} == {"demo", "run"}


def test_of_every_command_it_is_known_whether_it_speaks_to_kafka() -> None:
    """Those that do are called against a Kafka that came back empty, and one without topics: `speaking.py` says how."""
    leaves = {" ".join(words) for words in every_command() if not isinstance(command_of(words), click.Group)}

    assert leaves == SPEAKING.keys() | SILENT.keys()


def _has_json(words: tuple[str, ...]) -> bool:
    return any("--json" in parameter.opts for parameter in command_of(words).params)


@pytest.mark.parametrize(
    "words",
    [
        "policy check --json",
        "policy test --json",
        "schemas check --json",
        "registers show {registers} --json --settings {settings}",
        "registers subscribe hub --registers {registers} --everything --policy {policy} --json",
        "registers speaks-for urn:100001 --school urn:100002 --known-as native:S2 --registers {folder}/registers.toml --json",
        "keys new urn:100001 --folder {folder}/k --json",
        "keys broker --folder {folder}/k --json",
        "simulate --out {folder}/s --children 100 --stories 1 --json",
        "publish {folder}/events.jsonl --agency urn:100001 --dry-run --json --settings {settings}",
        "doctor --json --settings {folder}/none.toml",
    ],
)
def test_json_parses_where_no_kafka_is_needed(words: str, area: Area, tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text(json.dumps(EVENT))
    (tmp_path / "registers.toml").write_text(area.registers_file.read_text())
    places = {"registers": area.registers_file, "settings": area.settings_file, "folder": tmp_path, "policy": POLICIES}

    shown = broker(*words.format(**places).split())

    for line in shown.stdout.splitlines():
        assert isinstance(json.loads(line), dict), line
    assert shown.stdout.strip(), shown.output


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("lag --settings {folder}/none.toml", 2, "not there: name one with --settings"),
        ("lag --settings {folder}/empty.toml", 2, "`kafka`: missing: add a line like"),
        ("registers show {folder}/bytes --settings {settings}", 2, "cannot be read: it is not text in UTF-8"),
        ("registers show {folder} --settings {settings}", 2, "is a directory"),
        ("simulate --out {folder}/bytes/area", 2, "not a folder"),
        ("simulate --out {folder}/sim --until 0001-01-01", 2, "name a day of 1990 to 2100"),
        ("simulate --out {folder}/sim --until 9999-12-31", 2, "name a day of 1990 to 2100"),
        ("publish {folder}/none --agency urn:100001 --settings {settings}", 2, "not there: name the file"),
        ("publish {folder}/bytes --agency urn:100001 --dry-run --settings {settings}", 3, "line 1: line is not JSON"),
        ("subscribe nobody --settings {settings}", 2, "make one with `broker keys new nobody`"),
        ("acknowledge dsl-100001 d-none --settings {settings}", 2, "see `broker subscribe dsl-100001`"),
        ("run --stages nonsense --settings {settings}", 2, "the stages are intake"),
        ("reviews list --settings {settings}", 75, "Kafka does not answer"),
        ("explain nonsense --settings {settings}", 75, "Kafka does not answer"),
        ("dead-letters list --settings {settings}", 75, "Kafka does not answer"),
        ("dead-letters list --reason bad_signatur --settings {settings}", 2, "`bad_signatur` is none: one of bad_signature"),
        ("dead-letters redrive --reason nonsense --settings {settings}", 2, "`nonsense` is none: one of bad_signature"),
        ("demo --kafka nonsense --folder {folder}/demo", 2, "is not the address of a Kafka"),
        ("policy check {folder}/area", 2, "unfit"),
        ("nonsense", 2, "No such command"),
    ],
)
def test_what_goes_wrong_is_said_in_plain_words_without_a_traceback(
    words: str, code: int, said: str, area: Area, ended: Ended
) -> None:
    folder = area.folder.parent
    (folder / "bytes").write_bytes(b"\xff\xfe\x00")
    (folder / "empty.toml").write_text("")
    places = {"settings": area.settings_file, "folder": folder}

    returned, out, err = ended(words.format(**places).split())

    assert returned == code, err
    assert said in out + err
    assert "Traceback" not in err
    assert "\x1b" not in out + err


def test_a_demo_that_cannot_start_leaves_a_folder_that_is_there_alone(tmp_path: Path) -> None:
    assert typed("demo", "--kafka", "nonsense", "--folder", str(tmp_path / "demo")).returncode == 2
    assert not (tmp_path / "demo").exists()


def test_a_pipe_that_closes_early_is_no_fault(area: Area) -> None:
    command = f"{sys.executable} -m broker registers show {area.registers_file} --settings {area.settings_file} | head -n 1"

    ended = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60, check=True)

    assert ended.stdout.startswith("registers ")
    assert ended.stderr == ""


def test_what_the_program_writes_is_not_for_everybody_on_the_machine(tmp_path: Path) -> None:
    """Inboxes, memories of connectors and notices name children."""
    made = typed("simulate", "--out", str(tmp_path / "area"), "--children", "200", "--stories", "1")

    assert made.returncode == 0, made.stderr
    files = [one for one in (tmp_path / "area").rglob("*") if one.is_file()]
    assert files
    assert not [one for one in files if one.stat().st_mode & 0o007]
