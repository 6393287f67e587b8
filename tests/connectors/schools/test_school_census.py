"""The school census: what comes out of small exports, worked out by hand."""

from collections import Counter

import pytest

from broker.core.intake.delivery import Delivery, Finding, piece_from_bytes
from broker.core.model.event import Action, Event, Sector
from broker.core.model.identifiers import AgencyId, Millis
from broker.core.model.registers import Agency
from broker.errors import DeliveryError
from connectors.schools.school_census import SchoolCensus
from tests.connectors import contract
from tests.connectors.contract import MemoryInHand

ROLL = "pupilonrolltableid,NativeId,pupilonrollorderseqcolumn,dob,surname,forename,preferredsurname,formersurname,upn,formerupn,"
ROLL += "uniquelearnernumber,sex,entrydate,ethnicity,youngcarer,termlysessionspossible"
LEAVERS = (
    "pupilnolongeronrolltableid,NativeId,pupilnolongeronrollorderseqcolumn,dob,surname,forename,upn,sex,entrydate,leavingdate"
)
EXCLUDED = "pupilonrolltableid,NativeId,termlyexclusionsonrollorderseqcolumn,startdate,sessions,reason1,reason2,category"
SESSIONS = "pupilonrolltableid,NativeId,termlysessiondetailsonrollorderseqcolumn,sessions,attendancereason"
ADDRESSES = "pupilonrolltableid,NativeId,addressesonrollorderseqcolumn,postcode,paon,street,town"

UPN_A, UPN_B, UPN_C = "A950000178301", "H243278544154", "R674123101121"  # check letters worked out in the DfE's way
ADA = f"t1,SCH1,1,2014-May-03 00:00:00,Quill,Ada,Quill,Marrow,{UPN_A},,1234567890,F,2025-Sep-02 00:00:00,WBRI,N,120.0"
BEN = f"t2,SCH1,1,2012-Nov-30 00:00:00,Sedge,Ben,Reed,,{UPN_B},,,M,2024-Sep-03 00:00:00,REFU,P,120.0"
CYD = f"t3,SCH1,1,2010-Jan-09 00:00:00,Thorn,Cyd,{UPN_C},F,2023-Sep-05 00:00:00,2025-Nov-14 00:00:00"
SUSPENDED = "t2,SCH1,1,2025-Oct-06 00:00:00,4.0,PA,DB,SUSP"
EXPELLED = "t2,SCH1,2,2025-Nov-10 00:00:00,,OW,,PERM"


def table(header: str, *rows: str) -> bytes:
    return "\r\n".join((header, *rows, "")).encode()


def export(term: str = "2025_autumn", **tables: bytes) -> dict[str, bytes]:
    return {f"{term}_{name}.csv": content for name, content in tables.items()}


def whole_set() -> dict[str, bytes]:
    return export(
        pupilonroll=table(ROLL, ADA, BEN),
        pupilnolongeronroll=table(LEAVERS, CYD),
        termlyexclusionsonroll=table(EXCLUDED, SUSPENDED, EXPELLED),
        termlysessiondetailsonroll=table(
            SESSIONS,
            *("t1,SCH1,1,118.0,/", "t1,SCH1,2,2.0,N", "t2,SCH1,1,98.0,/", "t2,SCH1,2,12.0,O", "t2,SCH1,3,10.0,U"),
        ),
        addressesonroll=table(ADDRESSES, "t1,SCH1,1,zz4 4zz,12,Fern Row,Eskmouth"),
    )  # fmt: skip


def read(
    files: dict[str, bytes],
    memory: MemoryInHand | None = None,
    *,
    agency: str = "urn:100001",
    confirmed: bool = False,
    speaks_for: dict[str, str] | None = None,
) -> tuple[list[Event], list[Finding]]:
    """Read files as an agency; `speaks_for` are schools by the names that its exports have for them."""
    schools = {school: frozenset({name}) for name, school in (speaks_for or {}).items()}
    who = Agency(
        id=AgencyId(agency), name="A school", sector=Sector.SCHOOLS, area="E10000099", registers_people=True, speaks_for=schools
    )
    pieces = tuple(piece_from_bytes(name, content) for name, content in files.items())
    delivery = Delivery(who, Millis(1_790_000_000_000), pieces, accept_disappearances=confirmed)
    said = list(SchoolCensus().read(delivery, memory or MemoryInHand()))
    return [one for one in said if isinstance(one, Event)], [one for one in said if isinstance(one, Finding)]


