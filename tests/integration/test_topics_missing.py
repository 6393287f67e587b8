"""A Kafka whose topics nobody has made yet: who runs on waits for them in words, who asks once is told what to do."""

import asyncio
import gc
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from broker.cli import cli
from broker.core.model.ports import Outgoing
from broker.errors import NotFoundError, TopicsMissingError
from broker.stream.clients import Writer, open_producer
from broker.stream.node.kafka_node import KafkaNode
from tests.area import Area, create_topics
from tests.cli.speaking import LEAD, SPEAKING, words_of
from tests.feed import Feed, Ledger, prepare
from tests.integration.apache_kafka import need_apache_kafka
from tests.worker import wait_for

pytestmark = pytest.mark.kafka

ONCE = {name: words for name, words in SPEAKING.items() if name != "run"}
WELL_WITHOUT = {"topics access": 0, "topics apply": 1, "doctor": 4}  # these say what there is, and what to do
RUNNING_ON = {
    "run": "run",
    "subscribe": f"subscribe {LEAD} --json",
    "connect": "connect sui-extract --agency E10000030 --inbox {inbox}",
    "deliver": f"connect encompass-notice --deliver {LEAD} --outbox {{outbox}}",
    "lag": "lag --watch --json",
}


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Area]:
    """An area on a Kafka without a single topic."""
    need_apache_kafka()
    node = KafkaNode()
    area = Area(tmp_path / "area", node.start())
    area.write()
    yield area
    node.stop()


def command(area: Area, call: str) -> list[str]:
    return [sys.executable, "-m", "broker", *words_of(area, call), "--settings", str(area.settings_file)]


@contextmanager
def running(area: Area) -> Iterator[dict[str, Path]]:
    """Have all of them run on; give what each says, on both streams."""
    said = {name: area.folder / f"{name}.said" for name in RUNNING_ON}
    processes = {}
    for name, call in RUNNING_ON.items():
        with said[name].open("ab") as out:
            processes[name] = subprocess.Popen(command(area, call), stdout=out, stderr=out)
    try:
        yield said
        assert {name: one.poll() for name, one in processes.items()} == dict.fromkeys(RUNNING_ON), texts(said)
    finally:
        for one in processes.values():
            one.kill()
            one.wait(10)


def texts(said: dict[str, Path]) -> dict[str, str]:
    return {name: file.read_text()[-600:] for name, file in said.items()}


async def _write(area: Area, *records: Outgoing) -> None:
    async with open_producer(area.kafka) as producer:
        await Writer(producer).write(records)


def _ended(bare: Area, name: str, words: str) -> object:
    """Return with what a command ends.

    A connection that aiokafka was still opening when its client was closed is left to the end of the process; here it ends now.
    """
    called = words_of(bare, f"{name} {words}".replace("--yes", ""))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        ended = CliRunner().invoke(cli, [*called, "--settings", str(bare.settings_file)])
        found = ended.exit_code if isinstance(ended.exception, SystemExit | None) else type(ended.exception)
        if found is TopicsMissingError:
            assert "not there yet: run `broker topics apply`" in str(ended.exception), name
        del ended
        gc.collect()
    return found


def test_who_asks_once_is_told_what_to_do_by_a_status_that_says_try_again(bare: Area) -> None:
    """Answers are looked for here before anything is sent: nothing was told on this machine to answer to."""
    found = {name: _ended(bare, name, words) for name, words in ONCE.items()}
    typed = subprocess.run(command(bare, "reviews list"), capture_output=True, text=True, timeout=60, check=False)

    nothing_told = dict.fromkeys(("acknowledge", "act"), NotFoundError)
    assert found == {**dict.fromkeys(ONCE, TopicsMissingError), **WELL_WITHOUT, **nothing_told}
    assert (typed.returncode, typed.stdout) == (75, "")
    assert typed.stderr.endswith("not there yet: run `broker topics apply`\n")


def test_who_runs_on_waits_in_words_and_goes_on_once_the_topics_are_made(bare: Area) -> None:
    child = bare.child(0)
    (first,) = Feed(bare, [child], Ledger("ES/bare"), run="bare").make(1)
    with running(bare) as said:
        for name, file in said.items():
            assert wait_for(lambda file=file: "not there yet: run `broker topics apply`" in file.read_text(), 60), (
                name,
                texts(said),
            )
        for name in RUNNING_ON.keys() - {"run"}:
            assert wait_for(lambda name=name: "trying again in 2 s" in said[name].read_text(), 30), (name, texts(said))

        asyncio.run(create_topics(bare))
        without = "no registers have been released"
        for name in ("subscribe", "deliver"):
            assert wait_for(lambda name=name: without in said[name].read_text(), 30), (name, texts(said))
        asyncio.run(prepare(bare, [child]))
        asyncio.run(_write(bare, first))

        assert wait_for(lambda: '"disclosure_id"' in said["subscribe"].read_text(), 60), texts(said)
        assert wait_for(lambda: "a new notice" in said["deliver"].read_text(), 60), texts(said)
        assert wait_for(lambda: '"headline"' in said["lag"].read_text(), 60), texts(said)
        (bare.folder / "inbox" / "extract.csv").write_text("this is no extract")
        assert wait_for(lambda: "extract.csv: rejected" in said["connect"].read_text(), 60), texts(said)
        for name, text in texts(said).items():
            assert "Traceback" not in text, name
