"""What each kind of record means on its child's line: an event, a clock that rings, a receipt, a handover, a person's answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from broker import codec
from broker.core.agencies.exclusions import with_conflicts
from broker.core.agencies.own_ids import own_ids
from broker.core.line import corrections, feedback, taking
from broker.core.line.merging import merge
from broker.core.model import ledger
from broker.core.model.facts import OVERTAKEN, Facts
from broker.core.model.identifiers import EventId, Millis, digest
from broker.core.model.turn import DUPLICATE, IN_REVIEW
from broker.core.waiting import bells, judgements, unsafe
from broker.core.waiting.clocks import QUESTION
from broker.errors import UnknownDisclosureError, UnreadableRecordError
from broker.stream.decide import nobodys
from broker.stream.decide.answering import take_answer
from broker.stream.decide.draft import Draft
from broker.stream.decide.enforce import Cause, freed_review
from broker.stream.decide.facts_record import facts_from_bytes, facts_to_bytes
from broker.stream.decide.overtaken import events_of, overtaken_by
from broker.stream.decide.shelf import Waiting, shelf_from_bytes, shelf_to_bytes
from broker.stream.decide.waiting import after_event, after_merge, after_release, free, take_off
from broker.stream.receipt import said_of

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Work:
    """One record on its child's line, and the draft of what it makes."""

    draft: Draft
    message: Message

    def take(self) -> None:
        """Do what this kind of record asks for; raises RejectError when it cannot be taken."""
        draft = self.draft
        if draft.facts.merged_into is not None:
            draft.send_on(draft.facts.merged_into, draft.record.value or b"", draft.record.headers)
            draft.skip()
            return
        kinds = {
            "EVENT": self._event,
            "CLOCK": self._clock,
            "RECEIPT": self._receipt,
            "HANDOVER": self._handover,
            "RESOLUTION": self._resolution,
        }
        kinds[self.message["kind"]]()
        if draft.other_registers:
            after_release(draft)

    def _event(self) -> None:
        draft, value = self.draft, self.message["event"]
        if self.message["moved_to"] is not None:
            self._moved()
            return
        said = codec.decode_event(_there(value))
        rules = draft.begin()
        event = with_conflicts(own_ids(draft.facts, said), rules.registers)
        draft.taken = event, said.header.event_id
        before, over = draft.facts, overtaken_by(event, draft.shelf, draft.facts)
        turn = taking.take_event(before, event, rules, before.at, events_of(over))
        if event is not said:  # whoever asks what became of it knows it by the id that its agency gave it
            value, turn = codec.encode_event(event), replace(turn, concerns=(*turn.concerns, said.header.event_id))
        cause = draft.cause("event", event, value)
        draft.put(turn, cause, rules)
        after_event(draft, before, rules, over if turn.outcome not in {IN_REVIEW, DUPLICATE} else [], cause)

    def _moved(self) -> None:
        """Let what was said here end: a later version of it is about another child, or it was taken back without saying whose.

        It goes by the ledger of this child (I7), also while the line is held: it only takes back. Where the later version is on
        this line too, because two records of one child were joined, nothing has moved.
        """
        draft = self.draft
        event = own_ids(draft.facts, codec.decode_event(_there(self.message["event"])))
        here = draft.facts.seen.get(event.header.event_id, OVERTAKEN) != OVERTAKEN
        if here or self.message["moved_to"] == draft.facts.child_ref or not corrections.is_of(draft.facts, event):
            draft.skip()
            return
        rules, before = draft.begin(), draft.facts
        over = overtaken_by(event, draft.shelf, before)
        apart = replace(event, header=replace(event.header, event_id=EventId(f"{event.header.event_id}/elsewhere")))
        cause = replace(draft.cause("event", apart, b""), event=None)
        draft.put(taking.take_away(before, apart, rules, events_of(over)), cause, rules)
        take_off(draft, over, cause)
        free(draft, before, rules, freed_review)

    def _receipt(self) -> None:
        draft, said = self.draft, said_of(codec.decode("receipt", _there(self.message["receipt"])))
        held = ledger.find(draft.facts, said.disclosure_id)
        if held is None or held.recipient != said.recipient:
            raise UnknownDisclosureError("the child's line holds no such disclosure to this recipient")
        rules = draft.begin()
        draft.received = said.disclosure_id, said.state
        about = digest(f"{said.disclosure_id}\x1f{said.state}\x1f{said.outcome or ''}".encode())[:32]
        cause = replace(draft.about("receipt", about, f"receipt.{said.state}"), producer=said.recipient)
        draft.put(feedback.take_receipt(draft.facts, held, said, rules), cause, rules)

    def _clock(self) -> None:
        if self.message["question"] is not None:
            nobodys.take(self.draft, self.message)
            return
        draft, clock = self.draft, _there(self.message["clock"])
        bell = bells.Bell(clock["name"], clock["stage"])
        draft.rung = rung = clock["clock_id"]
        cause = draft.about("clock", rung, f"clock.{bell.name}")
        if bell.name == judgements.REVIEW:
            rules = draft.begin()
            turn, event = judgements.lapse(draft.facts, rung, rules)
            cause = cause if event is None else draft.cause("clock", event, codec.encode_event(event))
        elif bell.name == unsafe.UNSAFE_REVIEW:
            rules = draft.begin()
            turn, event = unsafe.unsafe_still(draft.facts, rung, rules)
            cause = cause if event is None else draft.cause("clock", event, codec.encode_event(event))
        elif rung.startswith(QUESTION):
            rules, asked = draft.begin(), next((one for one in draft.shelf if one.is_rung_by(rung, bell)), None)
            turn = bells.take_question(draft.facts, asked.asked() if asked else None, bell, rules)
        else:
            held = bells.watched(draft.facts, rung, bell)
            if held is None:
                raise UnknownDisclosureError("the child's line holds nothing that this clock could watch")
            rules = draft.begin()
            turn = bells.take_clock(draft.facts, held, bell, rules)
        draft.put(turn, cause, rules)

    def _handover(self) -> None:
        """Give all that is known to another reference of the child, or take it over from one."""
        draft, given, winner = self.draft, self.message["handover"], self.message["child_ref"]
        if given is not None:
            cause = draft.about("handover", digest(given)[:32], "identity.merged")
            self._take_over(facts_from_bytes(given), shelf_from_bytes(self.message["waiting"], draft.secrets, winner), cause)
            return
        waiting = shelf_to_bytes(draft.shelf, draft.secrets, winner)
        draft.send_on(winner, _message("HANDOVER", winner, handover=facts_to_bytes(draft.facts), waiting=waiting), ())
        draft.shelve(())
        draft.facts = replace(draft.facts, merged_into=winner)
        draft.skip()

    def _take_over(self, loser: Facts, waiting: Sequence[Waiting], cause: Cause) -> None:
        """Take over facts, ledger and what waits of another reference."""
        draft, before, here = self.draft, self.draft.facts, self.draft.shelf
        known = {one.review_id for one in here}
        draft.shelve((*here, *(one for one in waiting if one.review_id not in known)))
        rules = draft.begin() if loser.ledger or loser.findings or loser.unsafe or before.ledger or draft.shelf else None
        turn = merge(draft.facts, loser, Millis(max(before.at, loser.at)), rules)
        joined = replace(turn.facts, policy=draft.facts.policy, registers=draft.facts.registers)
        draft.put(replace(turn, facts=joined), cause, rules)
        if rules is not None and draft.shelf:
            after_merge(draft, before, here, loser, cause)

    def _resolution(self) -> None:
        take_answer(self.draft, _there(self.message["resolution"]))


def _message(kind: str, child_ref: str, **content: bytes) -> bytes:
    return codec.encode("subject_record", {"kind": kind, "child_ref": child_ref, **content})


def _there(value: Any) -> Any:
    if value is None:
        raise UnreadableRecordError("record lacks what its kind must carry")
    return value
