"""What arrives when: the week's deliveries in their order, each the files of one agency for one connector.

Day 0 is what the registers held before; an event of day 2 may be about a child whom a register first holds on day 4.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from pathlib import Path
from random import Random

from broker.simulate.area import COUNCIL, LEA, TRUST, Area, Child
from broker.simulate.cast import Cast
from broker.simulate.feeds import canonical, encompass_notice, sui_extract
from broker.simulate.feeds.cin_census import Case, Module, write_snapshot
from broker.simulate.feeds.hl7v2_adt import Admission, message
from broker.simulate.feeds.school_census import CensusSet, Pupil
from broker.simulate.story import Step
from broker.simulate.truth import on_day

REGISTERS = "registers"  # the wave of deliveries before the first day's events
_TRIGGERS = {
    "health.ed.attended": "A04",
    "health.admitted": "A01",
    "health.discharged": "A03",
    "health.patient.registered": "A28",
    "health.demographics.changed": "A31",
    "identity.merged": "A40",
}
_CATEGORIES = {"school.suspension": "SUSP", "school.permanent_exclusion": "PERM"}
_MESSAGES_PER_FILE = 4_000
_LATE = 0.01  # of the families without a story, registered on the third day
_LATE_DAY = 3


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One delivery. `wave` orders them: `registers`, then day 0 to 7. Files are named from the area's folder."""

    wave: str
    connector: str
    agency: str
    files: tuple[str, ...]
    records: int


