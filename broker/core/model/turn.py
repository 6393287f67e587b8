"""A turn: what one record makes of a child's line, as a value that is not written yet."""

from dataclasses import dataclass

from broker.core.model.event import Event
from broker.core.model.facts import Facts, Sent
from broker.core.model.identifiers import DisclosureId
from broker.core.model.notice import Notice
from broker.core.model.question import Question
from broker.core.model.verdict import Verdict

DECIDED, APPLIED, DUPLICATE, IN_REVIEW = "DECIDED", "APPLIED", "DUPLICATE", "IN_REVIEW"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one record makes of a child's line. `facts` lack the ledger's lines of `notices`, which have no ids yet."""

    outcome: str
    facts: Facts
    others: str = ""
    verdict: Verdict | None = None
    notices: tuple[Notice, ...] = ()
    questions: tuple[Question, ...] = ()
    unchanged: tuple[Sent, ...] = ()
    concerns: tuple[str, ...] = ()
    awaits: bool = False  # its originator may still release what stays back: it is kept for that
    apart: Event | None = None  # what the event says that a person has to see first; the rest of it does not wait
    ended: tuple[DisclosureId, ...] = ()  # their clocks stop: taken back, replaced, or a receipt came
