"""What was decided about one event: per possible recipient what goes, what does not, what is asked, and why."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from broker.core.model.event import Category, Event, Header, Party
from broker.core.model.facts import Facts
from broker.core.model.identifiers import Digest, Millis, RecipientId, RoleName, RuleId
from broker.core.model.policy import Cut


class Outcome(StrEnum):
    """A decision in one word: DISCLOSE when anything goes."""

    DISCLOSE = "DISCLOSE"
    WITHHOLD = "WITHHOLD"
    ASK = "ASK"


class Voice(StrEnum):
    """How a reason bears on the decision."""

    GRANTS = "grants"
    WITHHOLDS = "withholds"
    ASKS = "asks"
    NOTES = "notes"


class Seat(NamedTuple):
    """A possible recipient in all its roles; in those in `trusted` it acts for somebody who may know what a protection hides."""

    recipient: RecipientId
    roles: tuple[RoleName, ...]
    trusted: frozenset[RoleName]


class Barred(NamedTuple):
    """What a statute wants told to somebody in a role, and a rule keeps back whole: `wanted_by` the one, `by` the other."""

    role: RoleName
    wanted_by: tuple[RuleId, ...]
    by: tuple[RuleId, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, by which rule or built-in reason, in one plain sentence; no categories means all of them."""

    rule: RuleId
    voice: Voice
    because: str
    categories: tuple[Category, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """For one possible recipient. Tuples are in a fixed order, so that equal decisions are equal bytes.

    `roles` are all that the recipient fills here, `role` the one in which it is told. `short` and `cuts` say what the granted
    view leaves out below the level of a category, `would_cut` what would be cut whatever went: of a question more may be shown
    than a rule grants. `agreed` goes only because somebody agreed, by the rules in `agreed_by`.
    Reasons are for audit; a recipient reads only `because`.
    """

    recipient: RecipientId
    role: RoleName
    roles: tuple[RoleName, ...]
    outcome: Outcome
    kind: str  # as the disclosure's kind: ALERT, EXISTENCE or OUTCOME
    granted: tuple[Category, ...]
    withheld: tuple[Category, ...]
    asked: tuple[Category, ...]
    asked_of: RoleName | None
    reasons: tuple[Reason, ...]
    lawful_basis: str | None
    gateway: str | None
    obligations: tuple[str, ...]
    clock: str | None
    short: tuple[Category, ...] = ()
    cuts: tuple[Cut, ...] = ()
    would_cut: tuple[Cut, ...] = ()
    wanted_by: tuple[RuleId, ...] = ()  # rules that want somebody in this role told, or the hub where nobody can be
    wanted_if_held: tuple[RuleId, ...] = ()  # the same, of those that want it only where an organisation holds the role
    statutory: bool = False
    agreed: tuple[Category, ...] = ()
    agreed_by: tuple[RuleId, ...] = ()
    asked_clock: str | None = None  # of the rules that want what is asked: it runs while a person decides
    barred: Barred | None = None

    @property
    def because(self) -> tuple[str, ...]:
        """The sentences of the rules that granted something: all that the recipient may read of the reasons."""
        return tuple(reason.because for reason in self.reasons if reason.voice is Voice.GRANTS)

    @property
    def rules(self) -> tuple[RuleId, ...]:
        """The rules that granted something."""
        return tuple(reason.rule for reason in self.reasons if reason.voice is Voice.GRANTS)


@dataclass(frozen=True, slots=True)
class Gap:
    """Somebody should be told in a role and nobody can be, or may be: the area's hub hears it.

    `hub` is None when the area has no hub, or nobody at it may hear of the child: then the publisher is asked. `hears` is what
    the policy decides about the hub itself.
    """

    role: RoleName
    hub: RecipientId | None
    because: str
    rules: tuple[RuleId, ...]
    clock: str | None = None  # of the rules that want somebody in the role told
    hears: Decision | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: all of an event that a decision reads, and the facts that it read.

    INVARIANT: asked again under the same policy and registers at the same instant, it is answered the same (I5).
    """

    header: Header
    parties: tuple[str, ...]  # the roles of other people whom the event names
    facts: Facts

    @property
    def event(self) -> Event:
        """Return an event that says no more than what a decision reads."""
        people = [Party(role=one) for one in self.parties]
        return Event(self.header, {"third_party": {"people": people}} if people else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Everything decided about one event. `others` is one line about everybody that no rule names.

    `alarms` are rules in force whose review date has passed. `used` are the condition values that the decision stands on.
    """

    request: Request

    decisions: tuple[Decision, ...]
    gaps: tuple[Gap, ...]
    others: str
    alarms: tuple[RuleId, ...]
    used: tuple[tuple[str, bool | None], ...]
    policy: Digest
    registers: Digest
    at: Millis

    def __bytes__(self) -> bytes:
        """Return the canonical form of what was answered: equal answers give equal bytes on any machine."""
        said = {name: _plain(getattr(self, name)) for name in self.__dataclass_fields__ if name != "request"}
        return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _plain(value: Any) -> Any:
    """Turn values into what json writes."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
