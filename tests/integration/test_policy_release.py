"""`broker policy release` on a real Kafka: whole policy first, then one epoch in every partition of the children's lines."""

import asyncio
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from broker.cli import cli
from broker.codec import decode
from broker.policyfile import POLICIES, load_policy
from broker.stream.clients import open_consumer
from broker.stream.releases.registers import released
from broker.stream.topics import SUBJECTS
from broker.stream.watching.places import places_of
from tests.area import Area

pytestmark = pytest.mark.kafka


def release(area: Area, *words: str) -> Result:
    return CliRunner().invoke(cli, ["policy", "release", *words, "--on", "2026-11-22", "--settings", str(area.settings_file)])


def epochs(area: Area) -> Counter[tuple[int, str]]:
    """How many epochs of which version stand in which partition."""

    async def read() -> Counter[tuple[int, str]]:
        found: Counter[tuple[int, str]] = Counter()
        async with open_consumer(area.kafka) as consumer:
            places = await places_of(area.kafka, [SUBJECTS])
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends = await consumer.end_offsets(places)
            while any([await consumer.position(place) < end for place, end in ends.items()]):
                for place, records in (await consumer.getmany(timeout_ms=500)).items():
                    said = [decode("subject_record", one.value)["epoch"] for one in records]
                    found.update((place.partition, one["version"]) for one in said if one["of"] == "policy")
        return found

    return asyncio.run(read())


def test_a_policy_comes_into_force_in_every_partition_and_other_rules_need_another_version(area: Area, tmp_path: Path) -> None:
    shipped = load_policy()
    assert "no registers have been released" in str(release(area).exception), "nobody could vouch for it"
    registers = CliRunner().invoke(cli, ["registers", "release", str(area.registers_file), "--settings", str(area.settings_file)])
    assert registers.exit_code == 0, registers.exception

    done = release(area, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.output)
    assert (said["version"], said["digest"], said["rules"]) == (shipped.version, shipped.digest, len(shipped.rules))
    assert f"new rule {shipped.rules[0].id}" in said["changes"]
    assert asyncio.run(released(area.kafka)).policy(shipped.digest) == shipped
    once = epochs(area)
    assert len(once) > 1
    assert set(once.values()) == {1}

    again = release(area)
    assert again.output.endswith("was in force already: nothing to do\n"), again.output
    assert epochs(area) == once, "what is in force already is in no line anew"
    assert release(area, "--again").output.endswith("is in force from here on\n")
    assert set(epochs(area).values()) == {2}

    folder = tmp_path / "policies"
    shutil.copytree(POLICIES, folder)
    police = folder / "police.toml"
    police.write_text(police.read_text().replace("before its next school day, so that", "before its next school day so that"))
    assert "was released before with other rules" in str(release(area, str(folder)).exception)

    head = folder / "policy.toml"
    head.write_text(head.read_text().replace(f'version = "{shipped.version}"', 'version = "next"'))
    changed = release(area, str(folder))
    assert changed.exit_code == 0
    assert [line for line in changed.output.splitlines() if line.startswith(("new", "changed", "gone"))] == [
        "changed policy England, need to know",
        "changed rule encompass-to-school",
    ]
    shown = CliRunner().invoke(cli, ["policy", "show", "--settings", str(area.settings_file)]).output
    assert shown.startswith("policy next, digest ")
    assert "before its next school day so that" in shown
    assert {version for _, version in epochs(area)} == {shipped.version, "next"}
