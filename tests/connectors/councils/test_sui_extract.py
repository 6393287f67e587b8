"""The council's identity extract: both forms, what is wrong in them, and what changes from one extract to the next."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.intake.delivery import Finding
from broker.core.model.event import Action, Event
from broker.errors import DeliveryError
from connectors.councils.sui_extract import SuiExtract
from tests.connectors import contract
from tests.connectors.contract import Case, MemoryInHand

COLUMNS = "Column1,SourceID,DOB,Surname,Forename,Gender,PostCode,ActiveCP,NHSNumber"


def a_file(*rows: str, columns: str = COLUMNS) -> bytes:
    return "\r\n".join((columns, *rows, "")).encode()


ADA = ",7001,2015-03-09,Quill,Ada,Female,ab1 2cd,,9434765919"
BEN = ",7002,09/03/2014,Quill,Ben,M,AB12CD,,943 476 5919"
CLEO = ",7003,20130309,O'Neil-Vane,Cleo,U,,,"
FULL = a_file(ADA, BEN, CLEO)
DAMAGED = a_file(ADA, ',7002,09/03/2014,"Quill,Ben,M,AB12CD,,', CLEO)
CASE = Case(
    SuiExtract(), {"extract.csv": FULL}, {"extract.csv": DAMAGED}, 2, ("Quill", "7001", "7002", "9434765919", "AB1 2CD", "Cleo")
)


def read(content: bytes, memory: MemoryInHand | None = None) -> tuple[list[Event], list[Finding]]:
    return CASE.read({"extract.csv": content}, memory)


def rules(content: bytes) -> list[tuple[str, str]]:
    return [(finding.rule, finding.place) for finding in read(content)[1]]


@pytest.mark.parametrize("check", contract.CHECKS, ids=contract.name_of)
def test_it_keeps_the_contract(check: contract.Check) -> None:
    check(CASE)


def test_columns_without_anybody_are_an_error_and_not_an_extract_without_news() -> None:
    assert read(a_file())[0] == []
    assert rules(a_file()) == [("no-rows", "file")]


def test_a_row_says_who_a_local_id_is() -> None:
    event = read(FULL)[0][0]

    assert (event.header.event_type, event.header.action, event.header.area) == (
        "council.person.registered",
        Action.NEW,
        "E10000099",
    )
    assert event.body == {
        "identity": {
            "identifiers": [
                {"scheme": "la_child_id", "value": "7001", "issuer": "E10000099"},
                {"scheme": "nhs_number", "value": "9434765919", "check_ok": True},
            ],
            "names": [{"given": "Ada", "family": "Quill", "kind": "usual"}],
            "birth_date": "2015-03-09",
            "sex": "F",
            "sex_as_recorded": "Female",
        },
        "location": {"postcode": "AB1 2CD"},
    }


@pytest.mark.parametrize(
    ("written", "read_as", "why"),
    [
        ("2015-03-09", "2015-03-09", "ISO"),
        ("2015-03-09T00:00:00", "2015-03-09", "ISO with a clock that means nothing"),
        ("09/03/2015", "2015-03-09", "day first, as in the UK"),
        ("9/3/2015 00:00", "2015-03-09", "as a spreadsheet writes it"),
        ("20150309", "2015-03-09", "digits alone"),
        ("2015-03", "2015-03", "a month keeps its precision"),
        ("2015", "2015", "a year keeps its precision"),
        ("31/02/2015", None, "no such day"),
        ("03-09-2015", None, "could be either way round"),
        ("", None, "nothing"),
    ],
)
def test_birth_dates(written: str, read_as: str | None, why: str) -> None:
    events, findings = read(a_file(f",1,{written},Quill,Ada,F,,,"))

    assert [event.body["identity"].get("birth_date") for event in events] == ([read_as] if read_as else []), why
    assert ("birth-date" in {finding.rule for finding in findings}) is (read_as is None), why


@pytest.mark.parametrize(
    ("row", "rule", "events", "why"),
    [
        (",1,2015-03-09,Quill,Ada,F,,,9434765918", "nhs-number-check", 1, "wrong check digit: carried as such"),
        (",1,2015-03-09,Quill,Ada,F,,,434765919", "nhs-number-form", 1, "a spreadsheet cut the zero"),
        (",1,2015-03-09,Quill,Ada,F,,,94347659l9", "nhs-number-form", 1, "a letter l"),
        (",1,2015-03-09,Quill,Ada,F,NOT KNOWN,,", "postcode-form", 1, "words"),
        (",1,2015-03-09,Quill,Ada,F,ZZ99 3VZ,,", "postcode-nowhere", 1, "no fixed abode is nobody's address"),
        (",1,2015-03-09,Quill,Ada,X,,,", "sex-code", 1, "not a code we know"),
        (",1,2015-03-09,,Ada,F,,,", "name-missing", 1, "no surname"),
        (",1,2050-03-09,Quill,Ada,F,,,", "birth-date-future", 1, "not born yet"),
        (",,,,,,,,x", "nobody", 0, "nothing that tells who"),
        (",1,2015-03-09,Quill", "row-form", 0, "too short"),
        (",1,2015-03-09,Quill, Marsh,Ada,F,,,", "row-form", 0, "a comma in a name would shift every cell after it"),
        (",1," + "x" * 70_000, "row-too-long", 0, "too long"),
    ],
)
def test_what_is_wrong_is_found(row: str, rule: str, events: int, why: str) -> None:
    taken, findings = read(a_file(row, BEN))

    assert rule in {finding.rule for finding in findings}, why
    assert len(taken) == events + 1, why


def test_a_stray_quotation_mark_costs_one_row() -> None:
    events, findings = read(
        a_file(',1,2015-03-09,"Quill,Ada,F,,,', BEN, CLEO, *(f',{n},2015-03-09,"A ""B""",C,F,,,' for n in range(5)))
    )

    assert [finding.place for finding in findings] == ["line 2"]
    assert len(events) == 7
    assert events[-1].body["identity"]["names"][0]["family"] == 'A "B"'


