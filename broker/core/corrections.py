"""Corrections: who must hear that what they were told is taken back, changed or no longer safe to hold (I7).

They go by the ledger, so they reach everybody who was told, whatever their role is by now. They never carry what the
recipient was not cleared for, and the words are the same whatever the cause, so that a correction announces no protection.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from broker.core import ledger
from broker.core.conditions import protections_at
from broker.core.event import Action, Category, Event
from broker.core.facts import Facts, Sent
from broker.core.identifiers import DisclosureId, EventId, RecipientId
from broker.core.notice import Notice

WORDS = ("Stop using this and ask the source.",)
BASIS = "LEGAL_OBLIGATION"
GATEWAY = "UK GDPR Article 19"  # a controller tells each recipient of a rectification or erasure
RULE = "corrections-follow"
CLOCK, STOPS_ON = "1_working_day", "read"
RETRACTION_TYPE = "control.retraction"
MERGED = EventId("identity.merged")  # stands for an event where a merge takes something back
_PLACE = frozenset({Category.LOCATION, Category.CONTACT})
# A protection set after the fact -> the categories that those who were told before should stop using (DOMAIN 1.4).
# Every one of them protects a place: whoever holds what betrays one (`Sent.betrays`) should stop using that, too.
PROTECTS: Mapping[str, frozenset[Category]] = {
    "safe_address": _PLACE,
    "restricted_record": _PLACE,
    "identity_changed": _PLACE | {Category.IDENTITY},
    "protected_person": frozenset(Category),
}


@dataclass(frozen=True, slots=True)
class Corrected:
    """What follows for earlier recipients: the notices that go, disclosures that end, and lines that need no notice."""

    notices: tuple[Notice, ...] = ()
    retracted: tuple[DisclosureId, ...] = ()
    replaced: tuple[DisclosureId, ...] = ()
    unchanged: tuple[Sent, ...] = ()


def superseded_by(event: Event) -> EventId | None:
    """Return the event that this one takes back or changes. There is one answer, so that none is taken back unchecked."""
    named = (event.control or {}).get("concerns_event") if event.header.event_type == RETRACTION_TYPE else None
    return event.header.supersedes or (EventId(named) if named else None)


def takes_back(event: Event) -> bool:
    """Tell whether an event takes another back rather than saying something itself."""
    return event.header.action is Action.RETRACT or event.header.event_type == RETRACTION_TYPE


def taken_back(facts: Facts, event: Event) -> Corrected:
    """Return the retractions to everybody who may still rely on the event that this one takes back."""
    superseded = superseded_by(event)
    lines = ledger.standing(facts, superseded) if superseded else ()
    return _stop_using(lines, event)


def protected(facts: Facts, event: Event) -> Corrected:
    """Return the retractions to everybody who holds what a protection now covers, or what betrays it (I8)."""
    control = event.control or {}
    covered = PROTECTS.get(control.get("kind") or "", frozenset())
    if event.header.event_type != "control.protection" or control.get("state") != "set" or not covered:
        return Corrected()
    return _stop_using((one for one in ledger.standing(facts) if _tells(one, covered)), event)


def merged(facts: Facts) -> Corrected:
    """Return the retractions that two records of one child make together: one was told what the other protects or cancelled."""
    kinds = protections_at(facts.protections, facts.at)
    covered = frozenset(category for kind in kinds for category in PROTECTS.get(kind, ()))
    lines = ledger.standing(facts)
    ends = tuple(one for one in lines if _tells(one, covered) or _is_cancelled(facts, one))
    return Corrected(tuple(_retraction(one, MERGED, one.producer) for one in ends), tuple(one.disclosure_id for one in ends))


def changed(facts: Facts, event: Event, granted: Iterable[Notice]) -> Corrected:
    """Turn what a later version of an event grants into corrections of what its recipients hold.

    Who is granted another view gets it in place of the old one; who is granted the same view hears nothing; who is granted
    nothing any more is told to stop using the old one; who is new gets an alert as for any event.
    """
    superseded = superseded_by(event)
    held = {one.recipient: one for one in ledger.standing(facts, superseded)} if superseded else {}
    root = ledger.root_of(facts, superseded) if superseded else None
    notices, unchanged, replaced = [], [], []
    for notice in granted if root is None else [replace(one, root=root) for one in granted]:
        before = held.pop(notice.recipient, None)
        if before is None:
            notices.append(notice)
        elif before.view_digest == notice.view_digest:
            unchanged.append(replace(before, event_id=notice.event_id, root=root))
        else:
            replaced.append(before.disclosure_id)
            notices.append(_in_place_of(before, notice))
    gone = _stop_using(held.values(), event)
    return Corrected((*notices, *gone.notices), gone.retracted, tuple(replaced), tuple(unchanged))


def again(facts: Facts, notice: Notice) -> Corrected:
    """Send a fuller view of an event in place of the one that its recipient may hold already."""
    before = next((one for one in ledger.standing(facts, notice.event_id) if one.recipient == notice.recipient), None)
    if before is None:
        return Corrected((notice,))
    return Corrected((_in_place_of(before, notice),), replaced=(before.disclosure_id,))


def is_of(facts: Facts, event: Event) -> bool:
    """Tell whether an agency corrects its own: nobody can take back or change what another said (I10)."""
    superseded, producer = superseded_by(event), event.header.producer
    voice = facts.voices.get(superseded) if superseded else None
    if voice is not None:
        return voice == producer
    return all(one.producer in {"", producer} for one in facts.ledger if one.event_id == superseded)


def _in_place_of(before: Sent, notice: Notice) -> Notice:
    return replace(
        notice,
        kind="CORRECTION",
        replaces=before.disclosure_id,
        version=before.version + 1,
        clock=notice.clock or CLOCK,
        stops_on=STOPS_ON,
        root=before.root or before.event_id,
    )


def _stop_using(lines: Iterable[Sent], event: Event) -> Corrected:
    """Tell each recipient once for each disclosure that it holds."""
    held = tuple(lines)
    by, producer = event.header.event_id, event.header.producer
    notices = tuple(_retraction(one, by, producer) for one in held)
    return Corrected(notices=notices, retracted=tuple(one.disclosure_id for one in held))


def _tells(held: Sent, covered: frozenset[Category]) -> bool:
    """Tell whether a disclosure holds what is covered, or what betrays a place while anything is covered."""
    return bool(held.categories & covered) or (held.betrays and bool(covered))


def _is_cancelled(facts: Facts, held: Sent) -> bool:
    named = held.event_id if held.event_id in facts.cancelled else held.root
    return named in facts.cancelled and facts.voices.get(named, held.producer) == held.producer


def _retraction(held: Sent, by: EventId, producer: str) -> Notice:
    """Say what the recipient knows already and not a word more: its own disclosure, its own event type."""
    return Notice(
        event_id=EventId(f"{by}/{held.disclosure_id}"),
        event_type=held.event_type,
        producer=producer,
        recipient=RecipientId(held.recipient),
        role=held.role,
        kind="RETRACTION",
        because=WORDS,
        lawful_basis=BASIS,
        gateway=GATEWAY,
        rules=(RULE,),
        clock=CLOCK,
        stops_on=STOPS_ON,
        replaces=held.disclosure_id,
        version=held.version + 1,
        excluded=held.excluded,
    )
