"""What every Kafka client is made with: the settings, by one way, and nothing weaker than they say."""

import ast
import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from broker.errors import SettingsError
from broker.kafkaaccess import KafkaAccess, KafkaPlace
from broker.settings import load_settings
from broker.stream.client_options import client_options, faust_credentials
from tests.guarded import Authority

CLIENTS = {"AIOKafkaConsumer", "AIOKafkaProducer", "AIOKafkaAdminClient"}
ADDRESS = "127.0.0.1:9093"
SETTINGS = f'kafka = "{ADDRESS}"\ndata = "s"\nkeys = "k"\narea = "a"\nmode = "live"\n[kafka_access]\n'
BY_PASSWORD = 'mechanism = "SCRAM-SHA-256"\nusername = "me"\npassword_file = "secret"\n'


def place(folder: Path, table: str) -> KafkaPlace:
    """Return Kafka as settings with this table name it."""
    certificate, key = Authority(folder / "tls").issue("me")
    (folder / "secret").write_text("hush-hush")
    (folder / "secret").chmod(0o600)
    named = table.format(ca=folder / "tls" / "ca.pem", certificate=certificate, key=key)
    (folder / "broker.toml").write_text(SETTINGS + named)
    kafka = load_settings(folder / "broker.toml").kafka
    assert isinstance(kafka, KafkaPlace)
    return kafka


def test_a_mere_address_is_a_kafka_that_lets_everybody_in() -> None:
    assert client_options(ADDRESS) == {"bootstrap_servers": ADDRESS}
    assert faust_credentials(ADDRESS) is None


def test_a_password_over_tls_goes_to_every_client_and_to_fausts_own(tmp_path: Path) -> None:
    kafka = place(tmp_path, 'protocol = "SASL_SSL"\nca = "{ca}"\n' + BY_PASSWORD)

    options, faust = client_options(kafka), faust_credentials(kafka)
    context = options.pop("ssl_context")

    assert options == {
        "bootstrap_servers": ADDRESS,
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "me",
        "sasl_plain_password": "hush-hush",
    }
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert faust is not None
    assert (faust.protocol.value, faust.mechanism.value) == ("SASL_SSL", "SCRAM-SHA-256")
    assert (faust.username, faust.password, faust.ssl_context) == ("me", "hush-hush", context)
    assert "hush" not in repr(faust)


def test_a_client_certificate_goes_to_every_client_and_to_fausts_own(tmp_path: Path) -> None:
    kafka = place(tmp_path, 'protocol = "SSL"\nca = "{ca}"\ncertificate = "{certificate}"\nkey = "{key}"\n')

    options, faust = client_options(kafka), faust_credentials(kafka)

    assert (options["security_protocol"], "sasl_mechanism" in options) == ("SSL", False)
    assert faust is not None
    assert (faust.protocol.value, faust.context) == ("SSL", options["ssl_context"])


def test_a_password_on_this_machine_alone_goes_without_tls(tmp_path: Path) -> None:
    kafka = place(tmp_path, 'protocol = "SASL_PLAINTEXT"\n' + BY_PASSWORD)

    assert (client_options(kafka)["security_protocol"], "ssl_context" in client_options(kafka)) == ("SASL_PLAINTEXT", False)
    faust = faust_credentials(kafka)
    assert faust is not None
    assert faust.protocol.value == "SASL_PLAINTEXT"


def test_a_certificate_that_is_none_is_named_and_nothing_weaker_is_used(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("this is a letter")
    access = KafkaAccess(protocol="SSL", ca=tmp_path / "ca.pem")

    with pytest.raises(SettingsError, match=r"ca `.*ca.pem`: not usable as PEM files"):
        client_options(KafkaPlace(ADDRESS, access))


def test_a_key_that_is_sealed_with_a_password_is_refused_and_not_asked_for_at_a_terminal(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path / "tls").issue("me")
    sealed = serialization.BestAvailableEncryption(b"hush-hush")
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed))

    with pytest.raises(SettingsError, match="not usable as PEM files"):
        client_options(KafkaPlace(ADDRESS, KafkaAccess(protocol="SSL", certificate=certificate, key=key)))


def test_no_client_is_made_by_another_way() -> None:
    """Every client that the program makes takes its options from the one place."""
    safe = {"client_options(kafka)", "stock.credentials_to_aiokafka_auth(conf.broker_credentials)"}
    calls = [
        (file.name, {ast.unparse(given.value) for given in node.keywords if given.arg is None})
        for file in (Path(__file__).parents[2] / "broker").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in CLIENTS
    ]

    assert len(calls) >= 7
    assert not [name for name, given in calls if not given & safe]
