"""What an agency may claim of a child and of others: who is involved, whose area it is, what came of a matter, whom to exclude.

Every answer is the reason why a person has to look first, or empty. What only keeps order among agencies never binds the line.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from broker.core.agencies.matters import is_open
from broker.core.agencies.roles import hub_of, organisation_of
from broker.core.agencies.standing import answers_for, guards, has_neighbours, homes, is_at_home, is_near, is_tied
from broker.core.agencies.ties import lasts
from broker.core.model.dates import whole_birth_date
from broker.core.model.event import Action, Event, Header, Sector
from broker.core.model.facts import Agreement, Facts
from broker.core.model.identifiers import AgencyId, EventId, canonical
from broker.core.model.policy import EventKind
from broker.core.model.protections import is_protected
from broker.core.model.registers import Registers
from broker.core.model.versions import names_nobody_in_an_exclusion

HOME_AREA = "home_area"
EXCLUSION = "control.exclusion"
_PARTS = frozenset({len("2026"), len("2026-11")})  # of a date
_SECTOR_OF: Mapping[str, Sector] = {
    "la": Sector.COUNCILS, "ods": Sector.HEALTH, "police": Sector.POLICE, "urn": Sector.SCHOOLS,
    "social_care": Sector.COUNCILS, "gp": Sector.HEALTH, "hospital": Sector.HEALTH, "school": Sector.SCHOOLS,
}  # fmt: skip


def doubtful_claim(event: Event, facts: Facts, kind: EventKind | None, registers: Registers) -> str:
    """Return why something that an event claims has to be seen by a person first; empty when nothing has."""
    if kind is None:
        return _exclusion(event, facts, None, registers)
    return next((why for check in _CHECKS if (why := check(event, facts, kind, registers))), "")


def own_home(event: Event, facts: Facts, kind: EventKind) -> str | None:
    """Return the council that registers the child and says in words, or where nobody has yet, that the child is its own."""
    control, header = event.control or {}, event.header
    if not kind.registers_person or header.sector is not Sector.COUNCILS:
        return None
    if control.get("role"):
        itself = canonical(control.get("organisation") or "") == organisation_of(header.producer)
        return header.producer if itself and control.get("role") == HOME_AREA else None
    return header.producer if facts.home_area is None and header.area == header.producer else None


def _home(event: Event, facts: Facts, kind: EventKind, registers: Registers) -> str:
    """One council answers for a child until another has taken over (R26); the first is one of where the child is known."""
    claimed = own_home(event, facts, kind)
    if claimed is None:
        asked = (event.control or {}).get("role") == HOME_AREA
        return "`home_area` is for a council to say of itself where it registers the child: ask it" if asked else ""
    if not homes(facts, registers) or answers_for(event.header, facts, registers):
        return ""
    if facts.home_area is None:
        return "a council of another area than those who know the child says that it is its own: ask there whether it moved"
    return "another council answers for this child until it agrees to the transfer (R26): ask both"


def said_birth_date(event: Event) -> str | None:
    """Return the birth date that an event says, whole or a part of one; None of a placeholder and of what is no date."""
    born = (event.body.get("identity") or {}).get("birth_date") or ""
    as_a_day = f"{born}-01-01"[: len("2026-11-10")] if len(born) in _PARTS else born
    return born if whole_birth_date(as_a_day) else None


def _born(event: Event, facts: Facts, kind: EventKind, registers: Registers) -> str:
    """How old a child is decides what a statute says of it, and what it may keep to itself: no stranger changes that unseen."""
    said, known = said_birth_date(event) or "", facts.birth_date or ""
    if not kind.registers_person or len(said) < len(known) or said.startswith(known):
        return ""
    header = event.header
    if speaks_for(event, registers):
        header = replace(header, producer=AgencyId(canonical((event.control or {}).get("organisation") or "")))
    if is_tied(header, facts, registers):
        return ""
    return "an agency that is nothing to the child gives it another birth date: ask both which is right"


def _tie(event: Event, facts: Facts, kind: EventKind, registers: Registers) -> str:  # noqa: ARG001 - one shape for all checks
    """An event type begins and ends one relation, and each organisation's own."""
    control = event.control or {}
    if kind.connection is None or not control:
        return ""
    if control.get("role") and control.get("role") != kind.relation:
        return f"`role` is not `{kind.relation}`, which is all that this event type speaks of: ask its publisher"
    if control.get("state") not in {None, "begun", "ended"}:
        return "`state` is none of begun, ended: ask its publisher"
    named, itself = canonical(control.get("organisation") or ""), organisation_of(event.header.producer)
    if not named or named == itself or speaks_for(event, registers):
        return ""
    if not kind.for_others:
        return "`organisation` is not the publisher: nobody begins or ends what another is to a child"
    if kind.connection == "ends" or control.get("state") == "ended":
        return "only an organisation itself says that it has no more to do with a child"
    fits = _fits(named, kind.relation or "", registers)
    return "" if fits else f"`organisation` is nobody who could be a child's {kind.relation}: ask its publisher"


