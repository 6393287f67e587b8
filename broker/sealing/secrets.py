"""What derives from the broker's one master secret: keyed hashes, pseudonyms, ids, and sealed bytes.

Everything is deterministic, so that a replay gives equal bytes: HMAC-SHA256 under a subkey of its own for each purpose, and
AES-SIV (RFC 5297) for sealing, which is safe without a nonce. Nothing here is logged, and no secret leaves this module.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets as randomness
from collections.abc import Collection
from datetime import date
from functools import lru_cache, partial
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from broker.core.model.identifiers import ChildRef, Digest, DisclosureId, EventId, RecipientId
from broker.errors import KeysError, UnreadableRecordError, reason_in_words

MASTER_FILE = "broker.keys"
_REMEDY = "copy it from where a worker runs; for a new broker make it with `broker keys broker`"
_MARK = "safeguarding-broker master key 1"
_SIZE = 32
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [one + other for one in _LETTERS for other in _LETTERS]  # base32 (RFC 4648) in lower case, ten bits at a time
_PLACES = range(150, -1, -10)
_compact = json.JSONEncoder(separators=(",", ":")).encode
_FIRST_DAY, _LAST_DAY = date(1980, 1, 1).toordinal(), date(2080, 1, 1).toordinal()
_PURPOSES = ("matching", "identifier", "trail", "child", "pseudonym", "disclosure", "token", "seal")


class Secrets:
    """The subkeys of one broker. Two brokers with the same master secret give equal results."""

    __slots__ = ("_keys", "_matching", "_sealer", "_tokens")

    def __init__(self, master: bytes) -> None:
        if len(master) != _SIZE:
            raise KeysError(f"the master key must have {_SIZE} bytes, not {len(master)}: make one with `broker keys broker`")
        self._keys = {purpose: _subkey(master, purpose, _SIZE) for purpose in _PURPOSES}
        self._tokens = AESSIV(_subkey(master, "token cipher", 64))
        seal = self._keys["seal"]

        @lru_cache(maxsize=4096)
        def sealer(child_ref: str) -> AESSIV:
            return AESSIV(hmac.digest(seal, child_ref.encode(), hashlib.sha512))

        self._sealer = sealer
        self._matching = lru_cache(maxsize=16_384)(partial(self._hash, "matching"))  # events come of a few thousand birth dates

    @classmethod
    def from_master(cls, master: bytes) -> "Secrets":
        """Derive every subkey from 32 secret bytes; raises KeysError when they are not 32."""
        return cls(master)

    @classmethod
    def load(cls, path: Path) -> "Secrets":
        """Read the master secret from its file, or from `broker.keys` in a folder.

        Raises KeysError when the file is missing, is not a master key, or can be read by everybody on the machine.
        """
        return cls(_read_master(path if path.suffix == ".keys" else path / MASTER_FILE))

    def matching_key(self, birth_date: str) -> str:
        """Return the key under which every record with this birth date (ISO 8601, a whole day) meets."""
        return "m-" + self._matching(birth_date)

    def made(self, matching_keys: Collection[str]) -> int:
        """Count how many of some matching keys are those of a birth date of these decades under this secret."""
        days = (date.fromordinal(day).isoformat() for day in range(_FIRST_DAY, _LAST_DAY))
        return sum("m-" + self._hash("matching", day) in matching_keys for day in days)

    def identifier_hash(self, scheme: str, value: str, issuer: str | None = None) -> str:
        """Return the key of an identifier's owner. `issuer` belongs to local schemes; spaces and case make no difference."""
        return "i-" + self._hash("identifier", scheme, "".join(value.split()).upper(), issuer or "")

    def trail_key(self, producer: str, event_id: str) -> str:
        """Return the key of the one place that knows where an agency's event went."""
        return "v-" + self._hash("trail", producer, event_id)

    def child_ref(self, matching_key: str, event_id: EventId) -> ChildRef:
        """Return the pseudonym of the child that an event opens at a matching key."""
        return ChildRef("c-" + self._hash("child", matching_key, event_id))

    def pseudonym(self, recipient: RecipientId, child_ref: ChildRef) -> str:
        """Return a recipient's own pseudonym of a child: two recipients cannot join theirs."""
        return "p-" + self._hash("pseudonym", recipient, child_ref)

    def disclosure_id(self, event_id: EventId, recipient: RecipientId, view_digest: Digest, version: int) -> DisclosureId:
        """Return the id of a disclosure: it derives from what was granted, never from an offset."""
        return DisclosureId("d-" + self._hash("disclosure", event_id, recipient, view_digest, str(version)))

    def seal_token(self, child_ref: ChildRef, disclosure_id: DisclosureId, recipient: RecipientId, event_id: EventId) -> bytes:
        """Seal a return address for receipts; its recipient cannot read it."""
        plain = _compact([child_ref, disclosure_id, recipient, event_id]).encode()
        return self._tokens.encrypt(plain, [b"token"])

    def open_token(self, token: bytes) -> tuple[ChildRef, DisclosureId, RecipientId, EventId]:
        """Open a return address; raises UnreadableRecordError when this broker did not make it."""
        try:
            child_ref, disclosure_id, recipient, event_id = json.loads(self._tokens.decrypt(token, [b"token"]))
        except (InvalidTag, ValueError):
            raise UnreadableRecordError("return address was not made by this broker") from None
        return ChildRef(child_ref), DisclosureId(disclosure_id), RecipientId(recipient), EventId(event_id)

    def seal(self, child_ref: str, context: bytes, plain: bytes) -> bytes:
        """Seal bytes under the key of one child; `context` is bound to them. The same input gives the same bytes."""
        return self._sealer(child_ref).encrypt(plain, [context])

    def open(self, child_ref: str, context: bytes, sealed: bytes) -> bytes:
        """Open sealed bytes; raises UnreadableRecordError when child, context or master key is another."""
        try:
            return self._sealer(child_ref).decrypt(sealed, [context])
        except (InvalidTag, ValueError):
            raise UnreadableRecordError("sealed bytes do not open with this broker's key") from None

    def _hash(self, purpose: str, *parts: str) -> str:
        found = hmac.digest(self._keys[purpose], "\x1f".join(parts).encode(), hashlib.sha256)
        number = int.from_bytes(found[:20])
        return "".join([_PAIRS[number >> at & 1023] for at in _PLACES])


