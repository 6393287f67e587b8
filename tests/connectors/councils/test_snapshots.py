"""What a series of returns says: news, corrections, disappearances, and new years."""

import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.intake.delivery import Delivery, Finding
from broker.core.model.event import Action, Event, Sector
from broker.core.model.registers import Agency
from connectors.councils.cin_census import CinCensus
from tests.connectors.contract import RECEIVED, Case, MemoryInHand
from tests.connectors.councils.cin_files import a_child, a_plan, a_return, an_episode, group

CASE = Case(CinCensus(), {}, {}, 0, ())
DAYS = [f"2026-01-{day:02}T09:00:00" for day in range(10, 31)]
CALM = tuple(a_child(f"N{number}", an_episode()) for number in range(30))  # so that one child is no mass


def read_all(*returns: bytes, accept: bool = False, accept_at: int = 0) -> list[tuple[list[Event], list[Finding]]]:
    """What each of a series of returns yields; `accept` is the person's word with the last one, `accept_at` with that one."""
    memory = MemoryInHand()
    answers = []
    for at, content in enumerate(returns, 1):
        delivery = CASE.delivery({"cin.xml": content})
        accepted = at == (len(returns) if accept else accept_at)
        delivery = Delivery(delivery.agency, RECEIVED, delivery.pieces, accept_disappearances=accepted)
        yielded = list(CinCensus().read(delivery, memory))
        answers.append(([one for one in yielded if isinstance(one, Event)], [one for one in yielded if isinstance(one, Finding)]))
    return answers


def series(*snapshots: Sequence[str]) -> list[bytes]:
    """Returns of one year, a day apart."""
    return [a_return(*children, at=at) for children, at in zip(snapshots, DAYS, strict=False)]


def news(*snapshots: Sequence[str]) -> list[tuple[str, str | None, str]]:
    """Action, event type and date of what the last return says."""
    events, _ = read_all(*series(*snapshots))[-1]
    return [
        (event.header.action.value, event.header.occurred_at, event.header.event_type.removeprefix("council."))
        for event in events
    ]


def test_the_same_return_again_says_nothing() -> None:
    assert news(CALM, CALM) == []


def test_a_new_child_and_a_new_plan_are_told() -> None:
    before = [*CALM, a_child("A", an_episode())]
    after = [*CALM, a_child("A", an_episode(a_plan(start="2026-01-11"))), a_child("B", an_episode(referred="2026-01-09"))]

    assert news(before, after) == [
        ("NEW", "2026-01-11", "cp_plan.started"),
        ("NEW", "2026-01-09", "referral.received"),
        ("NEW", "2026-01-09", "case.opened"),
    ]
    assert all(not event.header.attributes for event in read_all(*series(before, after))[1][0])


def test_a_changed_category_is_an_event_of_the_day_of_the_return() -> None:
    plans = [[*CALM, a_child("A", an_episode(a_plan(latest=latest)))] for latest in ("NEG", "PHY", "NEG")]

    assert news(*plans[:2]) == [("NEW", "2026-01-11", "cp_plan.category_changed")]
    assert news(*plans) == [("NEW", "2026-01-12", "cp_plan.category_changed")]


def test_a_first_return_tells_of_a_category_that_had_changed() -> None:
    assert ("NEW", "2026-01-10", "cp_plan.category_changed") in news(
        [a_child("A", an_episode(a_plan(first="NEG", latest="SAB")))]
    )


def test_a_correction_supersedes_what_it_corrects() -> None:
    first, second, third = (
        [*CALM, a_child("A", an_episode(a_plan(CPPendDate=day)))] for day in ("2026-01-05", "2026-01-06", "2026-01-05")
    )
    answers = read_all(*series(first, second, third))
    (original,) = [event for event in answers[0][0] if event.header.event_type == "council.cp_plan.ended"]
    (corrected,), (again,) = answers[1][0], answers[2][0]

    assert (corrected.header.action, corrected.header.supersedes) == (Action.UPDATE, original.header.event_id)
    assert (again.header.action, again.header.supersedes) == (Action.UPDATE, corrected.header.event_id)
    assert again.header.event_id != original.header.event_id  # or it would pass for a duplicate
    assert original.header.sequence < corrected.header.sequence < again.header.sequence


