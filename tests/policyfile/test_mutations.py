"""No shipped rule, and no part of one, can be taken out or turned round without a case or a check that notices."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from broker.core.model.identifiers import Digest
from broker.policyfile import POLICIES
from broker.policyfile.building import build, rule_of
from broker.policyfile.case_checks import rules_in
from broker.policyfile.case_shapes import Placed, read_cases
from broker.policyfile.cases import run_cases
from broker.policyfile.checked import Checked
from broker.policyfile.protection_checks import protections
from broker.policyfile.reading import read_folder, shape_of
from broker.policyfile.rule_checks import RULE_CHECKS
from broker.policyfile.shapes import PolicyShape, RuleShape, When
from broker.policyfile.whole_checks import WHOLE_CHECKS
from broker.policyfile.world import registers_for

pytestmark = pytest.mark.search

TODAY = date(2026, 11, 22)
FOLDER = read_folder(POLICIES)
SHAPE = shape_of(FOLDER)
CASES, _ = read_cases(POLICIES)
assert SHAPE is not None
SHIPPED = build(SHAPE, Digest("shipped"))
REGISTERS = registers_for(SHIPPED)
NAMED = {(placed.file, placed.line): frozenset(rules_in(placed.case)) for placed in CASES}

_LISTS = ("to", "share", "categories", "short", "cut", "spare", "obligations")
_TURNED: Mapping[str, Callable[[RuleShape], tuple[str, ...]]] = {
    "clock": lambda rule: ("15_working_days" if rule.clock != "15_working_days" else "1_hour",),
    "ask": lambda _: ("holder",),
    "if_nobody": lambda rule: _IF_NOBODY[rule.if_nobody],
    "basis": lambda rule: ("PUBLIC_TASK" if rule.basis != "PUBLIC_TASK" else "LEGAL_OBLIGATION",),
}
_IF_NOBODY = {"hub": ("nothing",), "hub_if_held": ("hub", "nothing"), "nothing": ("hub",)}

# What may be changed, because another rule says it too: kept, so that each of them reads whole.
SAID_TWICE = {
    ("changed-identity-unlinked", "categories without contact"): "protected-place keeps it back too",
    ("changed-identity-unlinked", "categories without location"): "protected-place keeps it back too",
    ("absence-of-a-missing-child-to-police", "no status asked"): "absence-not-to-police keeps it back of every other child",
}


def mutants(rule: RuleShape) -> Iterator[tuple[str, RuleShape | None]]:
    """Yield what is done to a rule, and the rule that comes of it; None when it is gone."""
    yield "gone", None
    for said, when in _whens(rule.when):
        yield said, rule.model_copy(update={"when": when})
    for number, _ in enumerate(rule.unless):
        yield f"unless {number} gone", rule.model_copy(update={"unless": (*rule.unless[:number], *rule.unless[number + 1 :])})
    for key in _LISTS:
        given = getattr(rule, key)
        for one in given:
            yield f"{key} without {one}", rule.model_copy(update={key: tuple(name for name in given if name != one)})
    if rule.effect == "disclose":
        yield from _turned(rule)
        yield from _on_other_law(rule)


def _turned(rule: RuleShape) -> Iterator[tuple[str, RuleShape]]:
    for key, turn in _TURNED.items():
        given = getattr(rule, key)
        for turned in turn(rule) if given is not None else ():
            if turned != given:
                yield f"{key} turned into {turned}", rule.model_copy(update={key: turned})


def _on_other_law(rule: RuleShape) -> Iterator[tuple[str, RuleShape]]:
    """Yield a rule that names another law than it does, or none, and one that a statute demands where none does."""
    yield "another gateway", rule.model_copy(update={"gateway": "Magna Carta 1215"})
    if rule.gateway:
        yield "no gateway", rule.model_copy(update={"gateway": None})
    yield "statutory turned", rule.model_copy(update={"statutory": not rule.statutory})


def _whens(when: When) -> Iterator[tuple[str, When]]:
    """Yield every condition without one of its values, and without itself."""
    for key, given in when.model_dump(exclude_defaults=True).items():
        if key != "event":
            yield f"no {key} asked", when.model_copy(update={key: When.model_fields[key].default})
        if isinstance(given, tuple) and len(given) > 1:
            for one in given:
                yield f"{key} without {one}", when.model_copy(update={key: tuple(name for name in given if name != one)})


def notice(rule: RuleShape, mutant: RuleShape | None) -> bool:
    """Tell whether a case fails or a check finds a fault when a mutant stands in the place of a rule."""
    assert SHAPE is not None
    rules = tuple(one for one in (mutant if one is rule else one for one in SHAPE.rule) if one is not None)
    return _a_case_fails(rule, mutant) or _a_check_fails(SHAPE.model_copy(update={"rule": rules}))


def _a_case_fails(rule: RuleShape, mutant: RuleShape | None) -> bool:
    """Run cases until one fails, first those that name the rule; only what none of them sees runs them all."""
    spoke: set[str] = set()
    others = [one for one in SHIPPED.rules if one.id != rule.id]
    try:
        policy = replace(SHIPPED, rules=(*others, *([] if mutant is None else [rule_of(mutant)])), memo={})
        for placed in _meant(rule):
            faults, heard = run_cases(policy, [placed], REGISTERS)
            spoke |= heard
            if faults:
                return True
    except KeyError:
        return True  # a role, a clock or a basis that nobody knows
    return rule.id not in spoke


def _meant(rule: RuleShape) -> list[Placed]:
    """Return the cases of a rule's event types: no mutant of it speaks of another."""
    events = set(rule.when.event)
    meant = [placed for placed in CASES if not events or placed.case.event in events]
    return sorted(meant, key=lambda placed: rule.id not in NAMED[placed.file, placed.line])


def _a_check_fails(shape: PolicyShape) -> bool:
    checked = Checked(shape, FOLDER, CASES, TODAY)
    for check in (*WHOLE_CHECKS, protections):
        check(checked)
    for one in shape.rule:
        for of_rule in RULE_CHECKS:
            of_rule(checked, one)
    return bool(checked.faults)


RULES: Any = SHAPE.rule


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.id))
def test_nothing_of_a_rule_can_be_changed_unnoticed(rule: RuleShape) -> None:
    unnoticed = [said for said, mutant in mutants(rule) if not notice(rule, mutant)]

    assert unnoticed == [said for said in unnoticed if (rule.id, said) in SAID_TWICE]


def test_what_is_said_to_be_said_twice_is() -> None:
    by_id = {rule.id: rule for rule in RULES}

    for name, said in SAID_TWICE:
        mutant = dict(mutants(by_id[name]))[said]
        assert not notice(by_id[name], mutant), f"`{name}` {said} is noticed: take it out of the list"
