"""A recipient's inbox shows nothing twice and finds every token."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.errors import NotFoundError
from broker.stream.inbox import Inbox, Shown


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    opened = Inbox(tmp_path, "urn:100001-dsl")
    yield opened
    opened.close()


def a_shown(made: str = "d-abcdefgh") -> Shown:
    return Shown(made, b"token", "police.encompass.notified", "ALERT")


def test_what_was_shown_is_known_after_a_restart(inbox: Inbox, tmp_path: Path) -> None:
    inbox.show(a_shown())
    inbox.read_up_to([("disclosures.v1", 2, 41)])
    inbox.close()

    again = Inbox(tmp_path, "urn:100001-dsl")

    assert again.was_shown("d-abcdefgh")
    assert (again.next_offset("disclosures.v1", 2), again.next_offset("disclosures.v1", 0)) == (41, None)
    again.close()


def test_a_delivered_receipt_that_was_not_sent_is_sent_after_a_restart(inbox: Inbox) -> None:
    inbox.show(a_shown())
    inbox.show(a_shown("d-other123"))
    inbox.mark(["d-other123"], "delivered")

    assert [one.id for one in inbox.unconfirmed()] == ["d-abcdefgh"]


def test_the_first_letters_of_an_id_find_its_token(inbox: Inbox) -> None:
    inbox.show(a_shown())

    assert inbox.find("d-abcd").token == b"token"


@pytest.mark.parametrize(
    ("typed", "says", "why"),
    [
        ("d-zzzzzz", "none like it was shown", "it never came"),
        ("d-ab", "too short to be meant: type 6 letters", "one or more begin so"),
        ("d-abcd", "more than one begins so", "two begin so"),
        ("d-ab%", "none like it was shown", "no pattern is followed"),
    ],
)
def test_an_id_that_finds_nothing_or_too_much_says_what_to_do(inbox: Inbox, typed: str, says: str, why: str) -> None:
    inbox.show(a_shown())
    inbox.show(a_shown("d-abcdxyz"))

    with pytest.raises(NotFoundError, match=says):
        inbox.find(typed)


def test_the_file_holds_nothing_that_was_disclosed(inbox: Inbox, tmp_path: Path) -> None:
    columns = inbox._database.execute("SELECT name FROM pragma_table_info('shown')").fetchall()

    assert [name for (name,) in columns] == ["id", "token", "event_type", "kind", "state"]


def test_the_topic_that_is_followed_is_known_after_a_restart(inbox: Inbox, tmp_path: Path) -> None:
    assert inbox.log() is None
    inbox.follow("disclosures.v1", "a")
    inbox.follow("disclosures.oak.v1", "b")
    inbox.close()

    again = Inbox(tmp_path, "urn:100001-dsl")

    assert again.log() == ("disclosures.oak.v1", "b")
    again.close()


def test_who_begins_anew_keeps_what_was_shown_and_no_place(inbox: Inbox) -> None:
    inbox.show(a_shown())
    inbox.follow("disclosures.v1", "a")
    inbox.read_up_to([("disclosures.v1", 2, 41)])

    inbox.begin_anew()

    assert (inbox.log(), inbox.next_offset("disclosures.v1", 2)) == (None, None)
    assert inbox.was_shown("d-abcdefgh")
