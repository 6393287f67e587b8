"""How much waits at once: what is kept for a second try, and how much of it may be one publisher's."""

from collections.abc import Collection, Iterable

from broker.errors import TooManyReviewsError
from broker.stream.identify.state import Waiting

MOST_WAITING = 200  # kept here for a second try; more go to their reviewers and come back with the answer
MOST_OF_ONE_WAITING = 50  # of these, in review, of one publisher: nobody takes another's second try away by a flood
MOST_OF_ONE_PUBLISHER = 200  # in review at once under one birth date or identifier, when it is about nobody known


def has_room(producer: str, waiting: Collection[Waiting]) -> bool:
    """Tell whether one more event of a publisher is kept for a second try."""
    of_one = sum(one.review is not None and one.producer == producer for one in waiting)
    return len(waiting) < MOST_WAITING and of_one < MOST_OF_ONE_WAITING


def check_share(producer: str, in_review: Iterable[str]) -> None:
    """Check that a publisher may have one more event about nobody known in review; raises TooManyReviewsError."""
    if sum(one == producer for one in in_review) >= MOST_OF_ONE_PUBLISHER:
        raise TooManyReviewsError("too many events of this publisher are in review here: answer those, then redrive this one")
