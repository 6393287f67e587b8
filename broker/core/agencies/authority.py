"""Who may set what: whether a control event is whole and comes from somebody who may decide what it says.

What is not, is no dead letter: it may have been meant to protect a child, so a person looks at it before the line goes on.
"""

from collections.abc import Callable, Collection, Mapping

from broker.core.agencies.claims import doubtful_claim, sets_protection
from broker.core.agencies.matters import is_open
from broker.core.agencies.roles import area_of
from broker.core.agencies.standing import answers_for, is_tied, serves_home
from broker.core.model.dates import instant_of
from broker.core.model.event import Category, Control, Event, Sector, ToldFamily
from broker.core.model.facts import Facts
from broker.core.model.identifiers import EventId
from broker.core.model.ledger import root_of
from broker.core.model.policy import REFERRER, Effect, EventKind, Policy, Question
from broker.core.model.protections import FORGOTTEN, PROTECTS
from broker.core.model.registers import Registers
from broker.core.model.versions import superseded_by, takes_back

# DOMAIN 1.4: only its originator may make a person unseen, and only who changes identities may break the link to one.
SET_BY: Mapping[str, frozenset[Sector]] = {
    "protected_person": frozenset({Sector.POLICE}),
    "identity_changed": frozenset({Sector.COUNCILS, Sector.HEALTH}),
}
_LETS_GO: Mapping[str, str] = {"consent": "given", "service": "given", "protection": "lifted"}
_TOLD = tuple(one.value for one in ToldFamily if one is not ToldFamily.NOT_SAID)
_NOT_TOLD = (ToldFamily.NOT_SAFE, ToldFamily.NOT_PRACTICABLE)
_ENDS = ("lapsed", "withdrawn", "lifted")
_CATEGORIES = frozenset(Category)
_STATES: Mapping[str, tuple[str, ...]] = {
    "consent": ("given", "refused", "withdrawn"),
    "service": ("given", "refused", "withdrawn"),
    "protection": ("set", "lifted"),
    "finding": ("made", *_ENDS),
}


def unfit(event: Event, facts: Facts, policy: Policy, registers: Registers) -> str:
    """Return why an event may not simply change what is known of the child, as it is now; empty when it may."""
    if takes_back(event):
        return ""
    kind = policy.events.get(event.header.event_type)
    if kind is None:
        return doubtful_claim(event, facts, kind, registers)
    claimed = doubtful_claim(event, facts, kind, registers) or _unfit_control(event, kind, policy, registers)
    claimed = claimed or _unfounded(event, facts, kind, policy, registers) or _foreign_answer(event, facts, policy, registers)
    return claimed or _foreign_telling(event, facts, kind, registers)


def protects(event: Event, policy: Policy) -> bool:
    """Tell whether an event sets a protection: it can only keep something back, so no open question may delay it."""
    return sets_protection(event, policy.events.get(event.header.event_type)) and not takes_back(event)


def binds_the_line(event: Event, facts: Facts, policy: Policy, registers: Registers) -> bool:
    """Tell whether nothing goes while an event waits: it may keep something back.

    It comes from somebody who has to do with the child, or is a protection that its publisher may set: what nobody may set
    protects nobody, unless somebody of the child's meant it. To take another agency's record back keeps nothing
    back by itself: only who is known to have to do with the child may mean that what follows from the record is wrong, and
    never where the record keeps something back itself.
    """
    if takes_back(event):
        return is_tied(event.header, facts, registers) and not _keeps_something_back(facts, superseded_by(event))
    if not keeps_back(event, policy) or is_tied(event.header, facts, registers):
        return keeps_back(event, policy)
    kind = policy.events.get(event.header.event_type)
    return kind is not None and kind.control == "protection" and not _unfit_control(event, kind, policy, registers)


def _keeps_something_back(facts: Facts, event_id: EventId | None) -> bool:
    """Tell whether more would go if what an event said were no longer so."""
    saying_no = (one for one in facts.agreements if one.state != "given")
    kept = (facts.protections, facts.findings, facts.exclusions, saying_no)
    return event_id in {one.event_id for said in kept for one in said}


