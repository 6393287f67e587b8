"""The README, followed word for word: every command in it is run, in its order, by a shell."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from broker.settings import load_settings
from broker.simulate.write import settings_text
from broker.stream.node.kafka_probe import free_port

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)
READY_SECONDS = 240
IN_A_BLOCK = {line for block in BLOCKS for line in block.splitlines()}
IN_A_SENTENCE = {one for one in re.findall(r"`((?:make|broker) [^`]+)`", README) if not any(one in line for line in IN_A_BLOCK)}
SHORTER = {  # the same commands with less to do: what each must print
    "make soak SECONDS=120 KILLS=10": ("make soak SECONDS=10 KILLS=2", {"kills": 2, "lost": 0, "shown_twice": 0, "misrouted": 0}),
    "make bench": ("make bench ARGS=hl7v2_adt", {"name": "hl7v2_adt"}),
    "make explore N=10000": ("make explore N=50", None),
}
WORKER = "broker run --metrics-port 9464"
SETTINGS = "export BROKER_SETTINGS=demo-area/broker.toml\n. .venv/bin/activate\n"
ANOTHER_KEY = "broker keys new administrator"


def test_every_make_target_that_the_readme_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))

    assert set(re.findall(r"\bmake ([a-z-]+)", README)) <= targets


def test_what_make_test_leaves_out_is_said_where_people_read_of_it() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [(help_text, recipe)] = re.findall(r"^test: test-fast [^#]*## (.*)\n((?:\t.*\n)+)", makefile, flags=re.MULTILINE)
    [fast] = re.findall(r"^test-fast: .*\n(\t.*\n)", makefile, flags=re.MULTILINE)
    left_out = {"deep": "test-deep", "benchmark": "bench"}

    runs = [set(re.findall(r"not (\w+)", line)) for line in (*recipe.splitlines(), fast)]
    assert set.intersection(*runs) == set(left_out)
    assert all(f' -m "{marker} and' in recipe for marker in ("kafka", "search")), "what the fast run leaves out runs here"
    for target in left_out.values():
        assert target in help_text
        assert f"target `{target}`" in README


def test_every_file_that_the_readme_names_is_there() -> None:
    for name in re.findall(r"\]\(([^)#]+)", README):
        assert (ROOT / name).exists(), name


def test_every_command_that_a_sentence_of_the_readme_names_is_run_here() -> None:
    assert {*SHORTER, "broker run", WORKER, ANOTHER_KEY} == IN_A_SENTENCE


@pytest.mark.kafka
@pytest.mark.parametrize("named", SHORTER)
def test_what_the_readme_says_of_measuring_runs(named: str) -> None:
    command, printed = SHORTER[named]

    # As in a terminal of its own: a make that runs under another says on stdout which folder it enters.
    terminal = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    ended = subprocess.run(command.split(), cwd=ROOT, env=terminal, capture_output=True, text=True, timeout=300, check=False)

    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
    if printed is None:
        assert "no fault" in ended.stdout
    else:
        line = json.loads(ended.stdout.splitlines()[-1])
        assert {name: line[name] for name in printed} == printed


def test_the_settings_that_the_readme_shows_are_settings(tmp_path: Path) -> None:
    [shown] = re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL)
    for name in ("kafka-ca.pem", "kafka.password"):
        (tmp_path / name).write_text("something")
        (tmp_path / name).chmod(0o600)
    (tmp_path / "broker.toml").write_text(settings_text("kafka.example:9093") + shown)

    settings = load_settings(tmp_path / "broker.toml")

    assert settings.kafka_access is not None
    assert settings.kafka_principals.broker == ("User:the-broker",)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty folder that has of the checkout what the README's commands name."""
    # A copy, no link: `cp -r` copies a link as a link, and a reader's change would end up in the checkout.
    shutil.copytree(ROOT / "broker" / "policies", tmp_path / "broker" / "policies")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def shell(script: str, place: Path, *, said: int = subprocess.PIPE) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BROKER_")}
    # Interrupts reach the demo as Ctrl-C in a terminal would.
    return subprocess.Popen(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=place,
        env=environment,
        text=True,
        stdout=said,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def test_the_tours_can_be_taken_twice_and_leave_nothing_beside_the_demo(place: Path) -> None:
    """What they write stands in the demo's folder, which git ignores; the copy of the rules is made anew each time."""
    lines = [line for block in BLOCKS for line in block.splitlines()]
    writing = [line for line in lines if re.match(r"mkdir|cp|sed -i", line) or re.search(r"(?<!<)> ", line)]
    (place / "demo-area").mkdir()
    copying = "\n".join(line for line in writing if "my-policies" in line)

    said = [shell(copying, place).communicate(timeout=30) for _ in range(2)]

    assert len(writing) == 4
    assert all("demo-area/" in line for line in writing), writing
    assert said == [("", None)] * 2
    assert sorted(one.name for one in (place / "demo-area" / "my-policies").iterdir()) == sorted(
        one.name for one in (place / "broker" / "policies").iterdir()
    )


@pytest.fixture
def demo(place: Path) -> Iterator[None]:
    """The demo of the first terminal, kept running."""
    script = next(block for block in BLOCKS if "broker demo --keep" in block)
    log = place / "first-terminal.txt"
    running = shell(f"exec > '{log}' 2>&1\n{script}", place, said=subprocess.DEVNULL)
    until = time.monotonic() + READY_SECONDS
    while "running until Ctrl-C" not in log.read_text(errors="replace") if log.exists() else True:
        assert running.poll() is None, log.read_text(errors="replace")[-3000:]
        assert time.monotonic() < until, log.read_text(errors="replace")[-3000:]
        time.sleep(0.5)
    yield
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(30) in {0, 130}, log.read_text(errors="replace")[-2000:]


@pytest.mark.kafka
@pytest.mark.usefixtures("demo")
def test_the_ten_minute_tours_run_as_they_stand(place: Path) -> None:
    steps = [block for block in BLOCKS if "broker demo --keep" not in block and not block.startswith("make ")]
    # Errors end the shell at the command that made them; a reader may close a pipe early.
    second_terminal = shell(
        "set +o pipefail\n" + "\n".join(f"echo '--- step {n}'\n{step}" for n, step in enumerate(steps)), place
    )

    said, _ = second_terminal.communicate(timeout=120)

    assert second_terminal.returncode == 0, said[-4000:]
    assert "Traceback" not in said
    assert "Osian Yarshaw" in said, "the school was told of the notice"
    assert "the note stays with the broker" in said, "no shipped rule gives a referrer more than the outcome"
    assert {one.name for one in place.iterdir()} == {"broker", ".venv", "demo-area", "first-terminal.txt"}
    what_the_demo_says_to_try_next_works(place)
    one_more_worker_serves_what_the_readme_says(place)
    again, _ = shell(f"{SETTINGS}{ANOTHER_KEY}", place).communicate(timeout=30)
    assert "is there already" in again, "the demo has made that key, and none is ever overwritten"


def what_the_demo_says_to_try_next_works(place: Path) -> None:
    log = (place / "first-terminal.txt").read_text(errors="replace")
    commands = re.findall(r"^    ((?:\.|export|broker) .+?) *$", log.partition("running until Ctrl-C")[2], flags=re.MULTILINE)
    # Who follows live goes on for ever.
    ended = [f"timeout 15 {one} || [ $? = 124 ]" if one.startswith("broker subscribe") else one for one in commands]

    tried = shell("\n".join(ended), place)
    said, _ = tried.communicate(timeout=120)

    assert commands[0].endswith("/bin/activate"), "another terminal does not know the program yet"
    assert {"subscribe", "explain", "lag", "reconcile"} <= {one.split()[1] for one in commands}
    assert tried.returncode == 0, said[-4000:]
    assert "Traceback" not in said


def one_more_worker_serves_what_the_readme_says(place: Path) -> None:
    port = str(free_port())
    worker = shell(f"{SETTINGS}exec {WORKER.replace('9464', port)}", place)
    try:
        assert served(f"http://127.0.0.1:{port}/health").strip()
        assert b"safeguarding_unaccounted" in served(f"http://127.0.0.1:{port}/metrics")
    finally:
        worker.terminate()
        said, _ = worker.communicate(timeout=30)
    assert worker.returncode == 0, said[-2000:]


def served(address: str) -> bytes:
    """Return what a page says, as soon as it is there."""
    until = time.monotonic() + 60
    while True:
        try:
            with urlopen(address, timeout=10) as page:
                return bytes(page.read())
        except URLError:  # nobody listens yet, or /health answers 503 while the worker comes up
            assert time.monotonic() < until, address
            time.sleep(0.5)
