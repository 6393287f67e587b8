"""What can be wrong with cases: names that mean nothing, a case told twice, a rule that no case names.

A case that names what does not exist would pass or fail for a reason that has nothing to do with the rules.
"""

from collections.abc import Iterable, Iterator

from broker.core.deciding.answer import BUILT_IN
from broker.core.model.policy import HOLDER, SHAREABLE, Cut
from broker.policyfile.building import EVERYTHING
from broker.policyfile.case_shapes import Case, Child, NotSought, NotTold, Placed, Told
from broker.policyfile.checked import AGREEMENTS, Checked
from broker.policyfile.mending import NAMELESS, UNSAID
from broker.policyfile.reading import Fault, nearest
from broker.policyfile.world import PLACES

Use = tuple[str, Iterable[str], Iterable[str]]  # what it is called, the names that a case uses, those that mean something


def cases(checked: Checked) -> None:
    """Every rule is in at least one case, every case is told once, and every name in it means something."""
    named = {rule for placed in checked.cases for rule in rules_in(placed.case)} | checked.mentioned
    for rule in checked.shape.rule:
        if rule.id not in named and not rule.id.startswith(NAMELESS):
            checked.fault(rule, "id", "no case names it", "write a case in which it speaks, in a file ending in `.cases.toml`")
    seen: dict[str, Placed] = {}
    for placed in checked.cases:
        first = seen.setdefault(placed.case.name, placed)
        if first is not placed and placed.case.name != UNSAID:
            what = "a second case of this name"
            checked.faults.append(_fault(placed, what, f"rename it; the other is in {first.file}:{first.line}"))
        for called, used, known in _uses(placed.case, checked):
            listed = frozenset(known)
            for name in dict.fromkeys(used):
                if name not in listed:
                    checked.faults.append(_fault(placed, f"unknown {called} `{name}`", nearest(name, listed)))


def _uses(case: Case, checked: Checked) -> Iterator[Use]:
    told, child = case.told, case.child
    yield "event type", (case.event,) if case.event != UNSAID else (), checked.events
    if not any(name.startswith(NAMELESS) for name in checked.names("rule")):
        yield "rule", rules_in(case), checked.names("rule") | set(BUILT_IN)
    yield from _of_recipients(case, checked)
    shared = {EVERYTHING, *(one.value for one in SHAREABLE)}
    listed = [*(one.gets for one in told), *(one.short for one in told), *(one.by_agreement for one in told)]
    yield "category", _all((*listed, *(one.about for one in case.asked))), shared
    yield "cut", _all(one.without for one in told), (one.value for one in Cut)
    yield "clock", (one.clock for one in told if one.clock), checked.names("clock")
    yield "obligation", _all(one.keeps_to or () for one in told), checked.names("obligation")
    yield "basis", (one.basis for one in told if one.basis), checked.names("basis")
    if case.event in checked.events:
        yield "attribute of this event type", case.attributes, checked.events[case.event]
    yield from _of_child(child, checked)


def _of_recipients(case: Case, checked: Checked) -> Iterator[Use]:
    roles = checked.names("role")
    people = [one.who for one in case.told], [one.who for one in case.not_told], [one.who for one in case.asked]
    who = [*_all(people), *case.excluded]
    yield "role", (_role(one) for one in who), roles
    yield "place", (one.partition("@")[2] for one in who), PLACES
    yield "role", (one.of for one in case.asked), roles | {HOLDER}
    yield "role", (*case.gaps, *(one.role for one in case.not_sought)), roles


def _of_child(child: Child, checked: Checked) -> Iterator[Use]:
    yield "status", child.status, checked.statuses
    yield "relation", (*child.ties, *child.ended_now), checked.relations
    yield "protection", child.protection, checked.names("protection")
    yield "finding", (one.kind for one in child.finding), checked.names("finding")
    yield "agreement", child.agreement, AGREEMENTS
    for name, one in child.agreement.items():
        yield f"state of agreement `{name}`", (one.state,), AGREEMENTS.get(name, ())
    wishes = {one.name: one.values for one in checked.shape.wish}
    yield "wish", child.wish, wishes
    for name, value in child.wish.items():
        yield f"answer to wish `{name}`", (value,), wishes.get(name, ())


def _role(who: str) -> str:
    return who.partition("@")[0].removesuffix("-alternate")


def rules_in(case: Case) -> Iterator[str]:
    """Yield the rules that a case names."""
    listed: Iterable[Told | NotTold | NotSought] = (*case.told, *case.not_told, *case.not_sought)
    for one in listed:
        yield from one.because
    for told in case.told:
        yield from told.held_back_by
    for asked in case.asked:
        yield from asked.because


def _all(lists: Iterable[Iterable[str]]) -> Iterator[str]:
    for one in lists:
        yield from one


def _fault(placed: Placed, what: str, remedy: str) -> Fault:
    return Fault(placed.file, placed.line, placed.case.name, what, remedy)
