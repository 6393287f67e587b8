"""A real Kafka that checks who is who and who may what: TLS, passwords, client certificates, and Kafka's own access lists."""

import ipaddress
import secrets
import subprocess
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from broker.stream.node.kafka_node import _PROPERTIES, KafkaNode, fetch_jars
from broker.stream.node.kafka_probe import free_port

ROOT_USER = "root-of-kafka"
_LOGIN = "org.apache.kafka.common.security"
_CLUSTER = "guardedKafkaForTestsAA"


class Authority:
    """A certificate authority of the test's own, in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("the authority of a test")
        built = _certificate(self._name, self._key.public_key(), self._name).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.file = folder / "ca.pem"
        self.file.write_bytes(built.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(self, who: str) -> tuple[Path, Path]:
        """Return the files of a certificate and its key, for a server on this machine or a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        made = _certificate(_name(who), key.public_key(), self._name).add_extension(here, critical=False)
        certificate, private = self._folder / f"{who}.pem", self._folder / f"{who}.key"
        certificate.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        pkcs8 = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        private.write_bytes(key.private_bytes(*pkcs8))
        private.chmod(0o600)
        return certificate, private


class GuardedKafka:
    """One node with two doors: one asks for a password over TLS, one for a client certificate.

    A third without any guard is for the node's own start; who comes by it may do all, and no test does.
    """

    def __init__(self, folder: Path, users: Collection[str]) -> None:
        self._folder = folder
        self.authority = Authority(folder / "tls")
        self.passwords = {user: secrets.token_urlsafe(12) for user in (ROOT_USER, *users)}
        plain, controller, by_password, by_certificate = (free_port() for _ in range(4))
        self.by_password, self.by_certificate = f"127.0.0.1:{by_password}", f"127.0.0.1:{by_certificate}"
        self._data = folder / "kafka"
        self._properties = {
            "listeners": (
                f"PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller}"
                f",PASSWORD://{self.by_password},CERTIFICATE://{self.by_certificate}"
            ),
            "advertised.listeners": (
                f"PLAINTEXT://127.0.0.1:{plain},PASSWORD://{self.by_password},CERTIFICATE://{self.by_certificate}"
            ),
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PASSWORD:SASL_SSL,CERTIFICATE:SSL",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": f"User:ANONYMOUS;User:{ROOT_USER}",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "listener.name.password.plain.sasl.jaas.config": self._users(),
            "listener.name.password.scram-sha-512.sasl.jaas.config": f"{_LOGIN}.scram.ScramLoginModule required;",
            "listener.name.certificate.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": r"RULE:^CN=([^,]+).*$/$1/",
            **self._tls(),
        }
        self._node = KafkaNode(self._data, port=plain, properties=self._properties)

    def start(self) -> "GuardedKafka":
        self._format()
        self._node.start()
        return self

    def _format(self) -> None:
        """Format the data folder with the users in it, as Kafka wants it of those who come by SCRAM."""
        self._data.mkdir()
        file = self._data / "format.properties"
        settings = {**_PROPERTIES, **self._properties, "log.dirs": str(self._data / "log")}
        file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        users = [f"SCRAM-SHA-512=[name={user},password={password}]" for user, password in self.passwords.items()]
        scram = [word for user in users for word in ("--add-scram", user)]
        command = ["java", "-cp", f"{fetch_jars()}/*", "kafka.tools.StorageTool", "format", "--cluster-id", _CLUSTER, *scram]
        subprocess.run([*command, "--config", str(file)], check=True, capture_output=True)

    def stop(self) -> None:
        self._node.stop()

    def access(self, user: str, *, password: str | None = None, mechanism: str = "SCRAM-SHA-512") -> str:
        """Return the table of the settings with which a user gets in by password; the password lies in a file of its own."""
        file = self._folder / f"{user}.password"
        file.write_text(password or self.passwords[user])
        file.chmod(0o600)
        return (
            f'[kafka_access]\nprotocol = "SASL_SSL"\nca = "{self.authority.file}"\nmechanism = "{mechanism}"\n'
            f'username = "{user}"\npassword_file = "{file}"\n'
        )

    def access_by_certificate(self, who: str) -> str:
        """Return the table of the settings with which somebody gets in by a certificate."""
        certificate, key = self.authority.issue(who)
        return f'[kafka_access]\nprotocol = "SSL"\nca = "{self.authority.file}"\ncertificate = "{certificate}"\nkey = "{key}"\n'

    def _users(self) -> str:
        users = " ".join(f'user_{user}="{password}"' for user, password in self.passwords.items())
        return f"{_LOGIN}.plain.PlainLoginModule required {users};"

    def _tls(self) -> dict[str, str]:
        certificate, key = self.authority.issue("kafka")
        store = self._folder / "tls" / "store.pem"
        store.write_bytes(key.read_bytes() + certificate.read_bytes())
        return {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(store),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.file),
        }


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


def _certificate(subject: x509.Name, key: ec.EllipticCurvePublicKey, issuer: x509.Name) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
    )
