"""The synthetic area: its organisations, its desks that can be told, and its families, all from one seed.

Families are made one at a time and made again whenever they are asked for, so that any number of children fits in memory.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache, cached_property
from random import Random

from broker.simulate import names, numbers

COUNCIL, NEIGHBOUR, FORCE, TRUST, NATIONAL = "E10000901", "E10000902", "police:99", "ods:RZ901", "ods:Z2601"
PLACES = {"home": f"la:{COUNCIL}", "away": f"la:{NEIGHBOUR}", "police": FORCE, "trust": TRUST}
LEA = {COUNCIL: "998", NEIGHBOUR: "997"}


@dataclass(frozen=True, slots=True)
class Organisation:
    """A school or a practice. `phase` of a school is primary or secondary."""

    id: str
    name: str
    phase: str = ""


@dataclass(frozen=True, slots=True)
class Child:
    """One synthetic child, as the world has it; what a system writes of it may be less and may be wrong."""

    number: int
    household: int
    given: str
    family: str
    birth_date: date
    sex: str
    building: str
    street: str
    postcode: str
    telephone: str
    gp: str
    school: str | None
    known: bool = False  # to the council

    @property
    def nhs_number(self) -> str:
        """The child's NHS number."""
        return numbers.nhs_number(self.number)

    @property
    def upn(self) -> str:
        """The child's unique pupil number."""
        return numbers.unique_pupil_number(self.number)

    @property
    def local_id(self) -> str:
        """The council's number."""
        return numbers.local_id(self.number)

    @property
    def record_number(self) -> str:
        """The hospital's number."""
        return numbers.record_number(self.number)


@dataclass(frozen=True)
class Area:
    """The size and the seed of an area; everything else follows from them. `until`: the last day of its week."""

    seed: int
    children: int
    stories: int
    until: date

    @property
    def first_day(self) -> date:
        """The first of the seven days."""
        return self.until - timedelta(days=6)

    @cached_property
    def schools(self) -> tuple[Organisation, ...]:
        """Primary schools first, then a third as many secondary ones."""
        primary = min(90, max(6, self.children // 330))
        secondary = max(3, primary // 3)
        found = names.place_names(Random(f"{self.seed}/schools"), primary + secondary)
        return tuple(
            Organisation(f"urn:{990_001 + at}", f"{name} {'Primary School' if at < primary else 'Academy'}", phase)
            for at, name in enumerate(found)
            for phase in ("primary" if at < primary else "secondary",)
        )

    @cached_property
    def practices(self) -> tuple[Organisation, ...]:
        """The GP practices."""
        found = names.place_names(Random(f"{self.seed}/practices"), min(60, max(5, self.children // 400)))
        return tuple(Organisation(f"ods:Z99{at:03d}", f"{name} Surgery") for at, name in enumerate(found, 1))

    def school_for(self, household: int, age: int, shift: int = 0) -> str | None:
        """Return the school that a child of this household and age goes to; `shift` gives another of the same phase."""
        if not 4 <= age <= 16:
            return None
        phase = "primary" if age <= 10 else "secondary"
        of_phase = [school.id for school in self.schools if school.phase == phase]
        return of_phase[(household // 2 + shift) % len(of_phase)]

    def practice_for(self, household: int, shift: int = 0) -> str:
        """Return the practice of a household; `shift` gives another."""
        return self.practices[(household // 2 * 3 + shift) % len(self.practices)].id

    def family(self, household: int, ages: list[int], first_child: int) -> tuple[Child, ...]:
        """Make a family whose children have these ages."""
        random = Random(f"{self.seed}/{household}")
        surname, building, road = names.family_name(random), str(random.randint(1, 180)), names.street(random)
        sexes = [random.choice("FM") for _ in ages]
        births = [self._birth_date(random, age) for age in ages]
        child = Child(
            number=first_child,
            household=household,
            given="",
            family=surname,
            birth_date=births[0],
            sex="",
            building=building,
            street=road,
            postcode=numbers.postcode(household),
            telephone=numbers.telephone(household),
            gp=self.practice_for(household),
            school=None,
        )
        return tuple(
            replace(
                child,
                number=first_child + at,
                given=given,
                birth_date=births[at],
                sex=sexes[at],
                school=self.school_for(household, ages[at]),
            )
            for at, given in enumerate(names.given_names(random, sexes))
        )

    def _birth_date(self, random: Random, age: int) -> date:
        """Return a birth date that gives this age on every day of the week."""
        birthday = self.first_day - timedelta(days=random.randint(20, 340))
        return birthday.replace(year=birthday.year - age, day=min(birthday.day, 28))

    def others(self, first_household: int, first_child: int) -> Iterator[Child]:
        """Make the families without a story, until the area has its children; one child in eight is known to the council."""
        household, made = first_household, first_child
        while made < self.children:
            random = Random(f"{self.seed}/{household}/ages")
            ages = sorted((random.randint(0, 17) for _ in range(random.choice((1, 1, 2, 2, 3)))), reverse=True)
            for child in self.family(household, ages[: self.children - made], made):
                yield replace(child, known=random.random() < 1 / 8)
            made += len(ages)
            household += 1


@cache
def desks(area: Area) -> Mapping[tuple[str, str], str]:
    """Return who fills which role at which organisation, by the recipient's id: the simulator's own list, not the broker's."""
    found: dict[tuple[str, str], str] = {}
    for council, place in ((COUNCIL, "eskshire"), (NEIGHBOUR, "tarnmouth")):
        for role, desk in COUNCIL_DESKS.items():
            found[role, f"la:{council}"] = f"{desk}-{place}"
    for school in area.schools:
        found["dsl", school.id] = f"dsl-{school.id[4:]}"
        found["deputy_dsl", school.id] = f"governor-{school.id[4:]}"
    for practice in area.practices:
        found["gp", practice.id] = f"gp-{practice.id[4:]}"
    found["police_desk", FORCE] = "police-desk"
    found["hospital", TRUST] = "hospital-team"
    found["health_visitor", TRUST] = found["health_visitor", f"la:{COUNCIL}"] = "health-visitors"
    found["school_nurse", f"la:{COUNCIL}"] = "school-nurses"
    found["paediatrician", TRUST], found["health_desk", f"la:{COUNCIL}"] = "paediatrician", "health-desk"
    found["cp_is", f"la:{COUNCIL}"] = found["cp_is", f"la:{NEIGHBOUR}"] = "cp-is"
    return found


COUNCIL_DESKS = {
    "hub": "hub",
    "duty_team": "duty",
    "social_worker": "social-work",
    "attendance_team": "attendance",
    "home_education_officer": "home-education",
    "virtual_school": "virtual-school",
    "iro": "iro",
    "rhi_team": "return-interviews",
    "lado": "lado",
    "youth_justice": "youth-justice",
    "family_help": "family-help",
}
