"""The school census as COLLECT exports it in CSV tables: who is on roll, who left, suspensions, exclusions and absence.

A delivery is the set of tables of one export; it is a snapshot, so only what differs from what was delivered before becomes
an event. A pupil who is missing from the roll without a leaver record is a finding, never a leaver, until a person confirms it.
A suspension that is gone from the same term is taken back, if the tables came that would show it and all of their rows could be
read; many gone at once wait for a person.

What the census cannot know: the day of any absence, whether the sessions missed were consecutive, and anything since the
census day. `school.absence.reported` is said only where 20 or more sessions (10 school days) of one term carry the codes for
unauthorised absence and the pupil's codes do not add up to more sessions than there were.

Fields and codes: DfE school census guides as published with the COLLECT exports of 2015 to 2026. Lunchtime suspensions are
suspensions (DfE, Suspension and permanent exclusion guidance); a pupil's number is an identifier for education only.
"""

from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from typing import Any

from broker.core.intake.delivery import Delivery, Finding, Memory
from broker.core.model.event import (
    Body,
    ConcernCode,
    Control,
    Event,
    Location,
    Sector,
)
from broker.errors import DeliveryError
from connectors.schools.census_exclusions import exclusion_draft, say_exclusions
from connectors.schools.census_rows import (
    ADDRESS,
    CATEGORIES,
    EXCLUSION,
    NOT_COUNTED,
    PUPIL,
    REASONS,
    UNAUTHORISED,
    YOUNG_CARER,
    Person,
    Pupil,
    body_of,
    no_pupils,
    read_person,
    stem_of,
)
from connectors.schools.census_snapshot import FORMAT, Draft, Snapshot
from connectors.schools.collect_csv import PUPILS, Index, Table, iso_date, key_column, name_parts, open_tables, term_of, whole

TEN_SCHOOL_DAYS = 20  # sessions: half days
ROLLS = {  # what shows a pupil's suspensions
    "onroll": frozenset(("pupilonroll", "termlyexclusionsonroll")),
    "offroll": frozenset(("pupilnolongeronroll", "termlyexclusionsoffroll")),
}


class SchoolCensus:
    """Read the CSV tables of one school census export."""

    name = FORMAT
    sector = Sector.SCHOOLS

    def claims(self, names: tuple[str, ...]) -> bool:
        """Tell whether the files are tables of one export: the same name but for the table, no table twice."""
        parts = [name_parts(name) for name in names]
        known = [part for part in parts if part]
        return bool(known) and len(known) == len(parts) == len(set(known)) and len({prefix for prefix, _ in known}) == 1

    def is_whole(self, names: tuple[str, ...]) -> bool:
        """Tell whether the pupils of a roll and their exclusions are both there: either is taken in part without the other."""
        tables = {parts[1] for name in names if (parts := name_parts(name))}
        return ROLLS["onroll"] <= tables and (not ROLLS["offroll"] & tables or ROLLS["offroll"] <= tables)

    def read(self, delivery: Delivery, memory: Memory) -> Iterator[Event | Finding]:
        """Yield what the export says that was not said before, leavers first; raises DeliveryError when it is no census."""
        tables, findings = open_tables(delivery)
        if not tables.keys() & set(PUPILS):
            raise DeliveryError(
                "the table of pupils is not in the delivery, so nobody can know whom its rows are about: put all tables of one "
                "export into the inbox together"
            )
        yield from findings
        reading = _Reading(delivery, memory, tables)
        try:
            yield from reading.everything()
        finally:
            reading.close()


