"""Compares what recipients really received with the truth of the stories: missing, forbidden, duplicated, late.

Pure, and told nothing by the broker but what a recipient itself can read. Each fault names its story and step.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from broker.simulate.days import end_of, in_seconds
from broker.simulate.truth import Claim, Evidence

_GROUPS = (
    "identity", "contact", "location", "concern", "narrative", "clinical", "intelligence", "third_party", "wish", "monitoring",
)  # fmt: skip
_LOCAL = ZoneInfo("Europe/London")  # of a time that its source wrote without a zone
_FAR = 6  # so many times the seconds of a story are more than a busy machine explains
_FIRST_WORD = frozenset(("ALERT", "EXISTENCE", "OUTCOME"))


@dataclass(frozen=True, slots=True)
class Received:
    """One disclosure or review as its recipient read it: its fields, and every byte that came with it."""

    recipient: str
    message: Mapping[str, Any]
    raw: bytes
    review: str | None = None  # the kind, when it is a review
    at: int = 0
    day: int | None = None  # of the area's week, on which it came
    took: int | None = None  # milliseconds from the arrival of its event in Kafka until its reader could see it
    said: Mapping[str, Any] = field(default_factory=dict)  # its event's own words of the child and the time, where known

    @property
    def id(self) -> str:
        """The disclosure's or review's own id."""
        return str(self.message.get("disclosure_id") or self.message.get("review_id"))

    @property
    def categories(self) -> frozenset[str]:
        """The categories of information that are in it."""
        return frozenset(group for group in _GROUPS if self.message.get(group))


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as the story says."""

    story: str
    number: int
    step: str
    recipient: str
    words: str


@dataclass(slots=True)
class Comparison:
    """What came of the comparison. `heard`: how many lines of the truth were met.

    `slow` took longer than the seconds that its story gives it, and not so long that no busy machine explains it: it is told
    and counts against nobody.
    """

    heard: int = 0
    expected: int = 0
    missing: list[Fault] = field(default_factory=list)
    forbidden: list[Fault] = field(default_factory=list)
    duplicated: list[Fault] = field(default_factory=list)
    late: list[Fault] = field(default_factory=list)
    slow: list[Fault] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing is missing, forbidden, duplicated or late."""
        return not (self.missing or self.forbidden or self.duplicated or self.late)


def compare(truth: Iterable[Claim], received: Sequence[Received]) -> Comparison:
    """Hold what was received against the truth."""
    lines = list(truth)
    desk = _Desk(received)
    found = Comparison()
    met: dict[tuple[str, int, str, str], Received] = {}
    for claim in lines:
        if claim.claim == "hears":
            _hears(claim, desk, met, found)
    for claim in lines:
        if claim.claim == "never":
            _never(claim, desk, found)
    _canaries([claim for claim in lines if claim.claim == "canary"], received, found)
    _twice(received, found)
    return found


class _Desk:
    """What each recipient has in hand, and whose pseudonym is whose as far as it was told."""

    def __init__(self, received: Sequence[Received]) -> None:
        self._by_place: defaultdict[tuple[str, str], list[Received]] = defaultdict(list)
        self._known: dict[tuple[str, str], Mapping[str, Any]] = {}
        self.taken: set[tuple[str, str]] = set()
        for one in received:
            self._by_place[one.recipient, str(one.message.get("event_type"))].append(one)
            if identity := one.message.get("identity"):
                self._known.setdefault((one.recipient, str(one.message.get("child"))), identity)

    def about(self, claim: Claim) -> list[Received]:
        """Return what this recipient has about the child and event of a claim, the surest first."""
        assert claim.evidence is not None
        sure = [(self._sureness(one, claim.evidence), one) for one in self._by_place[claim.recipient, claim.event_type]]
        ordered = sorted((pair for pair in sure if pair[0] > 0), key=lambda pair: (-pair[0], pair[1].id))
        return [one for _, one in ordered]

    def reviews(self, claim: Claim) -> list[Received]:
        """Return the reviews of this kind about such an event that were put to the recipient, as far as anybody can tell."""
        there = [one for one in self._by_place[claim.recipient, claim.event_type] if one.review == claim.review]
        return [one for one in there if not one.said or self._may_be(one, claim)]

    def _may_be(self, one: Received, claim: Claim) -> bool:
        """Say whether an event in review is a claim's: what it says of the child may be the very thing that is wrong."""
        assert claim.evidence is not None
        return _same_time(one.said.get("occurred_at"), claim.evidence.at) or self._sureness(one, claim.evidence) > 1

    def replacing(self, claim: Claim, earlier: str) -> list[Received]:
        """Return what this recipient was sent to take the place of an earlier disclosure."""
        return [
            one
            for one in self._by_place[claim.recipient, claim.event_type]
            if one.message.get("replaces") == earlier and claim.kind in (None, one.message.get("kind"))
        ]

    def _sureness(self, one: Received, evidence: Evidence) -> int:
        """Say how sure it is that this is the child and the event: 0 when it is another."""
        known = one.message.get("identity") or self._known.get((one.recipient, str(one.message.get("child"))))
        identity, said_when = known or one.said.get("identity"), one.message.get("occurred_at") or one.said.get("occurred_at")
        when = _same_time(said_when, evidence.at)
        if not identity:  # that there is something is told without saying when it was
            return 1 if when or said_when is None else 0
        return 2 + bool(when) if _same_child(identity, evidence) else 0


