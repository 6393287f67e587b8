"""The second stage: who is this child? One partition sees, in one order, every record that could be the same child.

The same line carries four conversations, told apart by the key: `m-` children of one birth date, `i-` the owner of one
identifier, `v-` the trail of one event, `n-` an event that names nobody. Each key's state says which positions of which
lanes were applied (I12).
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from broker import codec
from broker.core.intake.matching import ExactMatcher, Matcher
from broker.core.model.event import Action, Event, Header
from broker.core.model.identifiers import RoleName
from broker.core.model.ports import ANSWERS, CAUSE, ORIGIN, WAITS, Effects, Headers, Outgoing, Position, Record, Table, Task
from broker.errors import NotPermittedError, RejectError, SignatureError, TooLargeError, UnreadableRecordError
from broker.sealing.secrets import Secrets
from broker.sealing.signatures import signed_by
from broker.stream.identify import owner as identify_owner
from broker.stream.identify import trail
from broker.stream.identify.children import Line
from broker.stream.identify.room import check_weight
from broker.stream.identify.roster import Roster, read_roster
from broker.stream.identify.said import Said, said_by
from broker.stream.identify.state import Holding, Waiting, holding_from_bytes, holding_to_bytes
from broker.stream.identify.store import Kept, Store
from broker.stream.identify.trail import Trail, trail_from_bytes, trail_to_bytes
from broker.stream.identify.turn import UNIDENTIFIED, Turn
from broker.stream.intake import RegistersSource, candidate_key
from broker.stream.senders import sender_within
from broker.stream.topics import CANDIDATES, IDENTIFIERS, IDENTITIES, LARGEST_RECORD

_HUB = RoleName("hub")
_MOST_HELD = 8_192  # rosters in hand; others are read again from their state


@dataclass(frozen=True, slots=True)
class Identify:
    """The stage `identify`. The registers are asked only whether a reviewer may answer."""

    secrets: Secrets
    registers: RegistersSource
    matcher: Matcher = field(default_factory=ExactMatcher)
    name: str = "identify"
    inputs: tuple[str, ...] = (CANDIDATES,)
    state_topics: tuple[str, ...] = (IDENTITIES, IDENTIFIERS)

    def open(self, partition: int, tables: Mapping[str, Table]) -> Task:  # noqa: ARG002 - the port's signature
        """Take a partition up; the tables hold its whole state."""
        return _IdentifyTask(self, tables[IDENTITIES], tables[IDENTIFIERS])


@dataclass(slots=True)
class _IdentifyTask:
    stage: Identify
    identities: Table
    identifiers: Table
    _store: Store = field(init=False)
    _held: "OrderedDict[bytes, _Held]" = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self._store = Store(self.identities)

    def step(self, record: Record, effects: Effects) -> None:
        """Take one candidate; raises RejectError, and then nothing has changed."""
        try:
            self._take(record, effects)
        except RejectError as error:
            error.sender = sender_within("candidate", record)
            raise

    def _take(self, record: Record, effects: Effects) -> None:
        key = record.key or b""
        if record.value is None or not key:
            raise UnreadableRecordError("candidate has no key or no value")
        came = _came_by(record)
        message = codec.decode("candidate", record.value)
        cause = Position(f"{record.topic}/{record.partition}", record.offset)
        turn = Turn(self.stage.secrets, key.decode(errors="replace"), cause, record.timestamp)
        takes = {b"i-": self._take_as_owner, b"v-": self._take_as_trail}
        take = takes.get(key[:2], self._take_as_children)
        take(_Input(record, key, message, came, turn), effects)

    def due(self, now: int) -> Iterable[Outgoing]:  # noqa: ARG002 - the port's signature
        """Return nothing: identify has no timers."""
        return ()

    def _take_as_owner(self, given: "_Input", effects: Effects) -> None:
        found = self.identifiers.get(given.key)
        content, lanes = _state(found) if found is not None else (b"", {})
        if _was_applied(lanes, given.came):
            return
        before = holding_from_bytes(content) if content else Holding()
        after = self._holding_after(before, given)
        _put(self.identifiers, given.key, holding_to_bytes(after), _with(lanes, given.came), effects)
        _add(given.turn, effects)

    def _take_as_trail(self, given: "_Input", effects: Effects) -> None:
        found = self.identifiers.get(given.key)
        content, lanes = _state(found) if found else (b"", {})
        if _was_applied(lanes, given.came):
            return
        before = trail_from_bytes(content) if content else Trail()
        after = replace(self._trail_after(before, given), at=max(before.at, given.record.timestamp))
        _put(self.identifiers, given.key, trail_to_bytes(after), _with(lanes, given.came), effects)
        _add(given.turn, effects)

    def _trail_after(self, before: Trail, given: "_Input") -> Trail:
        message = given.message
        if message["went"]:
            return trail.went(before, message["went"], given.turn)
        if message["changes"]:
            return trail.changes(before, _content(message), given.turn)
        if message["kind"] == "EVENT":
            one, event = _event_of(message, given.record)
            return trail.arrives(before, one, event, candidate_key(self.stage.secrets, event), given.turn)
        raise UnreadableRecordError(f"candidate of kind {message['kind']} does not belong to the trail of an event")

    def _holding_after(self, before: Holding, given: "_Input") -> Holding:
        message = given.message
        if message["changes"]:
            return identify_owner.changed(before, *_change(message), given.turn)
        if message["kind"] == "EVENT":
            return identify_owner.arrived(before, _waiting(message, given.record), given.turn)
        if message["kind"] == "CLAIM" and message["claim"]:
            return identify_owner.claimed(before, message["claim"], given.turn)
        if message["kind"] == "RESOLUTION" and message["resolution"]:
            kept = identify_owner.under_review(before, message["resolution"]["review_id"])
            self._check_reviewer(given, kept)
            return identify_owner.resolved(before, message["resolution"], _brought(message, given.record), given.turn)
        raise UnreadableRecordError(f"candidate of kind {message['kind']} does not belong to an identifier's owner")

    def _take_as_children(self, given: "_Input", effects: Effects) -> None:
        held = self._hold(given.key, effects)
        if _was_applied(held.kept.lanes, given.came):
            return
        held.roster.begin()
        weight = held.roster.weight
        try:
            self._carry_out(Line(self.stage.matcher, given.turn, held.roster), given)
            if given.message["kind"] == "EVENT":
                check_weight(weight, held.roster.weight)
        except RejectError:
            held.roster.take_back()
            raise
        held.kept.count += 1
        held.kept.lanes[given.came.lane] = given.came.order
        effects.at_end[IDENTITIES, given.key] = partial(self._write, given.key, held)
        _add(given.turn, effects)

    def _carry_out(self, children: Line, given: "_Input") -> None:
        message = given.message
        if message["changes"]:
            children.changed(*_change(message))
        elif message["kind"] == "EVENT":
            one, event = _event_of(message, given.record)
            said = said_by(event, self.stage.secrets)
            if message["went"] is None:
                children.arrive(one, said)
            else:
                children.learn(one, said, message["went"]["child_ref"])
        elif message["kind"] == "ANSWER" and message["claim"]:
            children.answered(message["claim"])
        elif message["kind"] == "ANSWER" and message["went"]:
            children.told(message["went"])
        elif message["kind"] == "RESOLUTION" and message["resolution"]:
            kept = children.under_review(message["resolution"]["review_id"])
            asked_of = kept.candidates if kept and kept.review != UNIDENTIFIED else ()
            self._check_reviewer(given, kept, children.excluded_for(asked_of))
            children.resolved(message["resolution"], _brought(message, given.record))
        else:
            raise UnreadableRecordError(f"candidate of kind {message['kind']} does not belong to the children of a birth date")

    def _hold(self, key: bytes, effects: Effects) -> "_Held":
        """Return a roster as it is in hand, unless somebody else wrote it meanwhile; else read it."""
        held = self._held.get(key)
        marks = self._store.marks(key)
        if held is not None and held.marks == marks:
            self._held.move_to_end(key)
            return held
        if held is not None:
            self._store.look()
        kept, parts, events = self._store.read(key)
        roster = read_roster(parts, events, self._said_by, by_words=self.stage.matcher.by_words)
        roster.next_number = kept.next_number
        self._held[key] = _Held(roster, kept, marks)
        while len(self._held) > _MOST_HELD and (IDENTITIES, oldest := next(iter(self._held))) not in effects.at_end:
            del self._held[oldest]
        return self._held[key]

    def _write(self, key: bytes, held: "_Held", effects: Effects) -> None:
        """Write what the records of a chunk changed in a roster."""
        held.kept.next_number = held.roster.next_number
        held.kept.says = _waits(held.roster)
        changed, events = held.roster.written()
        self._store.write(key, held.kept, changed, events, effects)
        held.marks = self._store.marks(key)

    def _said_by(self, one: Waiting) -> Said:
        return said_by(codec.decode_event(one.event), self.stage.secrets)

    def _check_reviewer(self, given: "_Input", kept: Waiting | None, excluded: frozenset[str] = frozenset()) -> None:
        """Check that the answer to a review is signed by the hub that was asked; raises SignatureError or NotPermittedError."""
        registers = self.stage.registers.newest()
        resolution = given.message["resolution"]
        key = signed_by(registers, given.record, resolution["review_id"])
        event = kept.event if kept else given.message["event"]
        excluded |= frozenset(codec.decode_header(event).excluded) if event else frozenset()
        asked = kept.hub if kept else ""  # nobody could be asked: any hub may answer that is not excluded, nor the publisher's
        excluded |= frozenset(kept.hubs) if kept and not asked else frozenset()
        may = [one for one in registers.recipients.values() if (one.id == asked if asked else _HUB in one.roles)]
        hubs = [one for one in may if one.id not in excluded]
        own = {codec.decode_header(event).producer} if event else set()  # nobody says of its own event whom it is about
        if key.holder not in {name for hub in hubs for name in (hub.id, hub.agency)} - own:
            raise NotPermittedError(f"`{key.holder}` is not the hub that was asked: answer with that hub's key")
        if resolution["by"] != key.id:
            raise SignatureError("the answer names another key than the one that signed it")
        if resolution["decision"] == "LINK" and not resolution["child_ref"]:
            raise UnreadableRecordError("the answer links to a child and names none")


@dataclass(slots=True)
class _Held:
    """A roster in hand, and by what is told that nobody else wrote it since."""

    roster: Roster
    kept: Kept
    marks: tuple[bytes | None, bytes | None]


@dataclass(frozen=True, slots=True)
class _Input:
    record: Record
    key: bytes
    message: dict[str, Any]
    came: Position
    turn: Turn


def _came_by(record: Record) -> Position:
    """Return by which lane a record came; one that a person wrote directly has a lane of its own."""
    cause = record.header(CAUSE)
    if cause is None:
        return Position(f"direct/{record.topic}/{record.partition}", record.offset)
    try:
        return Position.parse(cause)
    except ValueError:
        raise UnreadableRecordError(f"header `{CAUSE}` is no position") from None


def _event_of(message: Mapping[str, Any], record: Record) -> tuple[Waiting, Event]:
    event = codec.decode_event(_content(message))
    return _waiting(message, record, event.header), event


def _content(message: Mapping[str, Any]) -> bytes:
    if message["event"] is None:
        raise UnreadableRecordError("candidate of kind EVENT holds no event")
    return bytes(message["event"])


def _change(message: Mapping[str, Any]) -> tuple[Event, str, str]:
    """Return what changed or took back an event that waits, without its content, the id of that one, and where it went."""
    if message["went"] is None:
        raise UnreadableRecordError("candidate says that something changed and not what")
    return codec.decode_event(_content(message)), message["went"]["event_id"], message["went"]["child_ref"]


def _waiting(message: Mapping[str, Any], record: Record, header: Header | None = None) -> Waiting:
    header = header or codec.decode_header(_content(message))
    hubs = tuple(one for one in (message["hub"], *message["stand_ins"]) if one)
    origin = record.header(ORIGIN) or bytes(Position(f"{record.topic}/{record.partition}", record.offset))
    return Waiting(
        header.event_id,
        header.producer,
        header.event_type,
        message["event"],
        origin,
        hubs,
        opens=message["opens_child"],
        supersedes=header.supersedes if header.action is Action.UPDATE else None,
        accepted_at=record.accepted_at,
        own_area=message["own_area"],
    )


def _brought(message: Mapping[str, Any], record: Record) -> Waiting | None:
    if message["event"] is None:
        return None
    one = replace(_waiting(message, record), origin=record.header(ANSWERS) or b"")
    return replace(one, hub=one.hubs[0] if one.hubs else "")


def _was_applied(lanes: Mapping[str, int], came: Position) -> bool:
    return came.order <= lanes.get(came.lane, -1)


def _with(lanes: Mapping[str, int], came: Position) -> dict[str, int]:
    return {**lanes, came.lane: came.order}


def _state(value: bytes) -> tuple[bytes, dict[str, int]]:
    message = codec.decode("state_record", value)
    return message["content"], message["lanes"]


def _put(table: Table, key: bytes, content: bytes, lanes: Mapping[str, int], effects: Effects) -> None:
    """Write a state; raises TooLargeError where it would be more than its topic takes: one key must not stop all others."""
    value = codec.encode("state_record", {"version": table.version(key) + 1, "lanes": dict(lanes), "content": content})
    if len(value) > LARGEST_RECORD:
        raise TooLargeError("what is kept under this key is more than a topic takes: answer the reviews that wait there")
    table.put(key, value, effects)


def _waits(roster: Roster) -> Headers:
    """Name the events that wait for an answer to a claim: no record holds them meanwhile, and the reconciler must know."""
    origins = b" ".join(one.origin for one in roster.waiting.values() if one.review is None)
    return ((WAITS, origins),) if origins else ()


def _add(turn: Turn, effects: Effects) -> None:
    effects.audit.extend(turn.audit)
    effects.outputs.extend(turn.outputs)