def speaks_for(event: Event, registers: Registers) -> bool:
    """Tell whether the registers let the publisher speak for the school that it names, as a collection of all rolls does."""
    publisher, named = registers.agencies.get(event.header.producer), (event.control or {}).get("organisation")
    return publisher is not None and bool(publisher.speaks_for) and canonical(named or "") in publisher.speaks_for


def _fits(organisation: str, relation: str, registers: Registers) -> bool:
    """Tell whether an organisation is of the kind of a relation. One of another area need not be in the registers."""
    scheme, _, value = organisation.partition(":")
    known = registers.agencies.get(AgencyId(organisation))
    sector = known.sector if known else _SECTOR_OF.get(scheme)
    return bool(value) and sector is not None and sector is _SECTOR_OF.get(relation, sector)


def _second_council(event: Event, facts: Facts, kind: EventKind, registers: Registers) -> str:
    """Work of its own lets another council hear of a child and where it is (R10, R26): its own says whether it may."""
    begins = bool(kind.begins) or kind.connection in ("begins", "replaces")
    if not begins or event.header.sector is not Sector.COUNCILS or answers_for(event.header, facts, registers):
        return ""
    itself = organisation_of(event.header.producer)
    if _protects_near(itself, facts, registers):
        return ""
    return "another council begins work with the child: its own council says whether it may hear of it"


def _others_status(event: Event, facts: Facts, kind: EventKind, registers: Registers) -> str:
    """People stand down when a plan, care or a case is over: whose it is says so, else the child's own council (I10, R26).

    Where that council speaks of what another one holds, its own hub is asked: the other's goes on.
    """
    header, spoken = event.header, {*kind.ends, *kind.speaks_of}
    tie = kind.relation if kind.connection == "ends" else None
    untold = kind.nobody is not None or header.attributes.get("history") == "yes"
    if header.sector is not Sector.COUNCILS or untold or kind.begins or not (spoken or tie):
        return ""
    held = {one.organisation for one in facts.statuses if one.until is None and one.name in spoken}
    held |= {one.organisation for one in facts.connections if lasts(one, facts.at) and one.relation == tie}
    if organisation_of(header.producer) in held or (answers_for(header, facts, registers) and not held):
        return ""
    return "a council speaks of what it does not hold, and another may: ask both whether it is so"


def seats_nobody(event: Event, facts: Facts, kind: EventKind | None, registers: Registers) -> bool:
    """Tell whether an alert, which does not wait for a person, may not seat whom it would: an admission far from the child.

    What a council begins with another's child waits as a whole, so a person has seen it.
    """
    if kind is None or event.header.sector is Sector.COUNCILS or not _is_told(event.header, kind):
        return False
    return bool(_taken_up(event, facts, kind, registers))


def _new_place(event: Event, facts: Facts, kind: EventKind, registers: Registers) -> str:
    return "" if _is_told(event.header, kind) else _taken_up(event, facts, kind, registers)


def _taken_up(event: Event, facts: Facts, kind: EventKind, registers: Registers) -> str:
    """Whoever is a protected child's school, practice or hospital hears of it (R10): an abuser may work at any of them.

    So none takes it up by a first word of its own, nor by a stale one of another's. Where the child has left its last one, the
    next of its own area may not wait: what a statute says must reach it.
    """
    named = canonical((event.control or {}).get("organisation") or "") or organisation_of(event.header.producer)
    begins = kind.connection in ("begins", "replaces") and (event.control or {}).get("state") != "ended"
    if (
        not begins
        or not is_protected(facts.protections)
        or is_near(named, facts, registers)
        or _protects_near(named, facts, registers)
    ):
        return ""
    has_one = any(one.relation == kind.relation and lasts(one, facts.at) for one in facts.connections)
    if not has_one and is_at_home(named, facts, registers):
        return ""
    which = "second" if has_one else "far"
    return f"a {which} {kind.relation} takes up a protected child: its own council says whether it may hear of the child"


def _protects_near(organisation: str, facts: Facts, registers: Registers) -> bool:
    """Tell whether an organisation protected the child first, and the child is where it is by what others say.

    To have protected it is no more than a word of its own: whoever means to find a child later may say it long before.
    """
    return organisation in guards(facts, registers) and has_neighbours(organisation, facts, registers)


def _matter(event: Event, facts: Facts, kind: EventKind, registers: Registers) -> str:
    if not kind.closes_matter or not is_open(facts) or answers_for(event.header, facts, registers):
        return ""
    return "only the council that answers for the child says what came of a referral: ask both"


