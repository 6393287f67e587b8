"""Corrections reach everybody whose granted view they change, once, and carry nothing that anybody was not cleared for (I7)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.line.recall import CHANGED
from broker.core.model import ledger
from broker.core.model.event import Body, Category, Event, Sector
from broker.core.model.identifiers import AgencyId, EventId
from broker.core.model.policy import Condition, Question
from broker.errors import NotPermittedError, SignatureError, StaleVersionError, UnknownDisclosureError
from tests.stream.lines import (
    CHILD,
    GP,
    HUB,
    NOTICE,
    OUTCOME,
    POLICE_DESK,
    SCHOOL,
    ALine,
    a_policy,
    a_protection,
    a_retraction,
    a_rule,
    an_event,
    an_update,
    at_practice,
    on_roll,
)  # fmt: skip

SECRET = "the secret place"


def bodies(grade: str = "high", postcode: str = "ZZ1 1ZZ") -> Body:
    return {"concern": {"grade": grade}, "location": {"postcode": postcode}}


def a_told_line() -> ALine:
    return ALine().take(on_roll(), at_practice(), an_event(body=bodies()))


def a_protection_by_police(name: str, kind: str) -> Event:
    return an_event(name, "control.protection", body=Body(), control={"kind": kind, "state": "set"})


def kinds(line: ALine, recipient: str) -> list[str]:
    return [one["kind"] for one in line.disclosures(recipient)]


def test_a_retraction_reaches_everybody_who_was_told_and_says_only_to_stop() -> None:
    line = a_told_line().take(a_retraction("e1"))

    for recipient in (SCHOOL, GP, HUB):
        first, second = line.disclosures(recipient)
        assert (second["kind"], second["replaces"]) == ("RETRACTION", first["disclosure_id"])
        assert tuple(second["because"]) == CHANGED.whole
        assert second["concern"] is second["location"] is second["identity"] is second["producer"] is None


def test_a_retraction_reaches_who_was_told_whatever_their_role_is_by_now() -> None:
    line = a_told_line().take(on_roll("urn:100002", "moved"), a_retraction("e1"))

    assert kinds(line, SCHOOL) == ["ALERT", "RETRACTION"]


def test_whoever_heard_it_as_the_first_speaker_hears_of_its_retraction_too() -> None:
    """What comes of a matter is told as an outcome, and can be wrong like anything else."""
    line = ALine(a_policy(a_rule("school", "dsl"), a_rule("first-speaker", "referrer", OUTCOME)))
    decided = {"producer": AgencyId("E10000030"), "sector": Sector.COUNCILS}
    line.take(on_roll(), an_event(), an_event("o1", OUTCOME, **decided), a_retraction("o1", event_type=OUTCOME, **decided))

    assert kinds(line, POLICE_DESK) == ["OUTCOME", "RETRACTION"]


def test_a_retraction_is_acknowledged_on_a_clock() -> None:
    line = ALine(a_policy(a_rule("school", "dsl"))).take(on_roll(), an_event(), a_retraction("e1"))
    (_, second) = line.disclosures(SCHOOL)
    line.ring(second["due_at"])

    assert kinds(line, HUB) == ["ESCALATION"]


def test_a_retraction_taken_twice_is_said_once() -> None:
    line = a_told_line().take(a_retraction("e1"), a_retraction("e1", "back-again"))

    assert kinds(line, SCHOOL) == ["ALERT", "RETRACTION"]


def test_another_agency_cannot_take_an_event_back_and_the_line_goes_to_people() -> None:
    line = a_told_line().take(a_retraction("e1", producer="urn:100001"), an_event("e2"))

    assert kinds(line, SCHOOL) == ["ALERT"]
    assert [one["kind"] for one in line.reviews()] == ["HOLD", "HOLD"]
    assert [one["outcome"] for one in line.audits()[-2:]] == ["IN_REVIEW", "IN_REVIEW"]


def test_what_was_held_is_decided_when_a_person_resolves_what_held_it() -> None:
    line = a_told_line().take(a_retraction("e1", producer="urn:100001"), an_event("e2"))
    holding = line.reviews()[0]
    line.resolve(holding, "REJECT")

    assert kinds(line, SCHOOL) == ["ALERT", "ALERT"]
    assert line.facts().holds == frozenset()
    closed = [one for one in line.reviews() if one["state"] == "RESOLVED"]
    assert len(closed) == 2
    assert [(one["event_id"], one["outcome"]) for one in line.audits()[-2:]] == [("back", "APPLIED"), ("e2", "DECIDED")]


def test_a_person_may_let_the_retraction_go_on() -> None:
    line = a_told_line().take(a_retraction("e1", producer="urn:100001"))
    line.resolve(line.reviews()[0], "LINK")

    assert kinds(line, SCHOOL) == ["ALERT", "RETRACTION"]


def test_a_correction_goes_only_to_those_whose_view_it_changes() -> None:
    line = a_told_line().take(an_update("e1", "e2", body=bodies(postcode="ZZ2 2ZZ")))

    assert kinds(line, SCHOOL) == ["ALERT", "CORRECTION"]
    assert kinds(line, GP) == ["ALERT"]  # the doctor is not told where, so nothing changed
    corrected = line.disclosures(SCHOOL)[1]
    assert corrected["replaces"] == line.disclosures(SCHOOL)[0]["disclosure_id"]
    assert corrected["location"]["postcode"] == "ZZ2 2ZZ"


def test_who_may_no_longer_know_is_told_to_stop_and_who_is_new_is_alerted() -> None:
    line = a_told_line().take(on_roll("urn:100002", "moved"), an_update("e1", "e2", body=bodies("low")))

    assert kinds(line, SCHOOL) == ["ALERT", "RETRACTION"]
    assert kinds(line, GP) == ["ALERT", "CORRECTION"]


@pytest.mark.parametrize("of", ["e1", "e2", "e3"])
def test_taking_back_any_version_takes_back_what_each_recipient_holds(of: str) -> None:
    line = a_told_line().take(
        an_update("e1", "e2", body=bodies(postcode="ZZ2 2ZZ")),
        an_update("e2", "e3", body=bodies("low", "ZZ2 2ZZ")),
        a_retraction(of),
    )

    for recipient in (SCHOOL, GP, HUB):
        last, taken_back = line.disclosures(recipient)[-2:]
        assert (taken_back["kind"], taken_back["replaces"]) == ("RETRACTION", last["disclosure_id"])
        assert ledger.standing(line.facts()) == ()


def test_an_earlier_version_that_comes_late_never_overwrites_a_later_one() -> None:
    line = ALine().take(on_roll(), an_update("e1", "e2"))

    with pytest.raises(StaleVersionError):
        line.take(an_event("e1"))


def test_a_protection_set_after_the_fact_has_the_place_deleted_and_leaves_the_concern() -> None:
    """I8 safe-address: the doctor was not told where, but who says it can betray it."""
    line = a_told_line().take(a_protection())

    first, second = line.disclosures(SCHOOL)
    assert (second["kind"], second["replaces"]) == ("CORRECTION", first["disclosure_id"])
    assert second["event_type"] == NOTICE  # not the protection's own type: that would announce it
    assert "every place" in second["because"][1]
    assert "who said it" in second["because"][1]
    assert second["because"][2] == "Keep what else it says: concern."
    assert second["concern"] is second["location"] is second["identity"] is second["producer"] is None
    assert kinds(line, GP) == ["ALERT", "CORRECTION"]
    assert "every place" not in line.disclosures(GP)[1]["because"][1]  # it was never told one


def test_no_word_of_a_correction_by_protection_says_that_there_is_one() -> None:
    """I4 no-inference: which protection, or that two records were joined, changes no byte but the sealed return address."""

    def corrected(kind: str) -> dict[str, object]:
        return {**a_told_line().take(a_protection("x", kind)).disclosures(SCHOOL)[1], "token": b""}

    merged = ALine().take(on_roll(), at_practice(), an_event(body=bodies())).take(a_protection("x"), child="c-loser")
    merged.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")
    said = corrected("safe_address")
    assert said == corrected("restricted_record")
    assert {**said, "issued_at": 0, "due_at": 0} == {**merged.disclosures(SCHOOL)[1], "token": b"", "issued_at": 0, "due_at": 0}
    assert not any(word in " ".join(said["because"]).lower() for word in ("protect", "safe", "refuge", "restrict"))


@pytest.mark.parametrize("protection", [a_protection("x", "identity_changed"), a_protection_by_police("x", "protected_person")])
def test_of_a_child_who_is_to_be_forgotten_nothing_is_kept_and_the_message_is_that_of_any_retraction(protection: Event) -> None:
    by_protection = a_told_line().take(protection).disclosures(SCHOOL)[1]
    by_retraction = a_told_line().take(a_retraction("e1", "x")).disclosures(SCHOOL)[1]

    assert {**by_protection, "token": b""} == {**by_retraction, "token": b""}
    assert len(by_protection["token"]) == len(by_retraction["token"])


def test_where_nothing_of_use_would_be_left_all_of_it_is_taken_back() -> None:
    """That somebody has something, and whom to ask, is of no use without who it is."""
    told = a_rule("school", "dsl", categories=frozenset({Category.EXISTENCE, Category.LOCATION}))
    line = ALine(a_policy(told)).take(on_roll(), an_event(body=bodies()), a_protection())

    assert kinds(line, SCHOOL) == ["ALERT", "RETRACTION"]


def test_what_was_left_to_somebody_is_corrected_and_taken_back_like_anything_else() -> None:
    line = a_told_line().take(a_protection(), an_update("e1", "e2", body=bodies("low")), a_retraction("e2"))

    first, trimmed, clean, gone = line.disclosures(SCHOOL)
    assert [one["kind"] for one in (first, trimmed, clean, gone)] == ["ALERT", "CORRECTION", "CORRECTION", "RETRACTION"]
    assert [one["replaces"] for one in (trimmed, clean, gone)] == [one["disclosure_id"] for one in (first, trimmed, clean)]
    assert (clean["concern"]["grade"], clean["location"], clean["due_at"] is not None) == ("low", None, True)


def test_a_correction_by_protection_is_recorded_for_each_recipient_before_it_goes() -> None:
    """I1 recorded-first: it stands on no rule's choice, and is in the audit entry all the same."""
    line = ALine().take(on_roll(), an_event(), an_event("e2"), a_protection())

    shown = [one["disclosure_id"] for one in line.disclosures() if one["kind"] == "CORRECTION"]
    assert sorted(one["disclosure_id"] for one in line.audits()[-1]["decisions"]) == sorted(shown)
    assert len(shown) == 4


