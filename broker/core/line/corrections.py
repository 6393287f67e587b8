"""Corrections: who must hear that what they were told is taken back, changed or no longer safe to hold (I7).

They go by the ledger, so they reach everybody who was told, whatever their role is by now, and carry nothing of an event:
the broker keeps no content, so whoever holds a part that may not be held any more is told which part to delete and which to
keep. What is said, and what it reveals, is in `broker.core.line.recall`.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from broker.core.deciding.betrayal import kept_from
from broker.core.line import recall
from broker.core.line.agreed import no_longer
from broker.core.model import ledger
from broker.core.model.event import Category, Event
from broker.core.model.facts import Facts, Sent
from broker.core.model.identifiers import DisclosureId, EventId
from broker.core.model.notice import CORRECTION_CLOCK, CORRECTION_STOPS_ON, Notice
from broker.core.model.policy import Cut, Policy
from broker.core.model.protections import FORGOTTEN, protections_at
from broker.core.model.registers import Registers
from broker.core.model.versions import superseded_by, takes_back

MERGED = EventId("identity.merged")  # stands for an event where a merge takes something back


@dataclass(frozen=True, slots=True)
class Corrected:
    """What follows for earlier recipients: the notices that go, disclosures that end, and lines that need no notice."""

    notices: tuple[Notice, ...] = ()
    retracted: tuple[DisclosureId, ...] = ()
    replaced: tuple[DisclosureId, ...] = ()
    unchanged: tuple[Sent, ...] = ()


def joined(*parts: Corrected) -> Corrected:
    """Put what follows from several causes together."""
    return Corrected(
        notices=tuple(one for part in parts for one in part.notices),
        retracted=tuple(one for part in parts for one in part.retracted),
        replaced=tuple(one for part in parts for one in part.replaced),
        unchanged=tuple(one for part in parts for one in part.unchanged),
    )


def marked(facts: Facts, corrected: Corrected) -> Facts:
    """Mark in the ledger what ends, so that nothing is ended twice."""
    return ledger.with_state(ledger.with_state(facts, corrected.retracted, ledger.RETRACTED), corrected.replaced, ledger.REPLACED)


def taken_back(facts: Facts, event: Event) -> Corrected:
    """Return the retractions to everybody who may still rely on the event that this one takes back."""
    superseded = superseded_by(event)
    lines = ledger.standing(facts, superseded) if superseded else ()
    return _stop_using(lines, event)


def no_longer_held(facts: Facts, event: Event, policy: Policy, registers: Registers) -> Corrected:
    """Return what follows for everybody who holds what may not be held any more once this event is taken.

    That is what a protection which it sets keeps from them, or what betrays it (I8), and what they were told on the strength of
    an agreement that stands no longer.
    """
    control = event.control or {}
    sets = event.header.event_type == "control.protection" and control.get("state") == "set" and not takes_back(event)
    kinds = (control.get("kind") or "",) if sets else ()
    return joined(*_let_go(facts, kinds, policy, registers, event.header.event_id))


def cancelled(facts: Facts, by: EventId, passed: Collection[EventId] = ()) -> Corrected:
    """Return the retractions of what stands although its agency took a version of it back, or passed over it with a later one."""
    held = ledger.standing(facts)
    lines = tuple(one for one in held if one.event_id in passed or is_cancelled(facts, one.event_id, one.producer, one.root))
    return Corrected(tuple(recall.stop(one, by) for one in lines), tuple(one.disclosure_id for one in lines))


def merged(facts: Facts, passed: Collection[EventId], policy: Policy, registers: Registers) -> Corrected:
    """Return what two records of one child make together: one was told what the other protects, cancelled or passed over."""
    gone = cancelled(facts, MERGED, passed)
    kinds = protections_at(facts.protections, facts.at)
    return joined(gone, *_let_go(marked(facts, gone), kinds, policy, registers, MERGED))


def changed(facts: Facts, event: Event, granted: Iterable[Notice]) -> Corrected:
    """Turn what a later version of an event grants into corrections of what its recipients hold.

    Who is granted another view gets it in place of the old one; who is granted the same view hears nothing; who is granted
    nothing any more is told to stop using the old one; who is new gets an alert as for any event.
    """
    superseded = superseded_by(event)
    standing = ledger.standing(facts, superseded or event.header.event_id)  # its own: a merge has it decided again
    held = {one.recipient: one for one in standing}
    earlier = tuple(one for one in standing if held[one.recipient] is not one)  # told twice, under two records of the child
    root = ledger.root_of(facts, superseded) if superseded else None
    notices, unchanged, replaced = [], [], []
    for notice in granted if root is None else [replace(one, root=root) for one in granted]:
        before = held.pop(notice.recipient, None)
        if before is None:
            notices.append(notice)
        elif before.view_digest == notice.view_digest:
            unchanged.append(_as_now(before, notice))
        else:
            replaced.append(before.disclosure_id)
            notices.append(_in_place_of(before, notice))
    gone = _stop_using((*earlier, *(held.values() if superseded else ())), event)
    return Corrected((*notices, *gone.notices), gone.retracted, tuple(replaced), tuple(unchanged))


def again(facts: Facts, notice: Notice) -> Corrected:
    """Send a fuller view of an event in place of the one that its recipient may hold already."""
    before = next((one for one in ledger.standing(facts, notice.event_id) if one.recipient == notice.recipient), None)
    if before is None:
        version = ledger.next_version(facts, notice.event_id, notice.recipient)
        return Corrected((replace(notice, version=version),))
    return Corrected((_in_place_of(before, notice),), replaced=(before.disclosure_id,))


def passed_over(facts: Facts, event: Event) -> Corrected:
    """Return the retractions of what an event changes that itself came too late: a later version of it stands already."""
    superseded = superseded_by(event)
    return _stop_using(ledger.standing(facts, superseded), event) if superseded else Corrected()


def is_of(facts: Facts, event: Event) -> bool:
    """Tell whether an agency corrects its own: nobody can take back or change what another said (I10)."""
    superseded, producer = superseded_by(event), event.header.producer
    voice = facts.voices.get(superseded) if superseded else None
    if voice is not None:
        return voice == producer
    return all(one.producer in {"", producer} for one in facts.ledger if one.event_id == superseded)


def is_older(facts: Facts, event: Event, waiting: Iterable[Event] = ()) -> bool:
    """Tell whether its own source puts a version before another of the same record that was taken: it must not overwrite that.

    Asked only where each version names the first: then nothing else orders them. One that names the version before it is its
    next, whatever number it has; a source that has no order says 0. `waiting` are versions of it that a person is asked about.
    """
    header, first = event.header, superseded_by(event)
    if takes_back(event) or first is None or header.sequence <= 0 or ledger.root_of(facts, first) != first:
        return False
    later = (one for one, root in facts.roots.items() if root == first and facts.voices.get(one) == header.producer)
    taken = (facts.seen.get(one, 0) for one in later if one != first)
    held = (one.header.sequence for one in waiting if superseded_by(one) == first and not takes_back(one))
    return any(sequence > header.sequence for sequence in (*taken, *held))


def _as_now(before: Sent, notice: Notice) -> Sent:
    """Let a disclosure stand for a later version of its event, on the grounds on which that goes."""
    return replace(
        before,
        event_id=notice.event_id,
        root=notice.root,
        roles=notice.roles,
        agreed=notice.agreed,
        agreed_by=notice.agreed_by,
    )


def _in_place_of(before: Sent, notice: Notice) -> Notice:
    taken = before.categories - notice.categories if notice.kind == "EXISTENCE" else frozenset()
    return replace(
        notice,
        kind="CORRECTION",
        because=(*notice.because, *((recall.deleted(taken),) if taken else ())),
        replaces=before.disclosure_id,
        version=before.version + 1,
        clock=notice.clock or CORRECTION_CLOCK,
        stops_on=CORRECTION_STOPS_ON,
        root=before.root or before.event_id,
    )


def _stop_using(lines: Iterable[Sent], event: Event) -> Corrected:
    """Tell each recipient once for each disclosure that it holds."""
    held = tuple(lines)
    by = event.header.event_id
    return Corrected(tuple(recall.stop(one, by) for one in held), tuple(one.disclosure_id for one in held))


def _let_go(facts: Facts, kinds: Collection[str], policy: Policy, registers: Registers, by: EventId) -> Iterator[Corrected]:
    """Have deleted what these protections keep back and what nobody agrees to any more, in one message for each disclosure.

    All of it goes where nothing of use is left (which is more than that there is something), or an identity is to be forgotten.
    """
    ended = {one.disclosure_id: cause for one, cause in no_longer(facts, policy)}
    for one in ledger.standing(facts):
        covered, cuts = kept_from(one, kinds, facts, policy, registers) if kinds else (frozenset(), frozenset())
        cause = ended.get(one.disclosure_id)
        if not (covered or cuts or cause):
            continue
        left = (one.left if cuts else one.categories) - covered - (one.agreed if cause else frozenset())
        is_of_use = Category.EXISTENCE in left and len(left) > 1 and (FORGOTTEN.isdisjoint(kinds) or not (covered or cuts))
        yield _said(one, left if is_of_use else None, cuts, by, cause or recall.CHANGED)


def _said(held: Sent, left: frozenset[Category] | None, cuts: frozenset[Cut], by: EventId, cause: recall.Cause) -> Corrected:
    if left is None:
        return Corrected((recall.stop(held, by, cause),), (held.disclosure_id,))
    return Corrected((recall.trim(held, left, cuts, cause),), replaced=(held.disclosure_id,))


def is_cancelled(facts: Facts, event_id: EventId, producer: str, noted: EventId | None = None) -> bool:
    """Tell whether its agency took back any version of an event; `noted` is the first one, where that is written down."""
    root = ledger.root_of(facts, event_id, noted)
    versions = (one for one in facts.cancelled if one == event_id or ledger.root_of(facts, one) == root)
    return any(facts.voices.get(one, producer) == producer for one in versions)
