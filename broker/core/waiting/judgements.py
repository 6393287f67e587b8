"""Findings that people made, and their review dates: on that day who made one is asked whether it still holds (R3, s.16LA).

Until somebody answers it is in question: what it keeps back stays back. Why it was found, in which role and until when stands
with it in the facts, and so in every audit entry that read them.
"""

from dataclasses import replace
from datetime import UTC, datetime

from broker.core.agencies.asking import hub_asked
from broker.core.agencies.exclusions import doubted_for, excluded_for
from broker.core.agencies.roles import organisation_of, stand_in
from broker.core.model.dates import LATEST, months_later
from broker.core.model.event import Control, Event, Header, Sector, Source
from broker.core.model.facts import Facts, Finding
from broker.core.model.identifiers import AgencyId, DisclosureId, Millis, RecipientId, RoleName
from broker.core.model.policy import FindingKind, Policy
from broker.core.model.question import Question
from broker.core.model.registers import Registers
from broker.core.model.rules import Rules
from broker.core.model.turn import APPLIED, Turn
from broker.core.waiting.clocks import Clock, clock_id

REVIEW = "finding_review"
FINDING_TYPE = "control.finding"
_SOURCE = Source(system="safeguarding-broker", format="finding", format_version="1", native_digest="", location="")
_DAY = 24 * 3600 * 1000  # the shortest that one is renewed for
_GONE = "the finding was withdrawn or reviewed before"
_WHY = "the review date of a finding has passed: does it still hold? Until you answer, what it keeps back stays back"


def review_clocks(before: Facts, after: Facts, policy: Policy) -> tuple[Clock, ...]:
    """Return a clock for each finding that came, or was renewed, and is unknown again after its review date."""
    if before.findings is after.findings:
        return ()
    known = {(one.event_id, one.until) for one in before.findings if not one.lapsed}
    new = (one for one in after.findings if one.until is not None and not one.lapsed and (one.event_id, one.until) not in known)
    return tuple(_clock(one) for one in new if one.kind in policy.findings and policy.findings[one.kind].on_lapse == "asks")


def lapse(facts: Facts, wanted: str, rules: Rules) -> tuple[Turn, Event | None]:
    """Let a finding lapse whose review date has come, and ask who made it; one that is gone or renewed asks nobody."""
    found = next((one for one in facts.findings if _clock_id(one) == wanted and not one.lapsed), None)
    if found is None or found.until is None or found.until > facts.at:
        return Turn(outcome=APPLIED, facts=facts, others=_GONE), None
    asked = _asked(found, facts, rules.registers)
    question = Question(kind="ASK", for_recipient=asked, about=f"{found.event_id}/{found.until}", why=_WHY)
    findings = tuple(replace(one, lapsed=True) if one == found else one for one in facts.findings)
    others = f"the review date of a finding passed: `{asked}` is asked whether it holds; what it keeps back stays back"
    turn = Turn(outcome=APPLIED, facts=replace(facts, findings=findings), others=others, questions=(question,))
    return replace(turn, concerns=(found.event_id,)), event_of(found, rules.registers)


def bounded(kind: FindingKind | None, until: Millis | None, at: Millis) -> Millis | None:
    """Return until when a finding holds that is made, or renewed, at an instant: never longer than its kind may (R3).

    One that says no date holds as long as that: whoever makes a finding keeps nothing back for ever.
    """
    last = months_later(at, kind.longest) if kind is not None and kind.longest is not None else until
    return last if until is None or last is None else min(until, last)


def is_judgement(header: Header, about: str) -> bool:
    """Tell whether a question is about a finding itself: its event, and the review date that passed."""
    return header.event_type == FINDING_TYPE and about.startswith(f"{header.event_id}/")


def judged(facts: Facts, event: Event, policy: Policy, *, holds: bool) -> Turn:
    """Let a finding hold for as long again as its kind may, or no more, as who made it says now."""
    name = event.header.event_id
    if all(one.event_id != name for one in facts.findings):
        return Turn(outcome=APPLIED, facts=facts, others=_GONE, concerns=(name,))
    if holds:
        findings = tuple(_renewed(one, facts.at, policy) if one.event_id == name else one for one in facts.findings)
        others = "the finding holds for as long again, says who was asked"
    else:
        findings = tuple(one for one in facts.findings if one.event_id != name)
        others = "the finding holds no more, says who was asked"
    return Turn(outcome=APPLIED, facts=replace(facts, findings=findings), others=others, concerns=(name,))


def put_to_another(question: Question, event: Event, facts: Facts, rules: Rules) -> Question:
    """Put the question of a finding to whoever is asked now that somebody is excluded."""
    found = next((one for one in facts.findings if one.event_id == event.header.event_id), None)
    asked = _asked(found, facts, rules.registers) if found else RecipientId(event.header.producer)
    return replace(question, for_recipient=asked)


def event_of(finding: Finding, registers: Registers) -> Event:
    """Return a finding as an event that says no more than it: for whoever is asked about it."""
    agency = registers.agencies.get(AgencyId(finding.producer))
    control = Control(kind=finding.kind, by_role=finding.by_role, state="made", reason=finding.reason or None)
    if finding.recipients:
        control["recipients"] = sorted(finding.recipients)
    if finding.until is not None:
        control["until"] = datetime.fromtimestamp(finding.until / 1000, UTC).isoformat()
    header = Header(
        event_id=finding.event_id,
        event_type=FINDING_TYPE,
        producer=AgencyId(finding.producer),
        sector=agency.sector if agency else Sector.COUNCILS,
        recorded_at=finding.since,
        source=_SOURCE,
    )
    return Event(header, {}, control)


def _renewed(finding: Finding, at: Millis, policy: Policy) -> Finding:
    span = max((finding.until or at) - finding.since, _DAY)
    until = bounded(policy.findings.get(finding.kind), Millis(min(at + span, LATEST)), at)
    return replace(finding, lapsed=False, since=at, until=until)


def _asked(finding: Finding, facts: Facts, registers: Registers) -> RecipientId:
    """Find who is asked: that role at its agency, else the child's hub, else the agency; never who may not hear of the child."""
    agency = AgencyId(finding.producer)
    passed = excluded_for(facts) | doubted_for(facts)
    desks = registers.filling(RoleName(finding.by_role), organisation_of(agency)) if agency else ()
    hub = hub_asked(event_of(finding, registers).header, facts, registers)
    in_turn = [told for one in desks if (told := stand_in(one, passed, registers))]
    in_turn += [hub] if hub and hub not in passed and finding.recipients.isdisjoint({hub, "hub"}) else []
    meant = (one for one in in_turn if one not in finding.recipients)
    return next(meant, RecipientId(agency))


def _clock(finding: Finding) -> Clock:
    return Clock(
        clock_id=_clock_id(finding),
        name=REVIEW,
        event_id=finding.event_id,
        event_type=FINDING_TYPE,
        disclosure_id=DisclosureId(finding.event_id),
        recipient=RecipientId(""),
        role=RoleName(finding.by_role),
        started_at=finding.since,
        due_at=finding.until or finding.since,
    )


def _clock_id(finding: Finding) -> str:
    return clock_id(DisclosureId(finding.event_id), REVIEW)
