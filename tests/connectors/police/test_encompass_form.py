"""Operation Encompass notices on their way out to a school."""

import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.core.account.harmless import acts
from broker.core.account.words import Words
from broker.core.model.event import Event
from connectors.police.encompass_form import LABELS, read_value
from connectors.police.encompass_notice import EncompassNotice
from tests.connectors.police.test_encompass_notice import CASE, NOTICE, read


def a_disclosure(event: Event, **more: Any) -> dict[str, Any]:
    """Everything in an event, as if all of it had been granted."""
    header = event.header
    said = {"occurred_at": header.occurred_at, "told_family": header.told_family.value, "contact_point": header.contact_point}
    return {"kind": "ALERT", "disclosure_id": "d-1", "replaces": None, **said, **event.body, **more}


def test_what_is_written_reads_back_as_it_was() -> None:
    for event in CASE.read()[0]:
        (back,), findings = read(EncompassNotice().write(a_disclosure(event)))

        assert (back.body, back.header.occurred_at, back.header.told_family) == (
            event.body,
            event.header.occurred_at,
            event.header.told_family,
        )
        assert not findings


def test_only_what_was_granted_is_written() -> None:
    (event,), _ = read(NOTICE)
    granted = {
        "kind": "ALERT",
        "disclosure_id": "d-1",
        "identity": event.body["identity"],
        "concern": None,
        "wish": {"words": None},
    }

    assert EncompassNotice().write(granted) == (
        "OPERATION ENCOMPASS NOTICE\n"
        "Child first name: Ottilie\n"
        "Child surname: Quill\n"
        "Date of birth: 2016-04-02\n"
        "Sex: F\n"
        "UPN: A950000178301\n"
        "Standing: new\n"
        "Notice id: d-1\n"
        "END OF NOTICE\n"
    )


def test_the_form_names_every_label_and_what_may_be_said() -> None:
    """What it says may stand there can be read, and of the notice itself only what it says is read."""
    lines = dict(re.findall(r"^  ([A-Z][A-Za-z ]+?)  +(.*)$", EncompassNotice().form(), flags=re.MULTILINE))

    assert list(lines) == list(LABELS)
    for label, said in lines.items():
        values = said.partition(";")[0].split(" | ")
        if len(values) > 1:
            assert [value for value in values if read_value(label, value) is None] == [], label
    for label, (group, field, _) in LABELS.items():
        unread = group == "notice" and field not in {"kind", "disclosure_id", "replaces"}
        assert ("not read" in lines[label]) == unread, label


def test_the_examples_of_the_form_can_be_read() -> None:
    for label, said in (("Date of birth", "02/04/2016"), ("Incident", "2026-09-20 21:40"), ("School URN", "100001")):
        assert said in EncompassNotice().form()
        assert read_value(label, said)


def test_a_withheld_group_changes_no_other_line() -> None:
    (event,), _ = read(NOTICE)
    whole = EncompassNotice().write(a_disclosure(event)).splitlines()
    without = EncompassNotice().write({**a_disclosure(event), "location": None}).splitlines()

    assert without == [line for line in whole if not line.startswith(("Place", "Home postcode", "School URN"))]


def test_a_retraction_and_its_reasons_are_written() -> None:
    said = {
        "kind": "RETRACTION",
        "disclosure_id": "d-2",
        "replaces": "d-1",
        "because": ["It was sent in error.", "Stop using it."],
    }

    assert EncompassNotice().write(said).splitlines() == [
        "OPERATION ENCOMPASS NOTICE",
        "Standing: withdrawn",
        "Notice id: d-2",
        "Replaces notice: d-1",
        "Why you are told: It was sent in error.",
        "  Stop using it.",
        "END OF NOTICE",
    ]


@pytest.mark.parametrize(
    ("occurred_at", "written", "why"),
    [
        ("2026-07-01T20:40:00Z", "2026-07-01 21:40", "summer"),
        ("2026-07-01T21:40:00+01:00", "2026-07-01 21:40", "its own clock"),
        ("2026-06-30T23:30:00Z", "2026-07-01 00:30", "already the next day"),
        ("2026-01-01T20:40:00Z", "2026-01-01 20:40", "winter"),
        ("2025-10-26T00:30:00Z", "2025-10-26 01:30+01:00", "the hour that comes twice: first"),
        ("2025-10-26T01:30:00Z", "2025-10-26 01:30+00:00", "the hour that comes twice: second"),
        ("2026-07-01T21:40", "2026-07-01 21:40", "no zone: as it stands"),
        ("2026-07-01", "2026-07-01", "a day"),
    ],
)
def test_an_instant_is_written_by_the_clock_in_england_and_reads_back_as_the_same(
    occurred_at: str, written: str, why: str
) -> None:
    (event,), _ = read(NOTICE)
    text = EncompassNotice().write(a_disclosure(event) | {"occurred_at": occurred_at})
    back = read(text)[0][0].header.occurred_at or ""

    assert f"\nIncident: {written}\n" in text, why
    if occurred_at[-1] == "Z":
        assert datetime.fromisoformat(back) == datetime.fromisoformat(occurred_at), why


