"""Keep count of what is not finished: alerts nobody has received yet, reviews that wait for a person, dead letters.

Fed one record at a time, in any order of topics; holds no content and no child, only ids, recipients and times.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

AT_RISK_MS = 2 * 3_600_000  # an undelivered alert whose clock falls due within two hours is at risk


@dataclass(frozen=True, slots=True)
class Alert:
    """A disclosure that its recipient has not yet said it received."""

    recipient: str
    issued_at: int
    due_at: int | None = None


@dataclass(frozen=True, slots=True)
class Undelivered:
    """What one recipient has not received: how many, the oldest, how many are at risk of their clock, how many past it."""

    recipient: str
    count: int
    oldest_seconds: float
    at_risk: int
    past_due: int
    next_due_at: int | None


@dataclass(slots=True)
class OpenWork:
    """What is open now. A receipt that comes before its disclosure counts all the same."""

    alerts: dict[str, Alert] = field(default_factory=dict)
    reviews: dict[str, tuple[str, int, int | None]] = field(default_factory=dict)  # review id -> kind, opened at, due at
    dead_letters: dict[str, int] = field(default_factory=dict)  # place -> when it became one
    _received: set[str] = field(default_factory=set)
    _closed: set[str] = field(default_factory=set)

    def disclosed(self, disclosure_id: str, alert: Alert) -> None:
        """Note a disclosure; seen twice it counts once."""
        if disclosure_id not in self._received:
            self.alerts[disclosure_id] = alert

    def received(self, disclosure_id: str) -> None:
        """Note that its recipient has it."""
        self._received.add(disclosure_id)
        self.alerts.pop(disclosure_id, None)

    def review_opened(self, review_id: str, kind: str, opened_at: int, due_at: int | None = None) -> None:
        """Note that a person has to decide something, and by when."""
        if review_id not in self._closed:
            self.reviews[review_id] = (kind, opened_at, due_at)

    def review_closed(self, review_id: str) -> None:
        """Note that it is decided or withdrawn."""
        self._closed.add(review_id)
        self.reviews.pop(review_id, None)

    def dead_lettered(self, place: str, at: int) -> None:
        """Note a dead letter by its place in the original topic; the same place again replaces it."""
        self.dead_letters[place] = at

    def settled(self, place: str) -> None:
        """Note that a dead letter was put back on its way, or closed."""
        self.dead_letters.pop(place, None)

    def undelivered(self, now: int) -> tuple[Undelivered, ...]:
        """Return what each recipient has not received: first where most is too late, then at risk, then the longest waiting."""
        by_recipient: dict[str, list[Alert]] = {}
        for alert in self.alerts.values():
            by_recipient.setdefault(alert.recipient, []).append(alert)
        found = [_undelivered(recipient, alerts, now) for recipient, alerts in by_recipient.items()]
        return tuple(sorted(found, key=lambda one: (-one.past_due, -one.at_risk, -one.oldest_seconds, one.recipient)))

    def reviews_by_kind(self) -> dict[str, int]:
        """Count the open reviews of each kind."""
        counts: dict[str, int] = {}
        for kind, *_ in self.reviews.values():
            counts[kind] = counts.get(kind, 0) + 1
        return dict(sorted(counts.items()))

    def oldest_review_seconds(self, now: int) -> float:
        """Return how long the oldest open review has waited; 0 when none is open."""
        return age_seconds((opened_at for _, opened_at, _ in self.reviews.values()), now)

    def reviews_past_due(self, now: int) -> int:
        """Count the open reviews whose clock has run out."""
        return sum(due_at is not None and due_at <= now for _, _, due_at in self.reviews.values())

    def oldest_dead_letter_seconds(self, now: int) -> float:
        """Return how old the oldest dead letter is; 0 when there is none."""
        return age_seconds(self.dead_letters.values(), now)


def age_seconds(times: Iterable[int], now: int) -> float:
    """Return the age of the earliest of some instants; 0 when there are none."""
    return max(0, now - min(times, default=now)) / 1000


def _undelivered(recipient: str, alerts: list[Alert], now: int) -> Undelivered:
    dues = [alert.due_at for alert in alerts if alert.due_at is not None]
    return Undelivered(
        recipient=recipient,
        count=len(alerts),
        oldest_seconds=age_seconds((alert.issued_at for alert in alerts), now),
        at_risk=sum(now <= due <= now + AT_RISK_MS for due in dues),
        past_due=sum(due < now for due in dues),
        next_due_at=min((due for due in dues if due >= now), default=None),
    )
