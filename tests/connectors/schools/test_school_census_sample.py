"""The school census: what comes out of the public sample, counted without the connector."""

import csv
import re
from collections import Counter
from pathlib import Path

import pytest

from broker.core.intake.delivery import Finding
from broker.core.model.event import Event
from tests.connectors.schools.test_school_census import kinds, read, rules


@pytest.fixture(scope="module")
def sample_folder(samples: Path) -> Path:
    return samples / "schools" / "school_census_collect"


def rows_of(folder: Path, table_name: str) -> list[dict[str, str]]:
    with (folder / f"2025_spring_{table_name}.csv").open(newline="", encoding="utf-8") as text:
        return list(csv.DictReader(text))


def read_sample(folder: Path) -> tuple[list[Event], list[Finding]]:
    schools = {f"native:SCH{number}": f"urn:10000{number}" for number in range(1, 10)}
    return read({path.name: path.read_bytes() for path in sorted(folder.glob("*.csv"))}, agency="E10000099", speaks_for=schools)


def test_the_sample_gives_a_leaver_for_each_stay_that_ended(sample_folder: Path) -> None:
    leavers = rows_of(sample_folder, "pupilnolongeronroll")
    stays = len({(row["NativeId"], row["upn"], row["leavingdate"]) for row in leavers})

    events, _ = read_sample(sample_folder)

    assert kinds(events)["school.pupil.left", "NEW"] == stays == len(leavers)


def test_the_sample_gives_its_suspensions_and_exclusions_of_leavers(sample_folder: Path) -> None:
    categories = Counter(row["category"] for row in rows_of(sample_folder, "termlyexclusionsoffroll"))

    events, _ = read_sample(sample_folder)

    assert kinds(events)["school.suspension", "NEW"] == categories["FIXD"] + categories["LNCH"]
    assert kinds(events)["school.permanent_exclusion", "NEW"] == categories["PERM"]


def test_the_sample_says_once_that_the_pupils_on_roll_are_missing(sample_folder: Path) -> None:
    rows = len(rows_of(sample_folder, "termlyexclusionsonroll"))

    (finding,) = [one for one in read_sample(sample_folder)[1] if one.rule == "pupils_missing"]

    assert finding.message.startswith(f"{rows} entries")


def test_the_sample_gives_absence_only_where_its_sessions_can_be_true(sample_folder: Path) -> None:
    possible = {}
    for row in rows_of(sample_folder, "pupilnolongeronroll"):
        possible.setdefault((row["pupilnolongeronrolltableid"], row["NativeId"]), row["termlysessionspossible"])
    total: Counter[tuple[str, str]] = Counter()
    missed: Counter[tuple[str, str]] = Counter()
    for row in rows_of(sample_folder, "termlysessiondetailsoffroll"):
        who, sessions = (row["pupilnolongeronrolltableid"], row["NativeId"]), int(float(row["sessions"] or 0))
        if row["attendancereason"] not in {"X", "Z", "#"}:
            total[who] += sessions
        if row["attendancereason"] in {"N", "O", "U", "G"}:
            missed[who] += sessions
    many = {who for who, sessions in missed.items() if sessions >= 20}
    true = {who for who in many if possible[who] and total[who] <= float(possible[who])}

    events, findings = read_sample(sample_folder)

    assert kinds(events)["school.absence.reported", "NEW"] == len(true) > 0
    assert rules(findings)["sessions"] == len(many - true)


def test_the_sample_s_pupil_numbers_are_none_and_each_is_named(sample_folder: Path) -> None:
    numbers = [
        row[column] for row in rows_of(sample_folder, "pupilnolongeronroll") for column in ("upn", "formerupn") if row[column]
    ]
    wrong = [number for number in numbers if not re.fullmatch(r"[A-Z]\d{11}[0-9A-Z]", number)]

    assert rules(read_sample(sample_folder)[1])["upn_check"] == len(wrong)


def test_the_sample_gives_nothing_but_what_is_counted_here(sample_folder: Path) -> None:
    events, findings = read_sample(sample_folder)

    left, sent_home, absent = "school.pupil.left", ("school.suspension", "school.permanent_exclusion"), "school.absence.reported"
    assert set(kinds(events)) == {(event_type, "NEW") for event_type in (left, *sent_home, absent)}
    assert set(rules(findings)) == {"upn_check", "sessions", "pupils_missing"}
