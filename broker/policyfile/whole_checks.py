"""What can be wrong with a policy as a whole: twins, idle rules, event types and roles without an answer, missing cases."""

import re
from collections.abc import Callable, Iterable
from itertools import pairwise

from broker.core.agencies.claims import HOME_AREA
from broker.core.model.event import Category
from broker.core.waiting.clocks import is_clock, span_of
from broker.policyfile.building import EVERYTHING
from broker.policyfile.case_checks import cases
from broker.policyfile.checked import Checked
from broker.policyfile.reading import Fault, nearest
from broker.policyfile.shapes import AttributeShape, EventShape, FindingShape, RuleShape, When

_LIST_IT = "add a [[source]] of this name, as in sources.toml, or name the source in words"
_MARK = re.compile(r"\[([A-Z]\d*)\]")


def _twins(checked: Checked) -> None:
    """Names that are given twice, rules that say the same, and rules that another one makes idle."""
    for kind in (
        "event",
        "attribute",
        "role",
        "basis",
        "clock",
        "finding",
        "protection",
        "wish",
        "obligation",
        "outcome",
        "source",
    ):
        seen: set[str] = set()
        for at, one in enumerate(getattr(checked.shape, kind)):
            if one.name in seen:
                checked.fault_in(kind, at, f"a second {kind} of this name", "rename or take out one of them")
            seen.add(one.name)
    rules = checked.shape.rule
    for at, one in enumerate(rules):
        for other in rules[:at]:
            if one.id == other.id:
                place = checked.place(other)
                checked.fault(one, "id", "a second rule with this id", f"rename it; the other is in {place.file}:{place.first}")
    _idle(checked)


def _idle(checked: Checked) -> None:
    rules = checked.sure_rules
    for at, one in enumerate(rules):
        idle_by = next(
            (wide for number, wide in enumerate(rules) if number != at and _covers(wide, one, first=number < at)), None
        )
        if idle_by is not None:
            checked.fault(one, "id", f"idle: `{idle_by.id}` says all that it says", "take it out, or say what is different")


def _overruled(checked: Checked) -> None:
    """A disclosure that some withhold always stops can never grant anything."""
    keeping = [rule for rule in checked.sure_rules if rule.effect == "withhold" and not rule.unless]
    for rule in checked.sure_rules:
        if rule.effect == "disclose":
            stopped_by = next((keep for keep in keeping if _always_stops(keep, rule)), None)
            if stopped_by is not None:
                what = f"it can never grant anything: `{stopped_by.id}` always withholds it"
                checked.fault(rule, "id", what, "take one of them out, or name the exception in the withhold")


def _always_stops(keep: RuleShape, rule: RuleShape) -> bool:
    kept, shared = set(keep.categories), set(rule.share)
    whole = EVERYTHING in kept or Category.EXISTENCE in kept or (bool(kept) and shared <= kept)
    meant = (not keep.to or set(rule.to) <= set(keep.to)) and not set(keep.spare) & set(rule.to)
    lasts = keep.in_force_from <= rule.in_force_from and keep.in_force_to is None
    return whole and meant and lasts and is_asked_of(keep.when, rule.when)


def is_asked_of(wide: When, narrow: When) -> bool:
    """Tell whether all that one asks is asked by the other too."""
    asked, more = wide.model_dump(exclude_defaults=True), narrow.model_dump(exclude_defaults=True)
    return all(_within(more.get(key), value) for key, value in asked.items())


def _covers(wide: RuleShape, narrow: RuleShape, *, first: bool) -> bool:
    """Tell whether one rule makes another idle; of two equal ones the later is."""
    if wide.effect != narrow.effect or not _reaches(wide, narrow) or _terms(wide) != _terms(narrow):
        return False
    if not is_asked_of(wide.when, narrow.when):
        return False
    same = wide.when == narrow.when and set(wide.to) == set(narrow.to) and set(wide.share) == set(narrow.share)
    return first if same else True


def _reaches(wide: RuleShape, narrow: RuleShape) -> bool:
    to = not wide.to if wide.effect == "withhold" and not wide.to else set(narrow.to) <= set(wide.to) and bool(narrow.to)
    shared = set(narrow.share or narrow.categories) <= set(wide.share or wide.categories)
    ends = wide.in_force_to is None or (narrow.in_force_to is not None and narrow.in_force_to <= wide.in_force_to)
    return to and shared and wide.in_force_from <= narrow.in_force_from and ends