def test_factors_added_when_an_assessment_is_authorised_are_told_once() -> None:
    begun = group("Assessments", AssessmentActualStartDate="2025-07-01")
    factors = group("FactorsIdentifiedAtAssessment", "<AssessmentFactors>16A</AssessmentFactors>")
    done = group("Assessments", factors, AssessmentActualStartDate="2025-07-01", AssessmentAuthorisationDate="2026-01-08")

    assert news([*CALM, a_child("A", an_episode(begun))], [*CALM, a_child("A", an_episode(done))]) == [
        ("NEW", "2026-01-08", "assessment.authorised")
    ]


def test_what_disappears_is_taken_back() -> None:
    before = [*CALM, a_child("A", an_episode(a_plan())), a_child("B", an_episode())]
    after = [*CALM, a_child("A", an_episode())]
    answers = read_all(*series(before, after))
    told = {event.header.event_id: event for event in answers[0][0]}
    events, findings = answers[1]

    assert {event.header.action for event in events} == {Action.RETRACT}
    assert sorted(event.header.event_type for event in events) == [
        "council.case.opened",
        "council.cp_plan.started",
        "council.referral.received",
    ]
    for event in events:
        assert told[event.header.supersedes or ""].header.event_type == event.header.event_type
        assert event.body == {"identity": told[event.header.supersedes or ""].body["identity"]}
    assert [finding.rule for finding in findings] == ["disappearance"]


def test_a_corrected_start_is_a_correction_of_the_plan() -> None:
    """Never a new plan and then the old one taken back: what the old one began would end with it."""
    before, after = ([*CALM, a_child("A", an_episode(a_plan(start=day)))] for day in ("2025-07-01", "2025-07-02"))
    answers = read_all(*series(before, after))
    (plan,) = [event for event in answers[0][0] if event.header.event_type == "council.cp_plan.started"]
    (moved,), findings = answers[1]

    assert (moved.header.action, moved.header.supersedes) == (Action.UPDATE, plan.header.event_id)
    assert moved.header.occurred_at == "2025-07-02"
    assert not findings


def test_a_corrected_referral_date_moves_all_that_hangs_on_it() -> None:
    before, after = (
        [*CALM, a_child("A", an_episode(a_plan(CPPendDate="2025-12-01"), referred=day))] for day in ("2025-06-01", "2025-06-02")
    )
    events, findings = read_all(*series(before, after))[1]

    assert [(event.header.event_type, event.header.action) for event in events] == [
        ("council.referral.received", Action.UPDATE),
        ("council.case.opened", Action.UPDATE),
        ("council.cp_plan.started", Action.UPDATE),
        ("council.cp_plan.ended", Action.UPDATE),
    ]
    assert not findings


def test_what_comes_back_after_it_was_taken_back_is_new() -> None:
    with_b, without_b = [*CALM, a_child("B", an_episode())], list(CALM)
    answers = read_all(*series(with_b, without_b, with_b))

    assert [event.header.action for event in answers[2][0]] == [Action.NEW, Action.NEW]
    assert not {event.header.event_id for event in answers[2][0]} & {event.header.event_id for event in answers[0][0]}


@pytest.mark.parametrize(
    ("before", "after", "held", "why"),
    [
        (30, 29, False, "one of many"),
        (300, 294, False, "six of three hundred are 2 %"),
        (300, 290, True, "ten of three hundred"),
        (10, 2, True, "most of a few"),
        (16, 11, False, "five of sixteen are less than a third"),
        (11, 6, True, "five are few, of eleven they are many"),
        (6, 4, False, "two of six"),
        (5, 3, True, "two of five"),
        (3, 2, False, "one of three"),
        (2, 1, True, "one of two"),
        (2, 0, True, "all of them"),
        (1, 0, True, "an empty return is never believed"),
    ],
)
def test_a_mass_disappearance_waits_for_a_person(before: int, after: int, held: bool, why: str) -> None:
    children = [a_child(f"N{number:03}", an_episode()) for number in range(before)]
    events, findings = read_all(*series(children, children[:after]))[1]

    assert [finding.rule for finding in findings] == ["mass-disappearance" if held else "disappearance"], why
    assert len(events) == (0 if held else 2 * (before - after)), why


def test_slow_losses_add_up_over_the_year() -> None:
    """Each return loses less than asks for a person: from one in twenty of the year a person is asked all the same."""
    children = [a_child(f"N{number:03}", an_episode()) for number in range(400)]
    answers = read_all(*series(children, *(children[: 400 - 7 * lost] for lost in range(1, 5))))

    assert [[finding.rule for finding in findings] for _, findings in answers[1:]] == [
        *[["disappearance"]] * 2,
        *[["mass-disappearance"]] * 2,
    ]
    assert answers[3][1][0].message == (
        "7 of 386 children lost records since the return before (14 more in the returns before of this year): "
        "nothing was taken back"
    )
    assert [len(events) for events, _ in answers[1:]] == [14, 14, 0, 0]


