"""The children in need census: single returns, the public samples and what is wrong in them."""

import gzip
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from broker.core.model.event import SubjectRole
from broker.errors import DeliveryError
from connectors.councils.cin_census import CinCensus
from connectors.councils.cin_codes import CODES
from tests.connectors import contract
from tests.connectors.contract import Case, MemoryInHand
from tests.connectors.councils.cin_files import a_child, a_plan, a_return, an_episode, group

ASSESSMENT = group(
    "Assessments",
    group("FactorsIdentifiedAtAssessment", "<AssessmentFactors>3A</AssessmentFactors><AssessmentFactors>16A</AssessmentFactors>"),
    AssessmentActualStartDate="2025-06-05",
    AssessmentAuthorisationDate="2025-07-10",
)
ENQUIRY = group(
    "Section47",
    S47ActualStartDate="2025-06-06",
    InitialCPCtarget="2025-06-27",
    DateOfInitialCPC="2025-06-25",
    ICPCnotRequired="0",
)
CIN_PLAN = group("CINPlanDates", CINPlanStartDate="2025-08-01", CINPlanEndDate="2025-09-01")
PLAN = a_plan(group("Reviews", CPPreviewDate="2025-09-20"), start="2025-06-25", CPPendDate="2025-12-01")
FULL = a_return(
    a_child(
        "Q-77",
        an_episode(ASSESSMENT + ENQUIRY + CIN_PLAN + PLAN, CINclosureDate="2025-12-20", ReasonForClosure="RC7"),
        UPN="A950000178301",
        UPNunknown="",
    ),
    a_child("Q-78", an_episode(referred="2025-10-01", ReferralSource="2A", ReferralNFA="1"), PersonBirthDate="2012-12-31"),
)
DAMAGED = FULL.replace(b"<LAchildID>Q-77</LAchildID>", b"<LAchildID></LAchildID>")
CASE = Case(
    CinCensus(), {"cin.xml": FULL}, {"cin.xml": DAMAGED}, 1, ("Q-77", "Q-78", "A950000178301", "2016-04-02", "2012-12-31")
)


def read(*returns: bytes, memory: MemoryInHand | None = None) -> tuple[Counter[str], Counter[str]]:
    """Event types and rules of the last of some returns, read one after the other."""
    kept = memory or MemoryInHand()
    for one in returns:
        events, findings = CASE.read({"cin.xml": one}, kept)
    return Counter(event.header.event_type for event in events), Counter(finding.rule for finding in findings)


@pytest.mark.parametrize("check", contract.CHECKS, ids=contract.name_of)
def test_it_keeps_the_contract(check: contract.Check) -> None:
    check(CASE)


def test_each_element_of_an_episode_becomes_its_event() -> None:
    events = CASE.read()[0]
    seen = [(event.header.event_type, event.header.occurred_at) for event in events]

    assert seen == [
        ("council.referral.received", "2025-06-02"),
        ("council.case.opened", "2025-06-02"),
        ("council.assessment.started", "2025-06-05"),
        ("council.s47.started", "2025-06-06"),
        ("council.icpc.held", "2025-06-25"),
        ("council.cp_plan.started", "2025-06-25"),
        ("council.assessment.authorised", "2025-07-10"),
        ("council.cin_plan.started", "2025-08-01"),
        ("council.cin_plan.ended", "2025-09-01"),
        ("council.cp_plan.reviewed", "2025-09-20"),
        ("council.cp_plan.ended", "2025-12-01"),
        ("council.case.closed", "2025-12-20"),
        ("council.referral.received", "2025-10-01"),  # the second child: no further action, so no case opens
    ]