def kinds(events: list[Event]) -> Counter[tuple[str, str]]:
    return Counter((event.header.event_type, event.header.action.value) for event in events)


def rules(findings: list[Finding]) -> Counter[str]:
    return Counter(finding.rule for finding in findings)


def one(events: list[Event], event_type: str) -> Event:
    (found,) = [event for event in events if event.header.event_type == event_type]
    return found


CASE = contract.Case(
    connector=SchoolCensus(),
    files=whole_set(),
    damaged=whole_set() | export(pupilonroll=table(ROLL, ADA, BEN.replace("2012-Nov-30", "2012-Nov-31"), "t9,SCH1,1")),
    left=6,  # two on roll, one leaver, suspension, exclusion, absence: Ben without a birth date is still told
    private=("Quill", "Marrow", "Sedge", "Thorn", UPN_A, UPN_B, "Fern Row", "2014-May-03", "2012-Nov-31", "ZZ4 4ZZ"),
)


@pytest.mark.parametrize("check", contract.CHECKS, ids=contract.name_of)
def test_it_keeps_the_contract(check: contract.Check) -> None:
    check(CASE)


# --- small exports, worked out by hand


def test_a_set_gives_each_kind_of_event_once_worked_out_by_hand() -> None:
    """Ada and Ben on roll, Cyd left; Ben suspended and expelled, absent 12 + 10 = 22 of 120; Ada absent 2: not ten days."""
    expected = {
        ("school.pupil.registered", "NEW"): 2,
        ("school.pupil.left", "NEW"): 1,
        ("school.suspension", "NEW"): 1,
        ("school.permanent_exclusion", "NEW"): 1,
        ("school.absence.reported", "NEW"): 1,
    }

    events, findings = read(whole_set())

    assert kinds(events) == expected
    assert findings == []


def test_a_pupil_on_roll_has_identity_address_and_the_school_as_control() -> None:
    event = read(whole_set())[0][1]

    assert event.header.event_type == "school.pupil.registered"
    assert event.header.occurred_at == "2025-09-02"
    assert event.header.source.location == "2025_autumn_pupilonroll.csv line 2"
    assert event.header.source.format_version == "2025-3"
    assert event.body["identity"] == {
        "identifiers": [
            {"scheme": "upn", "value": UPN_A, "check_ok": True, "verified": False},
            {"scheme": "uln", "value": "1234567890", "check_ok": None, "verified": False},
        ],
        "names": [{"given": "Ada", "family": "Quill", "kind": "usual"}, {"given": "Ada", "family": "Marrow", "kind": "former"}],
        "birth_date": "2014-05-03",
        "sex": "F",
        "sex_as_recorded": "F",
    }
    assert event.body["location"] == {
        "organisation": "urn:100001",
        "postcode": "ZZ4 4ZZ",
        "building": "12",
        "address": ["12 Fern Row", "Eskmouth"],
    }
    assert event.body["monitoring"] == {"ethnicity": "WBRI"}
    assert event.control == {"role": "school", "organisation": "urn:100001", "state": "begun", "since": "2025-09-02"}


def test_a_young_carer_is_a_concern_and_a_preferred_name_is_kept() -> None:
    event = read(export(pupilonroll=table(ROLL, BEN)))[0][0]

    assert event.body["concern"]["codes"] == [{"scheme": "dfe-young-carer", "code": "P", "abuse": None, "present": True}]
    assert {"given": "Ben", "family": "Reed", "kind": "preferred"} in event.body["identity"]["names"]


def test_a_leaver_ends_the_school_s_part() -> None:
    event = one(read(whole_set())[0], "school.pupil.left")

    assert event.control == {
        "role": "school",
        "organisation": "urn:100001",
        "state": "ended",
        "since": "2023-09-05",
        "until": "2025-11-14",
    }


def test_a_suspension_carries_its_reasons_sessions_and_first_day() -> None:
    event = one(read(whole_set())[0], "school.suspension")

    assert event.body["concern"] == {
        "codes": [
            {"scheme": "dfe-exclusion-reason", "code": "PA", "abuse": None, "present": True},
            {"scheme": "dfe-exclusion-reason", "code": "DB", "abuse": None, "present": True},
        ],
        "reason": "SUSP",
        "starts_on": "2025-10-06",
        "sessions": 4,
    }
    assert event.body["identity"]["birth_date"] == "2012-11-30"


