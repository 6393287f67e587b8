"""A notice: one message to one recipient as a value, before it has an id and the recipient's own pseudonym of the child."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from broker.core.model.event import Category
from broker.core.model.identifiers import Digest, DisclosureId, EventId, Millis, RecipientId, RoleName, RuleId
from broker.core.model.policy import Cut

_BY_RULE = frozenset({"ALERT", "EXISTENCE", "CORRECTION", "OUTCOME"})
EMPTY = Digest("")  # of a view that carries nothing
CORRECTION_CLOCK, CORRECTION_STOPS_ON = "1_working_day", "read"  # by when a correction is confirmed, and by which receipt
TOLD_RULE = "told-family-follows"  # marks a correction that says what the family was told, and leaves all else as it was
WARNING_RULE = "clock-warned"  # marks the message that warns, in the place of a rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What one recipient is to be told. `event_id` is the event that its line in the ledger is about.

    `view` holds only what was granted, in the shape of the disclosure's schema. `replaces` is the earlier disclosure that
    this corrects or takes back; `version` counts the views of one event that went to one recipient;
    `root` is the first event of a chain of corrections. `excluded` may not hear of it, not even that it is late (R11).
    `roles`, `cuts`, `left` and `agreed` are for the ledger, as `broker.core.model.facts.Sent` has them. `by_ledger`: it goes to
    who was told before, and not by a rule's choice. `bells`: when its clock rings, by stage. `answers` is
    the recipient's own event that this says something back to, `reference` its own reference of that: neither is anybody else's.
    """

    event_id: EventId
    event_type: str
    producer: str
    recipient: RecipientId
    role: RoleName
    kind: str
    because: tuple[str, ...]
    lawful_basis: str
    view: Mapping[str, Any] = field(default_factory=dict)
    view_digest: Digest = EMPTY
    categories: frozenset[Category] = frozenset({Category.EXISTENCE})
    gateway: str | None = None
    rules: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    clock: str | None = None
    due_at: Millis | None = None
    bells: Mapping[str, Millis] = field(default_factory=dict)
    stops_on: str = "read"
    replaces: DisclosureId | None = None
    version: int = 1
    root: EventId | None = None
    excluded: frozenset[RecipientId] = frozenset()
    roles: frozenset[RoleName] = frozenset()
    cuts: frozenset[Cut] = frozenset()
    left: frozenset[Category] = frozenset()
    agreed: frozenset[Category] = frozenset()
    agreed_by: frozenset[RuleId] = frozenset()
    by_ledger: bool = False
    answers: EventId | None = None
    reference: str | None = None

    @property
    def is_chosen(self) -> bool:
        """Tell whether a rule chose who is told."""
        return self.kind in _BY_RULE and not self.by_ledger
