"""A question of whom an event is about runs on a clock: who was asked is warned, then others hear, wherever it waits (I11)."""

import dataclasses
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from broker import codec
from broker.core.model.event import Event
from broker.core.model.identifiers import AgencyId, RecipientId, RoleName
from broker.core.model.ports import ACCEPTED, ORIGIN, Outgoing, Record
from broker.core.model.registers import Recipient, SigningKey
from broker.sealing.reviews import review_id
from broker.sealing.signatures import Signer, new_key
from broker.stream.topics import REVIEWS, SUBJECTS
from tests.stream.england import DUTY, HUB, england
from tests.stream.identify_runner import FixedRegisters, Runner
from tests.stream.lines import NOW, ALine
from tests.stream.people import COUNCIL, NHS, POLICE, TRUST, an_event, attended, enrolled, in_care_system, notified, registered

DEPUTY = "hub-alternate.home"
MINUTE = 60_000
HOUR = 60 * MINUTE
ZED: dict[str, Any] = {"given": "Zed", "family": "Else", "postcode": "ES1 2AB"}
WARNED, LATE = "waits for your answer: 20 minutes are left", "was not answered within 1 hour"


class Both:
    """What waits in `identify`, and the line on which its clocks run, under the shipped rules."""

    def __init__(self) -> None:
        policy, registers = england()
        self.runner = Runner(partitions=1, hubs=(HUB, DEPUTY), began=NOW)
        self.line = ALine(policy, registers=registers)
        self.now = NOW
        self._done = 0

    def tell(self, *events: Event) -> "Both":
        self.runner.publish(*events)
        return self.go_on()

    def go_on(self) -> "Both":
        self.runner.run()
        assert not self.runner.rejected
        for one in self.runner.written[self._done :]:
            self.take(one)
        self._done = len(self.runner.written)
        return self

    def take(self, one: Outgoing) -> None:
        """Take what concerns a clock to the line; what becomes of events there is told elsewhere."""
        if one.topic == SUBJECTS and codec.decode("subject_record", one.value or b"")["kind"] == "CLOCK":
            self.line.log.append(Record(SUBJECTS, 0, len(self.line.log), self.now, one.key, one.value, one.headers))
            self.line.feed_record(self.line.log[-1])

    def review(self, event_id: str) -> dict[str, Any]:
        found = [codec.decode("review", one.value or b"") for one in self.runner.written if one.topic == REVIEWS]
        return next(one for one in reversed(found) if one["event_id"] == event_id)

    def heard(self) -> list[tuple[str, str]]:
        """Who heard what of any question."""
        return [(one["recipient"], one["because"][0]) for one in self.line.disclosures()]

    def who(self) -> list[str]:
        return [one for one, _ in self.heard()]


def a_question(**said: Any) -> tuple[Both, int]:
    """A notice about nobody known, and when it has to be answered."""
    both = Both().tell(notified(event_id="n", **ZED, **said))
    return both, both.review("n")["due_at"]


def protection(event_id: str, kind: str, by: str = COUNCIL, **said: Any) -> Event:
    return an_event("control.protection", by, event_id=event_id, control={"kind": kind, "state": "set"}, **said)


def with_signer(runner: Runner, folder: Path, hub: str) -> Signer:
    """Give a hub a desk and a key."""
    signer = new_key(folder, hub)
    desk = Recipient(id=RecipientId(hub), name="Hub", agency=AgencyId(COUNCIL), area=COUNCIL, roles=frozenset({RoleName("hub")}))
    key = SigningKey(id=signer.key_id, holder=hub, public_key=signer.public_key)
    plain = FixedRegisters().registers
    runner.registers.registers = dataclasses.replace(plain, recipients={desk.id: desk}, keys={key.id: key})
    return signer


def test_who_was_asked_is_warned_and_then_its_duty_team_hears_without_any_event_coming() -> None:
    both, due = a_question()
    found = []
    for now in (due - 20 * MINUTE - 1, due - 20 * MINUTE, due - 1, due, due + HOUR):
        both.line.ring(now)
        found.append(both.who())

    assert found == [[], [HUB], [HUB], [HUB, DUTY], [HUB, DUTY]]
    (_, warned), (_, late) = both.heard()
    assert warned.startswith(f"`{both.review('n')['review_id']}` {WARNED}")
    assert late.startswith(f"`{both.review('n')['review_id']}` {LATE}")


def test_every_bell_is_recorded_and_so_is_that_there_was_nobody_to_hear_it() -> None:
    both = Both()
    both.runner.hubs = ("nobody",)
    both.tell(notified(event_id="n", **ZED, excluded=(RecipientId(HUB), RecipientId(DUTY))))
    both.line.ring(both.review("n")["due_at"] + HOUR)

    entries = [(one["subject"], one["event_type"], one["outcome"], one["others"]) for one in both.line.audits()]
    assert both.heard() == []
    assert ("clock", "clock.1_hour", "APPLIED", "a question: the clock ran out and the area has no hub to hear it") in entries
    assert all("n" in one["concerns"] for one in both.line.audits())


@pytest.mark.parametrize("how", ["known now", "linked", "rejected"])
def test_a_question_that_is_over_neither_warns_nor_escalates(how: str, tmp_path: Path) -> None:
    both, due = a_question()
    on_their_way = list(both.line.task.due(due + HOUR))
    if how == "known now":
        both.tell(enrolled(event_id="r", **ZED))
    else:
        child = "c-of-another-date"
        both.runner.resolve(
            with_signer(both.runner, tmp_path, HUB), both.review("n"), *(("LINK", child) if how == "linked" else ("REJECT",))
        )
        both.go_on()
    for bell in on_their_way:
        both.line.feed_record(both.line.record(bell.value or b"", bell.key, stamped=False))

    assert len(on_their_way) == 3
    assert both.heard() == []
    assert {one["others"] for one in both.line.audits()} == {"the question was answered, or nobody is asked any more"}
    assert list(both.line.restart().task.due(due + 99 * HOUR)) == []