def _terms(rule: RuleShape) -> tuple[object, ...]:
    told = rule.basis, rule.gateway, rule.clock, frozenset(rule.obligations), frozenset(rule.short), rule.ask
    return *told, frozenset(rule.cut), rule.unless, frozenset(rule.spare), rule.statutory, rule.if_nobody


def _asks_nothing(checked: Checked) -> None:
    """A condition without a value asks nothing, so that the rule speaks where its writer may have meant it to be silent."""
    remedy = "name a value, or take the condition out: without one the rule speaks whatever it is"
    for at, table in enumerate(checked.folder.tables.get("rule", ())):
        blocks = (table.get("when"), *(unless if isinstance(unless := table.get("unless"), list) else ()))
        for key, given in (pair for block in blocks if isinstance(block, dict) for pair in block.items()):
            if given in ([], {}) or (isinstance(given, dict) and [] in given.values()):
                entry = checked.folder.entry("rule", at)
                what = f"the condition `{key}` holds no value, and so asks nothing"
                checked.faults.append(Fault(entry.file, entry.line_of(key), str(table.get("id", "")), what, remedy))


def _within(narrow: object, wide: object) -> bool:
    if isinstance(narrow, tuple | list) and isinstance(wide, tuple | list):
        return set(narrow) <= set(wide)
    return narrow == wide


def _answers(checked: Checked) -> None:
    """Every event type needs an answer: a rule, or a sentence that says why there is none."""
    spoken = {name for rule in checked.shape.rule if rule.effect == "disclose" for name in rule.when.event}
    for at, one in enumerate(checked.shape.attribute):
        _silence(checked, "attribute", at, (one,))
    for at, event in enumerate(checked.shape.event):
        if ("event", at) in checked.doubted:
            continue
        if event.name not in spoken and event.nobody is None and checked.all_rules_are_sure:
            checked.fault_in("event", at, "no rule tells anybody of it", "write one, or say in `nobody` why none is needed")
        _event(checked, at, event)
        if event.name in spoken and event.nobody is not None:
            checked.fault_in("event", at, "it says that nobody is told, but a rule tells somebody", "take out `nobody`", "nobody")


def _event(checked: Checked, at: int, event: EventShape) -> None:
    """What an event type changes must mean something, and its attributes must be said in values that there are."""
    if event.name.partition(".")[0] not in _PUBLISHED_BY or "." not in event.name:
        remedy = f"begin it with one of {', '.join(sorted(_PUBLISHED_BY))} and a full stop"
        checked.fault_in("event", at, "its name does not say who publishes it", remedy)
    if (event.connection is None) != (event.relation is None):
        checked.fault_in("event", at, "`connection` and `relation` belong together", "say both or neither")
    _statuses(checked, at, event)
    if event.connection == "ends" and event.relation not in checked.relations:
        remedy = nearest(event.relation or "", checked.relations)
        checked.fault_in("event", at, f"it ends the relation `{event.relation}`, which nothing begins", remedy, "relation")
    _silence(checked, "event", at, event.attributes)
    common = [one.name for one in checked.shape.attribute]
    for number, one in enumerate(event.attributes):
        if one.name in common or one.name in [other.name for other in event.attributes[:number]]:
            checked.fault_in("event", at, f"a second attribute `{one.name}`", "rename or take out one of them", "attributes")


def _statuses(checked: Checked, at: int, event: EventShape) -> None:
    """What an event type ends or speaks of is something that happens."""
    for key, does, names, known in (
        ("ends", "ends", event.ends, checked.statuses),
        ("speaks_of", "speaks of", event.speaks_of, checked.statuses | {HOME_AREA}),
    ):
        for name in names:
            if name not in known:
                checked.fault_in("event", at, f"it {does} `{name}`, which nothing begins", nearest(name, known), key)


def _silence(checked: Checked, kind: str, at: int, attributes: Iterable[AttributeShape]) -> None:
    """What a publisher's silence means must be something that it could have said."""
    for one in attributes:
        if one.absent is not None and one.absent not in one.values:
            what = f"silence about `{one.name}` means `{one.absent}`, which is no value"
            checked.fault_in(kind, at, what, nearest(one.absent, one.values), "absent")


