"""Operation Encompass notices, in and out, in the text form that the module documents."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.intake.delivery import Finding
from broker.core.intake.publishing import InForce, refusals_of
from broker.core.model.event import Action, Event, ToldFamily
from broker.errors import CutOffError, DeliveryError
from connectors.police.encompass_notice import EncompassNotice
from tests.connectors import contract
from tests.connectors.contract import RECEIVED, Case, MemoryInHand

NOTICE = """OPERATION ENCOMPASS NOTICE
Police reference: 99/0001/26
Incident: 2026-09-20 21:40
Place: the family's flat
Child first name: Ottilie
Child surname: Quill
Date of birth: 2016-04-02
Sex: female
UPN: A950000178301
Home postcode: ab1 2cd
School URN: 100001
Child present: yes
Child spoken to: Alone
Welfare check: no
Grade: medium
Voice of the child: "I hid in the cupboard."
Circumstances: Neighbours called.
  An adult was arrested.

  OPERATION ENCOMPASS NOTICE is not what this line begins.
Account checked by: sergeant
Family told: No, not safe
Contact: Safeguarding desk, 101
END OF NOTICE
"""
SECOND = NOTICE.replace("Ottilie", "Ben").replace("2016-04-02", "02/04/2012").replace("A950000178301", "H243278544154")
TWO = (NOTICE + "\n\n" + SECOND).encode()
DAMAGED = TWO.replace(b"99/0001/26\nIncident", b"\nIncident", 1)
PRIVATE = ("Ottilie", "Quill", "2016-04-02", "A950000178301", "cupboard", "Neighbours", "AB1 2CD", "99/0001/26")
CASE = Case(EncompassNotice(), {"night.txt": TWO}, {"night.txt": DAMAGED}, 1, PRIVATE)


def read(text: str, memory: MemoryInHand | None = None) -> tuple[list[Event], list[Finding]]:
    return CASE.read({"night.txt": text.encode()}, memory)


@pytest.mark.parametrize("check", contract.CHECKS, ids=contract.name_of)
def test_it_keeps_the_contract(check: contract.Check) -> None:
    check(CASE)


def test_a_notice_becomes_an_event() -> None:
    (event,), findings = read(NOTICE)

    assert (event.header.event_type, event.header.occurred_at) == ("police.encompass.notified", "2026-09-20T21:40+01:00")
    assert event.header.told_family is ToldFamily.NOT_SAFE
    assert event.header.contact_point == "Safeguarding desk, 101"
    assert event.body == {
        "identity": {
            "identifiers": [{"scheme": "upn", "value": "A950000178301", "check_ok": True}],
            "names": [{"given": "Ottilie", "family": "Quill"}],
            "birth_date": "2016-04-02",
            "sex": "F",
        },
        "location": {"place": "the family's flat", "postcode": "AB1 2CD", "organisation": "urn:100001"},
        "concern": {
            "reference": "99/0001/26",
            "child_present": "yes",
            "child_spoken_to": "alone",
            "welfare_check": "no",
            "grade": "medium",
        },
        "wish": {"words": '"I hid in the cupboard."'},
        "narrative": {
            "text": "Neighbours called.\nAn adult was arrested.\n\nOPERATION ENCOMPASS NOTICE is not what this line begins.",
            "checked": True,
            "checked_by_role": "sergeant",
        },
    }
    assert not findings


def test_winter_and_summer_have_their_own_offset() -> None:
    winter = NOTICE.replace("2026-09-20 21:40", "2026-01-20 21:40")

    assert read(winter)[0][0].header.occurred_at == "2026-01-20T21:40+00:00"
    assert read(NOTICE.replace(" 21:40", ""))[0][0].header.occurred_at == "2026-09-20"


def test_the_forces_own_threshold_is_a_coded_fact() -> None:
    assert read(NOTICE.replace("Grade: medium", "Hub threshold: met"))[0][0].header.attributes == {"threshold": "met"}
    assert read(NOTICE)[0][0].header.attributes == {}


def test_several_notices_in_one_file_are_several_events() -> None:
    events, findings = CASE.read()

    assert [event.header.source.location for event in events] == ["line 1", "line 27"]
    assert [event.body["identity"]["birth_date"] for event in events] == ["2016-04-02", "2012-04-02"]
    assert not findings


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda text: text.replace("\n", "\r\n"), "line ends of Windows"),
        (lambda text: "\ufeff" + text, "a byte-order mark"),
        (lambda text: text.replace("\n", "   \n"), "trailing blanks"),
        (lambda text: text.replace(": ", " :  "), "blanks around the colon"),
        (lambda text: text.replace("Child present", "CHILD PRESENT").replace("END OF", "End  of"), "other case"),
        (lambda text: "\n\n" + text + "\n\n\n", "empty lines around"),
    ],
)
def test_carriers_may_change_what_does_not_matter(spoil: Any, why: str) -> None:
    (event,), findings = read(spoil(NOTICE))

    assert event.body == read(NOTICE)[0][0].body, why
    assert not findings, why


@pytest.mark.parametrize(
    ("old", "new", "rule", "line", "events", "why"),
    [
        ("Child present: yes", "Child present: maybe", "unreadable", 12, 1, "an answer that is none"),
        ("Incident: 2026-09-20 21:40", "Incident: last night", "unreadable", 3, 1, "a date that is none"),
        ("School URN: 100001", "School URN: St Anne's", "unreadable", 11, 1, "a name for a number"),
        ("Grade: medium", "Suspect: A. Person", "unknown-label", 15, 1, "what a notice does not hold"),
        ("Grade: medium", "Sex: female", "label-twice", 15, 1, "one label twice"),
        ("UPN: A950000178301", "UPN: A950000178302", "check-digit", 1, 1, "a wrong check letter"),
        ("Date of birth: 2016-04-02\n", "", "birth-date-missing", 1, 1, "matching will be weak"),
        ("Police reference: 99/0001/26\n", "", "no-reference", 1, 0, "which matter?"),
        (
            "Child first name: Ottilie\nChild surname: Quill\n",
            "Grade: high\nx: y\n",
            "label-twice",
            15,
            1,
            "only a pupil number is left",
        ),
    ],
)
def test_what_is_wrong_names_its_line(old: str, new: str, rule: str, line: int, events: int, why: str) -> None:  # noqa: PLR0917 - a table
    taken, findings = read(NOTICE.replace(old, new))

    assert (rule, f"line {line}") in {(finding.rule, finding.place.partition(",")[0]) for finding in findings}, why
    assert len(taken) == events, why


def test_a_value_that_cannot_be_read_is_named_by_its_label() -> None:
    _, (finding,) = read(NOTICE.replace("Child present: yes", "Child present: maybe"))

    assert finding.place == "line 12, Child present"
    assert "broker connect encompass-notice --form" in finding.remedy


def test_a_notice_about_nobody_is_not_taken_and_the_next_one_is() -> None:
    nobody = "\n".join(line for line in NOTICE.splitlines() if not line.startswith(("Child first", "Child sur", "UPN")))
    events, findings = read(nobody + "\n" + SECOND)

    assert len(events) == 1
    assert [(finding.rule, finding.place) for finding in findings] == [("nobody", "line 1")]


def test_a_file_without_a_notice_is_refused() -> None:
    with pytest.raises(DeliveryError, match="no notice"):
        read("Dear school, FIRST NAME has been identified as being in a household.\n")


def test_a_notice_that_was_cut_in_the_middle_of_a_name_is_not_taken() -> None:
    with pytest.raises(CutOffError, match="send it again whole"):
        read(NOTICE[: NOTICE.index("ill\nDate of birth")])

    events, findings = read(SECOND + NOTICE[: NOTICE.index("ill\nDate of birth")])
    assert [event.body["identity"]["names"][0]["given"] for event in events] == ["Ben"]
    assert [(one.severity, one.rule, one.cut_off) for one in findings] == [("error", "no-end", True)]


def test_a_notice_that_the_next_one_interrupts_is_not_taken() -> None:
    events, findings = read(NOTICE.replace("END OF NOTICE\n", "") + SECOND)

    assert [event.body["identity"]["names"][0]["given"] for event in events] == ["Ben"]
    assert [(one.rule, one.place, one.cut_off) for one in findings] == [("no-end", "line 24", False)]


SIBLING = """Child surname: Quill
Child first name: Ben
Date of birth: 2012-04-02
UPN: H243278544154
NHS number: 9434765919
School URN: 100002
Child present: no
Voice of the child: "I was out."
"""


def test_a_second_child_in_one_notice_is_an_error_and_nothing_of_it_is_put_to_the_first() -> None:
    events, findings = read(NOTICE.replace("END OF", SIBLING + "END OF"))

    assert [event.body for event in events] == [event.body for event in read(NOTICE)[0]]
    assert [(one.severity, one.rule, one.place) for one in findings if one.severity == "error"] == [
        ("error", "second-child", "line 25")
    ]
    assert "nobody is told" in findings[-1].message


def test_what_only_a_second_child_says_is_not_put_to_the_first() -> None:
    short = NOTICE.replace("School URN: 100001\n", "").replace("UPN: A950000178301\n", "")
    (event,), _ = read(short.replace("END OF", SIBLING + "END OF"))

    assert event.body == read(short)[0][0].body


def test_an_endless_notice_costs_itself_only() -> None:
    events, findings = read(
        "OPERATION ENCOMPASS NOTICE\n" + "Circumstances: x\n" + "  more\n" * 60_000 + "END OF NOTICE\n" + SECOND
    )

    assert len(events) == 1
    assert "too-long" in {finding.rule for finding in findings}


def test_two_children_of_one_matter_who_are_known_by_number_alone_are_two_events() -> None:
    nameless = NOTICE.replace("Child first name: Ottilie\nChild surname: Quill\nDate of birth: 2016-04-02\n", "")

    events, _ = read(nameless + nameless.replace("A950000178301", "H243278544154"))

    assert [event.header.action for event in events] == [Action.NEW, Action.NEW]


def test_a_name_ends_with_its_line_even_where_the_next_is_indented() -> None:
    (event,), _ = read(NOTICE.replace("Child surname", "  Child surname"))

    assert event.body["identity"]["names"] == [{"given": "Ottilie", "family": "Quill"}]


def test_one_long_line_of_an_account_is_taken_whole_or_not_at_all() -> None:
    (event,), findings = read(NOTICE.replace("Neighbours called.", "x" * 50_000))
    long = read(NOTICE.replace("Neighbours called.", "x" * 80_000))

    assert event.body["narrative"]["text"].startswith("x" * 50_000)
    assert findings == []
    assert (long[0], [one.rule for one in long[1] if one.severity == "error"]) == ([], ["too-long"])


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        ("2016-04-02", "2036-04-02", ["birth-date-missing", "in-the-future"]),
        ("2026-09-20 21:40", "2026-09-22 00:10", ["in-the-future"]),
    ],
)
def test_a_date_in_the_future_is_named_and_left_out_and_the_school_is_told_all_the_same(
    old: str, new: str, rules: list[str]
) -> None:
    """The duty runs before the next school day: no slip of the pen holds a notice up."""
    (event,), findings = read(NOTICE.replace(old, new))

    assert sorted(one.rule for one in findings) == rules
    assert new[:10] not in (event.header.occurred_at or "", event.body["identity"].get("birth_date"))
    assert not list(refusals_of(event, InForce(events={}, now=RECEIVED)))


def test_what_the_broker_refuses_of_a_notice_is_not_remembered_as_sent() -> None:
    memory = MemoryInHand()
    delivery = replace(CASE.delivery({"night.txt": NOTICE.encode()}), takes=lambda _: False)
    list(EncompassNotice().read(delivery, memory))

    (event,), _ = read(NOTICE.replace("medium", "high"), memory)

    assert event.header.action is Action.NEW


def test_other_words_about_the_same_child_and_matter_are_an_update() -> None:
    memory = MemoryInHand()
    (first,), _ = read(NOTICE, memory)
    same, _ = read(NOTICE, memory)
    (other,), _ = read(NOTICE.replace("Welfare check: no", "Welfare check: yes"), memory)

    assert same == []
    assert (other.header.action, other.header.supersedes) == (Action.UPDATE, first.header.event_id)
    assert other.header.sequence > first.header.sequence


def test_a_withdrawn_notice_is_a_retraction_without_its_content() -> None:
    memory = MemoryInHand()
    (first,), _ = read(NOTICE, memory)
    (taken_back,), _ = read(NOTICE.replace("Grade: medium", "Standing: withdrawn"), memory)
    (again,), _ = read(NOTICE, memory)

    assert (taken_back.header.action, taken_back.header.supersedes) == (Action.RETRACT, first.header.event_id)
    assert set(taken_back.body) == {"identity"}
    assert (again.header.action, again.header.supersedes) == (Action.NEW, None)
    assert again.header.event_id != first.header.event_id


def test_withdrawing_what_was_never_sent_is_a_finding() -> None:
    events, findings = read(NOTICE.replace("Grade: medium", "Standing: withdrawn"))

    assert not events
    assert [finding.rule for finding in findings] == ["nothing-to-withdraw"]
