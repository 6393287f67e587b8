"""What a policy has to keep back to be fit at all: the withholding matrix of DOMAIN 1.4 for the classes that are carried here.

A duty is met by rules that speak whenever it does, to everybody but whom it lets know, with no exception but those it lets be.
It says nothing of who is told: a policy may always keep back more.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from broker.core.model.event import Category
from broker.core.model.policy import SHAREABLE, Cut
from broker.core.model.protections import PROTECTS
from broker.policyfile.building import categories
from broker.policyfile.checked import Checked
from broker.policyfile.reading import Fault
from broker.policyfile.shapes import RuleShape, When
from broker.policyfile.whole_checks import is_asked_of

_ALL = frozenset(SHAREABLE)
_CONTENT = _ALL - {Category.EXISTENCE}
_RELEASED = When(finding=("originator_release",))
_NO_INTELLIGENCE = When(assertion=("fact", "opinion", "third_party", "not_said"))
_BACK = {  # what makes a rule that comes near do what it has to
    "to": "take out `to`",
    "spare": "take them out of `spare`",
    "unless": "take out that exception",
    "in_force_from": "let it begin by now",
    "in_force_to": "take out `in_force_to`",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """What has to be kept back `when`, as `categories` and `cut`; `spare` may know, and only what is in `unless` may lift it.

    `entry` is where the class stands in the policy files, by kind and name.
    """

    says: str
    source: str
    when: When
    entry: tuple[str, str]
    categories: frozenset[Category] = frozenset()
    cut: Cut | None = None
    spare: frozenset[str] = frozenset()
    unless: tuple[When, ...] = ()


def protections(checked: Checked) -> None:
    """Every protected class is kept back: from whom it must be, whole, and without an end; told once every rule can be read."""
    known = checked.names("protection")
    for kind in PROTECTS:
        if kind not in known:
            what = f"the catalogue does not know the protection `{kind}`"
            checked.faults.append(_fault(checked, ("policy", ""), what, f'add [[protection]] with name = "{kind}" (DOMAIN 1.4)'))
    if not checked.all_rules_are_sure:
        return  # what could not be read may be what keeps it back
    missed: dict[tuple[str, str, str], list[Duty]] = {}
    for duty in _duties(checked):
        if not _is_done(duty, checked):
            rule, key, _ = _near(duty, checked)
            missed.setdefault((duty.says, rule.id if rule else "", key), []).append(duty)
    for duties in missed.values():  # what several classes lack alike is told once
        _tell(checked, duties)


def _is_done(duty: Duty, checked: Checked) -> bool:
    keeping = [rule for rule in checked.shape.rule if _speaks(rule, duty) and not _why_not(rule, duty, checked)]
    kept = {one for rule in keeping for one in categories(rule.categories)}
    return duty.categories <= kept and (duty.cut is None or any(duty.cut in rule.cut for rule in keeping))


def _duties(checked: Checked) -> Iterator[Duty]:
    for kind in sorted(checked.names("protection") & set(PROTECTS)):
        yield from _of_protection(kind, When(protection=(kind,)), ("protection", kind))
    told = When(event=("police.intelligence.held",)), When(assertion=("intelligence",))
    says = ("what police intelligence says is not kept with its originator", "what is said as intelligence is not kept back")
    for when, words in zip(told, says, strict=True):
        if set(when.event) <= set(checked.events):
            entry = ("event", when.event[0]) if when.event else ("finding", "originator_release")
            lifted = (_RELEASED, *(() if when.event else (_NO_INTELLIGENCE,)))
            yield Duty(says=words, source="R28", when=when, entry=entry, categories=_CONTENT, unless=lifted)
    for event, attributes in sorted(checked.events.items()):
        if "sensitive_service" in attributes:
            yield _of_confidence(event)
    yield Duty(
        says="a finding of detriment keeps nothing back from whom it names",
        source="R3; s.16LA",
        when=When(finding=("detriment",)),
        entry=("finding", "detriment"),
        categories=_ALL,
    )
    spared = frozenset({"hub", "social_worker"})
    says_lay = "who outside the professions spoke up is not kept back"
    yield Duty(says=says_lay, source="R9", when=When(), entry=("policy", ""), cut=Cut.REFERRER, spare=spared)


def _of_protection(kind: str, when: When, entry: tuple[str, str]) -> Iterator[Duty]:
    """Yield what one protection of a child asks for: no place, nothing that betrays it, no unchecked text, no former name."""
    place = frozenset({Category.LOCATION, Category.CONTACT})
    acting = frozenset({"hub", "duty_team", "social_worker"})
    says = "where the child is, is not kept back from everybody"
    yield Duty(says=says, source="R10", when=when, entry=entry, categories=place)
    says = "what betrays where the child is, is not cut out"
    yield Duty(says=says, source="R10; I8", when=when, entry=entry, cut=Cut.PLACE, spare=acting)
    says = "free text that nobody checked is not cut out"
    yield Duty(says=says, source="R10; golden rule 5", when=when, entry=entry, cut=Cut.FREE_TEXT)
    says = "earlier names and numbers are not cut out"
    yield Duty(says=says, source="R16", when=when, entry=entry, cut=Cut.FORMER_IDENTITY)
    if kind == "identity_changed":
        says = "what would join the old identity and the new is not kept back"
        yield Duty(says=says, source="R16", when=when, entry=entry, categories=_CONTENT)
        says, only = "that there is anything is not kept from everybody but the hub", frozenset({Category.EXISTENCE})
        yield Duty(says=says, source="R16", when=when, entry=entry, categories=only, spare=frozenset({"hub"}))
    if kind == "protected_person":
        says = "not everything is kept back from everybody"
        yield Duty(says=says, source="DOMAIN 1.4", when=when, entry=entry, categories=_ALL)


def _of_confidence(event: str) -> Duty:
    """Return what a competent child told a sensitive service: kept, unless the child agrees or harm or coercion was found."""
    lifted = When(finding=("significant_harm", "coercion")), When(agreement={"consent": ("given",)})
    return Duty(
        says="what a competent child told a sensitive service is not kept back",
        source="R13; UKSC 51",
        when=When(event=(event,), attribute={"sensitive_service": ("yes",)}, finding=("competent",)),
        entry=("event", event),
        categories=_ALL,
        unless=lifted,
    )


def _speaks(rule: RuleShape, duty: Duty) -> bool:
    """Tell whether a withhold speaks whenever the duty does, and of something that the duty is about."""
    of = duty.cut in rule.cut or bool(categories(rule.categories) & duty.categories)
    return rule.effect == "withhold" and of and is_asked_of(rule.when, duty.when)


def _why_not(rule: RuleShape, duty: Duty, checked: Checked) -> tuple[str, str] | None:
    """Return the key and the words for why a rule that speaks does not do the duty; None when it does."""
    if rule.to:
        return "to", f"it speaks only to {_list(rule.to)}"
    if spared := set(rule.spare) - duty.spare:
        return "spare", f"it spares {_list(spared)}"
    if any(not any(_narrows(block, one) for one in duty.unless) for block in rule.unless):
        return "unless", "it has an exception that may not be"
    if rule.in_force_from > checked.today:
        return "in_force_from", f"it is not in force before {rule.in_force_from}"
    if rule.in_force_to is not None and rule.in_force_to <= checked.today:
        return "in_force_to", f"it ended on {rule.in_force_to}"
    return None


def _narrows(block: When, allowed: When) -> bool:
    """Tell whether an exception is one that may be, or asks for more than that one does."""
    return is_asked_of(allowed, block)


def _near(duty: Duty, checked: Checked) -> tuple[RuleShape | None, str, str]:
    """Return the first rule that is about this class and does not do, with the key and why; no rule when there is none."""
    about = set(duty.when.model_dump(exclude_defaults=True))
    for rule in checked.shape.rule:
        asked = {*rule.when.model_dump(exclude_defaults=True), *("assertion" for one in rule.unless if one.assertion)}
        if _speaks(rule, duty) and (not about or about & asked) and (why := _why_not(rule, duty, checked)):
            return rule, *why
    return None, "", ""


def _tell(checked: Checked, duties: Sequence[Duty]) -> None:
    """Name the rule that comes near and why it does not do, or else the classes that nothing keeps."""
    first = duties[0]
    rule, key, why = _near(first, checked)
    remedy = f"{_remedy(duties)} ({first.source})"
    if rule is not None:
        checked.fault(rule, key, f"{why}: {first.says}", f"{_BACK[key]}, or {remedy}")
        return
    names = [one.entry[1] for one in duties if one.entry[1]]
    also = f", nor for {_list(names[1:])}" if len(names) > 1 else ""
    checked.faults.append(_fault(checked, first.entry, f"{first.says}{also}", remedy))


def _remedy(duties: Sequence[Duty]) -> str:
    first = duties[0]
    asked = {key: [value] for key, value in first.when.model_dump(exclude_defaults=True).items()}
    for duty in duties[1:]:
        for key, value in duty.when.model_dump(exclude_defaults=True).items():
            asked[key] += [value] if value not in asked[key] else []
    when = "; ".join(f"{key} = {_toml(_joined(values))}" for key, values in asked.items())
    kept = ("everything",) if first.categories == _ALL else sorted(one.value for one in first.categories)
    keeps = f'cut = ["{first.cut.value}"]' if first.cut is not None else f"categories = {_toml(kept)}"
    spared = f"a `spare` of no more than {_list(first.spare)}" if first.spare else "no `spare`"
    lifted = " or ".join(_asked(one) for one in first.unless)
    unless = f"no `unless` but {lifted}" if lifted else "no `unless`"
    return f"write a withhold with {keeps}{f', when {when}' if when else ''}, no `to`, {spared} and {unless}"


def _asked(when: When) -> str:
    return "; ".join(f"{key} = {_toml(value)}" for key, value in when.model_dump(exclude_defaults=True).items())


def _joined(values: list[Any]) -> Any:
    return values[0] if isinstance(values[0], dict) else tuple(dict.fromkeys(one for value in values for one in value))


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(one)}" for name, one in value.items()) + " }"
    return "[" + ", ".join(f'"{one}"' for one in value) + "]" if isinstance(value, list | tuple) else f'"{value}"'


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{one}`" for one in sorted(names))


def _fault(checked: Checked, entry: tuple[str, str], what: str, remedy: str) -> Fault:
    kind, name = entry
    given = getattr(checked.shape, kind)
    at = next((at for at, one in enumerate(given) if one.name == name), None) if isinstance(given, tuple) else None
    place = checked.folder.entry("policy", 0) if at is None else checked.folder.entry(kind, at)
    return Fault(place.file, place.line_of("name"), name, what, remedy)