def test_events_carry_what_the_census_says_and_no_more() -> None:
    by_type = {event.header.event_type: event for event in reversed(CASE.read()[0])}

    referral = by_type["council.referral.received"].body
    assert referral["identity"] == {
        "identifiers": [
            {"scheme": "la_child_id", "value": "Q-77", "issuer": "E10000099"},
            {"scheme": "upn", "value": "A950000178301", "check_ok": True},
        ],
        "birth_date": "2016-04-02",
        "sex": "F",
        "sex_as_recorded": "F",
    }
    assert referral["concern"] == {"referral_source": "6", "codes": [{"scheme": "cin-primary-need", "code": "N1"}]}
    assert referral["monitoring"] == {"ethnicity": "WBRI"}
    assert by_type["council.assessment.authorised"].body["concern"]["codes"] == [
        {"scheme": "cin-assessment-factor", "code": "3A", "present": True},
        {"scheme": "cin-assessment-factor", "code": "16A", "present": True, "abuse": "NEG"},
    ]
    assert by_type["council.cp_plan.started"].body["concern"]["category_of_abuse"] == "NEG"
    assert by_type["council.case.closed"].body["concern"] == {"reason": "RC7", "ends_on": "2025-12-20"}
    assert by_type["council.case.opened"].control == {
        "role": "social_care",
        "organisation": "la:E10000099",
        "state": "begun",
        "since": "2025-06-02",
    }


def test_an_unborn_child_has_an_expected_birth_date() -> None:
    file = a_return(a_child("U1", an_episode(), PersonBirthDate="", ExpectedPersonBirthDate="2026-11-01"))
    events, findings = CASE.read({"cin.xml": file})

    assert events[0].header.subject_role is SubjectRole.UNBORN
    assert events[0].body["identity"]["expected_birth_date"] == "2026-11-01"
    assert [finding.rule for finding in findings] == ["first-snapshot"]


@pytest.mark.parametrize(
    ("child", "rule", "why"),
    [
        (a_child("C", an_episode(), UPN="R247962919251", UPNunknown=""), "upn-check", "the check letter is wrong"),
        (a_child("C", an_episode(), UPN="A950000178301"), "upn-both", "a UPN and a reason for none"),
        (a_child("C", an_episode(), PersonBirthDate=""), "birth-date-missing", "no birth date at all"),
        (a_child("C", an_episode(), PersonBirthDate="2016-02-30"), "date-unreadable", "no such day"),
        (a_child("C", an_episode(), PersonBirthDate="20160230"), "date-unreadable", "not a date of XML Schema"),
        (
            a_child("C", an_episode(CINclosureDate="2026-12-24", ReasonForClosure="RC1")),
            "date-in-future",
            "after it was received",
        ),
        (a_child("C", an_episode(CINclosureDate="2024-12-24", ReasonForClosure="RC1")), "date-order", "closed before referred"),
        (a_child("C", an_episode(CINclosureDate="2025-12-24")), "closure-reason-missing", "closed for no reason"),
        (a_child("C", an_episode(), Sex="", GenderCurrent="2"), "sex-element-year", "GenderCurrent ended with 2024"),
        (a_child("C", an_episode(), Sex="2"), "sex-code", "Sex has letters"),
        (a_child("C", an_episode(ReferralSource="11")), "unknown-code", "no such source"),
        (a_child("C", an_episode()).replace("WBRI", "XXXX"), "unknown-code", "no such ethnicity"),
        (
            a_child("C", an_episode()).replace(
                "</Ethnicity>", "</Ethnicity><Disabilities><Disability>QQQ</Disability></Disabilities>"
            ),
            "unknown-code",
            "no such disability",
        ),
        (
            a_child("C", an_episode(group("PreProceedingsandFGDM", PPStartDate="2026-01-01"))),
            "element-unread",
            "an element of 2026 that no event carries",
        ),
        (a_child("C", an_episode(), group("Adoption", Date="2026-01-01")), "element-unread", "no element of the census"),
        (a_child("C", an_episode(ReferralNFA="false")), "yes-no-form", "the XSD has 0 and 1"),
        (a_child("C", an_episode(ReferralNFA="perhaps")), "yes-no-unreadable", "neither"),
        (a_child("C", an_episode(a_plan(), ReferralNFA="1")), "no-action-but-work", "a plan cannot follow no action"),
        (a_child("C", an_episode(referred="")), "referral-date-missing", "an episode needs its date"),
        (a_child("C", an_episode(a_plan(start="soon"))), "start-date-missing", "a plan needs its date"),
        (
            a_child(
                "C", an_episode(group("Assessments", "<FactorsIdentifiedAtAssessment/>", AssessmentActualStartDate="2025-07-01"))
            ),
            "factors-empty",
            "an empty list",
        ),
    ],
)
def test_what_is_wrong_is_found(child: str, rule: str, why: str) -> None:
    events, findings = CASE.read({"cin.xml": a_return(child, a_child("D", an_episode()))})

    assert rule in {finding.rule for finding in findings}, why
    assert {event.body["identity"]["identifiers"][0]["value"] for event in events} == {"C", "D"}