def test_a_persons_word_and_a_new_year_begin_the_count_of_losses_anew() -> None:
    children = [a_child(f"N{number:03}", an_episode()) for number in range(400)]
    steps = [children[: 400 - 7 * lost] for lost in range(5)]
    confirmed = read_all(*series(*steps), accept_at=4)[3:]
    year = [a_return(*step, year=2025, at=at) for step, at in zip(steps[:3], DAYS, strict=False)]
    new_year = read_all(*year, *(a_return(*step, at=f"2026-04-0{at}T09:00:00") for at, step in enumerate(steps[2:4], 1)))[-1]

    assert [len(events) for events, _ in confirmed] == [14, 14]
    assert ([one.rule for one in new_year[1]], len(new_year[0])) == (["disappearance"], 14)


def test_records_lost_from_children_who_stay_are_a_mass_disappearance_too() -> None:
    before = [a_child(f"N{number:03}", an_episode(a_plan())) for number in range(40)]
    after = [a_child(f"N{number:03}", an_episode()) for number in range(40)]
    events, findings = read_all(*series(before, after))[1]

    assert not events
    assert [(finding.rule, finding.message) for finding in findings] == [
        ("mass-disappearance", "40 of 40 children lost records since the return before: nothing was taken back")
    ]


def test_the_only_child_of_a_return_loses_no_record_without_a_person() -> None:
    """One of one: the plan of the only child that a small council reports is not taken back because an export left it out."""
    full, less = series([a_child("A", an_episode(a_plan()))], [a_child("A", an_episode())])
    held, confirmed = read_all(full, less)[1], read_all(full, less, less, accept=True)[2]

    assert (held[0], [one.rule for one in held[1]]) == ([], ["mass-disappearance"])
    assert [event.header.action for event in confirmed[0]] == [Action.RETRACT]


def test_a_new_child_in_place_of_the_only_known_one_takes_nothing_back() -> None:
    """What another council's file looks like that came to the wrong inbox."""
    events, findings = read_all(*series([a_child("A", an_episode())], [a_child("B", an_episode()), a_child("C", an_episode())]))[
        1
    ]

    assert {event.header.action for event in events} == {Action.NEW}
    assert [one.rule for one in findings] == ["mass-disappearance"]


def test_a_person_confirms_by_delivering_the_same_file_again() -> None:
    children = [a_child(f"N{number}", an_episode()) for number in range(10)]
    full, less = series(children, children[:2])
    events, findings = read_all(full, less, less, accept=True)[-1]

    assert len(events) == 16
    assert {event.header.action for event in events} == {Action.RETRACT}
    assert [finding.rule for finding in findings] == ["disappearance"]
    assert read_all(full, less, less, less, accept=True)[-1][0] != []  # the word comes with the last one only


def test_a_held_disappearance_that_was_a_mistake_leaves_no_trace() -> None:
    children = [a_child(f"N{number}", an_episode(a_plan())) for number in range(10)]
    answers = read_all(*series(children, children[:2], children))

    assert answers[2] == ([], [])


def test_new_records_are_told_while_a_disappearance_waits() -> None:
    children = [a_child(f"N{number}", an_episode()) for number in range(10)]

    assert news(children, [a_child("N0", an_episode(a_plan(start="2026-01-11")))]) == [("NEW", "2026-01-11", "cp_plan.started")]


def test_a_new_year_takes_nothing_back_and_tells_what_is_new() -> None:
    old = a_return(a_child("A", an_episode(a_plan())), *CALM, year=2025, at="2026-03-20T09:00:00")
    new = a_return(
        a_child("A", an_episode(referred="2026-04-02")),
        a_child("Z", an_episode(referred="2024-03-28")),
        a_child("L", an_episode(a_plan(start="2025-03-19"), referred="2025-03-18")),
        year=2026,
        at="2026-04-10T09:00:00",
    )
    events, findings = read_all(old, new)[1]

    assert [(event.header.event_type, event.header.occurred_at, dict(event.header.attributes)) for event in events] == [
        ("council.referral.received", "2026-04-02", {}),
        ("council.case.opened", "2026-04-02", {}),
        ("council.referral.received", "2024-03-28", {"history": "yes"}),  # from before the old year: old history
        ("council.case.opened", "2024-03-28", {"history": "yes"}),
        ("council.referral.received", "2025-03-18", {}),  # of the old year, but not in its last return: entered late
        ("council.case.opened", "2025-03-18", {}),
        ("council.cp_plan.started", "2025-03-19", {}),
    ]
    assert not findings


