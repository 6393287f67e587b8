"""What of an event says whom it is about: all that somebody is shown who is asked which child it is.

INVARIANT: nothing of any other category is in it, whatever the event holds (R28: intelligence goes only where its originator
lets it; R10: no protected place). It is not decided yet for whom the rest is, and to say who the child is takes none of it.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

from broker.core.model.event import Body, Control, Event, Header, Identifier, Identity, Source
from broker.core.model.identifiers import AgencyId
from broker.core.model.protections import PLACE_PROTECTED

# Of the header; every other field of it stands at its default here, and is not what the publisher said.
HEADER = ("event_id", "event_type", "action", "supersedes", "producer", "sector", "occurred_at", "recorded_at")
_WHO = frozenset({"identifiers", "names", "birth_date", "expected_birth_date", "death_date", "sex"})
_WHERE = frozenset({"postcode", "building", "address", "organisation"})  # home and school; not where something happened
_TIES = frozenset({"role", "organisation"})  # the school or practice that a record connects the child with


def who_it_is(event: Event, *, held: bool = False, guarded: bool = False) -> Event:
    """Return the part of an event that says whom it is about, with its type, publisher and times.

    Home and school tell two children of one name apart. They are left out of a control event, of a restricted record and where
    the publisher shares existence only, and where the event is `held`: something that hides them, or may, is known of a child
    that it may be about. Where it is `guarded` by another's word, nothing that betrays a place is there either, as under the cut
    `place`: who published it, and every number that is not the nation's.
    """
    if guarded:
        event = replace(event, header=replace(event.header, producer=AgencyId("")))
    hides = held or guarded or _hides(event)
    identity = {name: value for name, value in event.body.get("identity", {}).items() if name in _WHO}
    control: dict[str, Any] = {}
    if event.control is not None:
        control = {name: value for name, value in event.control.items() if name in _TIES and not hides}
        control["identifiers"] = event.control.get("identifiers") or []
    if hides:
        for group in (identity, control):
            if "identifiers" in group:
                group["identifiers"] = _placeless(cast("list[Identifier]", group["identifiers"]), event.header.producer)
    body = Body(identity=cast("Identity", identity)) if identity else Body()
    where: Any = {name: value for name, value in event.body.get("location", {}).items() if name in _WHERE}
    if where and not hides and not event.header.is_existence_only:
        body["location"] = where
    return Event(_header(event.header), body, cast("Control", control) if any(control.values()) else None)


def _hides(event: Event) -> bool:
    """Tell whether an event, or what it sets, may keep from everybody where the child is."""
    sets = (event.control or {}).get("kind")
    return event.header.is_restricted or event.header.event_type.startswith("control.") or sets in PLACE_PROTECTED


def _placeless(identifiers: Iterable[Identifier], producer: str) -> list[Identifier]:
    """Return the numbers that name no place beside the publisher, where the review names that."""
    return [one for one in identifiers if one["scheme"] == "nhs_number" or (producer and one.get("issuer") == producer)]


def _header(header: Header) -> Header:
    said: Any = {name: getattr(header, name) for name in HEADER}
    return Header(source=Source("", "", "", "", ""), **said)