@pytest.mark.parametrize(
    ("category", "event_type", "code", "why"),
    [
        ("FIXD", "school.suspension", "SUSP", "the name of a suspension until 2020"),
        ("LNCH", "school.suspension", "LNCH", "a lunchtime suspension is one"),
        ("PERM", "school.permanent_exclusion", "PERM", "permanent"),
    ],
)
def test_categories_of_every_year_are_understood(category: str, event_type: str, code: str, why: str) -> None:
    row = SUSPENDED.replace("SUSP", category)

    events, _ = read(export(pupilonroll=table(ROLL, BEN), termlyexclusionsonroll=table(EXCLUDED, row)))

    assert one(events, event_type).body["concern"]["reason"] == code, why


@pytest.mark.parametrize(
    ("tables", "rule", "why"),
    [
        ({"pupilonroll": table(ROLL, ADA.replace(UPN_A, "A950000178302"))}, "upn_check", "a digit is wrong"),
        ({"pupilonroll": table(ROLL, ADA.replace("2014-May-03", "2044-May-03"))}, "birth_date", "born in the future"),
        ({"pupilonroll": table(ROLL, ADA.replace("2014-May-03 00:00:00", "soon"))}, "birth_date", "no date"),
        ({"pupilonroll": table(ROLL, ADA.replace(UPN_A, ""))}, "upn_missing", "no number"),
        ({"pupilonroll": table(ROLL, ADA, ADA)}, "twice", "the same pupil twice"),
        ({"pupilonroll": table(ROLL, ADA, "t2,SCH1")}, "row_length", "cut off"),
        ({"pupilonroll": table(ROLL, ADA), "termlyexclusionsonroll": table(EXCLUDED, SUSPENDED)}, "pupil_missing", "nobody's"),
        (
            {"pupilnolongeronroll": table(LEAVERS, CYD), "termlyexclusionsonroll": table(EXCLUDED, SUSPENDED)},
            "pupils_missing",
            "the table of pupils is missing",
        ),
        (
            {"pupilonroll": table(ROLL, BEN), "termlyexclusionsonroll": table(EXCLUDED, SUSPENDED.replace("SUSP", "GONE"))},
            "category",
            "no such category",
        ),
        (
            {"pupilonroll": table(ROLL, BEN), "termlyexclusionsonroll": table(EXCLUDED, SUSPENDED.replace("PA", "OT"))},
            "reason",
            "a reason dropped in 2020",
        ),
        (
            {"pupilonroll": table(ROLL, BEN), "termlysessiondetailsonroll": table(SESSIONS, "t2,SCH1,1,121.0,U")},
            "sessions",
            "more sessions missed than there were",
        ),
        ({"pupilonroll": table(ROLL, ADA, BEN.replace("SCH1", "SCH2"))}, "another_school", "a school speaks for itself"),
    ],
)
def test_what_is_wrong_is_named_once_with_its_place(tables: dict[str, bytes], rule: str, why: str) -> None:
    (finding,) = read(export(**tables))[1]

    assert finding.rule == rule, why
    assert "line" in finding.place or rule in {"pupils_missing", "another_school"}


def test_absence_needs_ten_school_days_and_sessions_that_can_be_true() -> None:
    nineteen = export(pupilonroll=table(ROLL, BEN), termlysessiondetailsonroll=table(SESSIONS, "t2,SCH1,1,19.0,U"))
    twenty = export(pupilonroll=table(ROLL, BEN), termlysessiondetailsonroll=table(SESSIONS, "t2,SCH1,1,20.0,U"))
    authorised = export(pupilonroll=table(ROLL, BEN), termlysessiondetailsonroll=table(SESSIONS, "t2,SCH1,1,60.0,I"))

    assert "school.absence.reported" not in [event.header.event_type for event in read(nineteen)[0] + read(authorised)[0]]
    assert one(read(twenty)[0], "school.absence.reported").body["concern"]["sessions"] == 20


def test_the_same_export_again_says_nothing() -> None:
    memory = MemoryInHand()
    read(whole_set(), memory)

    assert read(whole_set(), memory) == ([], [])