def test_a_quoted_cell_may_go_over_lines() -> None:
    events, findings = read(a_file(',1,2015-03-09,"Quill\r\nVane",Ada,F,,,', BEN))

    assert [event.body["identity"]["names"][0]["family"] for event in events] == ["Quill Vane", "Quill"]
    assert events[1].header.source.location == "line 4"
    assert not findings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(encoding: str) -> None:
    content = a_file(
        ",1,2015-03-09,Łódź-Müller,Zoë,F,,,".replace("Łódź", "Lodz")
        if encoding == "cp1252"
        else ",1,2015-03-09,Łódź-Müller,Zoë,F,,,"
    )
    (event,), findings = read(content.decode().encode(encoding))

    assert event.body["identity"]["names"][0]["given"] == "Zoë"
    assert [finding.rule for finding in findings] == (["encoding"] if encoding == "cp1252" else [])


def test_semicolons_and_other_column_names_are_read() -> None:
    (event,), _ = read(b"Source ID;Date of birth;SURNAME;Given Name\n5;2015-03-09;Quill;Ada\n")

    assert event.body["identity"]["identifiers"][0]["value"] == "5"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"SourceID,Surname\n1,Quill\n", "forename and birth date"),
        (b"1,2015-03-09,Quill,Ada\n", "must name the columns"),
        (b"\x81\x8d\x8f not text", "encoding"),
        (b"", "empty"),
    ],
)
def test_a_file_without_what_tells_who_is_refused(content: bytes, words: str) -> None:
    with pytest.raises(DeliveryError, match=words):
        read(content)


def test_the_same_id_with_another_forename_is_an_alias() -> None:
    events, findings = read(a_file(ADA, ADA.replace("Ada", "Adelaide")))

    assert [event.header.action for event in events] == [Action.NEW, Action.UPDATE]
    assert events[1].header.supersedes == events[0].header.event_id
    assert events[1].header.sequence > events[0].header.sequence
    assert events[1].body["identity"]["names"] == [
        {"given": "Ada", "family": "Quill", "kind": "usual"},
        {"given": "Adelaide", "family": "Quill", "kind": "alias"},
    ]
    assert [(finding.rule, finding.place) for finding in findings] == [("local-id-twice", "line 3")]


