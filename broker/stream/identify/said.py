"""What one event says of who its child is, in the terms in which `identify` thinks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from broker.core.agencies.authority import SET_BY
from broker.core.intake.matching import Description, Key, keys_among, keys_of, names_of, places_of, unverified_nhs_numbers
from broker.core.model.dates import days_within, whole_birth_date
from broker.core.model.event import Action, Event, Sector
from broker.core.model.identifiers import EventId
from broker.core.model.protections import PROTECTS
from broker.core.model.versions import superseded_by, takes_back
from broker.sealing.secrets import Secrets
from broker.stream.identify.room import MOST_LINKS
from broker.stream.identify.state import UNLINKED, Exclusion, Guard

MERGE = "identity.merged"

# Records that tell who a child is now: names, address and school are learned from them and from registrations alone.
_TELLS = frozenset(
    {"health.demographics.changed", "school.pupil.registered", "health.patient.registered", "council.person.registered"}
)

_MOST_WORDS = 8
_MOST_EXCLUDED = 64  # by one agency of one child; who says more excludes nobody else here, and on the child's line all of them
_NOBODY = Description({}, frozenset(), frozenset())


@dataclass(frozen=True, slots=True)
class Said:
    """An event's words about its child. Without a birth date only an identifier can decide."""

    by: str
    description: Description
    losing: Description  # of a merge: the identifiers of the record that ends
    identifiers: Mapping[str, str]  # every identifier that the event says is the child's, and its kind
    description_identifiers: Mapping[str, str]  # the same without those that a merge ends
    has_birth_date: bool
    merges: bool  # it joins two records of one person
    ends_own: bool  # what a merge ends is its publisher's own to end
    ties: bool  # the hub of where it is said has to do with the child from then on
    teaches: bool  # names, address and school are learned from it
    protects: bool  # a child is less safe as long as it waits
    takes_back: bool
    acts_at_once: bool  # it can only keep something back: once its child is certain, no question about another event delays it
    guard: Guard | None = None  # the guard that it sets or lifts: nobody but who set it lifts it
    lifts: bool = False
    excludes: tuple[Exclusion, ...] = ()
    hints: frozenset[str] = frozenset()  # NHS numbers that nobody verified: too little to decide by, enough to ask
    part_of: frozenset[str] = frozenset()  # where it says a part of a birth date: the keys of all that it may be
    undoes: tuple[str, str] | None = None  # the agency and its event that this one changes or takes back

    @property
    def is_answered(self) -> bool:
        """Tell whether what it says here counts only as long as it stands on its child's line, where a person may refuse it."""
        return bool(self.excludes) or (self.guard is not None and not self.lifts)

    @property
    def is_held_of_strangers(self) -> bool:
        """Tell whether it protects so that the child's line asks first, where its agency is not of where the child is at home."""
        return self.guard is not None and (self.guard.kind in UNLINKED or not self.acts_at_once)

    def claims(self, identifiers: Mapping[str, str], known: Iterable[str] = ()) -> dict[str, str]:
        """Return those of some identifiers that may become a child's by this event's word, beside those of `known` kinds.

        Local numbers are small: whoever says another agency's number may meet its child by it, and never takes it first. Nor does
        it use up by its own numbers what others may say.
        """
        own = [(i, kind) for i, kind in identifiers.items() if issued_by(self.by, kind)]
        national = [(i, kind) for i, kind in identifiers.items() if "/" not in kind]
        kinds = list(known)
        left = (MOST_LINKS - sum("/" not in kind for kind in kinds), MOST_LINKS - sum(issued_by(self.by, kind) for kind in kinds))
        return dict((*islice(national, max(0, left[0])), *islice(own, max(0, left[1]))))

    def guards_after(self, guards: frozenset[Guard], hubs: tuple[str, ...], *, doubted: bool) -> frozenset[Guard]:
        """Return a child's guards after this event, which came with `hubs`."""
        if self.guard is None:
            return guards
        if self.lifts:
            return frozenset(one for one in guards if one[:2] != self.guard[:2])
        if sum(one[:2] == self.guard[:2] for one in guards) >= _MOST_WORDS:
            return guards
        first = not any(
            one.hubs and one.hubs != hubs and not one.doubted for one in guards
        )  # who protects what another does lets itself in nowhere
        return guards | {self.guard._replace(hubs=hubs if first else (), doubted=doubted)}

    def hubs_after(self, before: tuple[str, ...], hubs: tuple[str, ...]) -> tuple[str, ...]:
        """Return the hubs of where a child is known after this event, which came with `hubs`; none is ever forgotten."""
        return tuple(dict.fromkeys((*before, *hubs))) if self.ties else before

    def exclusions_after(self, before: frozenset[Exclusion], *, doubted: bool) -> frozenset[Exclusion]:
        """Return whom a child's events exclude after this one, as `core.exclusions` says: each event's word by itself.

        The word of an agency about one recipient is kept of its first few events: more say nothing new here.
        """
        root, left = None, before
        if self.undoes is not None:
            by, event_id = self.undoes
            root = next((one.root for one in sorted(before) if (one.by, one.event_id) == (by, event_id)), event_id)
            left = frozenset(one for one in before if one.by != by or (event_id != one.event_id and root not in one[2:4]))
        said = [one._replace(root=root or one.root, doubted=doubted) for one in self.excludes]
        new = [one for one in said if sum((one.recipient, one.by) == (held.recipient, held.by) for held in left) < _MOST_WORDS]
        room = _MOST_EXCLUDED - sum(one.by == self.by for one in left)
        return left.union(new[: max(0, room)])