def test_a_second_protection_that_keeps_no_more_back_tells_nobody() -> None:
    line = a_told_line().take(a_protection(), a_protection("again", "restricted_record"))

    assert kinds(line, SCHOOL) == ["ALERT", "CORRECTION"]


def test_a_second_protection_that_keeps_more_back_takes_the_rest() -> None:
    line = a_told_line().take(a_protection(), a_protection_by_police("unseen", "protected_person"))

    assert kinds(line, SCHOOL) == ["ALERT", "CORRECTION", "RETRACTION"]


def test_what_goes_after_the_protection_holds_no_place() -> None:
    """I8 safe-address."""
    line = ALine().take(on_roll(), a_protection(), an_event(body=bodies(postcode=SECRET)))

    assert all(SECRET.encode() not in (one.value or b"") for one in line.written if one.topic.startswith("disclosures"))


def test_lifting_a_protection_corrects_nobody() -> None:
    line = a_told_line().take(a_protection(), a_protection("lifted", state="lifted"))

    assert kinds(line, SCHOOL) == ["ALERT", "CORRECTION"]


def an_asking_line() -> ALine:
    """A line whose policy cannot know whether the doctor may have the concern, so that the holder is asked."""
    unsure = Condition(Question.ATTRIBUTE, name="seen_by_doctor", values=frozenset({"yes"}))
    asks = a_rule(
        "maybe", "gp", when=(*a_rule("x", "gp").when, unsure), categories=frozenset({Category.EXISTENCE, Category.CONCERN})
    )
    return ALine(a_policy(a_rule("school", "dsl"), asks)).take(on_roll(), at_practice(), an_event(body=bodies()))