def test_a_worker_that_died_after_ringing_rings_again_and_everybody_hears_it_once() -> None:
    both, due = a_question()
    bells = [*both.line.task.due(due + HOUR), *both.line.restart().task.due(due + HOUR)]
    for bell in bells:
        both.line.feed_record(both.line.record(bell.value or b"", bell.key, stamped=False))

    assert len(bells) == 6
    assert both.who() == [HUB, DUTY]


def test_what_identify_says_again_after_a_crash_starts_no_clock_that_was_stopped() -> None:
    both, due = a_question()
    both.tell(enrolled(event_id="r", **ZED))
    for one in both.runner.written:
        both.take(one)

    assert list(both.line.task.due(due + HOUR)) == []


def test_the_clock_runs_from_when_the_event_was_accepted_however_late_it_is_asked() -> None:
    both = Both()
    both.runner.publish(notified(event_id="n", **ZED))
    [[record]] = both.runner.log.values()
    late = dataclasses.replace(
        record, timestamp=record.timestamp + 2 * HOUR, headers=(*record.headers, (ACCEPTED, b"%d" % (NOW - 5)))
    )
    both.runner.log, both.now = {0: [late]}, late.timestamp
    both.go_on()
    both.line.ring(both.now)

    assert both.review("n")["due_at"] == NOW - 5 + HOUR
    assert both.who() == [DUTY], "there was no time for a warning"


def test_a_question_that_is_put_to_another_runs_on_and_whom_an_event_excludes_hears_no_bell() -> None:
    """R11: an exclusion that comes later counts for the bells of what stands open."""
    both = Both().tell(
        registered(event_id="a", local="M1", **{**ZED, "postcode": "ES9 9ZZ"}),
        registered(event_id="b", local="M2", **ZED),
        an_event("health.demographics.changed", TRUST, event_id="moved", local="M1", **ZED),
        notified(event_id="n", **ZED),
    )
    due = both.review("n")["due_at"]
    both.tell(attended(event_id="x", local="M1", excluded=(RecipientId(HUB), RecipientId(DUTY))))
    both.line.ring(due + HOUR)

    assert (both.review("n")["kind"], both.review("n")["for_recipient"]) == ("AMBIGUOUS", DEPUTY)
    assert set(both.who()) == {DEPUTY}, "it was warned, and nobody else is there to hear"


def test_who_may_not_know_that_there_is_a_child_at_all_hears_no_bell_about_one_that_it_may_be() -> None:
    both = Both().tell(
        in_care_system(event_id="a", local="L1", **ZED),
        protection("p", "identity_changed", local="L1"),
        notified(event_id="n", **ZED),
    )
    both.line.ring(both.review("n")["due_at"] + HOUR)

    assert both.review("n")["kind"] == "AMBIGUOUS"
    assert set(both.who()) == {HUB}
    assert both.who().count(HUB) == 2, "warned, and told that it is late"


@pytest.mark.parametrize("late", [False, True], ids=["in order", "the closing comes late"])
def test_where_a_question_goes_on_at_another_place_its_clock_does(*, late: bool) -> None:
    """An event without a birth date waits with its number's owner, then at the child that has the number and is held."""
    both = Both()
    both.runner.partitions = 3
    both.tell(registered(event_id="a", local="M1", nhs=NHS[1], **ZED), registered(event_id="b", local="M2", given="Ben"))
    both.tell(protection("u", "safe_address", nhs=NHS[1], local="M2", by=TRUST), attended(event_id="n", nhs=NHS[0], born=None))
    before = both.review("n")
    both.tell(attended(event_id="more", local="M1", nhs=NHS[0]))
    if late:
        both.line = ALine(england()[0], registers=england()[1])
        for one in sorted((one for one in both.runner.written if one.topic == SUBJECTS), key=is_closing):
            both.take(one)
    both.line.ring(before["due_at"])

    after = both.review("n")
    assert (before["kind"], after["kind"]) == ("UNIDENTIFIED", "HOLD")
    places = {crc32(one["matching_key"].encode()) % 3 for one in (before, after)}
    assert len(places) == 2, "two workers, each of which says in order what it says itself"
    heard = [who for who, text in both.heard() if after["review_id"] in text]
    assert DUTY in heard


def is_closing(one: Outgoing) -> bool:
    question = codec.decode("subject_record", one.value or b"")["question"]
    return question is not None and not question["is_open"]


def test_a_bell_says_nothing_of_the_event_and_no_record_of_a_clock_counts_as_one() -> None:
    both, due = a_question()
    both.line.ring(due + HOUR)

    assert [one for one in ("Zed", "Else", POLICE, "ES1") if one in repr(both.line.disclosures())] == []
    assert all(one["event_type"] == "broker.review.unanswered" for one in both.line.disclosures())
    assert not any(ORIGIN in dict(one.headers) for one in both.line.log)
    [shown] = {one["child"] for one in both.line.disclosures(HUB)}
    assert shown not in {one["child"] for one in both.line.disclosures(DUTY)}
    kept = [record for record in both.line.log if record.value and b"Zed" in record.value]
    assert kept == []


def test_two_agencies_events_of_one_id_have_a_clock_each() -> None:
    both = Both().tell(notified(event_id="n", **ZED), attended(event_id="n", given="Zoe", family="Other"))
    both.line.ring(both.review("n")["due_at"])

    named = {text.partition("`")[2].partition("`")[0] for _, text in both.heard()}
    assert named == {review_id(POLICE, "n"), review_id(TRUST, "n")}