def said_by(event: Event, secrets: Secrets) -> Said:
    """Return what an event says of who its child is."""
    kind, control = event.header.event_type, event.control or {}
    birth_date = whole_birth_date(event.body.get("identity", {}).get("birth_date"))
    names = names_of(event) if birth_date else frozenset()
    described = Description(_hashed(keys_of(event), secrets), names, places_of(event))
    losing, ending = _NOBODY, dict[str, str]()
    if kind == MERGE:
        losing = Description(_hashed(_ending(event, sure=False), secrets), names, described.places)
        ending = _kinds(Description(_hashed(_ending(event, sure=True), secrets), names, described.places))
    guards = _may_guard(event)
    own = _kinds(described)
    return Said(
        by=event.header.producer,
        description=described,
        losing=losing,
        identifiers={**ending, **own},
        description_identifiers=own,
        has_birth_date=birth_date is not None,
        merges=kind == MERGE,
        ends_own=_ends_own(event, losing),
        ties=kind in _TELLS or kind.startswith("council.") or guards,
        teaches=kind in _TELLS and birth_date is not None,  # a number alone changes nothing of who a child is
        protects=_protects(event),
        takes_back=takes_back(event),
        acts_at_once=takes_back(event) or (kind == "control.protection" and control.get("state") == "set"),
        guard=Guard(str(control.get("kind")), event.header.producer, event.header.event_id) if guards else None,
        lifts=guards and control.get("state") == "lifted",
        excludes=_excludes(event),
        hints=frozenset(secrets.identifier_hash("nhs_number", one) for one in unverified_nhs_numbers(event)),
        part_of=frozenset(map(secrets.matching_key, days_within(event.body.get("identity", {}).get("birth_date")))),
        undoes=_undoes(event),
    )


def issued_by(agency: str, kind: str) -> bool:
    """Tell whether identifiers of a kind are an agency's own: of itself, or of one of the systems that it names as its own."""
    issuer = kind.partition("/")[2]
    return issuer == agency or issuer.startswith(f"{agency}/")


def _ending(event: Event, *, sure: bool) -> tuple[Key, ...]:
    """Return what a merge ends. Of a health body also an NHS number that nobody verified: it finds who has it and gives none.

    HL7 says of the record that stays whether its number was traced, and of the one that ends nothing (PID-32, MRG).
    """
    said = (event.control or {}).get("identifiers") or ()
    if not sure and event.header.sector is Sector.HEALTH:
        said = [{**one, "verified": True} if one.get("scheme") == "nhs_number" else one for one in said]
    return keys_among(said, event)


def _ends_own(event: Event, losing: Description) -> bool:
    """Tell whether a merge ends only what its publisher gave out; an NHS number is a health body's word, of its patients."""
    health = event.header.sector is Sector.HEALTH
    own = (issued_by(event.header.producer, kind) or (health and kind == "nhs_number") for kind in losing.identifiers)
    return all(own)


def _may_guard(event: Event) -> bool:
    """Tell whether an event protects, or ends what protects: of a kind that there is, and from who may set it (R16).

    What nobody may set is for a person on the child's line, and guards nobody meanwhile.
    """
    control = event.control or {}
    kind, allowed = control.get("kind") or "", SET_BY.get(control.get("kind") or "")
    if event.header.event_type != "control.protection" or kind not in PROTECTS or takes_back(event):
        return False
    return control.get("state") == "lifted" or allowed is None or event.header.sector in allowed


def _excludes(event: Event) -> tuple[Exclusion, ...]:
    header = event.header
    if takes_back(event):
        return ()
    return tuple(Exclusion(one, header.producer, header.event_id, header.event_id) for one in dict.fromkeys(header.excluded))


def changed_by(event: Event) -> EventId | None:
    """Return the event that this one changes or takes back; None when it does neither."""
    return superseded_by(event) if takes_back(event) or event.header.action is Action.UPDATE else None


def _undoes(event: Event) -> tuple[str, str] | None:
    superseded = changed_by(event)
    return (event.header.producer, superseded) if superseded else None


def _protects(event: Event) -> bool:
    """Tell whether a child is less safe as long as this waits: a protection, a break of identity.

    No withdrawal: whose child somebody says no for is as uncertain, and everybody would fall silent by it. No retraction: where
    its agency's event went hears of it by the event's trail, whoever this one may be about.
    """
    kind, state = event.header.event_type, (event.control or {}).get("state")
    return not takes_back(event) and (kind == MERGE or (state == "set" and _may_guard(event)))


def _kinds(described: Description) -> dict[str, str]:
    return {one: kind for kind, values in sorted(described.identifiers.items()) for one in sorted(values)}


def _hashed(keys: Iterable[Key], secrets: Secrets) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for key in keys:
        kind = f"{key.scheme}/{key.issuer}" if key.issuer else key.scheme
        found[kind] = found.get(kind, frozenset()) | {secrets.identifier_hash(key.scheme, key.value, key.issuer)}
    return found
