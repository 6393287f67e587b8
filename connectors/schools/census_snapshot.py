"""What was delivered before and what is said now: only the difference becomes an event.

It holds nothing itself; what lasts is in the connector's memory, under `roll/`, `left/`, `excluded/` and `absent/`.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from broker.core.intake.delivery import Delivery, Finding, Memory
from broker.core.model.event import Action, Assertion, Body, Control, Event, Header, QualityFinding, Source, SubjectRole
from broker.core.model.identifiers import EventId, event_id

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
        self.takes = delivery.takes  # what the broker refuses ends nothing
        self._delivery = delivery
        self._memory = memory
        self._system = f"{FORMAT}/{delivery.agency.id}"
        self._digests = {piece.name: piece.digest for piece in delivery.pieces}
        self._count = int(memory.get(_COUNT) or b"0") + 1
        memory.put(_COUNT, str(self._count).encode())

    def known(self, key: str) -> dict[str, Any]:
        """Return what is remembered under a key, empty when nothing is."""
        before = self._memory.get(key)
        return dict(msgspec.json.decode(before)) if before else {}

    def end(self, key: str, known: dict[str, Any], last: str) -> None:
        """Remember that what was said is over, and the id of what said so: the same words later are news again."""
        over = {"id": last, "said": "", "seen": self._count, "term": known["term"], "place": known["place"], "gone": True}
        self._memory.put(key, msgspec.json.encode(over))

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

        `known` is what is remembered under the key, where the caller has it already. Of what the broker would refuse nothing is
        remembered: what was said before stands.
        """
        known = self.known(key) if known is None else known
        said = hashlib.blake2b(draft.said.encode(), digest_size=12).hexdigest()
        again = known.get("said") == said
        previous = known.get("id")
        identity = EventId(str(previous)) if again else event_id(self._system, draft.record, f"{said}/{previous or ''}")
        remembered = {"id": identity, "said": said, "seen": self._count, "term": self.term, "place": draft.place}
        event = None
        if not again:
            draft.quality = tuple(quality)
            correction = previous if not known.get("gone") else None
            event = self._event(draft, identity, Action.UPDATE if correction else Action.NEW, correction)
        if event is None or self.takes(event):
            self._memory.put(key, msgspec.json.encode(remembered | draft.kept))
        elif known:
            self.keep(key, known)
        if event is not None:
            yield event

    def keep(self, key: str, known: dict[str, Any]) -> None:
        """Remember that what is known stands, though it could not be read whole in this delivery."""
        self._memory.put(key, msgspec.json.encode(known | {"seen": self._count}))

    def follow(self, old: str, new: str) -> None:
        """Carry over what is remembered of a pupil whose number was corrected."""
        before = self.known(f"roll/{old}")
        if not before or self.seen(before) or self.known(f"roll/{new}"):
            return
        for kind in ("roll", "left", "excluded", "absent"):
            for key, value in self._memory.items(f"{kind}/{old}"):
                self._memory.put(key.replace(old, new, 1), value)
                self._memory.delete(key)

    def not_shown(self, stem: str, draft: Draft, shown: set[str]) -> tuple[str, dict[str, Any]] | None:
        """Return what a pupil's suspension of another day was, when one of its kind and roll stands and is not shown now."""
        alike = ("roll", "type", "category")
        for key, value in self._memory.items(f"excluded/{stem}/"):
            known = msgspec.json.decode(value)
            if key not in shown and self._of_term(known) and all(known.get(one) == draft.kept[one] for one in alike):
                return key, known
        return None

    def moved(self, key: str, known: dict[str, Any]) -> dict[str, Any]:
        """Forget it under its old key; what is returned is corrected by whatever is said next."""
        self._memory.delete(key)
        return known | {"said": ""}

    def _event(self, draft: Draft, identity: EventId, action: Action, supersedes: str | None) -> Event:
        piece = draft.place.partition(" line ")[0]
        header = Header(
            event_id=identity,
            event_type=draft.event_type,
            producer=self._delivery.agency.id,
            sector=self._delivery.agency.sector,
            recorded_at=self._delivery.received_at,
            received_at=self._delivery.received_at,
            source=Source("COLLECT", FORMAT, self.term, self._digests.get(piece, ""), draft.place),
            action=action,
            supersedes=EventId(supersedes) if supersedes else None,
            occurred_at=draft.occurred_at,
            subject_role=SubjectRole.SUBJECT,
            assertion=Assertion.FACT,
        )
        return Event(header, draft.body, draft.control, draft.quality)

    def gone_pupils(self, native: str, *, complete: bool) -> Iterator[Event | Finding]:
        """Look at who of a school was on roll and is not there now; only with a person's word are they leavers.

        While the table is not `complete`, as rows of it could not be read, no word makes anybody a leaver.
        """
        for key, value in self._memory.items(f"roll/{native}/"):
            known = msgspec.json.decode(value)
            if known.get("gone") or self.seen(known) or self.newer(known):
                continue
            if not complete or not self._delivery.accept_disappearances:
                yield Finding(
                    "warning",
                    "gone_from_roll",
                    f"{known['place']} of an earlier delivery",
                    "a pupil was on roll and is neither on roll nor a leaver now: nothing was said about it"
                    if complete
                    else "a pupil was on roll and may be in a row that could not be read now: nothing was said about it",
                    "add the leaver record; or deliver the set again and confirm that who is missing has left",
                )
                continue
            control = Control(role="school", organisation=known["school"], state="ended", since=known["entry"])
            body = Body(identity=known["who"], location={"organisation": known["school"]})
            draft = Draft("school.pupil.left", f"{key}/gone", known["id"], None, known["place"], body, control)
            for event in self.say(f"left/{key}/{known['id']}", draft, []):
                if self.takes(event):
                    self.end(key, known, event.header.event_id)
                yield event

    def gone_exclusions(self, native: str, whole: set[str]) -> Iterator[Event | Finding]:
        """Take back what is gone from the same term; when that is much, wait for a person.

        `whole` are the rolls whose tables came and could be read: only there, and of pupils who are shown, is anything gone.
        """
        prefix, of_term, gone, kept = f"excluded/{native}/", 0, 0, 0
        for key, value in self._memory.items(prefix):
            known = msgspec.json.decode(value)
            of_term += self._of_term(known)
            if self._of_term(known) and not self.seen(known):
                rolls = self._rolls_of(key)
                gone += self._is_gone(known, rolls, whole)
                kept += not {_roll(known), *rolls} <= whole
        if kept:
            yield Finding(
                "warning",
                "exclusions_kept",
                f"NativeId {native}",
                f"{kept} suspensions and exclusions of this term are not shown, and may be in rows that could not be read or in "
                "tables that did not come: none of these was taken back",
                "deliver all tables of the export together, the rows named here corrected",
            )
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
            known = msgspec.json.decode(value)
            if self._of_term(known) and not self.seen(known) and self._is_gone(known, self._rolls_of(key), whole):
                event = self._retraction(key, known)
                if self.takes(event):
                    self.end(key, known, event.header.event_id)
                yield event

    def _rolls_of(self, key: str) -> set[str]:
        """Return the rolls on which this delivery shows the pupil of a suspension."""
        stem = "/".join(key.split("/")[1:3])
        on_roll = self.known(f"roll/{stem}")
        rolls = {"onroll"} if self.seen(on_roll) and not on_roll.get("gone") else set()
        left = any(self.seen(msgspec.json.decode(value)) for _, value in self._memory.items(f"left/{stem}/"))
        return rolls | {"offroll"} if left else rolls

    def _is_gone(self, known: dict[str, Any], rolls: set[str], whole: set[str]) -> bool:
        return bool(rolls) and {_roll(known), *rolls} <= whole

    def _of_term(self, known: dict[str, Any]) -> bool:
        return bool(known["term"] == self.term and not known.get("gone"))

    def _retraction(self, key: str, known: dict[str, Any]) -> Event:
        draft = Draft(known["type"], f"{key}/gone", known["id"], None, known["place"], Body(identity=known["who"]))
        return self._event(draft, event_id(self._system, draft.record, draft.said), Action.RETRACT, known["id"])


def _roll(known: dict[str, Any]) -> str:
    return str(known.get("roll", "onroll"))
