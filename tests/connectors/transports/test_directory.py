"""The inbox folder: each file once, in whole sets, with a report; and what a crash leaves behind at every step."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from broker.core.intake.delivery import Delivery, Finding, Memory
from broker.core.model.event import Event
from broker.errors import SendFailedError, StopError
from connectors.transports import directory
from connectors.transports.memory import SqliteMemory
from connectors.transports.report import SHOWN
from connectors.transports.settling import Patience
from tests.connectors.transports.notes import Broker, Notes, first_of, names, run


def test_a_file_is_published_and_put_away_with_its_report(inbox: Path) -> None:
    (inbox / "a.note").write_text("one two ?")
    broker = Broker()

    (outcome,) = run(inbox, broker)

    assert broker.published == ["one", "two"]
    assert outcome.accepted
    assert outcome.as_json() == {
        "files": ["a.note"],
        "accepted": True,
        "reason": None,
        "published": {"school.concern.raised": 2},
        "findings": {"warning:odd": 1},
    }
    assert names(inbox) == []
    assert names(inbox / "accepted") == ["a.note", "a.note.report.txt"]
    report = (inbox / "accepted" / "a.note.report.txt").read_text()
    assert "2 events were published" in report
    assert "warning: a.note line 3" in report
    assert "what to do: mend it" in report
    assert "urn:100001" in report


def test_files_that_belong_together_are_one_delivery(inbox: Path) -> None:
    for name in ("a1.note", "a2.note", "b1.note"):
        (inbox / name).write_text(name)

    outcomes = run(inbox, Broker())

    assert [one.files for one in outcomes] == [("a1.note", "a2.note"), ("b1.note",)]


def test_a_format_without_sets_takes_each_file_alone(inbox: Path) -> None:
    for name in ("a1.note", "a2.note"):
        (inbox / name).write_text(name)

    assert [one.files for one in run(inbox, Broker(), sets=False)] == [("a1.note",), ("a2.note",)]


def test_the_same_files_again_publish_nothing_and_say_why(inbox: Path) -> None:
    (inbox / "a.note").write_text("one")
    run(inbox, Broker())
    (inbox / "a.note").write_text("one")
    broker = Broker()

    (outcome,) = run(inbox, broker)

    assert broker.published == []
    assert "delivered before, on " in outcome.reason
    assert "see --forget-all" in outcome.reason
    assert names(inbox / "accepted") == ["a.note", "a.note.2", "a.note.2.report.txt", "a.note.report.txt"]


def test_a_person_s_confirmation_reads_the_same_files_again(inbox: Path) -> None:
    (inbox / "a.note").write_text("one")
    run(inbox, Broker())
    (inbox / "a.note").write_text("one")

    (outcome,) = run(inbox, Broker(), confirmed=True)

    assert outcome.reason == ""


@pytest.mark.parametrize(
    ("name", "content", "words", "why"),
    [
        ("a.note", "one two !", "broken from line 3", "the connector cannot read it"),
        ("holiday.jpg", "x", "the name is none", "no file of this format"),
    ],
)
def test_what_cannot_be_read_is_rejected_whole_and_the_inbox_goes_on(
    inbox: Path, name: str, content: str, words: str, why: str
) -> None:
    (inbox / name).write_text(content)
    (inbox / "z.note").write_text("good")
    broker = Broker()

    rejected, accepted = run(inbox, broker)

    assert (rejected.accepted, accepted.accepted) == (False, True), why
    assert broker.published == ["good"]
    assert names(inbox / "rejected") == [name, f"{name}.report.txt"]
    assert words in (inbox / "rejected" / f"{name}.report.txt").read_text()


def test_what_a_rejected_file_said_can_be_said_later(inbox: Path) -> None:
    (inbox / "a.note").write_text("one !")
    run(inbox, Broker())
    (inbox / "b.note").write_text("one")
    broker = Broker()

    run(inbox, broker)

    assert broker.published == ["one"]


@pytest.mark.parametrize("name", ["a.note.part", "a.note.tmp", ".a.note", "a.note.report.txt"])
def test_a_file_that_is_being_written_waits(inbox: Path, name: str) -> None:
    (inbox / name).write_text("one")

    assert run(inbox, Broker()) == []
    assert names(inbox) == [name]


def test_a_file_that_still_grows_waits_until_it_is_whole(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grown = inbox / "a.note"
    grown.write_text("one")
    broker = Broker()
    looks = iter(["one two", "one two three", None, None, None, None])

    async def meanwhile(seconds: float) -> None:
        more = next(looks) if seconds else None
        if more:
            grown.write_text(more)
            os.utime(grown, (0, 0))  # the clock does not tell: only that it changed

    monkeypatch.setattr(directory.asyncio, "sleep", meanwhile)
    os.utime(grown, (0, 0))

    run(inbox, broker, patience=Patience(settled=0, together=0, look=0.1))

    assert broker.published == ["one", "two", "three"]


def test_a_set_waits_a_little_for_its_members(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (inbox / "a1.note").write_text("one")
    now = [(inbox / "a1.note").stat().st_mtime + 1]
    monkeypatch.setattr(directory.time, "time", lambda: now[0])

    async def meanwhile(seconds: float) -> None:
        if seconds:
            now[0] += seconds
            if not (inbox / "a2.note").exists() and now[0] < 2_000_000_000_000 and not (inbox / ".late").exists():
                (inbox / "a2.note").write_text("two")
                (inbox / ".late").write_text("")

    monkeypatch.setattr(directory.asyncio, "sleep", meanwhile)

    (outcome,) = run(inbox, Broker(), patience=Patience(settled=1, together=10, look=1))

    assert outcome.files == ("a1.note", "a2.note")


class Pairs(Notes):
    """Notes of which two are a set."""

    def is_whole(self, names: tuple[str, ...]) -> bool:
        return len(names) == 2


@pytest.mark.parametrize(("late", "files"), [(8, ("a1.note", "a2.note")), (59, ("a1.note", "a2.note")), (90, ("a1.note",))])
def test_a_set_that_lacks_a_part_waits_longer_for_it(
    inbox: Path, monkeypatch: pytest.MonkeyPatch, late: int, files: tuple[str, ...]
) -> None:
    """Also when copying kept the time of the files, which may be of last week."""
    (inbox / "a1.note").write_text("one")
    os.utime(inbox / "a1.note", (0, 0))
    now = [1_000_000_000.0]
    monkeypatch.setattr(directory.time, "time", lambda: now[0])

    async def meanwhile(seconds: float) -> None:
        now[0] += seconds
        if now[0] == 1_000_000_000 + late:
            (inbox / "a2.note").write_text("two")
            os.utime(inbox / "a2.note", (0, 0))

    monkeypatch.setattr(directory.asyncio, "sleep", meanwhile)

    assert first_of(inbox, Pairs()).files == files


def test_an_unsent_delivery_stays_and_is_published_whole_at_the_next_start(inbox: Path) -> None:
    (inbox / "a.note").write_text("one two three")
    broker = Broker(fail_after=2)

    with pytest.raises(SendFailedError):
        run(inbox, broker)
    broker.fail_after = None
    run(inbox, broker)

    assert broker.published == ["one", "two", "one", "two", "three"], "the same ids again, which tells nobody twice"
    assert names(inbox / "accepted") == ["a.note", "a.note.report.txt"]


class CrashError(Exception):
    """The process dies here."""


STEPS = [
    ("rename", 1), ("rename", 2), ("rename", 3), ("rename", 4), ("rename", 5), ("write_text", 1), ("write_text", 2),
    ("write_text", 3), ("write_text", 4), ("mkdir", 1), ("mkdir", 4), ("rmtree", 1), ("commit", 1), ("note_delivered", 1),
    ("begin", 1), ("begin", 2), ("rollback", 1),
]  # fmt: skip


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
@pytest.mark.parametrize(("step", "time"), STEPS)
def test_a_crash_at_any_step_loses_nothing_and_tears_no_set_apart(
    inbox: Path, monkeypatch: pytest.MonkeyPatch, step: str, time: int, *, after: bool
) -> None:
    """The set of two is published as one delivery; what was published twice has the same ids, and ends up in accepted."""
    (inbox / "a1.note").write_text("one ?")
    (inbox / "a2.note").write_text("two")
    broker = Broker()
    _crash(monkeypatch, step, time, after=after)

    with suppress(CrashError):
        run(inbox, broker)
    monkeypatch.undo()
    outcomes = run(inbox, broker)

    assert set(broker.published) == {"one", "two"}
    assert broker.published in (["one", "two"], ["one", "two", "one", "two"])
    assert all(one.files == ("a1.note", "a2.note") for one in outcomes)
    assert names(inbox) == []
    assert list((inbox / ".working").iterdir()) == []
    files = [name for name in names(inbox / "accepted") if not name.endswith(".report.txt")]
    assert files == ["a1.note", "a2.note"]
    for name in files:
        assert "2 events were published" in (inbox / "accepted" / f"{name}.report.txt").read_text()
    assert run(inbox, broker) == []


def _crash(monkeypatch: pytest.MonkeyPatch, step: str, time: int, *, after: bool) -> None:
    owner: object = SqliteMemory if hasattr(SqliteMemory, step) else directory.shutil if step == "rmtree" else Path
    real = getattr(owner, step)
    count = [0]

    def dying(*args: object, **kwargs: object) -> object:
        count[0] += 1
        if count[0] == time and not after:
            raise CrashError
        result = real(*args, **kwargs)
        if count[0] == time and after:
            raise CrashError
        return result

    monkeypatch.setattr(owner, step, dying)


def test_a_set_half_moved_into_the_inbox_s_own_folder_goes_back(inbox: Path) -> None:
    working = inbox / ".working" / "1790000000000"
    working.mkdir(parents=True)
    (working / "a1.note").write_text("one")
    (inbox / "a2.note").write_text("two")

    (outcome,) = run(inbox, Broker())

    assert outcome.files == ("a1.note", "a2.note")


def test_a_report_does_not_grow_with_what_is_wrong(inbox: Path) -> None:
    (inbox / "a.note").write_text("? " * 5_000)

    (outcome,) = run(inbox, Broker())

    report = (inbox / "accepted" / "a.note.report.txt").read_text()
    assert outcome.tally.findings["warning", "odd"] == 5_000
    assert report.count("\n    a strange line\n") == SHOWN
    assert f"and {5_000 - SHOWN:,} more of the kind warning odd: a strange line" in report


def test_what_was_wrong_is_told_by_its_place(inbox: Path) -> None:
    """Errors first; within them as the file runs, whichever rule it was."""

    class Doubtful(Notes):
        def read(self, delivery: Delivery, memory: Memory) -> Iterator[Event | Finding]:
            yield from super().read(delivery, memory)
            for severity, rule, line in (
                ("info", "a", 1),
                ("error", "b", 10),
                ("error", "c", 9),
                ("error", "b", 2),
                ("error", "c", 11),
            ):
                yield Finding(severity, rule, f"line {line}", "odd", "mend it")  # type: ignore[arg-type]  # one of the three

    (inbox / "a.note").write_text("one")

    run(inbox, Broker(), connector=Doubtful())

    report = (inbox / "accepted" / "a.note.report.txt").read_text()
    assert re.findall(r": line (\d+)", report) == ["2", "9", "10", "11", "1"]


def test_a_second_process_on_the_same_memory_is_told_so(tmp_path: Path) -> None:
    first = SqliteMemory(tmp_path / "notes.sqlite")
    first.begin()

    with pytest.raises(StopError, match="stop the other connector"):
        SqliteMemory(tmp_path / "notes.sqlite")
    first.close()


def test_a_memory_file_that_is_none_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "notes.sqlite").write_text("this is no database, it only looks like a file of one " * 20)

    with pytest.raises(StopError, match="sound copy"):
        SqliteMemory(tmp_path / "notes.sqlite")


def test_what_is_yielded_by_prefix_may_be_changed_meanwhile(tmp_path: Path) -> None:
    memory = SqliteMemory(tmp_path / "notes.sqlite")
    memory.begin()
    for number in range(1_200):
        memory.put(f"a/{number:05}", b"x")
    memory.put("b/1", b"x")

    seen = []
    for key, _ in memory.items("a/"):
        seen.append(key)
        memory.delete(key)

    assert seen == [f"a/{number:05}" for number in range(1_200)]
    assert list(memory.items("")) == [("b/1", b"x")]
    memory.rollback()
    assert memory.get("b/1") is None
    memory.close()