TYPES = {
    "ethnicitytype": "Ethnicity",
    "disabilitytype": "Disability",
    "referralsourcetype": "ReferralSource",
    "categoryofabusetype": "LatestCategoryOfAbuse",
    "primaryneedcodetype": "PrimaryNeedCode",
    "reasonforclosuretype": "ReasonForClosure",
    "unknownupntype": "UPNunknown",
    "assessmentfactorstype": "AssessmentFactors",
}


@pytest.mark.parametrize("year", [2022, 2025, 2026])
def test_every_code_of_the_published_schemas_is_known(samples: Path, year: int) -> None:
    schema = ET.parse(samples / f"councils/cin_census/schema/CIN_schema_{year}.xsd")
    xs = "{http://www.w3.org/2001/XMLSchema}"
    listed = {
        one.get("name"): {code.get("value") for code in one.iter(f"{xs}enumeration")} for one in schema.iter(f"{xs}simpleType")
    }

    assert not {name: unknown for name, element in TYPES.items() if (unknown := listed[name] - CODES[element])}


@pytest.mark.parametrize(
    ("factor", "abuse"),
    [
        ("11A", "SAB"), ("16A", "NEG"), ("17A", "EMO"), ("18A", "PHY"), ("18B", "PHY"), ("18C", "PHY"), ("19A", "SAB"),
        ("19B", "SAB"), ("19C", "SAB"), ("3A", None), ("8A", None), ("24A", None),
    ],
)  # fmt: skip
def test_a_factor_says_which_abuse_it_names(factor: str, abuse: str | None) -> None:
    """FORMATS 1.1: sexual exploitation is sexual abuse; being exploited for crime is a circumstance."""
    listed = group("FactorsIdentifiedAtAssessment", f"<AssessmentFactors>{factor}</AssessmentFactors>")
    work = group("Assessments", listed, AssessmentActualStartDate="2025-07-01")
    events, findings = CASE.read({"cin.xml": a_return(a_child("C", an_episode(work)))})
    (code,) = next(event for event in events if event.header.event_type.endswith("assessment.started")).body["concern"]["codes"]

    assert (code["code"], code.get("abuse")) == (factor, abuse)
    assert [finding.rule for finding in findings] == ["first-snapshot"]


@pytest.mark.parametrize(
    ("not_required", "said"),
    [
        ("1", {"decision": "initial child protection conference not required"}),
        ("0", {"next_step": "initial child protection conference due by 2025-06-27"}),
    ],
)
def test_an_enquiry_says_whether_a_conference_must_follow(not_required: str, said: dict[str, str]) -> None:
    work = group("Section47", S47ActualStartDate="2025-06-06", InitialCPCtarget="2025-06-27", ICPCnotRequired=not_required)
    events, _ = CASE.read({"cin.xml": a_return(a_child("C", an_episode(work)))})
    (enquiry,) = [event for event in events if event.header.event_type == "council.s47.started"]

    assert enquiry.body["concern"] == {"status": "s47", "starts_on": "2025-06-06", **said}


def test_a_return_written_in_the_future_counts_as_received() -> None:
    """Else every right return after it would be older than it."""
    memory = MemoryInHand()
    events, _ = CASE.read({"cin.xml": a_return(a_child("C", an_episode()), at="2026-12-24T09:00:00")}, memory)

    assert {event.header.recorded_at for event in events} == {contract.RECEIVED}
    assert read(a_return(a_child("C", an_episode()), at="2026-09-22T09:00:00"), memory=memory)[0].total() == 0