@dataclass
class Week:
    """Writes the week of an area, and says what was written as it goes. `told` is called for each delivery."""

    area: Area
    casts: tuple[Cast, ...]
    out: Path
    told: Callable[[Dispatch], None] = lambda _: None
    dispatches: list[Dispatch] = field(default_factory=list)

    def write(self) -> None:
        """Write every file."""
        self._patients()
        self._extract()
        self._rolls(0, REGISTERS)
        for day in range(8):
            self._registered_late(day)
            self._census(day)
            self._messages(day)
            self._notices_and_lines(day)

    def _others(self) -> Iterator[Child]:
        first = sum(len(cast.children) for cast in self.casts)
        return self.area.others(len(self.casts) * 2, first)

    def _patients(self) -> None:
        """Write the hospital's patient register, as new-patient messages."""
        cast_ones = (
            child
            for cast in self.casts
            for key, child in cast.children.items()
            if _is_patient(cast, key) and not _late_on(cast, key)
        )
        others = (child for child in self._others() if not self._is_late(child))
        self._admissions(REGISTERS, (self._registration(child, 0) for child in chain(cast_ones, others)))

    def _admissions(self, wave: str, said: Iterator[Admission]) -> None:
        part: list[str] = []
        count = 0
        for admission in said:
            part.append(message(admission))
            if len(part) == _MESSAGES_PER_FILE:
                count += 1
                self._file(wave, "hl7v2-adt", TRUST, f"adt-{count:03d}.hl7", part)
                part = []
        if part:
            self._file(wave, "hl7v2-adt", TRUST, f"adt-{count + 1:03d}.hl7", part)

    def _registration(self, child: Child, day: int) -> Admission:
        at = datetime.combine(self.area.first_day + timedelta(days=day - 1), time(8), UTC)
        return Admission("A28", child, at, f"R{child.number:07d}{day}", practice=child.gp)

    def _extract(self) -> None:
        first_other = sum(len(cast.children) for cast in self.casts)
        known = (child for child in chain(self._cast_children(), self._others()) if child.known)
        path = self._path(REGISTERS, "sui-extract", COUNCIL) / "extract.csv"
        with path.open("w", encoding="utf-8", newline="") as out:
            rows = sui_extract.write_extract(out, known, messy_from=first_other, seed=self.area.seed)
        self._sent(REGISTERS, "sui-extract", COUNCIL, (path,), rows)

    def _cast_children(self) -> Iterator[Child]:
        return (child for cast in self.casts for key, child in cast.children.items() if not _late_on(cast, key))

    def _rolls(self, day: int, wave: str, schools: frozenset[str] | None = None) -> None:
        """Write the rolls of some schools, or of all, as they stand on a day: whole, as a census is each time."""
        sets: dict[str, CensusSet] = {}
        for school, pupil in self._pupils(day):
            if schools is None or school in schools:
                self._set(sets, wave, school).add([pupil])
        self._close(sets, wave)

    def _pupils(self, day: int) -> Iterator[tuple[str, Pupil]]:
        entered = date(self.area.until.year - (self.area.until.month < 9), 9, 3)
        for cast in self.casts:
            for key, child in cast.children.items():
                if _late_on(cast, key) <= day:
                    yield from self._roll_entries(cast, key, child, day, entered)
        for child in self._others():
            if child.school and not (self._is_late(child) and day < _LATE_DAY):
                yield child.school, Pupil(child, entered, tidy=False)

    def _roll_entries(self, cast: Cast, key: str, child: Child, day: int, entered: date) -> Iterator[tuple[str, Pupil]]:
        """Yield what the schools of a story's child have of it: the roll, then what the steps so far changed."""
        steps = [step for step in cast.story.step if step.child == key and step.carried_by == "school-census" and step.day <= day]
        sent_home = tuple(
            (on_day(cast, step), _CATEGORIES[step.event], step.native["reason1"], step.native["sessions"])
            for step in steps
            if step.event in _CATEGORIES
        )
        left = next((on_day(cast, step) for step in steps if step.event == "school.pupil.left"), None)
        if child.school:
            begun = entered if not _late_on(cast, key) else cast.day(_late_on(cast, key))
            yield child.school, Pupil(child, begun, left, sent_home)
        for step in steps:
            if step.event == "school.pupil.registered":
                yield cast.speaker(step), Pupil(child, on_day(cast, step), safe_address=step.native.get("address") == "safe")

    def _set(self, sets: dict[str, CensusSet], wave: str, school: str) -> CensusSet:
        if school not in sets:
            term = f"{self.area.until.year}_{('spring', 'summer', 'autumn')[(self.area.until.month - 1) // 4]}"
            folder = self._path(wave, "school-census", school)
            sets[school] = CensusSet(folder, school, term, self.area.seed)
        return sets[school]

    def _close(self, sets: dict[str, CensusSet], wave: str) -> None:
        for school, census in sets.items():
            self._sent(wave, "school-census", school, census.close(), census.rows)

    def _registered_late(self, day: int) -> None:
        """Write what the hospital's register and the schools learn of new families on a day, and what schools did."""
        late = [child for cast in self.casts for key, child in cast.children.items() if day and _late_on(cast, key) == day]
        if day == _LATE_DAY:
            late += [child for child in self._others() if self._is_late(child)]
        self._admissions(f"{day}", (self._registration(child, day) for child in late))
        speaking = {cast.speaker(step) for cast, step in self._steps(day) if step.carried_by == "school-census"}
        if changed := frozenset(speaking | {child.school for child in late if child.school}):
            self._rolls(day, f"{day}", changed)

    def _is_late(self, child: Child) -> bool:
        return Random(f"{self.area.seed}/{child.household}/late").random() < _LATE

    def _census(self, day: int) -> None:
        """Write the council's whole caseload, on the days on which something in it is new."""
        due = [pair for pair in self._steps() if pair[1].carried_by == "cin-census"]
        if day and not any(step.day == day for _, step in due):
            return
        new: defaultdict[int, list[Module]] = defaultdict(list)
        for cast, step in due:
            if step.day <= day:
                says = tuple(sorted(cast.say_on(step, step.native).items()))
                new[cast.child(step).number].append(Module(step.event, on_day(cast, step), says))
        path = self._path(f"{day}", "cin-census", COUNCIL) / f"cin-{day}.xml"
        reference = self.area.first_day + timedelta(days=day - 1)
        with path.open("w", encoding="utf-8") as out:
            count = write_snapshot(out, self._cases(new), reference, LEA[COUNCIL])
        self._sent(f"{day}", "cin-census", COUNCIL, (path,), count)

    def _cases(self, new: dict[int, list[Module]]) -> Iterator[Case]:
        long_ago = self.area.first_day - timedelta(days=100)
        for cast in self.casts:
            for key, child in cast.children.items():
                before = cast.story.children[key].before
                planned = Module(
                    "council.cp_plan.started", long_ago + timedelta(days=14), (("category", before.get("plan", "")),)
                )
                modules = (*((planned,) if "plan" in before else ()), *new.get(child.number, ()))
                if modules or before:
                    referred = long_ago if before else min(module.on for module in modules) - timedelta(days=20)
                    yield Case(child, referred, "6", modules)
        for child in self._others():
            if child.known and not self._is_late(child):
                random = Random(f"{self.area.seed}/{child.number}/case")
                started = long_ago - timedelta(days=random.randint(1, 60))
                kind = random.choice(("council.assessment.started", "council.cin_plan.started", "council.s47.started"))
                yield Case(child, started, random.choice(("1A", "2A", "3A", "6")), (Module(kind, started + timedelta(days=5)),))

    def _steps(self, day: int | None = None) -> Iterator[tuple[Cast, Step]]:
        return ((cast, step) for cast in self.casts for step in cast.story.step if day is None or day in (step.day, step.again))

    def _messages(self, day: int) -> None:
        """Write the hospital's messages of a day."""
        steps = ((cast, step) for cast, step in self._steps(day) if step.carried_by == "hl7v2-adt")
        self._admissions(f"{day}", (_admission(cast, step) for cast, step in steps))

    def _notices_and_lines(self, day: int) -> None:
        lines: defaultdict[str, list[str]] = defaultdict(list)
        for cast, step in self._steps(day):
            agency = cast.speaker(step)
            if step.carried_by == "encompass-notice":
                name = f"notice-{cast.number:05d}-{step.key}.txt"
                self._file(f"{day}", "encompass-notice", agency, name, [encompass_notice.notice(cast, step)])
            elif step.carried_by == "canonical":
                lines[agency].append(canonical.line(cast, step))
        for agency, said in lines.items():
            self._file(f"{day}", "canonical", agency, "events.jsonl", said)

    def _path(self, wave: str, connector: str, agency: str) -> Path:
        folder = self.out / "feeds" / wave / connector / agency.replace(":", "-")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _file(self, wave: str, connector: str, agency: str, name: str, parts: list[str]) -> None:
        path = _unused(self._path(wave, connector, agency) / name)
        path.write_text("".join(parts), encoding="utf-8", newline="")
        self._sent(wave, connector, agency, (path,), len(parts))

    def _sent(self, wave: str, connector: str, agency: str, files: tuple[Path, ...], records: int) -> None:
        named = tuple(str(path.relative_to(self.out)) for path in files)
        self.dispatches.append(Dispatch(wave, connector, agency, named, records))
        self.told(self.dispatches[-1])


def _unused(path: Path) -> Path:
    """Return the path, or one beside it when a delivery of the same day has it."""
    found, again = path, 1
    while found.exists():
        again += 1
        found = path.with_name(f"{path.stem}-{again}{path.suffix}")
    return found


def _late_on(cast: Cast, key: str) -> int:
    return cast.story.children[key].registered_on


def _is_patient(cast: Cast, key: str) -> bool:
    return cast.story.children[key].patient


def _admission(cast: Cast, step: Step) -> Admission:
    losing = step.native.get("losing")
    return Admission(
        trigger=_TRIGGERS[step.event],
        child=cast.child(step),
        at=cast.at(step),
        control_id=f"S{cast.number:05d}{step.day}{sum(step.key.encode()) % 1000:03d}",
        practice=None if losing else cast.child(step).gp,
        reason=step.native.get("reason"),
        safe_address=step.native.get("address") == "safe",
        losing=cast.children[losing] if losing else None,
        restricted=step.native.get("restricted", ""),
    )
