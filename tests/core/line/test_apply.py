"""What each event changes in what is known about the child."""

from dataclasses import replace
from datetime import datetime

from broker.core.line.apply import apply_event
from broker.core.model.event import Action, Sector, ToldFamily
from broker.core.model.facts import Facts
from broker.core.model.identifiers import ChildRef, EventId, Millis
from tests.core.values import AT, COUNCIL, DAY, OTHER_SCHOOL, PRACTICE, SCHOOL, a_child, an_event, england

HOME = "E10000001"


def after(*events, facts=None, at=AT):
    facts = facts or Facts(child_ref=ChildRef("child"))
    for number, event in enumerate(events):
        facts = apply_event(facts, event, Millis(at + number), england())
    return facts


def from_school(event_type, number, school=SCHOOL, **said):
    return an_event(event_type, event_id=EventId(f"s-{number}"), producer=school, **said)


def from_council(event_type, number, **said):
    return an_event(event_type, event_id=EventId(f"c-{number}"), producer=said.pop("producer", HOME), **said)


def control(event_type, number, **said):
    by = said.pop("producer", HOME)
    return an_event(event_type, event_id=EventId(f"k-{number}"), producer=by, control=said)


def test_every_record_counts_and_is_remembered():
    facts = after(from_school("school.concern.raised", 1, sequence=7), from_school("school.suspension", 2))

    assert (facts.version, facts.at) == (2, AT + 1)
    assert facts.seen == {"s-1": 7, "s-2": 0}


def test_a_roll_begins_and_ends_a_tie_and_two_schools_may_have_one_child():
    begun = {"role": "school", "organisation": SCHOOL, "state": "begun"}
    facts = after(
        from_school("school.pupil.registered", 1, control=begun),
        from_school("school.pupil.registered", 2, OTHER_SCHOOL, control={**begun, "organisation": OTHER_SCHOOL}),
        from_school("school.pupil.left", 3, control={**begun, "state": "ended"}),
    )

    assert [(one.organisation, one.until) for one in facts.connections] == [(SCHOOL, AT + 2), (OTHER_SCHOOL, None)]


def test_a_school_that_says_no_more_is_itself_the_school():
    facts = after(from_school("school.pupil.registered", 1))

    assert [(one.relation, one.organisation) for one in facts.connections] == [("school", SCHOOL)]


def test_a_new_practice_takes_the_place_of_the_old_one():
    gp = {"role": "gp", "state": "begun"}
    facts = after(
        an_event("health.gp.registered", event_id=EventId("1"), control={**gp, "organisation": PRACTICE}),
        an_event("health.gp.registered", event_id=EventId("2"), control={**gp, "organisation": "ods:B"}),
    )

    assert [(one.organisation, one.until) for one in facts.connections] == [(PRACTICE, AT + 1), ("ods:B", None)]


def test_the_same_tie_said_again_ends_once_and_never_fills_the_facts():
    begun = {"role": "social_care", "organisation": COUNCIL, "state": "begun", "since": "2026-01-01"}
    opened = [from_council("council.case.opened", number, control=begun) for number in range(9)]
    facts = after(*opened)
    assert len(facts.connections) == 4

    closed = from_council("council.case.closed", 9, control={**begun, "state": "ended"})
    assert all(one.until is not None for one in after(closed, facts=facts).connections)


def test_of_two_plans_that_last_the_one_that_is_not_taken_back_still_holds():
    """A plan that was entered twice and taken back once is still a plan: who must know goes on hearing."""
    back = from_council("council.cp_plan.started", 3, action=Action.RETRACT, supersedes=EventId("c-1"))
    facts = after(from_council("council.cp_plan.started", 1), from_council("council.cp_plan.started", 2), back)

    assert [(one.name, one.until, one.event_id) for one in facts.statuses] == [("cp_plan", None, "c-2")]


def test_of_two_registrations_at_one_school_the_one_that_is_not_taken_back_still_holds():
    back = from_school("school.pupil.registered", 3, action=Action.RETRACT, supersedes=EventId("s-1"))
    facts = after(from_school("school.pupil.registered", 1), from_school("school.pupil.registered", 2), back)

    assert [(one.organisation, one.until) for one in facts.connections] == [(SCHOOL, None)]


def test_a_plan_is_a_status_of_the_council_that_made_it():
    made = from_council("council.cp_plan.started", 1, body={"concern": {"category_of_abuse": "NEG", "starts_on": "2026-11-01"}})
    elsewhere = from_council("council.cp_plan.ended", 2, producer="E10000002")

    (status,) = after(made, elsewhere).statuses
    assert (status.name, status.organisation, status.detail, status.until) == ("cp_plan", COUNCIL, "NEG", None)
    assert status.since < AT
    ended, _ = after(made, from_council("council.cp_plan.ended", 3)).statuses
    assert (ended.until, ended.ended_by) == (AT + 1, "c-3")


def test_what_is_said_to_begin_later_counts_from_now_for_a_status():
    (status,) = after(from_council("council.care.started", 1, body={"concern": {"starts_on": "2027-05-01"}})).statuses

    assert status.since == AT


