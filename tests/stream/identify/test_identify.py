"""Who is who: registrations open children, claims keep identifiers apart, people decide what is not sure, nothing is lost."""

import dataclasses
from pathlib import Path

import pytest

from broker.core.model.event import Event
from broker.core.model.identifiers import AgencyId, RecipientId, RoleName
from broker.core.model.registers import Recipient, SigningKey
from broker.sealing.reviews import open_event
from broker.sealing.signatures import Signer, new_key
from tests.stream.identify_runner import HUB, SECRETS, FixedRegisters, Runner
from tests.stream.people import (
    COUNCIL,
    NHS,
    TRUST,
    UPN,
    an_event,
    attended,
    enrolled,
    in_care_system,
    merged,
    notified,
    registered,
)

ALFIE = {"given": "Alfie", "family": "Marsh", "postcode": "ES1 2AB"}


@pytest.fixture
def runner() -> Runner:
    return Runner()


@pytest.fixture
def hub(tmp_path: Path, runner: Runner) -> Signer:
    signer = new_key(tmp_path, HUB)
    desk = Recipient(id=RecipientId(HUB), name="Hub", agency=AgencyId(COUNCIL), area=COUNCIL, roles=frozenset({RoleName("hub")}))
    key = SigningKey(id=signer.key_id, holder=HUB, public_key=signer.public_key)
    registers = dataclasses.replace(FixedRegisters().registers, recipients={desk.id: desk}, keys={key.id: key})
    runner.registers.registers = registers
    return signer


def lines(runner: Runner) -> list[list[str]]:
    runner.run()
    assert not runner.rejected
    return sorted(runner.lines().values())


def test_a_registration_opens_a_child_and_its_events_follow(runner: Runner) -> None:
    runner.publish(enrolled(event_id="a", upn=UPN[0], **ALFIE), notified(event_id="b", **ALFIE))

    assert lines(runner) == [["a", "b"]]
    assert not runner.reviews()


def test_registrations_of_several_agencies_meet_by_identifier_and_by_name(runner: Runner) -> None:
    runner.publish(
        enrolled(event_id="a", upn=UPN[0], **ALFIE),
        registered(event_id="b", nhs=NHS[0], local="M1", **ALFIE),
        in_care_system(event_id="c", nhs=NHS[0], local="L1", given="Alf", family="Other"),
        attended(event_id="d", local="M1"),
    )

    [line] = lines(runner)
    assert sorted(line) == ["a", "b", "c", "d"]


def test_an_event_before_its_registration_goes_to_the_hub_and_on_when_the_registration_comes(runner: Runner) -> None:
    runner.publish(notified(event_id="b", **ALFIE))
    runner.run()

    [review] = runner.reviews()
    assert (review["kind"], review["for_recipient"], review["child_ref"]) == ("UNIDENTIFIED", HUB, None)
    assert (review["clock"], review["due_at"] - review["accepted_at"]) == ("1_hour", 3_600_000), "it may be on the shortest"

    runner.publish(enrolled(event_id="a", upn=UPN[0], **ALFIE))

    assert lines(runner) == [["a", "b"]]
    assert not runner.reviews()
    assert len(runner.reviews("WITHDRAWN")) == 1


def test_the_event_in_a_review_is_sealed_and_opens_with_the_brokers_key(runner: Runner) -> None:
    runner.publish(notified(event_id="b", given="Alfie", family="Marsh"))
    runner.run()

    [review] = runner.reviews()
    assert b"Marsh" not in review["sealed_event"]
    assert b"Marsh" in open_event(SECRETS, review["review_id"], review["sealed_event"])
    assert b"Marsh" not in repr({**review, "sealed_event": None}).encode()


def test_twins_with_surname_birth_date_and_postcode_in_common_stay_two(runner: Runner) -> None:
    runner.publish(
        enrolled(event_id="a", upn=UPN[0], **ALFIE),
        enrolled(event_id="b", upn=UPN[1], **{**ALFIE, "given": "Bertie"}),
        notified(event_id="c", **ALFIE),
        notified(event_id="d", **{**ALFIE, "given": "Bertie"}),
    )

    assert lines(runner) == [["a", "c"], ["b", "d"]]