def _agreement(event: Event, facts: Facts, kind: EventKind, registers: Registers) -> str:
    """A no stands until the agency that heard it says otherwise: another's yes is a question (R13).

    Either counts at once from whoever has to do with the child, a no also for what its publisher itself said. By a stranger's
    yes, what a child told in confidence would go; by its no, help that the family agreed to elsewhere would stop without a word.
    """
    if kind.control not in ("consent", "service"):
        return ""
    itself, yes = event.header.producer, (event.control or {}).get("state") == "given"
    tied = is_tied(event.header, facts, registers)
    if not yes and tied:
        return ""
    heard: dict[str, list[Agreement]] = {}
    for one in facts.agreements:
        if one.kind == kind.control:
            heard.setdefault(facts.voices.get(one.event_id, itself), []).append(one)
    contradicts = any(_stands(words, yes=not yes) for by, words in heard.items() if by != itself)
    if yes and contradicts:
        return "another agency heard a no: ask both, and the child or family again"
    if yes:
        return "" if tied else "an agency that is nothing to the child says that somebody agreed: ask it, and the child or family"
    if not contradicts:
        return ""
    return "another agency heard a yes, and this one is nothing to the child: ask both, and the child or family again"


def _wish(event: Event, facts: Facts, kind: EventKind, registers: Registers) -> str:
    """Whether an advocate comes is for the child to say (R30), and so not for somebody who has nothing to do with it."""
    control = event.control or {}
    if kind.control != "wish" or is_tied(event.header, facts, registers):
        return ""
    known = facts.wishes.get(control.get("kind") or "")
    return "" if known == control.get("state") else "an agency that is nothing to the child says what it wishes: ask the child"


def _stands(words: Sequence[Agreement], *, yes: bool) -> bool:
    """Tell whether a yes, or a no, stands among an agency's own words: a later word against it ends it that reaches as far."""
    standing: list[Agreement] = []
    for word in sorted(words, key=lambda one: one.since):
        if (word.state == "given") == yes:
            standing.append(word)
        else:
            standing = [one for one in standing if not _reaches(word, one)]
    return bool(standing)


def _reaches(later: Agreement, earlier: Agreement) -> bool:
    scopes = ((later.recipients, earlier.recipients), (later.categories, earlier.categories))
    return all(not wide or (narrow and wide >= narrow) for wide, narrow in scopes)


def _exclusion(event: Event, facts: Facts, kind: EventKind | None, registers: Registers) -> str:
    """An exclusion silences (R11): it must mean somebody, come from somebody who knows the child, and leave somebody to act."""
    header = event.header
    if kind is not None and kind.control == "exclusion" and names_nobody_in_an_exclusion(event):
        return "it names nobody in `excluded`, and so keeps nobody out: ask its publisher whom it means"
    if not header.excluded or sets_protection(event, kind):
        return ""
    return _unknown(header, registers) or ("" if _is_told(header, kind) else _lasting_exclusion(header, facts, registers))


def exclusion_apart(event: Event, facts: Facts, kind: EventKind | None, registers: Registers) -> Event | None:
    """Return what an alert or a protection says of whom it excludes as an event of its own, where a person has to see that first.

    Itself it is not to wait, and whom it excludes hears nothing of it. But by one alert nobody silences all later ones, and to
    name whom to keep out makes no protection weaker.
    """
    header, hides = event.header, sets_protection(event, kind)
    if not header.excluded or not (hides or _is_told(header, kind)):
        return None
    if not _lasting_exclusion(header, facts, registers) and not (hides and _unknown(header, registers)):
        return None
    name = EventId(f"{header.event_id}/excluded")
    return Event(replace(header, event_id=name, event_type=EXCLUSION, action=Action.NEW, supersedes=None, attributes={}))


def sets_protection(event: Event, kind: EventKind | None) -> bool:
    """Tell whether an event says that something about the child is protected."""
    return kind is not None and kind.control == "protection" and (event.control or {}).get("state") == "set"


def _unknown(header: Header, registers: Registers) -> str:
    unknown = [one for one in header.excluded if one not in registers.recipients]
    return f"`excluded` names {len(unknown)} whom the registers do not hold: ask its publisher whom it means" if unknown else ""


def _is_told(header: Header, kind: EventKind | None) -> bool:
    """Tell whether an event tells of something, rather than only changing what is known of the child."""
    return header.event_type != EXCLUSION and (kind is None or not (kind.control or (kind.connection and kind.nobody)))


def _lasting_exclusion(header: Header, facts: Facts, registers: Registers) -> str:
    """Return why a person has to see whom an event excludes before that holds for what others say of the child."""
    if not is_tied(header, facts, registers):
        return "an agency that is nothing to the child excludes somebody: ask it why"
    if hub_of(replace(header, excluded=()), facts, registers) and hub_of(header, facts, registers) is None:
        return "it excludes everybody at the child's own hub: somebody there has to hear what a statute says"
    return ""


_CHECKS: tuple[Callable[[Event, Facts, EventKind, Registers], str], ...] = (
    _exclusion, _home, _born, _tie, _second_council, _others_status, _new_place, _matter, _agreement, _wish,
)  # fmt: skip
