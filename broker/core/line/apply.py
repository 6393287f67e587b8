"""What each event changes in what is known about the child; the catalogue says which, this says how.

Facts are values: the next one is made, the old one stays. What is ended keeps its place until a year is over, so that an
event that ends an involvement still reaches whom it lets go.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from broker.core.agencies import matters
from broker.core.agencies.claims import own_home, said_birth_date
from broker.core.agencies.exclusions import with_exclusions
from broker.core.agencies.roles import organisation_of
from broker.core.agencies.ties import REGISTERED, lasts
from broker.core.line.controls import control_changes
from broker.core.line.undoing import TOLD, linked, replaced, undone, with_statements
from broker.core.model.content import content_digest
from broker.core.model.dates import end_of, instant_of, months_after
from broker.core.model.event import Action, Event, ToldFamily
from broker.core.model.facts import Connection, Facts, Protection, Statement, Status
from broker.core.model.identifiers import AgencyId, EventId, Millis, canonical
from broker.core.model.ledger import root_of
from broker.core.model.policy import EventKind, Policy
from broker.core.model.versions import superseded_by, takes_back

_KEPT = 400 * 24 * 3600 * 1000  # ended involvements are forgotten after this
_MOST = 4  # events that say the same and last are kept each: when one is taken back, the others still hold

EXCLUSIONS, SEATS = "exclusions", "seats"

_Ending = TypeVar("_Ending", Connection, Status, Protection)
_Changes = dict[str, Any]


def apply_event(facts: Facts, event: Event, at: Millis, policy: Policy, *, but_for: Collection[str] = ()) -> Facts:
    """Return the facts after one event; `version` is one higher and `at` is the instant of the child's line.

    The caller has put aside duplicates and what an agency may not take back. A retraction of an event that has not come yet
    cancels it: when its agency sends it, it changes nothing. A retraction never takes a protection away, only its lifting does.
    `but_for`: what of it does not count: `EXCLUSIONS`, so that whom it excludes hears what others say; `SEATS`, so that nobody
    has to do with the child by it.
    """
    header = event.header
    kind = policy.events.get(header.event_type)
    facts = replace(facts, version=facts.version + 1, at=at, **_noted(facts, event))
    if takes_back(event):
        return _taken_back(facts, superseded_by(event), header.producer)
    if header.event_id in facts.cancelled:
        return facts
    if kind is None:
        return facts if EXCLUSIONS in but_for else with_exclusions(facts, event, at)
    before = facts
    if header.action is Action.UPDATE and header.supersedes:
        facts = linked(replaced(facts, header.supersedes), header.event_id, header.supersedes)
        facts = matters.kept(before, facts, event) if kind.opens_matter else facts
    facts = facts if EXCLUSIONS in but_for else with_exclusions(facts, event, at)
    changes: _Changes = {}
    for change in (_person, _statuses, _connections, _told, _matter):
        changes.update(change(facts, event, at, kind))
    if "connections" in changes:
        kept = facts.connections if SEATS in but_for else changes["connections"]
        changes["connections"] = _still_there(before.connections, kept, event, at)
    changes.update(control_changes(facts, event, at, kind, policy))
    registered = _registered(facts, event, kind)
    if not changes and not registered:
        return facts
    return replace(facts, **changes, statements=(*with_statements(facts, event, changes), *registered))


def noted(facts: Facts, event: Event) -> Facts:
    """Remember that an event was taken, what it said, and whose it is: nobody else takes it back or changes it (I10)."""
    return replace(facts, **_noted(facts, event))


def claimed(facts: Facts, event_id: EventId, producer: AgencyId) -> Facts:
    """Remember who spoke of an event that has not come yet; it binds that agency's own event and no other's."""
    return facts if event_id in facts.voices else replace(facts, voices={**facts.voices, event_id: producer})


def ended(
    lasting: Sequence[_Ending], which: Sequence[_Ending], at: Millis, by: EventId, until: Millis | None = None
) -> tuple[_Ending, ...]:
    """Return them with some of them ended now, or at a later instant, and with what ended long ago forgotten."""
    kept = (one for one in lasting if one.until is None or one.until > at - _KEPT)
    over = max(at, until or at)
    return tuple(replace(one, until=over, ended_by=by) if one in which else one for one in kept)


def _noted(facts: Facts, event: Event) -> _Changes:
    header = event.header
    name = header.event_id
    return {
        "seen": {**facts.seen, name: header.sequence},
        "voices": {**facts.voices, name: header.producer},
        "contents": {**facts.contents, name: content_digest(event)},
    }


def _person(facts: Facts, event: Event, at: Millis, kind: EventKind) -> _Changes:  # noqa: ARG001 - one shape for all changes
    """Take the birth date and the home area from whoever registers people, or where nobody said them before.

    A part of a birth date never stands over more of one: by it a rule that asks for an age would answer otherwise.
    """
    found: _Changes = {}
    born, known = said_birth_date(event), facts.birth_date
    if born and (known is None or (kind.registers_person and len(born) >= len(known))):
        found["birth_date"] = born
    home = own_home(event, facts, kind)
    if home is not None:
        found["home_area"] = home
    return found


def _registered(facts: Facts, event: Event, kind: EventKind) -> tuple[Statement, ...]:
    """Remember whose register of people the child came from: of a child with whom nobody has to do, it says where it is known."""
    if not kind.registers_person:
        return ()
    new = Statement(about=REGISTERED, value=organisation_of(event.header.producer), event_id=event.header.event_id)
    return () if sum((one.about, one.value) == (new.about, new.value) for one in facts.statements) >= _MOST else (new,)


def _statuses(facts: Facts, event: Event, at: Millis, kind: EventKind) -> _Changes:
    if not kind.begins and not kind.begins_for and not kind.ends:
        return {}
    holder = organisation_of(event.header.producer)
    which = [one for one in facts.statuses if one.until is None and one.organisation == holder]
    ends = [one for one in which if one.name in kind.ends]
    statuses = ended(facts.statuses, ends, at, event.header.event_id)
    concern = event.body.get("concern") or {}
    since = min(instant_of(concern.get("starts_on") or event.header.occurred_at) or at, at)
    detail = concern.get("category_of_abuse") or concern.get("status")
    for name in kind.begins:
        if sum(one.name == name for one in which) < _MOST:
            new = Status(name=name, since=since, detail=detail, organisation=holder, event_id=event.header.event_id)
            statuses = (*statuses, new)
    return {"statuses": (*statuses, *(_passing(event, at, kind) if ends else ()))}


def _passing(event: Event, at: Millis, kind: EventKind) -> Iterator[Status]:
    """Yield what follows for so many months, counted from the day on which what its holder had ended."""
    concern = event.body.get("concern") or {}
    since = min(instant_of(concern.get("ends_on") or event.header.occurred_at) or at, at)
    day = datetime.fromtimestamp(since / 1000, UTC).date()
    for name, months in kind.begins_for.items():
        until = instant_of(months_after(day, months).isoformat())
        if until is not None and until > at:
            holder = organisation_of(event.header.producer)
            yield Status(name=name, since=since, until=until, organisation=holder, event_id=event.header.event_id)


def _connections(facts: Facts, event: Event, at: Millis, kind: EventKind) -> _Changes:
    """Begin, end or replace the tie between the child and an organisation, as the catalogue says of this event type.

    An organisation speaks for itself. Where the catalogue lets another name it, that other ends nothing that it said itself.
    What is said beforehand counts from its day: until then whoever has to do with the child goes on hearing of it.
    """
    control, relation = event.control or {}, kind.relation
    itself = organisation_of(event.header.producer)
    organisation = canonical(control.get("organisation") or "") or ("" if kind.for_others else itself)
    if kind.connection is None or relation is None or control.get("role") not in {None, relation}:
        return {}
    if not organisation or (organisation != itself and not kind.for_others):
        return {}
    tie = [one for one in facts.connections if one.relation == relation and lasts(one, at)]
    same = [one for one in tie if one.organisation == organisation]
    its_own = [one for one in tie if itself == organisation or not _said_itself(facts, one)]
    if control.get("state") == "ended" or kind.connection == "ends":
        which = [one for one in same if one in its_own]
        return {"connections": ended(facts.connections, which, at, event.header.event_id, end_of(control.get("until")))}
    since = instant_of(control.get("since")) or at
    gone = [one for one in its_own if one not in same] if kind.connection == "replaces" else []
    connections = ended(facts.connections, gone, at, event.header.event_id, since)
    if sum(one.until is None for one in same) >= _MOST:
        return {"connections": connections}
    new = Connection(relation=relation, organisation=organisation, since=since, event_id=event.header.event_id)
    return {"connections": (*connections, new)}


def _still_there(before: Sequence[Connection], after: Sequence[Connection], event: Event, at: Millis) -> tuple[Connection, ...]:
    """Keep who has to do with a child in place where a new version of its word says a later first day."""
    earlier = {(one.relation, one.organisation): one.since for one in before if one.since <= at and lasts(one, at)}

    def since(one: Connection) -> Millis:
        began = earlier.get((one.relation, one.organisation), one.since)
        return min(one.since, began) if one.since > at and one.event_id == event.header.event_id else one.since

    return tuple(replace(one, since=since(one)) if since(one) != one.since else one for one in after)


def _said_itself(facts: Facts, tie: Connection) -> bool:
    """Tell whether an organisation said of itself that it has to do with the child: nobody else ends that."""
    return organisation_of(AgencyId(facts.voices.get(tie.event_id, ""))) == tie.organisation


def _told(facts: Facts, event: Event, at: Millis, kind: EventKind) -> _Changes:  # noqa: ARG001 - one shape for all changes
    """Take what an event says of itself, unless its agency said it of the event by a word of its own that came before.

    A later version counts in place of any word; one that says nothing leaves what was said apart.
    """
    name, said = root_of(facts, event.header.event_id), event.header.told_family
    if said is ToldFamily.NOT_SAID or kind.control is not None:
        return {}
    if event.header.action is not Action.UPDATE and name in facts.told and _was_said_by(facts, name, event):
        return {}
    return {"told": {**facts.told, name: said.value}}


def _was_said_by(facts: Facts, name: EventId, event: Event) -> bool:
    said = next((one for one in reversed(facts.statements) if one.about == f"{TOLD}{name}"), None)
    return said is not None and facts.voices.get(said.event_id) == event.header.producer


def _matter(facts: Facts, event: Event, at: Millis, kind: EventKind) -> _Changes:  # noqa: ARG001 - one shape for all changes
    """Remember who referred (R22), and that a matter is closed, as the catalogue says of this event type."""
    if kind.opens_matter:
        return matters.opened(facts, event, organisation_of(event.header.producer))
    return matters.closed(facts, event) if kind.closes_matter else {}


def _taken_back(facts: Facts, event_id: EventId | None, producer: AgencyId) -> Facts:
    """Undo what an event changed and remember that it is cancelled, in case it comes later."""
    if event_id is None:
        return facts
    facts = claimed(facts, event_id, producer)
    return replace(undone(facts, event_id), cancelled=facts.cancelled | {event_id})