def test_twins_registered_under_the_same_given_name_are_told_apart_by_a_person(runner: Runner, hub: Signer) -> None:
    runner.publish(enrolled(event_id="a", upn=UPN[0], **ALFIE), enrolled(event_id="b", upn=UPN[1], **ALFIE))
    runner.publish(notified(event_id="c", **ALFIE))
    runner.run()

    assert sorted(one["kind"] for one in runner.reviews()) == ["AMBIGUOUS", "AMBIGUOUS"]

    second = next(one for one in runner.reviews() if one["event_id"] == "b")
    runner.resolve(hub, second, "REJECT")
    runner.run()

    assert sorted(runner.lines().values()) == [["a"], ["b"]]
    [left] = runner.reviews()
    assert (left["event_id"], len(left["candidates"])) == ("c", 2)


@pytest.mark.parametrize("given", ["Baby", "Baby of Anne", "Twin 1", "Unknown", "B"])
def test_a_placeholder_for_a_name_matches_nobody(runner: Runner, given: str) -> None:
    named = {**ALFIE, "given": given}
    runner.publish(registered(event_id="a", nhs=NHS[0], **named), notified(event_id="b", **named))

    assert lines(runner) == [["a"]]
    assert runner.reviews()[0]["kind"] == "UNIDENTIFIED"


def test_an_identifier_under_a_second_birth_date_holds_the_record_and_asks_a_person(runner: Runner) -> None:
    runner.publish(registered(event_id="a", nhs=NHS[0], **ALFIE))
    runner.run()
    runner.publish(in_care_system(event_id="b", nhs=NHS[0], local="L1", born="2015-02-03", **ALFIE))

    assert lines(runner) == [["a"]]
    [review] = runner.reviews()
    assert review["kind"] == "IDENTIFIER_CONFLICT"
    assert set(runner.lines()) <= set(review["candidates"])


def test_a_person_can_say_that_both_birth_dates_are_of_one_child(runner: Runner, hub: Signer) -> None:
    runner.publish(registered(event_id="a", nhs=NHS[0], **ALFIE))
    runner.run()
    [child] = runner.lines()
    runner.publish(in_care_system(event_id="b", nhs=NHS[0], local="L1", born="2015-02-03", **ALFIE))
    runner.run()
    runner.resolve(hub, runner.reviews()[0], "LINK", child)
    runner.run()
    runner.publish(in_care_system(event_id="c", nhs=NHS[0], local="L1", born="2015-02-03"))

    assert lines(runner) == [["a", "b", "c"]]
    assert not runner.reviews()


def test_a_person_can_say_that_they_are_two_children(runner: Runner, hub: Signer) -> None:
    runner.publish(registered(event_id="a", nhs=NHS[0], **ALFIE))
    runner.run()
    runner.publish(in_care_system(event_id="b", nhs=NHS[0], local="L1", born="2015-02-03", **ALFIE))
    runner.run()
    runner.resolve(hub, runner.reviews()[0], "REJECT")
    runner.run()
    runner.publish(in_care_system(event_id="c", nhs=NHS[0], local="L1", born="2015-02-03"), attended(event_id="d", nhs=NHS[0]))

    assert lines(runner) == [["a", "d"], ["b", "c"]]
    assert not runner.reviews()


def test_an_event_without_a_birth_date_finds_its_child_by_its_identifier(runner: Runner) -> None:
    runner.publish(registered(event_id="a", nhs=NHS[0], **ALFIE))
    runner.run()
    runner.publish(attended(event_id="b", nhs=NHS[0], born=None))

    assert lines(runner) == [["a", "b"]]


def test_an_event_without_a_birth_date_waits_for_its_identifiers_holder(runner: Runner) -> None:
    runner.publish(attended(event_id="b", nhs=NHS[0], born="2015"), notified(event_id="c", born=None, **ALFIE))
    runner.run()
    runner.publish(registered(event_id="a", nhs=NHS[0], **ALFIE))

    assert lines(runner) == [["a", "b"]]
    assert [one["event_id"] for one in runner.reviews()] == ["c"]


def test_the_same_event_again_while_it_waits_is_a_duplicate(runner: Runner) -> None:
    runner.publish(notified(event_id="b", **ALFIE), notified(event_id="b", **ALFIE))
    runner.run()

    runner.publish(attended(event_id="b", **ALFIE))  # another agency's event of the same id
    runner.run()

    assert runner.outcomes() == ["DUPLICATE"]
    assert len(runner.reviews()) == 2


def test_a_linked_event_goes_to_that_childs_line_and_a_rejected_one_ends_in_an_audit_entry(runner: Runner, hub: Signer) -> None:
    runner.publish(enrolled(event_id="a", upn=UPN[0], **ALFIE), notified(event_id="b", given="Alfi", family="Marsh"))
    runner.publish(notified(event_id="c", given="Zed", family="Else"))
    runner.run()
    by_id = {one["event_id"]: one for one in runner.reviews()}
    [child] = runner.lines()

    assert by_id["b"]["candidates"] == [child]

    runner.resolve(hub, by_id["b"], "LINK", child)
    runner.resolve(hub, by_id["c"], "REJECT")

    assert lines(runner) == [["a", "b"]]
    assert runner.outcomes() == ["APPLIED"]
    assert not runner.reviews()
    assert len(runner.reviews("RESOLVED")) == 2


