"""Settings: one line per fault, all faults at once."""

from pathlib import Path

import pytest

from broker.errors import SettingsError
from broker.settings import load_settings

GOOD = 'kafka = "127.0.0.1:9092"\ndata = "state"\nkeys = "keys"\narea = "E10000030"\nmode = "demo"\n'


def test_paths_are_taken_from_the_settings_files_folder(tmp_path: Path) -> None:
    (tmp_path / "broker.toml").write_text(GOOD)

    settings = load_settings(tmp_path / "broker.toml")

    assert settings.keys == tmp_path / "keys"
    assert settings.master_key == tmp_path / "keys" / "broker.keys"
    assert (settings.partitions, settings.group, settings.metrics_port) == (8, "safeguarding-broker", None)


def test_the_environment_names_the_file_when_no_option_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere.toml").write_text(GOOD)
    monkeypatch.setenv("BROKER_SETTINGS", str(tmp_path / "elsewhere.toml"))

    assert load_settings().area == "E10000030"


def test_every_fault_is_told_at_once_each_on_its_line(tmp_path: Path) -> None:
    (tmp_path / "broker.toml").write_text(
        'kafka = "nowhere"\nmode = "test"\npartitions = 0\nkafak = "x"\nkeys = "keys"\narea = "E1"\n'
    )

    with pytest.raises(SettingsError) as found:
        load_settings(tmp_path / "broker.toml")

    lines = str(found.value).splitlines()
    assert {line.split("`")[3] for line in lines} == {"kafka", "mode", "partitions", "kafak", "data"}
    assert all(line.startswith("settings file `") for line in lines)


def test_a_folder_that_is_no_path_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "broker.toml").write_text(GOOD.replace('keys = "keys"', "keys = [1]"))

    with pytest.raises(SettingsError, match='`keys`: must be the path of a folder: for example keys = "keys"'):
        load_settings(tmp_path / "broker.toml")


@pytest.mark.parametrize(("content", "word"), [(None, "not there"), (b"kafka =", "not TOML"), (b"\xff\xfe", "cannot be read")])
def test_a_file_that_is_no_settings_file_is_named(tmp_path: Path, content: bytes | None, word: str) -> None:
    file = tmp_path / "broker.toml"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SettingsError, match=word):
        load_settings(file)
