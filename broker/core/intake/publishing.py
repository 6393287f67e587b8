"""What an agency may publish, and what is wrong with an event before it is sent: asked by intake and by whoever publishes.

Pure. Messages name the field and never a value: values are personal data.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from broker.core.model.dates import first_of, instant_of, is_plausible, months_later
from broker.core.model.event import PARTY_ROLES, Category, Event, Sector
from broker.core.model.identifiers import Millis
from broker.core.model.policy import EventKind, FindingKind
from broker.core.model.registers import Agency, Registers
from broker.core.model.versions import names_nobody_in_an_exclusion, superseded_by, takes_back

# Records of a person from a register of people: they may open a child, and give it the numbers that they name.
REGISTRATIONS = frozenset({"school.pupil.registered", "health.patient.registered", "council.person.registered"})
_NATIONAL = frozenset({"nhs_number", "upn", "former_upn"})  # numbers that no agency gives out as its own
TOLERANCE_MS = 5 * 60 * 1000  # how far a source's clock may be ahead of Kafka's
_AHEAD_MS = 24 * 3600 * 1000  # a day of another time zone may have begun there
# Rolls and registers say beforehand from when somebody is on them, and what a control event says may hold from a later day.
_SAID_BEFOREHAND = (
    *("control.", "identity."),
    *("school.pupil.", "health.patient.", "health.gp.", "health.visitor."),
    *("council.person.", "council.case.", "council.youth_justice.", "council.home_education."),
)
_PREFIXES = {Sector.POLICE: "police.", Sector.SCHOOLS: "school.", Sector.HEALTH: "health.", Sector.COUNCILS: "council."}
_ANY_SECTOR = "control."
_SCHEME = re.compile(r"[a-z][a-z0-9_]*")
_SCOPED = frozenset({"consent", "service", "finding"})
_CATEGORIES = tuple(Category)
_KEEP_NUMBERS = frozenset({Sector.HEALTH, Sector.COUNCILS})  # give out numbers of their own, and say which are one person's


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """What a publisher can know of what its events will meet. Without registers there is no `agency` and nobody is unknown.

    `events`, `findings`, `roles` and `purposes` are those of the policy in force; where there are no purposes, none is unknown.
    """

    events: Mapping[str, EventKind]
    now: Millis
    findings: Mapping[str, FindingKind] = field(default_factory=dict)
    sector: Sector | None = None
    agency: Agency | None = None
    registers: Registers | None = None
    purposes: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()


def permits(event_type: str, sector: Sector, agency: Agency | None) -> bool:
    """Tell whether an agency may publish an event type: what its entry in the registers names, else what its sector may."""
    if agency is not None and agency.event_types:
        return event_type in agency.event_types
    if event_type.startswith("identity."):
        return sector in _KEEP_NUMBERS
    return event_type.startswith((_PREFIXES[sector], _ANY_SECTOR))


def names_nothing_to_take_back(event: Event) -> bool:
    """Tell whether an event takes back and does not say what: it would be taken in silence, and everybody would go on."""
    return takes_back(event) and superseded_by(event) is None


def names_numbers_of_others(event: Event) -> bool:
    """Tell whether a registration names local ids that another agency gave out, which it would take for its own person.

    Such numbers are small and easily counted through: nobody claims a council's children before the council registers them.
    """
    producer = event.header.producer
    issuers = (
        one.get("issuer") or producer
        for one in event.body.get("identity", {}).get("identifiers") or ()
        if one["scheme"] not in _NATIONAL
    )
    return event.header.event_type in REGISTRATIONS and not all(
        issuer == producer or issuer.startswith(f"{producer}/") for issuer in issuers
    )


def cannot_have_happened(event: Event, now: Millis) -> bool:
    """Tell whether an event says that something happened on a day that has not come: the year alone may say so, too."""
    first = first_of(event.header.occurred_at)
    said_beforehand = event.header.event_type.startswith(_SAID_BEFOREHAND) or takes_back(event)
    return first is not None and not said_beforehand and first > now + _AHEAD_MS


def impossible_times(event: Event) -> Iterator[str]:
    """Name the header's instants that are in no year that counts: no screen or clock could say such a time back."""
    header = event.header
    instants = {"recorded_at": header.recorded_at, "received_at": header.received_at, "expires_at": header.expires_at}
    yield from (name for name, at in instants.items() if at is not None and not is_plausible(at))
    if header.occurred_at is not None and first_of(header.occurred_at) is None:
        yield "occurred_at"


def faults_of(event: Event, known: InForce) -> Iterator[str]:
    """Say what the broker would refuse of an event, or take and then do nothing with; one line per field."""
    header = event.header
    yield from refusals_of(event, known)
    if header.purpose.strip() and known.purposes and header.purpose not in known.purposes:
        yield f"field `header.purpose`: is none of {', '.join(sorted(known.purposes))}: nobody would be told"
    if permits(header.event_type, header.sector, known.agency) and header.event_type not in known.events:
        yield "field `header.event_type`: is not in the catalogue of event types: correct its spelling, see `broker policy check`"
    if header.expires_at is not None and header.expires_at <= header.recorded_at:
        yield "field `header.expires_at`: is not after `recorded_at`: nobody would ever hear of it"
    born = instant_of(event.body.get("identity", {}).get("birth_date"))
    if born is not None and born > header.recorded_at:
        yield "field `identity.birth_date`: is after `recorded_at`: of a child not yet born say `expected_birth_date`"
    yield from _attributes(event, known.events.get(header.event_type))
    yield from _schemes(event)
    yield from _people(event)
    yield from _excluded(event, known)
    yield from _scope(event, known)
    yield from _finding(event, known)


