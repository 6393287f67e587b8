"""Who the children of a return are: one that stands twice, another under the same id, and who one is now."""

import pytest

from broker.core.model.event import Action
from tests.connectors.councils.cin_files import a_child, a_plan, an_episode, group
from tests.connectors.councils.test_snapshots import CALM, read_all, series


def test_a_child_that_stands_twice_is_one_child() -> None:
    plan, review = a_plan(start="2026-01-11"), group("CINPlanDates", CINPlanStartDate="2026-01-12")
    twice = [*CALM, a_child("A", an_episode(plan)), a_child("A", an_episode(review))]
    answers = read_all(*series(CALM, twice, twice))

    assert len(answers[1][0]) == 4
    assert answers[2][0] == []


def test_records_of_one_child_that_differ_are_named_and_the_first_counts_for_good() -> None:
    """Else each would correct the other, return after return."""
    twice = [*CALM, a_child("A", an_episode(ReferralSource="6")), a_child("A", an_episode(ReferralSource="3A"))]
    answers = read_all(*series(CALM, twice, twice))

    assert [event.body["concern"].get("referral_source") for event in answers[1][0] if "concern" in event.body] == ["6"]
    assert [finding.rule for finding in answers[1][1]] == ["child-twice"]
    assert [event.header.event_type for event in answers[2][0]] == []


def test_a_second_child_under_the_same_id_is_not_taken_and_nobody_missing_is_taken_back() -> None:
    """The other record may be of any child that is missing, under a wrong id."""
    before = [*CALM, a_child("A", an_episode()), a_child("B", an_episode(a_plan()), PersonBirthDate="2010-09-09")]
    after = [*CALM, a_child("A", an_episode()), a_child("A", an_episode(ReferralSource="3A"), PersonBirthDate="2010-09-09")]
    events, findings = read_all(*series(before, after))[1]

    assert events == []
    assert [finding.rule for finding in findings] == ["child-clash", "kept-unread"]


BEFORE = a_child("A", an_episode(referred="2025-04-02") + an_episode())


@pytest.mark.parametrize(
    ("before", "after", "part", "now"),
    [
        (BEFORE, BEFORE.replace("2016-04-02", "2016-04-20"), "birth_date", "2016-04-20"),
        (BEFORE.replace("PersonBirthDate", "ExpectedPersonBirthDate"), BEFORE, "birth_date", "2016-04-02"),
        (BEFORE, BEFORE.replace("<Sex>F", "<Sex>M"), "sex", "M"),
    ],
    ids=["birth date", "born", "sex"],
)
def test_who_a_child_is_now_is_told_once_as_a_correction(before: str, after: str, part: str, now: str) -> None:
    """Of a first return nothing was told to anybody, so the correction is for the record alone too."""
    answers = read_all(*series([*CALM, before], [*CALM, after], [*CALM, after]))
    first = {
        event.header.event_id: event.header.event_type for event in answers[0][0] if event.header.occurred_at == "2025-06-02"
    }
    (update,) = answers[1][0]

    assert (update.header.action, update.header.attributes) == (Action.UPDATE, {"history": "yes"})
    assert first[update.header.supersedes or ""] == update.header.event_type == "council.referral.received"
    assert update.body["identity"][part] == now  # type: ignore[literal-required] # a part of an identity
    assert update.body["concern"]["referral_source"] == "6"
    assert answers[2] == ([], [])


def test_who_a_child_is_now_reaches_those_who_were_told_last() -> None:
    told = a_child("A", an_episode(a_plan(start="2026-01-11")))
    answers = read_all(
        *series([*CALM, a_child("A", an_episode())], [*CALM, told], [*CALM, told.replace("2016-04-02", "2016-04-20")])
    )
    (plan,), (update,) = answers[1][0], answers[2][0]

    assert (update.header.supersedes, update.header.attributes) == (plan.header.event_id, {})


def test_a_birth_date_or_sex_that_is_lost_or_unread_corrects_nobody() -> None:
    whole = a_child("A", an_episode())
    for good, bad in (("2016-04-02", ""), ("2016-04-02", "soon"), ("<Sex>F", "<Sex>x"), ("<Sex>F</Sex>", "")):
        answers = read_all(*series([*CALM, whole], [*CALM, whole.replace(good, bad)], [*CALM, whole]))
        assert [events for events, _ in answers[1:]] == [[], []]
