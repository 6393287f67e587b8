"""`broker connect`: what it says before it needs a Kafka."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from broker.cli import cli
from broker.core.model.identifiers import Digest
from broker.sealing.signatures import new_key
from connectors.registry import CONNECTORS
from connectors.transports.memory import SqliteMemory
from tests.connectors.contract import MemoryInHand


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "broker.toml"
    file.write_text('kafka = "127.0.0.1:9"\ndata = "state"\nkeys = "keys"\narea = "E10000030"\nmode = "demo"\n')
    return file


def connect(settings: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["connect", *words, "--settings", str(settings)])


def test_help_names_every_connector_and_gives_examples() -> None:
    said = CliRunner().invoke(cli, ["connect", "--help"]).output

    assert all(name in said for name in CONNECTORS)
    assert all(file in said for one in CONNECTORS.values() for file in one.files)
    assert [line for line in said.splitlines() if len(line) > 80] == []
    assert "broker connect cin-census --agency E10000030 --inbox inbox" in said
    assert all(pattern in said for one in CONNECTORS.values() for pattern in one.files)


@pytest.mark.parametrize("name", sorted(CONNECTORS))
def test_files_that_are_named_as_the_help_says_are_claimed(name: str) -> None:
    assert all(CONNECTORS[name].make().claims((pattern.replace("*", "2025_"),)) for pattern in CONNECTORS[name].files)


@pytest.mark.parametrize("name", sorted(CONNECTORS))
def test_every_registered_connector_is_one(name: str) -> None:
    connector = CONNECTORS[name].make()

    assert connector.name == name
    assert not connector.claims(("holiday.jpg",))
    assert callable(connector.read)
    assert MemoryInHand().get("nothing") is None


@pytest.mark.parametrize(
    ("words", "said", "why"),
    [
        (("cin-census", "--agency", "E10000030"), "--agency and --inbox go together", "no inbox"),
        (("cin-census", "--inbox", "x"), "--agency and --inbox go together", "no agency"),
        (("cin-census", "--forget-last"), "need --agency", "whose"),
        (("sui-extract", "--agency", "E10000030", "--forget-last"), "use --forget-all", "an extract is no series"),
        (("sui-extract", "--agency", "E10000030", "--forget-all"), "nothing to forget", "nothing was published"),
        (("encompass-notice", "--deliver", "oak-dsl"), "--deliver and --outbox go together", "no outbox"),
        (("cin-census", "--deliver", "oak-dsl", "--outbox", "x"), "only reads", "nothing is written in this format"),
        (("cin-census", "--agency", "E10000030", "--inbox", "x"), "broker keys new E10000030", "no private key"),
    ],
)
def test_what_is_missing_is_said_in_words(settings: Path, words: tuple[str, ...], said: str, why: str) -> None:
    result = connect(settings, *words)

    assert said in str(result.exception), why


def test_the_form_of_a_notice_is_shown_without_any_settings() -> None:
    shown = CliRunner().invoke(cli, ["connect", "encompass-notice", "--form"])
    none = CliRunner().invoke(cli, ["connect", "cin-census", "--form"])

    assert shown.exit_code == 0
    assert "Hub threshold" in shown.output
    assert "that others publish" in str(none.exception)


def test_forgetting_the_last_file_is_shown_first_and_done_with_yes(settings: Path, tmp_path: Path) -> None:
    """It needs no Kafka: what is forgotten is what this connector remembers."""
    words = ("cin-census", "--agency", "E10000030", "--forget-last")
    memory = SqliteMemory(tmp_path / "state" / "connect" / "E10000030-cin-census.sqlite")
    memory.begin()
    memory.put("cin-census/last", b'{"number": 4, "year": 2027, "taken": "2026-05-02", "council": "999", "recorded_at": "0"}')
    memory.commit()
    memory.close()

    shown, done, nothing = connect(settings, *words), connect(settings, *words, "--yes"), connect(settings, *words, "--yes")

    assert "for the year 2027, as of 2026-05-02, of council 999" in shown.output
    assert "taken as the first of its council" in shown.output
    assert "Nothing was changed: with --yes it is forgotten." in shown.output
    assert "It is forgotten." in done.output
    assert "nothing to forget" in str(nothing.exception)


@pytest.mark.parametrize("name", sorted(CONNECTORS))
def test_every_connector_can_forget_all_that_it_published(settings: Path, tmp_path: Path, name: str) -> None:
    """After a loss of data it could publish nothing again."""
    words = (name, "--agency", "E10000030", "--forget-all")
    file = tmp_path / "state" / "connect" / f"E10000030-{name}.sqlite"
    memory = SqliteMemory(file)
    memory.begin()
    memory.put("any", b"thing")
    memory.note_delivered(Digest("d"), 1_790_000_000_000)
    memory.commit()
    memory.note_log("events", "one")
    memory.close()

    shown, done, nothing = connect(settings, *words), connect(settings, *words, "--yes"), connect(settings, *words, "--yes")
    memory = SqliteMemory(file)

    assert "remembers 1 delivery, the last on Mon 21 Sep 2026" in shown.output
    assert "published whole" in shown.output
    assert "Nothing was changed: with --yes it is forgotten." in shown.output
    assert "It is forgotten." in done.output
    assert "nothing to forget" in str(nothing.exception)
    assert list(memory.items("")) == []
    assert (memory.delivered(Digest("d")), memory.is_latest(Digest("d")), memory.log("events")) == (None, False, None)
    memory.close()


def test_once_says_that_kafka_is_away_instead_of_waiting(settings: Path, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    new_key(tmp_path / "keys", "E10000030")

    result = connect(settings, "cin-census", "--agency", "E10000030", "--inbox", str(tmp_path / "in"), "--once")

    assert "Kafka does not answer" in str(result.exception)


def test_an_inbox_that_is_not_there_is_named_since_it_may_be_misspelt(settings: Path, tmp_path: Path) -> None:
    """Made without a word, it has nothing to read for ever, and the command ends well each night."""
    (tmp_path / "keys").mkdir()
    new_key(tmp_path / "keys", "E10000030")
    (tmp_path / "there").mkdir()

    misspelt, there = (
        connect(settings, "cin-census", "--agency", "E10000030", "--inbox", str(tmp_path / name), "--once")
        for name in ("their", "there")
    )

    assert f"inbox {tmp_path / 'their'} is not there and is made" in misspelt.stderr
    assert there.stderr == ""
