"""An event: what one agency says about one child, grouped by category of information, as its own system holds it.

The shapes mirror `schemas/event.avsc`, which is their source; a test holds the two together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypedDict

from broker.core.model.identifiers import AgencyId, EventId, Millis, RecipientId


class Category(StrEnum):
    """The kind of information that a field holds; need-to-know is decided per recipient and category."""

    EXISTENCE = "existence"
    IDENTITY = "identity"
    CONTACT = "contact"
    LOCATION = "location"
    CONCERN = "concern"
    NARRATIVE = "narrative"
    CLINICAL = "clinical"
    INTELLIGENCE = "intelligence"
    THIRD_PARTY = "third_party"
    WISH = "wish"
    MONITORING = "monitoring"


class Action(StrEnum):
    """What the publisher says of this record."""

    NEW = "NEW"
    UPDATE = "UPDATE"
    RETRACT = "RETRACT"


class SubjectRole(StrEnum):
    """The part the child played (R17)."""

    SUBJECT = "SUBJECT"
    VICTIM = "VICTIM"
    WITNESS = "WITNESS"
    SUSPECT = "SUSPECT"
    ASSOCIATE = "ASSOCIATE"
    UNBORN = "UNBORN"
    UNKNOWN = "UNKNOWN"


class Assertion(StrEnum):
    """How the publisher knows it (R18)."""

    FACT = "FACT"
    OPINION = "OPINION"
    THIRD_PARTY = "THIRD_PARTY"
    INTELLIGENCE = "INTELLIGENCE"
    NOT_SAID = "NOT_SAID"


class ToldFamily(StrEnum):
    """Whether the family was told of the sharing (R4); neither a lawful basis nor consent."""

    YES = "YES"
    NOT_SAFE = "NOT_SAFE"
    NOT_PRACTICABLE = "NOT_PRACTICABLE"
    NOT_YET = "NOT_YET"
    NOT_SAID = "NOT_SAID"


class SharingMode(StrEnum):
    """How much a publisher shares: all that the rules give, or only that there is something and whom to ask (R6)."""

    CONTENT = "CONTENT"
    EXISTENCE = "EXISTENCE"


class Sector(StrEnum):
    """The sector of the publishing agency; more are data, by a new version of the schema."""

    POLICE = "POLICE"
    SCHOOLS = "SCHOOLS"
    HEALTH = "HEALTH"
    COUNCILS = "COUNCILS"


@dataclass(frozen=True, slots=True)
class Source:
    """Where the publisher's own system holds the record; the native payload itself is never carried."""

    system: str
    format: str
    format_version: str
    native_digest: str
    location: str


class Confidentiality(TypedDict):
    """How the source's own register restricts the record, and where it says so: unrestricted, restricted, very restricted."""

    code: Literal["U", "R", "V"]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """All that routing reads. Times: `occurred_at` ISO 8601 with the source's precision, the others milliseconds since 1970."""

    event_id: EventId
    event_type: str
    producer: AgencyId
    sector: Sector
    recorded_at: Millis
    source: Source
    action: Action = Action.NEW
    supersedes: EventId | None = None
    area: str | None = None
    occurred_at: str | None = None
    sequence: int = 0
    subject_role: SubjectRole = SubjectRole.UNKNOWN
    assertion: Assertion = Assertion.NOT_SAID
    told_family: ToldFamily = ToldFamily.NOT_SAID
    told_family_reason: str | None = None
    purpose: str = "safeguarding"
    excluded: Sequence[RecipientId] = ()
    expires_at: Millis | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    contact_point: str | None = None
    received_at: Millis | None = None
    confidentiality: Confidentiality | None = None
    sharing_mode: SharingMode = SharingMode.CONTENT

    @property
    def is_restricted(self) -> bool:
        """Tell whether the source's own register keeps from everybody where the child is."""
        return self.confidentiality is not None and self.confidentiality["code"] != "U"

    @property
    def is_existence_only(self) -> bool:
        """Tell whether its publisher shares no more than that there is something and whom to ask."""
        return self.sharing_mode is SharingMode.EXISTENCE