class _Reading:
    """One delivery being read."""

    def __init__(self, delivery: Delivery, memory: Memory, tables: dict[str, Table]) -> None:
        self._tables = tables
        self._agency = delivery.agency
        self._snapshot = Snapshot(delivery, memory)
        self._snapshot.term = next((term for piece in delivery.pieces if (term := term_of(piece.name))), "")
        self._today = datetime.fromtimestamp(delivery.received_at / 1000, UTC).date().isoformat()
        self._schools: dict[str, str | None] = {}
        self._estabs: dict[str, str] = {}
        self._index: dict[str, Index] = {}
        self._found_pupils = False
        self._unread: set[str] = set()  # tables with rows that could not be read, or of which nobody knows whose they are

    def close(self) -> None:
        for index in self._index.values():
            index.close()

    def everything(self) -> Iterator[Event | Finding]:
        yield from self._collection()
        for roll in ("offroll", "onroll"):
            yield from self._gather(roll)
        yield from self._pupils("pupilnolongeronroll", "offroll", self._left)
        yield from self._pupils("pupilonroll", "onroll", self._registered)
        if not self._found_pupils and not self._unread.intersection(PUPILS):
            yield no_pupils([self._tables[name].piece.name for name in PUPILS if name in self._tables])
        for roll in ("offroll", "onroll"):
            yield from self._orphans(roll)
        yield from self._gone()

    def _collection(self) -> Iterator[Finding]:
        """Read term and establishments from the table `schoolcensus`, when it is there."""
        table = self._tables.get("schoolcensus")
        if table is None:
            return
        for _, (native, lea, estab, year, term) in table.rows(("nativeid", "lea", "estab", "year", "term")):
            self._snapshot.term = self._snapshot.term or term_of(f"{whole(year)} {term}")
            if lea.isdigit() and estab.isdigit():
                self._estabs[native] = f"laestab:{lea}{estab[-4:]}"
        yield from table.take_problems()

    def _gather(self, roll: str) -> Iterator[Finding]:
        """Index the tables that belong to pupils of one roll."""
        for kind, gather in (("termlyexclusions", EXCLUSION), ("addresses", ADDRESS)):
            index = self._index[kind + roll] = Index()
            if table := self._tables.get(kind + roll):
                for line, (key, *row) in table.rows((key_column(roll), *gather)):
                    index.add(f"{key}/{row[0]}", [line, *row])
                yield from self._problems(table)
            index.close_writing()
        yield from self._gather_sessions("termlysessiondetails" + roll, key_column(roll))

    def _problems(self, table: Table) -> list[Finding]:
        if table.problems:
            self._unread.add(table.name)
        return table.take_problems()

    def _gather_sessions(self, name: str, key_name: str) -> Iterator[Finding]:
        """Add up each pupil's sessions, runs of rows at a time: exports keep a pupil's rows together."""
        index = self._index[name] = Index()
        table = self._tables.get(name)
        if table is None:
            return
        current, total, unauthorised, first = "", 0, 0, 0
        for line, (key, native, code, text) in table.rows((key_name, "nativeid", "attendancereason", "sessions")):
            if (pupil := f"{key}/{native}") != current:
                if total:
                    index.add(current, [first, total, unauthorised])
                current, total, unauthorised, first = pupil, 0, 0, line
            sessions = whole(text) or 0
            total += 0 if code in NOT_COUNTED else sessions
            unauthorised += sessions if code in UNAUTHORISED else 0
        if total:
            index.add(current, [first, total, unauthorised])
        index.close_writing()
        yield from table.take_problems()

    def _pupils(
        self, name: str, roll: str, said: Callable[[Person, str], Iterator[Event | Finding]]
    ) -> Iterator[Event | Finding]:
        table = self._tables.get(name)
        if table is None:
            return
        for line, (table_id, *row) in table.rows((key_column(name), *PUPIL)):
            pupil, self._found_pupils = Pupil(*row), True
            school = self._schools[pupil.native] if pupil.native in self._schools else (yield from self._school(pupil.native))
            if school is None:
                self._leave_out(roll, f"{table_id}/{pupil.native}")
                continue
            person = read_person(pupil, school, table.place(line), self._today)
            yield from person.findings
            if pupil.former_upn:
                self._snapshot.follow(stem_of(pupil.native, pupil.former_upn), person.stem)
            joined = f"{table_id}/{pupil.native}"
            yield from said(person, joined)
            yield from self._exclusions(person, roll, joined)
            yield from self._absence(person, roll, joined)
            if table.problems:
                yield from self._problems(table)
        yield from self._problems(table)

    def _leave_out(self, roll: str, joined: str) -> None:
        """Pass over what other tables hold of a pupil who is left out."""
        for kind in ("termlyexclusions", "addresses", "termlysessiondetails"):
            self._index[kind + roll].take(joined)

    def _school(self, native: str) -> Generator[Finding, None, str | None]:
        """Find out which school rows are of: the agency itself, or by local authority and establishment number."""
        own = self._agency.id.startswith("urn:")
        if own and self._schools:
            self._schools[native] = None
            yield Finding(
                "error", "another_school", f"NativeId {native}", "rows of another school: left out, a school speaks for itself",
                "deliver them as that school, or as the local authority",
            )  # fmt: skip
        elif own:
            self._schools[native] = self._agency.id
        else:
            estab = self._estabs.get(native) or (f"laestab:{native}" if len(native) == 7 and native.isdigit() else "")
            names = tuple(name for name in (estab, f"native:{native}") if name)
            self._schools[native] = self._agency.school_known_as(*names)
            if self._schools[native] is None:
                yield _not_spoken_for(self._agency.id, native, names[0])
        return self._schools[native]

    def _registered(self, person: Person, joined: str) -> Iterator[Event | Finding]:
        """Say that a pupil is on roll, unless that is known and unchanged."""
        row, key = person.row, f"roll/{person.stem}"
        known = self._snapshot.known(key)
        addresses = self._index["addressesonroll"].take(joined) or self._address_before(known)
        if self._snapshot.seen(known) and not known.get("gone"):
            yield Finding(
                "warning", "twice", person.place, "the pupil is in the table twice: the first row counts", "remove one row"
            )
            return
        if self._snapshot.newer(known):
            return  # a later term was delivered already: an older word does not replace it
        if not known.get("gone") and "birth_date" in known.get("who", {}) and "birth_date" not in person.identity:
            self._snapshot.keep(key, known)  # what could not be read corrects nothing
            return
        entry, body = _date(row.entry), body_of(person, addresses)
        if row.young_carer in YOUNG_CARER:
            code = ConcernCode(scheme="dfe-young-carer", code=row.young_carer, abuse=None, present=True)
            body["concern"] = {"codes": [code]}
        draft = Draft(
            event_type="school.pupil.registered",
            record=f"{person.stem}/roll",
            said="\x1f".join((person.school, *row, repr(addresses and addresses[0][1:]))),
            occurred_at=entry,
            place=person.place,
            body=body,
            control=Control(role="school", organisation=person.school, state="begun", since=entry),
            kept={"entry": entry, "school": person.school, "who": person.identity, "address": addresses[:1]},
        )
        yield from self._snapshot.say(key, draft, person.quality, known)

    def _address_before(self, known: dict[str, Any]) -> list[list[object]]:
        """Return the address as it was known, when its row could not be read or the table did not come."""
        lost = "addressesonroll" not in self._tables or "addressesonroll" in self._unread
        return list(known.get("address", ())) if lost else []

    def _left(self, person: Person, joined: str) -> Iterator[Event | Finding]:
        """Say that a pupil left, once per stay."""
        row, key = person.row, f"roll/{person.stem}"
        entry, leaving = _date(row.entry), _date(row.leaving)
        if leaving is None:
            person.wrong("leaving_date", "leavingdate", "the leaver has no leaving date")
            yield person.findings[-1]
        draft = Draft(
            event_type="school.pupil.left",
            record=f"{person.stem}/left/{leaving or entry}",
            said="\x1f".join((person.school, *row)),
            occurred_at=leaving,
            place=person.place,
            body=body_of(person, self._index["addressesoffroll"].take(joined)),
            control=Control(role="school", organisation=person.school, state="ended", since=entry, until=leaving),
        )
        on_roll = self._snapshot.known(key)
        for event in self._snapshot.say(f"left/{person.stem}/{leaving or entry}", draft, person.quality):
            if on_roll and self._snapshot.takes(event) and (on_roll.get("entry") or "") <= (leaving or "9"):
                self._snapshot.end(key, on_roll, event.header.event_id)
            yield event

    def _exclusions(self, person: Person, roll: str, joined: str) -> Iterator[Event | Finding]:
        rows = self._index["termlyexclusions" + roll].take(joined)
        table = self._tables.get("termlyexclusions" + roll)
        if table is None or not rows:
            return  # as of most pupils
        counts: dict[str, int] = {}
        drafts: list[tuple[Draft, bool]] = []
        for line, _, category, start, sessions, *reasons in rows:
            place = table.place(int(str(line)))
            kind = CATEGORIES.get(str(category))
            if kind is None:
                yield Finding(
                    "error", "category", place, "the category is none that is known: left out", f"use {', '.join(CATEGORIES)}"
                )
                self._unread.add(table.name)
                continue
            day, missed = _date(str(start)), whole(str(sessions))
            stem = f"{person.stem}/{day}/{kind[1]}"
            counts[stem] = counts.get(stem, 0) + 1
            codes = [str(code) for code in reasons if code]
            if day is None:
                yield Finding("warning", "start_date", place, "the start date is missing or no date", "correct the start date")
                self._unread.add(table.name)
            if sessions and missed is None:
                yield Finding("warning", "sessions", place, "the sessions are no number: left out", "correct the sessions")
            if not REASONS.issuperset(codes):
                yield Finding(
                    "warning", "reason", place, "a reason code is not in force: taken over as it is", "use today's codes"
                )
            draft = exclusion_draft(person, f"{stem}/{counts[stem]}", kind, (day, missed, codes), place)
            if day and day > self._today:  # the head teacher has decided it: it is said now, with its first day
                draft.occurred_at = None
                yield Finding("info", "to_come", place, "it begins on a day to come: told now", "nothing, if the day is right")
            draft.kept |= {"roll": roll, "category": kind[1]}
            drafts.append((draft, day is not None and not (sessions and missed is None)))
        yield from say_exclusions(self._snapshot, person, drafts, complete=table.name not in self._unread)

    def _absence(self, person: Person, roll: str, joined: str) -> Iterator[Event | Finding]:
        rows = self._index["termlysessiondetails" + roll].take(joined)
        total = missed = 0
        for _, sessions, unauthorised in rows:
            total, missed = total + int(str(sessions)), missed + int(str(unauthorised))
        if missed < TEN_SCHOOL_DAYS:
            return
        table = self._tables["termlysessiondetails" + roll]
        place, possible = table.place(int(str(rows[0][0]))), whole(person.row.possible)
        if possible is None or total > possible:
            yield Finding(
                "warning", "sessions", place,
                "unauthorised absence of ten days or more, but the sessions do not agree with those possible: not reported",
                "correct the sessions, or report the absence as an event of its own",
            )  # fmt: skip
            return
        draft = Draft(
            "school.absence.reported", f"{person.stem}/{self._snapshot.term}/absence", f"{missed}", None, place,
            Body(
                identity=person.identity, location=Location(organisation=person.school),
                concern={"sessions": missed, "reason": "unauthorised", "codes": []},
            ),
        )  # fmt: skip
        yield from self._snapshot.say(f"absent/{draft.record}", draft, person.quality)

    def _orphans(self, roll: str) -> Iterator[Finding]:
        """Say which rows belong to no pupil of the set; when the whole pupil table is missing, say that once."""
        pupils = "pupilonroll" if roll == "onroll" else "pupilnolongeronroll"
        for kind in ("termlyexclusions", "termlysessiondetails"):
            name = kind + roll
            table = self._tables.get(name)
            if table is None:
                continue
            if pupils not in self._tables:
                count = sum(1 for _ in self._index[name].left())
                yield Finding(
                    "error",
                    "pupils_missing",
                    table.piece.name,
                    f"{count} entries are about nobody: the table {pupils} is not there",
                    f"deliver {pupils} of the same export together with it",
                )  # fmt: skip
            elif kind == "termlyexclusions":
                for row in self._index[name].left():
                    self._unread.add(name)
                    yield Finding(
                        "error",
                        "pupil_missing",
                        table.place(int(str(row[0]))),
                        f"no row of {pupils} has this table id and NativeId",
                        "export the tables together",
                    )  # fmt: skip

    def _whole(self) -> set[str]:
        """Return the rolls whose pupils and exclusions both came and could be read."""
        return {roll for roll, names in ROLLS.items() if self._tables.keys() >= names and not self._unread & names}

    def _gone(self) -> Iterator[Event | Finding]:
        """Look at what was delivered before for these schools and is not there now."""
        for native, school in self._schools.items():
            if school is None:
                continue
            if "pupilonroll" in self._tables:
                yield from self._snapshot.gone_pupils(native.replace("/", "_"), complete="pupilonroll" not in self._unread)
            if self._snapshot.term and any(name.startswith("termlyexclusions") for name in self._tables):
                yield from self._snapshot.gone_exclusions(native.replace("/", "_"), self._whole())


def _not_spoken_for(agency: str, native: str, known_as: str) -> Finding:
    """Say that nobody entered whose rows these are, or that the agency may speak for that school, and how to."""
    return Finding(
        "error", "school_unknown", f"NativeId {native}",
        f"the registers do not say which school `{known_as}` is, or that `{agency}` may speak for it: its rows are left out",
        f"broker registers speaks-for {agency} --school urn:NUMBER --known-as {known_as} --registers FILE, release that, and "
        "deliver the same files again",
        later=True,
    )  # fmt: skip


def _date(text: str) -> str | None:
    return iso_date(text) if text else None