_PUBLISHED_BY = frozenset({"police", "school", "health", "council", "control", "identity"})


def _roles(checked: Checked) -> None:
    """Every role has a rule, and what it names by which it is filled is something that happens."""
    known = checked.statuses | checked.relations
    told = {role for rule in checked.shape.rule for role in rule.to}
    for at, role in enumerate(checked.shape.role):
        if role.name not in told and role.later is None and checked.all_rules_are_sure and ("role", at) not in checked.doubted:
            checked.fault_in("role", at, "no rule names it", "write one, or say in `later` what it waits for")
        uses = (
            ("of", "no event begins the relation or status", role.of, known),
            ("desks", "unknown role", role.desks, checked.names("role")),
            ("keep", "unknown obligation", role.keep, checked.names("obligation")),
        )
        for key, says, names, listed in uses:
            for name in names:
                if name not in listed:
                    checked.fault_in("role", at, f"{says} `{name}`", nearest(name, listed), key)


def _clocks(checked: Checked) -> None:
    """Every clock can be wound; it warns by a span, and goes on from the hub to a role that the area always has."""
    always = sorted(one.name for one in checked.shape.role if one.filled_by in ("area_hub", "area_duty"))
    for at, clock in enumerate(checked.shape.clock):
        if not is_clock(clock.name):
            remedy = "use N_hours, same_day, next_school_day, N_working_days or N_months"
            checked.fault_in("clock", at, "no clock of this name can be wound", remedy)
        for key in ("warn_before", "next_after"):
            text = getattr(clock, key)
            if text is not None and span_of(text) is None:
                checked.fault_in("clock", at, f"`{text}` is no length of time", "use N_minutes or N_hours", key)
        if clock.next is not None and clock.next not in always:
            what = f"`{clock.next}` is no role that every area fills"
            checked.fault_in("clock", at, what, f"use one of {', '.join(always)}", "next")
        if (clock.next is None) != (clock.next_after is None) and ("clock", at) not in checked.doubted:
            checked.fault_in("clock", at, "`next` and `next_after` belong together", "say both or neither")


def _order_of_clocks(checked: Checked) -> None:
    """Of two clocks the first is kept, so they stand from short to long; one of them is for reviews."""
    for at, (before, clock) in enumerate(pairwise(checked.shape.clock), 1):
        if is_clock(clock.name) and _length(clock.name) < _length(before.name):
            what = f"it is shorter than `{before.name}` before it: of two clocks the first is kept"
            checked.fault_in("clock", at, what, "list clocks from short to long")
    for at, _ in [one for one in enumerate(checked.shape.clock) if one[1].reviews][1:]:
        checked.fault_in("clock", at, "another clock is for reviews already", "say `reviews = true` of one", "reviews")


def _longest(checked: Checked) -> None:
    """No judgement holds for ever, nor that a family cannot safely be told: for how long is said, and where that comes from."""
    for at, one in enumerate(checked.shape.finding):
        without_end = "it may hold for ever: whoever makes one keeps things back, or lets them go, without end"
        _ends(checked, ("finding", at), one, without_end)
    for at, event in enumerate(checked.shape.event):
        if event.control == "told_family":
            _ends(
                checked, ("event", at), event, "that it is not safe to tell a family may stand for ever: nobody looks at it again"
            )
        elif event.longest is not None:
            what = "it ends nothing here: only what says whether a family was told has a `longest`"
            checked.fault_in("event", at, what, "take it out", "longest")


def _ends(checked: Checked, where: tuple[str, int], one: FindingShape | EventShape, without_end: str) -> None:
    if where in checked.doubted:
        return
    if one.longest is None:
        remedy = 'say the longest that one holds before somebody is asked, `longest = "N_months"`'
        checked.fault_in(*where, without_end, remedy)
    elif not one.source:
        what, remedy = (
            "nothing says where its `longest` comes from",
            "say it in `source`, and `verified = true` once somebody looked there",
        )
        checked.fault_in(*where, what, remedy, "longest")