class Identifier(TypedDict, total=False):
    """One identifier of a person: `scheme` and `value` are always there."""

    scheme: str
    value: str
    issuer: str | None
    check_ok: bool | None
    verified: bool


class Name(TypedDict, total=False):
    """A name as the source writes it: `given` and `family` are always there."""

    given: str
    family: str
    kind: str


class Identity(TypedDict, total=False):
    """Who the child is; dates are ISO 8601 with the source's precision."""

    identifiers: list[Identifier]
    names: list[Name]
    birth_date: str | None
    expected_birth_date: str | None
    death_date: str | None
    sex: str | None
    sex_as_recorded: str | None


class Contact(TypedDict, total=False):
    """How the family can be reached."""

    telephones: list[str]
    emails: list[str]


class Location(TypedDict, total=False):
    """Where the child lives, is or was."""

    postcode: str | None
    building: str | None
    address: list[str]
    place: str | None
    location_ref: str | None
    organisation: str | None


class ConcernCode(TypedDict, total=False):
    """One coded concern; `present` is false where it was looked for and not found."""

    scheme: str
    code: str
    abuse: str | None
    present: bool


class Concern(TypedDict, total=False):
    """The matter in coded facts."""

    codes: list[ConcernCode]
    reference: str | None
    grade: str | None
    child_present: str | None
    child_spoken_to: str | None
    welfare_check: str | None
    category_of_abuse: str | None
    status: str | None
    reason: str | None
    referral_source: str | None
    decision: str | None
    next_step: str | None
    starts_on: str | None
    ends_on: str | None
    sessions: int | None
    answer_by: str | None


class Narrative(TypedDict, total=False):
    """The account; `checked` is the publisher's attestation that it betrays no place, number or person."""

    text: str
    checked: bool
    checked_by_role: str | None


class Clinical(TypedDict, total=False):
    """What health found."""

    setting: str | None
    presentation: str | None
    reason_band: str | None
    findings: str | None
    disposition: str | None
    attended_at: str | None
    left_at: str | None


class Intelligence(TypedDict, total=False):
    """Police intelligence (R28)."""

    text: str
    handling_code: str
    originator: str | None


# What a person who is named beside the child is in the matter; in the source's own words that stands in `relation`.
PARTY_ROLES = frozenset({"mother", "father", "carer", "suspect", "victim", "sibling", "witness", "referrer", "worker", "other"})


class Party(TypedDict, total=False):
    """Somebody other than the child; never merged into the child's identity (R19)."""

    role: str
    relation: str | None
    contact_level: str | None
    given: str | None
    family: str | None
    birth_date: str | None
    organisation: str | None
    identifiers: list[Identifier]


class ThirdParty(TypedDict, total=False):
    """Other people in the matter."""

    people: list[Party]
    functional_impact: str | None


class Wish(TypedDict, total=False):
    """What the child said, verbatim."""

    words: str
    heard_by_role: str | None
    said_on: str | None


class Monitoring(TypedDict, total=False):
    """For equality monitoring only, never an input to routing (R29)."""

    ethnicity: str | None
    faith: str | None
    disabilities: list[str]


class Control(TypedDict, total=False):
    """What a control event changes in what is known about the child; never disclosed itself."""

    kind: str | None
    role: str | None
    organisation: str | None
    state: str | None
    since: str | None
    until: str | None
    recipients: list[str]
    categories: list[str]
    by_role: str | None
    reason: str | None
    concerns_event: str | None
    identifiers: list[Identifier]


class Body(TypedDict, total=False):
    """What the event says, by category; a category that the source said nothing about is absent."""

    identity: Identity
    contact: Contact
    location: Location
    concern: Concern
    narrative: Narrative
    clinical: Clinical
    intelligence: Intelligence
    third_party: ThirdParty
    wish: Wish
    monitoring: Monitoring


@dataclass(frozen=True, slots=True)
class QualityFinding:
    """Something wrong with the source's data that did not stop the record."""

    rule: str
    field: str
    severity: Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Event:
    """One event about one child. Never changed after it is made; whoever holds one must not alter `body`."""

    header: Header
    body: Body = field(default_factory=Body)
    control: Control | None = None
    quality: Sequence[QualityFinding] = ()