def test_a_file_in_one_line_names_the_child_that_is_wrong() -> None:
    good, bad = a_child("C", an_episode()), a_child("C", an_episode(ReferralSource="11"))
    one_line = a_return(good, bad.replace(">C<", ">D<"), good.replace(">C<", ">E<"), bad).replace(b"\n", b"")
    events, findings = CASE.read({"cin.xml": one_line})

    assert [one.place for one in findings if one.rule == "unknown-code"] == [
        "child 2, line 1: ReferralSource",
        "child 4, line 1: ReferralSource",
    ]
    assert {event.header.source.location for event in events} == {f"child {number}, line 1" for number in (1, 2, 3)}


def test_free_text_in_place_of_a_code_is_not_passed_on() -> None:
    events, _ = CASE.read({"cin.xml": a_return(a_child("C", an_episode(ReferralSource="Mrs Jones next door")))})

    assert "referral_source" not in events[0].body["concern"]


def test_a_namespace_other_order_comments_and_stray_text_do_not_matter() -> None:
    odd = FULL.replace(b"<Message>", b'<Message xmlns="urn:other">').replace(b"<LAchildID>", b"stray <!-- note --><LAchildID>")

    assert read(odd)[0] == read(FULL)[0]


def test_utf_16_is_read_by_its_mark() -> None:
    assert read(FULL.decode().encode("utf-16"))[0] == read(FULL)[0]


@pytest.mark.parametrize(
    ("content", "words", "why"),
    [
        (b"", "empty", "nothing in it"),
        (FULL[:900], "breaks off", "cut in the middle"),
        (FULL.replace(b"Caseload", b"Case\xe9"), "encoding", "Latin letters in UTF-8"),
        (gzip.compress(FULL), "gzip", "compressed"),
        (b"PK\x03\x04" + FULL, "zip", "an archive"),
        (b"child,dob\n1,2016-04-02\n", "not well-formed XML", "a CSV file"),
        (b"<EXPSSDA903><CHILD/></EXPSSDA903>", "no census return", "the other return"),
        (FULL.replace(b"<Collection>CIN", b"<Collection>SC"), "another return", "a school census"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]>' + FULL, "document type", "the way of entity bombs"),
        (b"<Message><Children/></Message>", "collection year", "no header"),
    ],
)
def test_a_file_that_is_no_census_is_refused_in_words(content: bytes, words: str, why: str) -> None:
    with pytest.raises(DeliveryError, match=words):
        CASE.read({"cin.xml": content})


def test_a_file_that_is_nested_too_deep_is_refused_in_words() -> None:
    deep = FULL.replace(b"</ChildIdentifiers>", b"<x>" * 300 + b"</x>" * 300 + b"</ChildIdentifiers>")

    with pytest.raises(DeliveryError, match="not well-formed XML: line"):
        read(deep)


@pytest.mark.parametrize("written", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1970-01-01T00:00:00"])
def test_a_time_of_export_that_cannot_be_is_a_finding(written: str) -> None:
    events, rules = read(re.sub(rb"<DateTime>[^<]*", b"<DateTime>" + written.encode(), FULL))

    assert events.total() == read(FULL)[0].total()
    assert rules["written-missing"] == 1


def test_an_entity_bomb_does_no_harm() -> None:
    bomb = b'<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY a%d "%s">' % (level, b"&a%d;" % (level - 1) * 10 if level else b"&a;" * 10) for level in range(12)
    )

    with pytest.raises(DeliveryError, match="document type"):
        CASE.read({"cin.xml": bomb + b"]><Message>&a11;</Message>"})


# --- the public samples: counted by ElementTree here, or by hand in comments ---------------------------------------


