"""What can be wrong with one rule: names that mean nothing, a rule that cannot work, consent as a bar, law out of date."""

import re
from collections.abc import Callable, Iterable, Mapping

from broker.core.deciding.answer import BUILT_IN
from broker.core.deciding.disclose import SHORT_FORM
from broker.core.model.event import PARTY_ROLES, Action, Assertion, Category, SubjectRole
from broker.core.model.policy import HOLDER, SHAREABLE, Cut
from broker.policyfile.building import EVERYTHING
from broker.policyfile.checked import AGREEMENTS, Checked
from broker.policyfile.reading import nearest
from broker.policyfile.shapes import RuleShape, When

_SECTORS = frozenset({"police", "schools", "health", "councils"})
_AGENCY = re.compile(r"[EW]\d{8}|(urn|ods|police|la):\w+")
_AREA = re.compile(r"[EWSN]\d{8}")
_NO_BASIS = "name the law on which it stands; a service that the family agreed to stands on `SERVICE_AGREEMENT` (R4)"
_CALLED = {"to": "role", "spare": "role", "ask": "role", "share": "category", "categories": "category"}


def _names(checked: Checked, rule: RuleShape) -> None:
    """Every name that a rule uses must mean something."""
    roles = checked.names("role")
    lists: Mapping[str, tuple[Iterable[str], Iterable[str]]] = {
        "to": (rule.to, roles),
        "spare": (rule.spare, roles),
        "ask": ((rule.ask,), roles | {HOLDER}),
        "share": (rule.share, {EVERYTHING, *(one.value for one in SHAREABLE)}),
        "categories": (rule.categories, {EVERYTHING, *(one.value for one in SHAREABLE)}),
        "short": (rule.short, rule.share or rule.short),
        "cut": (rule.cut, (one.value for one in Cut)),
        "obligations": (rule.obligations, checked.names("obligation")),
        "basis": ((rule.basis,) if rule.basis else (), checked.names("basis")),
        "clock": ((rule.clock,) if rule.clock else (), checked.names("clock")),
    }
    for key, (used, known) in lists.items():
        listed = frozenset(known)
        for name in used:
            if name == Category.MONITORING:
                checked.fault(rule, key, "monitoring data can be neither shared nor routed by", "take `monitoring` out (R29)")
            elif key == "basis" and "consent" in name.lower() and name not in listed:
                checked.fault(rule, key, f"`{name}`: consent is no lawful basis", _NO_BASIS)
            elif name not in listed:
                checked.fault(rule, key, f"unknown {_CALLED.get(key, key)} `{name}`", nearest(name, listed))


def _conditions(checked: Checked, rule: RuleShape) -> None:
    """Every value that a rule's conditions ask for must be one that can occur."""
    for when in (rule.when, *rule.unless):
        for key, known in _known_values(checked).items():
            for name in getattr(when, key):
                if name not in known:
                    checked.fault(rule, key, f"unknown {key.replace('_', ' ')} `{name}`", nearest(name, known))
        for key, given in (("agreement", when.agreement), ("wish", when.wish)):
            _named_values(checked, rule, key, given)
        _attributes(checked, rule, when)
        _codes(checked, rule, when)


def _codes(checked: Checked, rule: RuleShape, when: When) -> None:
    """Agencies and areas are the registers' own, which the policy does not hold: only what can be neither is wrong here."""
    for name in when.publisher:
        if name not in _SECTORS and not _AGENCY.fullmatch(name):
            remedy = f"{nearest(name, _SECTORS)}; or name an agency as the registers do: E10000030, urn:100001"
            checked.fault(rule, "publisher", f"`{name}` is neither a sector nor an agency", remedy)
    for name in when.area:
        if not _AREA.fullmatch(name):
            checked.fault(rule, "area", f"`{name}` is no council's code", "name an area as the registers do: E10000030")


def _known_values(checked: Checked) -> Mapping[str, frozenset[str]]:
    return {
        "event": frozenset(checked.events),
        "action": frozenset(one.value.lower() for one in Action) - {"retract"},
        "identity": frozenset({"identified", "unidentified"}),
        "subject_role": frozenset(one.value.lower() for one in SubjectRole),
        "assertion": frozenset(one.value.lower() for one in Assertion),
        "connection": checked.relations,
        "status": checked.statuses,
        "protection": checked.names("protection"),
        "finding": checked.names("finding"),
        "party": PARTY_ROLES,
    }