def test_a_changed_name_corrects_what_was_said_and_changing_back_is_news_again() -> None:
    memory = MemoryInHand()
    first = read(export(pupilonroll=table(ROLL, ADA)), memory)[0][0]

    second = read(export(pupilonroll=table(ROLL, ADA.replace("Quill", "Quince"))), memory)[0][0]
    third = read(export(pupilonroll=table(ROLL, ADA)), memory)[0][0]

    assert (second.header.action, second.header.supersedes) == (Action.UPDATE, first.header.event_id)
    assert (third.header.action, third.header.supersedes) == (Action.UPDATE, second.header.event_id)
    assert third.header.event_id != first.header.event_id


def test_who_is_gone_from_the_roll_is_asked_about_and_a_leaver_only_when_a_person_says_so() -> None:
    memory = MemoryInHand()
    read(export(pupilonroll=table(ROLL, ADA, BEN)), memory)
    without_ben = export(pupilonroll=table(ROLL, ADA))

    events, findings = read(without_ben, memory)
    confirmed, _ = read(without_ben, memory, confirmed=True)

    assert (events, list(rules(findings))) == ([], ["gone_from_roll"])
    assert kinds(confirmed) == {("school.pupil.left", "NEW"): 1}
    assert read(without_ben, memory) == ([], [])


def test_headings_without_one_pupil_are_an_error_and_not_a_roll_on_which_nothing_is_new() -> None:
    first = read(export(pupilonroll=table(ROLL), pupilnolongeronroll=table(LEAVERS)))
    leavers_alone = read(export(pupilonroll=table(ROLL), pupilnolongeronroll=table(LEAVERS, CYD)))

    assert first[0] == []
    assert [(one.severity, one.rule, one.place) for one in first[1]] == [
        ("error", "no_pupils", "2025_autumn_pupilnolongeronroll.csv, 2025_autumn_pupilonroll.csv")
    ]
    assert "no_pupils" not in rules(leavers_alone[1]), "a school that closes has leavers and nobody on roll"


def test_a_pupil_who_left_and_came_back_as_before_is_registered_anew() -> None:
    memory = MemoryInHand()
    first = read(export(pupilonroll=table(ROLL, ADA)), memory)[0][0]
    leaver = f"t1,SCH1,1,2014-May-03 00:00:00,Quill,Ada,{UPN_A},F,2025-Sep-02 00:00:00,2025-Oct-10 00:00:00"
    left = read(export(pupilonroll=table(ROLL, BEN), pupilnolongeronroll=table(LEAVERS, leaver)), memory)[0]

    back = read(export(pupilonroll=table(ROLL, ADA, BEN)), memory)[0]

    assert ("school.pupil.left", "NEW") in kinds(left)
    assert kinds(back) == {("school.pupil.registered", "NEW"): 1}
    assert back[0].header.event_id != first.header.event_id


def test_an_older_term_does_not_replace_a_newer_one() -> None:
    memory = MemoryInHand()
    read(export("2026_spring", pupilonroll=table(ROLL, ADA, BEN)), memory)

    assert read(export("2025_autumn", pupilonroll=table(ROLL, ADA.replace("Quill", "Quince"))), memory) == ([], [])


def test_a_suspension_gone_from_its_term_is_taken_back_and_said_anew_when_it_returns() -> None:
    memory = MemoryInHand()
    both = export(pupilonroll=table(ROLL, BEN), termlyexclusionsonroll=table(EXCLUDED, SUSPENDED, EXPELLED))
    only_one = export(pupilonroll=table(ROLL, BEN), termlyexclusionsonroll=table(EXCLUDED, EXPELLED))
    suspension = one(read(both, memory)[0], "school.suspension")

    (taken_back,) = read(only_one, memory)[0]
    (again,) = read(both, memory)[0]

    assert (taken_back.header.action, taken_back.header.supersedes) == (Action.RETRACT, suspension.header.event_id)
    assert taken_back.body["identity"] == suspension.body["identity"]
    assert again.header.action is Action.NEW
    assert again.header.event_id not in {suspension.header.event_id, taken_back.header.event_id}


