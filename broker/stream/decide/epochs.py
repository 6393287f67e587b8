"""Which policy and registers are in force at a place of one partition of the children's lines.

A release comes into force at an offset. A record that is read again after a crash must be decided under what was in force at
its own place, not under what came later: so the offsets are kept.
"""

import json
from dataclasses import dataclass

from broker.core.model.identifiers import Digest

KEY = b"!epochs"  # in the table of facts; no child_ref begins with it
_KEPT = 64  # far more releases than one chunk of records ever spans


@dataclass(frozen=True, slots=True)
class InForce:
    """The digests in force behind an offset; None where nothing was released yet."""

    offset: int
    policy: Digest | None
    registers: Digest | None


def in_force(epochs: tuple[InForce, ...], offset: int) -> InForce:
    """Return what is in force for the record at an offset."""
    return next((one for one in reversed(epochs) if one.offset < offset), InForce(-1, None, None))


def with_epoch(epochs: tuple[InForce, ...], offset: int, of: str, digest: Digest) -> tuple[InForce, ...]:
    """Put a release in force from an offset; the same record taken twice changes nothing."""
    if any(one.offset == offset for one in epochs):
        return epochs
    before = in_force(epochs, offset)
    policy, registers = (digest, before.registers) if of == "policy" else (before.policy, digest)
    return tuple(sorted((*epochs, InForce(offset, policy, registers)), key=_offset))[-_KEPT:]


def epochs_to_bytes(epochs: tuple[InForce, ...]) -> bytes:
    """Write them as state."""
    return json.dumps([[one.offset, one.policy, one.registers] for one in epochs], separators=(",", ":")).encode()


def epochs_from_bytes(value: bytes | None) -> tuple[InForce, ...]:
    """Read them."""
    return tuple(InForce(*row) for row in json.loads(value)) if value else ()


def _offset(one: InForce) -> int:
    return one.offset