def test_a_row_whose_birth_date_cannot_be_read_changes_nothing_of_what_was_told() -> None:
    memory = MemoryInHand()
    read(a_file(ADA), memory)

    events, findings = read(a_file(ADA.replace("2015-03-09", "03-09-2015")), memory)
    same, _ = read(a_file(ADA), memory)

    assert (events, same) == ([], [])
    assert [one.message for one in findings if one.severity == "error"] == [
        "no readable birth date, without which nobody is recognised: not taken"
    ]


def test_the_same_id_with_another_birth_date_is_not_taken() -> None:
    content = a_file(ADA, ADA.replace("2015-03-09", "2011-01-01"))

    assert len(read(content)[0]) == 1
    assert rules(content) == [("local-id-clash", "line 3")]


def test_only_who_is_new_or_changed_is_told_again() -> None:
    memory = MemoryInHand()
    first = read(a_file(ADA, ADA.replace("Ada", "Adelaide"), BEN), memory)[0]
    same = read(a_file(ADA, ADA.replace("Ada", "Adelaide"), BEN), memory)[0]
    moved = read(a_file(BEN.replace("AB12CD", "AB9 9ZZ"), CLEO), memory)[0]

    assert len(first) == 3
    assert same == []
    assert [(event.header.action, event.header.supersedes) for event in moved] == [
        (Action.UPDATE, first[2].header.event_id),
        (Action.NEW, None),
    ]


def test_a_birth_date_corrected_from_one_extract_to_the_next_is_an_update() -> None:
    memory = MemoryInHand()
    read(a_file(ADA), memory)
    (event,), findings = read(a_file(ADA.replace("2015-03-09", "2015-03-19")), memory)

    assert (event.header.action, event.body["identity"]["birth_date"]) == (Action.UPDATE, "2015-03-19")
    assert not findings


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@pytest.mark.search
@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=1, max_size=12), max_size=8))
def test_whatever_stands_in_the_cells_the_good_rows_come_through(rows: list[list[str]]) -> None:
    junk = [",".join(cell.replace('"', "").replace("\n", " ").replace("\r", " ") for cell in row) for row in rows]
    events, _ = read(a_file(*junk, BEN))

    assert [one for one in events if one.body["identity"]["names"][:1] == [{"given": "Ben", "family": "Quill", "kind": "usual"}]]


def test_sample_wide_form_by_hand(samples: Path) -> None:
    # Six rows, day first: a girl; one id twice with two forenames; a boy; one with 0449310999, of which the weighted sum is
    # 36 + 32 + 63 + 18 + 5 + 0 + 27 + 18 = 199 and 11 - 199 mod 11 = 10, so no check digit fits; one without a number.
    events, findings = read((samples / "councils/sui_extract/reconciliation_test_data.csv").read_bytes())

    assert [event.header.action.value for event in events] == ["NEW", "NEW", "UPDATE", "NEW", "NEW", "NEW"]
    assert {event.header.event_type for event in events} == {"council.person.registered"}
    assert [(finding.rule, finding.place) for finding in findings] == [
        ("local-id-twice", "line 4"),
        ("nhs-number-check", "line 6"),
    ]
    assert {event.body["identity"]["birth_date"] for event in events} == {"2008-09-20", "2005-06-03"}


def test_sample_narrow_form_by_hand(samples: Path) -> None:
    events, findings = read((samples / "councils/sui_extract/single_match.csv").read_bytes())

    assert [event.body["identity"]["birth_date"] for event in events] == ["2008-09-20"]
    assert not findings


def test_a_column_that_stands_twice_is_refused() -> None:
    with pytest.raises(DeliveryError, match="more than one column `dob`"):
        CASE.read({"people.csv": b"SourceID,Forename,Surname,DOB,DOB\n1,A,B,2016-04-02,2015-04-02\n"})
