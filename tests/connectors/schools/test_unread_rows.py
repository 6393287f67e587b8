"""What a later export cannot show is not gone: rows that cannot be read, tables that did not come, numbers and days corrected."""

import pytest

from broker.core.model.event import Action, Event
from tests.connectors.contract import MemoryInHand
from tests.connectors.schools.test_school_census import (
    ADA,
    ADDRESSES,
    BEN,
    EXCLUDED,
    LEAVERS,
    ROLL,
    SUSPENDED,
    UPN_B,
    UPN_C,
    export,
    kinds,
    one,
    read,
    rules,
    table,
)

DAYS = [SUSPENDED.replace("Oct-06", f"Oct-{day:02}") for day in (6, 13, 20)]
PUPILS = table(ROLL, ADA, BEN)
WHOLE = export(pupilonroll=PUPILS, termlyexclusionsonroll=table(EXCLUDED, *DAYS))
EXCLUDED_OFF = EXCLUDED.replace("pupilonrolltableid", "pupilnolongeronrolltableid").replace("onrollorder", "offrollorder")
GONE_BEN = f"x9,SCH1,1,2012-Nov-30 00:00:00,Sedge,Ben,{UPN_B},M,2024-Sep-03 00:00:00,2025-Nov-14 00:00:00"


def after(first: dict[str, bytes], second: dict[str, bytes]) -> tuple[list[Event], set[str], list[Event]]:
    """Events and rules of a second delivery, and the events of the first one when it comes a third time."""
    memory = MemoryInHand()
    read(first, memory)
    events, findings = read(second, memory)
    return events, set(rules(findings)), read(first, memory)[0]


@pytest.mark.parametrize(
    ("second", "found"),
    [
        (export(pupilonroll=PUPILS, termlyexclusionsonroll=table(EXCLUDED, *DAYS[:2], "t2,SCH1,1")), "row_length"),
        (
            export(pupilonroll=PUPILS, termlyexclusionsonroll=table(EXCLUDED, *DAYS[:2], DAYS[2].replace("SUSP", "SUS"))),
            "category",
        ),
        (
            export(pupilonroll=PUPILS, termlyexclusionsonroll=table(EXCLUDED, *DAYS[:2], DAYS[2].replace("2025-Oct", "soon"))),
            "start_date",
        ),
        (
            export(pupilonroll=PUPILS, termlyexclusionsonroll=table(EXCLUDED, *DAYS[:2], DAYS[2].replace("4.0", "two days"))),
            "sessions",
        ),
        (
            export(pupilonroll=PUPILS, termlyexclusionsonroll=table(EXCLUDED, *DAYS[:2], DAYS[2].replace("t2", "t8"))),
            "pupil_missing",
        ),
        (export(pupilonroll=table(ROLL, ADA, "t2,SCH1"), termlyexclusionsonroll=table(EXCLUDED, *DAYS)), "row_length"),
        (export(pupilonroll=table(ROLL, ADA), termlyexclusionsonroll=table(EXCLUDED, *DAYS)), "pupil_missing"),
        (export(pupilonroll=table(ROLL, ADA), termlyexclusionsonroll=table(EXCLUDED)), "gone_from_roll"),
        (export(pupilonroll=PUPILS, termlyexclusionsoffroll=table(EXCLUDED_OFF)), "exclusions_kept"),
        (
            export(pupilnolongeronroll=table(LEAVERS), pupilonroll=PUPILS, termlyexclusionsoffroll=table(EXCLUDED_OFF)),
            "exclusions_kept",
        ),
    ],
    ids=[
        "a short row", "no such category", "no start date", "no number of sessions", "nobody's row", "a short row of a pupil",
        "a pupil table cut off", "a pupil gone with all rows", "one table missing", "two tables missing",
    ],
)  # fmt: skip
def test_nothing_is_taken_back_of_what_could_not_be_read_or_did_not_come(second: dict[str, bytes], found: str) -> None:
    events, findings, back = after(WHOLE, second)

    assert kinds(events) == {}
    assert found in findings
    assert back == []


def test_a_pupil_whose_row_cannot_be_read_is_no_leaver_whatever_a_person_confirmed() -> None:
    memory = MemoryInHand()
    read(export(pupilonroll=PUPILS), memory)
    events, findings = read(export(pupilonroll=table(ROLL, ADA, "t2,SCH1")), memory, confirmed=True)

    assert events == []
    assert "may be in a row that could not be read" in next(one.message for one in findings if one.rule == "gone_from_roll")


def test_the_report_says_what_is_kept_and_why() -> None:
    memory = MemoryInHand()
    read(WHOLE, memory)
    findings = read(export(pupilonroll=PUPILS, termlyexclusionsonroll=table(EXCLUDED, DAYS[0], "t2,SCH1,1")), memory)[1]

    (said,) = [finding.message for finding in findings if finding.rule == "exclusions_kept"]

    assert said.startswith(
        "2 suspensions and exclusions of this term are not shown, and may be in rows that could not be read or"
    )
    assert said.endswith("in tables that did not come: none of these was taken back")