def test_what_cannot_be_known_is_asked_of_the_holder_while_the_rest_goes_now() -> None:
    line = an_asking_line()

    (asked,) = line.reviews()
    assert (asked["kind"], asked["for_recipient"]) == ("ASK", "police:42")
    assert (kinds(line, SCHOOL), kinds(line, GP)) == (["ALERT"], [])


def test_a_recipient_gets_what_a_person_grants_and_no_more() -> None:
    line = an_asking_line()
    line.resolve(line.reviews()[0])

    (told,) = line.disclosures(GP)
    assert told["concern"]["grade"] == "high"
    assert told["location"] is None
    assert line.reviews()[-1]["state"] == "RESOLVED"


def test_nobody_answers_a_question_that_was_put_to_another() -> None:
    line = an_asking_line()

    with pytest.raises(NotPermittedError, match="was not asked"):
        line.resolve(line.reviews()[0], by=SCHOOL)
    with pytest.raises(SignatureError):
        line.resolve(line.reviews()[0], by="somebody")
    assert kinds(line, GP) == []


def test_what_a_person_refuses_stays_withheld_and_the_question_is_closed() -> None:
    line = an_asking_line()
    line.resolve(line.reviews()[0], "REJECT")

    assert kinds(line, GP) == []
    with pytest.raises(UnknownDisclosureError):
        line.resolve(line.reviews()[0])


