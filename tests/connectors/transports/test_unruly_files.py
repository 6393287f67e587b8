"""Files that no program expects: the inbox says what is wrong with them and goes on."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broker.core.intake.delivery import Connector, Delivery, Finding, Memory
from broker.core.model.event import Event
from broker.errors import StopError, TimeError, TooLargeError
from connectors.councils.cin_census import CinCensus
from connectors.health.hl7v2_adt import Hl7Adt
from connectors.police.encompass_notice import EncompassNotice
from connectors.transports.directory import Directory, Job
from connectors.transports.memory import SqliteMemory
from tests.connectors.councils.cin_files import a_child, a_return
from tests.connectors.transports.notes import AGENCY, AT_ONCE, Broker, Notes, names, run


@pytest.mark.parametrize(
    "fault",
    [ValueError("Osian"), KeyError("Osian"), OverflowError("Osian"), SyntaxError("Osian"), PermissionError(13, "Denied")],
    ids=lambda fault: type(fault).__name__,
)
def test_a_file_that_breaks_the_connector_is_put_aside_and_the_inbox_goes_on(inbox: Path, fault: Exception) -> None:
    class Breaking(Notes):
        def read(self, delivery: Delivery, memory: Memory) -> Iterator[Event | Finding]:
            yield from super().read(delivery, memory)
            if delivery.pieces[0].name == "a.note":
                raise fault

    (inbox / "a.note").write_text("one")
    (inbox / "b.note").write_text("two")
    broker = Broker()

    outcomes = run(inbox, broker, connector=Breaking())

    assert [one.accepted for one in outcomes] == [False, True]
    assert broker.published == ["two"]
    assert "Osian" not in (inbox / "rejected" / "a.note.report.txt").read_text()


def test_a_file_that_may_not_be_read_is_put_aside(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def denied(path: Any, *given: Any, **more: Any) -> int:
        if Path(path).name == "a.note":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *given, **more)

    (inbox / "a.note").write_bytes(b"one")
    (inbox / "b.note").write_bytes(b"two")
    monkeypatch.setattr(os, "open", denied)

    outcomes = run(inbox, Broker())

    assert [one.accepted for one in outcomes] == [False, True]
    assert "cannot be read: Permission denied" in outcomes[0].reason


@pytest.mark.parametrize(
    "name",
    [b"a" * 250 + b".note", b"caf\xe9.note", b"a\nb.note", b"a\x1b[31m.note"],
    ids=["too long for its report", "no UTF-8", "two lines", "a terminal's colour"],
)
def test_a_file_of_any_name_is_taken(inbox: Path, name: bytes) -> None:
    path = inbox / os.fsdecode(name)
    path.write_text("one")
    (inbox / "z.note").write_text("two")
    broker = Broker()

    outcomes = run(inbox, broker)

    assert broker.published == ["one", "two"]
    assert (inbox / "accepted" / path.name).exists()
    assert len(list((inbox / "accepted").glob("*.report.txt"))) == 2
    assert all(file.isprintable() and file.encode() for outcome in outcomes for file in outcome.files)


def test_a_census_of_a_name_that_is_no_utf_8_is_read(inbox: Path) -> None:
    (inbox / os.fsdecode(b"caf\xe9.xml")).write_bytes(a_return(a_child("Q-1")))

    (outcome,) = run(inbox, Broker(), connector=CinCensus(), sets=False)

    assert outcome.accepted


def test_two_files_of_the_longest_name_stand_beside_each_other(inbox: Path) -> None:
    for word in ("one", "two"):
        (inbox / ("a" * 250 + ".note")).write_text(word)
        run(inbox, Broker())

    assert len(names(inbox / "accepted")) == 4


def test_an_event_that_publishing_would_refuse_is_a_finding_and_the_others_go_on(inbox: Path) -> None:
    def check(event: Event) -> None:
        if event.header.source.location == "two":
            raise TooLargeError("event has 300000 bytes, more than the broker takes")

    (inbox / "a.note").write_text("one two three")
    broker = Broker()

    (outcome,) = run(inbox, broker, check=check)

    assert broker.published == ["one", "three"]
    assert outcome.tally.findings == {("error", "too_large"): 1}
    report = (inbox / "accepted" / "a.note.report.txt").read_text()
    assert "2 events were published" in report
    assert "Not published: 1, each named below." in report


def test_what_was_refused_is_published_by_the_same_file_once_it_is_mended(inbox: Path) -> None:
    def check(event: Event) -> None:
        if event.header.source.location == "two":
            raise TimeError("the broker would refuse it")

    (inbox / "a.note").write_text("one two")
    run(inbox, Broker(), check=check)
    (inbox / "a.note").write_text("one two")
    broker = Broker()

    run(inbox, broker)
    (inbox / "a.note").write_text("one two")
    (third,) = run(inbox, broker)

    assert broker.published == ["two"]
    assert "delivered before" in third.reason


def test_of_what_is_refused_alone_nobody_is_told_that_it_was_accepted(inbox: Path) -> None:
    def check(_: Event) -> None:
        raise TimeError("the broker would refuse it")

    (inbox / "a.note").write_text("one")

    (outcome,) = run(inbox, Broker(), check=check)

    assert not outcome.accepted
    assert "the broker would refuse it: not published" in (inbox / "rejected" / "a.note.report.txt").read_text()


@pytest.mark.parametrize(
    ("connector", "name", "content", "what"),
    [
        (EncompassNotice(), "a.txt", "OPERATION ENCOMPASS NOTICE\nPolice reference: 1\nEND OF NOTICE\n", "names no child"),
        (EncompassNotice(), "a.txt", "OPERATION ENCOMPASS NOTICE\n" + "Place: x\n" * 9_000, "too long"),
        (Hl7Adt(), "a.hl7", "MSH|^~\\&|x\r", "MSH-9 does not say what the message is about"),
    ],
    ids=["nobody in it", "too long", "cut"],
)
def test_a_file_of_which_nothing_could_be_taken_is_rejected_and_read_again_when_it_comes_again(
    inbox: Path, connector: Connector, name: str, content: str, what: str
) -> None:
    for _ in range(2):
        (inbox / name).write_text(content)
        (outcome,) = run(inbox, Broker(), connector=connector, sets=False)

        assert not outcome.accepted
        assert outcome.reason == "there is an error in it, and nothing new beside that"
    assert what in (inbox / "rejected" / f"{name}.report.txt").read_text()
    assert names(inbox / "accepted") == []


def test_a_second_connector_on_the_same_inbox_is_told_so(inbox: Path) -> None:
    async def work() -> None:
        memories = [SqliteMemory(inbox.parent / f"{number}.sqlite") for number in (1, 2)]
        both = [Directory(inbox, Job(Notes(), AGENCY), Broker().publish, one, AT_ONCE).deliveries() for one in memories]
        (inbox / "a.note").write_text("one")
        try:
            await anext(both[0])
            await anext(both[1])
        finally:
            for deliveries, memory in zip(both, memories, strict=True):
                await deliveries.aclose()
                memory.close()

    with pytest.raises(StopError, match="another connector works on it"):
        asyncio.run(work())

    assert names(inbox / "accepted") == ["a.note", "a.note.report.txt"]


def a_link(path: Path) -> None:
    (path.parent.parent / "secret.txt").write_text("secret")
    path.symlink_to(path.parent.parent / "secret.txt")


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (a_link, "it is a link to another place, which is not followed"),
        (lambda path: path.symlink_to("nothing"), "it is a link to another place"),
        (lambda path: path.symlink_to("accepted"), "it is a link to another place"),
        (os.mkfifo, "it is a pipe and no file"),
        (a_socket, "it is a socket and no file"),
    ],
    ids=["link out", "link to nothing", "link to a folder", "pipe", "socket"],
)
def test_what_is_no_file_is_put_aside_with_a_word_and_never_followed(inbox: Path, make: Any, words: str) -> None:
    inbox.mkdir(exist_ok=True)
    make(inbox / "a\nb.note")
    (inbox / "z.note").write_text("good")
    broker = Broker()

    refused, taken = run(inbox, broker)

    assert (refused.accepted, taken.accepted, broker.published) == (False, True, ["good"])
    assert words in refused.reason
    assert refused.files == ("a?b.note",)
    assert words in (inbox / "rejected" / "a\nb.note.report.txt").read_text()
    assert os.path.lexists(inbox / "rejected" / "a\nb.note")
    assert not os.path.lexists(inbox / "a\nb.note")
    assert run(inbox, broker) == [], "said once"


def test_a_folder_is_left_where_it_is_with_a_word_at_every_start(inbox: Path) -> None:
    """Somebody may still be filling it, or keep it there on purpose: it is no delivery that failed."""
    (inbox / "week 12").mkdir()
    (inbox / "week 12" / "a.note").write_text("one")

    outcomes = [*run(inbox, Broker()), *run(inbox, Broker())]

    assert [(one.accepted, one.left) for one in outcomes] == [(False, True)] * 2
    assert "drop its files themselves into the inbox" in outcomes[0].reason
    assert "Left where it is" in (inbox / "rejected" / "week 12.report.txt").read_text()
    assert (inbox / "week 12" / "a.note").exists()


def test_a_file_that_was_swapped_for_a_link_after_it_was_looked_at_is_not_followed(
    inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (inbox.parent / "secret.note").write_text("secret")
    (inbox / "a.note").write_text("one")
    broker = Broker()

    class Swapping(Notes):
        def claims(self, names: tuple[str, ...]) -> bool:
            for path in (inbox / ".working").glob("*/a.note"):
                path.unlink()
                path.symlink_to(inbox.parent / "secret.note")
            return super().claims(names)

    (outcome,) = run(inbox, broker, connector=Swapping())

    assert (outcome.accepted, broker.published) == (False, [])
    assert "it is a link" in outcome.reason


def test_no_report_is_written_through_a_link(inbox: Path) -> None:
    """Whoever may drop files must not have the connector write over others elsewhere."""
    mine = inbox.parent / "mine.txt"
    mine.write_text("mine")
    (inbox / "accepted").mkdir(parents=True)
    (inbox / "accepted" / "a.note.report.txt").symlink_to(mine)
    (inbox / "accepted" / "b.note").symlink_to("nothing")
    for name in ("a.note", "b.note"):
        (inbox / name).write_text(name[0])

    run(inbox, Broker())

    assert mine.read_text() == "mine"
    assert not (inbox / "accepted" / "a.note.report.txt").is_symlink()
    assert (inbox / "accepted" / "b.note.2").read_text() == "b"
