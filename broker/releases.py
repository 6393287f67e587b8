"""Releases of the policy and the registers as messages: whole, compressed, addressed by the digest of their canonical form."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from broker import codec
from broker.core.identifiers import Digest, digest
from broker.errors import UnreadableRecordError

LARGEST = 64 * 1024 * 1024  # bytes of canonical form; more is not a release


@dataclass(frozen=True, slots=True)
class Release:
    """One version of the policy or the registers. `content` is its canonical form, `digest` the SHA-256 of that."""

    of: str
    version: str
    content: bytes
    released_at: int = 0
    signed_by: tuple[str, ...] = ()

    @property
    def digest(self) -> Digest:
        """Return the address of this version."""
        return digest(self.content)


def canonical(value: Mapping[str, Any]) -> bytes:
    """Return the one form of a value that digests are taken of: JSON, keys sorted, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def encode_release(release: Release) -> bytes:
    """Write a release in wire format."""
    message = {
        "of": release.of,
        "version": release.version,
        "digest": release.digest,
        "released_at": release.released_at,
        "signed_by": list(release.signed_by),
        "content": zlib.compress(release.content, 6),
    }
    return codec.encode("release", message)


def decode_release(value: bytes) -> Release:
    """Read a release; raises UnreadableRecordError when its content is not what its digest says."""
    message = codec.decode("release", value)
    opener = zlib.decompressobj()
    try:
        content = opener.decompress(message["content"], LARGEST)
    except zlib.error:
        raise UnreadableRecordError(f"release `{message['version']}` of {message['of']}: content does not decompress") from None
    if opener.unconsumed_tail or digest(content) != message["digest"]:
        raise UnreadableRecordError(f"release `{message['version']}` of {message['of']}: content is not what its digest says")
    return Release(message["of"], message["version"], content, message["released_at"], tuple(message["signed_by"]))