def test_only_the_hub_that_was_asked_may_answer(runner: Runner, hub: Signer, tmp_path: Path) -> None:
    runner.publish(notified(event_id="c", **ALFIE))
    runner.run()
    runner.resolve(new_key(tmp_path / "other", "police:42"), runner.reviews()[0], "REJECT")
    runner.run()

    assert [error.reason for error in runner.rejected] == ["bad_signature"]
    assert len(runner.reviews()) == 1


def test_a_review_is_answered_once(runner: Runner, hub: Signer) -> None:
    runner.publish(notified(event_id="c", **ALFIE))
    runner.run()
    [review] = runner.reviews()
    runner.resolve(hub, review, "REJECT")
    runner.resolve(hub, review, "REJECT")
    runner.run()

    assert [error.reason for error in runner.rejected] == ["review_not_open"]
    assert runner.outcomes() == ["APPLIED"]


def test_a_hospitals_merge_of_two_numbers_of_one_child_hands_the_losing_line_over(runner: Runner) -> None:
    runner.publish(registered(event_id="a", local="M1", **ALFIE))
    runner.publish(registered(event_id="b", local="M2", given="Alfie", family="Marsh", postcode="ES9 9ZZ"))
    runner.run()
    refs = {events[0]: ref for ref, events in runner.lines().items()}
    runner.publish(merged("M2", event_id="m", local="M1", given="Alfie"))
    runner.run()
    runner.publish(attended(event_id="d", local="M2"))
    runner.run()

    assert runner.handovers() == {refs["b"]: refs["a"]}
    assert runner.lines()[refs["a"]] == ["a", "m", "d"]


def test_a_merge_that_would_join_twins_asks_a_person(runner: Runner) -> None:
    runner.publish(
        registered(event_id="a", local="M1", **ALFIE), registered(event_id="b", local="M2", **{**ALFIE, "given": "Ben"})
    )
    runner.run()
    runner.publish(merged("M2", event_id="m", local="M1", given="Alfie"))
    runner.run()

    assert not runner.handovers()
    assert [(one["kind"], len(one["candidates"])) for one in runner.reviews()] == [("AMBIGUOUS", 2)]


def test_a_merge_onto_an_unknown_number_teaches_the_child_its_new_number(runner: Runner) -> None:
    runner.publish(registered(event_id="a", local="M1", **ALFIE))
    runner.publish(merged("M1", event_id="m", local="M2", given="Alfie"), attended(event_id="d", local="M2"))

    assert lines(runner) == [["a", "m", "d"]]


def test_nothing_is_linked_to_a_child_whose_identity_changed_without_a_person(runner: Runner) -> None:
    broken = an_event(
        "control.protection", COUNCIL, local="L1", event_id="p", control={"kind": "identity_changed", "state": "set"}
    )
    runner.publish(in_care_system(event_id="a", local="L1", nhs=NHS[0], **ALFIE))
    runner.run()
    runner.publish(broken)
    runner.run()
    runner.publish(
        attended(event_id="known", nhs=NHS[0]),
        in_care_system(event_id="renamed", local="L1", given="Noah", family="Reed"),
        registered(event_id="new-number", nhs=NHS[0], local="M7"),
        notified(event_id="by-name", **ALFIE),
    )

    assert lines(runner) == [["a", "p", "known"]]
    assert sorted(one["event_id"] for one in runner.reviews()) == ["by-name", "new-number", "renamed"]
    assert {one["kind"] for one in runner.reviews()} == {"AMBIGUOUS"}


def protection(event_id: str, agency: str, state: str, **said: str) -> Event:
    control = {"kind": "identity_changed", "state": state}
    return an_event("control.protection", agency, event_id=event_id, control=control, **said)


def test_only_who_broke_an_identity_lets_it_be_linked_again(runner: Runner) -> None:
    runner.publish(in_care_system(event_id="a", local="L1", nhs=NHS[0], **ALFIE))
    runner.run()
    runner.publish(protection("p", COUNCIL, "set", local="L1"))
    runner.run()
    runner.publish(protection("q", TRUST, "lifted", nhs=NHS[0]))
    runner.run()
    runner.publish(notified(event_id="by-name", **ALFIE))
    runner.run()
    assert [one["event_id"] for one in runner.reviews()] == ["by-name"]

    runner.publish(protection("r", COUNCIL, "lifted", local="L1"))
    assert lines(runner) == [["a", "p", "q", "r", "by-name"]]


