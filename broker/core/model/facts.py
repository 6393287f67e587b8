"""What the broker knows about one child, and only for as long as a matter is live: the state behind every decision.

`Facts` is a value; `broker.core.line.apply` makes the next one from an event. All instants are milliseconds since 1970.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from broker.core.model.event import Category
from broker.core.model.identifiers import ChildRef, Digest, DisclosureId, EventId, Millis, RecipientId, RoleName, RuleId
from broker.core.model.policy import Cut

OVERTAKEN = -1  # in `seen`: a later version came before this event did


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """An organisation's relation to the child, by which roles are filled: `school`, `gp`, `social_care`, `home_area`.

    `until` is exclusive; None while it lasts.
    """

    relation: str
    organisation: str
    since: Millis
    until: Millis | None = None
    event_id: EventId
    ended_by: EventId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A status of the child: `cp_plan`, `looked_after`, `cin`, `s47`, `missing`. `organisation` is who holds it."""

    name: str
    since: Millis
    until: Millis | None = None
    detail: str | None = None
    organisation: str | None = None
    event_id: EventId
    ended_by: EventId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """A protected class (DOMAIN 1.4): `safe_address`, `restricted_record`, `identity_changed`, `protected_person`.

    It never lapses by date; only a lifting ends it.
    """

    kind: str
    since: Millis
    until: Millis | None = None
    by: str
    event_id: EventId
    ended_by: EventId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A judgement that people made: `significant_harm`, `coercion`, `competent`, `detriment`, `originator_release`, `relevance`.

    It holds until `until`, its review date; then it is lapsed, and the policy says what follows. `concerns` is the event that it
    is about, `reason` why it was made: whoever may read what a decision used reads that, and nobody else.
    """

    kind: str
    by_role: str
    since: Millis
    until: Millis | None = None
    lapsed: bool = False
    recipients: frozenset[str] = frozenset()
    event_id: EventId
    producer: str = ""
    concerns: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Consent, or agreement to a service; two different things (R4) and neither a lawful basis. `kind`: `consent`, `service`.

    `by` is the agency that heard it; empty where that was not kept.
    """

    kind: str
    state: str
    since: Millis
    until: Millis | None = None
    recipients: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    event_id: EventId
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """A recipient that may hear nothing about this child (R11), and the event by which its agency said so."""

    recipient: RecipientId
    by: str
    since: Millis
    event_id: EventId


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What an event said of something of which the last word counts: `birth_date`, `home_area`, `wish/<kind>`, `told/<event>`."""

    about: str
    value: str
    event_id: EventId


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsafe:
    """That it is not safe to tell the family of one event (R5): since when, and until its review date.

    It stands for as long as `told` says so of `about`, the first version of the event. `asked`: a person is asked whether it
    still is, and has not answered. `producer` said the event, or else this of it. It keeps nothing back from anybody.
    `attributes` are the event's own, so that whom a rule denies that it happened hears no bell of it; None: not known by now.
    """

    about: EventId
    event_type: str
    producer: str
    since: Millis
    until: Millis
    asked: bool = False
    attributes: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One line of the ledger: who was sent which granted view of which event under which id.

    `version` is the version of the granted view; corrections go by it. `state` is the furthest receipt, or `sent`, or
    `retracted` once the recipient was told to stop using it. `producer` said the event: only it can take it back.
    `roles` are all that it was told in. Of the content no more is kept than what would be left should a place need protection
    later: `cuts` are those that would take something out, `left` the categories that would still say something after them all.
    `agreed` went only because somebody agreed, by the rules in `agreed_by`.
    """

    event_id: EventId
    recipient: RecipientId
    role: RoleName
    disclosure_id: DisclosureId
    categories: frozenset[Category]
    view_digest: Digest
    at: Millis
    version: int = 1
    state: str = "sent"
    event_type: str = ""
    producer: str = ""
    kind: str = "ALERT"
    root: EventId | None = None  # the first event of a chain of corrections; None: the event itself
    excluded: frozenset[RecipientId] = frozenset()  # whom the publisher excludes: they hear no escalation either
    roles: frozenset[RoleName] = frozenset()
    cuts: frozenset[Cut] = frozenset()
    left: frozenset[Category] = frozenset()
    agreed: frozenset[Category] = frozenset()
    agreed_by: frozenset[RuleId] = frozenset()
    outcome: EventId | None = None  # what its recipient said last of what came of it, and when
    outcome_at: Millis = Millis(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that is known about one child. `at` never goes back; `version` counts the records applied."""

    child_ref: ChildRef
    version: int = 0
    at: Millis = Millis(0)
    birth_date: str | None = None
    home_area: str | None = None
    connections: Sequence[Connection] = ()
    statuses: Sequence[Status] = ()
    protections: Sequence[Protection] = ()
    findings: Sequence[Finding] = ()
    agreements: Sequence[Agreement] = ()
    told: Mapping[EventId, str] = field(default_factory=dict)  # first version of an event -> whether the family was told of it
    wishes: Mapping[str, str] = field(default_factory=dict)
    seen: Mapping[EventId, int] = field(default_factory=dict)  # event id -> sequence, of every event taken
    cancelled: frozenset[EventId] = frozenset()  # retracted, some before they came
    referrers: Mapping[str, str] = field(default_factory=dict)  # matter, by the event that opened it -> who referred
    ledger: Sequence[Sent] = ()
    holds: frozenset[EventId] = frozenset()  # protecting control events in review: the line goes to people, not out
    merged_into: ChildRef | None = None
    lanes: Mapping[str, int] = field(default_factory=dict)  # highest position applied, per input lane
    policy: Digest | None = None
    registers: Digest | None = None
    voices: Mapping[EventId, str] = field(default_factory=dict)  # event id -> the agency that took it for its own
    matters: Mapping[str, str] = field(default_factory=dict)  # matter -> the event that closed it; empty while it is open
    exclusions: Sequence[Exclusion] = ()
    statements: Sequence[Statement] = ()  # who said what follows the last word, in the order of the line
    roots: Mapping[EventId, EventId] = field(default_factory=dict)  # later version -> the first event of its chain
    contents: Mapping[EventId, str] = field(default_factory=dict)  # event id -> short digest of what it said
    allowed: Mapping[RecipientId, Sequence[str]] = field(default_factory=dict)  # while an answer is decided: what it granted
    doubted: Sequence[Exclusion] = ()  # exclusions that wait for a person, as the child's shelf has them
    references: Mapping[str, str] = field(default_factory=dict)  # matter -> its referrer's own reference of it, where it has one
    unsafe: Sequence[Unsafe] = ()
