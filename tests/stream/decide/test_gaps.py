"""Nobody in a role: the hub hears it, and whoever comes to the child soon after still hears what came before them."""

from dataclasses import replace
from typing import Any

import pytest

from broker import codec
from broker.core.model.event import Body, Category, Event, Identity
from broker.core.model.identifiers import Digest, Millis, RecipientId, RoleName
from broker.core.model.policy import Cut, Effect
from broker.core.waiting.clocks import due_for
from broker.core.waiting.questions import GAP_STAYS
from broker.sealing.reviews import open_event
from tests.stream.england import FAR_SCHOOL, FORCE, HOME, NOTICE, SAFE, england, extract_row, says, tie, told
from tests.stream.lines import (
    CHILD,
    HUB,
    SCHOOL,
    SECRETS,
    ALine,
    a_policy,
    a_protection,
    a_recipient,
    a_retraction,
    a_rule,
    again,
    an_event,
    an_update,
    its_key,
    of_the_council,
    on_roll,
    some_registers,
)

LOSER = "c-loser"


def test_a_school_whose_roll_comes_after_the_notice_is_told_once_and_the_gap_is_closed() -> None:
    """Feeds keep no order between agencies: the child may be known, and its school not yet, when the notice is decided."""
    line = ALine().take(an_event())
    assert line.disclosures(SCHOOL) == []

    line.take(on_roll(), on_roll(name="roll again"))

    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT"]
    assert [one["state"] for one in line.reviews()] == ["OPEN", "WITHDRAWN"]
    told = [one for one in line.audits() if one["event_id"] == "e1"]
    assert [one["outcome"] for one in told] == ["DECIDED", "DECIDED"]
    assert [one["recipient"] for one in told[1]["decisions"]] == [SCHOOL]


def test_what_fills_a_gap_is_recorded_first_and_replays_with_equal_bytes() -> None:
    whole = ALine().take(an_event(), on_roll())
    crashed = ALine()
    for record in whole.log[2:3]:
        crashed.feed_record(record)
    before = len(crashed.written)
    crashed.restart()

    crashed.feed_record(whole.log[3])

    assert crashed.written[before:] == whole.written[before:]


def test_a_gap_is_not_filled_once_its_event_was_taken_back_or_changed() -> None:
    taken_back = ALine().take(an_event(), a_retraction("e1"), on_roll())
    changed = ALine().take(an_event(), an_update("e1", "e2", body={"concern": {"grade": "low"}}), on_roll())

    assert taken_back.disclosures(SCHOOL) == []
    assert [one["concern"]["grade"] for one in changed.disclosures(SCHOOL)] == ["low"]


def test_a_school_that_comes_to_the_child_long_after_does_not_hear_of_it() -> None:
    line = ALine().take(an_event())
    roll = codec.encode("subject_record", {"kind": "EVENT", "child_ref": CHILD, "event": codec.encode_event(on_roll())})

    line.feed_record(line.record(roll, CHILD.encode(), timestamp=line.log[-1].timestamp + GAP_STAYS))

    assert line.disclosures(SCHOOL) == []


def test_the_hub_may_settle_a_gap_and_then_nobody_is_told_of_it() -> None:
    line = ALine().take(an_event())
    (gap,) = line.reviews()

    line.resolve(gap, "REJECT", by=HUB)
    line.take(on_roll())

    assert [one["state"] for one in line.reviews()] == ["OPEN", "RESOLVED"]
    assert line.disclosures(SCHOOL) == []


def a_line_whose_desk_came_with_a_release() -> ALine:
    """The registers know no desk of the child's school when the notice comes, and know it since."""
    full = some_registers(keys=map(its_key, ("police:42", HUB, SCHOOL)))
    without = replace(
        full, digest=Digest("without"), recipients={name: one for name, one in full.recipients.items() if name != SCHOOL}
    )
    line = ALine(registers=without).take(on_roll(), an_event())
    line.releases.all_registers[full.digest] = full
    line.release("registers", full.digest)
    return line