def test_sample_of_one_child_by_hand(samples: Path) -> None:
    # One child, one episode: referral with further action (so a case opens), one assessment with both dates, a plan for a
    # child in need with both dates, one enquiry, two conference dates (1970-02-06 and 1970-02-11), one protection plan with
    # start, one review, end and the same category twice; closed; died.
    events, findings = read((samples / "councils/cin_census/BAR_cin_2022.xml").read_bytes())

    assert events == {
        "council.referral.received": 1,
        "council.case.opened": 1,
        "council.assessment.started": 1,
        "council.assessment.authorised": 1,
        "council.cin_plan.started": 1,
        "council.cin_plan.ended": 1,
        "council.s47.started": 1,
        "council.icpc.held": 2,
        "council.cp_plan.started": 1,
        "council.cp_plan.reviewed": 1,
        "council.cp_plan.ended": 1,
        "council.case.closed": 1,
        "council.child.died": 1,
    }
    # Both UPNs fail, one stands beside UN3; false for 0 (said once); the protection plan began before the referral.
    assert findings == {"first-snapshot": 1, "upn-check": 2, "upn-both": 1, "yes-no-form": 1, "date-order": 1}


def test_sample_with_deliberate_faults_by_hand(samples: Path) -> None:
    # First child as above without death; second child: referral, an assessment begun in 2028, closure.
    events, findings = read((samples / "councils/cin_census/CIN_Census_2024.xml").read_bytes())

    assert events == {
        "council.referral.received": 2,
        "council.case.opened": 2,
        "council.assessment.started": 1,
        "council.assessment.authorised": 1,
        "council.cin_plan.started": 1,
        "council.cin_plan.ended": 1,
        "council.s47.started": 1,
        "council.icpc.held": 2,  # 2022-12-06 in the episode, 2022-06-17 in the enquiry
        "council.cp_plan.started": 1,
        "council.cp_plan.reviewed": 1,
        "council.cp_plan.ended": 1,
        "council.case.closed": 2,
    }
    # Year 2023 with a reference date in 2024; Sex in a 2023 return (once) with code 1; factor RB; an assessment that
    # begins in 2028, of which nothing more is read; a protection plan before its referral; no factors; false for 0 (once).
    assert findings == {
        "first-snapshot": 1,
        "year-reference-date": 1,
        "upn-check": 2,
        "upn-both": 1,
        "sex-element-year": 1,
        "sex-code": 1,
        "date-in-future": 1,
        "date-order": 1,
        "factors-empty": 1,
        "yes-no-form": 1,
    }


def test_large_sample_by_an_independent_count(samples: Path) -> None:
    path = samples / "councils/cin_census/fake_CIN_data.xml"
    root = ET.parse(path).getroot()
    upns = [element.text or "" for element in root.iter("UPN")]
    wrong = [upn for upn in upns if "ABCDEFGHJKLMNPQRTUVWXYZ"[sum(int(upn[at]) * (at + 1) for at in range(1, 13)) % 23] != upn[0]]
    events, findings = read(path.read_bytes())

    def come(name: str, *, so_far: bool = True) -> int:
        return sum(((element.text or "") <= "2026-09-21") is so_far for element in root.iter(name))

    assert events == {
        "council.referral.received": len(list(root.iter("CINdetails"))),
        "council.icpc.held": come("DateOfInitialCPC"),
        "council.case.closed": come("CINclosureDate"),
        "council.child.died": come("PersonDeathDate"),
    }
    orders = sum(
        (episode.findtext("CINclosureDate") or "9999") < (episode.findtext("CINreferralDate") or "")
        for episode in root.iter("CINdetails")
    ) + sum(
        (one.findtext("PersonDeathDate") or "9999") < (one.findtext("PersonBirthDate") or "")
        for one in root.iter("ChildIdentifiers")
    )
    expected = {"first-snapshot": 1, "yes-no-form": 1, "upn-check": len(wrong), "date-order": orders}
    planned = ("DateOfInitialCPC", "CINclosureDate", "PersonDeathDate")
    expected |= {"date-in-future": sum(come(name, so_far=False) for name in planned)}
    expected |= {"referral-date-in-future": come("CINreferralDate", so_far=False)}
    assert findings == {rule: count for rule, count in expected.items() if count}
