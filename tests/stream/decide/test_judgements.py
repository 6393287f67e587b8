"""Findings and their review dates (R3, s.16LA), on the shipped rules: who is asked, and what stays back until they answer."""

from dataclasses import replace

import pytest

from broker.core.model.dates import instant_of, months_later
from broker.core.model.event import Control, Event
from broker.core.model.identifiers import KeyId, RecipientId
from broker.errors import NotPermittedError
from broker.stream.decide.facts_record import request_from_bytes
from broker.stream.decide.replay import findings_read
from tests.stream.england import DSL, FORCE, HOME, HUB, NOTICE, SCHOOL, TEAM, england, extract_row, says, tie
from tests.stream.lines import CHILD, SECRETS, ALine, its_key

REVIEWED = "2026-10-01"
REVIEW_AT = instant_of(REVIEWED) or 0


def found(by_role: str = "social_worker", *, keeps_from: str = "dsl", until: str = REVIEWED, state: str = "made") -> Event:
    control = Control(
        kind="detriment", state=state, by_role=by_role, reason="he works there", until=until, recipients=[keeps_from]
    )
    return says(HOME, "control.finding", control)


def a_line(*events: Event) -> ALine:
    """A child on roll, and every desk that may be asked with its key."""
    policy, registers = england()
    keys = {KeyId(key.id): key for key in map(its_key, (HUB, TEAM, DSL, HOME))}
    line = ALine(policy, registers=replace(registers, keys=keys))
    home = says(HOME, "council.person.registered", tie("home_area", f"la:{HOME}"))
    return line.take(home, says(SCHOOL, "school.pupil.registered", tie("school", SCHOOL)), *events)


def asked(line: ALine) -> list[tuple[str, str, str]]:
    about_findings = (one for one in line.reviews() if one["state"] == "OPEN" and one["event_type"] == "control.finding")
    return [(one["kind"], one["for_recipient"], one["event_type"]) for one in about_findings]


def hears(line: ALine, sequence: int) -> bool:
    """Whether the school hears of another incident."""
    before = len(line.disclosures(DSL))
    return len(line.take(says(FORCE, NOTICE, sequence=sequence)).disclosures(DSL)) > before


def test_on_its_review_date_who_made_a_finding_is_asked_and_until_then_nothing_goes() -> None:
    line = a_line(found())
    line.ring(REVIEW_AT - 1)
    assert asked(line) == []
    assert not hears(line, 1)

    line.ring(REVIEW_AT)
    assert asked(line) == [("ASK", TEAM, "control.finding")]
    assert [one.lapsed for one in line.facts().findings] == [True]
    assert not hears(line, 2), "in question is not over: what it keeps back stays back"
    line.ring(REVIEW_AT + 1000)
    assert len(asked(line)) == 1, "asked once"


def test_a_finding_that_still_holds_is_asked_about_again_after_as_long() -> None:
    line = a_line(found())
    line.ring(REVIEW_AT)
    line.resolve(line.reviews()[0], "LINK")
    (again,) = line.facts().findings

    assert (again.lapsed, (again.until or 0) > REVIEW_AT) == (False, True)
    assert not hears(line, 1)
    line.ring(again.until or 0)
    first, second = (one["review_id"] for one in line.reviews() if (one["state"], one["kind"]) == ("OPEN", "ASK"))
    assert first != second


@pytest.mark.parametrize("until", ["2020-01-01", "9998-12-31"])
def test_a_finding_is_renewed_for_a_day_at_least_and_to_the_last_date_at_most(until: str) -> None:
    line = a_line(found(until=until))
    line.ring(instant_of(until) or 0)
    line.resolve(line.reviews()[0], "LINK")
    (again,) = line.facts().findings

    assert (again.until or 0) - again.since >= 24 * 3600 * 1000 or (again.until or 0) == instant_of("9999-01-01")
    assert line.ring(again.until or 0), "it is asked about again"


def test_a_finding_that_holds_no_more_keeps_nothing_back() -> None:
    line = a_line(found())
    line.ring(REVIEW_AT)
    line.resolve(line.reviews()[0], "REJECT")

    assert line.facts().findings == ()
    assert line.reviews()[-1]["state"] == "RESOLVED"
    assert hears(line, 1)


@pytest.mark.parametrize("until", ["2126-01-01", None], ids=["for a hundred years", "without a date"])
@pytest.mark.parametrize(("kind", "state"), [("significant_harm", [True]), ("originator_release", [])])
def test_no_finding_holds_longer_than_its_kind_may(kind: str, state: list[bool], until: str | None) -> None:
    """R3: whoever makes one keeps nothing back for ever, nor lets anything go; what happened is said in the audit."""
    release = kind == "originator_release"
    control = Control(kind=kind, state="made", by_role="originator" if release else "social_worker")
    if until is not None:
        control["until"] = until
    if release:
        control |= Control(recipients=["hub"], concerns_event="e1")
    line = a_line(says(HOME, "control.finding", control))
    (made,) = line.facts().findings

    assert made.until == months_later(made.since, 12)
    assert "it holds for 12 months, which is the longest for" in line.audits()[-1]["others"]
    line.ring(made.until)
    assert [one.lapsed for one in line.facts().findings if one.lapsed] == state


