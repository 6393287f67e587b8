"""The whole main job on a Kafka of its own, small: what the results page says is so, and nothing stays running."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.guarded import ROOT_USER, GuardedKafka
from tests.integration.apache_kafka import need_apache_kafka
from tests.patience import LONG

SMALL = ["--children", "500", "--stories", "68"]


def start_demo(folder: Path, *options: str) -> subprocess.Popen[str]:
    """Start it; all that it starts can be known by the folder around its own, since Kafka's data is there, too."""
    command = [sys.executable, "-m", "broker", "demo", "--folder", str(folder), *SMALL, *options]
    (scratch := folder.parent / "scratch").mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name not in {"KAFKA", "KAFKA_ACCESS"}}
    environment = kept | {"COLUMNS": "160", "TMPDIR": str(scratch)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def run_demo(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    running = start_demo(folder, *options)
    out, err = running.communicate(timeout=170)
    return subprocess.CompletedProcess(running.args, running.returncode, out, err)


def started_by(demo: subprocess.Popen[str], folder: Path) -> list[str]:
    """Return what runs besides the demo itself that has to do with it."""
    found = subprocess.run(["ps", "-eww", "-o", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [
        line for line in found.splitlines() if str(folder.parent) in line and int(line.split()[0]) not in (demo.pid, os.getpid())
    ]


def until_it_works(demo: subprocess.Popen[str], folder: Path) -> list[str]:
    """Wait until both workers run, and return what does."""
    end = time.monotonic() + LONG
    while True:
        seen = started_by(demo, folder)
        if sum("broker run" in line for line in seen) == 2:
            return seen
        assert demo.poll() is None
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.kafka
@pytest.mark.parametrize("kafka", [(), ("--kafka", "embedded")], ids=["apache", "embedded"])
def test_everybody_who_must_hear_does_and_nobody_else_and_nothing_stays_running(tmp_path: Path, kafka: tuple[str, ...]) -> None:
    folder = tmp_path / "demo-area"
    demo = start_demo(folder, *kafka)

    seen = until_it_works(demo, folder)
    out, err = demo.communicate(timeout=170)

    assert demo.returncode == 0, out[-3000:] + err[-2000:]
    assert re.search(r"missing 0 +forbidden 0 +duplicated 0 +late 0", out)
    assert "DOES NOT BALANCE" not in out
    assert kafka or any("kafka.Kafka" in line for line in seen), "it is among what is looked for"
    assert not started_by(demo, folder)
    shown = re.findall(r"^    (?:less|ls) (.+?) *$", out.partition("try next")[2], flags=re.MULTILINE)
    assert len(shown) == 2
    assert subprocess.run(["/bin/sh", "-c", f"ls -d {' '.join(shown)}"], check=False, stdout=subprocess.DEVNULL).returncode == 0


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("end", "kafka"),
    [(signal.SIGINT, ()), (signal.SIGINT, ("--kafka", "embedded")), (signal.SIGTERM, ("--kafka", "embedded"))],
    ids=["apache", "embedded", "terminated"],
)
def test_ctrl_c_in_the_middle_leaves_nothing_running(tmp_path: Path, end: signal.Signals, kafka: tuple[str, ...]) -> None:
    folder = tmp_path / "demo-area"
    demo = start_demo(folder, *kafka)
    until_it_works(demo, folder)

    demo.send_signal(end)
    out, err = demo.communicate(timeout=LONG)

    assert demo.returncode == 130, out[-3000:] + err[-2000:]
    assert "Traceback" not in out + err
    assert not started_by(demo, folder)
    assert not list((tmp_path / "scratch").glob("safeguarding-kafka-*"))


@pytest.mark.kafka
def test_a_kafka_that_wants_tls_and_a_password_is_used_by_its_settings_and_a_second_demo_leaves_it_alone(tmp_path: Path) -> None:
    need_apache_kafka()
    node = GuardedKafka(tmp_path / "guarded", []).start()
    access = tmp_path / "access.toml"
    access.write_text(node.access(ROOT_USER))
    try:
        options = ("--kafka", node.by_password, "--kafka-access", str(access))
        done, again = run_demo(tmp_path / "demo-area", *options), run_demo(tmp_path / "again", *options)
    finally:
        node.stop()

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert f"the Kafka at {node.by_password}, by SASL_SSL" in done.stdout
    assert node.passwords[ROOT_USER] not in (tmp_path / "demo-area" / "broker.toml").read_text()
    assert again.returncode == 2
    assert "the demo needs one in which no broker worked before" in again.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--kafka-access", "{access}"), "name that one with --kafka host:port"),
        (("--kafka", "127.0.0.1:9", "--kafka-access", "{none}"), "`kafka_access`: missing"),
        (("--kafka", "kafka.example:9", "--kafka-access", "{access}"), "over a network use SASL_SSL"),
    ],
)
def test_what_is_wrong_with_how_a_kafka_lets_one_in_is_said_before_anything_is_written(
    tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    access, none, folder = tmp_path / "access.toml", tmp_path / "none.toml", tmp_path / "demo-area"
    (tmp_path / "password").write_text("secret")
    (tmp_path / "password").chmod(0o600)
    table = '[kafka_access]\nprotocol = "SASL_PLAINTEXT"\nmechanism = "PLAIN"\nusername = "a"\npassword_file = "password"\n'
    access.write_text(table)
    none.write_text("")

    done = run_demo(folder, *(one.format(access=access, none=none) for one in options))

    assert done.returncode == 2
    assert says in done.stderr
    assert not folder.exists()


@pytest.mark.kafka
def test_a_folder_that_no_demo_wrote_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")

    done = run_demo(tmp_path)

    assert done.returncode == 2
    assert "holds something that no demo wrote" in done.stderr
    assert (tmp_path / "mine.txt").exists()
