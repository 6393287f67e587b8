"""The policy as values: rules, roles, event types, bases and clocks, as a data protection officer signed them.

Read from TOML by `broker.policyfile`, asked by `broker.core.deciding.decide`. A policy never changes after it is made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from broker.core.model.event import Category
from broker.core.model.identifiers import Digest, Millis, RoleName, RuleId

# INVARIANT: monitoring data (ethnicity and the like, R29) can be neither shared by a rule nor tested by a condition.
SHAREABLE: tuple[Category, ...] = tuple(category for category in Category if category is not Category.MONITORING)

HOLDER = RoleName("holder")  # whoever published the event: who is asked by default
REFERRER = RoleName("referrer")  # whoever spoke first in the matter
HUB = RoleName("hub")
WITHDRAWN = "withdrawn"  # what an agreement says once it is taken away; `refused` is the same word at the start


IfNobody = Literal["hub", "hub_if_held", "nothing"]  # `hub_if_held`: only where an organisation holds the role for the child


class Effect(StrEnum):
    """What a rule does."""

    DISCLOSE = "disclose"
    WITHHOLD = "withhold"


class Cut(StrEnum):
    """What a withhold takes out that is finer than a category.

    `place`: who says it, its area, desk, references, organisations and local identifiers, which betray where a child is.
    `free_text`: every account that the publisher did not attest to be free of places, numbers and persons.
    `referrer`: a person who is in the matter as its referrer (R9). `former_identity`: earlier names and identifiers (R16).
    `whereabouts`: where the child lives, and which school, practice or placement is concerned; where it happened stays.
    `pupil_number`: anybody's UPN, which is for education only.
    """

    PLACE = "place"
    FREE_TEXT = "free_text"
    REFERRER = "referrer"
    FORMER_IDENTITY = "former_identity"
    WHEREABOUTS = "whereabouts"
    PUPIL_NUMBER = "pupil_number"


class Question(StrEnum):
    """The closed list of what a rule may ask. Header fields and facts only; of the body no more than which parties it names."""

    EVENT = "event"
    ACTION = "action"
    ATTRIBUTE = "attribute"
    IDENTITY = "identity"
    PUBLISHER = "publisher"
    AGE = "age"
    SUBJECT_ROLE = "subject_role"
    CONNECTION = "connection"
    ASSERTION = "assertion"
    STATUS = "status"
    PROTECTION = "protection"
    FINDING = "finding"
    AGREEMENT = "agreement"
    WISH = "wish"
    PARTY = "party"
    AREA = "area"


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing asked; it holds when any of `values` does. `name` says which attribute, agreement or wish is meant.

    `least` and `most` are years of age, both inclusive. `covers` are the categories that an agreement has to reach.
    """

    about: Question
    name: str = ""
    values: frozenset[str] = frozenset()
    least: int | None = None
    most: int | None = None
    covers: frozenset[Category] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `when` must hold whole; for a withhold any of `unless` lifts it, and it does not speak of roles in `spare`.

    A withhold whose `to` is empty speaks of every role.

    `short` are categories that go in their shorter form only. `if_nobody`: who hears it when nobody can be told in the role.
    """

    id: RuleId
    effect: Effect
    because: str
    to: frozenset[RoleName]
    when: tuple[Condition, ...]
    unless: tuple[tuple[Condition, ...], ...] = ()
    spare: frozenset[RoleName] = frozenset()
    categories: frozenset[Category]
    short: frozenset[Category] = frozenset()
    cut: frozenset[Cut] = frozenset()
    basis: str | None = None
    gateway: str | None = None
    obligations: tuple[str, ...] = ()
    clock: str | None = None
    ask: RoleName = HOLDER
    if_nobody: IfNobody = "hub"
    owner: str
    source: str
    verified: bool
    statutory: bool
    in_force_from: Millis
    in_force_to: Millis | None = None
    review_by: Millis | None = None

    @property
    def event_types(self) -> frozenset[str]:
        """The event types that it speaks of; empty means every one."""
        return next((one.values for one in self.when if one.about is Question.EVENT), frozenset())

    @property
    def protects(self) -> bool:
        """Whether it keeps a protected class; such a rule never lapses by date."""
        return self.effect is Effect.WITHHOLD and any(one.about is Question.PROTECTION for one in self.when)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """How a role is filled for one child. `filled_by` says from what, `of` which relations or statuses `involved` means.

    `desks` are the roles looked for at the organisation, first found first; empty means the role itself. `or_area_team`:
    the team of the child's area where no organisation is involved.
    `keep` are obligations that every message to this role carries. `education`: it may be given a pupil's UPN.
    """

    name: RoleName
    title: str
    filled_by: Literal["involved", "area_hub", "area_duty", "area_team", "event_area_hub", "event_area_duty", "referrer"]
    of: tuple[str, ...] = ()
    desks: tuple[RoleName, ...] = ()
    or_area_team: bool = False
    keep: tuple[str, ...] = ()
    education: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A coded fact in the header that rules may ask about; `absent` is what a publisher's silence means, None: unknown."""

    name: str
    values: frozenset[str]
    absent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventKind:
    """An event type of the catalogue: what it is and what it changes in what is known about the child.

    `begins` and `ends` are statuses; those in `begins_for` end by themselves after so many months, and those in `speaks_of` it
    leaves as they are (`home_area`: only the child's own council speaks of it). `connection` says what it does
    to the tie between the child and an organisation in `relation`, and `for_others` that one organisation may name another in it.
    `control` is what a control event sets. `nobody` says why no rule names anybody. `answered_by` are the roles that answer for a
    referral: whose reading of it acknowledges it, and whose outcome closes it. `longest` is for how many months it holds that a
    family cannot safely be told, before a person is asked.
    """

    name: str
    says: str
    sector: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    begins: tuple[str, ...] = ()
    begins_for: Mapping[str, int] = field(default_factory=dict)
    ends: tuple[str, ...] = ()
    speaks_of: tuple[str, ...] = ()
    connection: Literal["begins", "ends", "replaces"] | None = None
    relation: str | None = None
    control: Literal["consent", "service", "told_family", "protection", "finding", "wish", "exclusion", "retraction"] | None = (
        None
    )
    for_others: bool = False
    registers_person: bool = False
    opens_matter: bool = False
    closes_matter: bool = False
    answered_by: frozenset[RoleName] = frozenset()
    nobody: str | None = None
    longest: int | None = None
    source: str = ""
    verified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingKind:
    """A judgement that people make: who may, and what follows when it runs out (`asks`: it is unknown again, `ends`).

    `sectors` may publish it, none means every one; `needs` are the control fields that it must say. `home_confirms`: the child's
    own council says whether another agency's counts. `longest` is for how many months it may hold, whatever it says of itself,
    before somebody says again that it does; only a policy released before that was asked for has None.
    """

    name: str
    says: str
    made_by: frozenset[str] = frozenset()
    on_lapse: Literal["asks", "ends"] = "asks"
    names_recipients: bool = False
    sectors: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()
    home_confirms: bool = False
    longest: int | None = None
    source: str = ""
    verified: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """A rung of the lawful-basis ladder; before `in_force_from` a share stands on `until_then` instead. `title`: briefly."""

    name: str
    rung: int
    says: str
    title: str = ""
    gateway: str | None = None
    in_force_from: Millis | None = None
    until_then: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockKind:
    """A clock that rules may start; when it falls due says `broker.core.waiting.clocks`. `stops_on` is the receipt that stops it.

    `warn_before`: how long before, its recipient is warned. When it falls due the hub hears; where the hub has not confirmed
    that by `next_after`, the role `next` does. `reviews`: it runs for what a person is asked, where no rule's own clock does.
    """

    name: str
    says: str
    stops_on: Literal["delivered", "read", "acted", "outcome"] = "read"
    warn_before: str | None = None
    next: RoleName | None = None
    next_after: str | None = None
    reviews: bool = False
    source: str = ""
    verified: bool = False


@dataclass(frozen=True, kw_only=True)
class Policy:
    """One release of the policy, addressed by its digest."""

    version: str
    digest: Digest
    name: str
    purposes: frozenset[str]
    rules: Sequence[Rule]
    roles: Mapping[RoleName, Role]
    events: Mapping[str, EventKind]
    findings: Mapping[str, FindingKind]
    bases: Mapping[str, Basis]
    clocks: Mapping[str, ClockKind]
    obligations: Mapping[str, str] = field(default_factory=dict)
    outcomes: Mapping[str, str] = field(default_factory=dict)
    wishes: Mapping[str, frozenset[str]] = field(default_factory=dict)  # what a child may wish, and the answers there are
    in_force_from: Millis = Millis(0)
    in_force_to: Millis | None = None
    memo: dict[str, object] = field(default_factory=dict, compare=False, repr=False)  # room for the compiled tables