def test_a_child_that_a_person_merges_keeps_the_guards_of_both(runner: Runner, hub: Signer) -> None:
    runner.publish(registered(event_id="a", local="M1", **ALFIE))
    runner.publish(registered(event_id="b", local="M2", given="Alfie", family="Marsh", postcode="ES9 9ZZ"))
    runner.run()
    kept = next(ref for ref, events in runner.lines().items() if events == ["a"])
    runner.publish(protection("p", TRUST, "set", local="M2"))
    runner.run()
    runner.publish(merged("M2", event_id="m", local="M1", given="Alfie"))
    runner.run()
    runner.resolve(hub, runner.reviews()[0], "LINK", kept)
    runner.run()
    runner.publish(notified(event_id="by-name", **ALFIE))

    assert len(runner.handovers()) == 1
    runner.run()
    assert [one["event_id"] for one in runner.reviews()] == ["by-name"]


def test_a_protecting_event_in_review_holds_its_child_until_it_is_answered(runner: Runner, hub: Signer) -> None:
    first, second = (
        registered(event_id="a", local="M1", **ALFIE),
        registered(event_id="b", local="M2", **{**ALFIE, "given": "Ben"}),
    )
    runner.publish(first, second)
    runner.run()
    runner.publish(merged("M2", event_id="m", local="M1", given="Alfie"))
    runner.publish(attended(event_id="d", local="M1"), attended(event_id="e", local="M2"))
    runner.run()

    assert sorted((one["event_id"], one["kind"]) for one in runner.reviews()) == [
        ("d", "HOLD"),
        ("e", "HOLD"),
        ("m", "AMBIGUOUS"),
    ]

    runner.resolve(hub, next(one for one in runner.reviews() if one["event_id"] == "m"), "REJECT")

    assert lines(runner) == [["a", "d"], ["b", "e"]]
    assert not runner.reviews()


def test_what_waits_beyond_the_limit_is_in_review_all_the_same(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.stream.identify.room.MOST_WAITING", 3)
    runner.publish(*(notified(event_id=f"e{number}", given="Zed", family="Else") for number in range(5)))
    runner.publish(notified(event_id="e4", given="Zed", family="Else"))
    runner.run()

    assert len(runner.reviews()) == 5
    assert runner.outcomes() == ["DUPLICATE"]


@pytest.mark.parametrize(
    "said", [{"given": "Zed", "family": "Else"}, {"born": None, "nhs": NHS[0]}], ids=["birth date", "number"]
)
def test_a_publisher_has_only_so_much_in_review_about_nobody_known(
    runner: Runner, hub: Signer, monkeypatch: pytest.MonkeyPatch, said: dict[str, str]
) -> None:
    """What exceeds it is a dead letter, others are not touched, and answering makes room for its redrive."""
    monkeypatch.setattr("broker.stream.identify.room.MOST_WAITING", 1)
    monkeypatch.setattr("broker.stream.identify.room.MOST_OF_ONE_PUBLISHER", 2)
    runner.publish(*(notified(event_id=f"e{number}", **said) for number in range(3)), attended(event_id="other", **said))
    runner.run()

    assert [error.reason for error in runner.rejected] == ["too_many_reviews"]
    assert sorted(one["event_id"] for one in runner.reviews()) == ["e0", "e1", "other"]

    runner.resolve(hub, next(one for one in runner.reviews() if one["event_id"] == "e0"), "REJECT")
    runner.publish(notified(event_id="e2", **said))
    runner.run()

    assert len(runner.rejected) == 1
    assert sorted(one["event_id"] for one in runner.reviews()) == ["e1", "e2", "other"]


def test_what_may_be_about_a_known_child_is_asked_however_much_is_in_review(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A protection in doubt has to hold the children that it may be about; it must not end as a dead letter."""
    monkeypatch.setattr("broker.stream.identify.room.MOST_OF_ONE_PUBLISHER", 1)
    runner.publish(enrolled(event_id="a", upn=UPN[0], **ALFIE), enrolled(event_id="b", upn=UPN[1], **ALFIE))
    runner.publish(
        notified(event_id="c", given="Zed", family="Else"), notified(event_id="d", **ALFIE), notified(event_id="e", **ALFIE)
    )
    runner.run()

    assert not runner.rejected
    assert {"c", "d", "e"} <= {one["event_id"] for one in runner.reviews()}