def _hears(claim: Claim, desk: _Desk, met: dict[tuple[str, int, str, str], Received], found: Comparison) -> None:
    found.expected += 1
    if claim.review:
        candidates = desk.reviews(claim)
    else:
        kinds = frozenset((claim.kind,)) if claim.kind else _FIRST_WORD
        candidates = [one for one in desk.about(claim) if one.review is None and str(one.message.get("kind")) in kinds]
        candidates += _replacing(claim, met, desk) if claim.of else []
    fresh = [one for one in candidates if (one.recipient, one.id) not in desk.taken]
    if not fresh:
        found.missing.append(_fault(claim, f"did not hear of `{claim.event_type}`, due {claim.by}"))
        return
    one = fresh[0]
    desk.taken.add((one.recipient, one.id))
    met[claim.story, claim.number, claim.step, claim.recipient] = one
    found.heard += 1
    _in_time(claim, one, found)
    if absent := sorted(set(claim.has) - one.categories):
        found.missing.append(_fault(claim, f"heard of `{claim.event_type}` without {', '.join(absent)}"))
    if present := sorted(set(claim.lacks) & one.categories):
        found.forbidden.append(_fault(claim, f"was told {', '.join(present)} of `{claim.event_type}`"))


def _in_time(claim: Claim, one: Received, found: Comparison) -> None:
    """Hold when it was heard against when it had to be: in the time of the area, where a later day is a day later."""
    heard = _heard_at(claim, one)
    if heard is not None and heard <= datetime.fromisoformat(claim.due):
        return
    seconds = in_seconds(claim.by)
    words = f"heard of `{claim.event_type}` {_when(one)}, due {claim.by}"
    is_slow = heard is not None and seconds is not None and heard <= datetime.fromisoformat(claim.begun) + _FAR * seconds
    (found.slow if is_slow else found.late).append(_fault(claim, words))


def _heard_at(claim: Claim, one: Received) -> datetime | None:
    """As long after it was written down as it took; what came on a later day is taken to have come at its end.

    None when nobody knows: then it counts as late.
    """
    begun = datetime.fromisoformat(claim.begun)
    if one.day is not None and one.day > claim.day:
        return end_of(begun.date() + timedelta(days=one.day - claim.day))
    return None if one.took is None else begun + timedelta(milliseconds=one.took)


def _when(one: Received) -> str:
    took = "nobody knows when" if one.took is None else f"{one.took / 1000:.1f} s after it was published"
    return took if one.day is None else f"on day {one.day}, {took}"


def _replacing(claim: Claim, met: Mapping[tuple[str, int, str, str], Received], desk: _Desk) -> list[Received]:
    """Return what takes the place of the disclosure that was heard before: a correction need not name the child again."""
    earlier = met.get((claim.story, claim.number, str(claim.of), claim.recipient))
    return [] if earlier is None else desk.replacing(claim, earlier.id)


def _never(claim: Claim, desk: _Desk, found: Comparison) -> None:
    for one in desk.about(claim):
        if (one.recipient, one.id) not in desk.taken and one.review is None:
            desk.taken.add((one.recipient, one.id))
            found.forbidden.append(_fault(claim, f"was told of `{claim.event_type}`"))


def _canaries(canaries: Sequence[Claim], received: Sequence[Received], found: Comparison) -> None:
    """Look for texts that only some may read in every byte that others could read."""
    texts = [(claim, claim.text.encode(), frozenset(claim.readable_by)) for claim in canaries]
    for one in received:
        for claim, text, allowed in texts:
            if text in one.raw and one.recipient not in allowed:
                readers = ", ".join(claim.readable_by) or "nobody"
                words = f"could read a text that only {readers} may, in `{one.message.get('event_type')}`"
                found.forbidden.append(Fault(claim.story, claim.number, "", one.recipient, words))


def _twice(received: Sequence[Received], found: Comparison) -> None:
    for (recipient, which), times in Counter((one.recipient, one.id) for one in received if one.review is None).items():
        if times > 1:
            found.duplicated.append(Fault("", 0, "", recipient, f"was shown disclosure {which} {times} times"))
    said = Counter(_saying(one) for one in received if one.review is None and one.message.get("kind") in _FIRST_WORD)
    for saying, times in said.items():
        if times > 1 and saying[-1]:
            found.duplicated.append(Fault("", 0, "", saying[0], f"was told {times} times of one `{saying[1]}` of one child"))


def _saying(one: Received) -> tuple[str, str, str, str]:
    """Return what makes two alerts one and the same to a reader: child, event and instant."""
    said = one.message
    return one.recipient, str(said.get("event_type")), str(said.get("child")), str(said.get("occurred_at") or "")


def _fault(claim: Claim, words: str) -> Fault:
    return Fault(claim.story, claim.number, claim.step, claim.recipient, words)


def _same_child(identity: Mapping[str, Any], evidence: Evidence) -> bool:
    if any(str(one.get("value")) in evidence.identifiers for one in identity.get("identifiers") or ()):
        return True
    named = {_plain(f"{one.get('given')} {one.get('family')}") for one in identity.get("names") or ()}
    return _plain(evidence.name) in named and identity.get("birth_date") in (None, evidence.born)


def _plain(name: str) -> str:
    """Return a name without case, accents, hyphens, apostrophes and spaces."""
    return "".join(letter for letter in unicodedata.normalize("NFD", name.casefold()) if letter.isalpha())


def _same_time(said: object, expected: str) -> bool:
    if not isinstance(said, str):
        return False
    if "T" not in said or "T" not in expected:
        return said[:10] == expected[:10]
    return _instant(said) == _instant(expected)


def _instant(text: str) -> datetime | None:
    """Return an instant to the minute in UTC; None when the text is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=_LOCAL)).astimezone(UTC).replace(second=0, microsecond=0)