def test_a_withheld_item_changes_no_byte_that_the_uncleared_see() -> None:
    """I4 no-inference: two lines that differ only in what the doctor may not know."""

    def run(postcode: str) -> list[object]:
        line = ALine().take(
            on_roll(),
            at_practice(),
            an_event(body=bodies(postcode=postcode)),
            an_update("e1", "e2", body=bodies("low", postcode)),
            a_retraction("e2"),
        )
        return list(line.visible_to(GP))

    assert run("ZZ1 1ZZ") == run("ZZ9 9ZZ, flat 3")


ACTIONS = st.lists(st.sampled_from(["new", "update", "retract", "protect", "move", "duplicate", "restart"]), max_size=9)


@pytest.mark.search
@settings(max_examples=150, deadline=None)
@given(ACTIONS)
def test_whatever_happens_nobody_is_left_with_what_was_taken_back_and_nobody_hears_twice(actions: list[str]) -> None:
    """I7 corrections-follow, I12 once."""
    line = _played(actions)
    told = line.disclosures()

    assert len({one["disclosure_id"] for one in told}) == len(told)
    replaced = [one["replaces"] for one in told if one["replaces"]]
    assert len(set(replaced)) == len(replaced), "a disclosure is corrected exactly once"
    states = {one.disclosure_id: one.state for one in line.facts().ledger}
    for one in told:
        corrected = one["disclosure_id"] in replaced
        assert corrected == (states[one["disclosure_id"]] in {ledger.RETRACTED, ledger.REPLACED})
    taken_back = [EventId(name) for name in line.facts().cancelled]
    assert not [held for name in taken_back for held in ledger.standing(line.facts(), name)]
    assert all(one["location"] is None for one in told if one["recipient"] == GP)
    assert all(one["concern"] is None for one in told if one["kind"] == "RETRACTION")


def _played(actions: list[str]) -> ALine:
    line, last = ALine().take(on_roll(), at_practice()), ""
    for count, action in enumerate(actions):
        last = _play(line, action, f"e{count}", last)
    return line


def _play(line: ALine, action: str, name: str, last: str) -> str:
    """Play one action; return the event that a later one may change or take back."""
    if action == "new":
        line.take(an_event(name, body=bodies()))
        return name
    if action == "update" and last:
        line.take(an_update(last, name, body=bodies(f"grade {name}")))
        return name
    if action == "retract" and last:
        line.take(a_retraction(last, name))
        return ""
    if action == "protect":
        line.take(a_protection(name))
    elif action == "move":
        line.take(on_roll(f"urn:10000{1 + int(name[1:]) % 2}", name))
    elif action == "duplicate":
        line.feed_record(line.log[-1])
    else:
        line.restart()
    return last


@pytest.mark.parametrize(("protected", "told"), [("c-loser", CHILD), (CHILD, "c-loser")])
def test_a_merge_has_deleted_what_one_record_told_and_the_other_protects(protected: str, told: str) -> None:
    """The address went out under a second reference of the child, of which nobody knew that it is protected."""
    line = ALine().take(a_protection(), child=protected).take(on_roll(), at_practice(), an_event(), child=told)
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")

    first, second = line.disclosures(SCHOOL)
    assert (second["kind"], second["replaces"]) == ("CORRECTION", first["disclosure_id"])
    assert second["due_at"] is not None
    assert kinds(line, GP) == ["ALERT", "CORRECTION"]  # who said it can betray where
    assert [one.state for one in line.facts().ledger if one.disclosure_id == first["disclosure_id"]] == [ledger.REPLACED]


def test_a_merge_takes_back_what_its_agency_had_cancelled_in_the_other_record() -> None:
    line = ALine().take(a_retraction("e1"), child="c-loser").take(on_roll(), an_event("e1"))
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")

    assert kinds(line, SCHOOL) == ["ALERT", "RETRACTION"]


def test_a_merge_of_what_nothing_protects_is_told_to_nobody() -> None:
    line = ALine().take(on_roll(), an_event()).take(on_roll(name="roll-2"), an_event("e2"), child="c-loser")
    told = line.disclosures()
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")

    assert line.disclosures() == told


def test_a_child_of_whom_nothing_is_known_is_told_of_under_its_own_reference() -> None:
    line = ALine().take(on_roll(), an_event(), child="c-other")

    assert line.facts(CHILD).version == 0
    assert line.facts("c-other").ledger
