"""A file that is still being written waits, whoever writes it and however long the writer pauses."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.core.intake.delivery import Delivery, Finding, Memory
from broker.core.model.event import Event
from connectors.councils.cin_census import CinCensus
from connectors.transports import settling
from connectors.transports.settling import Patience, being_written
from tests.connectors.councils.cin_files import a_child, a_return
from tests.connectors.transports.notes import AT_ONCE, Broker, Notes, names, run

SHORT = Patience(settled=0.05, unsure=0.05, together=0.05, cut_off=30.0, look=0.02)
CENSUS = a_return(a_child("Q-1")).decode()


class Writer(threading.Thread):
    """Somebody who writes a file in two parts and pauses in between; `again`: closes it meanwhile."""

    def __init__(self, path: Path, parts: tuple[str, str], *, pause: float = 0.6, again: bool = False) -> None:
        super().__init__()
        self._path = path
        self._parts = parts
        self._pause = pause
        self._again = again
        self.began = threading.Event()
        self.start()
        self.began.wait()

    def run(self) -> None:
        first, second = self._parts
        with self._path.open("w") as out:
            out.write(first)
            out.flush()
            self.began.set()
            if not self._again:
                time.sleep(self._pause)
                out.write(second)
                return
        time.sleep(self._pause)
        with self._path.open("a") as out:
            out.write(second)


@pytest.fixture
def no_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that does not tell who has a file open."""
    monkeypatch.setattr(settling, "being_written", lambda _: None)


def test_the_system_tells_who_has_a_file_open_to_write_in_it(tmp_path: Path) -> None:
    path = tmp_path / "a.note"
    with path.open("w") as out:
        out.write("one")
        while_open = being_written(path)
    with path.open() as reading:
        while_read = being_written(path)
        assert reading.read() == "one"

    assert (while_open, while_read, being_written(path), being_written(tmp_path / "b.note")) == (True, False, False, None)


def test_a_writer_that_pauses_longer_than_a_file_needs_to_settle_is_waited_for(inbox: Path) -> None:
    writer = Writer(inbox / "a.note", ("one two", " three"))
    broker = Broker()

    (outcome,) = run(inbox, broker, patience=SHORT)
    writer.join()

    assert (outcome.accepted, broker.published) == (True, ["one", "two", "three"])
    assert (inbox / "accepted" / "a.note").read_text() == "one two three"


def test_a_file_that_somebody_holds_open_for_ever_is_taken_in_the_end(inbox: Path) -> None:
    broker = Broker()
    with (inbox / "a.note").open("w") as out:
        out.write("one")
        out.flush()
        run(inbox, broker, patience=Patience(settled=0, unsure=0, together=0, cut_off=0, forgotten=0.2, look=0.02))

    assert broker.published == ["one"]


@pytest.mark.usefixtures("no_leases")
def test_where_nobody_can_tell_a_file_needs_longer_to_settle(inbox: Path) -> None:
    writer = Writer(inbox / "a.note", ("one two", " three"), pause=0.3)
    broker = Broker()

    run(inbox, broker, patience=Patience(settled=0, unsure=0.6, together=0, cut_off=0, look=0.02))
    writer.join()

    assert broker.published == ["one", "two", "three"]


@pytest.mark.usefixtures("no_leases")
def test_the_clock_of_another_machine_makes_no_file_whole(inbox: Path) -> None:
    """A share's own clock may be ahead of this machine's."""
    path = inbox / "a.note"
    path.write_text("one")
    ahead = time.time() + 3_600
    os.utime(path, (ahead, ahead))
    began = time.monotonic()

    run(inbox, Broker(), patience=Patience(settled=0, unsure=0.3, together=0, cut_off=0, look=0.02))

    assert time.monotonic() - began >= 0.3


@pytest.mark.usefixtures("no_leases")
@pytest.mark.parametrize(
    ("reading", "published"),
    [(1, ["one", "two", "three"]), (2, ["one", "two", "one", "two", "three"])],
    ids=["at the rehearsal", "when it is published"],
)
def test_what_grows_while_it_is_read_goes_back_and_is_read_whole(inbox: Path, reading: int, published: list[str]) -> None:
    """The writer holds the file itself, not its name: it goes on writing wherever the file is moved."""
    out = (inbox / "a.note").open("w")
    out.write("one two")
    out.flush()
    os.utime(inbox / "a.note", (0, 0))
    broker = Broker()

    (outcome,) = run(inbox, broker, connector=_Disturbed(reading, lambda: (out.write(" three"), out.close())), patience=AT_ONCE)

    assert outcome.accepted
    assert broker.published == published
    assert names(inbox / "accepted") == ["a.note", "a.note.report.txt"]
    assert list((inbox / ".working").iterdir()) == []


