"""How much is kept at once: what waits for a second try, how much of it may be one publisher's, and what is known of a child."""

from collections.abc import Collection, Iterable, Mapping

from broker.errors import TooLargeError, TooManyReviewsError
from broker.stream.identify.state import Child, Waiting
from broker.stream.topics import LARGEST_RECORD

MOST_WAITING = 200  # kept here for a second try; more go to their reviewers and come back with the answer
MOST_OF_ONE_WAITING = 50  # of these, in review, of one publisher: nobody takes another's second try away by a flood
MOST_OF_ONE_PUBLISHER = 200  # in review at once under one birth date or identifier, when it is about nobody known
MOST_OF_ONE_BEYOND = 2_000  # in review at once under one birth date, of one publisher, that went to their reviewers

MOST_BYTES = 2 * 1024 * 1024  # of all that is kept: in an identifier's state it stands in one record
MOST_BYTES_OF_ONE = MOST_BYTES // 4

MOST_LINKS = 400  # numbers of one child that an agency gave out, and as many of the nation's: nobody uses up what others may say

# The children that a chunk of records changed are written together in one record.
MOST_OF_CHILDREN = LARGEST_RECORD - 512 * 1024
_SIGN, _ENTRY = 12, 200  # bytes at most: of one sign of a text as it is written, and of all else that stands beside such texts


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


def check_beyond(producer: str, beyond: Mapping[str, str]) -> None:
    """Check that a publisher may have one more event with its reviewer that is not kept; raises TooManyReviewsError."""
    if sum(one == producer for one in beyond.values()) >= MOST_OF_ONE_BEYOND:
        raise TooManyReviewsError("too many events of this publisher are in review here: answer those, then redrive this one")


def weight_of(child: Child) -> int:
    """Return how many bytes a child has at most as it is written."""
    signs = sum(len(family) + len(given) for (family, given), _ in child.names_by)
    signs += sum(len(place) for place, _ in child.places_by) + sum(len(one.recipient) for one in child.exclusions)
    lists = (
        child.names_by,
        child.places_by,
        child.links,
        child.guards,
        child.lifted,
        child.holds,
        child.exclusions,
        child.known_by,
    )
    return _SIGN * signs + _ENTRY * sum(map(len, lists))


def check_weight(before: int, after: int) -> None:
    """Check what the children that a chunk changed are together, before and after one event; raises TooLargeError.

    Their one record must not stop the line of all others that were born on their day.
    """
    if after > max(before, MOST_OF_CHILDREN):
        raise TooLargeError("what is said here at once of who children are is more than a topic takes: redrive this record")
