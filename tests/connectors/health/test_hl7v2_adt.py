"""Hospital messages: what comes out of the public samples, and of messages worked out by hand."""

from collections import Counter
from pathlib import Path

import pytest

from broker.errors import DeliveryError
from connectors.health.hl7v2_adt import Hl7Adt
from tests.connectors import contract
from tests.connectors.contract import MemoryInHand
from tests.connectors.health.messages import BORN, NHS, message, pid, read, types, visit

FEED = (
    message("A28", pid(), "PD1|||SURGERY^^Y99999", "NK1|1|QUILL^MAY|MTH^Mother", control="C1")
    + message("A04", pid(), visit("E"), "PV2|||^fell from a wall", control="C2", at="202609021000")
    + message("A03", pid(), visit("E"), control="C3", at="202609021400")
    + message("A40", pid(), "MRG|88^^^RXX01^MR", control="C4", at="202609031000")
)
CASE = contract.Case(
    connector=Hl7Adt(),
    files={"feed.hl7": FEED.encode()},
    damaged={"feed.hl7": FEED.replace("PID|1|", "PIX|1|", 1).encode()},
    left=3,
    private=("QUILL", "FERN ROW", NHS, BORN, "2015-02-03", "ZZ4 4ZZ", "01632960123"),
)


@pytest.mark.parametrize("check", contract.CHECKS, ids=contract.name_of)
def test_it_keeps_the_contract(check: contract.Check) -> None:
    check(CASE)


# --- the public samples: read by eye


@pytest.mark.parametrize(
    ("name", "said", "why"),
    [
        ("A01_example.txt", "about adults", "PID-7 says 1965, EVN-6 2010"),
        ("A03_example.txt", "about adults", "PID-7 says 1965, EVN-6 2010"),
        ("A04_example.txt", "about adults", "PID-7 says 1965, EVN-6 2010"),
        ("A40_Example.txt", "about adults", "PID-7 says 1965, EVN-6 2010"),
        ("ADT01-28.hl7", "about adults", "PID-7 says 1961, EVN-2 2007"),
        ("ADT04-28.hl7", "(A04 of class I)", "a child of ten, but A04 with PV1-2 I is neither an admission nor an emergency"),
    ],
)
def test_a_sample_is_about_nobody_we_tell_of(samples: Path, name: str, said: str, why: str) -> None:
    events, findings = read((samples / "health" / "hl7v2_adt" / name).read_bytes(), name=name)

    assert events == [], why
    assert [(one.severity, one.rule) for one in findings] == [("info", "not_told")]
    assert said in findings[0].message
    assert findings[0].message.endswith(": 1")


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("A01_example.txt", {"196512131515": "200512131515"}, ["health.admitted"]),
        ("A03_example.txt", {"196512131515": "200512131515"}, ["health.discharged"]),
        ("A04_example.txt", {"196512131515": "200512131515"}, []),
        ("A04_example.txt", {"196512131515": "200512131515", "PV1|57|O|": "PV1|57|E|"}, ["health.ed.attended"]),
        ("A40_Example.txt", {"196512131515": "200512131515"}, ["identity.merged"]),
        ("ADT01-28.hl7", {"19610615": "20010615"}, ["health.admitted"]),
        ("ADT04-28.hl7", {"PV1||I|": "PV1||E|"}, ["health.ed.attended"]),
    ],
)
def test_a_sample_about_a_child_says_its_event(samples: Path, name: str, changes: dict[str, str], expected: list[str]) -> None:
    """The samples are about adults, but for one: as they are, they prove no event."""
    content = (samples / "health" / "hl7v2_adt" / name).read_bytes().decode()
    for old, new in changes.items():
        assert old in content
        content = content.replace(old, new)

    assert types(read(content, name=name)[0]) == expected


# --- messages worked out by hand


@pytest.mark.parametrize(
    ("trigger", "kind", "expected", "why"),
    [
        ("A04", "E", ["health.ed.attended"], "registered in the emergency department"),
        ("A01", "E", ["health.ed.attended"], "some hospitals admit to the emergency department"),
        ("A01", "I", ["health.admitted"], "admitted"),
        ("A03", "I", ["health.discharged"], "discharged"),
        ("A04", "O", [], "outpatients: nothing follows"),
        ("A08", "I", ["health.demographics.changed"], "changed"),
        ("A31", "", ["health.demographics.changed"], "changed"),
        ("A28", "", ["health.patient.registered"], "registered"),
        ("A02", "I", [], "a transfer: nothing follows"),
        ("A13", "I", [], "cancels what was never said"),
    ],
)
def test_each_trigger_says_its_event(trigger: str, kind: str, expected: list[str], why: str) -> None:
    assert types(read(message(trigger, pid(), visit(kind)))[0]) == expected, why