def test_many_suspensions_gone_at_once_wait_for_a_person() -> None:
    memory = MemoryInHand()
    days = [SUSPENDED.replace("Oct-06", f"Oct-{day:02d}") for day in range(10, 15)]
    read(export(pupilonroll=table(ROLL, BEN), termlyexclusionsonroll=table(EXCLUDED, *days)), memory)
    none = export(pupilonroll=table(ROLL, BEN), termlyexclusionsonroll=table(EXCLUDED))

    waits = read(none, memory)
    confirmed = read(none, memory, confirmed=True)

    assert (waits[0], list(rules(waits[1]))) == ([], ["many_gone"])
    assert kinds(confirmed[0]) == {("school.suspension", "RETRACT"): 5}


def test_a_pupil_who_moves_from_roll_to_leavers_keeps_the_suspension() -> None:
    """The export moves the row to another table with another table id: it is the same suspension."""
    memory = MemoryInHand()
    read(export(pupilonroll=table(ROLL, BEN), termlyexclusionsonroll=table(EXCLUDED, SUSPENDED)), memory)
    leaver = f"x9,SCH1,1,2012-Nov-30 00:00:00,Sedge,Ben,{UPN_B},M,2024-Sep-03 00:00:00,2025-Nov-14 00:00:00"
    excluded = EXCLUDED.replace("pupilonrolltableid", "pupilnolongeronrolltableid").replace("onrollorder", "offrollorder")
    moved = export(
        pupilonroll=table(ROLL, ADA),
        pupilnolongeronroll=table(LEAVERS, leaver),
        termlyexclusionsoffroll=table(excluded, SUSPENDED.replace("t2", "x9")),
    )

    events, findings = read(moved, memory)

    assert kinds(events) == {("school.pupil.left", "NEW"): 1, ("school.pupil.registered", "NEW"): 1}
    assert findings == []


def test_files_of_one_export_belong_together_and_others_do_not() -> None:
    claims = SchoolCensus().claims

    assert claims(("2025_spring_pupilonroll.csv", "2025_spring_termlyexclusionsonroll.csv", "2025_spring_senneeds.csv"))
    assert claims(("PupilOnRoll.CSV",))
    assert not claims(("2025_spring_pupilonroll.csv", "2025_summer_pupilonroll.csv"))
    assert not claims(("2025_spring_pupilonroll.csv", "2025_summer_pupilnolongeronroll.csv"))
    assert not claims(("2025_spring_pupilonroll.csv", "notes.csv"))
    assert not claims(())


@pytest.mark.parametrize(
    ("tables", "whole"),
    [
        (("pupilonroll", "termlyexclusionsonroll"), True),
        (("pupilonroll", "termlyexclusionsonroll", "pupilnolongeronroll", "termlyexclusionsoffroll", "senneeds"), True),
        (("pupilonroll",), False),
        (("termlyexclusionsonroll", "addressesonroll"), False),
        (("pupilonroll", "termlyexclusionsonroll", "termlyexclusionsoffroll"), False),
    ],
)
def test_a_set_lacks_what_would_have_to_come_with_it(tables: tuple[str, ...], whole: bool) -> None:
    assert SchoolCensus().is_whole(tuple(f"2025_spring_{name}.csv" for name in tables)) is whole


def test_a_table_that_is_not_the_census_is_refused_in_words() -> None:
    with pytest.raises(DeliveryError, match="not one table of a school census"):
        read({"pupils.csv": b"name,age\nx,1\n"})


def test_tables_without_any_pupils_are_refused_in_words() -> None:
    """Accepted, they would pass for known when the pupils' table comes with them the next time."""
    with pytest.raises(DeliveryError, match="all tables of one export into the inbox together"):
        read(export(termlyexclusionsonroll=table(EXCLUDED, SUSPENDED)))


@pytest.mark.parametrize(
    "broken", ['t9,SCH1,"Ada', "t9,SCH1," + "x" * 200_000, 't9,SCH1,"' + "x" * 200_000], ids=["a mark", "a huge cell", "both"]
)
def test_a_row_that_cannot_be_split_costs_itself_alone(broken: str) -> None:
    events, findings = read(export(pupilonroll=table(ROLL, ADA, broken, BEN)))

    assert len([one for one in events if one.header.event_type == "school.pupil.registered"]) == 2
    assert list(rules(findings)) == ["unreadable"]
    assert findings[0].place.endswith("line 3")
