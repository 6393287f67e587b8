"""`broker subscribe`: what was shown on this machine is not shown again, also by a later run (I12)."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from broker.cli.review_words import PLAIN
from broker.cli.subscribe import _Desk, _Instant
from broker.stream.inbox import Inbox, Shown
from broker.stream.subscribe import BEGINNING

OAK = "oak-dsl"


def a_disclosure(made: str) -> dict[str, Any]:
    return {"disclosure_id": made, "token": b"t", "event_type": "police.encompass.notified", "kind": "ALERT", "recipient": OAK}


def a_run(folder: Path, *made: str, again: bool = False) -> list[bool]:
    """One run of the command: for each message, whether it is to be confirmed as delivered."""
    inbox = Inbox(folder, OAK)
    desk = _Desk(inbox, None, again=again, as_json=True)
    try:
        return [desk._show(a_disclosure(one)) is not None for one in made]
    finally:
        inbox.close()


def shown(capsys: pytest.CaptureFixture[str]) -> int:
    return len(capsys.readouterr().out.splitlines())


def test_what_an_earlier_run_showed_is_not_shown_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Kafka brings it again after a crash before the place was kept, and after `--from beginning`."""
    assert (a_run(tmp_path, "d-1", "d-2"), shown(capsys)) == ([True, True], 2)
    assert (a_run(tmp_path, "d-1", "d-2", "d-3"), shown(capsys)) == ([False, False, True], 1)


def test_what_stands_twice_in_the_log_is_shown_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (a_run(tmp_path, "d-1", "d-1"), shown(capsys)) == ([True, False], 1)


def test_who_asks_sees_it_again_once_and_it_is_not_confirmed_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_run(tmp_path, "d-1")
    shown(capsys)

    assert (a_run(tmp_path, "d-1", "d-1", again=True), shown(capsys)) == ([False, False], 1)


def a_question(state: str) -> dict[str, Any]:
    plain = dict.fromkeys(PLAIN, "said")
    more = {"kind": "AMBIGUOUS", "opened_at": 1, "due_at": None, "candidates": [], "why": "its publisher took it back"}
    return {**plain, **more, "review_id": "r-1", "state": state}


@pytest.mark.parametrize("as_json", [False, True])
def test_a_question_that_was_shown_ends_with_a_word_and_is_shown_again_when_it_is_asked_again(
    *, as_json: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inbox = Inbox(tmp_path, OAK)
    desk = _Desk(inbox, None, again=False, as_json=as_json)
    said = []
    for state in ("OPEN", "OPEN", "WITHDRAWN", "OPEN"):
        desk._show_question(a_question(state))
        said.append(capsys.readouterr().out)
    inbox.close()

    assert ["r-1" in one for one in said] == [True, False, True, True]
    assert "its publisher took it back" in said[2]
    assert "broker reviews show" not in said[2]


def test_two_recipients_never_share_a_memory(tmp_path: Path) -> None:
    """`:` cannot stand in every file name; what stands for it is in no other recipient's."""
    for recipient in ("urn:100001", "urn_100001"):
        inbox = Inbox(tmp_path, recipient)
        inbox.show(Shown(f"d-{recipient}", b"t", "x", "ALERT"))
        inbox.close()

    files = sorted((tmp_path / "inbox").glob("*.sqlite"))
    assert [sqlite3.connect(file).execute("SELECT count(*) FROM shown").fetchone() for file in files] == [(1,)] * 2


@pytest.mark.parametrize("at", ["0001-01-01", "1969-12-31T23:59:59Z", "1960-01-01"])
def test_a_time_before_there_were_times_is_the_beginning(at: str) -> None:
    """Kafka knows no negative time, and its client failed at one."""
    assert _Instant().convert(at, None, None) == BEGINNING
