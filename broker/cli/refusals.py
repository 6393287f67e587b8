"""What each reason of a dead letter means in plain words, and what mends it."""

from typing import NamedTuple


class Refusal(NamedTuple):
    """Why a record was refused, and what somebody can do."""

    says: str
    remedy: str


REFUSALS = {
    "rejected": Refusal("It was refused for a reason that has no name", "see the worker's log, and report it as a fault"),
    "fault": Refusal(
        "The broker itself failed at it, twice", "report it as a fault with the worker's log; once that is mended, redrive it"
    ),
    "unknown_schema": Refusal(
        "Its bytes are in no form that the broker knows",
        "its publisher has to send an event in a released form; a new form is released with `broker schemas check --release`",
    ),
    "unreadable": Refusal("Its bytes do not fit the form that they name", "its publisher has to send it again"),
    "malformed": Refusal(
        "It is not as Kafka's clients write records: a header's name is not UTF-8",
        "it cannot be put back: its publisher has to mend its client and send it again",
    ),
    "bad_signature": Refusal(
        "It is not signed with a key that is registered and in force",
        "if the agency has a new key, put it into the registers and release them, then redrive it; else ask who sent it",
    ),
    "not_permitted": Refusal(
        "Its sender may not say this, or not here", "change the registers and redrive it, or ask the sender to use its own topic"
    ),
    "headers_disagree": Refusal(
        "Its Kafka headers say something else than the event in it", "its publisher has to mend its client and send it again"
    ),
    "id_not_a_uuid": Refusal(
        "Its id, or one that it names, is no UUID in lower case",
        "its publisher has to send it again under a UUID: other ids could hold a name",
    ),
    "unreadable_delivery": Refusal("The file could not be read", "the agency has to send it again"),
    "nothing_in_force": Refusal("It came before any policy or registers were in force", "release them, then redrive it"),
    "unknown_disclosure": Refusal("It answers something that was never disclosed", "ask its sender what it is about"),
    "too_many_reviews": Refusal(
        "Its publisher has too much in review that is about nobody known", "answer those reviews, then redrive it"
    ),
    "review_not_open": Refusal("It answers a review that is no longer open", "nothing to do: the review was decided"),
    "too_large": Refusal(
        "It, or what waits with it for one child, is larger than the broker takes",
        "answer the reviews about the child and redrive it; or its publisher has to send less",
    ),
    "time_in_future": Refusal(
        "It was recorded in the future by Kafka's clock", "have the clock of its source set right, then redrive it"
    ),
    "impossible_time": Refusal(
        "It names a time before 1830 or after 2199, or none at all", "its publisher has to send it again without that time"
    ),
    "content_differs": Refusal(
        "It says something else under the id of an event that was taken before",
        "its publisher has to send the change as an update, under an id of its own",
    ),
    "stale_version": Refusal("A later version of it was taken before", "nothing to do: what is newer counts"),
}
_UNKNOWN = Refusal("It was refused for a reason that this version of the program does not know", "see the worker's log")


def refusal(reason: str) -> Refusal:
    """Return what a reason means."""
    return REFUSALS.get(reason, _UNKNOWN)
