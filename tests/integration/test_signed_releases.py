"""Somebody who can write to the topics of policy and registers cannot speak there for an administrator (I10)."""

import asyncio
import base64
import json
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from click.testing import CliRunner, Result

from broker.cli import cli
from broker.codec import encode
from broker.registerfile import load_content
from broker.sealing.signatures import new_key
from broker.stream.clients import Writer, open_producer
from broker.stream.releases.book import Kind, Release, encode_release
from broker.stream.releases.follow import EPOCH
from broker.stream.topics import POLICIES, REGISTERS, SUBJECTS
from tests.area import POLICE, Area
from tests.feed import Feed, Ledger, Subscribers, prepare
from tests.worker import workers

pytestmark = pytest.mark.kafka
CHILDREN = 6


def broker(area: Area, *words: str) -> Result:
    return CliRunner().invoke(cli, [*words, "--settings", str(area.settings_file)])


@pytest.fixture(scope="module")
def known(area: Area) -> Area:
    """The area with registers and policy in force."""
    asyncio.run(prepare(area, area.children(CHILDREN)))
    return area


async def write_as_anybody(area: Area, of: Kind, content: bytes) -> None:
    """Write a release that nobody signed, and an epoch for it in every line, as a raw client can where no access list is."""
    made = Release(of, "mine", content, 4_000_000_000_000)
    epoch = encode(
        "subject_record", {"kind": "EPOCH", "child_ref": "", "epoch": {"of": of, "version": "mine", "digest": made.digest}}
    )
    async with AIOKafkaProducer(bootstrap_servers=area.kafka, acks="all") as producer:
        await producer.send_and_wait({"registers": REGISTERS, "policy": POLICIES}[of], encode_release(made))
        for partition in range(area.partitions):
            headers = [(EPOCH, f"{of}:{made.digest}".encode())]
            await producer.send_and_wait(SUBJECTS, epoch, partition=partition, headers=headers)


def alert(area: Area, ledger: Ledger, count: int, run: str, *, wait: bool = True) -> bool:
    async def both() -> bool:
        async with Subscribers(area, ledger) as subscribers, open_producer(area.kafka) as producer:
            await Writer(producer).write(Feed(area, area.children(CHILDREN), ledger, run=run).make(count))
            return await subscribers.until(len(ledger.expected), 30 if wait else 4)

    return asyncio.run(both())


def test_a_raw_client_adds_its_key_as_an_agencys_and_nothing_of_it_is_believed(known: Area, tmp_path: Path) -> None:
    """The attack: its own key as the police's in registers that it wrote itself, their epoch, an alert signed with it."""
    mine = new_key(tmp_path, POLICE)
    entry = f'\n[[key]]\nid = "{mine.key_id}"\nholder = "{POLICE}"\npublic_key = "{base64.b64encode(mine.public_key).decode()}"\n'
    (tmp_path / "mine.toml").write_text(known.registers_file.read_text().replace('"tests-1"', '"mine"') + entry)
    before, forged, after = (Ledger(f"ES/{name}") for name in ("before", "forged", "after"))
    with workers(known, 1, "--metrics-port", "0") as (worker,):
        assert alert(known, before, 3, "before")
        asyncio.run(write_as_anybody(known, "registers", load_content(tmp_path / "mine.toml")))
        asyncio.run(write_as_anybody(known, "policy", b'{"version":"mine"}'))
        true, known.signers[POLICE] = known.signers[POLICE], mine
        heard = alert(known, forged, 3, "forged", wait=False)
        known.signers[POLICE] = true
        assert alert(known, after, 3, "after"), worker.log.read_text()[-2000:]
        shown, letters = broker(known, "registers", "show"), broker(known, "dead-letters", "list")
        doctor = [json.loads(line) for line in broker(known, "doctor", "--json").stdout.splitlines()]
        said = worker.log.read_text()
    balance = broker(known, "reconcile")

    assert (heard, forged.sightings) == (False, {})
    assert (after.lost, after.misrouted, after.shown_twice) == (0, 0, 0)
    assert "registers tests-1" in shown.stdout
    assert "`registers.v1` offset 1 is no release: record is not signed" in shown.stderr
    assert "bad_signature" in letters.stdout
    assert said.count("release_refused") == 2
    assert [one["state"] for one in doctor if one["what"] == "releases"] == ["doubtful"], doctor
    assert "it balances: nothing vanished" in balance.stdout


def test_the_doctor_doubts_settings_of_an_area_that_the_registers_do_not_know(known: Area) -> None:
    right = known.settings_file.read_text()
    known.settings_file.write_text(right.replace('area = "E10000030"', 'area = "E10000999"'))
    elsewhere = [json.loads(line) for line in broker(known, "doctor", "--json").stdout.splitlines()]
    known.settings_file.write_text(right)
    here = [json.loads(line) for line in broker(known, "doctor", "--json").stdout.splitlines()]

    assert [one["state"] for one in elsewhere if one["what"] == "settings"] == ["well", "doubtful"]
    assert [one["state"] for one in here if one["what"] == "settings"] == ["well"]


def test_an_administrator_releases_after_that_as_before(known: Area) -> None:
    text = known.registers_file.read_text().replace('"tests-1"', '"tests-2"')
    (known.folder / "next.toml").write_text(text)

    done = broker(known, "registers", "release", str(known.folder / "next.toml"))
    shown = broker(known, "registers", "show")

    assert done.exit_code == 0, done.exception
    assert "registers tests-2" in shown.stdout


@pytest.mark.parametrize("who", ["administrator:stranger", POLICE])
def test_who_is_no_administrator_is_told_so_and_nothing_is_written(known: Area, who: str) -> None:
    if who != POLICE:
        new_key(known.folder / "keys", who)
    text = known.registers_file.read_text().replace('"tests-1"', '"tests-3"')
    (known.folder / "refused.toml").write_text(text)

    registers = broker(known, "registers", "release", str(known.folder / "refused.toml"), "--as", who)
    policy = broker(known, "policy", "release", "--on", "2026-11-22", "--as", who)

    for told in (registers, policy):
        assert f"the key of `{who}` is no administrator's in the registers in force" in str(told.exception)
    assert "tests-3" not in broker(known, "registers", "show").stdout + broker(known, "registers", "show").stderr


def test_registers_after_which_nobody_could_release_are_not_released(known: Area) -> None:
    last = known.registers_file.read_text().rpartition("[[key]]")[0].replace('"tests-1"', '"tests-4"')
    (known.folder / "last.toml").write_text(last)

    found = broker(known, "registers", "release", str(known.folder / "last.toml"))

    assert "they hold no administrator's key, or one that ends" in str(found.exception)


def test_without_a_key_it_is_said_how_to_make_one(known: Area) -> None:
    found = broker(known, "policy", "release", "--on", "2026-11-22", "--as", "administrator:nobody")

    assert "make one with `broker keys new administrator:nobody`" in str(found.exception)