def _named_values(checked: Checked, rule: RuleShape, key: str, given: Mapping[str, Iterable[str]]) -> None:
    known = AGREEMENTS if key == "agreement" else {one.name: frozenset(one.values) for one in checked.shape.wish}
    for name, values in given.items():
        if name not in known:
            checked.fault(rule, key, f"unknown {key} `{name}`", nearest(name, known))
            continue
        for value in values:
            if value not in known[name]:
                checked.fault(rule, key, f"`{value}` is no state of {key} `{name}`", nearest(value, known[name]))


def _attributes(checked: Checked, rule: RuleShape, when: When) -> None:
    spoken = [name for name in (rule.when.event or checked.events) if name in checked.events]
    for name, values in when.attribute.items():
        having = [event for event in spoken if name in checked.events[event]]
        if not having:
            every = {one for event in spoken for one in checked.events[event]}
            checked.fault(rule, "attribute", f"unknown attribute `{name}` for its event types", nearest(name, every))
        elif len(having) < len(spoken) and rule.when.event:
            lacking = next(event for event in spoken if event not in having)
            checked.fault(
                rule, "attribute", f"`{lacking}` has no attribute `{name}`", "take the event out, or add the attribute to it"
            )
        for value in values:
            if having and not any(value in checked.events[event][name] for event in having):
                known = checked.events[having[0]][name]
                checked.fault(rule, "attribute", f"`{value}` is no value of attribute `{name}`", nearest(value, known))


def _makes_sense(checked: Checked, rule: RuleShape) -> None:
    """A disclosure needs recipients, events, existence and a basis; a withhold needs something to keep back."""
    if rule.id in BUILT_IN:
        checked.fault(rule, "id", "this name is kept for a built-in reason", "choose another id")
    (_discloses if rule.effect == "disclose" else _withholds)(checked, rule)


def _discloses(checked: Checked, rule: RuleShape) -> None:
    missing = [key for key, given in (("to", rule.to), ("share", rule.share), ("basis", rule.basis)) if not given]
    for key in missing:
        checked.fault(rule, "effect", f"a disclosure without `{key}`", f"say `{key}`: R1 wants every route whole")
    if not rule.when.event:
        checked.fault(rule, "when", "a disclosure that names no event type", "name the event types that it is about")
    if rule.share and Category.EXISTENCE not in rule.share and EVERYTHING not in rule.share:
        checked.fault(rule, "share", "it shares something without sharing that there is anything", "add `existence` to `share`")
    for name in rule.short:
        if name in rule.share and name not in SHORT_FORM:
            remedy = f"take it out; there is one of {', '.join(sorted(SHORT_FORM))}"
            checked.fault(rule, "short", f"there is no shorter form of `{name}`", remedy)
    if rule.categories or rule.cut or rule.unless or rule.spare:
        checked.fault(rule, "effect", "`categories`, `cut`, `unless` and `spare` belong to a withhold", "use `share` and `to`")


def _withholds(checked: Checked, rule: RuleShape) -> None:
    if not rule.categories and not rule.cut:
        checked.fault(rule, "effect", "a withhold that keeps nothing back", "say `categories`, or `cut`")
    if rule.share or rule.short or rule.basis or rule.clock or rule.obligations:
        checked.fault(rule, "effect", "`share`, `basis`, `clock` and `obligations` belong to a disclosure", "use `categories`")
    if rule.in_force_to and rule.when.protection:
        checked.fault(rule, "in_force_to", "a protection never lapses by date", "take `in_force_to` out (I3)")


def _in_order(checked: Checked, rule: RuleShape) -> None:
    """What is from one to another must be in that order, or the rule never matches."""
    ages = rule.when.age
    if ages and ages.least is not None and ages.most is not None and ages.least > ages.most:
        checked.fault(rule, "age", f"it can never match: no age is from {ages.least} to {ages.most}", "swap the two")
    if rule.in_force_to and rule.in_force_to <= rule.in_force_from:
        what = f"it can never match: it ends before it begins, on {rule.in_force_from}"
        checked.fault(rule, "in_force_to", what, "name a day after `in_force_from`, or mend the dates")
    if rule.review_by and checked.today < rule.review_by <= rule.in_force_from:
        checked.fault(rule, "review_by", "its review is due before it is in force", "name a later day")


