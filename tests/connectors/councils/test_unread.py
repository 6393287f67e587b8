"""What a return holds and nobody can read is not gone: what was told of it stands until it is read again."""

import pytest

from broker.core.model.event import Action
from tests.connectors.councils.cin_files import a_child, a_plan, an_episode, group
from tests.connectors.councils.test_snapshots import CALM, news, read_all, series

PLAN = a_plan(group("Reviews", CPPreviewDate="2025-09-20"), latest="PHY", CPPendDate="2025-12-01")
ASSESSMENT = group(
    "Assessments",
    group("FactorsIdentifiedAtAssessment", "<AssessmentFactors>16A</AssessmentFactors>"),
    AssessmentActualStartDate="2025-06-05",
    AssessmentAuthorisationDate="2025-07-10",
)
ENQUIRY = group("Section47", S47ActualStartDate="2025-06-06", InitialCPCtarget="2025-06-27", DateOfInitialCPC="2025-06-25")
CIN_PLAN = group("CINPlanDates", CINPlanStartDate="2025-08-01", CINPlanEndDate="2025-09-01")
EPISODE = an_episode(PLAN + ASSESSMENT + ENQUIRY + CIN_PLAN, CINclosureDate="2025-12-20", ReasonForClosure="RC7")
CHILD = a_child("A", EPISODE, PersonDeathDate="2025-12-22")


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("<CPPstartDate>2025-07-01", "<CPPstartDate>2025-06-31"),
        ("<CPPstartDate>2025-07-01", "<CPPstartDate>"),
        ("<CPPendDate>2025-12-01", "<CPPendDate>2025-13-01"),
        ("<CPPreviewDate>2025-09-20", "<CPPreviewDate>20/09/2025"),
        ("<LatestCategoryOfAbuse>PHY", "<LatestCategoryOfAbuse>not yet known"),
        ("<InitialCategoryOfAbuse>NEG", "<InitialCategoryOfAbuse>to follow"),
        ("<NumberOfPreviousCPP>0", "<NumberOfPreviousCPP>none"),
        ("<CINreferralDate>2025-06-02", "<CINreferralDate>02/06/2025"),
        ("<CINreferralDate>2025-06-02", "<CINreferralDate>"),
        ("<CINclosureDate>2025-12-20", "<CINclosureDate>2025-12-32"),
        ("<ReasonForClosure>RC7", "<ReasonForClosure>moved away"),
        ("<ReferralNFA>0", "<ReferralNFA>perhaps"),
        ("<ReferralSource>6", "<ReferralSource>the police"),
        ("<AssessmentActualStartDate>2025-06-05", "<AssessmentActualStartDate>June"),
        ("<AssessmentAuthorisationDate>2025-07-10", "<AssessmentAuthorisationDate>July"),
        ("<AssessmentFactors>16A", "<AssessmentFactors>neglect"),
        ("<S47ActualStartDate>2025-06-06", "<S47ActualStartDate>x"),
        ("<InitialCPCtarget>2025-06-27", "<InitialCPCtarget>x"),
        ("<DateOfInitialCPC>2025-06-25", "<DateOfInitialCPC>x"),
        ("<CINPlanStartDate>2025-08-01", "<CINPlanStartDate>x"),
        ("<CINPlanEndDate>2025-09-01", "<CINPlanEndDate>x"),
        ("<PersonDeathDate>2025-12-22", "<PersonDeathDate>x"),
        (ASSESSMENT, "<Assessments/>"),
        (PLAN, "<ChildProtectionPlans/>"),
    ],
)
def test_a_value_that_cannot_be_read_takes_nothing_back_and_corrects_nothing(good: str, bad: str) -> None:
    broken = CHILD.replace(good, bad)
    answers = read_all(*series([*CALM, CHILD], [*CALM, broken], [*CALM, CHILD]))

    assert broken != CHILD
    assert answers[1][0] == []
    assert {finding.severity for finding in answers[1][1]} & {"error", "warning"}
    assert answers[2] == ([], [])


