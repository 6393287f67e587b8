"""Ed25519 signatures of publishers and recipients: who said it, and that nobody changed it (I10).

Signed is the topic, the id and the value, so that a record cannot be moved to another topic or given another id.
Public keys stand in the registers; a holder's private key stays in the holder's own folder.
"""

import base64
import hashlib
import hmac
import re
import tomllib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from broker.core.model.identifiers import KeyId
from broker.core.model.ports import Headers, Record
from broker.core.model.registers import Registers, SigningKey
from broker.errors import NOBODY, KeysError, SignatureError
from broker.sealing.secrets import MASTER_FILE, read_secret, write_secret

KEY_HEADER = "sb_key_id"
SIGNATURE_HEADER = "sb_signature"

_HOLDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._-]*")


@dataclass(frozen=True, slots=True)
class Signer:
    """A holder's private key, ready to sign."""

    key_id: KeyId
    holder: str
    _key: Ed25519PrivateKey = field(repr=False)
    _order: bytes = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message; Ed25519 gives the same signature every time."""
        return self._key.sign(message)

    @property
    def public_key(self) -> bytes:
        """Return the public half, as it stands in the registers."""
        return self._key.public_key().public_bytes_raw()

    def record_key(self, record: str) -> bytes:
        """Return a Kafka key that keeps one source record's versions in order and says nothing about it to others."""
        return f"{self.holder}/{hmac.digest(self._order, record.encode(), hashlib.sha256).hex()[:32]}".encode()

    def headers(self, topic: str, value: bytes, ce_id: str) -> Headers:
        """Return the two headers that a signed record carries."""
        signature = self.sign(signing_input(topic, value, ce_id))
        return ((KEY_HEADER, self.key_id.encode()), (SIGNATURE_HEADER, signature))


def signing_input(topic: str, value: bytes, ce_id: str) -> bytes:
    """Return the bytes that are signed: topic, id and value, each with its length so that none can run into the next."""
    head = f"safeguarding-broker/1\n{len(topic)}:{topic}\n{len(ce_id)}:{ce_id}\n{len(value)}:"
    return head.encode() + value


def verify(key: SigningKey, message: bytes, signature: bytes, at: int) -> None:
    """Check a signature by a key that must be in force at an instant; raises SignatureError."""
    if at < key.since or (key.until is not None and at >= key.until):
        raise SignatureError(f"signing key `{key.id}` is not in force: release the registers with the holder's present key")
    try:
        _public(key.public_key).verify(signature, message)
    except InvalidSignature:
        raise SignatureError(f"signature does not verify with key `{key.id}`") from None


def signed_by(registers: Registers, record: Record, ce_id: str) -> SigningKey:
    """Return the registered key that signed a record; raises SignatureError when there is none or it does not verify."""
    key_id, signature = record.header(KEY_HEADER), record.header(SIGNATURE_HEADER)
    if not key_id or not signature:
        raise SignatureError(f"record is not signed: header `{KEY_HEADER}` or `{SIGNATURE_HEADER}` is missing")
    key = registers.keys.get(KeyId(key_id.decode(errors="replace")))
    if key is None:
        raise SignatureError("signing key is not in the registers: release the registers with the holder's present key")
    verify(key, signing_input(record.topic, record.value or b"", ce_id), signature, record.timestamp)
    return key


def sender_of(registers: Registers, record: Record, ce_id: bytes | None) -> str:
    """Return who proved to have sent a record that is refused: the holder of the key that signed it, in force or not."""
    key = registers.keys.get(KeyId((record.header(KEY_HEADER) or b"").decode(errors="replace")))
    if key is None:
        return NOBODY
    message = signing_input(record.topic, record.value or b"", (ce_id or b"").decode(errors="replace"))
    try:
        verify(key, message, record.header(SIGNATURE_HEADER) or b"", key.since)
    except SignatureError:
        return NOBODY
    return key.holder


def new_key(folder: Path, holder: str) -> Signer:
    """Make a holder's key pair in a folder; raises KeysError when there is one already or the name cannot be a holder's."""
    private = Ed25519PrivateKey.generate()
    signer = _signer(holder, private)
    encoded = base64.b64encode(private.private_bytes_raw()).decode()
    text = f'holder = "{holder}"\nkey_id = "{signer.key_id}"\nprivate_key = "{encoded}"\n'
    write_secret(key_file(folder, holder), text, f"broker keys show {holder}")
    return signer


def load_signer(folder: Path, holder: str) -> Signer:
    """Read a holder's private key; raises KeysError when it is missing or is another holder's."""
    file = key_file(folder, holder)
    made = f"make one with `broker keys new {holder}`, or name the folder that holds it in the settings"
    text = read_secret(file, f"see that `{holder}` is spelt as in the registers; then {made}")
    try:
        content = tomllib.loads(text)
        private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(content["private_key"], validate=True))
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError):
        raise KeysError(f"key file `{file}`: is not a signing key") from None
    signer = _signer(holder, private)
    if content.get("holder") != holder or content.get("key_id") != signer.key_id:
        raise KeysError(f"key file `{file}`: holds the key of another holder than `{holder}`")
    return signer


def key_file(folder: Path, holder: str) -> Path:
    """Return where a holder's key is kept; raises KeysError when the name cannot be a holder's.

    No two holders share a file: a colon is written as `_`, and `_` as `%5F`, which no name holds.
    """
    if not _HOLDER.fullmatch(holder):
        raise KeysError(f"`{holder}` cannot be a holder: letters, digits, and : . _ - are allowed")
    file = f"{holder.replace('_', '%5F').replace(':', '_')}.keys"
    if file == MASTER_FILE:
        raise KeysError(f"`{holder}` cannot be a holder: `{MASTER_FILE}` is the broker's master key, see `broker keys broker`")
    return folder / file


def _signer(holder: str, private: Ed25519PrivateKey) -> Signer:
    if not _HOLDER.fullmatch(holder):
        raise KeysError(f"`{holder}` cannot be a holder: letters, digits, and : . _ - are allowed")
    mark = hashlib.sha256(private.public_key().public_bytes_raw()).hexdigest()[:12]
    order = hashlib.sha256(b"safeguarding-broker/1/record order" + private.private_bytes_raw()).digest()
    return Signer(KeyId(f"{holder}/{mark}"), holder, private, order)


@lru_cache(maxsize=4096)
def _public(raw: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(raw)
