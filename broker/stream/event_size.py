"""How large an event may be: asked by intake, and by whoever publishes before anything is sent."""

from dataclasses import replace

from broker.codec import encode_event
from broker.core.model.event import Body, Event
from broker.errors import TooLargeError

MAX_EVENT_BYTES = 256 * 1024  # what is made of one is larger
MAX_HEAD_BYTES = 16 * 1024  # of what is not the body: it is kept with the child, and much of it is in each later audit entry

MOST_EXCLUDED = 50  # by one event: whom it names is looked through with every later record of the child
MOST_NUMBERS = 100  # of one child, in one event: each is looked for among all children of its day, and asked of its owner


def check_whole(size: int) -> None:
    """Check how many bytes an event has; raises TooLargeError."""
    if size > MAX_EVENT_BYTES:
        raise TooLargeError(f"event has {size} bytes, more than the {MAX_EVENT_BYTES} that the broker takes")


def check_head(event: Event, size: int) -> None:
    """Check an event of so many bytes for how large it is without its body; raises TooLargeError."""
    head = len(encode_event(replace(event, body=Body()))) if size > MAX_HEAD_BYTES else 0
    if head > MAX_HEAD_BYTES:
        said = f"event has {head} bytes besides its body, more than the {MAX_HEAD_BYTES} that the broker takes"
        raise TooLargeError(f"{said}: shorten what `header` and `control` say")


def check_numbers(event: Event) -> None:
    """Check how many numbers an event gives its child, or ends, and how many it excludes; raises TooLargeError."""
    said = (event.body.get("identity", {}).get("identifiers") or (), (event.control or {}).get("identifiers") or ())
    if max(map(len, said)) > MOST_NUMBERS:
        raise TooLargeError(f"event says more than {MOST_NUMBERS} identifiers of one child: say those that tell who it is")
    if len(event.header.excluded) > MOST_EXCLUDED:
        raise TooLargeError(f"event excludes more than {MOST_EXCLUDED} recipients: name those who have a conflict")
