"""Settings: one line per fault, all faults at once."""

from pathlib import Path

import pytest

from broker.errors import SettingsError
from broker.kafkaaccess import KafkaPlace
from broker.settings import Settings, load_settings

GOOD = 'kafka = "127.0.0.1:9092"\ndata = "state"\nkeys = "keys"\narea = "E10000030"\nmode = "demo"\n'


def test_paths_are_taken_from_the_settings_files_folder(tmp_path: Path) -> None:
    (tmp_path / "broker.toml").write_text(GOOD)

    settings = load_settings(tmp_path / "broker.toml")

    assert settings.keys == tmp_path / "keys"
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


def test_a_folder_whose_name_no_system_takes_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "broker.toml").write_text(GOOD.replace('data = "state"', 'data = "st\\u0000ate"'))

    with pytest.raises(SettingsError, match="`data`: must be the path of a folder"):
        load_settings(tmp_path / "broker.toml")


def test_the_mark_that_some_editors_put_before_a_text_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "broker.toml").write_text(GOOD, encoding="utf-8-sig")

    assert load_settings(tmp_path / "broker.toml").area == "E10000030"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (None, "not there"),
        (b"kafka =", "not TOML"),
        (b"\xff\xfe", "cannot be read"),
        (b"kafka = " + b"[" * 20_000, "not TOML: brackets in brackets"),
    ],
)
def test_a_file_that_is_no_settings_file_is_named(tmp_path: Path, content: bytes | None, word: str) -> None:
    file = tmp_path / "broker.toml"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SettingsError, match=word):
        load_settings(file)


def access(tmp_path: Path, table: str, address: str = "127.0.0.1:9092") -> Settings:
    """Settings with a table of how one gets into Kafka; the files `ca.pem` and `secret` are there."""
    (tmp_path / "ca.pem").write_text("a certificate")
    (tmp_path / "secret").write_text("hush-hush\n")
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "broker.toml").write_text(GOOD.replace("127.0.0.1:9092", address) + f"[kafka_access]\n{table}")
    return load_settings(tmp_path / "broker.toml")


BY_PASSWORD = 'protocol = "SASL_SSL"\nca = "ca.pem"\nmechanism = "SCRAM-SHA-512"\nusername = "broker"\n'


def test_a_password_comes_from_a_file_and_is_shown_nowhere(tmp_path: Path) -> None:
    settings = access(tmp_path, BY_PASSWORD + 'password_file = "secret"\n')

    assert isinstance(settings.kafka, KafkaPlace)
    assert settings.kafka.access.password == "hush-hush"
    assert settings.kafka.access.ca == tmp_path / "ca.pem"
    assert "hush" not in f"{settings!r} {settings} {settings.kafka!r} {settings.kafka} {settings.model_dump_json()}"
    assert str(settings.kafka) == "127.0.0.1:9092"


def test_a_password_comes_from_the_environment_where_no_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_KAFKA_PASSWORD", "from-outside")

    settings = access(tmp_path, BY_PASSWORD)

    assert settings.kafka_access is not None
    assert settings.kafka_access.password == "from-outside"


def test_without_a_table_kafka_lets_everybody_in(tmp_path: Path) -> None:
    (tmp_path / "broker.toml").write_text(GOOD)

    assert load_settings(tmp_path / "broker.toml").kafka.access is None


@pytest.mark.parametrize(
    ("table", "field", "word"),
    [
        ('protocol = "TLS"', "protocol", "input should be"),
        ('protocol = "SSL"\nca = "none.pem"', "ca", "is not there"),
        ('protocol = "SSL"\nca = "ca.pem"\ncertificate = "ca.pem"', "key", "go together"),
        ('protocol = "SSL"\ncertificate = "ca.pem"\nkey = "open"', "key", "chmod 600"),
        ('protocol = "SSL"\nusername = "me"', "username", "SSL does not use it"),
        ('protocol = "PLAINTEXT"\nca = "ca.pem"', "ca", "PLAINTEXT does not use it"),
        (BY_PASSWORD, "password_file", "missing: name a file"),
        (BY_PASSWORD + 'password_file = "open"', "password_file", "chmod 600"),
        (BY_PASSWORD + 'password_file = "empty"', "password_file", "alone, on one line"),
        (BY_PASSWORD + 'password = "hush-hush"', "password", "unknown key"),
        (BY_PASSWORD.replace("SCRAM-SHA-512", "GSSAPI") + 'password_file = "secret"', "mechanism", "input should be"),
    ],
)
def test_what_does_not_fit_together_is_told_with_its_field(tmp_path: Path, table: str, field: str, word: str) -> None:
    (tmp_path / "open").write_text("hush-hush")
    (tmp_path / "open").chmod(0o644)
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "empty").chmod(0o600)

    with pytest.raises(SettingsError) as found:
        access(tmp_path, table)

    assert any(f"`kafka_access.{field}`: " in line and word in line for line in str(found.value).splitlines()), found.value
    assert "hush" not in str(found.value)


def test_a_password_never_goes_over_a_network_unencrypted(tmp_path: Path) -> None:
    table = BY_PASSWORD.replace("SASL_SSL", "SASL_PLAINTEXT").replace('ca = "ca.pem"\n', "") + 'password_file = "secret"\n'

    assert access(tmp_path, table, "127.0.0.1:9092,localhost:9093").kafka_access is not None
    with pytest.raises(SettingsError, match="for a Kafka on this machine alone"):
        access(tmp_path, table, "127.0.0.1:9092,kafka.example:9092")


def test_faults_of_getting_in_are_told_with_all_others(tmp_path: Path) -> None:
    (tmp_path / "broker.toml").write_text('kafka = "nowhere"\n[kafka_access]\nprotocol = "SASL_SSL"\nca = "none"\nkafak = 1\n')

    with pytest.raises(SettingsError) as found:
        load_settings(tmp_path / "broker.toml")

    fields = {line.split("`")[3] for line in str(found.value).splitlines()}
    inside = {f"kafka_access.{name}" for name in ("ca", "kafak", "mechanism", "username", "password_file")}
    assert fields == {"kafka", "data", "keys", "area", "mode", *inside}
