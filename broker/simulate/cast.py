"""A story with its parts given to children of the area: one instance of it, and the words its text may use."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

from broker.core.model.identifiers import EventId, event_id
from broker.simulate import numbers
from broker.simulate.area import PLACES, TRUST, Area, Child, desks
from broker.simulate.story import Step, Story

HOUSEHOLDS_EACH = 2  # a story's family, and a second one where somebody lives apart
_OTHER_SYLLABLES = ("ba", "de", "fi", "go", "lu", "my", "na", "pe", "ri", "so")


@dataclass(frozen=True)
class Cast:
    """One instance of a story. `children` are its parts by name, `words` what its texts may name."""

    story: Story
    number: int
    mark: str
    round: int  # how often the story was told before
    area: Area
    children: Mapping[str, Child]
    words: Mapping[str, Any]

    def say(self, value: Any) -> Any:
        """Fill the words into a text, or into every text of a table or a list."""
        if isinstance(value, str):
            return value.format_map(self.words)
        if isinstance(value, Mapping):
            return {name: self.say(item) for name, item in value.items()}
        return [self.say(item) for item in value] if isinstance(value, list | tuple) else value

    def say_on(self, step: Step, value: Any) -> Any:
        """Fill in the words of a step, `{day}` among them."""
        words = {**self.words, "day": self.day(step.day).isoformat(), "step": step.key}
        return replace(self, words=words).say(value)

    def day(self, number: int) -> date:
        """Return a day of the week; day 0 is the one before it began."""
        return self.area.first_day + timedelta(days=number - 1)

    def at(self, step: Step) -> datetime:
        """Return the instant of a step, some minutes apart from family to family."""
        return datetime.combine(self.day(step.day), time.fromisoformat(step.time), UTC) + timedelta(minutes=self.round % 50)

    def child(self, step: Step) -> Child:
        """Return the child that a step is about."""
        return self.children[step.child]

    def place(self, name: str) -> str | None:
        """Return the organisation that a place of a story means: `home`, `trust`, `older.school`."""
        if name in PLACES:
            return PLACES[name]
        part, _, where = name.partition(".")
        found: str | None = getattr(self.words[part], where)
        return found

    def desk(self, to: str) -> str | None:
        """Return the recipient that `role@place` means in this story, None where there is none."""
        role, _, place = to.partition("@")
        organisation = self.place(place)
        return desks(self.area).get((role, organisation)) if organisation else None

    def speaker(self, step: Step) -> str:
        """Return the agency that says a step, as the registers name it."""
        spoken_by = f"{step.child}.school" if step.spoken_by == "school" else step.spoken_by
        return (self.place(spoken_by) or TRUST).removeprefix("la:")

    def event_id(self, step: Step) -> EventId:
        """Return the id of an event that is written in the canonical form."""
        return event_id(f"{self.speaker(step)}/desk", f"{self.story.id}/{self.number}/{step.key}", "1")


def casts(area: Area, stories: tuple[Story, ...]) -> Iterator[Cast]:
    """Give the parts of the stories to families, one story after the other until there are as many as the area asks."""
    first_child = 0
    for number in range(area.stories):
        story = stories[number % len(stories)]
        if first_child + len(story.children) > area.children:
            return
        yield _cast(area, story, number, first_child, number // len(stories))
        first_child += len(story.children)


def _cast(area: Area, story: Story, number: int, first_child: int, told_before: int) -> Cast:
    mark = f"{Random(f'{area.seed}/mark').randint(10, 99)}-{number:05d}"
    household, ages = number * HOUSEHOLDS_EACH, [member.age for member in story.children.values()]
    family = area.family(household, ages, first_child)
    apart = area.family(household + 1, ages, first_child)
    children: dict[str, Child] = {}
    for at, (key, member) in enumerate(story.children.items()):
        child = (apart if member.apart else family)[at]
        if member.same_birth_as:
            child = replace(child, birth_date=children[member.same_birth_as].birth_date)
        if member.name:
            given, _, surname = member.name.format(mark_word=_word(number)).rpartition(" ")
            child = replace(child, given=given, family=surname)
        school = child.school if member.on_roll else None
        children[key] = replace(child, school=school, known=story.is_known(key))
    words: dict[str, Any] = {key: _words(area, child, story.children[key].age) for key, child in children.items()}
    words |= {"mark": mark, "first_day": area.first_day.isoformat(), **PLACES}
    return Cast(story, number, mark, told_before, area, children, words)


def _words(area: Area, child: Child, age: int) -> SimpleNamespace:
    """Everything that a story's text may say of a child, by name."""
    of_age = age if 4 <= age <= 16 else 8
    return SimpleNamespace(
        given=child.given,
        family=child.family,
        nhs_number=child.nhs_number,
        upn=child.upn,
        school=child.school or area.school_for(child.household, of_age),
        new_school=area.school_for(child.household, of_age, 1),
        other_school=area.school_for(child.household, of_age, 2),
        gp=child.gp,
        new_gp=area.practice_for(child.household, 1),
        other_gp=area.practice_for(child.household, 2),
        safe_street=safe_street(child),
        safe_postcode=numbers.postcode(child.household, safe=True),
    )


def safe_street(child: Child) -> str:
    """Return a street that is the safe place of this family and of no other."""
    return f"{_word(child.household)} Haven"


def _word(number: int) -> str:
    return "Q" + "".join(_OTHER_SYLLABLES[int(digit)] for digit in f"{number:05d}")