def _sources(checked: Checked) -> None:
    """A mark in brackets, such as `[S46]`, stands for a source that is listed, so that whoever reads it can look it up."""
    known = checked.names("source")
    for rule in checked.shape.rule:
        for mark in _unlisted(rule.source, known):
            checked.fault(rule, "source", f"unknown source `[{mark}]`", _LIST_IT)
    for kind in ("clock", "event", "finding"):
        for at, one in enumerate(getattr(checked.shape, kind)):
            for mark in _unlisted(one.source or "", known):
                checked.fault_in(kind, at, f"unknown source `[{mark}]`", _LIST_IT, "source")


def _unlisted(source: str, known: frozenset[str]) -> list[str]:
    return [mark for mark in dict.fromkeys(_MARK.findall(source)) if mark not in known]


def _referrals(checked: Checked) -> None:
    for at, event in enumerate(checked.shape.event):
        if event.answered_by and not event.opens_matter and ("event", at) not in checked.doubted:
            what = "`answered_by` is for referrals, and this opens no matter"
            checked.fault_in("event", at, what, "say `opens_matter` too, or take it out", "answered_by")
        for name in event.answered_by:
            if name not in checked.names("role"):
                checked.fault_in("event", at, f"unknown role `{name}`", nearest(name, checked.names("role")), "answered_by")


def _shared_attributes(checked: Checked) -> None:
    for at, attribute in enumerate(checked.shape.attribute):
        for name in attribute.events:
            if name not in checked.events:
                checked.fault_in("attribute", at, f"unknown event `{name}`", nearest(name, checked.events), "events")


def _length(name: str) -> float:
    """Return about how many hours a clock runs; 0 for one that cannot be wound."""
    count, _, unit = name.partition("_")
    days = {"same_day": 0.9, "next_school_day": 1.0}
    hours = {"hour": 1.0, "working_day": 25.0, "month": 730.0}.get(unit.removesuffix("s"), 0.0)
    return days[name] * 24 if name in days else int(count) * hours if count.isdecimal() else 0.0


def _bases(checked: Checked) -> None:
    """A rung of the ladder carries a share, now or until a later one is in force, or says what it waits for."""
    carrying = {rule.basis for rule in checked.shape.rule} | {one.until_then for one in checked.shape.basis}
    for at, basis in enumerate(checked.shape.basis):
        is_sure = checked.all_rules_are_sure and ("basis", at) not in checked.doubted
        if basis.name not in carrying and basis.later is None and is_sure:
            checked.fault_in("basis", at, "no rule stands on it", "write one, or say in `later` what it waits for")
        if basis.until_then and _stands_on_itself(basis.name, checked):
            checked.fault_in("basis", at, "until it is in force it stands on itself", "name another basis", "until_then")
        if basis.until_then and basis.until_then not in checked.names("basis"):
            checked.fault_in(
                "basis", at, f"unknown basis `{basis.until_then}`", nearest(basis.until_then, checked.names("basis"))
            )


def _stands_on_itself(name: str, checked: Checked) -> bool:
    before = {one.name: one.until_then for one in checked.shape.basis}
    passed: set[str] = set()
    at: str | None = name
    while at is not None and at not in passed:
        passed.add(at)
        at = before.get(at)
    return at is not None


def _head(checked: Checked) -> None:
    """The policy is in force on the day, and knows what events are for."""
    head, today = checked.shape.policy, checked.today
    if not head.purposes and ("policy", 0) not in checked.doubted:
        checked.faults.append(_of_head(checked, "purposes", "it knows no purpose, so nothing is ever told", "name the purposes"))
    if head.in_force_from > today:
        what = f"it is in force from {head.in_force_from} only: released before that, nothing is told"
        checked.faults.append(_of_head(checked, "in_force_from", what, "release it then, or name an earlier day"))
    if head.in_force_to is not None and head.in_force_to <= today:
        what = f"it ended on {head.in_force_to}: nothing is told any more"
        checked.faults.append(_of_head(checked, "in_force_to", what, "name a later day, or take it out"))


def _of_head(checked: Checked, key: str, what: str, remedy: str) -> Fault:
    entry = checked.folder.entry("policy", 0)
    return Fault(entry.file, entry.line_of(key), checked.shape.policy.name, what, remedy)


WHOLE_CHECKS: tuple[Callable[[Checked], None], ...] = (
    _twins, _overruled, _asks_nothing, _answers, _roles, _clocks, _order_of_clocks, _longest, _sources, _referrals,
    _shared_attributes, _bases, _head, cases,
)  # fmt: skip
