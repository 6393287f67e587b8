"""What one record of a child's line makes, as a draft: all of it is collected before anything of it is written.

It carries turns out, and it decides nothing: what a record means is for `work`, what becomes of what waits for `waiting`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from broker import codec
from broker.core.line import taking
from broker.core.line.notices import with_dues
from broker.core.model.event import Event
from broker.core.model.facts import Facts
from broker.core.model.identifiers import DisclosureId, EventId, Millis
from broker.core.model.ports import CAUSE, ORIGIN, Headers, Outgoing, Position, Record
from broker.core.model.question import HOLD, Question
from broker.core.model.rules import Rules
from broker.core.model.turn import Turn
from broker.core.waiting import judgements, unsafe
from broker.core.waiting.clocks import Clock, still_open
from broker.sealing.secrets import Secrets
from broker.stream.decide.enforce import Cause, Decided, Enforcer, shelved
from broker.stream.decide.shelf import RELEASE, Waiting, doubts
from broker.stream.topics import SUBJECTS


@dataclass(slots=True, kw_only=True)
class Draft:
    """The facts and the shelf of a child as one record finds them, and everything that it makes of them.

    `rules` gives what is in force at the record's place, or raises that nothing is. `received` is what a receipt says of a
    disclosure, `rung` the clock that fell due, `decided` who decided where a person did.
    """

    secrets: Secrets
    rules: Callable[[], Rules]
    record: Record
    place: Position
    facts: Facts
    shelf: tuple[Waiting, ...]
    audit: list[Outgoing] = field(default_factory=list)
    outputs: list[Outgoing] = field(default_factory=list)
    started: list[Clock] = field(default_factory=list)
    received: tuple[DisclosureId, str] | None = None
    rung: str = ""
    decided: Decided | None = None
    taken: tuple[Event, str] | None = None  # the event that this record brings, and its id as its agency gave it
    left: list[Waiting] = field(default_factory=list)  # held, and taken off
    lifted: frozenset[EventId] = frozenset()  # what had protected the child as this record found it
    other_registers: bool = False  # than at the child's last record
    _ended: set[DisclosureId] = field(default_factory=set)
    _asked: tuple[Waiting, ...] = ()

    def __post_init__(self) -> None:
        self._asked = self.shelf
        self.lifted = frozenset(one.event_id for one in self.facts.protections if one.until is not None)
        self.shelve(self.shelf)

    def stopped(self, clocks: Iterable[Clock]) -> frozenset[str]:
        """Return which of the child's clocks this record stops: also those of questions that nobody is asked any more."""
        if self.facts.merged_into is None:  # else its questions go on elsewhere, and their bells follow them
            asked = {one.review_id for one in self.shelf}
            self._ended.update(DisclosureId(one.review_id) for one in self._asked if one.review_id not in asked)
        if not self.received and not self._ended and not self.rung:
            return frozenset()
        running = tuple(clocks)
        left = still_open(running, *self.received) if self.received else running
        kept = {one.clock_id for one in left if one.disclosure_id not in self._ended and one.clock_id != self.rung}
        return frozenset(one.clock_id for one in running if one.clock_id not in kept)

    def begin(self) -> Rules:
        """Take note of what is in force here."""
        rules = self.rules()
        policy, registers = rules.policy.digest, rules.registers.digest
        if (self.facts.policy, self.facts.registers) != (policy, registers):
            self.other_registers |= self.facts.registers not in {None, registers}
            self.facts = replace(self.facts, policy=policy, registers=registers)
        return rules

    def skip(self) -> None:
        """Count a record that changes nothing of what is known."""
        self.facts = replace(self.facts, version=self.facts.version + 1)

    def shelve(self, waiting: Iterable[Waiting]) -> None:
        """Keep what waits from here on. INVARIANT: whose exclusion is in question is in the facts as it is on the shelf."""
        before, self.shelf = self.shelf, tuple(waiting)
        self.left.extend(one for one in before if one.kind == HOLD and one not in self.shelf)
        doubted = doubts(self.shelf)
        if self.facts.doubted != doubted:
            self.facts = replace(self.facts, doubted=doubted)

    def put(self, turn: Turn, cause: Cause, rules: Rules | None) -> None:
        """Carry a turn out: its audit entry, what that allows, and the facts that come of it."""
        turn = with_dues(turn, rules, min(cause.accepted_at, self.facts.at)) if rules else turn
        if rules is not None:
            said = codec.decode_header(cause.event) if cause.event and turn.facts.told is not self.facts.told else None
            turn = unsafe.dated(self.facts, turn, said, rules.policy)
        registers = rules.registers if rules else None
        made = Enforcer(self.secrets).carry_out(turn, self.facts, cause, registers)
        if rules is not None:
            self.started.extend(judgements.review_clocks(self.facts, made.facts, rules.policy))
            self.started.extend(unsafe.unsafe_clocks(self.facts, made.facts))
        self.facts = made.facts
        self.audit.append(made.audit)
        self.outputs.extend(made.outputs)
        self.started.extend(made.clocks)
        self._ended.update(turn.ended)
        self.shelve(self.shelf if cause.event is None else self._with_questions(turn, cause))
        if turn.apart is not None and rules is not None:
            apart = taking.take_event(self.facts, turn.apart, rules, self.facts.at)
            self.put(apart, replace(self.cause("event", turn.apart, codec.encode_event(turn.apart)), origin=None), rules)

    def _with_questions(self, turn: Turn, cause: Cause) -> Iterator[Waiting]:
        """Yield what waits, and behind it what a turn asks about its event, or keeps it for."""
        yield from self.shelf
        there = {one.review_id for one in self.shelf}
        for one in (shelved(asked, cause, self.facts.at) for asked in turn.questions):
            if one.review_id not in there:
                yield one
        if turn.awaits:
            yield shelved(Question(kind=RELEASE, for_recipient="", about=cause.record_id, why=""), cause, self.facts.at)

    def send_on(self, child_ref: str, value: bytes, headers: Headers) -> None:
        """Put a record into another child's line, with its headers; its position names this record."""
        place = Position(f"{self.record.topic}/{self.record.partition}", self.record.offset, len(self.outputs))
        kept = tuple(one for one in headers if one[0] != CAUSE)
        self.outputs.append(Outgoing(SUBJECTS, child_ref.encode(), value, (*kept, (CAUSE, bytes(place)))))

    def cause(self, subject: str, event: Event, value: bytes) -> Cause:
        """Return an event as the cause of a turn."""
        header = event.header
        about = self.about(subject, header.event_id, header.event_type)
        return replace(about, producer=header.producer, event=value)

    def about(self, subject: str, record_id: str, event_type: str) -> Cause:
        """Return this record as the cause of a turn, where it is about no event of its own."""
        return Cause(
            subject=subject,
            record_id=record_id,
            event_type=event_type,
            producer="",
            place=self.place,
            origin=self.record.header(ORIGIN),
            accepted_at=Millis(self.record.accepted_at),
            decided=self.decided,
        )

    def again(self, subject: str, one: Waiting) -> tuple[Event, Cause]:
        """Return an event that waited, and its own record of the log as the cause of what becomes of it now."""
        event = codec.decode_event(one.event)
        cause = self.cause(subject, event, one.event)
        return event, replace(cause, origin=one.origin, accepted_at=Millis(one.since or cause.accepted_at))