def _unfounded(event: Event, facts: Facts, kind: EventKind, policy: Policy, registers: Registers) -> str:
    """Return why a finding, or a protection that leaves nobody but the hub to hear, needs more than its own agency's word."""
    control = event.control or {}
    named = control.get("kind") or ""
    if kind.control not in ("protection", "finding") or control.get("state") in _ENDS:
        return ""
    if kind.control == "protection":
        by_stranger = named in FORGOTTEN and not serves_home(event.header, facts, registers)
        return "an agency of another area would let nobody but the child's hub hear of it: ask it why" if by_stranger else ""
    found = policy.findings.get(named)
    if found is None:
        return ""
    if not is_tied(event.header, facts, registers):
        return "an agency that is nothing to the child judges it: ask it why"
    if found.home_confirms and not answers_for(event.header, facts, registers):
        return f"`{found.name}` would keep every agency's alerts back: the child's own council says whether it counts"
    if found.names_recipients and _leaves_nobody(control.get("recipients") or (), event, facts, registers):
        return "it would keep alerts from everybody at the child's own hub: somebody there has to hear what a statute says"
    return ""


def _leaves_nobody(named: Collection[str], event: Event, facts: Facts, registers: Registers) -> bool:
    """Tell whether a finding names the hub and the duty team of the child's area, by their names or their roles."""
    area = area_of(event.header, facts, registers)
    names = (area.hub, area.out_of_hours) if area else ()
    desks = [registers.recipients[one] for one in names if one is not None and one in registers.recipients]
    return bool(desks) and all(one.id in named or not one.roles.isdisjoint(named) for one in desks)


def _foreign_answer(event: Event, facts: Facts, policy: Policy, registers: Registers) -> str:
    """Return why another council may not answer a referral: whoever referred would stand down on the word of somebody else."""
    header = event.header
    if header.sector is not Sector.COUNCILS or answers_for(header, facts, registers) or not is_open(facts):
        return ""
    answers = (rule for rule in policy.rules if REFERRER in rule.to and header.event_type in rule.event_types)
    if header.attributes.get("history") == "yes" or not any(answers):
        return ""
    return "only the council that answers for the child answers a referral: ask both"


def _foreign_telling(event: Event, facts: Facts, kind: EventKind, registers: Registers) -> str:
    """Return why an agency may not say what the family was told of another's event: whoever was told of it would act on that."""
    about = EventId((event.control or {}).get("concerns_event") or "")
    if kind.control != "told_family" or facts.voices.get(about, event.header.producer) == event.header.producer:
        return ""
    if answers_for(event.header, facts, registers):
        return ""
    if not is_tied(event.header, facts, registers):
        return "an agency that is nothing to the child says what the family was told of another's event: ask both"
    state = (event.control or {}).get("state") or event.header.told_family
    ends = facts.told.get(root_of(facts, about)) == ToldFamily.NOT_SAFE != state
    return (
        "its publisher says that it is not safe to tell the family of an event, another agency says otherwise: ask both"
        if ends
        else ""
    )


def _unfit_control(event: Event, kind: EventKind, policy: Policy, registers: Registers) -> str:
    sets = kind.control or ""
    if sets in ("wish", "told_family"):  # neither keeps anything back: nothing waits for an answer
        return _unknown_wish(event.control or {}, policy) if sets == "wish" else _unknown_told(event)
    if sets not in _STATES:
        return ""
    control = event.control
    if control is None:
        return "it says nothing in `control`: ask its publisher what it sets"
    if control.get("state") not in _STATES[sets]:
        return f"`state` is none of {', '.join(_STATES[sets])}: ask its publisher what it sets"
    if control.get("until") and instant_of(control.get("until")) is None:
        return "`until` is no date: ask its publisher how long it holds"
    check = _CHECKS.get(sets)
    return (check(event, control, policy) if check else "") or _unknown_scope(control, policy, registers)


