"""How one gets into Kafka, and who is who there: the part of the settings that every Kafka client is made with.

The password comes from a file of its own or from the environment: it never stands in the settings, and is shown nowhere.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, SecretStr

from broker.errors import reason_in_words

PASSWORD_VARIABLE = "BROKER_KAFKA_PASSWORD"  # noqa: S105 - the name of a variable, no password
FILES = ("ca", "certificate", "key", "password_file")
KNOWN_FILE = "kafka.json"  # in the folder of local state: which Kafka this place knows

_TLS, _SASL = ("ca", "certificate", "key"), ("mechanism", "username", "password_file")

Fault = tuple[str, str]  # the field, and what is wrong with it


class KafkaAccess(BaseModel):
    """How Kafka knows us, and how we know that it is Kafka."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: Literal["PLAINTEXT", "SSL", "SASL_SSL", "SASL_PLAINTEXT"]
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] | None = None
    username: str | None = Field(default=None, min_length=1)
    password_file: Path | None = None
    _password: SecretStr | None = PrivateAttr(default=None)

    @property
    def encrypted(self) -> bool:
        """Tell whether all is encrypted on its way and Kafka proves who it is."""
        return self.protocol.endswith("SSL")

    @property
    def by_password(self) -> bool:
        """Tell whether we prove who we are by a password."""
        return self.protocol.startswith("SASL")

    @property
    def password(self) -> str:
        """Return the password; empty where none is used."""
        return self._password.get_secret_value() if self._password else ""

    def knowing(self, password: SecretStr | None) -> "KafkaAccess":
        """Return the same with its password."""
        known = self.model_copy()
        known._password = password  # noqa: SLF001 - our own: pydantic gives a private attribute no other way in
        return known


def _principal(value: str) -> str:
    """Return a principal in Kafka's own form; everybody and nobody in particular are none."""
    name = value.removeprefix("User:").strip()
    if name in {"", "*", "ANONYMOUS"}:
        raise ValueError(
            "is not one principal: write the name by which Kafka knows it, such as `police-99` or `CN=police-99,O=Esk`"
        )
    return f"User:{name}"


Principal = Annotated[str, AfterValidator(_principal)]


class KafkaPrincipals(BaseModel):
    """Who of the broker's own people is who to Kafka. Those of agencies and recipients stand in the registers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    broker: tuple[Principal, ...] = ()
    operator: tuple[Principal, ...] = ()
    auditor: tuple[Principal, ...] = ()
    administrator: tuple[Principal, ...] = ()


@dataclass(frozen=True, slots=True)
class KafkaPlace:
    """Where Kafka is, how one gets in, and the file in which is kept which one it is; as text it is the address alone.

    Without `access` it lets everybody in. With `known` no client is handed out for another Kafka than the one kept there.
    """

    address: str
    access: KafkaAccess | None = None
    known: Path | None = None

    def __str__(self) -> str:
        return self.address


Kafka = str | KafkaPlace  # a mere address is that of a Kafka that lets everybody in, and of which nothing is known


def access_of(kafka: Kafka) -> KafkaAccess | None:
    """Return how one gets in; None where everybody does."""
    return None if isinstance(kafka, str) else kafka.access


def look_at_access(told: Mapping[str, Any], address: object) -> tuple[SecretStr | None, list[Fault]]:
    """Return the password, and what does not fit together in the table or cannot be used of what it names."""
    protocol = str(told.get("protocol"))
    tls, sasl = protocol.endswith("SSL"), protocol.startswith("SASL")
    faults = [*_needless(told, () if tls else _TLS, protocol), *_needless(told, () if sasl else _SASL, protocol)]
    if tls:
        faults += [(name, why) for name in _TLS if (why := _unusable(told.get(name)))]
        if ("certificate" in told) != ("key" in told):
            missing = "key" if "certificate" in told else "certificate"
            faults.append((missing, "missing: a client certificate and its key go together"))
        if why := _open_to_all(told.get("key")):
            faults.append(("key", why))
    if not sasl:
        return None, faults
    faults += [(name, f"missing: {protocol} needs it") for name in ("mechanism", "username") if name not in told]
    if not tls and not _on_this_machine(address):
        faults.append(("protocol", "SASL_PLAINTEXT is for a Kafka on this machine alone: over a network use SASL_SSL"))
    password, why = _password(told.get("password_file"))
    return password, [*faults, *([("password_file", why)] if why else [])]


def _needless(told: Mapping[str, Any], names: Iterable[str], protocol: str) -> list[Fault]:
    return [(name, f"{protocol} does not use it: take it out") for name in names if name in told]


def _on_this_machine(address: object) -> bool:
    hosts = [one.rpartition(":")[0].strip("[]") for one in str(address).split(",")]
    return all(host == "localhost" or _is_loopback(host) for host in hosts)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _password(file: object) -> tuple[SecretStr | None, str | None]:
    """Return the password, or else what is wrong with where it should be."""
    if file is None:
        found = os.environ.get(PASSWORD_VARIABLE)
        missing = f"missing: name a file that holds the password alone, or set {PASSWORD_VARIABLE}"
        return (SecretStr(found), None) if found else (None, missing)
    if why := _unusable(file):
        return None, why
    if why := _open_to_all(file):
        return None, why
    path = Path(str(file))
    text = path.read_bytes().decode(errors="replace").rstrip("\r\n")
    if not text or "\n" in text:
        return None, f"`{path}`: the password must stand there alone, on one line"
    return SecretStr(text), None


def _open_to_all(file: object) -> str | None:
    """Say that a secret file, where it is there, can be read by everybody."""
    try:
        mode = Path(file).stat().st_mode if isinstance(file, str) else 0
    except OSError:
        return None  # said elsewhere
    return f"everybody on this machine may read `{file}`: chmod 600 it" if mode & 0o007 else None


def _unusable(file: object) -> str | None:
    """Say why a file that the settings name cannot be read; None when it can, or when none is named."""
    if not isinstance(file, str):
        return None
    try:
        with Path(file).open("rb"):
            return None
    except FileNotFoundError:
        return f"`{file}` is not there: correct the path, or put the file there"
    except OSError as error:
        return f"`{file}` cannot be read: {reason_in_words(error)}"