def test_consent_service_and_told_family_are_three_fields():
    """I6: none of them changes another, and none is a lawful basis."""
    facts = after(
        control("control.consent", 1, state="refused"),
        control("control.service_agreement", 2, state="given"),
        control("control.told_family", 3, state="NOT_SAFE", concerns_event="e-9"),
    )

    assert [(one.kind, one.state) for one in facts.agreements] == [("consent", "refused"), ("service", "given")]
    assert facts.told == {"e-9": "NOT_SAFE"}


def test_the_last_words_on_an_agreement_are_kept_for_each_scope_in_their_order():
    facts = after(
        *(control("control.service_agreement", number, state="refused") for number in range(1, 4)),
        control("control.service_agreement", 4, state="given"),
        control("control.service_agreement", 5, state="given", recipients=["family_help@home"]),
        control("control.service_agreement", 6, state="withdrawn"),
    )

    assert [(one.state, set(one.recipients)) for one in facts.agreements] == [
        ("refused", set()),
        ("refused", set()),
        ("given", set()),
        ("given", {"family_help@home"}),
        ("withdrawn", set()),
    ]


def test_only_who_set_a_protection_lifts_it():
    safe = control("control.protection", 1, kind="safe_address", state="set")
    facts = after(safe, control("control.protection", 2, kind="safe_address", state="lifted", producer="police:1"))
    assert [one.until for one in facts.protections] == [None]

    facts = after(safe, control("control.protection", 3, kind="safe_address", state="lifted"))
    assert [one.until for one in facts.protections] == [AT + 1]


def test_a_protection_outlives_its_retraction_but_not_its_lifting():
    """R10: a mistaken or hostile retraction takes no protection away, and one of a lifting brings it back."""
    safe = control("control.protection", 1, kind="safe_address", state="set")
    lifted = control("control.protection", 2, kind="safe_address", state="lifted")

    def taken_back(event_id):
        return control("control.retraction", 9, concerns_event=event_id)

    assert [one.until for one in after(safe, taken_back("k-1")).protections] == [None]
    assert [one.until for one in after(safe, lifted, taken_back("k-2")).protections] == [None]


def test_a_finding_is_made_lapses_and_is_withdrawn_by_the_role_that_made_it():
    made = control("control.finding", 1, kind="coercion", state="made", by_role="clinician", until="2027-01-01")
    lapsed = control("control.finding", 2, kind="coercion", state="lapsed", by_role="clinician")

    assert [(one.kind, one.lapsed) for one in after(made).findings] == [("coercion", False)]
    assert [one.lapsed for one in after(made, lapsed).findings] == [True]
    other = control("control.finding", 3, kind="coercion", state="withdrawn", by_role="teacher")
    assert len(after(made, other).findings) == 1
    own = control("control.finding", 3, kind="coercion", state="withdrawn", by_role="clinician")
    assert after(made, own).findings == ()


def test_a_retraction_undoes_what_the_event_began_and_what_it_ended():
    begun = {"role": "school", "organisation": SCHOOL, "state": "begun"}
    joined = from_school("school.pupil.registered", 1, control=begun)
    left = from_school("school.pupil.left", 2, control={**begun, "state": "ended"})
    not_left = from_school("school.pupil.left", 3, action=Action.RETRACT, supersedes=EventId("s-2"))

    facts = after(joined, left, not_left)
    assert [one.until for one in facts.connections] == [None]
    assert facts.cancelled == {"s-2"}


def test_a_retraction_that_comes_first_cancels_its_event():
    plan = from_council("council.cp_plan.started", 1)
    back = from_council("council.cp_plan.started", 2, action=Action.RETRACT, supersedes=EventId("c-1"))

    assert after(back, plan).statuses == ()


def test_a_correction_replaces_what_the_first_word_changed():
    first = from_council("council.cp_plan.started", 1, body={"concern": {"category_of_abuse": "NEG"}})
    second = from_council(
        "council.cp_plan.started",
        2,
        action=Action.UPDATE,
        supersedes=EventId("c-1"),
        body={"concern": {"category_of_abuse": "PHY"}},
    )

    assert [(one.detail, one.event_id) for one in after(first, second).statuses] == [("PHY", "c-2")]


def test_every_referral_is_a_matter_of_its_own_until_it_closes():
    """R22."""
    concern, later = from_school("school.concern.raised", 1), an_event("police.encompass.notified", event_id=EventId("p"))
    outcome = from_council("council.referral.outcome", 2)
    c, o = concern.header.event_id, outcome.header.event_id

    assert after(concern, later).referrers == {c: SCHOOL, "p": "police:1"}
    assert after(concern, outcome).matters == {c: o}
    assert after(concern, outcome, later).matters == {c: o, "p": ""}
    assert after(concern, later, outcome).matters == {c: o, "p": o}, "who does not say which speaks of all"


