"""What the broker would refuse of a delivery: asked before anything is remembered as told, and said in the report."""

from collections.abc import Callable, Iterable, Iterator

from broker.core.intake.delivery import Finding
from broker.core.model.event import Event
from broker.errors import RejectError, TooLargeError
from connectors.transports.report import Tally

Check = Callable[[Event], object]  # raises RejectError for an event that the broker would refuse


class Refusing:
    """Asks the check once for each event, although the connector asks first and whoever counts asks again."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._last: Event | None = None
        self._finding: Finding | None = None

    def takes(self, event: Event) -> bool:
        """Tell whether the broker would take an event."""
        return self._refused(event) is None

    def counted(self, read: Iterable[Event | Finding], tally: Tally) -> Iterator[Event]:
        """Yield the events and count everything; one that would be refused is a finding, the others go on."""
        for one in read:
            refused = self._refused(one) if isinstance(one, Event) else None
            tally.count(refused or one)
            if isinstance(one, Event) and not refused:
                yield one

    def _refused(self, event: Event) -> Finding | None:
        if event is not self._last:
            self._last, self._finding = event, self._ask(event)
        return self._finding

    def _ask(self, event: Event) -> Finding | None:
        try:
            self._check(event)
        except RejectError as error:
            remedy = "shorten the record" if isinstance(error, TooLargeError) else "mend it"
            again = f"{remedy}, then deliver it again"
            return Finding("error", error.reason, event.header.source.location, f"{error}: not published", again, later=True)
        return None
