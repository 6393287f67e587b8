"""Turns the shapes of the policy files into the values that the decision point asks."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from broker.core.model.event import Category
from broker.core.model.identifiers import Digest, Millis, RoleName, RuleId
from broker.core.model.policy import (
    SHAREABLE,
    Attribute,
    Basis,
    ClockKind,
    Condition,
    Cut,
    Effect,
    EventKind,
    FindingKind,
    Policy,
    Question,
    Role,
    Rule,
)
from broker.policyfile.shapes import AttributeShape, EventShape, PolicyShape, RoleShape, RuleShape, When

EVERYTHING = "everything"
LAW_ZONE = ZoneInfo("Europe/London")  # the law of England turns at midnight there


def build(shape: PolicyShape, content_digest: Digest) -> Policy:
    """Make the policy; the shape must have passed its checks, or come from a release."""
    return Policy(
        version=shape.policy.version,
        digest=content_digest,
        name=shape.policy.name,
        purposes=frozenset(shape.policy.purposes),
        rules=tuple(rule_of(one) for one in sorted(shape.rule, key=lambda rule: rule.id)),
        roles={RoleName(one.name): _role(one) for one in shape.role},
        events={one.name: _event(one, shape.attribute) for one in shape.event},
        findings={
            one.name: FindingKind(
                name=one.name,
                says=one.says,
                made_by=frozenset(one.made_by),
                on_lapse=one.on_lapse,
                names_recipients=one.names_recipients,
                sectors=frozenset(one.sectors),
                needs=one.needs,
                home_confirms=one.home_confirms,
                longest=_months(one.longest) if one.longest else None,
                source=one.source,
                verified=one.verified,
            )
            for one in shape.finding
        },
        bases={
            one.name: Basis(**{**one.model_dump(exclude={"later"}), "in_force_from": _from(one.in_force_from)})
            for one in shape.basis
        },
        clocks={one.name: ClockKind(**one.model_dump()) for one in shape.clock},
        obligations={one.name: one.says for one in shape.obligation},
        outcomes={one.name: one.says for one in shape.outcome},
        wishes={one.name: frozenset(one.values) for one in shape.wish},
        in_force_from=instant(shape.policy.in_force_from),
        in_force_to=_from(shape.policy.in_force_to),
    )


def instant(day: date) -> Millis:
    """Return the instant at which a day of the law begins."""
    return Millis(round(datetime.combine(day, time(0), LAW_ZONE).timestamp() * 1000))


def categories(names: Iterable[str]) -> frozenset[Category]:
    """Return categories by their names; `everything` stands for all that can be shared."""
    given = tuple(names)
    return frozenset(SHAREABLE) if EVERYTHING in given else frozenset(Category(one) for one in given)


def conditions(when: When, covers: frozenset[Category] = frozenset()) -> tuple[Condition, ...]:
    """Return the conditions of a `when` or an `unless`, in a fixed order."""
    found: list[Condition] = []
    for about in Question:
        given = getattr(when, about.value)
        if about is Question.AGE:
            found += [Condition(about, least=given.least, most=given.most)] if given else []
        elif isinstance(given, dict):
            reach = covers if about is Question.AGREEMENT else frozenset()
            found += [Condition(about, name, frozenset(values), covers=reach) for name, values in sorted(given.items())]
        elif given:
            found.append(Condition(about, values=frozenset(given)))
    return tuple(found)


def rule_of(shape: RuleShape) -> Rule:
    """Return a rule as the decision point asks it."""
    spoken = categories(shape.share or shape.categories)
    return Rule(
        id=RuleId(shape.id),
        effect=Effect(shape.effect),
        because=shape.because,
        to=frozenset(RoleName(one) for one in shape.to),
        when=conditions(shape.when, spoken),
        unless=tuple(conditions(one) for one in shape.unless),
        spare=frozenset(RoleName(one) for one in shape.spare),
        categories=spoken,
        short=categories(shape.short),
        cut=frozenset(Cut(one) for one in shape.cut),
        basis=shape.basis,
        gateway=shape.gateway,
        obligations=shape.obligations,
        clock=shape.clock,
        ask=RoleName(shape.ask),
        if_nobody=shape.if_nobody,
        owner=shape.owner,
        source=shape.source,
        verified=shape.verified,
        statutory=shape.statutory,
        in_force_from=instant(shape.in_force_from),
        in_force_to=_from(shape.in_force_to),
        review_by=_from(shape.review_by),
    )


def _role(shape: RoleShape) -> Role:
    return Role(
        name=RoleName(shape.name),
        title=shape.title,
        filled_by=shape.filled_by,
        of=shape.of,
        desks=tuple(RoleName(desk) for desk in shape.desks),
        or_area_team=shape.or_area_team,
        keep=shape.keep,
        education=shape.education,
    )


def _event(shape: EventShape, everywhere: Iterable[AttributeShape]) -> EventKind:
    return EventKind(
        name=shape.name,
        says=shape.says,
        sector=shape.name.partition(".")[0],
        attributes=_attributes((*(one for one in everywhere if one.is_of(shape.name)), *shape.attributes)),
        begins=shape.begins,
        begins_for={name: _months(lasts) for name, lasts in shape.begins_for.items()},
        ends=shape.ends,
        speaks_of=shape.speaks_of,
        connection=shape.connection,
        relation=shape.relation,
        control=shape.control,
        for_others=shape.for_others,
        registers_person=shape.registers_person,
        opens_matter=shape.opens_matter,
        closes_matter=shape.closes_matter,
        answered_by=frozenset(RoleName(one) for one in shape.answered_by),
        nobody=shape.nobody,
        longest=_months(shape.longest) if shape.longest else None,
        source=shape.source,
        verified=shape.verified,
    )


def _attributes(shapes: Iterable[AttributeShape]) -> Mapping[str, Attribute]:
    return {one.name: Attribute(name=one.name, values=frozenset(one.values), absent=one.absent) for one in shapes}


def _months(text: str) -> int:
    return int(text.partition("_")[0])


def _from(day: date | None) -> Millis | None:
    return None if day is None else instant(day)