@pytest.mark.parametrize(("next_record", "told"), [("an event", 2), ("a clock", 1), ("a receipt", 1)])
def test_a_desk_that_a_release_of_the_registers_gives_hears_of_the_gap_with_the_next_record(next_record: str, told: int) -> None:
    line = a_line_whose_desk_came_with_a_release()
    assert line.disclosures(SCHOOL) == []

    if next_record == "an event":
        line.take(an_event("e2"))
    elif next_record == "a clock":
        line.ring(line.log[-1].timestamp + GAP_STAYS // 2)
    else:
        line.receipt(line.disclosures(HUB)[0], "DELIVERED")

    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT"] * told
    assert [one["state"] for one in line.reviews() if one["kind"] == "GAP"] == ["OPEN", "WITHDRAWN"]
    line.take(on_roll(name="and again"))
    assert len(line.disclosures(SCHOOL)) == told


def test_a_desk_that_a_release_gives_long_after_does_not_hear_of_it() -> None:
    line = a_line_whose_desk_came_with_a_release()

    line.ring(line.log[-1].timestamp + GAP_STAYS)

    assert line.disclosures(SCHOOL) == []


@pytest.mark.parametrize("decision", ["LINK", "REJECT"])
def test_a_school_whose_roll_came_while_the_line_was_held_is_told_once_people_have_answered(decision: str) -> None:
    """The roll went on with the answer, and the school that a statute wants told never heard."""
    line = ALine().take(of_the_council(), an_event(), an_event("odd", "control.protection", body=Body()), on_roll())
    assert line.disclosures(SCHOOL) == []
    line.resolve(next(one for one in line.reviews() if one["kind"] == "HOLD"), decision)

    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT"]
    assert [one["state"] for one in line.reviews() if one["kind"] == "GAP"] == ["OPEN", "WITHDRAWN"]


def test_so_is_a_school_that_only_a_persons_yes_lets_have_to_do_with_the_child() -> None:
    policy, registers = england()
    line = ALine(policy, registers=registers).take(extract_row(HOME), SAFE, says(FORCE, NOTICE))
    line.take(says(FAR_SCHOOL, "school.pupil.registered", tie("school", FAR_SCHOOL)))
    line.resolve(next(one for one in line.reviews() if one["kind"] == "HOLD"))

    assert told(line, NOTICE) == {"dsl.far", "hub.home"}


def test_a_desk_that_a_release_gives_while_the_line_is_held_hears_once_people_have_answered() -> None:
    later = some_registers("2", map(its_key, (HUB,)))
    without = {name: one for name, one in later.recipients.items() if name != SCHOOL}
    line = ALine(registers=replace(later, version="1", digest=Digest("registers-1"), recipients=without))
    line.releases.all_registers[later.digest] = later
    line.take(on_roll(), an_event(), an_event("odd", "control.protection", body=Body()))
    line.release("registers", later.digest)
    line.take(an_event("e2"))
    assert line.disclosures(SCHOOL) == []
    line.resolve(next(one for one in line.reviews() if one["kind"] == "HOLD"), "REJECT")

    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT", "ALERT"], "of both"


def test_another_event_about_the_child_fills_its_own_gap_too() -> None:
    line = ALine().take(an_event(), again(an_event(), "e9"), on_roll())

    assert len(line.disclosures(SCHOOL)) == 2


NAMED = Identity(
    identifiers=[{"scheme": "nhs_number", "value": "9434765919"}],
    names=[{"given": "Ada", "family": "Wexwick", "kind": "usual"}],
    birth_date="2017-01-15",
)


def a_named_event(**more: Any) -> Event:
    body = Body(
        identity=NAMED,
        concern={"grade": "high"},
        location={"postcode": "ZZ1 1ZZ"},
        narrative={"text": "as she said", "checked": False},
    )
    return an_event(body=body, **more)


def shown(line: ALine) -> Event:
    """What whoever is asked about a gap sees when it opens the review."""
    gap = next(one for one in line.reviews() if one["kind"] == "GAP")
    return codec.decode_event(open_event(SECRETS, gap["review_id"], gap["sealed_event"]))


def test_the_hub_sees_of_a_gap_what_it_is_granted_itself_for_whom_it_was_and_by_when() -> None:
    seen = frozenset({Category.EXISTENCE, Category.IDENTITY, Category.CONCERN})
    line = ALine(a_policy(a_rule("school", "dsl", clock="1_working_day"), a_rule("answerable", "hub", categories=seen)))
    line.take(a_named_event(attributes={"met": "yes"}))

    told = next(one for one in line.disclosures(HUB) if one["kind"] == "GAP")
    (gap,) = line.reviews()
    assert told["because"][0] == "nobody can be told in the role `dsl`: see to it that somebody there hears of it"
    assert told["due_at"] == gap["due_at"] == due_for("1_working_day", Millis(gap["opened_at"]), HUB, line.registers)
    assert set(shown(line).body) == {"identity", "concern"}
    assert shown(line).body["identity"]["identifiers"][0]["value"] == "9434765919"
    assert shown(line).header.attributes == {}


def test_a_hub_that_no_rule_tells_sees_who_the_child_is_and_no_more() -> None:
    """Else nobody could see to it that somebody in the role hears."""
    line = ALine(a_policy(a_rule("school", "dsl", clock="1_working_day"))).take(a_named_event())

    assert set(shown(line).body) == {"identity"}
    said = {name: value for name, value in shown(line).body["identity"].items() if value}
    assert said == {"names": NAMED["names"], "birth_date": "2017-01-15"}


NUMBERED = Identity(
    identifiers=[
        {"scheme": "la_child_id", "value": "77001", "issuer": "police:42"},
        {"scheme": "mrn", "value": "T0500218", "issuer": "RX1"},
        {"scheme": "upn", "value": "H801200001001"},
        {"scheme": "nhs_number", "value": "9434765919"},
    ],
    birth_date="2017-01-15",
)


@pytest.mark.parametrize(
    ("cut", "numbers"),
    [((), ["la_child_id", "nhs_number"]), ((Cut.PLACE,), ["nhs_number"])],
    ids=["its publisher's own and the NHS's", "of a child whose place is not to be betrayed, the NHS's"],
)
def test_of_a_child_whom_no_name_says_the_hub_sees_the_numbers(cut: tuple[Cut, ...], numbers: list[str]) -> None:
    """A census holds no name: a birth date alone is nobody that the hub could find."""
    rules = [a_rule("school", "dsl")]
    if cut:
        withhold = a_rule("betrays", "hub", effect=Effect.WITHHOLD, basis=None, categories=frozenset(), cut=frozenset(cut))
        rules.append(replace(withhold, to=frozenset()))
    line = ALine(a_policy(*rules)).take(an_event(body=Body(identity=NUMBERED, concern={"grade": "high"})))

    seen = shown(line).body["identity"]
    assert [one["scheme"] for one in seen["identifiers"]] == numbers
    assert seen["birth_date"] == "2017-01-15"
    assert shown(line).header.producer == ("" if cut else "police:42"), "a cut holds where no rule tells the hub, too"


def test_a_name_needs_no_numbers_beside_it() -> None:
    line = ALine(a_policy(a_rule("school", "dsl"))).take(a_named_event())

    assert shown(line).body["identity"].get("identifiers") in (None, [])


def test_the_message_about_a_gap_names_its_review_and_two_gaps_are_two_decisions() -> None:
    line = ALine(a_policy(a_rule("school", "dsl"), a_rule("practice", "gp"))).take(a_named_event())

    told = [one for one in line.disclosures(HUB) if one["kind"] == "GAP"]
    assert len(told) == 2
    for one, review in zip(told, line.reviews(), strict=True):
        assert f"broker reviews show {review['review_id']}" in one["because"][1]
        assert one["because"][0] == review["why"]
    (entry,) = line.audits()
    gaps = [one["decision_id"] for one in entry["decisions"] if one["disclosure_id"] in {one["disclosure_id"] for one in told}]
    assert len(set(gaps)) == 2


@pytest.mark.parametrize(("spared", "who"), [(False, {}), (True, {"identity"})])
def test_what_a_rule_withholds_from_the_hub_is_not_in_its_review_of_a_gap(spared: bool, who: set[str]) -> None:
    withhold = a_rule(
        "hidden", "hub", effect=Effect.WITHHOLD, basis=None, categories=frozenset({Category.IDENTITY, Category.LOCATION})
    )
    spare = frozenset({RoleName("hub")}) if spared else frozenset()
    line = ALine(a_policy(a_rule("school", "dsl"), replace(withhold, to=frozenset(), spare=spare))).take(a_named_event())

    assert set(shown(line).body) == set(who)
    assert b"ZZ1 1ZZ" not in codec.encode_event(shown(line))


def test_a_protected_childs_place_and_who_betrays_it_are_in_no_review_of_a_gap() -> None:
    """I8: the last guard of a view, and what a rule cuts, hold for the hub here as everywhere."""
    cut = a_rule(
        "betrays", "hub", effect=Effect.WITHHOLD, basis=None, categories=frozenset(), cut=frozenset({Cut.PLACE, Cut.FREE_TEXT})
    )
    line = ALine(
        a_policy(
            a_rule("school", "dsl"), a_rule("answerable", "hub", categories=frozenset(Category)), replace(cut, to=frozenset())
        )
    )
    line.take(a_protection(), a_named_event(contact_point="desk 7"))

    seen = codec.encode_event(shown(line))
    assert set(shown(line).body) == {"identity", "concern"}
    assert not [one for one in (b"ZZ1 1ZZ", b"desk 7", b"police:42", b"as she said") if one in seen]


def test_who_stands_in_for_an_excluded_hub_sees_it_and_is_not_told_whom_the_publisher_excludes() -> None:
    """R11: to know that the hub is excluded is to know of the conflict."""
    registers = some_registers()
    other = a_recipient(RecipientId("north-alternate"), "hub", "la:E10000030", "E10000030")
    hub = replace(registers.recipients[HUB], alternate=other.id)
    registers = replace(registers, recipients={**registers.recipients, HUB: hub, other.id: other})
    line = ALine(registers=registers).take(a_named_event(excluded=(HUB,)))

    assert line.disclosures(HUB) == []
    (gap,) = [one for one in line.reviews() if one["kind"] == "GAP"]
    assert gap["for_recipient"] == other.id
    assert shown(line).header.excluded == ()
    assert "identity" in shown(line).body


def test_a_gap_of_which_nobody_at_the_hub_may_hear_shows_nothing_to_anybody() -> None:
    line = ALine().take(a_named_event(excluded=(HUB,)))

    asked = {(one["for_recipient"], one["sealed_event"]) for one in line.reviews() if one["kind"] == "GAP"}
    assert asked == {("police:42", None)}


@pytest.mark.parametrize(("knows_school", "was_told"), [(CHILD, LOSER), (LOSER, CHILD)])
def test_a_merge_fills_a_gap_of_either_record_with_who_came_to_the_child_in_the_other(knows_school: str, was_told: str) -> None:
    line = ALine().take(on_roll(), child=knows_school).take(an_event(), child=was_told)
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=LOSER.encode())

    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT"]
    assert [one["kind"] for one in line.disclosures(HUB)] == ["ALERT", "GAP"]
    assert [one["state"] for one in line.reviews()] == ["OPEN", "WITHDRAWN"]


def test_a_gap_that_a_merge_leaves_is_told_once_and_filled_later() -> None:
    line = ALine().take(an_event(), child=LOSER)
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=LOSER.encode())
    assert [one["kind"] for one in line.disclosures(HUB)] == ["ALERT", "GAP"]

    line.take(on_roll())

    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT"]
    assert [(one["state"], one["child_ref"]) for one in line.reviews()] == [("OPEN", LOSER), ("WITHDRAWN", CHILD)]


def test_a_gap_whose_time_is_over_is_filled_by_no_merge() -> None:
    line = ALine().take(on_roll()).take(an_event(), child=LOSER)
    handover = codec.encode("subject_record", {"kind": "HANDOVER", "child_ref": CHILD})

    line.feed_record(line.record(handover, LOSER.encode(), timestamp=line.log[-1].timestamp + GAP_STAYS))

    assert line.disclosures(SCHOOL) == []


def test_a_later_version_that_comes_twice_leaves_its_own_gap_open() -> None:
    line = ALine().take(an_event(), an_update("e1", "e2"), an_update("e1", "e2"), on_roll())

    assert [one["kind"] for one in line.disclosures(SCHOOL)] == ["ALERT"]
