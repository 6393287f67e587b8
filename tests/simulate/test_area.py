from datetime import date

import pytest

from broker.core.model.identifiers import nhs_number_is_valid, upn_is_valid
from broker.simulate import numbers
from broker.simulate.area import Area, desks

AREA = Area(seed=3, children=400, stories=10, until=date(2026, 11, 20))


def test_every_number_is_sound_and_given_to_nobody():
    for child in range(0, 30_000, 7):
        assert nhs_number_is_valid(numbers.nhs_number(child))
        assert numbers.nhs_number(child).startswith("999")
        assert upn_is_valid(numbers.unique_pupil_number(child))
        assert not upn_is_valid(numbers.unique_pupil_number(child, wrong_letter=True))


@pytest.mark.search
def test_no_two_children_share_a_number():
    many = 300_000

    assert many == len({numbers.nhs_number(child) for child in range(many)})


@pytest.mark.parametrize("household", [0, 1, 3_999, 4_000, 399_999])
def test_a_safe_postcode_is_never_an_ordinary_one(household):
    assert numbers.postcode(household, safe=True)[2] == "9"
    assert numbers.postcode(household, safe=True) != numbers.postcode(household)


def test_a_family_is_the_same_whenever_it_is_asked_for():
    assert AREA.family(7, [3, 12], 40) == AREA.family(7, [3, 12], 40)


def test_children_have_the_age_that_was_asked_for_all_week():
    (child,) = AREA.family(7, [12], 40)

    for day in (AREA.first_day, AREA.until):
        had_birthday = (day.month, day.day) >= (child.birth_date.month, child.birth_date.day)
        assert day.year - child.birth_date.year - (not had_birthday) == 12


def test_families_without_a_story_fill_the_area_exactly():
    found = list(AREA.others(20, 25))

    assert list(range(25, 400)) == [child.number for child in found]


def test_every_school_has_a_lead_and_somebody_else_for_conflicts():
    for school in AREA.schools:
        assert desks(AREA)["dsl", school.id] != desks(AREA)["deputy_dsl", school.id]
