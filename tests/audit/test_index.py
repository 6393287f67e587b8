"""The audit index finds entries, follows the log and can be thrown away."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker import codec
from broker.audit.index import AuditIndex, Place, mentions
from broker.core.model.ports import Record


def an_entry(event_id: str, **more: object) -> dict[str, object]:
    return {
        "entry_id": f"entry-{event_id}",
        "at": 1,
        "child_ref": "c",
        "outcome": "DECIDED",
        "subject": "event",
        "event_id": event_id,
        "event_type": "police.encompass.notified",
        "producer": "police:42",
        "policy_digest": "p",
        "registers_digest": "r",
        "others": "",
        "request": b"",
        "facts_version": 0,
        "decisions": [
            {
                "decision_id": f"decision-{event_id}",
                "recipient": "dsl-1",
                "role": "dsl",
                "outcome": "DISCLOSE",
                "disclosure_id": f"disclosure-{event_id}",
            }
        ],
    } | more


def a_record(offset: int, event_id: str, **more: object) -> Record:
    return Record("audit.v1", 0, offset, 1, b"c", codec.encode("audit_entry", an_entry(event_id, **more)))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[AuditIndex]:
    opened = AuditIndex(tmp_path / "sub" / "audit.sqlite", "log-1")
    yield opened
    opened.close()


@pytest.mark.parametrize("some_id", ["e2", "entry-e2", "decision-e2", "disclosure-e2"])
def test_an_entry_is_found_by_every_id_that_a_person_may_hold(index: AuditIndex, some_id: str) -> None:
    index.follow(a_record(offset, f"e{offset}") for offset in range(4))

    assert index.find(some_id) == [Place(0, 2)]


def test_all_entries_of_a_child_are_found_by_its_reference(index: AuditIndex) -> None:
    index.follow([a_record(0, "e1"), a_record(1, "e2", child_ref="another"), a_record(2, "e3")])

    assert index.find("c") == [Place(0, 0), Place(0, 2)]
    assert mentions(an_entry("e1", concerns=[]), "c")
    assert not mentions(an_entry("e2", child_ref="another", concerns=[]), "c")


def test_a_later_entry_about_an_earlier_event_is_found_with_it(index: AuditIndex) -> None:
    index.follow([a_record(0, "e1"), a_record(1, "retraction", concerns=["e1"])])

    assert index.find("e1") == [Place(0, 0), Place(0, 1)]


def test_following_goes_on_where_it_ended(index: AuditIndex, tmp_path: Path) -> None:
    index.follow([a_record(7, "e7")])
    index.close()

    again = AuditIndex(tmp_path / "sub" / "audit.sqlite", "log-1")

    assert (again.next_offset(0), again.next_offset(1)) == (8, 0)
    assert again.find("e7") == [Place(0, 7)]
    again.close()


def test_an_entry_followed_twice_is_found_once(index: AuditIndex) -> None:
    index.follow([a_record(0, "e1")])
    index.follow([a_record(0, "e1")])

    assert index.find("e1") == [Place(0, 0)]


def test_what_was_decided_is_counted_once_whoever_follows_and_goes_on_counting(index: AuditIndex, tmp_path: Path) -> None:
    entries = [a_record(0, "e1"), a_record(1, "e2", outcome="APPLIED", decisions=[]), a_record(2, "e3")]
    other = AuditIndex(tmp_path / "sub" / "audit.sqlite", "log-1")

    new = [index.follow(entries[:2]), other.follow(entries), index.follow(entries)]

    assert new == [2, 1, 0]
    assert index.counted("records") == {"decided": 2, "applied": 1}
    assert index.counted("decisions") == {"disclose": 2}
    other.close()


def test_an_index_of_another_log_is_emptied(index: AuditIndex, tmp_path: Path) -> None:
    index.follow([a_record(0, "e1")])
    index.close()

    other = AuditIndex(tmp_path / "sub" / "audit.sqlite", "log-2")

    assert (other.find("e1"), other.next_offset(0)) == ([], 0)
    other.close()


def test_bytes_that_are_no_audit_entry_do_not_stop_it(index: AuditIndex) -> None:
    index.follow([Record("audit.v1", 0, 0, 1, None, b"nonsense"), Record("audit.v1", 0, 1, 1, None, None), a_record(2, "e2")])

    assert index.find("e2") == [Place(0, 2)]
    assert index.next_offset(0) == 3


def test_the_file_holds_no_id(index: AuditIndex, tmp_path: Path) -> None:
    index.follow([a_record(0, "a-telling-id")])

    assert b"a-telling-id" not in b"".join(path.read_bytes() for path in (tmp_path / "sub").iterdir())


def test_what_the_index_finds_is_checked_against_the_entry() -> None:
    entry = codec.decode("audit_entry", a_record(0, "e1").value or b"")

    assert mentions(entry, "decision-e1")
    assert not mentions(entry, "decision-e2")
