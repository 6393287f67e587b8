"""Which records of `reviews.v1` are reviews: the one rule for everybody who reads them."""

from broker import codec
from broker.codec import Message
from broker.core.model.ports import CAUSE, Record
from broker.errors import RejectError


def review_in(record: Record) -> Message | None:
    """Return the review that a stage of the broker wrote; None for whatever else stands there.

    What names no cause, no stage wrote: it opens no question and closes none. What is in no form of ours the reconciler names.
    """
    if record.value is None or record.header(CAUSE) is None:
        return None
    try:
        return codec.decode("review", record.value)
    except RejectError:
        return None