EPISODES = st.lists(
    st.builds(
        lambda referred, plans: an_episode("".join(plans), referred=referred),
        st.sampled_from(["2025-05-01", "2025-06-01", "2025-07-01"]),
        st.lists(
            st.builds(
                lambda start, latest, end: a_plan(start=start, latest=latest, **({"CPPendDate": end} if end else {})),
                st.sampled_from(["2025-08-01", "2025-09-01"]),
                st.sampled_from(["NEG", "PHY", "SAB"]),
                st.sampled_from(["", "2025-12-01", "2025-12-02"]),
            ),
            max_size=2,
        ),
    ),
    min_size=1,
    max_size=2,
)
SNAPSHOTS = st.lists(st.dictionaries(st.sampled_from("ABCD"), EPISODES, max_size=4), min_size=1, max_size=5)


@pytest.mark.search
@settings(max_examples=80, deadline=None)
@given(SNAPSHOTS)
def test_what_stands_after_any_series_is_what_the_last_return_says(snapshots: list[dict[str, list[str]]]) -> None:
    """Follow news, corrections and retractions: what stands is what a first reading of the last return says."""
    returns = series(*([a_child(name, *episodes) for name, episodes in one.items()] for one in snapshots))
    memory, standing = MemoryInHand(), {}
    for content in returns:
        delivery = CASE.delivery({"cin.xml": content})
        for one in CinCensus().read(Delivery(delivery.agency, RECEIVED, delivery.pieces, accept_disappearances=True), memory):
            if isinstance(one, Event):
                assert one.header.event_id not in standing
                if one.header.supersedes:
                    del standing[one.header.supersedes]
                if one.header.action is not Action.RETRACT:
                    standing[one.header.event_id] = one
    fresh = read_all(returns[-1])[0][0]

    def seen(events: list[Event]) -> list[tuple[str, str, str | None]]:
        kept = [one for one in events if one.header.event_type != "council.cp_plan.category_changed"]  # each change stands
        return sorted(
            (one.header.event_type, one.body["identity"]["identifiers"][0]["value"], one.header.occurred_at) for one in kept
        )

    assert seen(list(standing.values())) == seen(fresh)


GROWTH = """
import resource, sys
from broker.core.intake.delivery import Delivery, Piece
from broker.core.model.event import Sector
from broker.core.model.registers import Agency
from connectors.councils.cin_census import CinCensus

class Nothing:
    def get(self, key): return None
    def put(self, key, value): pass
    def delete(self, key): pass
    def items(self, prefix): return iter(())

def peak(path):
    piece = Piece("cin.xml", 1, "0" * 64, lambda: open(path, "rb"))
    agency = Agency(id="E1", name="x", sector=Sector.COUNCILS, area="E1")
    read = sum(1 for one in CinCensus().read(Delivery(agency, 1790000000000, (piece,)), Nothing()))
    return read, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

small, large = peak(sys.argv[1]), peak(sys.argv[2])
print(large[0] // small[0], large[1] - small[1])
"""


@pytest.mark.search
def test_memory_does_not_grow_with_the_return(tmp_path) -> None:  # type: ignore[no-untyped-def] # pytest's
    """A return of 20 times the size takes no more than 4 MB more, where its elements alone would take ten times that."""
    for name, count in (("small", 500), ("large", 10_000)):
        children = (a_child(f"N{number}", an_episode(a_plan())) for number in range(count))
        (tmp_path / name).write_bytes(a_return(*children))
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, tmp_path / "small", tmp_path / "large"], capture_output=True, text=True, check=True
    )
    times, kilobytes = map(int, done.stdout.split())

    assert times >= 19
    assert kilobytes < 4096


def test_agencies_have_ids_of_their_own() -> None:
    content = a_return(a_child("A", an_episode()))
    ids = []
    for name in ("E10000098", "E10000099"):
        agency = Agency(id=name, name=name, sector=Sector.COUNCILS, area=name)  # type: ignore[arg-type] # a test's id
        yielded = CinCensus().read(Delivery(agency, RECEIVED, CASE.delivery({"cin.xml": content}).pieces), MemoryInHand())
        ids.append({one.header.event_id for one in yielded if isinstance(one, Event)})

    assert not ids[0] & ids[1]
