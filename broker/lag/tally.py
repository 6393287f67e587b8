"""Counts of what was decided, for metrics: from the audit log itself, so that no restart and no repeat makes them wrong."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """How records ended, what was decided for recipients, and what people were asked. Holds no id of anybody."""

    records: Counter[str] = field(default_factory=Counter)  # outcome
    decisions: Counter[str] = field(default_factory=Counter)  # disclose, withhold, ask
    dead_letters: Counter[str] = field(default_factory=Counter)  # reason
    reviews: Counter[str] = field(default_factory=Counter)  # kind

    def dead_lettered(self, reason: str) -> None:
        """Count one dead letter."""
        self.dead_letters[reason] += 1

    def review_opened(self, kind: str) -> None:
        """Count one review that was opened for a person."""
        self.reviews[kind.lower()] += 1