def test_a_registration_carries_who_where_kin_and_practice() -> None:
    event = read(message("A28", pid(), "PD1|||SURGERY^^Y99999", "NK1|1|QUILL^MAY|MTH^Mother|||||||||||||19850607"))[0][0]

    assert event.body["identity"] == {
        "identifiers": [
            {"scheme": "nhs_number", "value": NHS, "check_ok": True, "verified": True},
            {"scheme": "mrn", "value": "77", "issuer": "ods:RXX01", "check_ok": None, "verified": False},
        ],
        "names": [{"given": "ADA", "family": "QUILL", "kind": "usual"}],
        "birth_date": "2015-02-03",
        "sex": "F",
        "sex_as_recorded": "2",
    }
    assert event.body["location"] == {
        "postcode": "ZZ4 4ZZ",
        "address": ["12 FERN ROW", "ESKMOUTH"],
        "organisation": "ods:RXX01",
    }
    assert event.body["contact"] == {"telephones": ["01632960123"]}
    assert event.body["monitoring"] == {"ethnicity": "A"}
    (mother,) = event.body["third_party"]["people"]
    assert (mother["role"], mother["relation"], mother["given"], mother["birth_date"]) == (
        "mother",
        "Mother",
        "MAY",
        "1985-06-07",
    )
    assert event.control == {"role": "gp", "organisation": "ods:Y99999", "state": "begun", "since": "2026-09-01T10:00"}
    assert (event.header.occurred_at, event.header.source.format_version) == ("2026-09-01T10:00", "2.4")


def test_an_attendance_says_setting_reason_and_arrival() -> None:
    event = read(message("A04", pid(), visit("E", arrived="20260901093000+0100"), "PV2|||^fell from a wall"))[0][0]

    assert event.body["clinical"] == {
        "setting": "emergency department",
        "presentation": "fell from a wall",
        "attended_at": "2026-09-01T09:30:00+01:00",
    }


@pytest.mark.parametrize(
    ("numbers", "reliability", "expected", "why"),
    [
        (f"{NHS}^^^NHS", "NSTS01", [("nhs_number", True, True)], "authority NHS, traced"),
        (f"{NHS}^^^NHS^NH", "NSTS02", [("nhs_number", True, False)], "present, not traced"),
        (f"{NHS}^^^^NHSNMBR", "", [("nhs_number", True, False)], "nothing said of tracing"),
        ("943 476 5919^^^^NH", "01", [("nhs_number", True, True)], "with spaces"),
        ("9434765918^^^NHS", "NSTS01", [("nhs_number", False, False)], "wrong check digit: never verified"),
        ("12345^^^TRUST^HN", "", [], "HN that is no NHS number"),
        ("12345^^^OTHER^MR", "", [("mrn", None, False)], "another authority's number"),
        ("444^^^USSSA^SS~9^^^ADT1^AN", "", [], "a foreign number and an account"),
        ("000^^^RXX01^MR", "", [], "no number at all"),
    ],
)
def test_identifiers_are_told_apart(
    numbers: str, reliability: str, expected: list[tuple[str, bool | None, bool]], why: str
) -> None:
    event = read(message("A28", pid(numbers=numbers, reliability=reliability)))[0][0]

    assert [(one["scheme"], one["check_ok"], one["verified"]) for one in event.body["identity"]["identifiers"]] == expected, why


def test_adults_are_counted_and_not_told_of() -> None:
    events, findings = read(message("A04", pid("19900101"), visit("E")) + message("A40", pid("19900101"), "MRG|8^^^RXX01^MR"))

    assert events == []
    assert [(one.rule, one.message) for one in findings] == [("not_told", "messages about adults, not published: 2")]


def test_without_a_birth_date_only_what_does_not_depend_on_age_is_told() -> None:
    attendance, merge = message("A04", pid(""), visit("E")), message("A40", pid(""), "MRG|8^^^RXX01^MR", control="C2")

    events, findings = read(attendance + merge)

    assert types(events) == ["identity.merged"]
    assert [one.rule for one in findings] == ["birth_date"]