def new_master(folder: Path) -> Path:
    """Make the broker's master key, readable by its owner alone; raises KeysError rather than replace one."""
    file = folder / MASTER_FILE
    text = f"{_MARK}\n{base64.b64encode(randomness.token_bytes(_SIZE)).decode()}\n"
    write_secret(file, text)
    return file


def write_secret(file: Path, text: str, shown_by: str = "") -> None:
    """Write a secret file that its owner alone can read; raises KeysError when there is one already.

    `shown_by` is the command that shows what of it is no secret.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        instead = f"`{shown_by}` shows its public half; for another one " if shown_by else ""
        raise KeysError(
            f"key file `{file}`: is there already: {instead}move it away first, records signed or sealed with it need it"
        ) from None
    except OSError as error:
        raise KeysError(f"key file `{file}`: cannot be written: {reason_in_words(error)}") from error
    with os.fdopen(handle, "w", encoding="ascii") as out:
        out.write(text)


def read_secret(file: Path, remedy: str) -> str:
    """Read a secret file; raises KeysError when it is missing, or when everybody on the machine may read it."""
    try:
        if file.stat().st_mode & 0o007:
            raise KeysError(f"key file `{file}`: everybody on this machine may use it: chmod 600 it")
        return file.read_text(encoding="ascii")
    except FileNotFoundError:
        raise KeysError(f"key file `{file}`: not there: {remedy}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise KeysError(f"key file `{file}`: cannot be read: {reason_in_words(error)}") from error


def _read_master(file: Path) -> bytes:
    mark, _, encoded = read_secret(file, _REMEDY).partition("\n")
    try:
        master = base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        master = b""
    if mark != _MARK or len(master) != _SIZE:
        raise KeysError(f"key file `{file}`: is not a broker's master key")
    return master


def _subkey(master: bytes, purpose: str, size: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=size, salt=None, info=f"safeguarding-broker/1/{purpose}".encode()).derive(master)
