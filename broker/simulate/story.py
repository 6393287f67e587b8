"""Stories as people write them: who is in one, what happens day by day, who must hear of it and who must never.

A story is data, written by hand from the law and the guidance. Nothing here is computed from what the broker does.
"""

import tomllib
from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from broker.errors import InputError
from broker.simulate.days import is_deadline

Feed = Literal["cin-census", "school-census", "hl7v2-adt", "encompass-notice", "canonical"]
_NATIVE: Mapping[str, Feed] = {
    "police.encompass.notified": "encompass-notice",
    "school.pupil.registered": "school-census",
    "school.pupil.left": "school-census",
    "school.suspension": "school-census",
    "school.permanent_exclusion": "school-census",
    "health.ed.attended": "hl7v2-adt",
    "health.admitted": "hl7v2-adt",
    "health.discharged": "hl7v2-adt",
    "health.patient.registered": "hl7v2-adt",
    "health.demographics.changed": "hl7v2-adt",
    "identity.merged": "hl7v2-adt",
    "council.assessment.started": "cin-census",
    "council.assessment.authorised": "cin-census",
    "council.s47.started": "cin-census",
    "council.icpc.held": "cin-census",
    "council.cin_plan.started": "cin-census",
    "council.cin_plan.ended": "cin-census",
    "council.cp_plan.started": "cin-census",
    "council.cp_plan.category_changed": "cin-census",
    "council.cp_plan.reviewed": "cin-census",
    "council.cp_plan.ended": "cin-census",
}
_SPEAKER = {"police": "police", "school": "school", "health": "trust", "council": "home", "control": "home", "identity": "trust"}


def _deadline(by: str) -> str:
    if not is_deadline(by):
        raise ValueError(f"`{by}` is no deadline: use N_seconds, N_hours, same_day, next_school_day, N_working_days or day_N")
    return by


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Member(_Part):
    """A child of the story. `before`: what the council's first snapshot already holds, for example a plan."""

    age: int = Field(ge=0, le=17)
    name: str | None = None  # "given family" where the story needs its own
    same_birth_as: str | None = None
    apart: bool = False  # lives in a household of its own
    before: Mapping[str, str] = Field(default_factory=dict)
    registered_on: int = Field(default=0, ge=0, le=7)  # the day on which the health register first holds the child
    on_roll: bool = True
    patient: bool = True  # whether the health register ever holds the child
    known: bool | None = None  # to the council; found from the steps when not said


class Hears(_Part):
    """Somebody who must hear: `to` is role@place, `has` the least categories, `lacks` what must not be there, `by` the latest."""

    to: str
    has: tuple[str, ...] = ("identity",)
    lacks: tuple[str, ...] = ()
    by: Annotated[str, AfterValidator(_deadline)]
    kind: str | None = None  # of disclosure: ALERT, RETRACTION ...
    review: str | None = None  # a review of this kind instead of a disclosure


class Step(_Part):
    """One thing that one agency writes down about one child."""

    key: str
    day: int = Field(ge=0, le=7)
    time: str = "10:00"
    child: str
    event: str
    speaker: str | None = Field(default=None, alias="from")
    feed: Feed | None = None
    again: int | None = None  # the day on which the same record is delivered a second time
    action: Literal["NEW", "UPDATE", "RETRACT"] = "NEW"
    of: str | None = None  # the step that this corrects or takes back
    where: Literal["home", "away"] = "home"  # the council in whose area it happened
    ends: str | None = None  # the step of which this leaves less, or nothing, with those who heard of it
    as_role: str = "SUBJECT"
    assertion: str = "FACT"
    told_family: str = "NOT_YET"
    sharing_mode: Literal["CONTENT", "EXISTENCE"] = "CONTENT"  # in the canonical form only
    excluded: tuple[str, ...] = ()
    attributes: Mapping[str, str] = Field(default_factory=dict)
    says: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)
    control: Mapping[str, Any] | None = None
    native: Mapping[str, str] = Field(default_factory=dict)
    identified_by: tuple[str, ...] | None = None
    hears: tuple[Hears, ...] = ()
    never: tuple[str, ...] = ()

    @property
    def carried_by(self) -> Feed:
        """The form in which the agency's system writes it."""
        return self.feed or ("canonical" if self.action != "NEW" else _NATIVE.get(self.event, "canonical"))

    @property
    def spoken_by(self) -> str:
        """The place of the agency that says it."""
        return self.speaker or _SPEAKER[self.event.partition(".")[0]]


class Canary(_Part):
    """A text that only these may ever read; found anywhere else it is a leak. `{mark}` makes it unlike any other."""

    text: str
    readable_by: tuple[str, ...] = ()


class Story(_Part):
    """One story: why it is hard, its children, its steps and its secrets."""

    id: str
    title: str
    why: str
    children: Mapping[str, Member]
    step: tuple[Step, ...] = Field(min_length=1)
    canary: tuple[Canary, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "Story":
        keys = [step.key for step in self.step]
        if len(set(keys)) != len(keys):
            raise ValueError("two steps have the same key")
        for step in self.step:
            if step.child not in self.children:
                raise ValueError(f"step `{step.key}`: unknown child `{step.child}`")
            if step.sharing_mode != "CONTENT" and step.carried_by != "canonical":
                raise ValueError(f'step `{step.key}`: its form has no `sharing_mode`: say `feed = "canonical"`')
            for named in (step.of, step.ends):
                if named is not None and named not in keys:
                    raise ValueError(f"step `{step.key}`: unknown step `{named}`")
        if not self.canary and not any(step.never for step in self.step):
            raise ValueError("a story says who must never hear: none does here")
        return self

    @cached_property
    def first_step(self) -> Mapping[str, Step]:
        """The steps by their keys."""
        return {step.key: step for step in self.step}

    def is_known(self, child: str) -> bool:
        """Tell whether the council's identity extract holds the child: it does when the council speaks of it."""
        member = self.children[child]
        if member.known is not None:
            return member.known
        return bool(member.before) or any(step.child == child and step.spoken_by == "home" for step in self.step)


def load_stories() -> tuple[Story, ...]:
    """Read every story of the package, in the order of their files; raises InputError naming file, story and fault."""
    found: list[Story] = []
    for file in sorted(files("broker.simulate").joinpath("stories").iterdir(), key=lambda one: one.name):
        if not file.name.endswith(".toml"):
            continue
        for at, content in enumerate(tomllib.loads(file.read_text("utf-8")).get("story", ())):
            try:
                found.append(Story.model_validate(content))
            except ValidationError as error:
                fault = error.errors()[0]
                where = ".".join(str(part) for part in fault["loc"])
                raise InputError(f"`{file.name}`: story `{content.get('id', at)}`: {where}: {fault['msg']}") from error
    return tuple(found)
