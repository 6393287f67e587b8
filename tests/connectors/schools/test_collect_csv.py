"""The tables of a COLLECT export: dates, numbers, and the index that goes to disk when it grows."""

import pytest

from connectors.schools.collect_csv import Index, iso_date, name_parts, term_of, whole


@pytest.mark.parametrize(
    ("text", "expected", "why"),
    [
        ("2025-Feb-14 00:00:00", "2025-02-14", "as COLLECT writes it"),
        ("2025-02-14", "2025-02-14", "ISO"),
        ("2025-02-14T00:00:00", "2025-02-14", "ISO with a time"),
        ("14/02/2025", "2025-02-14", "as a spreadsheet saves it"),
        ("2025-Feb-30 00:00:00", None, "no such day"),
        ("2025-Foo-14", None, "no such month"),
        ("14.02.2025", None, "no form that is known"),
        ("0000-01-01", None, "no such year"),
        ("", None, "nothing"),
    ],
)
def test_dates_are_read_in_every_form_seen(text: str, expected: str | None, why: str) -> None:
    assert iso_date(text) == expected, why


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10", 10), ("10.0", 10), ("10.00", 10), ("10.5", None), ("-1", None), ("", None), ("1e9", None), ("²", None)],
)
def test_numbers_are_whole_or_none(text: str, expected: int | None) -> None:
    assert whole(text) == expected


def test_a_file_s_name_tells_its_set_and_its_table() -> None:
    assert name_parts("/in/2025_Spring_PupilNoLongerOnRoll.csv") == ("2025_spring_", "pupilnolongeronroll")
    assert name_parts("2025_spring_fsmperiodsonroll.csv") == ("2025_spring_", "fsmperiodsonroll")
    assert name_parts("pupils.csv") is None


def test_terms_are_in_the_order_of_the_calendar() -> None:
    terms = [term_of(name) for name in ("2024_autumn_x.csv", "2025_spring_x.csv", "x-2025-SUM.csv", "autumn 2025")]

    assert terms == sorted(terms)
    assert all(terms)
    assert term_of("pupilonroll.csv") == ""


@pytest.mark.parametrize("spill", [0, 3, 1_000], ids=["all on disk", "some on disk", "all in memory"])
def test_rows_are_found_once_wherever_they_are_kept(spill: int) -> None:
    index = Index(spill)
    for number in range(20):
        index.add(f"pupil {number % 4}", [number, "row"])
    index.close_writing()

    assert index.take("pupil 1") == [[number, "row"] for number in (1, 5, 9, 13, 17)]
    assert index.take("pupil 1") == []
    assert index.take("nobody") == []
    assert sorted(row[0] for row in index.left()) == [number for number in range(20) if number % 4 != 1]
    index.close()
