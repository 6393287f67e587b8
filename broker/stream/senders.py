"""Who sent what a record between stages carries: an earlier stage checked its signature, so it counts as proven."""

from broker import codec
from broker.core.model.ports import Record
from broker.errors import NOBODY, OURS, RejectError


def sender_within(kind: str, record: Record) -> str:
    """Return who sent what a `candidate` or `subject_record` carries; the broker where nobody did or it cannot be read.

    A person's answer to a review is proven by the stage that takes it, so nobody counts as the sender of a refused one.
    """
    try:
        message = codec.decode(kind, record.value or b"")
        if message["event"] is not None:
            return str(codec.decode_header(message["event"]).producer)
        if message.get("receipt") is not None:
            return str(codec.decode("receipt", message["receipt"])["recipient"])
    except RejectError:
        return OURS
    return NOBODY if message["resolution"] else OURS