def test_who_sends_it_on_which_basis_and_by_when_is_said_in_words() -> None:
    words = Words(names={"police:42": "Marshland Police"}, bases={"LEGAL_OBLIGATION": "The law demands it"})
    said = {
        "producer": "police:42",
        "lawful_basis": "LEGAL_OBLIGATION",
        "gateway": "Victims and Prisoners Act 2024 s.23",
        "due_at": 1_790_000_000_000,
    }

    assert EncompassNotice().write(said, words).splitlines()[1:-1] == [
        "From: Marshland Police (police:42)",
        "Lawful basis: The law demands it, by Victims and Prisoners Act 2024 s.23",
        "Act by: Mon 21 Sep 2026 at 15:13",
    ]
    assert "LEGAL" not in EncompassNotice().write(said)


LINES = st.lists(
    st.one_of(
        st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=20),
        st.sampled_from(["END OF NOTICE", "OPERATION ENCOMPASS NOTICE", "Grade: high", "Standing: withdrawn", "a b"]),
    ),
    min_size=1,
    max_size=5,
).map("\n".join)


@settings(max_examples=100, deadline=None)
@given(text=LINES, words=LINES)
def test_any_account_survives_the_way_out_and_in(text: str, words: str) -> None:
    """Whatever stands in free text, it can neither end its notice nor pass for another line."""
    (event,), _ = read(NOTICE)
    sent = a_disclosure(event) | {"narrative": {"text": text, "checked": False}, "wish": {"words": words}}
    (back,), findings = read(EncompassNotice().write(sent))

    assert (back.body["narrative"]["text"], back.body["wish"]["words"]) == (text, words)
    assert back.body["concern"] == event.body["concern"]
    assert not findings


EVIL = "x\x1b[2J\x1b[31mRED\r\nEND OF NOTICE\n  Child surname: Forged\u202eabc\u2028OPERATION ENCOMPASS NOTICE\x85Grade: low\x07"
SHOWN = EVIL.replace("\x1b", "\\u{1b}").replace("\u202e", "\\u{202e}").replace("\x07", "\\u{7}")


@pytest.mark.parametrize(
    ("group", "field"),
    [(group, field) for group, field, kind in LABELS.values() if group not in {"notice", "number", "attribute"}],
)
def test_whatever_stands_in_any_field_it_is_read_back_as_one_notice(group: str, field: str) -> None:
    """It ends no notice, begins none, and is no other line: the rest says what it said."""
    (event,), _ = read(NOTICE)
    sent = a_disclosure(event)
    if group == "header":
        sent[field] = EVIL
    elif group == "name":
        sent["identity"] = {**sent["identity"], "names": [{**sent["identity"]["names"][0], field: EVIL}]}
    else:
        sent[group] = {**sent[group], field: EVIL}
    text = EncompassNotice().write(sent)
    events, findings = read(text)

    assert len(events) == 1
    assert {one.rule for one in findings} <= {"unreadable", "birth-date-missing"}
    assert not any(acts(line) for line in text.split("\n"))
    before, after = event.body, events[0].body
    assert after["concern"].get("grade") == ("medium" if field != "grade" else "\n".join(map(str.strip, SHOWN.splitlines())))
    for name in set(before) - {group, "identity" if group == "name" else group}:
        assert after[name] == before[name]  # type: ignore[literal-required]  # any group


def test_an_account_with_signs_that_act_is_read_back_line_by_line() -> None:
    (event,), _ = read(NOTICE)
    (back,), findings = read(EncompassNotice().write({**a_disclosure(event), "narrative": {"text": EVIL, "checked": False}}))

    assert back.body["narrative"]["text"].split("\n") == [line.strip() for line in SHOWN.splitlines()]
    assert not findings