def test_a_leaver_s_suspension_stays_when_the_leavers_suspensions_did_not_come() -> None:
    events, findings, _ = after(
        WHOLE,
        export(
            pupilonroll=table(ROLL, ADA),
            pupilnolongeronroll=table(LEAVERS, GONE_BEN),
            termlyexclusionsonroll=table(EXCLUDED),
        ),
    )

    assert kinds(events) == {("school.pupil.left", "NEW"): 1}
    assert findings == {"exclusions_kept"}


def test_a_suspension_is_taken_back_only_while_its_pupil_is_on_some_roll() -> None:
    """Who left in an earlier export and is in no list of this one may have any suspension that this one does not show."""
    left = table(LEAVERS, GONE_BEN)
    rows = [one.replace("t2", "x9") for one in DAYS]
    first = export(pupilonroll=table(ROLL, ADA), pupilnolongeronroll=left, termlyexclusionsoffroll=table(EXCLUDED_OFF, *rows))
    nowhere = export(
        pupilonroll=table(ROLL, ADA), pupilnolongeronroll=table(LEAVERS), termlyexclusionsoffroll=table(EXCLUDED_OFF)
    )
    still = export(pupilonroll=table(ROLL, ADA), pupilnolongeronroll=left, termlyexclusionsoffroll=table(EXCLUDED_OFF, *rows[1:]))

    assert kinds(after(first, nowhere)[0]) == {}
    assert kinds(after(first, still)[0]) == {("school.suspension", "RETRACT"): 1}


def test_a_leaver_s_suspension_stays_when_rows_of_the_roll_that_showed_it_cannot_be_read() -> None:
    events, findings, _ = after(
        WHOLE,
        export(
            pupilonroll=table(ROLL, ADA),
            pupilnolongeronroll=table(LEAVERS, GONE_BEN),
            termlyexclusionsonroll=table(EXCLUDED, "t1,SCH1,1"),
            termlyexclusionsoffroll=table(EXCLUDED_OFF),
        ),
    )

    assert kinds(events) == {("school.pupil.left", "NEW"): 1}
    assert "exclusions_kept" in findings


def test_an_address_whose_table_did_not_come_is_not_corrected_away() -> None:
    home = table(ADDRESSES, "t1,SCH1,1,zz4 4zz,12,Fern Row,Eskmouth")
    with_home = export(pupilonroll=table(ROLL, ADA), addressesonroll=home)
    moved_out = export(pupilonroll=table(ROLL, ADA), addressesonroll=table(ADDRESSES))

    assert after(with_home, export(pupilonroll=table(ROLL, ADA)))[0] == []
    assert after(with_home, export(pupilonroll=table(ROLL, ADA), addressesonroll=table(ADDRESSES, "t1,SCH1")))[0] == []
    assert kinds(after(with_home, moved_out)[0]) == {("school.pupil.registered", "UPDATE"): 1}


def test_a_birth_date_that_cannot_be_read_corrects_nothing() -> None:
    for bad in ("2012-Nov-31 00:00:00", ""):
        spoiled = export(pupilonroll=table(ROLL, ADA, BEN.replace("2012-Nov-30 00:00:00", bad)))
        assert after(export(pupilonroll=PUPILS), spoiled)[0::2] == ([], [])


def test_a_corrected_pupil_number_is_a_correction_of_the_same_pupil() -> None:
    memory = MemoryInHand()
    registered = [event for event in read(WHOLE, memory)[0] if event.header.occurred_at == "2024-09-03"]
    corrected = BEN.replace(f"{UPN_B},", f"{UPN_C},{UPN_B}", 1)
    again = export(pupilonroll=table(ROLL, ADA, corrected), termlyexclusionsonroll=table(EXCLUDED, *DAYS))
    events, findings = read(again, memory)

    assert [(event.header.event_type, event.header.action, event.header.supersedes) for event in events] == [
        ("school.pupil.registered", Action.UPDATE, registered[0].header.event_id)
    ]
    assert events[0].body["identity"]["identifiers"][0]["value"] == UPN_C
    assert findings == []
    assert read(again, memory) == ([], [])


def test_a_corrected_first_day_is_a_correction_of_the_same_suspension() -> None:
    memory = MemoryInHand()
    first = export(pupilonroll=PUPILS, termlyexclusionsonroll=table(EXCLUDED, DAYS[0]))
    mended = export(pupilonroll=PUPILS, termlyexclusionsonroll=table(EXCLUDED, DAYS[0].replace("Oct-06", "Oct-07")))
    told = one(read(first, memory)[0], "school.suspension")
    (update,) = read(mended, memory)[0]

    assert (update.header.action, update.header.supersedes) == (Action.UPDATE, told.header.event_id)
    assert update.body["concern"]["starts_on"] == "2025-10-07"
    assert read(mended, memory) == ([], [])


def test_a_new_suspension_beside_one_that_cannot_be_read_is_new() -> None:
    rows = (DAYS[0].replace("SUSP", "SUS"), SUSPENDED.replace("Oct-06", "Nov-03"))
    events, _, _ = after(
        export(pupilonroll=PUPILS, termlyexclusionsonroll=table(EXCLUDED, DAYS[0])),
        export(pupilonroll=PUPILS, termlyexclusionsonroll=table(EXCLUDED, *rows)),
    )

    assert kinds(events) == {("school.suspension", "NEW"): 1}
