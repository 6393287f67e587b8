"""A feed of many schools' rolls, as a local authority collects them: it speaks for the schools that the registers name (I10)."""

from dataclasses import replace

import pytest

from broker.core.model.event import Sector
from broker.core.model.identifiers import AgencyId
from broker.core.model.registers import Agency
from tests.connectors.schools.test_school_census import ADA, CYD, LEAVERS, ROLL, export, read, table
from tests.stream.england import DSL, FORCE, HOME, NOTICE, OTHER_SCHOOL, SCHOOL, england, extract_row, says, tie, told
from tests.stream.lines import ALine

FEED = "schools-of-home"
NAMES = {"native:SCH1": SCHOOL}
BORN = "2017-Jan-15"  # the child of these lines
ON_ROLL, LEFT = ADA.replace("2014-May-03", BORN), CYD.replace("2010-Jan-09", BORN)


def a_line() -> ALine:
    policy, registers = england()
    schools = {school: frozenset({name}) for name, school in NAMES.items()}
    feed = Agency(id=AgencyId(FEED), name="Rolls", sector=Sector.SCHOOLS, area=HOME, registers_people=True, speaks_for=schools)
    line = ALine(policy, registers=replace(registers, agencies={**registers.agencies, feed.id: feed}))
    row = extract_row(HOME)
    del row.body["identity"]["birth_date"]
    return line.take(row)


def test_a_school_s_tie_stands_by_its_authority_s_export_and_its_lead_is_told() -> None:
    events, _ = read(export(pupilonroll=table(ROLL, ON_ROLL)), agency=FEED, speaks_for=NAMES)

    line = a_line().take(*events, says(FORCE, NOTICE))

    assert line.reviews() == []
    assert [(one.relation, one.organisation) for one in line.facts().connections if one.relation == "school"] == [
        ("school", SCHOOL)
    ]
    assert DSL in told(line, NOTICE)


def test_what_a_later_export_corrects_is_as_if_the_school_had_said_it() -> None:
    first, _ = read(export(pupilonroll=table(ROLL, ADA)), agency=FEED, speaks_for=NAMES)
    later, _ = read(export(pupilonroll=table(ROLL, ADA.replace("2014-May-03", "2014-May-04"))), agency=FEED, speaks_for=NAMES)

    line = a_line().take(*first, *later)

    assert line.reviews() == []
    assert line.facts().birth_date == "2014-05-04"


def test_a_leaver_of_the_export_ends_that_tie() -> None:
    on_roll, _ = read(export(pupilonroll=table(ROLL, ON_ROLL)), agency=FEED, speaks_for=NAMES)
    left, _ = read(export(pupilnolongeronroll=table(LEAVERS, LEFT)), agency=FEED, speaks_for=NAMES)

    line = a_line().take(*on_roll, *left, says(FORCE, NOTICE))

    assert [review["kind"] for review in line.reviews()] == ["GAP"]
    assert DSL not in told(line, NOTICE)


@pytest.mark.parametrize(
    ("publisher", "school", "why"),
    [
        (FEED, OTHER_SCHOOL, "a school that the registers do not let it speak for"),
        (OTHER_SCHOOL, SCHOOL, "a school speaks for itself alone"),
    ],
)
def test_nobody_speaks_for_a_school_that_the_registers_do_not_name(publisher: str, school: str, why: str) -> None:
    registered = says(publisher, "school.pupil.registered", tie("school", school))
    registered = replace(registered, header=replace(registered.header, sector=Sector.SCHOOLS))

    line = a_line().take(registered, says(FORCE, NOTICE))

    assert [review["kind"] for review in line.reviews()] == ["HOLD", "GAP"], why
    assert DSL not in told(line, NOTICE), why