@pytest.mark.usefixtures("no_leases")
def test_what_grows_while_it_is_refused_is_not_refused(inbox: Path) -> None:
    out = (inbox / "a.note").open("w")
    out.write("one !")
    out.flush()
    broker = Broker()

    def mend() -> None:
        out.seek(0)
        out.write("one 2")
        out.close()

    (outcome,) = run(inbox, broker, connector=_Disturbed(1, mend))

    assert (outcome.accepted, broker.published) == (True, ["one", "2"])


class _Disturbed(Notes):
    """At the end of one of its readings, something happens to the file."""

    def __init__(self, reading: int, happens: Callable[[], object]) -> None:
        self._left = reading
        self._happens = happens

    def read(self, delivery: Delivery, memory: Memory) -> Iterator[Event | Finding]:
        self._left -= 1
        try:
            yield from super().read(delivery, memory)
        finally:
            if self._left == 0:
                self._happens()


@pytest.mark.usefixtures("no_leases")
@pytest.mark.parametrize("again", [False, True], ids=["one handle", "closed and opened again"])
def test_a_young_census_that_breaks_off_waits_for_its_end(inbox: Path, *, again: bool) -> None:
    half = len(CENSUS) // 2
    writer = Writer(inbox / "a.xml", (CENSUS[:half], CENSUS[half:]), again=again)

    (outcome,) = run(inbox, Broker(), connector=CinCensus(), sets=False, patience=SHORT)
    writer.join()

    assert outcome.accepted, outcome.reason
    assert (inbox / "accepted" / "a.xml").read_text() == CENSUS
    assert names(inbox / "rejected") == []


def test_a_census_that_breaks_off_is_refused_once_nobody_can_still_be_writing_it(inbox: Path) -> None:
    """And for what it waits is said once, at its beginning."""
    (inbox / "a.xml").write_text(CENSUS[:40])
    began = time.monotonic()
    patience = Patience(settled=0, unsure=0, cut_off=0.6, look=0.02)
    heard: list[tuple[str, bool]] = []

    def say(what: str) -> None:
        heard.append((what, time.monotonic() - began < 0.6))

    (outcome,) = run(inbox, Broker(), connector=CinCensus(), sets=False, patience=patience, say=say)

    assert not outcome.accepted
    assert "breaks off" in outcome.reason
    assert 0.6 <= time.monotonic() - began < 10
    assert heard == [("a.xml ends in the middle: waiting up to 1 s for the rest", True)]


def test_a_file_that_somebody_holds_open_is_waited_for_aloud(inbox: Path) -> None:
    heard: list[str] = []
    with (inbox / "a.note").open("w") as out:
        out.write("one")
        out.flush()
        patience = Patience(settled=0.05, unsure=0, together=0, cut_off=0, forgotten=0.4, look=0.02)
        run(inbox, Broker(), patience=patience, say=heard.append)

    assert heard == ["a.note stays open to whoever writes it: waiting up to 0 s"]


def test_an_old_file_that_breaks_off_is_refused_at_once(inbox: Path) -> None:
    (inbox / "a.xml").write_text(CENSUS[:40])
    os.utime(inbox / "a.xml", (0, 0))

    (outcome,) = run(inbox, Broker(), connector=CinCensus(), sets=False, patience=SHORT)

    assert not outcome.accepted


class _Ending(Notes):
    """Notes whose last line `...` says that the file goes on."""

    def read(self, delivery: Delivery, memory: Memory) -> Iterator[Event | Finding]:
        yield from super().read(delivery, memory)
        with delivery.pieces[0].open() as stream:
            if stream.read().endswith(b"..."):
                yield Finding("error", "cut", "the end", "it breaks off", "send it whole", cut_off=True)


def test_a_young_file_whose_last_record_breaks_off_waits_and_an_old_one_is_read_with_a_finding(inbox: Path) -> None:
    (inbox / "a.note").write_text("one ...")
    broker = Broker()

    (outcome,) = run(
        inbox, broker, connector=_Ending(), patience=Patience(settled=0, unsure=0, together=0, cut_off=0.4, look=0.02)
    )

    assert outcome.accepted
    assert outcome.tally.findings == {("error", "cut"): 1}
    assert broker.published[0] == "one"
