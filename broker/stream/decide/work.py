"""What one record of a child's line makes, collected before anything of it is written."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from broker import codec
from broker.core import bells, corrections, feedback, judgements, ledger, line, questions
from broker.core.clocks import QUESTION, Clock, still_open
from broker.core.event import Category, Event, Header
from broker.core.exclusions import excluded_for
from broker.core.facts import OVERTAKEN, Facts
from broker.core.identifiers import DisclosureId, EventId, Millis, RecipientId, digest
from broker.core.line import Turn
from broker.core.merging import merge
from broker.core.own_ids import own_ids
from broker.core.ports import CAUSE, ORIGIN, Headers, Outgoing, Position, Record
from broker.core.questions import GAP, HOLD, Question
from broker.core.rules import Rules
from broker.errors import UnknownDisclosureError, UnreadableRecordError
from broker.sealing.secrets import Secrets
from broker.sealing.signatures import signed_by
from broker.stream.decide.answering import LINK, check_answer
from broker.stream.decide.enforce import (
    Cause,
    Decided,
    Enforcer,
    closed_review,
    filled_review,
    freed_review,
    late_review,
    overtaken_review,
    shelved,
)
from broker.stream.decide.facts_record import facts_from_bytes, facts_to_bytes
from broker.stream.decide.overtaken import events_of, over_elsewhere, overtaken_by, without_overtaken
from broker.stream.decide.shelf import RELEASE, Waiting, shelf_from_bytes, shelf_to_bytes
from broker.stream.receipt import said_of
from broker.stream.topics import SUBJECTS

_REJECTED = "a person decided that this does not go on"
_SETTLED = "the hub has seen to it that somebody in this role hears"

Message = dict[str, Any]
Closing = Callable[[Waiting, Header, Facts, Cause], Outgoing]  # makes the record that closes a review


@dataclass(slots=True, kw_only=True)
class Work:
    """One record on its child's line. `rules` gives what is in force there, or raises that nothing is."""

    secrets: Secrets
    rules: Callable[[], Rules]
    record: Record
    message: Message
    place: Position
    facts: Facts
    shelf: tuple[Waiting, ...]
    audit: list[Outgoing] = field(default_factory=list)
    outputs: list[Outgoing] = field(default_factory=list)
    started: list[Clock] = field(default_factory=list)
    _ended: set[DisclosureId] = field(default_factory=set)
    _received: tuple[DisclosureId, str] | None = None
    _rung: str = ""
    _decided: Decided | None = None
    _asked: tuple[Waiting, ...] = ()

    def __post_init__(self) -> None:
        self._asked = self.shelf

    def stopped(self, clocks: Iterable[Clock]) -> frozenset[str]:
        """Return which of the child's clocks this record stops: also those of questions that nobody is asked any more."""
        if self.facts.merged_into is None:  # else its questions go on elsewhere, and their bells follow them
            asked = {one.review_id for one in self.shelf}
            self._ended.update(DisclosureId(one.review_id) for one in self._asked if one.review_id not in asked)
        if not self._received and not self._ended and not self._rung:
            return frozenset()
        running = tuple(clocks)
        left = still_open(running, *self._received) if self._received else running
        kept = {one.clock_id for one in left if one.disclosure_id not in self._ended and one.clock_id != self._rung}
        return frozenset(one.clock_id for one in running if one.clock_id not in kept)

    def take(self) -> None:
        """Do what this kind of record asks for; raises RejectError when it cannot be taken."""
        if self.facts.merged_into is not None:
            self._send_on(self.facts.merged_into, self.record.value or b"", self.record.headers)
            self.facts = replace(self.facts, version=self.facts.version + 1)
            return
        kinds = {
            "EVENT": self._event,
            "CLOCK": self._clock,
            "RECEIPT": self._receipt,
            "HANDOVER": self._handover,
            "RESOLUTION": self._resolution,
        }
        kinds[self.message["kind"]]()

    def _event(self) -> None:
        value = self.message["event"]
        if self.message["moved_to"] is not None:
            self._moved()
            return
        said = codec.decode_event(_there(value))
        event, rules = own_ids(self.facts, said), self._begin()
        before, over = self.facts, overtaken_by(event, self.shelf, self.facts)
        turn = line.take_event(before, event, rules, before.at, events_of(over))
        if event is not said:  # whoever asks what became of it knows it by the id that its agency gave it
            value, turn = codec.encode_event(event), replace(turn, concerns=(*turn.concerns, said.header.event_id))
        cause = self._cause("event", event, value)
        self._put(turn, cause, rules)
        if self.shelf:
            self._take_off(over if turn.outcome not in {line.IN_REVIEW, line.DUPLICATE} else [], cause)
            self._free(before, rules, freed_review)
            self._readdress(before, rules)
            self._tell_released(before, rules)
            if _involved(before) != _involved(self.facts):
                self._fill_gaps(rules)

    def _moved(self) -> None:
        """Let what was said here end: a later version of it is about another child, or it was taken back without saying whose.

        It goes by the ledger of this child (I7), also while the line is held: it only takes back. Where the later version is on
        this line too, because two records of one child were joined, nothing has moved.
        """
        event = own_ids(self.facts, codec.decode_event(_there(self.message["event"])))
        here = self.facts.seen.get(event.header.event_id, OVERTAKEN) != OVERTAKEN
        if here or self.message["moved_to"] == self.facts.child_ref or not corrections.is_of(self.facts, event):
            self.facts = replace(self.facts, version=self.facts.version + 1)
            return
        rules, before = self._begin(), self.facts
        over = overtaken_by(event, self.shelf, before)
        apart = replace(event, header=replace(event.header, event_id=EventId(f"{event.header.event_id}/elsewhere")))
        cause = replace(self._cause("event", apart, b""), event=None)
        self._put(line.take_away(before, apart, rules, events_of(over)), cause, rules)
        self._take_off(over, cause)
        self._free(before, rules, freed_review)

    def _receipt(self) -> None:
        said = said_of(codec.decode("receipt", _there(self.message["receipt"])))
        held = ledger.find(self.facts, said.disclosure_id)
        if held is None or held.recipient != said.recipient:
            raise UnknownDisclosureError("the child's line holds no such disclosure to this recipient")
        rules = self._begin()
        self._received = said.disclosure_id, said.state
        about = digest(f"{said.disclosure_id}\x1f{said.state}\x1f{said.outcome or ''}".encode())[:32]
        cause = replace(self._about("receipt", about, f"receipt.{said.state}"), producer=said.recipient)
        self._put(feedback.take_receipt(self.facts, held, said, rules), cause, rules)

    def _clock(self) -> None:
        clock = _there(self.message["clock"])
        bell = bells.Bell(clock["name"], clock["stage"])
        self._rung = rung = clock["clock_id"]
        cause = self._about("clock", rung, f"clock.{bell.name}")
        if bell.name == judgements.REVIEW:
            rules = self._begin()
            turn, event = judgements.lapse(self.facts, rung, rules)
            cause = cause if event is None else self._cause("clock", event, codec.encode_event(event))
        elif rung.startswith(QUESTION):
            rules, asked = self._begin(), next((one for one in self.shelf if one.is_rung_by(rung, bell)), None)
            turn = bells.take_question(self.facts, asked.asked() if asked else None, bell, rules)
        else:
            held = bells.watched(self.facts, rung, bell)
            if held is None:
                raise UnknownDisclosureError("the child's line holds nothing that this clock could watch")
            rules = self._begin()
            turn = bells.take_clock(self.facts, held, bell, rules)
        self._put(turn, cause, rules)

    def _handover(self) -> None:
        """Give all that is known to another reference of the child, or take it over from one."""
        given, winner = self.message["handover"], self.message["child_ref"]
        if given is not None:
            cause = self._about("handover", digest(given)[:32], "identity.merged")
            self._take_over(facts_from_bytes(given), shelf_from_bytes(self.message["waiting"], self.secrets, winner), cause)
            return
        waiting = shelf_to_bytes(self.shelf, self.secrets, winner)
        self._send_on(winner, _message("HANDOVER", winner, handover=facts_to_bytes(self.facts), waiting=waiting), ())
        self.shelf = ()
        self.facts = replace(self.facts, merged_into=winner, version=self.facts.version + 1)

    def _take_over(self, loser: Facts, waiting: Sequence[Waiting], cause: Cause) -> None:
        """Take over facts, ledger and what waits of another reference.

        Nobody is asked or told any more of what either knows to be over; who came to the child in one hears of the other's gaps.
        """
        before, here = self.facts, self.shelf
        there = tuple(one for one in waiting if one.review_id not in {one.review_id for one in here})
        self.shelf = (*here, *there)
        rules = self._begin() if loser.ledger or loser.findings or before.ledger or self.shelf else None
        turn = merge(self.facts, loser, Millis(max(before.at, loser.at)), rules)
        self._put(
            replace(turn, facts=replace(turn.facts, policy=self.facts.policy, registers=self.facts.registers)), cause, rules
        )
        if rules is None or not self.shelf:
            return
        joined = self.facts
        over, self.facts = over_elsewhere(here, before, loser, joined)
        also, self.facts = over_elsewhere(there, loser, before, self.facts)
        self._go_on([one for one in (*over, *also) if one.kind == HOLD], rules, overtaken_review)
        self._take_off([one for one in (*over, *also) if one.kind != HOLD], cause)
        self._free(joined, rules, freed_review)
        for known in (before, loser):
            self._readdress(known, rules)
            self._tell_released(known, rules)
        self._fill_gaps(rules)

    def _resolution(self) -> None:
        """Do what a person decided about a question of this line."""
        resolution = _there(self.message["resolution"])
        asked = next((one for one in self.shelf if one.kind != RELEASE and one.review_id == resolution["review_id"]), None)
        if asked is None:
            raise UnknownDisclosureError("no question with this id waits on the child's line")
        rules = self._begin()
        key = signed_by(rules.registers, self.record, asked.review_id)
        check_answer(key.holder, resolution["decision"], asked, self.facts, rules.registers)
        self._decided = Decided(key.holder, key.id, resolution["reason"])
        if asked.kind == HOLD:
            self._let_go(asked, resolution, rules)
        else:
            self._answer(asked, resolution, rules)

    def _answer(self, asked: Waiting, resolution: Message, rules: Rules) -> None:
        event, cause = self._again("resolution", asked)
        cause = replace(cause, record_id=asked.review_id, origin=self.record.header(ORIGIN))
        self.shelf = tuple(one for one in self.shelf if one is not asked)
        if asked.is_about_finding:
            turn = judgements.judged(self.facts, event, holds=resolution["decision"] == LINK)
        elif asked.kind == GAP:
            turn = Turn(outcome=line.APPLIED, facts=self.facts, others=_SETTLED)
        elif resolution["decision"] == LINK:
            allowed = tuple(Category(one) for one in asked.asks)
            turn = line.answer_ask(self.facts, event, RecipientId(asked.about), allowed, rules)
        else:
            turn = Turn(outcome=line.APPLIED, facts=self.facts, others=_REJECTED)
        self._put(replace(turn, concerns=(*turn.concerns, event.header.event_id)), cause, rules)
        self.outputs.append(closed_review(asked, event.header, self.facts, resolution, cause))

    def _readdress(self, before: Facts, rules: Rules) -> None:
        """Ask whoever stands in instead of whom somebody excludes by now (R11): asking tells."""
        excluded = excluded_for(self.facts) - excluded_for(before)
        for one in [one for one in self.shelf if one.for_recipient in excluded]:
            event, cause = self._again("event", one)
            put_to_another = judgements.put_to_another if one.is_about_finding else questions.put_to_another
            question = put_to_another(one.question(), event, self.facts, rules)
            again = replace(one, for_recipient=question.for_recipient)
            self.shelf = tuple(again if other is one else other for other in self.shelf)
            self.outputs.append(Enforcer(self.secrets).review(question, self.facts, cause))

    def _take_off(self, over: list[Waiting], cause: Cause) -> None:
        """Take off what is over, and gaps that nobody filled in time."""
        late = [one for one in self.shelf if one not in over and 0 < one.until <= self.facts.at]
        for gone, close in ((over, overtaken_review), (late, late_review)):
            for one in (one for one in gone if one.kind != RELEASE):
                if one.kind == HOLD:
                    self._end_held(one)
                self.outputs.append(close(one, codec.decode_header(one.event), self.facts, cause))
        self.shelf = tuple(one for one in self.shelf if one not in over and one not in late)

    def _end_held(self, one: Waiting) -> None:
        """End a held event as its own record of the log: it was accepted, and nobody decides about it any more."""
        event, cause = self._again("event", one)
        self._put(line.end_held(self.facts, event), replace(cause, event=None), None)

    def _fill_gaps(self, rules: Rules) -> None:
        """Try again to tell whom nobody could be told for: another organisation has come to the child."""
        for one in [one for one in self.shelf if one.kind == GAP]:
            event, cause = self._again("event", one)
            turn = line.fill_gap(self.facts, event, one.about, rules)
            if turn is not None:
                self.shelf = tuple(other for other in self.shelf if other is not one)
                self._put(turn, cause, rules)
                self.outputs.append(filled_review(one, event.header, self.facts, cause))

    def _tell_released(self, before: Facts, rules: Rules) -> None:
        """Decide again what an originator has released, or releases no longer."""
        if before.findings == self.facts.findings and not (before.holds and not self.facts.holds):
            return
        for one in [one for one in self.shelf if one.kind == RELEASE]:
            event, cause = self._again("event", one)
            turn = line.tell_released(before, self.facts, event, rules)
            if turn is not None:  # it may go since the release came: its clocks run from there
                self._put(turn, replace(cause, accepted_at=Millis(self.record.accepted_at)), rules)

    def _let_go(self, asked: Waiting, resolution: Message, rules: Rules) -> None:
        """Decide what was held. When the last that held the line is resolved, everything goes on in the order it came."""
        before = self.facts
        self.shelf = tuple(one for one in self.shelf if one is not asked)
        self.facts = replace(before, holds=before.holds - {EventId(asked.about)})
        event, cause = self._again("event", asked)

        def closed(one: Waiting, header: Header, facts: Facts, cause: Cause) -> Outgoing:
            return closed_review(one, header, facts, resolution, cause)

        if resolution["decision"] == LINK:
            self.facts = line.spoken_for(self.facts, event)
            self._go_on([asked, *self._freed(before, rules)], rules, closed)
        else:
            self._put(Turn(outcome=line.APPLIED, facts=self.facts, others=_REJECTED), cause, rules)
            self.outputs.append(closed(asked, event.header, self.facts, cause))
        self._free(before, rules, closed)
        self._readdress(before, rules)
        self._tell_released(before, rules)

    def _free(self, before: Facts, rules: Rules, closed: Closing) -> None:
        """Let everything go on that was held, once nothing holds the line any more."""
        if freed := self._freed(before, rules):
            self._go_on(freed, rules, closed)

    def _freed(self, before: Facts, rules: Rules) -> list[Waiting]:
        """Return what was held by nothing but the line, when it was held before and is so no more; in the order it came."""
        if not before.holds or self.facts.holds:
            return []
        held = ((one, codec.decode_event(one.event)) for one in self.shelf if one.kind == HOLD)
        return [one for one, event in held if not line.doubt_about(self.facts, event, rules)]

    def _go_on(self, released: list[Waiting], rules: Rules, closed: Closing) -> None:
        self.shelf = tuple(one for one in self.shelf if one not in released)
        self.facts = without_overtaken(self.facts, released)
        for one in released:
            event, cause = self._again("event", one)
            waits = overtaken_by(event, self.shelf, self.facts)
            turn = line.decide_released(line.without_held(self.facts, events_of(waits)), event, rules)
            self._take_off(waits, cause)
            self._put(turn, cause, rules)
            self.outputs.append(closed(one, event.header, self.facts, cause))

    def _begin(self) -> Rules:
        """Take note of what is in force here."""
        rules = self.rules()
        policy, registers = rules.policy.digest, rules.registers.digest
        if (self.facts.policy, self.facts.registers) != (policy, registers):
            self.facts = replace(self.facts, policy=policy, registers=registers)
        return rules

    def _put(self, turn: Turn, cause: Cause, rules: Rules | None) -> None:
        """Carry a turn out: its audit entry, what that allows, and the facts that come of it."""
        turn = line.with_dues(turn, rules, min(cause.accepted_at, self.facts.at)) if rules else turn
        registers = rules.registers if rules else None
        made = Enforcer(self.secrets).carry_out(turn, self.facts, cause, registers)
        if rules is not None:
            self.started.extend(judgements.review_clocks(self.facts, made.facts, rules.policy))
        self.facts = made.facts
        self.audit.append(made.audit)
        self.outputs.extend(made.outputs)
        self.started.extend(made.clocks)
        self._ended.update(turn.ended)
        if cause.event is not None:
            waits = (shelved(one, cause, made.facts.at) for one in turn.questions)
            there = {one.review_id for one in self.shelf}
            self.shelf = (*self.shelf, *(one for one in waits if one.review_id not in there))
            if turn.awaits:
                kept = Question(kind=RELEASE, for_recipient="", about=cause.record_id, why="")
                self.shelf = (*self.shelf, shelved(kept, cause, made.facts.at))
        if turn.apart is not None and rules is not None:
            apart = line.take_event(self.facts, turn.apart, rules, self.facts.at)
            self._put(apart, replace(self._cause("event", turn.apart, codec.encode_event(turn.apart)), origin=None), rules)

    def _send_on(self, child_ref: str, value: bytes, headers: Headers) -> None:
        """Put a record into another child's line, with its headers; its position names this record."""
        place = Position(f"{self.record.topic}/{self.record.partition}", self.record.offset, len(self.outputs))
        kept = tuple(one for one in headers if one[0] != CAUSE)
        self.outputs.append(Outgoing(SUBJECTS, child_ref.encode(), value, (*kept, (CAUSE, bytes(place)))))

    def _cause(self, subject: str, event: Event, value: bytes) -> Cause:
        header = event.header
        about = self._about(subject, header.event_id, header.event_type)
        return replace(about, producer=header.producer, event=value)

    def _about(self, subject: str, record_id: str, event_type: str) -> Cause:
        return Cause(
            subject=subject,
            record_id=record_id,
            event_type=event_type,
            producer="",
            place=self.place,
            origin=self.record.header(ORIGIN),
            accepted_at=Millis(self.record.accepted_at),
            decided=self._decided,
        )

    def _again(self, subject: str, one: Waiting) -> tuple[Event, Cause]:
        """Return an event that waited, and its own record of the log as the cause of what becomes of it now."""
        event = codec.decode_event(one.event)
        cause = self._cause(subject, event, one.event)
        return event, replace(cause, origin=one.origin, accepted_at=Millis(one.since or cause.accepted_at))


def _message(kind: str, child_ref: str, **content: bytes) -> bytes:
    return codec.encode("subject_record", {"kind": kind, "child_ref": child_ref, **content})


def _there(value: Any) -> Any:
    if value is None:
        raise UnreadableRecordError("record lacks what its kind must carry")
    return value


def _involved(facts: Facts) -> tuple[object, ...]:
    """Return what says who fills which role for a child."""
    return facts.connections, facts.statuses, facts.home_area