def _can_match(checked: Checked, rule: RuleShape) -> None:
    """A rule that can never match is a promise that nobody keeps."""
    sectors = {
        f"{one.removesuffix('s')}" if one in ("schools", "councils") else one for one in rule.when.publisher if one in _SECTORS
    }
    spoken = {name.partition(".")[0] for name in rule.when.event}
    if sectors and spoken and sectors.isdisjoint(spoken) and len(sectors) == len(rule.when.publisher):
        checked.fault(rule, "publisher", "it can never match: that sector publishes none of its event types", "mend one of them")
    if rule.effect == "withhold" and any(_implied(rule.when, one) for one in rule.unless):
        checked.fault(rule, "unless", "it can never match: its own exception always lifts it", "narrow `unless`")


def _implied(when: When, unless: When) -> bool:
    """Tell whether an exception asks nothing that the rule itself does not ask already."""
    asked = unless.model_dump(exclude_defaults=True)
    own = when.model_dump(exclude_defaults=True)
    return all(own.get(key) == value for key, value in asked.items())


def _consent(checked: Checked, rule: RuleShape) -> None:
    """A refused consent alone never withholds where significant harm is likely (R4, I6); what is agreed to is a service."""
    if rule.basis == "SERVICE_AGREEMENT" and rule.when.agreement.get("service") != ("given",):
        remedy = 'add agreement = { service = ["given"] } to [rule.when], or name another basis (R4)'
        checked.fault(rule, "basis", "it stands on an agreement to a service and does not ask whether it was given", remedy)
    if rule.effect != "withhold":
        return
    refusing = {"refused", "withdrawn"}.intersection(one for states in rule.when.agreement.values() for one in states)
    asking = any(one.agreement for one in rule.unless) and not rule.when.protection  # what protects has no such exception at all
    lifted = any(
        set(one.model_dump(exclude_defaults=True)) == {"finding"} and "significant_harm" in one.finding for one in rule.unless
    )
    if (refusing or asking) and not lifted:
        what = "refused consent" if refusing else "unless somebody agrees,"
        remedy = 'add [[rule.unless]] with finding = ["significant_harm"] (I6)'
        key = "agreement" if refusing else "unless"
        words = f"it withholds on {what}" if refusing else f"it withholds {what}"
        checked.fault(rule, key, f"{words} even where significant harm is likely", remedy)


def _law(checked: Checked, rule: RuleShape) -> None:
    """Law out of force, a rule that nobody is to look at again, and law that nobody verified."""
    superseded = rule.in_force_to and any(
        one.in_force_from == rule.in_force_to and set(one.to) & set(rule.to) for one in checked.shape.rule if one is not rule
    )
    ever = rule.in_force_to is None or rule.in_force_to > rule.in_force_from
    if _has_ended(rule, checked) and ever and not superseded:
        checked.fault(
            rule, "in_force_to", f"out of force since {rule.in_force_to}", "replace it by the law that followed, or take it out"
        )
    if rule.effect == "disclose" and rule.review_by is None:
        checked.fault(rule, "id", "it has no review date", "say `review_by`")
    if not rule.verified and not _has_ended(rule, checked):
        checked.note(rule, "source", f"not verified at its source: {rule.source}", "verify it, then say `verified = true`")


def _review(checked: Checked, rule: RuleShape) -> None:
    """A review that is due."""
    if rule.review_by and rule.review_by <= checked.today and not _has_ended(rule, checked):
        what = "goes on, being statutory" if rule.statutory else "asks a person until then"
        checked.fault(rule, "review_by", f"its review was due on {rule.review_by}; it {what}", "review it and set a new date")


def _has_ended(rule: RuleShape, checked: Checked) -> bool:
    return rule.in_force_to is not None and rule.in_force_to <= checked.today


Check = Callable[[Checked, RuleShape], None]
# What is written is wrong whatever else could not be read.
CHECKS_IN_DOUBT: tuple[Check, ...] = (_names, _conditions, _in_order, _review)
RULE_CHECKS: tuple[Check, ...] = (*CHECKS_IN_DOUBT, _makes_sense, _can_match, _consent, _law)
