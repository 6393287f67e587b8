"""The registers: which agencies publish, which recipients listen, who answers for an area, and whose keys are whose.

A release of the registers is one immutable value, addressed by its digest; it comes into force by epoch.
Facts say which organisation stands in which relation to a child; the registers say which recipient that is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from broker.core.model.event import Sector
from broker.core.model.identifiers import AgencyId, Digest, KeyId, Millis, RecipientId, RoleName

ADMINISTRATOR = "administrator"
LONGEST_TOPIC = 249  # signs that Kafka takes


def is_administrator(holder: str) -> bool:
    """Tell whether the holder of a key may release policy and registers: `administrator`, or `administrator:` and a name."""
    return holder == ADMINISTRATOR or holder.startswith(f"{ADMINISTRATOR}:")


def topic_of(recipient: str) -> str:
    """Return the topic of a recipient that has one of its own: of letters, digits, `.`, `_` and `-`, which Kafka takes."""
    return f"disclosures.{''.join(one if one.isascii() and (one.isalnum() or one in '._-') else '_' for one in recipient)}.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agency:
    """An organisation that publishes. `registers_people`: its records of people may open a child (roll, patients, extract).

    `speaks_for`: the schools whose rolls it publishes, as a local authority's collection does, each with the names that its
    exports have for it (`laestab:9994001`, `native:SCH1`). It speaks for no other.
    """

    id: AgencyId
    name: str
    sector: Sector
    area: str
    registers_people: bool = False
    event_types: frozenset[str] = frozenset()  # empty: every type that its sector may publish
    principal: str | None = None  # who it is to Kafka, where it has a client of its own
    speaks_for: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def school_known_as(self, *names: str) -> str | None:
        """Return the school that its exports call one of these names, if it may speak for it; else None."""
        return next((school for name in names for school, known in self.speaks_for.items() if name in known), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A public Ed25519 key of an agency, a recipient or an administrator, and when it is in force (`until` exclusive)."""

    id: KeyId
    holder: str
    public_key: bytes
    since: Millis = Millis(0)
    until: Millis | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a recipient asked to hear; it can narrow what the policy gives, never widen it. Empty means all."""

    event_types: frozenset[str] = frozenset()
    roles: frozenset[RoleName] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A desk that can be told: a role at an organisation, with its alternate for conflicts of interest (R11).

    `serves`: the organisations whose part it plays, as scheme:value (`urn:100001`, `ods:A12345`, `la:E10000030`).
    `own_topic`: whether it has a Kafka principal of its own; else the broker's desk and connectors serve it.
    """

    id: RecipientId
    name: str
    agency: AgencyId
    area: str
    roles: frozenset[RoleName]
    serves: frozenset[str] = frozenset()
    alternate: RecipientId | None = None
    own_topic: bool = True
    principal: str | None = None  # who it is to Kafka
    contact: str | None = None
    subscription: Subscription = field(default_factory=Subscription)


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A council area: its hub hears every gap, its duty team is there out of hours."""

    id: str
    name: str
    hub: RecipientId
    out_of_hours: RecipientId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The days on which an area works or a school teaches: ISO dates, local day start, IANA time zone.

    `of` is an area id or an organisation; `closed` are days off beside weekends; `terms` are pairs of first and last day.
    """

    of: str
    time_zone: str = "Europe/London"
    day_start: str = "09:00"
    closed: frozenset[str] = frozenset()
    terms: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, kw_only=True)
class Registers:
    """One release of the registers, indexed for look-ups. `retired`: desks in whose place others came."""

    version: str
    digest: Digest
    agencies: Mapping[AgencyId, Agency]
    keys: Mapping[KeyId, SigningKey]
    recipients: Mapping[RecipientId, Recipient]
    areas: Mapping[str, Area]
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    retired: frozenset[RecipientId] = frozenset()

    @cached_property
    def _by_role(self) -> Mapping[tuple[RoleName, str], tuple[RecipientId, ...]]:
        found: dict[tuple[RoleName, str], tuple[RecipientId, ...]] = {}
        for recipient in sorted(self.recipients.values(), key=lambda one: one.id):
            for role in recipient.roles:
                for served in recipient.serves:
                    found[role, served] = (*found.get((role, served), ()), recipient.id)
        return found

    def filling(self, role: RoleName, organisation: str) -> tuple[RecipientId, ...]:
        """Return who fills a role at an organisation, in a fixed order; empty when nobody does."""
        return self._by_role.get((role, organisation), ())
