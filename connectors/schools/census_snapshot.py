"""What was delivered before and what is said now: only the difference becomes an event.

It holds nothing itself; what lasts is in the connector's memory, under `roll/`, `left/`, `excluded/` and `absent/`.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.core.delivery import Delivery, Finding, Memory
from broker.core.event import Action, Assertion, Body, Control, Event, Header, QualityFinding, Source, SubjectRole
from broker.core.identifiers import EventId, event_id

FORMAT = "school-census"
FEW_GONE = 3  # suspensions gone from a term: up to this many, or a tenth, are taken back; more wait for a person
_COUNT = "deliveries"


@dataclass(slots=True)
class Draft:
    """What is about to be said, if it was not said before: `record` names it, `said` is all that makes it new."""

    event_type: str
    record: str
    said: str
    occurred_at: str | None
    place: str
    body: Body
    control: Control | None = None
    quality: tuple[QualityFinding, ...] = ()
    kept: dict[str, Any] = field(default_factory=dict)


class Snapshot:
    """One delivery set against what was delivered before it. `term` orders deliveries; empty when the export does not say."""

    def __init__(self, delivery: Delivery, memory: Memory) -> None:
        self.term = ""
        self._delivery = delivery
        self._memory = memory
        self._system = f"{FORMAT}/{delivery.agency.id}"
        self._digests = {piece.name: piece.digest for piece in delivery.pieces}
        self._count = int(memory.get(_COUNT) or b"0") + 1
        memory.put(_COUNT, str(self._count).encode())

    def known(self, key: str) -> dict[str, Any]:
        """Return what is remembered under a key, empty when nothing is."""
        before = self._memory.get(key)
        return dict(json.loads(before)) if before else {}

    def end(self, key: str, known: dict[str, Any], last: str) -> None:
        """Remember that what was said is over, and the id of what said so: the same words later are news again."""
        over = {"id": last, "said": "", "seen": self._count, "term": known["term"], "place": known["place"], "gone": True}
        self._memory.put(key, json.dumps(over).encode())

    def seen(self, known: dict[str, Any]) -> bool:
        """Tell whether what is remembered was said in this very delivery."""
        return bool(known.get("seen") == self._count)

    def newer(self, known: dict[str, Any]) -> bool:
        """Tell whether what is remembered was said for a later term than this delivery is about."""
        return bool(self.term and known.get("term", "") > self.term)

    def say(
        self, key: str, draft: Draft, quality: Sequence[QualityFinding], known: dict[str, Any] | None = None
    ) -> Iterator[Event]:
        """Yield the draft as an event when it differs from what was said under the key before, and remember it.

        `known` is what is remembered under the key, where the caller has it already.
        """
        known = self.known(key) if known is None else known
        said = hashlib.blake2b(draft.said.encode(), digest_size=12).hexdigest()
        again = known.get("said") == said
        previous = known.get("id")
        identity = EventId(str(previous)) if again else event_id(self._system, draft.record, f"{said}/{previous or ''}")
        remembered = {"id": identity, "said": said, "seen": self._count, "term": self.term, "place": draft.place}
        self._memory.put(key, json.dumps(remembered | draft.kept).encode())
        if not again:
            draft.quality = tuple(quality)
            correction = previous if not known.get("gone") else None
            yield self._event(draft, identity, Action.UPDATE if correction else Action.NEW, correction)

    def _event(self, draft: Draft, identity: EventId, action: Action, supersedes: str | None) -> Event:
        piece = draft.place.partition(" line ")[0]
        header = Header(
            event_id=identity,
            event_type=draft.event_type,
            producer=self._delivery.agency.id,
            sector=self._delivery.agency.sector,
            recorded_at=self._delivery.received_at,
            source=Source("COLLECT", FORMAT, self.term, self._digests.get(piece, ""), draft.place),
            action=action,
            supersedes=EventId(supersedes) if supersedes else None,
            occurred_at=draft.occurred_at,
            subject_role=SubjectRole.SUBJECT,
            assertion=Assertion.FACT,
        )
        return Event(header, draft.body, draft.control, draft.quality)

    def gone_pupils(self, native: str) -> Iterator[Event | Finding]:
        """Look at who of a school was on roll and is not there now; only with a person's word are they leavers."""
        for key, value in self._memory.items(f"roll/{native}/"):
            known = json.loads(value)
            if known.get("gone") or self.seen(known) or self.newer(known):
                continue
            if not self._delivery.accept_disappearances:
                yield Finding(
                    "warning",
                    "gone_from_roll",
                    f"{known['place']} of an earlier delivery",
                    "a pupil was on roll and is neither on roll nor a leaver now: nothing was said about it",
                    "add the leaver record; or deliver the set again and confirm that who is missing has left",
                )
                continue
            control = Control(role="school", organisation=known["school"], state="ended", since=known["entry"])
            body = Body(identity=known["who"], location={"organisation": known["school"]})
            draft = Draft("school.pupil.left", f"{key}/gone", known["id"], None, known["place"], body, control)
            for event in self.say(f"left/{key}/{known['id']}", draft, []):
                self.end(key, known, event.header.event_id)
                yield event

    def gone_exclusions(self, native: str) -> Iterator[Event | Finding]:
        """Take back what is gone from the same term; when that is much, wait for a person."""
        prefix, of_term, gone = f"excluded/{native}/", 0, 0
        for _, value in self._memory.items(prefix):
            known = json.loads(value)
            of_term += self._of_term(known)
            gone += self._of_term(known) and not self.seen(known)
        if gone > max(FEW_GONE, of_term // 10) and not self._delivery.accept_disappearances:
            yield Finding(
                "error",
                "many_gone",
                f"NativeId {native}",
                f"{gone} of {of_term} suspensions and exclusions of this term are gone: none was taken back",
                "deliver the whole set; or deliver it again and confirm that they are gone",
            )
            return
        for key, value in self._memory.items(prefix) if gone else ():
            known = json.loads(value)
            if self._of_term(known) and not self.seen(known):
                event = self._retraction(key, known)
                self.end(key, known, event.header.event_id)
                yield event

    def _of_term(self, known: dict[str, Any]) -> bool:
        return bool(known["term"] == self.term and not known.get("gone"))

    def _retraction(self, key: str, known: dict[str, Any]) -> Event:
        draft = Draft(known["type"], f"{key}/gone", known["id"], None, known["place"], Body(identity=known["who"]))
        return self._event(draft, event_id(self._system, draft.record, draft.said), Action.RETRACT, known["id"])
