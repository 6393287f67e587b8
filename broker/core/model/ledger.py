"""The ledger of one child: who was sent which granted view of which event, and how far each is with it.

Corrections go by it, whatever a recipient's role is by then (I7). Functions return the next facts; nothing is forgotten.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from broker.core.model.facts import Facts, Sent
from broker.core.model.identifiers import DisclosureId, EventId, Millis, RecipientId
from broker.core.model.notice import TOLD_RULE, Notice

STEPS = ("sent", "delivered", "read", "acted", "outcome")
RETRACTED = "retracted"  # its recipient was told to stop using it
REPLACED = "replaced"  # its recipient was sent a later view in its place
_OVER = frozenset({RETRACTED, REPLACED})
SAID_ANEW = "SAID_ANEW"  # what the family was told, of a disclosure that stands
ABOUT_A_MESSAGE = frozenset({"RETRACTION", "ESCALATION", "GAP", SAID_ANEW})  # nothing in these can be corrected later


def line_of(notice: Notice, disclosure_id: DisclosureId, facts: Facts) -> Sent:
    """Return the ledger's line about a notice that is being sent."""
    return Sent(
        event_id=notice.event_id,
        recipient=notice.recipient,
        role=notice.role,
        disclosure_id=disclosure_id,
        categories=notice.categories,
        view_digest=notice.view_digest,
        at=facts.at,
        version=notice.version,
        event_type=notice.event_type,
        producer=notice.producer,
        kind=SAID_ANEW if TOLD_RULE in notice.rules else notice.kind,
        root=notice.root,
        excluded=notice.excluded,
        roles=notice.roles,
        cuts=notice.cuts,
        left=notice.left,
        agreed=notice.agreed,
        agreed_by=notice.agreed_by,
    )


def with_lines(held: Sequence[Sent], lines: Sequence[Sent]) -> Sequence[Sent]:
    """Return a ledger with lines added; one that is there already, of the same event and disclosure, is added once."""
    if not lines:
        return held
    ids = {one.disclosure_id for one in lines}
    known = {(one.event_id, one.disclosure_id) for one in held if one.disclosure_id in ids}
    return (*held, *(one for one in lines if (one.event_id, one.disclosure_id) not in known))


def standing(facts: Facts, event_id: EventId | None = None) -> tuple[Sent, ...]:
    """Return the lines that somebody may still rely on: all, or those of one event and of every version of it."""
    found: dict[DisclosureId, Sent] = {}
    root = root_of(facts, event_id) if event_id else None
    for one in facts.ledger:
        ours = root is None or root_of(facts, one.event_id, one.root) == root or one.event_id == event_id
        if ours and one.state not in _OVER and one.kind not in ABOUT_A_MESSAGE:
            found[one.disclosure_id] = one
    return tuple(found.values())


def root_of(facts: Facts, event_id: EventId, noted: EventId | None = None) -> EventId:
    """Return the first event of the chain of corrections that an event is in; itself when it is in none.

    What is known now counts before what a line of the ledger noted when it was written: links may come later than versions.
    """
    return facts.roots.get(event_id) or noted or event_id


def next_version(facts: Facts, event_id: EventId, recipient: RecipientId) -> int:
    """Return the version of the next view of an event for a recipient: one that was taken back is never shown again as it was."""
    said = (one.version for one in facts.ledger if one.event_id == event_id and one.recipient == recipient)
    return max(said, default=0) + 1


def find(facts: Facts, disclosure_id: DisclosureId) -> Sent | None:
    """Return the line of a disclosure."""
    return next((one for one in facts.ledger if one.disclosure_id == disclosure_id), None)


def was_told(facts: Facts, event_id: EventId, recipient: RecipientId) -> bool:
    """Tell whether a recipient was ever told of an event."""
    return any(one.event_id == event_id and one.recipient == recipient for one in facts.ledger)


def with_state(facts: Facts, disclosure_ids: Iterable[DisclosureId], state: str) -> Facts:
    """Set how far some disclosures are; one that was taken back or replaced stays so."""
    wanted = frozenset(disclosure_ids)
    if not wanted:
        return facts
    lines = tuple(
        replace(one, state=state) if one.disclosure_id in wanted and _advances(one.state, state) else one for one in facts.ledger
    )
    return replace(facts, ledger=lines) if lines != tuple(facts.ledger) else facts


def with_outcome(facts: Facts, disclosure_id: DisclosureId, outcome: EventId, at: Millis) -> Facts:
    """Set what a recipient says came of a disclosure; what it said later, as it dates that itself, stands.

    A clock that is ahead counts as now: what is said tomorrow must still be able to put it right.
    """
    lines = tuple(
        replace(one, outcome=outcome, outcome_at=min(at, facts.at))
        if one.disclosure_id == disclosure_id and one.outcome != outcome and at >= one.outcome_at
        else one
        for one in facts.ledger
    )
    return replace(facts, ledger=lines) if lines != tuple(facts.ledger) else facts


def _advances(before: str, after: str) -> bool:
    """A receipt may come late or twice: how far a recipient is never goes back."""
    if before in _OVER:
        return False
    return after in _OVER or STEPS.index(after) > STEPS.index(before)