def test_an_outcome_that_names_its_referral_closes_that_one_and_taken_back_opens_it_again():
    concern, later = from_school("school.concern.raised", 1), an_event("police.encompass.notified", event_id=EventId("p"))
    outcome = replace(from_council("council.referral.outcome", 2), control={"concerns_event": "p"})
    back = from_council("council.referral.outcome", 3, action=Action.RETRACT, supersedes=outcome.header.event_id)

    assert after(concern, later, outcome).matters == {concern.header.event_id: "", "p": outcome.header.event_id}
    assert after(concern, later, outcome, back).matters == {"p": "", concern.header.event_id: ""}


def test_a_later_version_of_a_referral_leaves_its_matter_as_it_stands_and_one_taken_back_is_no_matter():
    concern, outcome = from_school("school.concern.raised", 1), from_council("council.referral.outcome", 2)
    c = concern.header.event_id
    update = from_school("school.concern.raised", 3, action=Action.UPDATE, supersedes=c)
    back = from_school("school.concern.raised", 4, action=Action.RETRACT, supersedes=update.header.event_id)

    assert after(concern, outcome, update).matters == {c: outcome.header.event_id}
    assert after(concern, outcome, update).referrers == {c: SCHOOL}
    assert after(concern, update, back).referrers == {}


def test_who_registers_people_says_birth_date_and_home():
    pupil = after(an_event("school.pupil.registered", body={"identity": {"birth_date": "2015-05-05"}}, area="E10000002"))
    assert (pupil.birth_date, pupil.home_area) == ("2015-05-05", None), "whose a child is, its council says"
    row = {"producer": "E10000002", "sector": Sector.COUNCILS, "area": "E10000002"}
    facts = after(an_event("council.person.registered", event_id=EventId("k-0"), **row), facts=pupil)
    assert facts.home_area == "E10000002"

    tie = {"role": "home_area", "organisation": "la:E10000003"}
    by = {"producer": "E10000003", "sector": Sector.COUNCILS}
    moved = an_event("council.person.registered", event_id=EventId("k-1"), control=tie, **by)
    assert after(moved, facts=facts).home_area == "E10000003"
    for said_by in ({**by, "producer": "E10000004"}, {"producer": "police:1"}):
        claimed = an_event("council.person.registered", event_id=EventId("k-2"), control=tie, **said_by)
        assert after(claimed, facts=facts).home_area == "E10000002", "nobody says it of another"
    row |= {"producer": "E10000005", "area": "E10000005"}
    assert after(an_event("council.person.registered", event_id=EventId("k-3"), **row), facts=facts).home_area == "E10000002"
    assert after(an_event(area="E10000009"), facts=facts).home_area == "E10000002"


def test_a_wish_and_what_the_family_was_told_are_kept():
    facts = after(control("control.wish", 1, kind="advocate", state="wanted"), an_event(told_family=ToldFamily.NOT_SAFE))

    assert facts.wishes == {"advocate": "wanted"}
    assert facts.told == {"event-1": "NOT_SAFE"}


def test_what_ended_long_ago_is_forgotten():
    begun = {"role": "school", "organisation": SCHOOL, "state": "begun"}
    facts = after(from_school("school.pupil.registered", 1, control=begun), from_school("school.pupil.left", 2))

    later = after(from_school("school.pupil.registered", 3, OTHER_SCHOOL), facts=facts, at=AT + 500 * DAY)
    assert [one.organisation for one in later.connections] == [OTHER_SCHOOL]


def test_an_unknown_event_type_changes_nothing_but_the_count():
    facts = a_child()

    changed = after(an_event("what.is.this"), facts=facts)
    assert (changed.connections, changed.statuses, changed.version) == (facts.connections, facts.statuses, 1)


def test_a_plan_that_ends_keeps_the_child_in_cp_is_for_twelve_months_from_its_last_day():
    begun = from_council("council.cp_plan.started", 1, body={"concern": {"starts_on": "2025-01-10"}})
    ended = from_council("council.cp_plan.ended", 2, body={"concern": {"starts_on": "2025-01-10", "ends_on": "2026-02-28"}})

    (year,) = [one for one in after(begun, ended).statuses if one.name == "cp_is_year"]
    assert (year.organisation, year.since, year.until) == (f"la:{HOME}", day("2026-02-28"), day("2027-02-28"))


def test_an_end_that_is_taken_back_or_long_past_or_of_no_plan_keeps_nobody_in_cp_is():
    begun, ended = from_council("council.cp_plan.started", 1), from_council("council.cp_plan.ended", 2, occurred_at="2026-11-01")
    back = from_council("council.cp_plan.ended", 3, action=Action.RETRACT, supersedes=EventId("c-2"))
    long_past = from_council("council.cp_plan.ended", 4, body={"concern": {"ends_on": "2024-02-28"}})

    for events in ((begun, ended, back), (begun, long_past), (ended,)):
        assert not [one for one in after(*events).statuses if one.name == "cp_is_year"]


def day(text):
    return Millis(round(datetime.fromisoformat(f"{text}T00:00:00+00:00").timestamp() * 1000))
