"""Runs cases against a policy: plays each event in the cases' small area and compares what comes of it.

A case is exhaustive: whoever is told or asked about and is not in it is a failure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from broker.core.deciding.conditions import ORIGINATOR
from broker.core.deciding.decide import decide, heard_by
from broker.core.line.apply import apply_event
from broker.core.model.event import Action, Assertion, Event, Header, SharingMode, Source, SubjectRole
from broker.core.model.facts import Agreement, Connection, Facts, Finding, Protection, Status
from broker.core.model.identifiers import ChildRef, EventId, Millis, RecipientId, RoleName
from broker.core.model.policy import Cut, Policy
from broker.core.model.registers import Registers
from broker.core.model.verdict import Decision, Outcome, Verdict, Voice
from broker.policyfile.building import EVERYTHING, categories, instant
from broker.policyfile.case_shapes import AskedAbout, Case, NotTold, Placed, Told
from broker.policyfile.reading import Fault
from broker.policyfile.world import AREAS, PLACES, SPEAKERS, agency_of, registers_for, sector_of

_LONG_AGO = Millis(0)
_OF_CHILD = EventId("before")
_THIS = EventId("event")


def run_cases(policy: Policy, cases: Sequence[Placed], registers: Registers | None = None) -> tuple[list[Fault], set[str]]:
    """Run cases, in registers that hold every role of the policy; return how they fail, and the rules that spoke in them."""
    registers = registers or registers_for(policy)
    faults: list[Fault] = []
    spoke: set[str] = set()
    for placed in cases:
        if not placed.whole:
            continue
        event, facts, at = _played(placed.case, policy)
        verdict = decide(event, facts, policy, registers, at)
        unsought = {one.role: _kept_from(one.role, event, facts, policy, registers) for one in placed.case.not_sought}
        spoke |= {reason.rule for decision in verdict.decisions for reason in decision.reasons}
        spoke |= {rule for gap in verdict.gaps for rule in gap.rules} | {rule for rules in unsought.values() for rule in rules}
        differences = (*_differences(placed.case, verdict, policy), *_sought(placed.case, verdict, unsought))
        faults += [Fault(placed.file, placed.line, placed.case.name, what, fix) for what, fix in differences]
    return faults, spoke


def _played(case: Case, policy: Policy) -> tuple[Event, Facts, Millis]:
    at = Millis(instant(case.on) + 12 * 3600 * 1000)
    event = _event(case, at)
    return event, apply_event(_facts(case, at), event, at, policy), at


def _kept_from(role: str, event: Event, facts: Facts, policy: Policy, registers: Registers) -> set[str]:
    """Return the rules that would keep the event from whoever filled a role."""
    desk = next((one.id for one in registers.recipients.values() if RoleName(role) in one.roles), "")
    said = heard_by(event, facts, desk, policy, registers)
    return _rules(said, Voice.WITHHOLDS) - {"nothing-matches"} if said and said.outcome is Outcome.WITHHOLD else set()


def _sought(case: Case, verdict: Verdict, unsought: Mapping[str, set[str]]) -> Iterator[tuple[str, str]]:
    filled = {role for decision in verdict.decisions for role in decision.roles}
    for one in case.not_sought:
        if one.role in filled:
            yield f"somebody fills the role `{one.role}`", "say in `not_told` why nobody there is told"
        elif unsought[one.role] != set(one.because):
            yield f"in the role `{one.role}` `because` is {_list(unsought[one.role])}", f"the case says {_list(one.because)}"


def _publisher(case: Case) -> str:
    return case.publisher or SPEAKERS.get(case.event.partition(".")[0], "home")


def _event(case: Case, at: Millis) -> Event:
    publisher = _publisher(case)
    header = Header(
        event_id=_THIS,
        event_type=case.event,
        action=Action(case.action.upper()),
        supersedes=EventId("earlier") if case.action != "new" else None,
        producer=agency_of(publisher),
        sector=sector_of(publisher),
        area=AREAS[case.area] if case.area else None,
        occurred_at=datetime.fromtimestamp(at / 1000, UTC).date().isoformat(),
        recorded_at=at,
        source=Source(system="cases", format="cases", format_version="", native_digest="", location=""),
        purpose=case.purpose,
        subject_role=SubjectRole(case.subject_role.upper()),
        assertion=Assertion(case.assertion.upper()),
        sharing_mode=SharingMode(case.sharing_mode.upper()),
        excluded=tuple(RecipientId(one) for one in case.excluded),
        expires_at=Millis(at - 1) if case.expired else None,
        attributes=case.attributes,
    )
    return Event(header, {})


def _facts(case: Case, at: Millis) -> Facts:
    child = case.child
    ties = [*(("school", one) for one in child.school), *(("gp", one) for one in child.gp), *child.ties.items()]
    connections = [*_ties(ties, None), *_ties(child.ended_now.items(), at)]
    return Facts(
        child_ref=ChildRef("child"),
        birth_date=None if child.age is None or not child.born else f"{case.on.year - child.age}-01-15",
        home_area=AREAS.get(child.area),
        connections=tuple(connections),
        statuses=tuple(
            Status(name=name, since=_LONG_AGO, organisation=PLACES[by], event_id=_OF_CHILD) for name, by in child.status.items()
        ),
        protections=tuple(Protection(kind=one, since=_LONG_AGO, by="home", event_id=_OF_CHILD) for one in child.protection),
        findings=tuple(
            Finding(
                kind=one.kind,
                by_role=one.by,
                since=_LONG_AGO,
                lapsed=one.lapsed,
                recipients=frozenset(one.to),
                event_id=_OF_CHILD,
                producer=agency_of(_publisher(case)) if one.by == ORIGINATOR else "",
                concerns=_THIS if one.by == ORIGINATOR else "",
            )
            for one in child.finding
        ),
        agreements=tuple(
            Agreement(
                kind=kind,
                state=one.state,
                since=_LONG_AGO,
                recipients=frozenset(one.to),
                categories=frozenset(one.about),
                event_id=_OF_CHILD,
            )
            for kind, one in child.agreement.items()
        ),
        wishes=child.wish,
        referrers={"open": PLACES[child.referrer]} if child.referrer else {},
        cancelled=frozenset({_THIS}) if child.retracted else frozenset(),
        holds=frozenset({_OF_CHILD}) if child.on_hold else frozenset(),
    )


def _ties(ties: Iterable[tuple[str, str]], until: Millis | None) -> Iterator[Connection]:
    for relation, place in ties:
        yield Connection(relation=relation, organisation=PLACES[place], since=_LONG_AGO, until=until, event_id=_OF_CHILD)


def _differences(case: Case, verdict: Verdict, policy: Policy) -> Iterator[tuple[str, str]]:
    """Say how a verdict differs from its case, and what to look at."""
    found = {one.recipient: one for one in verdict.decisions}
    listed = {one.who for one in case.told}
    asked = {one.who for one in case.asked}
    for decision in verdict.decisions:
        who = decision.recipient
        if decision.outcome is Outcome.DISCLOSE and who not in listed:
            yield f"`{who}` is told {_list(decision.granted)} by {_list(decision.rules)}", "the case does not say so"
        if decision.asked and who not in asked:
            yield f"somebody is asked whether `{who}` may know {_list(decision.asked)}", "the case does not say so"
    expected: tuple[Told | NotTold | AskedAbout, ...] = (*case.told, *case.not_told, *case.asked)
    for one in expected:
        decision_of = found.get(RecipientId(one.who))
        if decision_of is None:
            yield f"`{one.who}` is not even a possible recipient", "look at who fills the role, and at the rules' `to`"
        else:
            yield from _compared(one, decision_of, policy)
    gaps = tuple(gap.role for gap in verdict.gaps)
    if set(gaps) != set(case.gaps):
        yield f"the hub hears of gaps in {_list(gaps)}", f"the case says {_list(case.gaps)}"


def _compared(expected: Told | NotTold | AskedAbout, decision: Decision, policy: Policy) -> Iterator[tuple[str, str]]:
    withheld = _rules(decision, Voice.WITHHOLDS) - {"nothing-matches"}
    pairs: list[tuple[str, object, object]]
    if isinstance(expected, NotTold):
        pairs = [
            ("outcome", Outcome.WITHHOLD, decision.outcome),
            ("because", set(expected.because), withheld or {"nothing-matches"}),
        ]
    elif isinstance(expected, AskedAbout):
        pairs = [
            ("about", _named(expected.about), set(decision.asked)),
            ("of", expected.of, decision.asked_of),
            ("because", set(expected.because), _rules(decision, Voice.ASKS)),
        ]
    else:
        pairs = [
            ("gets", _named(expected.gets), set(decision.granted)),
            ("because", set(expected.because), set(decision.rules)),
            ("held_back_by", set(expected.held_back_by), withheld),
            ("short", set(expected.short), set(decision.short)),
            ("without", set(expected.without), {*decision.cuts} - {Cut.PUPIL_NUMBER}),
            ("by_agreement", _named(expected.by_agreement), set(decision.agreed)),
            ("clock", expected.clock, decision.clock),
            *_of_law(expected, decision, policy),
        ]
        if expected.keeps_to is not None:
            kept = {name for name, says in policy.obligations.items() if says in decision.obligations}
            pairs.append(("keeps_to", set(expected.keeps_to), kept))
    for what, wanted, got in pairs:
        if wanted != got:
            yield f"`{expected.who}`: `{what}` is {_list(got)}", f"the case says {_list(wanted)}"


def _of_law(expected: Told, decision: Decision, policy: Policy) -> Iterator[tuple[str, object, object]]:
    """Compare the law on which it stands, of a case that says any of it: where it names no gateway, it is that of the ladder."""
    if expected.basis is None and expected.gateway is None and not expected.statutory:
        return
    basis = expected.basis or decision.lawful_basis
    ladder = policy.bases.get(basis or "")
    yield "basis", basis, decision.lawful_basis
    yield "gateway", expected.gateway or (ladder.gateway if ladder else None), decision.gateway
    yield "statutory", str(expected.statutory).lower(), str(decision.statutory).lower()


def _rules(decision: Decision, voice: Voice) -> set[str]:
    return {str(reason.rule) for reason in decision.reasons if reason.voice is voice}


def _named(names: Iterable[str]) -> set[Any]:
    given = tuple(names)
    return set(categories(given)) if EVERYTHING in given else set(given)


def _list(names: object) -> str:
    if names is None or names == "":
        return "none"
    if isinstance(names, str):
        return f"`{names}`"
    return ", ".join(f"`{one}`" for one in sorted(map(str, names))) or "none" if isinstance(names, Iterable) else str(names)
