"""Nobody reads here what was disclosed to another, and nobody but the broker's own place reads the log (I10, own-voice)."""

import asyncio
import dataclasses

import pytest
from click.testing import CliRunner, Result

from broker.cli import cli
from broker.core.model.registers import ADMINISTRATOR
from broker.errors import KeysError
from broker.registerfile import load_content
from broker.sealing.signatures import key_file, new_key
from broker.stream.clients import open_producer
from broker.stream.releases.follow import release
from tests.area import Area

pytestmark = pytest.mark.kafka
ITSELF, ANOTHER, SHARED = "dsl-100001", "dsl-100002", "duty"
READING = ("--until-now", "--from", "beginning", "--no-receipt")


async def _release(area: Area) -> None:
    async with open_producer(area.kafka) as producer:
        await release(producer, "registers", "standing-1", load_content(area.registers_file), area.signers[ADMINISTRATOR])


@pytest.fixture(scope="module")
def place(area: Area, tmp_path_factory: pytest.TempPathFactory) -> Area:
    """A place that holds no key but those of one school's lead and of a desk without a topic of its own."""
    asyncio.run(_release(area))
    folder = tmp_path_factory.mktemp("place")
    (folder / "keys").mkdir()
    for holder in (ITSELF, SHARED):
        key_file(folder / "keys", holder).write_bytes(key_file(area.folder / "keys", holder).read_bytes())
        key_file(folder / "keys", holder).chmod(0o600)
    (folder / "broker.toml").write_text(area.settings_file.read_text())
    return dataclasses.replace(area, folder=folder)


def broker(place: Area, *arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--settings", str(place.folder / "broker.toml")])


def test_a_place_is_served_as_whose_key_it_holds_and_as_nobody_else(place: Area) -> None:
    own = broker(place, "subscribe", ITSELF, *READING)
    other = broker(place, "subscribe", ANOTHER, *READING)

    assert own.exit_code == 0, own.exception
    assert isinstance(other.exception, KeysError)
    assert f"make one with `broker keys new {ANOTHER}`" in str(other.exception)


def test_a_key_that_somebody_made_for_another_opens_nothing(place: Area) -> None:
    new_key(place.folder / "keys", "dsl-100003")

    found = broker(place, "subscribe", "dsl-100003", *READING)

    assert "is not the one in the registers in force" in str(found.exception)


def test_the_shared_topic_is_read_at_the_brokers_own_place_alone(place: Area, area: Area) -> None:
    away = broker(place, "subscribe", SHARED, *READING)
    at_home = broker(area, "subscribe", SHARED, *READING)

    assert "the broker's own desk serves it, and this is not its place" in str(away.exception)
    assert at_home.exit_code == 0, at_home.exception


@pytest.mark.parametrize(
    "words",
    ["explain --event 0d7e6a4c-6b0e-5d7e-9b63-1f5a3c1d2e4f", "reconcile", "lag", "reviews list", "dead-letters list"],
)
def test_what_reads_the_whole_log_is_for_the_brokers_own_place(place: Area, words: str) -> None:
    found = broker(place, *words.split())

    assert isinstance(found.exception, KeysError)
    assert "reads the log of the whole broker, and this is not its place" in str(found.exception)
