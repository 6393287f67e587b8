"""What every Kafka client is made with to get in: the address, TLS, and who we are. The one place that turns settings into it.

INVARIANT: nothing here falls back. A client whose settings ask for encryption or a password never talks without.
"""

import ssl
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from aiokafka.helpers import create_ssl_context

from broker.errors import SettingsError
from broker.kafkaaccess import Kafka, KafkaAccess, access_of

if TYPE_CHECKING:
    from faust.auth import SASLCredentials, SSLCredentials


def client_options(kafka: Kafka) -> dict[str, Any]:
    """Return what an aiokafka client is made with; raises SettingsError when a certificate or key is none."""
    access = access_of(kafka)
    if access is None:
        return {"bootstrap_servers": str(kafka)}
    return {
        "bootstrap_servers": str(kafka),
        "security_protocol": access.protocol,
        **({"ssl_context": _context(access)} if access.encrypted else {}),
        **(_password(access) if access.by_password else {}),
    }


def faust_credentials(kafka: Kafka) -> "SASLCredentials | SSLCredentials | None":
    """Return the same as Faust wants it for the clients that it makes itself; None where Kafka lets everybody in."""
    from faust.auth import SASLCredentials, SSLCredentials  # noqa: PLC0415 - a command without Faust is quicker by a third

    access = access_of(kafka)
    if access is None or access.protocol == "PLAINTEXT":
        return None
    context = _context(access) if access.encrypted else None
    if not access.by_password:
        return SSLCredentials(context)
    return SASLCredentials(username=access.username, password=access.password, mechanism=access.mechanism, ssl_context=context)


def _password(access: KafkaAccess) -> dict[str, Any]:
    return {
        "sasl_mechanism": access.mechanism,
        "sasl_plain_username": access.username,
        "sasl_plain_password": access.password,
    }


@lru_cache(maxsize=8)
def _context(access: KafkaAccess) -> ssl.SSLContext:
    """Make the TLS context: Kafka's certificate must be by our authority and name the host that we asked for."""
    named = {"ca": access.ca, "certificate": access.certificate, "key": access.key}
    files = {name: str(file) for name, file in named.items() if file is not None}
    try:
        made: ssl.SSLContext = create_ssl_context(
            cafile=files.get("ca"),
            certfile=files.get("certificate"),
            keyfile=files.get("key"),
            password="",  # else a key that is sealed with one would be asked for at a terminal
        )
    except (ssl.SSLError, OSError, ValueError) as error:
        shown = ", ".join(f"{name} `{file}`" for name, file in files.items())
        raise SettingsError(f"settings `kafka_access`: {shown}: not usable as PEM files: {type(error).__name__}") from error
    return made
