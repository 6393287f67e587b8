"""What `identify` holds of a protection or an exclusion follows what stands on the child's line (I10, R11, R16)."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.model.event import Action, Event
from broker.core.model.identifiers import event_id
from broker.stream.topics import CANDIDATES, SUBJECTS
from tests.stream.england import AWAY, FORCE, HOME, NOTICE, SCHOOL, england, says, tie, told
from tests.stream.identify_runner import Runner
from tests.stream.lines import ALine
from tests.stream.people import NHS

UNLINKS: Any = {"kind": "identity_changed", "state": "set"}
UNSEEN: Any = {"kind": "protected_person", "state": "set"}


class Both:
    """`identify` and `decide`, each fed with what the other writes."""

    def __init__(self, runner: Runner | None = None) -> None:
        policy, registers = england()
        self.identify, self.line = runner or Runner(), ALine(policy, registers=registers)
        self._fed = [0, 0]

    def take(self, *events: Event) -> "Both":
        for one in events:
            one.body["location"] = {"postcode": "ES1 2AB"}
            named = replace(one.header, event_id=event_id("tests", one.header.event_id, "1"))
            earlier = one.header.supersedes and event_id("tests", one.header.supersedes, "1")
            self.identify.publish(replace(one, header=replace(named, supersedes=earlier)))
        self._settle()
        return self

    def answer(self, decision: str) -> "Both":
        self.line.resolve(next(one for one in self.line.reviews() if one["kind"] == "HOLD"), decision)
        self._settle()
        return self

    def _settle(self) -> None:
        """Until neither has anything left to take."""
        before = None
        while before != self._fed:
            before = list(self._fed)
            self.identify.run()
            lines = [one for one in self.identify.written if one.topic == SUBJECTS]
            for one in lines[self._fed[0] :]:
                record = self.line.record(one.value or b"", one.key, stamped=False)
                self.line.feed_record(replace(record, headers=one.headers))
            words = [one for one in self.line.written if one.topic == CANDIDATES]
            for one in words[self._fed[1] :]:
                self.identify.append(one)
            self._fed = [len(lines), len(words)]
        assert not self.identify.rejected

    def asked(self) -> list[tuple[str, str]]:
        return [(one["kind"], one["event_type"]) for one in self.identify.reviews()]


def numbered(event: Event) -> Event:
    number: Any = {"scheme": "nhs_number", "value": NHS[0], "verified": True}
    event.body["identity"]["identifiers"] = [number]
    return event


def a_child(runner: Runner | None = None) -> Both:
    home = says(HOME, "council.person.registered", tie("home_area", f"la:{HOME}"))
    return Both(runner).take(numbered(home), says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL)))


NOTIFIED = says(FORCE, NOTICE)
BOGUS = numbered(says(AWAY, "control.protection", UNLINKS))
OWN = numbered(says(HOME, "control.protection", UNLINKS))


def test_while_it_is_in_question_nothing_is_linked_by_a_name_without_a_person() -> None:
    assert a_child().take(BOGUS, NOTIFIED).asked() == [("AMBIGUOUS", NOTICE)]


def bogus_from_away(*before: Event) -> Both:
    both = a_child(Runner(hubs=("hub.home",)))
    both.identify.hubs = ("hub.away",)
    for one in (*before, BOGUS):
        both.take(one)
    both.identify.hubs = ("hub.home",)
    return both


def a_record_at_away() -> Event:
    row = numbered(says(AWAY, "council.person.registered"))
    row.body["identity"]["identifiers"].append({"scheme": "la_child_id", "value": "7", "issuer": AWAY})
    return row


@pytest.mark.parametrize("before", [(), (says(AWAY, "council.referral.received"),), (a_record_at_away(),)])
def test_and_the_hub_of_who_set_it_is_asked_nothing_of_the_child_by_that_word_alone(before: tuple[Event, ...]) -> None:
    """Whoever said that a child of another area is protected was shown every alert about it, and its own hub was not asked."""
    assert [one["for_recipient"] for one in bogus_from_away(*before).take(NOTIFIED).identify.reviews()] == ["hub.home"]

    let_stand = bogus_from_away().answer("LINK").take(NOTIFIED)
    assert [one["for_recipient"] for one in let_stand.identify.reviews()] == ["hub.away"], (
        "it is known by now to protect the child"
    )


def test_a_protection_that_the_hub_refused_guards_nobody() -> None:
    both = a_child().take(BOGUS).answer("REJECT").take(NOTIFIED)

    assert both.asked() == []
    assert told(both.line, NOTICE) == {"dsl.school"}


def test_what_waited_for_it_goes_on_once_it_is_refused() -> None:
    assert a_child().take(BOGUS, NOTIFIED).answer("REJECT").asked() == []


def test_one_that_its_publisher_takes_back_before_it_stood_guards_nobody() -> None:
    back = says(AWAY, "control.retraction", {"concerns_event": event_id("tests", BOGUS.header.event_id, "1")})
    back = replace(numbered(back), header=replace(back.header, supersedes=BOGUS.header.event_id, action=Action.RETRACT))
    both = a_child().take(BOGUS, back)
    assert both.line.facts(next(iter(both.identify.lines()))).holds == frozenset()

    assert both.take(NOTIFIED).asked() == []


@pytest.mark.parametrize("by", [SCHOOL, AWAY])
def test_one_that_its_sector_may_never_set_guards_nobody_from_the_start(by: str) -> None:
    both = a_child().take(numbered(says(by, "control.protection", UNSEEN)), NOTIFIED)

    assert [kind for kind, event_type in both.asked() if event_type == NOTICE] == []


def test_one_that_stands_guards_on_also_where_another_of_its_kind_is_refused() -> None:
    both = a_child().take(OWN, BOGUS).answer("REJECT").take(NOTIFIED)

    assert both.asked() == [("AMBIGUOUS", NOTICE)]


def test_one_that_is_said_twice_stands_until_it_is_lifted() -> None:
    again = numbered(says(HOME, "control.protection", UNLINKS, occurred_at="2026-09-21"))
    lifted = numbered(says(HOME, "control.protection", {**UNLINKS, "state": "lifted"}))
    both = a_child().take(OWN, again, NOTIFIED)
    assert both.asked() == [("AMBIGUOUS", NOTICE)]

    assert both.take(lifted).asked() == []


def test_one_that_a_person_let_stand_guards() -> None:
    assert a_child().take(BOGUS).answer("LINK").take(NOTIFIED).asked() == [("AMBIGUOUS", NOTICE)]


def test_one_that_has_the_id_of_anothers_event_guards_on_as_it_stands_there_under_a_name_apart() -> None:
    alert = says(FORCE, "police.missing.reported", event_id="the same")
    both = a_child().take(numbered(alert), numbered(says(HOME, "control.protection", UNLINKS, event_id="the same")), NOTIFIED)

    assert both.asked() == [("AMBIGUOUS", NOTICE)]


def test_one_that_was_lifted_guards_again_once_its_lifting_is_taken_back() -> None:
    lifted = numbered(says(HOME, "control.protection", {**UNLINKS, "state": "lifted"}, event_id="lifted"))
    back = numbered(says(HOME, "control.retraction", None, supersedes="lifted", action=Action.RETRACT))
    both = a_child().take(OWN, lifted).take(back).take(NOTIFIED)

    assert both.asked() == [("AMBIGUOUS", NOTICE)]


def test_one_that_is_sent_again_and_again_is_answered_each_time_and_no_more_than_that() -> None:
    """Else a thousand times one event are a million records, and its trail is more than a topic takes."""
    named = numbered(says(FORCE, NOTICE, excluded=("dsl.school",)))
    both = a_child().take(*[named] * 20)
    before = len(both.identify.written)
    both.take(named)

    words = [one for one in both.identify.written[before:] if one.topic == CANDIDATES]
    assert 0 < len(words) < 10
