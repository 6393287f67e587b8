"""A question: something that a person has to decide, as a value, before its review is written.

`ASK` is about categories, `GAP` about a role, `HOLD` about an event. `WHO` stands for a question of whom an event is about,
which waits elsewhere: here it is nothing but its clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.core.model.event import Category, Event
from broker.core.model.identifiers import Millis, digest

ASK, GAP, HOLD, WHO = "ASK", "GAP", "HOLD", "WHO"
# Why an event is held that is in no question itself: on the child's line, and where it is not known yet which child it is about.
BEHIND_A_CONTROL = "a control event that protects this child is in review: people decide about what comes meanwhile"
BEHIND_A_RECORD = "an earlier record that may protect this child waits for a person"
Wanted = tuple[str, str]  # a clock, and on whose calendar it runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something that a person has to decide.

    `about` is the recipient of an `ASK`, the role of a `GAP`, else the event; `asks` the categories of an `ASK`.
    `wanted` are the clocks of what waits for the answer. `shown` is what whoever is asked may see of the event.
    `due_at` and `bells` are set by `with_due`.
    """

    kind: str
    for_recipient: str
    about: str
    why: str
    asks: tuple[Category, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    shown: Event | None = None
    clock: str | None = None
    due_at: Millis | None = None
    bells: Mapping[str, Millis] = field(default_factory=dict)

    def review_id(self, producer: str, record_id: str) -> str:
        """Derive the id of its review; what is asked of a recipient beside what was asked before is another."""
        return review_id(self.kind, producer, record_id, f"{self.about}\x1f{','.join(self.asks)}" if self.asks else self.about)


def review_id(kind: str, producer: str, record_id: str, about: str) -> str:
    """Derive a review's id from what is in question; the id of an event alone may be that of another agency's (I10)."""
    return "r-" + digest(f"{kind}\x1f{producer}\x1f{record_id}\x1f{about}".encode())[:32]
