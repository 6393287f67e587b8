"""Whom a stranger excludes is in question: others are asked, and nobody is left without a voice by it (R11, I10)."""

from pathlib import Path
from typing import Any

import pytest

from broker.core.model.event import Action, Event
from broker.core.model.identifiers import EventId, RecipientId, event_id
from broker.sealing.signatures import new_key
from tests.stream.england import AWAY, PRACTICE, says, tie
from tests.stream.identify.test_excluded_from_reviews import registers
from tests.stream.identify.test_refused import Both, a_child, numbered
from tests.stream.identify.test_wrong_child import take_in
from tests.stream.identify_runner import Runner
from tests.stream.people import NHS, OTHER_COUNCIL, TRUST, an_event, attended, registered

HERE, THERE = ("hub-here", "hub-here-too"), ("hub-there",)
ALFIE: dict[str, Any] = {"given": "Alfie", "family": "Marsh", "postcode": "ES1 2AB"}
IN_DOUBT = attended(event_id="n", nhs=NHS[1], **ALFIE)


def after(*steps: tuple[tuple[str, ...], Event]) -> Runner:
    runner = Runner(partitions=1)
    for hubs, event in ((HERE, registered(event_id="a", nhs=NHS[0], local="M1", **ALFIE)), *steps):
        runner.hubs = hubs
        runner.publish(event)
        runner.run()
    assert not runner.rejected
    return runner


def excluding(*recipients: str, by: str = OTHER_COUNCIL, **said: Any) -> Event:
    excluded = tuple(RecipientId(one) for one in recipients)
    return an_event("council.referral.received" if by == OTHER_COUNCIL else "health.ed.attended", by, excluded=excluded, **said)


def asked(runner: Runner) -> str:
    [review] = runner.reviews()
    return str(review["for_recipient"])


def test_a_stranger_turns_a_question_to_another() -> None:
    assert asked(after((THERE, excluding("hub-here", nhs=NHS[0])), (HERE, IN_DOUBT))) == "hub-here-too"


def test_and_leaves_nobody_without_a_voice() -> None:
    assert asked(after((THERE, excluding(*HERE, nhs=NHS[0])), (HERE, IN_DOUBT))) == "hub-here"


def test_who_knows_the_child_does() -> None:
    assert asked(after((HERE, excluding(*HERE, by=TRUST, local="M1")), (HERE, IN_DOUBT))) == ""


def test_whoever_is_asked_so_may_answer(tmp_path: Path) -> None:
    runner = after((THERE, excluding(*HERE, nhs=NHS[0])), (HERE, IN_DOUBT))
    signer = new_key(tmp_path, "hub-here")
    runner.registers.registers = registers({"hub-here": signer})
    runner.resolve(signer, runner.reviews()[0], "REJECT")
    runner.run()

    assert runner.rejected == []
    assert runner.reviews() == []


def counted(both: Both) -> list[tuple[str, bool]]:
    """Whom the child's events exclude as `identify` knows it, and whether that is in doubt."""
    [task] = both.identify.tasks.values()
    rosters = [held.roster for held in task._held.values()]  # type: ignore[attr-defined]  # looked into for the test
    return [
        (one.recipient, one.doubted) for roster in rosters for ref in roster.children for one in roster.children[ref].exclusions
    ]


def far_alert() -> Both:
    both = a_child(Runner(partitions=1, hubs=("hub.home",)))
    both.identify.hubs = ("hub.away",)
    return both.take(numbered(says(AWAY, "council.referral.received", excluded=(RecipientId("dsl.school"),))))


def test_it_is_in_doubt_until_a_person_has_said_whether_it_counts() -> None:
    assert counted(far_alert()) == [("dsl.school", True)]
    assert counted(far_alert().answer("REJECT")) == []
    assert counted(far_alert().answer("LINK")) == [("dsl.school", False)]


def far_exclusion() -> Both:
    both = a_child(Runner(partitions=1, hubs=("hub.home",)))
    both.identify.hubs = ("hub.away",)
    return both.take(numbered(says(AWAY, "control.exclusion", excluded=(RecipientId("dsl.school"),), event_id="far")))


def test_so_it_is_where_an_event_says_nothing_else() -> None:
    assert counted(far_exclusion()) == [("dsl.school", True)]
    assert counted(far_exclusion().answer("REJECT")) == []
    assert counted(far_exclusion().answer("LINK")) == [("dsl.school", False)]


@pytest.mark.parametrize("by", ["control.retraction", "control.exclusion"])
def test_what_takes_it_back_need_not_say_again_whose_it_was(by: str) -> None:
    both, name = far_exclusion().answer("LINK"), EventId(event_id("tests", "far", "1"))
    over = says(AWAY, by, supersedes=name, action=Action.RETRACT, event_id="over")
    over.body.clear()
    take_in(both.identify, over)

    assert counted(both.take()) == []


def test_it_is_sure_at_once_where_the_childs_line_knows_its_publisher() -> None:
    both = a_child(Runner(partitions=1, hubs=("hub.home",)))
    both.identify.hubs = ("hub.away",)
    both.take(numbered(says(PRACTICE, "health.gp.registered", tie("gp", PRACTICE))))

    alert = says(PRACTICE, "health.injury.suspected", excluded=(RecipientId("dsl.school"),))
    assert counted(both.take(numbered(alert))) == [("dsl.school", False)]
