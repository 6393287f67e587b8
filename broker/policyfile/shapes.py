"""The shape of the policy files: which tables there are, which keys each has, and of what kind the values are.

Names are plain texts here; whether they mean something is checked afterwards, so that every fault is told at once.
"""

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from broker.core.model.policy import IfNobody

_MONTHS = re.compile(r"[1-9]\d?_months?")

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Names = Annotated[tuple[Text, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]


def _day(value: object) -> object:
    """Take no number for a day: `2027` would be a moment in 1970."""
    return str(value) if isinstance(value, int | float) else value


Day = Annotated[date, BeforeValidator(_day)]


def _months(value: object) -> object:
    if not isinstance(value, str) or not _MONTHS.fullmatch(value):
        raise ValueError("use N_months, such as 12_months")
    return value


Months = Annotated[str, BeforeValidator(_months)]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Ages(_Shape):
    """Years of age, both inclusive, as they were when it happened."""

    least: int | None = Field(None, alias="from", ge=-1, le=25)
    most: int | None = Field(None, alias="to", ge=-1, le=25)


class When(_Shape):
    """The closed list of conditions; all that are given must hold, of a list any one."""

    event: Names = ()
    action: Names = ()
    attribute: dict[Text, Names] = {}
    identity: Names = ()
    publisher: Names = ()
    age: Ages | None = None
    subject_role: Names = ()
    connection: Names = ()
    assertion: Names = ()
    status: Names = ()
    protection: Names = ()
    finding: Names = ()
    agreement: dict[Text, Names] = {}
    wish: dict[Text, Names] = {}
    party: Names = ()
    area: Names = ()


class RuleShape(_Shape):
    """`[[rule]]`."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
    effect: Literal["disclose", "withhold"]
    because: Text
    to: Names = ()
    when: When
    unless: tuple[When, ...] = ()
    spare: Names = ()
    share: Names = ()
    categories: Names = ()
    short: Names = ()
    cut: Names = ()
    basis: Text | None = None
    gateway: Text | None = None
    obligations: Names = ()
    clock: Text | None = None
    ask: Text = "holder"
    if_nobody: IfNobody = "hub"
    owner: Text
    source: Text
    verified: bool
    statutory: bool = False
    in_force_from: Day
    in_force_to: Day | None = None
    review_by: Day | None = None


class AttributeShape(_Shape):
    """`[[attribute]]`, or `event.attributes`: a coded fact in the header, and what a publisher's silence means.

    `events` are the event types that may carry an `[[attribute]]`; none means every one.
    """

    name: Text
    values: Names
    absent: Text | None = None
    says: Text = "as its name says"
    events: Names = ()

    def is_of(self, event_type: str) -> bool:
        """Tell whether an event type may carry it."""
        return not self.events or event_type in self.events


class EventShape(_Shape):
    """`[[event]]`. `longest`: how long it holds that a family cannot safely be told, before a person is asked."""

    name: Text
    says: Text
    domain: int | None = None
    attributes: tuple[AttributeShape, ...] = ()
    begins: Names = ()
    begins_for: dict[Text, Months] = {}
    ends: Names = ()
    speaks_of: Names = ()
    connection: Literal["begins", "ends", "replaces"] | None = None
    relation: Text | None = None
    control: Literal["consent", "service", "told_family", "protection", "finding", "wish", "exclusion", "retraction"] | None = (
        None
    )
    for_others: bool = False
    registers_person: bool = False
    opens_matter: bool = False
    closes_matter: bool = False
    answered_by: Names = ()
    nobody: Text | None = None
    longest: Months | None = None
    source: str = ""
    verified: bool = False


class RoleShape(_Shape):
    """`[[role]]`."""

    name: Text
    title: Text
    filled_by: Literal["involved", "area_hub", "area_duty", "area_team", "event_area_hub", "event_area_duty", "referrer"]
    of: Names = ()
    desks: Names = ()
    or_area_team: bool = False
    keep: Names = ()
    education: bool = False
    later: Text | None = None


class FindingShape(_Shape):
    """`[[finding]]`: a judgement, who may make it, and for how long it may hold before somebody says again that it does."""

    name: Text
    says: Text
    made_by: Names = ()
    on_lapse: Literal["asks", "ends"] = "asks"
    names_recipients: bool = False
    sectors: tuple[Literal["police", "schools", "health", "councils"], ...] = ()
    needs: tuple[Literal["reason", "until", "concerns_event"], ...] = ()
    home_confirms: bool = False
    longest: Months | None = None
    source: str = ""
    verified: bool = False


class BasisShape(_Shape):
    """`[[basis]]`."""

    name: Text
    rung: int = Field(ge=0)
    says: Text
    title: str = ""
    gateway: Text | None = None
    in_force_from: Day | None = None
    until_then: Text | None = None
    later: Text | None = None


class ClockShape(_Shape):
    """`[[clock]]`: the receipt that stops it, when its recipient is warned, and who hears after the hub."""

    name: Text
    says: Text
    stops_on: Literal["delivered", "read", "acted", "outcome"] = "read"
    warn_before: Text | None = None
    next: Text | None = None
    next_after: Text | None = None
    reviews: bool = False
    source: Text = "local"
    verified: bool = False


class NamedShape(_Shape):
    """`[[protection]]`, `[[obligation]]`, `[[outcome]]`, `[[source]]`: a name and what it means in plain words."""

    name: Text
    says: Text


class WishShape(_Shape):
    """`[[wish]]`: something the child may wish, and the answers there are."""

    name: Text
    values: Names
    says: Text


class HeadShape(_Shape):
    """`[policy]`: which policy this is, for which purposes, and for how long."""

    name: Text
    version: Text
    purposes: Names
    in_force_from: Day
    in_force_to: Day | None = None


class PolicyShape(_Shape):
    """All policy files of a folder together."""

    policy: HeadShape
    rule: tuple[RuleShape, ...]
    event: tuple[EventShape, ...]
    attribute: tuple[AttributeShape, ...] = ()
    role: tuple[RoleShape, ...]
    finding: tuple[FindingShape, ...] = ()
    basis: tuple[BasisShape, ...]
    clock: tuple[ClockShape, ...] = ()
    protection: tuple[NamedShape, ...] = ()
    wish: tuple[WishShape, ...] = ()
    obligation: tuple[NamedShape, ...] = ()
    outcome: tuple[NamedShape, ...] = ()
    source: tuple[NamedShape, ...] = ()
