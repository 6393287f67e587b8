"""What somebody who watches every topic writes down: what came, how it ended, who was told, how long it took.

Pure: it is handed records. Everything on the results page is counted here.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from broker.codec import decode, decode_event
from broker.core.deciding.answer import BUILT_IN
from broker.core.model.ports import ORIGIN, OUTCOME, Position, Record
from broker.errors import RejectError
from broker.simulate.compare import Received
from broker.stream.engine.chunk import OFFSET, PARTITION, REASON, TOPIC
from broker.stream.topics import AUDIT, DEAD_LETTERS, EVENTS, REVIEWS

_EVENT_TOPICS = frozenset(EVENTS.values())
_TYPE_HEADER = "ce_type"
_ID_HEADER = "ce_id"
_WAITS = "in_review"

Place = tuple[str, int]  # lane of an events topic, offset


@dataclass(slots=True)
class Notebook:
    """Notes of one run. `told` is called for each disclosure that a subscriber has in hand.

    `keeps` are the rules that keep something back: a decision may have some of either kind. `received` is what stands in any
    recipient's topic, shown or not, each id once as every subscriber keeps it.
    """

    told: Callable[[Received], None] = lambda _: None
    keeps: frozenset[str] = frozenset()
    day: int = 0  # of the area's week, whose files are arriving
    events: Counter[tuple[str, str]] = field(default_factory=Counter)  # topic, type
    outcomes: Counter[str] = field(default_factory=Counter)
    decisions: Counter[tuple[str, str]] = field(default_factory=Counter)  # outcome, reason
    subscribers: set[str] = field(default_factory=set)
    received: list[Received] = field(default_factory=list)
    reviews: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    dead_letters: Counter[str] = field(default_factory=Counter)
    ended: dict[Place, str] = field(default_factory=dict)  # how each accepted record ended
    event_ids: dict[str, str] = field(default_factory=dict)  # disclosure -> event
    _published: dict[Place, int] = field(default_factory=dict)
    _begun: dict[str, int] = field(default_factory=dict)  # event -> when it first came
    _said: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # event -> what it says of the child and the time
    _origins: dict[str, Place] = field(default_factory=dict)  # disclosure or review -> event
    _seen_at: dict[str, int] = field(default_factory=dict)  # disclosure -> when a reader saw it
    _shown: set[tuple[str, str]] = field(default_factory=set)
    _allowed: set[str] = field(default_factory=set)  # disclosures, by the audit
    _read: set[str] = field(default_factory=set)

    @property
    def published(self) -> int:
        """How many records stand in the events topics."""
        return len(self._published)

    @property
    def waiting(self) -> int:
        """How many of them have not ended in any way yet."""
        return len(self._published.keys() - self.ended.keys())

    @property
    def unseen(self) -> int:
        """How many disclosures the audit allows that no reader has seen yet: the next day may not begin before."""
        return len(self._allowed - self._read)

    def note(self, record: Record, now: int) -> None:
        """Write one record down; `now` is when a reader had it in hand, milliseconds since 1970."""
        if record.topic in _EVENT_TOPICS:
            self._published[f"{record.topic}/{record.partition}", record.offset] = record.timestamp
            self._begin((record.header(_ID_HEADER) or b"").decode(), record)
            self.events[record.topic, (record.header(_TYPE_HEADER) or b"?").decode()] += 1
        elif record.topic == AUDIT:
            self._audited(record)
        elif record.topic == DEAD_LETTERS:
            self._dead(record)
        elif record.topic == REVIEWS:
            self._review(record, now)
        elif record.value is not None:
            self._disclosed(record, now)

    def seen(self, recipient: str, disclosure: Mapping[str, Any], now: int) -> None:
        """Write down that a subscriber had a disclosure in hand at its desk, and when."""
        self._seen_at.setdefault(str(disclosure["disclosure_id"]), now)
        self.subscribers.add(recipient)
        self.told(Received(recipient, disclosure, b"", at=now))

    def latencies(self) -> list[int]:
        """Return, for each disclosure, the milliseconds from the event's arrival in Kafka to its reader, in order of size."""
        pairs = ((self._published.get(self._origins[one]), seen) for one, seen in self._seen_at.items() if one in self._origins)
        return sorted(max(0, seen - begun) for begun, seen in pairs if begun is not None)

    def timed(self) -> list[Received]:
        """Return what everybody received, each with how long it took from the arrival of its event, and what that says."""
        return [replace(one, took=self._took(one), said=self._said.get(self._event(one), {})) for one in self.received]

    def _begin(self, event: str, record: Record) -> None:
        if event not in self._begun:
            self._begun[event] = record.timestamp
            with suppress(RejectError):
                said = decode_event(record.value or b"")
                self._said[event] = {"identity": said.body.get("identity"), "occurred_at": said.header.occurred_at}

    def _event(self, one: Received) -> str:
        """Return the event that something is about, by its own word or the audit's; what takes back names its trail after it."""
        return self.event_ids.get(one.id, str(one.message.get("event_id", ""))).partition("/")[0]

    def _took(self, one: Received) -> int | None:
        """Count from its own event; what takes it back by its trail has no place, but the audit says which event it is."""
        place = self._origins.get(one.id, ("", -1))
        begun = self._published.get(place, self._begun.get(self._event(one)))
        return None if begun is None else max(0, self._seen_at.get(one.id, one.at) - begun)

    def by_recipient(self) -> Mapping[str, Counter[str]]:
        """Return what each recipient was told, by kind."""
        found: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for one in self.received:
            if one.review is None:
                found[one.recipient][str(one.message["kind"])] += 1
        return found

    def _end(self, record: Record, how: str) -> None:
        """Note how a record ended; one that waited for a person may still end in another way."""
        if origin := record.header(ORIGIN):
            position = Position.parse(origin)
            place = (position.lane, position.offset)
            if self.ended.get(place, _WAITS) == _WAITS:
                self.ended[place] = how

    def _dead(self, record: Record) -> None:
        """Note a dead letter; one of the first stage carries the place where it stood, later ones its origin."""
        self._end(record, "dead_lettered")
        place = [(record.header(name) or b"").decode() for name in (TOPIC, PARTITION, OFFSET)]
        if place[0] in _EVENT_TOPICS:
            self.ended[f"{place[0]}/{place[1]}", int(place[2])] = "dead_lettered"
        self.dead_letters[(record.header(REASON) or b"unknown").decode()] += 1

    def _audited(self, record: Record) -> None:
        outcome = (record.header(OUTCOME) or b"").decode()
        self._end(record, outcome)
        self.outcomes[outcome] += 1
        entry = decode("audit_entry", record.value or b"")
        origin = Position.parse(record.header(ORIGIN) or b"?/0@0+0")
        for decision in entry["decisions"]:
            self.decisions[decision["outcome"], reason_of(decision, self.keeps)] += 1
            if shown := decision["disclosure_id"]:
                self._origins.setdefault(shown, (origin.lane, origin.offset))
                self._allowed.add(shown)
                self.event_ids.setdefault(shown, entry["event_id"])

    def _review(self, record: Record, now: int) -> None:
        self._end(record, _WAITS)
        if record.value is None:
            return
        review = decode("review", record.value)
        first = review["review_id"] not in self.reviews
        self.reviews[review["review_id"]] = review
        if first:
            shown = {name: value for name, value in review.items() if name != "sealed_event"}
            one = Received(
                review["for_recipient"], shown, record.value, review=review["kind"], at=now
            )  # of no day: the audit does not say which to wait for
            self.received.append(one)
            if origin := record.header(ORIGIN):
                position = Position.parse(origin)
                self._origins.setdefault(one.id, (position.lane, position.offset))

    def _disclosed(self, record: Record, now: int) -> None:
        try:
            message = decode("disclosure", record.value or b"")
        except RejectError:
            return
        raw = (record.key or b"") + (record.value or b"") + b"".join(value for _, value in record.headers)
        one = Received(message["recipient"], message, raw, at=now, day=self.day)
        shown = (one.recipient, one.id)
        if shown not in self._shown:  # as every subscriber does: the id is what is new
            self._shown.add(shown)
            self._read.add(one.id)
            self.received.append(one)


def reason_of(decision: Mapping[str, Any], keeps: frozenset[str]) -> str:
    """Return why a decision ended as it did: of its reasons the first that says so, whatever else was kept back or noted."""
    outcome, reasons = decision["outcome"], decision["reasons"]
    keeping = [one for one in reasons if one["rule"] in keeps or one["rule"] in BUILT_IN]
    if outcome == "WITHHOLD":  # without existence nothing goes at all
        whole = (one for one in keeping if one["rule"] in BUILT_IN and not one["categories"])  # a cut has no category either
        said = [*(one for one in keeping if "existence" in one["categories"]), *whole] or keeping
        said = sorted(said, key=lambda one: one["rule"] == "no-existence")  # it only says what follows from another
    else:
        speaking = [one for one in reasons if one not in keeping]
        reached = {*decision["granted" if outcome == "DISCLOSE" else "asked"]}
        held = [one for one in keeping if one["rule"] == "on-hold"]  # asked because of that, whatever would go
        said = held or [one for one in speaking if reached.intersection(one["categories"])] or speaking
    return str(next((one["because"] for one in (*said, *reasons)), "no rule speaks of it"))


def percentile(ordered: list[int], share: float) -> int | None:
    """Return the value below which this share of the ordered values lies; None when there is none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None