def refusals_of(event: Event, known: InForce) -> Iterator[str]:
    """Say what intake would refuse of a whole event, whatever the policy says; one line per field."""
    header = event.header
    if known.sector is not None and header.sector is not known.sector:
        yield f"field `header.sector`: agency `{header.producer}` is of the sector {known.sector.value}: leave the field out"
    if not header.purpose.strip():
        yield "field `header.purpose`: is empty: say why it is shared, or leave the field out"
    if not permits(header.event_type, header.sector, known.agency):
        yield "field `header.event_type`: is not for this agency to publish: see its sector and its entry in the registers"
    if names_numbers_of_others(event):
        yield "field `identity.identifiers`: a registration names local ids of its own agency only: leave another's out"
    if names_nothing_to_take_back(event):
        yield "field `header.supersedes`: missing: a retraction names the id of the event that it takes back"
    yield from _times(event, known.now)


def _times(event: Event, now: Millis) -> Iterator[str]:
    for name in impossible_times(event):
        yield f"field `header.{name}`: is no time between 1830 and 2200: correct it, or leave the field out"
    if event.header.recorded_at > now + TOLERANCE_MS:
        yield "field `header.recorded_at`: is in the future: correct the clock of the source"
    if cannot_have_happened(event, now):
        yield "field `header.occurred_at`: is in the future: say when it happened, or leave the field out"


def _attributes(event: Event, kind: EventKind | None) -> Iterator[str]:
    """Say which coded facts are none: free text there would go where only codes may."""
    if kind is None:
        return
    for name, value in event.header.attributes.items():
        known = kind.attributes.get(name)
        if known is None:
            may = ", ".join(sorted(kind.attributes)) or "nothing"
            yield f"field `header.attributes`: holds what this event type does not know: {may} may stand there"
        elif value not in known.values:
            yield f"field `header.attributes.{name}`: is none of {', '.join(sorted(known.values))}"


def _finding(event: Event, known: InForce) -> Iterator[str]:
    """Say where a finding would hold longer than its kind may: the broker would put it in question, or end it, before that."""
    control, kind = event.control or {}, known.events.get(event.header.event_type)
    found = known.findings.get(control.get("kind") or "") if kind is not None and kind.control == "finding" else None
    until = instant_of(control.get("until"))
    if found is None or found.longest is None or until is None or until <= months_later(known.now, found.longest):
        return
    yield (
        f"field `control.until`: is more than {found.longest} months ahead, the longest for `{found.name}`: say an earlier day; "
        "on that day whoever made it can say that it still holds"
    )


def _schemes(event: Event) -> Iterator[str]:
    """Say which number is of a scheme that is written otherwise: by `NHS Number` no child is found, and nobody would say so."""
    for at, one in enumerate(event.body.get("identity", {}).get("identifiers") or ()):
        if not _SCHEME.fullmatch(one["scheme"]):
            yield f"field `identity.identifiers.{at}.scheme`: is not in small letters, such as nhs_number, upn or la_child_id"


def _people(event: Event) -> Iterator[str]:
    """Say whose part in the matter is none that the rules know: who is to be kept back by it would not be (R9)."""
    for at, one in enumerate((event.body.get("third_party") or {}).get("people") or ()):
        if one.get("role") not in PARTY_ROLES:
            known = ", ".join(sorted(PARTY_ROLES))
            yield f"field `third_party.people.{at}.role`: is none of {known}: say it in your own words in `relation`"


def _scope(event: Event, known: InForce) -> Iterator[str]:
    """Say of whom nobody knows that a judgement or an agreement is to count for: it would count for nobody."""
    kind, control = known.events.get(event.header.event_type), event.control or {}
    if kind is None or kind.control not in _SCOPED:
        return
    for at, one in enumerate(control.get("recipients") or ()):
        if known.registers is not None and one not in known.registers.recipients and one not in known.roles:
            yield f"field `control.recipients.{at}`: is neither a desk in the registers in force nor a role of the policy"
    for at, one in enumerate(control.get("categories") or ()):
        if one not in _CATEGORIES:
            yield f"field `control.categories.{at}`: is none of {', '.join(_CATEGORIES)}"


def _excluded(event: Event, known: InForce) -> Iterator[str]:
    """Say whom nobody knows: an exclusion that names nobody keeps nobody out."""
    kind = known.events.get(event.header.event_type)
    if kind is not None and kind.control == "exclusion" and names_nobody_in_an_exclusion(event):
        yield "field `header.excluded`: missing: whom an exclusion keeps out stands there, and in no other field"
    for at, recipient in enumerate(event.header.excluded):
        if known.registers is not None and recipient not in known.registers.recipients:
            yield f"field `header.excluded.{at}`: is no recipient in the registers in force: see `broker registers show`"