@pytest.mark.parametrize("kind", ["", "EM", "X"])
def test_an_arrival_of_a_child_that_says_no_class_is_a_finding_with_its_remedy(kind: str) -> None:
    events, findings = read(message("A01", pid(), visit(kind)))

    assert events == []
    assert [(one.severity, one.rule, one.place.rpartition(", ")[2]) for one in findings] == [
        ("warning", "patient_class", "PV1-2")
    ]
    assert "PV1-2" not in findings[0].remedy
    assert "E, I" in findings[0].remedy


def test_what_nothing_follows_from_is_said_in_one_sentence() -> None:
    assert read(message("A04", pid(), visit("O")))[1][0].message == (
        "messages of a kind that nothing follows from (A04 of class O), not published: 1"
    )


def test_a_second_patient_where_there_is_one_is_a_finding() -> None:
    events, findings = read(message("A04", pid(), visit("E"), pid(numbers="78^^^RXX01^MR")))

    assert [event.body["identity"]["identifiers"][-1]["value"] for event in events] == ["77"]
    assert [one.rule for one in findings] == ["second_patient"]


def test_a_merge_names_the_losing_record_and_several_may_stand_in_one_message() -> None:
    second = pid(numbers="78^^^RXX01^MR")
    events, _ = read(message("A40", pid(), "MRG|88^^^RXX01^MR", second, "MRG|89^^^RXX01^MR~90^^^OTHER^MR"))

    assert types(events) == ["identity.merged", "identity.merged"]
    assert [[one["value"] for one in (event.control or {})["identifiers"]] for event in events] == [["88"], ["89", "90"]]
    assert [event.body["identity"]["identifiers"][-1]["value"] for event in events] == ["77", "78"]


def test_a_merge_of_two_nhs_numbers_rests_on_their_status_in_the_message() -> None:
    """The identity map must be pointed anew; what PID-32 says holds for the number that ends as for the one that stays."""
    merge = message("A40", pid(numbers=f"{NHS}^^^NHS^NH"), "MRG|9434765870^^^NHS^NH")

    (event,), findings = read(merge)
    (doubtful,), doubts = read(merge.replace("NSTS01", "NSTS02"))

    losing = [(event.control or {})["identifiers"] for event in (event, doubtful)]
    assert [[(one["value"], one["verified"]) for one in numbers] for numbers in losing] == [
        [("9434765870", True)],
        [("9434765870", False)],
    ]
    assert ([one.rule for one in findings], [one.rule for one in doubts]) == ([], ["merge_unverified"])


def test_a_merge_that_names_no_losing_record_is_a_finding() -> None:
    events, findings = read(message("A40", pid()))

    assert (events, [one.rule for one in findings]) == ([], ["merge"])


def test_a_record_that_becomes_part_of_itself_is_a_finding() -> None:
    events, findings = read(message("A40", pid(), "MRG|77^^^RXX01^MR"))

    assert (events, [one.rule for one in findings]) == ([], ["merge"])


def test_a_change_of_practice_is_told_once() -> None:
    memory = MemoryInHand()
    read(message("A28", pid(), "PD1|||SURGERY^^Y99999"), memory)

    same = read(message("A31", pid(), "PD1|||SURGERY^^Y99999", control="C2"), memory)[0]
    moved = read(message("A31", pid(), "PD1|||NEW SURGERY^^^^^^^^^Y88888", control="C3"), memory)[0]

    assert types(same) == ["health.demographics.changed"]
    assert types(moved) == ["health.demographics.changed", "health.gp.registered"]
    assert moved[1].control == {"role": "gp", "organisation": "ods:Y88888", "state": "begun", "since": "2026-09-01T10:00"}


def test_a_protected_record_keeps_its_address_to_itself() -> None:
    event = read(message("A28", pid(), "PD1" + "|" * 12 + "Y"))[0][0]

    assert event.body["location"] == {"organisation": "ods:RXX01"}
    assert "contact" not in event.body