def _unknown_scope(control: Control, policy: Policy, registers: Registers) -> str:
    """What is said of nobody who is known counts for nobody: a no would be no no, and nobody would hear that."""
    if control.get("state") in _ENDS and control.get("kind") in policy.findings:
        return ""  # ended is what was made, whoever has left the registers since
    names = {*policy.roles, *registers.recipients}
    if unknown := [one for one in control.get("recipients") or () if one not in names]:
        who = f"`recipients` names {len(unknown)} who are neither a desk in the registers nor a role of the policy"
        return f"{who}: ask its publisher whom it means"
    unknown = [one for one in control.get("categories") or () if one not in _CATEGORIES]
    return f"`categories` names {len(unknown)} that are none: ask its publisher what it means" if unknown else ""


def _unknown_wish(control: Control, policy: Policy) -> str:
    answers = policy.wishes.get(control.get("kind") or "")
    if answers is None:
        return f"`kind` is none of {', '.join(sorted(policy.wishes))}: ask its publisher what the child wishes"
    known = control.get("state") in answers
    return "" if known else f"`state` is none of {', '.join(sorted(answers))}: ask its publisher what the child wishes"


def _unknown_told(event: Event) -> str:
    """What a family was told is a field of its own (I6), no consent and no agreement; where it was not told it says why (R4)."""
    control, header = event.control or {}, event.header
    state = control.get("state") or header.told_family
    if state not in _TOLD:
        return f"`state` is none of {', '.join(_TOLD)}: ask its publisher whether the family was told"
    unsaid = state in _NOT_TOLD and not (control.get("reason") or header.told_family_reason or "").strip()
    return f"`{state}` must say `reason`: ask its publisher why the family was not told" if unsaid else ""


def _sets(event: Event, policy: Policy) -> str:
    """Return what a control event sets; empty for every other event."""
    kind = policy.events.get(event.header.event_type)
    return (kind.control if kind else None) or ""


def keeps_back(event: Event, policy: Policy) -> bool:
    """Tell whether an event may keep something back, so that nothing goes while it waits."""
    sets = _sets(event, policy)
    state = (event.control or {}).get("state")
    if state is not None and state == _LETS_GO.get(sets):
        return bool(event.header.excluded)  # while it waits, nothing that it lets go does
    if sets != "finding":
        return sets in _STATES if sets else bool(event.header.excluded)
    named = (event.control or {}).get("kind") or ""
    rules = (one for one in policy.rules if one.effect is Effect.WITHHOLD)
    asked = {value for rule in rules for one in rule.when if one.about is Question.FINDING for value in one.values}
    return named in asked or named not in policy.findings


def _protection(event: Event, control: Control, policy: Policy) -> str:  # noqa: ARG001 - one shape for all checks
    kind = control.get("kind") or ""
    if kind not in PROTECTS:
        return f"`kind` is none of {', '.join(PROTECTS)}: ask its publisher what it protects"
    allowed = SET_BY.get(kind)
    if allowed is not None and event.header.sector not in allowed and control.get("state") == "set":
        return f"`{kind}` is not for this sector to set: ask who may, {' or '.join(sorted(one.lower() for one in allowed))}"
    return ""


def _finding(event: Event, control: Control, policy: Policy) -> str:
    kind = policy.findings.get(control.get("kind") or "")
    if kind is None:
        return f"`kind` is none of {', '.join(policy.findings)}: ask its publisher what was found"
    if not control.get("by_role") or (kind.made_by and control.get("by_role") not in kind.made_by):
        return f"`by_role` must say who found it{': ' + ' or '.join(sorted(kind.made_by)) if kind.made_by else ''}"
    if control.get("state") in _ENDS:
        return ""
    if kind.sectors and event.header.sector.lower() not in kind.sectors:
        return f"`{kind.name}` is not for this sector to find: ask who may, {' or '.join(sorted(kind.sectors))}"
    if kind.names_recipients and not control.get("recipients"):
        return f"`{kind.name}` must name in `recipients` whom it is about"
    missing = [f"`{name}`" for name in kind.needs if not str(control.get(name) or "").strip()]
    return f"`{kind.name}` must say {' and '.join(missing)}" if missing else ""


_CHECKS: Mapping[str, Callable[[Event, Control, Policy], str]] = {"protection": _protection, "finding": _finding}
