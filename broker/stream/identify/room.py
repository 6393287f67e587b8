"""How much waits at once: what is kept for a second try, and how much of it may be one publisher's."""

from collections.abc import Collection, Iterable

from broker.errors import TooManyReviewsError
from broker.stream.identify.state import Waiting

MOST_WAITING = 200  # kept here for a second try; more go to their reviewers and come back with the answer
MOST_OF_ONE_WAITING = 50  # of these, in review, of one publisher: nobody takes another's second try away by a flood
MOST_OF_ONE_PUBLISHER = 200  # in review at once under one birth date or identifier, when it is about nobody known


MOST_BYTES = 2 * 1024 * 1024  # of all that is kept: in an identifier's state it stands in one record
MOST_BYTES_OF_ONE = MOST_BYTES // 4


def has_room(one: Waiting, waiting: Collection[Waiting]) -> bool:
    """Tell whether one more event is kept for a second try: by number and by size, of all and of its publisher's in review."""
    own = [other for other in waiting if other.review is not None and other.producer == one.producer]
    fits = _size((one, *waiting)) <= MOST_BYTES and _size((one, *own)) <= MOST_BYTES_OF_ONE
    return fits and len(waiting) < MOST_WAITING and len(own) < MOST_OF_ONE_WAITING


def _size(events: Iterable[Waiting]) -> int:
    return sum(len(one.event) for one in events)


def check_share(producer: str, in_review: Iterable[str]) -> None:
    """Check that a publisher may have one more event about nobody known in review; raises TooManyReviewsError."""
    if sum(one == producer for one in in_review) >= MOST_OF_ONE_PUBLISHER:
        raise TooManyReviewsError("too many events of this publisher are in review here: answer those, then redrive this one")