@pytest.mark.parametrize(
    ("framed", "why"),
    [
        (FEED.encode(), "carriage returns"),
        (FEED.replace("\r", "\n").encode(), "line feeds"),
        (FEED.replace("\r", "\r\n").encode(), "both"),
        (b"\xef\xbb\xbf" + FEED.encode(), "a byte-order mark"),
        (("FHS|^~\\&|x\rBHS|^~\\&|x\r" + FEED + "BTS|4\rFTS|1\r").encode(), "a batch"),
        (("\x0b" + FEED.replace("\rMSH", "\r\x1c\r\x0bMSH") + "\x1c\r").encode(), "MLLP frames"),
        (FEED.replace("\rPID", "\rZU1|anything ^ at all\rPID").encode(), "Z segments"),
        (FEED.replace("|2.4", "|2.8").encode(), "a later version"),
    ],
)
def test_every_way_of_writing_messages_gives_the_same_events(framed: bytes, why: str) -> None:
    expected = Counter(["health.patient.registered", "health.ed.attended", "health.discharged", "identity.merged"])

    assert Counter(types(read(framed)[0])) == expected, why


def test_other_separators_and_escapes_are_understood() -> None:
    odd = message("A28", pid(name="O\\T\\NEIL^A\\X41\\A")).replace("^", "$").replace("~\\&", "~\\&")

    assert read(odd)[0][0].body["identity"]["names"][0] == {"given": "AAA", "family": "O&NEIL", "kind": "usual"}


def test_an_escape_that_nobody_knows_is_dropped_and_logged_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    event = read(message("A28", pid(name="QU\\Q9\\ILL^A\\.sp999999999\\DA")))[0][0]

    assert event.body["identity"]["names"][0] == {"given": "A DA", "family": "QUILL", "kind": "usual"}
    assert caplog.records == []


@pytest.mark.parametrize(
    ("charset", "encoding", "expected"),
    [("8859/1", "latin-1", []), ("UNICODE UTF-8", "utf-8", []), ("", "cp1252", ["encoding"])],
)
def test_characters_are_read_as_the_message_says(charset: str, encoding: str, expected: list[str]) -> None:
    text = message("A28", pid(name="BRÖNTË^ZOË"), version="2.4||||||" + charset)

    events, findings = read(text.encode(encoding))

    assert events[0].body["identity"]["names"][0]["family"] == "BRÖNTË"
    assert [one.rule for one in findings] == expected


@pytest.mark.parametrize(
    ("broken", "rule", "why"),
    [
        ("MSH\r", "not_a_message", "nothing after the name"),
        ("MSH|||||||ADT^A28|1\r", "not_a_message", "no separators"),
        ("MSH|aaaa|x\r", "not_a_message", "letters as separators"),
        ("MSH|^^^^|x\r", "not_a_message", "one sign for everything"),
        ("MSH~^~\\&~PAS\r", "not_a_message", "the sign that parts fields is said to part something else, too"),
        (message("A28"), "no_patient", "no PID"),
        (message("A28", pid(), control=""), "control_id", "no control id"),
        (message("A28", pid(numbers="9434765918^^^NHS")), "nhs_number_check", "wrong check digit"),
        (message("A28", pid(), at="202909011000"), "time_in_future", "a clock that is ahead"),
        (message("A28", pid(), "NTE|1||" + "x" * 2_000_000), "not_a_message", "longer than a message can be"),
    ],
)
def test_one_bad_message_is_named_and_the_next_is_read(broken: str, rule: str, why: str) -> None:
    events, findings = read(FEED + broken + message("A28", pid(), control="LAST", at="202609051000"))

    assert rule in [one.rule for one in findings], why
    assert events[-1].header.source.location.endswith("message LAST")


def test_what_stands_before_the_first_message_of_a_batch_is_named_once() -> None:
    findings = read("BHS|^~\\&|x\rPID|lost\rPV1|lost\r" + FEED)[1]

    assert [one.rule for one in findings] == ["not_a_message"]


def test_a_control_id_used_twice_at_different_times_is_two_events() -> None:
    events, _ = read(message("A04", pid(), visit("E")) + message("A04", pid(), visit("E", "V2"), at="202609021000"))

    assert len({event.header.event_id for event in events}) == 2


def test_two_messages_under_one_control_id_and_time_are_two_events() -> None:
    events, _ = read(message("A04", pid(), visit("E")) + message("A04", pid(), visit("E", "V2")))

    assert len({event.header.event_id for event in events}) == 2


def test_the_same_message_twice_has_one_id() -> None:
    events, _ = read(message("A04", pid(), visit("E")) * 2)

    assert len({event.header.event_id for event in events}) == 1


def test_a_file_of_something_else_is_refused_in_words() -> None:
    with pytest.raises(DeliveryError, match="holds no HL7 version 2 messages"):
        read("name,age\nx,1\n")
