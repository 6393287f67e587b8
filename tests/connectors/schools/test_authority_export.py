"""The census as a local authority exports it: of many schools, each of which the registers let it speak for."""

from tests.connectors.contract import MemoryInHand
from tests.connectors.schools.test_school_census import ADA, CYD, LEAVERS, ROLL, export, kinds, read, table, whole_set


def test_the_local_authority_s_export_names_schools_by_their_establishment_number() -> None:
    census = table("schoolcensustableid,NativeId,schoolcensusorderseqcolumn,lea,estab,year,term", "c1,SCH1,1,999,4001,2025,AUT")

    files = {"pupilonroll.csv": table(ROLL, ADA), "schoolcensus.csv": census}

    (event,), _ = read(files, agency="E10000099", speaks_for={"laestab:9994001": "urn:100001"})

    assert event.control is not None
    assert (event.control["organisation"], event.body["location"]["organisation"]) == ("urn:100001", "urn:100001")
    assert event.header.source.format_version == "2025-3"


def test_for_a_school_that_the_registers_do_not_name_nothing_is_said_until_they_do() -> None:
    """Denied by default: one finding for a school, with the command, instead of a review for each of its pupils."""
    memory, other = MemoryInHand(), CYD.replace("SCH1", "SCH2")
    files = whole_set() | export(pupilnolongeronroll=table(LEAVERS, CYD, other))

    events, findings = read(files, memory, agency="E10000099", speaks_for={"native:SCH2": "urn:100002"})
    later, none = read(files, memory, agency="E10000099", speaks_for={"native:SCH2": "urn:100002", "native:SCH1": "urn:100001"})

    assert [(event.header.event_type, (event.control or {})["organisation"]) for event in events] == [
        ("school.pupil.left", "urn:100002")
    ]
    assert [(one.rule, one.later) for one in findings] == [("school_unknown", True)]
    assert "broker registers speaks-for E10000099 --school urn:NUMBER --known-as native:SCH1" in findings[0].remedy
    assert kinds(later).total() == 6
    assert none == []