def test_a_finding_within_the_longest_of_its_kind_holds_until_it_says() -> None:
    line = a_line(found())

    assert [one.until for one in line.facts().findings] == [REVIEW_AT]
    assert "longest" not in line.audits()[-1]["others"]


def test_a_finding_is_never_renewed_for_longer_than_its_kind_may_hold_now() -> None:
    """The policy may have become stricter since it was made."""
    policy, _ = england()
    strict = replace(policy.findings["detriment"], longest=2)
    line = a_line(found(until="2027-06-01"))
    line.ring(instant_of("2027-06-01") or 0)
    line.stage.releases.policies[policy.digest] = replace(policy, findings={**policy.findings, "detriment": strict}, memo={})
    line.resolve(line.reviews()[0], "LINK")
    (again,) = line.facts().findings

    assert again.until == months_later(again.since, 2)


@pytest.mark.parametrize("by", [HUB, DSL])
def test_nobody_but_who_was_asked_says_whether_a_finding_holds(by: str) -> None:
    line = a_line(found())
    line.ring(REVIEW_AT)

    with pytest.raises(NotPermittedError, match="was not asked"):
        line.resolve(line.reviews()[0], "REJECT", by=by)


@pytest.mark.parametrize(
    ("by_role", "keeps_from", "who"),
    [("team_manager", "dsl", HUB), ("team_manager", "hub", HOME), ("team_manager", HUB, HOME), ("social_worker", TEAM, HUB)],
    ids=["no such desk", "kept from the hub's role", "kept from the hub", "kept from that desk"],
)
def test_whom_a_finding_keeps_something_from_is_never_asked_about_it(by_role: str, keeps_from: str, who: str) -> None:
    line = a_line(found(by_role, keeps_from=keeps_from))
    line.ring(REVIEW_AT)

    assert asked(line) == [("ASK", who, "control.finding")]


def test_who_is_excluded_after_it_was_asked_about_a_finding_is_asked_no_more() -> None:
    """Nor is the hub, where the finding keeps something from it."""
    line = a_line(found(keeps_from="hub"))
    line.ring(REVIEW_AT)
    line.take(says(HOME, "control.exclusion", excluded=(RecipientId(TEAM),)))

    assert asked(line)[-1] == ("ASK", HOME, "control.finding")
    with pytest.raises(NotPermittedError, match="was not asked"):
        line.resolve(line.reviews()[0], "REJECT", by=TEAM)


def test_a_finding_that_was_withdrawn_asks_nobody() -> None:
    line = a_line(found(), found(state="withdrawn"))
    line.ring(REVIEW_AT)

    assert asked(line) == []
    assert hears(line, 1)


def test_a_finding_that_ends_by_itself_asks_nobody() -> None:
    """A release of intelligence holds as long as it says: nothing stays back that was not back before."""
    release = Control(
        kind="originator_release", state="made", by_role="originator", until=REVIEWED, recipients=["hub"], concerns_event="e1"
    )
    line = a_line(says(FORCE, "control.finding", release))
    line.ring(REVIEW_AT)

    assert asked(line) == []


def test_a_question_about_a_finding_is_answered_on_the_line_of_the_child_that_it_became() -> None:
    line = a_line().take(extract_row(HOME), found(), child="c-loser")
    line.ring(REVIEW_AT)
    line.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")
    line.ring(REVIEW_AT + 60_000)

    (question,) = line.reviews()
    assert [one.lapsed for one in line.facts().findings] == [True], "what it keeps back stays back"
    line.resolve(question, "REJECT")
    assert line.facts().findings == ()
    assert [(one["state"], one["child_ref"]) for one in line.reviews()] == [("OPEN", "c-loser"), ("RESOLVED", CHILD)]


def test_why_it_was_found_by_whom_and_until_when_is_in_every_audit_entry_that_used_it() -> None:
    line = a_line(found(), says(FORCE, NOTICE))
    entry = line.audits()[-1]
    request, _ = request_from_bytes(SECRETS.open(entry["child_ref"], b"audit/request", entry["request"]))

    assert [(one.by_role, one.reason, one.until) for one in request.facts.findings] == [
        ("social_worker", "he works there", REVIEW_AT)
    ]
    assert findings_read(entry, SECRETS) == request.facts.findings
    assert findings_read({**entry, "decisions": []}, SECRETS) == (), "it kept nothing back"
    assert findings_read(line.audits()[-2], SECRETS) == request.facts.findings, "the entry of the finding itself"
    assert findings_read({**entry, "request": b"erased"}, SECRETS) == ()
    in_clear = [value for name, value in entry.items() if name != "request"]
    assert "he works there" not in repr((in_clear, line.reviews(), line.disclosures()))
