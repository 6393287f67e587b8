"""What one event says of who its child is, in the terms in which `identify` thinks."""

from collections.abc import Iterable
from dataclasses import dataclass

from broker.core.event import Action, Event
from broker.core.matching import Description, Key, keys_among, keys_of, names_of, places_of, whole_birth_date
from broker.sealing.secrets import Secrets

GUARDS = frozenset({"identity_changed", "protected_person"})  # R16: nothing is linked without a person
MERGE = "identity.merged"

# Records that tell who a child is now: names, address and school are learned from them and from registrations alone.
_TELLS = frozenset(
    {"health.demographics.changed", "school.pupil.registered", "health.patient.registered", "council.person.registered"}
)


@dataclass(frozen=True, slots=True)
class Said:
    """An event's words about its child. Without a birth date only an identifier can decide."""

    event: Event
    description: Description
    losing: Description  # of a merge: the identifiers of the record that ends
    has_birth_date: bool

    @property
    def identifiers(self) -> dict[str, str]:
        """Return every identifier that the event says is the child's, and its kind."""
        return {**_kinds(self.losing), **self.description_identifiers}

    @property
    def description_identifiers(self) -> dict[str, str]:
        """Return the same without those that a merge ends."""
        return _kinds(self.description)

    @property
    def merges(self) -> bool:
        """Tell whether it joins two records of one person."""
        return self.event.header.event_type == MERGE

    @property
    def teaches(self) -> bool:
        """Tell whether names, address and school are learned from it."""
        return self.event.header.event_type in _TELLS

    @property
    def protects(self) -> bool:
        """Tell whether a child is less safe as long as this waits: withdrawal, protection, retraction, break of identity."""
        header, control = self.event.header, self.event.control or {}
        kind, state = header.event_type, control.get("state")
        return (
            header.action is Action.RETRACT
            or kind in ("control.retraction", MERGE)
            or (kind == "control.consent" and state in ("withdrawn", "refused"))
            or (kind == "control.protection" and state == "set")
        )

    def guards_after(self, guards: frozenset[str]) -> frozenset[str]:
        """Return a child's guards after this event, each with who set it: nobody else lifts it."""
        control = self.event.control or {}
        kind = control.get("kind")
        if self.event.header.event_type != "control.protection" or kind not in GUARDS:
            return guards
        guard = f"{kind}/{self.event.header.producer}"
        return guards - {guard} if control.get("state") == "lifted" else guards | {guard}


def said_by(event: Event, secrets: Secrets) -> Said:
    """Return what an event says of who its child is."""
    birth_date = whole_birth_date(event.body.get("identity", {}).get("birth_date"))
    names = names_of(event) if birth_date else frozenset()
    described = Description(_hashed(keys_of(event), secrets), names, places_of(event))
    losing: Description = Description({}, frozenset(), frozenset())
    if event.header.event_type == MERGE:
        ending = keys_among((event.control or {}).get("identifiers") or (), event)
        losing = Description(_hashed(ending, secrets), names, places_of(event))
    return Said(event, described, losing, birth_date is not None)


def _kinds(described: Description) -> dict[str, str]:
    return {one: kind for kind, values in sorted(described.identifiers.items()) for one in sorted(values)}


def _hashed(keys: Iterable[Key], secrets: Secrets) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for key in keys:
        kind = f"{key.scheme}/{key.issuer}" if key.issuer else key.scheme
        found[kind] = found.get(kind, frozenset()) | {secrets.identifier_hash(key.scheme, key.value, key.issuer)}
    return found
