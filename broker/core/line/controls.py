"""What control events change: consent, service agreement, told family, protections, findings and wishes, each its own field.

INVARIANT: consent, agreement to a service and what the family was told are three things (R4) and none is a lawful basis.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from broker.core.model.dates import instant_of
from broker.core.model.event import Control, Event
from broker.core.model.facts import Agreement, Facts, Finding, Protection
from broker.core.model.identifiers import EventId, Millis
from broker.core.model.ledger import root_of
from broker.core.model.policy import EventKind, FindingKind, Policy
from broker.core.waiting.judgements import bounded

_MOST = 4  # words on one agreement that are kept: enough to go back to what stands when the last is taken back

_Changes = dict[str, Any]


def control_changes(facts: Facts, event: Event, at: Millis, kind: EventKind, policy: Policy) -> _Changes:
    """Return what a control event changes in the facts; nothing for every other event."""
    if kind.control == "finding" and event.control is not None:
        return _finding(facts, event, at, policy.findings.get(event.control.get("kind") or ""))
    change = _CHANGES.get(kind.control or "")
    return change(facts, event, at) if change and event.control is not None else {}


def _agreement(facts: Facts, event: Event, at: Millis, kind: str) -> _Changes:
    """A later word on the same scope counts instead of the earlier ones, and they again when it is taken back.

    Each agency's words are forgotten for its own later ones only: nobody makes the line forget a no that another heard.
    """
    control = cast("Control", event.control)
    new = Agreement(
        kind=kind,
        state=control.get("state") or "",
        since=at,
        until=instant_of(control.get("until")),
        recipients=frozenset(control.get("recipients") or ()),
        categories=frozenset(control.get("categories") or ()),
        event_id=event.header.event_id,
        by=event.header.producer,
    )
    scope, by = (new.kind, new.recipients, new.categories), event.header.producer
    same = (one for one in facts.agreements if (one.kind, one.recipients, one.categories) == scope)
    earlier = [one for one in same if facts.voices.get(one.event_id, by) == by]
    forgotten = earlier[: -(_MOST - 1)]
    return {"agreements": (*(one for one in facts.agreements if one not in forgotten), new)}


def _consent(facts: Facts, event: Event, at: Millis) -> _Changes:
    return _agreement(facts, event, at, "consent")


def _service(facts: Facts, event: Event, at: Millis) -> _Changes:
    return _agreement(facts, event, at, "service")


def _told_family(facts: Facts, event: Event, at: Millis) -> _Changes:  # noqa: ARG001 - one shape for all changes
    """What a family was told of one event; said again that it is not safe, it holds for as long again (R5).

    What names no event is noted and sets nothing: nobody was told of anything that it could be about.
    """
    control = cast("Control", event.control)
    concerned = control.get("concerns_event")
    if not concerned:
        return {}
    about = root_of(facts, EventId(concerned))
    unsafe = tuple(one for one in facts.unsafe if one.about != about)
    return {"told": {**facts.told, about: control.get("state") or event.header.told_family.value}, "unsafe": unsafe}


def _protection(facts: Facts, event: Event, at: Millis) -> _Changes:
    """Set or lift a protection. Only who set it lifts it: an agency cannot undo what another protects."""
    control = cast("Control", event.control)
    kind, by, event_id = control.get("kind") or "", event.header.producer, event.header.event_id
    mine = [one for one in facts.protections if (one.kind, one.by, one.until) == (kind, by, None)]
    if control.get("state") == "lifted":
        lifted = (replace(one, until=at, ended_by=event_id) if one in mine else one for one in facts.protections)
        return {"protections": tuple(lifted)}
    new = () if mine else (Protection(kind=kind, since=at, by=by, event_id=event_id),)
    return {"protections": (*facts.protections, *new)}


def _finding(facts: Facts, event: Event, at: Millis, found: FindingKind | None) -> _Changes:
    """A finding is made, lapses (and is in question again), or is withdrawn by the role and agency that made it."""
    control = cast("Control", event.control)
    kind, by_role, state = control.get("kind") or "", control.get("by_role") or "", control.get("state")
    if state in ("lapsed", "withdrawn", "lifted"):
        made = [one for one in facts.findings if one.producer in {"", event.header.producer}]
        about = control.get("concerns_event")
        mine = [one for one in made if (one.kind, one.by_role) == (kind, by_role) and about in {None, "", one.concerns}]
        kept = tuple(one for one in facts.findings if one not in mine)
        lapsed = tuple(replace(one, lapsed=True) for one in mine) if state == "lapsed" else ()
        return {"findings": (*kept, *lapsed)}
    new = Finding(
        kind=kind,
        by_role=by_role,
        since=at,
        until=bounded(found, instant_of(control.get("until")), at),
        recipients=frozenset(control.get("recipients") or ()),
        event_id=event.header.event_id,
        producer=event.header.producer,
        concerns=control.get("concerns_event") or "",
        reason=control.get("reason") or "",
    )
    return {"findings": (*facts.findings, new)}


def _wish(facts: Facts, event: Event, at: Millis) -> _Changes:  # noqa: ARG001 - one shape for all changes
    control = cast("Control", event.control)
    return {"wishes": {**facts.wishes, control.get("kind") or "": control.get("state") or ""}}


_CHANGES: Mapping[str, Callable[[Facts, Event, Millis], _Changes]] = {
    "consent": _consent,
    "service": _service,
    "told_family": _told_family,
    "protection": _protection,
    "wish": _wish,
}
