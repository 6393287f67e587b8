"""What a recipient is shown of an event: selected from what its publisher said, never derived, absent where not granted.

INVARIANT: nothing of a category that was not granted, and nothing of monitoring, is in a view. Where the child is
protected, no place or number is in any view, whatever a rule says (R10, I8).
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, cast

from broker.core.deciding.answer import kept_back
from broker.core.model.event import Assertion, Body, Category, Control, Event, Header, Source, SubjectRole, ToldFamily
from broker.core.model.facts import Facts
from broker.core.model.identifiers import AgencyId, Digest, digest
from broker.core.model.policy import SHAREABLE, Cut
from broker.core.model.protections import PLACE_PROTECTED, protections_at
from broker.core.model.verdict import Decision

View = dict[str, Any]  # fields of `schemas/disclosure.avsc`
_Group = dict[str, Any]


# The publisher's own shorter form of a category: the fields that stay.
SHORT_FORM: Mapping[Category, frozenset[str]] = {
    Category.IDENTITY: frozenset({"names", "birth_date", "expected_birth_date"}),
    Category.LOCATION: frozenset({"location_ref"}),
    Category.CONCERN: frozenset({"status", "decision", "next_step", "starts_on", "ends_on"}),
    Category.CLINICAL: frozenset({"setting", "reason_band", "attended_at", "left_at"}),
    Category.THIRD_PARTY: frozenset({"functional_impact"}),
    Category.INTELLIGENCE: frozenset({"handling_code", "originator"}),
}

# Fields that may stay although the child's place must not be betrayed; a field that is not listed goes.
_PLACELESS: Mapping[Category, frozenset[str]] = {
    Category.IDENTITY: frozenset({"identifiers", "names", "birth_date", "expected_birth_date", "death_date", "sex"}),
    Category.CONCERN: frozenset(
        {"codes", "grade", "child_present", "child_spoken_to", "welfare_check", "category_of_abuse", "status", "reason"}
        | {"decision", "starts_on", "ends_on", "sessions", "answer_by", "next_step"}
    ),
    Category.NARRATIVE: frozenset({"text", "checked", "checked_by_role"}),
    Category.CLINICAL: frozenset({"presentation", "reason_band", "findings", "attended_at", "left_at"}),
    Category.INTELLIGENCE: frozenset({"text", "handling_code"}),
    Category.THIRD_PARTY: frozenset({"people", "functional_impact"}),
    Category.WISH: frozenset({"words", "heard_by_role", "said_on"}),
}
_PLACELESS_PERSON = frozenset({"role", "relation", "contact_level"})

# Of these the source's words stay only where they are a code, or words that name no place: anybody can type an address there.
_CODED = frozenset(
    {"grade", "child_present", "child_spoken_to", "welfare_check", "category_of_abuse", "status", "reason", "reason_band"}
    | {"setting", "role", "relation", "contact_level", "code", "scheme", "abuse", "checked_by_role", "heard_by_role"}
)
_CODE = re.compile(r"[a-z]+([_-][a-z0-9]+)*|[A-Z]{1,5}|[A-Z]{0,4}[0-9]{1,3}[A-Z]?")
_PLACELESS_WORDS = frozenset(
    {"adoptive", "aunt", "boyfriend", "brother", "carer", "contact", "cousin", "daily", "father", "foster", "friend", "full"}
    | {"girlfriend", "grandfather", "grandmother", "grandparent", "guardian", "half", "high", "in", "known", "law", "legal"}
    | {"limited", "lives", "low", "medium", "mother", "no", "none", "not", "occasional", "of", "or", "other", "parent", "partner"}
    | {"regular", "relative", "risk", "sibling", "sister", "standard", "step", "supervised", "the", "uncle", "unknown"}
    | {"unrelated", "with", "yes"}
)

# What people type in their own words, beside the narrative itself.
_FREE_TEXT: Mapping[Category, frozenset[str]] = {
    Category.CONCERN: frozenset({"decision", "next_step"}),
    Category.CLINICAL: frozenset({"presentation", "findings", "disposition"}),
    Category.INTELLIGENCE: frozenset({"text"}),
    Category.THIRD_PARTY: frozenset({"functional_impact"}),
    Category.WISH: frozenset({"words"}),
}
_SCENE = ("place", "location_ref")  # what says where it happened, and not where the child lives or goes
_PUPIL_NUMBERS = frozenset({"upn", "former_upn"})
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
_SAID_BY = frozenset({"producer", "contact_point"})
_OF_CONTENT = frozenset({"occurred_at", "subject_role", "assertion"})
_GROUPS: Mapping[str, Category] = {one.value: one for one in SHAREABLE}
_SILENCE = frozenset({"UNKNOWN", "NOT_SAID"})


def granted_view(event: Event, decision: Decision, facts: Facts) -> View:
    """Return the fields of a disclosure that this decision grants; absent is whatever is not granted or was not said.

    Of equal granted content the view is equal, whatever else the event holds. `facts` are those that the decision used.
    """
    granted = _lawful(event.header, decision, facts)
    if Category.EXISTENCE not in granted:
        return {}
    cuts = frozenset(decision.cuts)
    view = _about(event.header, cuts)
    if event.header.is_existence_only or granted == {Category.EXISTENCE}:
        # that somebody holds something, and whom to ask: not when it was, nor the child's part
        view = {name: value for name, value in view.items() if name not in _OF_CONTENT}
    for category in SHAREABLE:
        group = event.body.get(category.value) if category in granted else None
        if group:
            kept = _kept(category, dict(cast("_Group", group)), cuts, short=category in decision.short)
            if kept:
                view[category.value] = kept
    return view


def shown_of(event: Event, hears: Decision, facts: Facts, also: Collection[Category] = (), *, judged: bool = False) -> Event:
    """Return of an event what a recipient may see that is asked about it: what it is granted itself, who the child is, and more.

    Without a name, or a number where none is said, nobody could see to anything. What a rule withholds from it is not there,
    nor what a cut or a protection takes out. `judged`: also what it sets as a control event and whom it excludes, for that is
    what is asked.
    """
    least = {Category.EXISTENCE, Category.IDENTITY, *also} - kept_back(hears)
    if Category.EXISTENCE not in least:
        return _bare(event.header, {})
    in_full = {*hears.granted, *also} - set(hears.short) | set(also)
    short = tuple(one for one in SHAREABLE if one not in in_full)
    hears = replace(hears, granted=tuple({*hears.granted, *least}), short=short, cuts=hears.would_cut)
    view = granted_view(event, hears, facts)
    if Category.IDENTITY in least and not view.get("identity", {}).get("names"):
        view = _with_numbers(view, event, frozenset(hears.cuts))
    seen = _bare(event.header, view)
    if not judged:
        return seen
    said_by = {name: getattr(seen.header, name) for name in (*_SAID_BY, "source")}
    if Cut.PLACE in hears.cuts:
        said_by["area"] = None
    if Cut.FREE_TEXT in hears.cuts:
        said_by["told_family_reason"] = None
    if event.header.is_existence_only:
        said_by |= {name: getattr(seen.header, name) for name in _OF_CONTENT} | {"attributes": {}, "told_family_reason": None}
    control = event.control
    if control is not None and Category.IDENTITY not in least:
        control = cast("Control", {**control, "identifiers": []})
    return Event(replace(event.header, **said_by), seen.body, control)


def _with_numbers(view: View, event: Event, cuts: frozenset[Cut]) -> View:
    """Say by numbers who a child is of whom no name is said: the NHS number, and what its publisher itself calls the child."""
    said = [
        one
        for one in event.body.get("identity", {}).get("identifiers", ())
        if one["scheme"] == "nhs_number" or one.get("issuer") == event.header.producer
    ]
    numbers = _kept(Category.IDENTITY, {"identifiers": _no_pupil_numbers(cast("list[_Group]", said))}, cuts, short=False)
    return {**view, "identity": {**numbers, **view.get("identity", {})}} if numbers else view


def _bare(header: Header, view: View) -> Event:
    """Return an event that says no more than a view; its type and when it was recorded are no secret to whoever is asked."""
    said = {
        "subject_role": SubjectRole(view.get("subject_role", "UNKNOWN")),
        "assertion": Assertion(view.get("assertion", "NOT_SAID")),
        "told_family": ToldFamily(view.get("told_family", "NOT_SAID")),
        "occurred_at": view.get("occurred_at"),
        "contact_point": view.get("contact_point"),
        "producer": AgencyId(view.get("producer", "")),
    }
    kept = Header(
        event_id=header.event_id,
        event_type=header.event_type,
        sector=header.sector,
        recorded_at=header.recorded_at,
        source=Source("", "", "", "", ""),
        sharing_mode=header.sharing_mode,
        **cast("Any", said),
    )
    return Event(kept, cast("Body", {name: group for name, group in view.items() if name in _GROUPS}))


def view_digest(view: View) -> Digest:
    """Return the SHA-256 of a view in its canonical form."""
    return digest(_canonical(view).encode())


def would_cut(view: View, cut: Cut) -> bool:
    """Tell whether a view holds anything that a cut takes out."""
    if cut is Cut.PLACE and not _SAID_BY.isdisjoint(view):
        return True
    groups = ((_GROUPS[name], group) for name, group in view.items() if name in _GROUPS)
    return any(_kept(category, group, (cut,), short=False) != group for category, group in groups)


def without(view: View, cuts: Collection[Cut]) -> View:
    """Return what cuts leave of a view: the same as if it had been made under them."""
    kept: View = {}
    for name, value in view.items():
        category = _GROUPS.get(name)
        left = value if category is None else _kept(category, value, cuts, short=False)
        if (left or category is None) and not (name in _SAID_BY and Cut.PLACE in cuts):
            kept[name] = left
    return kept


def _lawful(header: Header, decision: Decision, facts: Facts) -> set[Category]:
    """The last guard, apart from the policy: place and numbers of a protected child, or of a restricted record, never leave."""
    granted = set(decision.granted)
    if header.is_restricted:
        granted -= {Category.LOCATION, Category.CONTACT}
    if facts.protections and not PLACE_PROTECTED.isdisjoint(protections_at(facts.protections, facts.at)):
        granted -= {Category.LOCATION, Category.CONTACT}
    return granted


def _about(header: Header, cuts: frozenset[Cut]) -> View:
    view: View = {
        "occurred_at": header.occurred_at,
        "subject_role": header.subject_role.value,
        "assertion": header.assertion.value,
        "told_family": header.told_family.value,
        "expires_at": header.expires_at,
    }
    if Cut.PLACE not in cuts:
        view["producer"] = header.producer
        view["contact_point"] = header.contact_point
    return {name: value for name, value in view.items() if value is not None and value not in _SILENCE}


def _kept(category: Category, group: _Group, cuts: Collection[Cut], *, short: bool) -> _Group:
    if short:
        stays = SHORT_FORM.get(category)
        group = group if stays is None else {name: value for name, value in group.items() if name in stays}
    for cut, cutter in _CUTTERS.items():
        if cut in cuts:
            group = cutter(category, group)
    kept = {name: value for name, value in group.items() if value is not None and value != []}
    return {"text": "", **kept} if kept and category is Category.INTELLIGENCE else kept  # a message of it has a text


def _without_place(category: Category, group: _Group) -> _Group:
    stays = _PLACELESS.get(category, frozenset())
    kept = {name: value for name, value in group.items() if name in stays and _names_no_place(name, value)}
    if "codes" in kept:
        kept["codes"] = [one for one in kept["codes"] if all(_names_no_place(name, value) for name, value in one.items())]
    if "identifiers" in kept:  # local numbers, and who issued them, name a school, a hospital or a council
        kept["identifiers"] = [{**one, "issuer": None} for one in kept["identifiers"] if one["scheme"] == "nhs_number"]
    if "people" in kept:  # of whom no more than a role in words is said that may name a place, nothing is
        kept["people"] = [
            {name: value for name, value in one.items() if name in _PLACELESS_PERSON and _names_no_place(name, value)}
            for one in kept["people"]
            if _names_no_place("role", one["role"])
        ]
    return kept


def _names_no_place(name: str, value: Any) -> bool:
    """Tell whether what stands in a coded field is a code or plain words, so that no place can be in it."""
    if name not in _CODED or not isinstance(value, str):
        return True
    return _CODE.fullmatch(value) is not None or _PLACELESS_WORDS.issuperset(value.lower().replace("-", " ").split())


def _without_free_text(category: Category, group: _Group) -> _Group:
    if category is Category.NARRATIVE:
        return group if group.get("checked") is True else {}
    if category is Category.WISH:
        return {}
    return {name: value for name, value in group.items() if name not in _FREE_TEXT.get(category, frozenset())}


def _without_referrer(category: Category, group: _Group) -> _Group:
    if category is Category.THIRD_PARTY and "people" in group:
        return {**group, "people": [one for one in group["people"] if not _is_referrer(one)]}
    return group


def _is_referrer(person: Mapping[str, Any]) -> bool:
    """Tell whether somebody spoke up, however the role is written: `broker publish` takes one form, another client any (R9)."""
    return str(person.get("role", "")).strip().casefold() == "referrer"


def _without_former_identity(category: Category, group: _Group) -> _Group:
    if category is not Category.IDENTITY:
        return group
    names = [one for one in group.get("names", ()) if one.get("kind", "usual") in ("usual", "preferred")]
    identifiers = [one for one in group.get("identifiers", ()) if not one["scheme"].lower().startswith("former_")]
    return {**group, "names": names, "identifiers": identifiers}


def _without_whereabouts(category: Category, group: _Group) -> _Group:
    return {name: group[name] for name in _SCENE if name in group} if category is Category.LOCATION else group


def _without_pupil_number(category: Category, group: _Group) -> _Group:
    """A UPN is no general identifier: outside education it is in nothing, the child's nor another's (FORMATS 2.4)."""
    if category is Category.IDENTITY and "identifiers" in group:
        return {**group, "identifiers": _no_pupil_numbers(group["identifiers"])}
    if category is Category.THIRD_PARTY and "people" in group:
        people = [
            {**one, "identifiers": _no_pupil_numbers(one["identifiers"])} if "identifiers" in one else one
            for one in group["people"]
        ]
        return {**group, "people": people}
    return group


def _no_pupil_numbers(identifiers: Iterable[_Group]) -> list[_Group]:
    return [one for one in identifiers if one["scheme"].lower() not in _PUPIL_NUMBERS]


_CUTTERS: Mapping[Cut, Callable[[Category, _Group], _Group]] = {
    Cut.PLACE: _without_place,
    Cut.FREE_TEXT: _without_free_text,
    Cut.REFERRER: _without_referrer,
    Cut.FORMER_IDENTITY: _without_former_identity,
    Cut.WHEREABOUTS: _without_whereabouts,
    Cut.PUPIL_NUMBER: _without_pupil_number,
}