def test_the_report_says_that_what_may_be_unread_stands() -> None:
    broken = a_child("A", an_episode(a_plan(start="2025-06-31")))
    findings = read_all(*series([*CALM, a_child("A", an_episode(a_plan()))], [*CALM, broken]))[1][1]

    assert [(one.rule, one.message) for one in findings][-1] == (
        "kept-unread",
        "of 1 child something told before may be what could not be read now: nothing of it is taken back",
    )


@pytest.mark.parametrize("lost", ["", "x" * 65])
def test_while_a_record_names_nobody_no_child_that_is_missing_is_taken_back(lost: str) -> None:
    before = [*CALM, a_child("A", EPISODE), a_child("B", an_episode())]
    after = [*CALM, a_child(lost, EPISODE)]
    answers = read_all(*series(before, after, [*CALM, a_child("A", EPISODE)]))
    events, findings = answers[1]

    assert events == []
    assert "kept-unread" in {finding.rule for finding in findings}
    assert "2 children" in next(finding.message for finding in findings if finding.rule == "kept-unread")
    assert [event.header.action for event in answers[2][0]] == [Action.RETRACT, Action.RETRACT]  # B is truly gone


def test_a_child_without_any_identifiers_is_named_and_takes_nothing_back() -> None:
    nameless = group("Child", EPISODE)
    events, findings = read_all(*series([*CALM, a_child("A", EPISODE)], [*CALM, nameless]))[1]

    assert events == []
    assert {finding.rule for finding in findings} == {"local-id-missing", "kept-unread"}


def test_what_is_gone_beside_what_cannot_be_read_is_taken_back() -> None:
    """The doubt is about plans: that the closure is gone was read well."""
    before = [*CALM, a_child("A", an_episode(a_plan(), CINclosureDate="2025-12-20", ReasonForClosure="RC7"))]
    after = [*CALM, a_child("A", an_episode(a_plan(start="soon")))]

    assert news(before, after) == [("RETRACT", "2026-01-11", "case.closed")]


def test_a_new_plan_beside_one_that_cannot_be_read_is_told_as_new() -> None:
    before = [*CALM, a_child("A", an_episode(a_plan()))]
    after = [*CALM, a_child("A", an_episode(a_plan(start="soon") + a_plan(start="2026-01-11")))]

    assert news(before, after) == [("NEW", "2026-01-11", "cp_plan.started")]


def test_a_new_plan_of_an_episode_without_a_readable_date_is_told_once() -> None:
    before = [*CALM, a_child("A", an_episode(a_plan()))]
    unread = [*CALM, a_child("A", an_episode(a_plan() + a_plan(start="2026-01-11"), referred="soon"))]
    mended = [*CALM, a_child("A", an_episode(a_plan() + a_plan(start="2026-01-11")))]

    assert news(before, unread) == [("NEW", "2026-01-11", "cp_plan.started")]
    assert news(before, unread, mended) == [("UPDATE", "2026-01-11", "cp_plan.started")]


@pytest.mark.parametrize("said", ["", "<ReferralNFA/>"])
def test_an_episode_that_does_not_say_what_followed_opens_a_case_with_a_finding(said: str) -> None:
    """The schema demands ReferralNFA; without it the child's own worker would sit nowhere, and nobody would know."""
    episode = an_episode().replace("<ReferralNFA>0</ReferralNFA>", said)
    closed = an_episode(CINclosureDate="2026-01-11", ReasonForClosure="RC7").replace("<ReferralNFA>0</ReferralNFA>", said)

    _, (opened, findings), (ended, _) = read_all(*series(CALM, [*CALM, a_child("A", episode)], [*CALM, a_child("A", closed)]))

    assert [event.header.event_type for event in opened] == ["council.referral.received", "council.case.opened"]
    assert [one.rule for one in findings] == ["no-action-not-said"]
    assert [event.header.event_type for event in ended] == ["council.case.closed"]
