"""Corrections: who must hear that what they were told is taken back, changed or no longer safe to hold (I7).

They go by the ledger, so they reach everybody who was told, whatever their role is by now, and carry nothing of an event:
the broker keeps no content, so whoever holds a part that may not be held any more is told which part to delete and which to
keep. What is said, and what it reveals, is in `broker.core.recall`.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from broker.core import ledger, recall
from broker.core.agreed import no_longer
from broker.core.betrayal import FORGOTTEN, kept_from
from broker.core.conditions import protections_at
from broker.core.event import Action, Category, Event
from broker.core.facts import Facts, Sent
from broker.core.identifiers import DisclosureId, EventId
from broker.core.notice import Notice
from broker.core.policy import Cut, Policy

RETRACTION_TYPE = "control.retraction"
MERGED = EventId("identity.merged")  # stands for an event where a merge takes something back
CLOCK, STOPS_ON = recall.CLOCK, recall.STOPS_ON


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


def protected(facts: Facts, event: Event, policy: Policy) -> Corrected:
    """Return what follows for everybody who holds what a protection now keeps from them, or what betrays it (I8)."""
    control = event.control or {}
    if event.header.event_type != "control.protection" or control.get("state") != "set":
        return Corrected()
    return _under(facts, (control.get("kind") or "",), policy, event.header.event_id)


def disagreed(facts: Facts, by: EventId, policy: Policy) -> Corrected:
    """Return what follows for those who were told on the strength of an agreement that stands no longer."""
    ends = no_longer(facts, policy)
    return joined(*(_let_go(one, one.categories - one.agreed, frozenset(), by, cause) for one, cause in ends))


def merged(facts: Facts, policy: Policy | None) -> Corrected:
    """Return what two records of one child make together: one was told what the other protects or cancelled.

    Without a policy nothing was ever told.
    """
    if policy is None:
        return Corrected()
    cancelled = tuple(one for one in ledger.standing(facts) if _is_cancelled(facts, one))
    gone = Corrected(tuple(recall.stop(one, MERGED) for one in cancelled), tuple(one.disclosure_id for one in cancelled))
    kinds = protections_at(facts.protections, facts.at)
    both = joined(gone, _under(marked(facts, gone), kinds, policy, MERGED))
    return joined(both, disagreed(marked(facts, both), MERGED, policy))


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
    notices = tuple(recall.stop(one, event.header.event_id) for one in held)
    return Corrected(notices=notices, retracted=tuple(one.disclosure_id for one in held))


def _under(facts: Facts, kinds: Collection[str], policy: Policy, by: EventId) -> Corrected:
    """Have deleted what these protections keep back; where nothing of use is left, or an identity is to be forgotten, all."""
    found, whole = Corrected(), not FORGOTTEN.isdisjoint(kinds)
    for one in ledger.standing(facts):
        covered, cuts = kept_from(one, kinds, policy, facts.at)
        if covered or cuts:
            left = frozenset() if whole else (one.left if cuts else one.categories) - covered
            found = joined(found, _let_go(one, left, cuts, by))
    return found


def _let_go(
    held: Sent, left: frozenset[Category], cuts: frozenset[Cut], by: EventId, cause: recall.Cause = recall.CHANGED
) -> Corrected:
    """Have a part deleted while something of use is left, which is more than that there is something; else all of it."""
    if Category.EXISTENCE in left and len(left) > 1:
        return Corrected((recall.trim(held, left, cuts, cause),), replaced=(held.disclosure_id,))
    return Corrected((recall.stop(held, by, cause),), (held.disclosure_id,))


def _is_cancelled(facts: Facts, held: Sent) -> bool:
    named = held.event_id if held.event_id in facts.cancelled else held.root
    return named in facts.cancelled and facts.voices.get(named, held.producer) == held.producer
