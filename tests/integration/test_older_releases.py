"""A place whose releases an older version of this software made, unsigned: what it is told, and that what it is told works."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from broker.codec import encode
from broker.core.model.ports import Outgoing
from broker.policyfile import policy_content
from broker.registerfile import load_content
from broker.stream.clients import Writer, open_admin, open_producer
from broker.stream.releases.book import Kind, Release, encode_release
from broker.stream.releases.follow import EPOCH
from broker.stream.topics import POLICIES, REGISTERS, SUBJECTS
from broker.stream.watching.group_view import view_group
from broker.stream.watching.log_reader import open_log
from broker.stream.watching.places import places_of
from tests.area import Area, register_all
from tests.feed import Feed, Ledger
from tests.worker import Worker, wait_for, workers

pytestmark = pytest.mark.kafka
LEAD = "dsl-100001"


def broker(area: Area, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "broker", *words, "--settings", str(area.settings_file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


async def _write(area: Area, *records: Outgoing) -> None:
    async with open_producer(area.kafka) as producer:
        await Writer(producer).write(records)


def unsigned(area: Area, of: Kind, content: bytes, at: int) -> list[Outgoing]:
    """A release and its epochs as an older version wrote them."""
    made = Release(of, "old", content, at)
    told = {"kind": "EPOCH", "child_ref": "", "epoch": {"of": of, "version": "old", "digest": made.digest}}
    headers = ((EPOCH, f"{of}:{made.digest}".encode()),)
    epochs = [Outgoing(SUBJECTS, None, encode("subject_record", told), headers, one) for one in range(area.partitions)]
    return [Outgoing({"registers": REGISTERS, "policy": POLICIES}[of], b"", encode_release(made)), *epochs]


async def taken(area: Area, *topics: str) -> bool:
    """Tell whether the workers have committed all of some topics."""
    places = await places_of(area.kafka, topics)
    async with open_admin(area.kafka) as admin, open_log(area.kafka) as log:
        committed = (await view_group(admin, "safeguarding-broker", places)).committed
        ends = await log.ends(places)
    return all(committed.get((one.topic, one.partition), 0) == end for one, end in ends.items())


@contextmanager
def older_worker(area: Area, *stages: str) -> Iterator[None]:
    log = area.folder / "older.log"
    with log.open("ab") as out:
        command = [sys.executable, "-m", "tests.integration.older_worker", str(area.settings_file), *stages]
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        yield
        assert process.poll() is None, log.read_text()
    finally:
        process.kill()
        process.wait(10)


@pytest.fixture(scope="module")
def older(area: Area) -> Area:
    """Registers without an administrator and a policy, both unsigned, one child known, and one alert on its way to be decided."""
    child = area.child(0)
    text = area.registers_file.read_text()
    (area.folder / "old.toml").write_text(text.rpartition("[[key]]")[0].replace('"tests-1"', '"old"'))
    events = [area.sign(one) for one in register_all([child])]
    asyncio.run(_write(area, *unsigned(area, "registers", load_content(area.folder / "old.toml"), 1_000)))
    asyncio.run(_write(area, *unsigned(area, "policy", policy_content(), 2_000), *events))
    with older_worker(area, "intake", "identify", "decide", "deliver"):
        assert wait_for(lambda: asyncio.run(taken(area, *(one.topic for one in events), SUBJECTS)), 60, 1.0)
    (alert,) = Feed(area, [child], Ledger("ES/old"), run="old").make(1)
    asyncio.run(_write(area, alert))
    with older_worker(area, "intake", "identify"):
        assert wait_for(lambda: asyncio.run(taken(area, alert.topic, "candidates.v1")), 60, 1.0)
        assert not asyncio.run(taken(area, SUBJECTS))
    return area


def test_the_place_is_told_what_to_do_and_then_goes_on_where_it_was(older: Area) -> None:
    shown, doctor = broker(older, "registers", "show"), broker(older, "doctor")
    worker = Worker(older, "new").start()
    assert worker.said("worker_failed", 60), worker.log.read_text()
    worker.process.wait(30)  # type: ignore[union-attr]  # started above

    for said in (shown.stderr, doctor.stdout, worker.log.read_text()):
        assert "broker registers vouch" in said
        assert "is no release" not in said
    assert "2 of the releases in `registers.v1` and `policies.v1` nobody signed" in shown.stderr

    steps = [
        ["registers", "release", str(older.registers_file)],
        ["policy", "release", "--on", "2026-11-22"],
        ["registers", "vouch", "--json"],
    ]
    done = [broker(older, *words) for words in steps]
    assert [one.returncode for one in done] == [0, 0, 0], [one.stderr for one in done]
    digests = [json.loads(line)["digest"] for line in done[-1].stdout.splitlines()]
    vouched, again = broker(older, "registers", "vouch", *digests), broker(older, "registers", "vouch")

    assert vouched.returncode == 0, vouched.stderr
    assert "every release is signed" in again.stdout
    with workers(older, 1):
        assert wait_for(lambda: "OPERATION" in told(older) or "encompass" in told(older), 60, 1.0), told(older)


def told(area: Area) -> str:
    return broker(area, "subscribe", LEAD, "--from", "beginning", "--again", "--until-now", "--json").stdout
