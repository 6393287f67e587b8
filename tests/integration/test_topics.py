"""Topics on a real Kafka: created as declared, mended where that is harmless, refused where it is not."""

from dataclasses import replace

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import MessageSizeTooLargeError, NoError, for_code
from click.testing import CliRunner

from broker.cli import cli
from broker.core.model.ports import Outgoing
from broker.errors import TopicsError
from broker.stream.clients import open_admin
from broker.stream.raw_requests import set_topic_settings
from broker.stream.topic_admin import apply, compare
from broker.stream.topics import Topic, declared
from tests.area import Area
from tests.raw_batch import GZIP, a_batch, produce

pytestmark = pytest.mark.kafka
WANTED = (Topic("topics-test.one", 2, retention_ms=86_400_000), Topic("topics-test.two", 3, cleanup="compact"))


async def test_missing_topics_are_shown_then_created_then_as_declared(kafka: str) -> None:
    missing = await compare(kafka, WANTED)
    await apply(kafka, WANTED)

    assert [one.missing for one in missing] == [True, True]
    assert await compare(kafka, WANTED) == ()


async def test_a_changed_setting_is_mended_and_a_changed_partition_count_refused(kafka: str) -> None:
    mine = tuple(replace(one, name=f"{one.name}.changed") for one in WANTED)
    await apply(kafka, mine)
    longer = (replace(mine[0], retention_ms=2 * 86_400_000), mine[1])

    [found] = await compare(kafka, longer)
    assert dict(found.settings or {}) == {"retention.ms": ("86400000", "172800000")}

    with pytest.raises(TopicsError, match="never changes"):
        await apply(kafka, (longer[0], replace(mine[1], partitions=5)))
    assert len(await compare(kafka, longer)) == 1

    await apply(kafka, longer)
    assert await compare(kafka, longer) == ()


async def test_a_setting_of_the_operators_own_stays_when_another_is_mended(kafka: str) -> None:
    """What is changed is what was shown, and nothing else."""
    [mine] = [replace(WANTED[0], name="topics-test.own")]
    own = {"segment.bytes": "52428800", "min.insync.replicas": "1", "flush.messages": "7"}
    await apply(kafka, [mine])
    async with open_admin(kafka) as admin:
        await set_topic_settings(admin, [(mine.name, list(own.items()))])

    await apply(kafka, [replace(mine, retention_ms=2 * 86_400_000)])

    async with open_admin(kafka) as admin:
        [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, mine.name)])
    found = {entry[0]: entry[1] for entry in answer.resources[0][4]}
    assert found["retention.ms"] == str(2 * 86_400_000)
    assert {name: found[name] for name in own} == own


async def test_what_others_write_is_as_large_unpacked_as_the_topic_takes(kafka: str) -> None:
    """40 MB of zeros travel in 40 kB: unpacked in a worker, they would fill its memory, and no dead letter could hold them."""
    [events] = [replace(one, name="topics-test.packed", partitions=1) for one in declared(1) if one.name == "events.police.v1"]
    await apply(kafka, [events])

    small = await produce(kafka, events.name, 0, a_batch([Outgoing(events.name, None, b"0" * 100_000)], GZIP))
    bomb = await produce(kafka, events.name, 0, a_batch([Outgoing(events.name, None, b"0" * 40_000_000)], GZIP))

    assert (for_code(small), for_code(bomb)) == (NoError, MessageSizeTooLargeError)


def test_the_command_shows_the_difference_and_changes_nothing_without_yes(area: Area) -> None:
    settings = ["--settings", str(area.settings_file), "--registers", str(area.registers_file)]
    more = area.registers_file.read_text().replace("own_topic = false\n", "own_topic = true\n", 1)
    changed = area.folder / "more.toml"
    changed.write_text(more)

    first = CliRunner().invoke(cli, ["topics", "apply", *settings])
    shown = CliRunner().invoke(cli, ["topics", "apply", *settings[:3], str(changed)])
    done = CliRunner().invoke(cli, ["topics", "apply", *settings[:3], str(changed), "--yes"])
    after = CliRunner().invoke(cli, ["topics", "apply", *settings[:3], str(changed)])

    assert (first.exit_code, shown.exit_code, done.exit_code, after.exit_code) == (0, 1, 0, 0), first.output + shown.output
    assert "create `disclosures.duty.v1`: 1 partition(s)" in shown.output
    assert "nothing was changed" in shown.output
