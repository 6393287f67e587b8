"""The event inside a review, sealed so that only who holds the broker's key can read it."""

import hashlib

from broker.core.model.identifiers import EventId
from broker.sealing.secrets import Secrets

_CONTEXT = b"review"


def review_id(producer: str, event_id: EventId | str) -> str:
    """Return the id of the review of an event: one event is in one review, whatever is in question about it."""
    return "r-" + hashlib.sha256(f"review\x1f{producer}\x1f{event_id}".encode()).hexdigest()[:32]


def seal_event(secrets: Secrets, review: str, event: bytes) -> bytes:
    """Seal an event for its review; the same event gives the same bytes."""
    return secrets.seal(review, _CONTEXT, event)


def open_event(secrets: Secrets, review: str, sealed: bytes) -> bytes:
    """Open the event of a review; raises UnreadableRecordError with another broker's key."""
    return secrets.open(review, _CONTEXT, sealed)
