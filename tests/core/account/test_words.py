"""Codes become plain words, and what nobody knows stays as it stands."""

import pytest

from broker.core.account.words import Words, born_in_words, instant_in_words, time_in_words, until_in_words, words_of
from broker.policyfile import load_policy


def test_an_instant_is_said_in_local_time_on_either_side_of_summer_time() -> None:
    assert instant_in_words(1_782_900_000_000) == "Wed 1 Jul 2026 at 11:00"
    assert instant_in_words(1_798_794_000_000) == "Fri 1 Jan 2027 at 09:00"


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (1_795_737_600_000, "the end of Thu 26 Nov 2026, at midnight"),
        (1_795_737_660_000, "Fri 27 Nov 2026 at 00:01"),
        (1_782_860_400_000, "the end of Tue 30 Jun 2026, at midnight"),
        (1_795_714_200_000, "Thu 26 Nov 2026 at 17:30"),
    ],
)
def test_until_midnight_is_the_end_of_the_day_before(at: int, said: str) -> None:
    """`By Fri 27 Nov at 00:00` is read as the end of Friday."""
    assert until_in_words(at) == said


@pytest.mark.parametrize(
    ("written", "said", "why"),
    [
        ("2026-11-15T15:24:00Z", "Sun 15 Nov 2026 at 15:24", "a time with a zone"),
        ("2026-07-15T15:24+00:00", "Wed 15 Jul 2026 at 16:24", "summer time"),
        ("2026-11-15T15:24", "Sun 15 Nov 2026 at 15:24", "a local time"),
        ("2026-11-15", "Sun 15 Nov 2026", "a day only"),
        ("2026-11", "2026-11", "no more than the source said"),
        ("", "", "nothing"),
        ("last Tuesday", "last Tuesday", "free text"),
    ],
)
def test_a_time_is_said_as_people_do(written: str, said: str, why: str) -> None:
    assert time_in_words(written) == said, why


def test_a_date_of_birth_has_no_day_of_the_week() -> None:
    assert [born_in_words(text) for text in ("2022-05-02", "2022")] == ["2 May 2022", "2022"]


def test_every_event_type_role_and_basis_of_the_policy_has_words() -> None:
    words = words_of(load_policy())

    assert not [name for name in words.events if words.event(name) == name or not words.event(name)[0].isupper()]
    assert all(words.roles.values())
    assert not [name for name, said in words.bases.items() if not said or said.isupper()]


def test_names_stand_instead_of_ids_in_a_sentence_and_unknown_ids_stay() -> None:
    words = Words(names={"ods:RZ901": "Eskmouth Hospital", "urn:1": "Oak School"})

    assert words.named("safeguarding desk of ods:RZ901.") == "safeguarding desk of Eskmouth Hospital."
    assert words.named("ask urn:100 at 09:00") == "ask urn:100 at 09:00"
    assert (words.name("urn:1"), words.name("urn:2")) == ("Oak School (urn:1)", "urn:2")
