"""A file that is put right says it: also where it is then, byte for byte, one that was delivered before."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from broker.core.model.event import Action, Event
from connectors.registry import CONNECTORS
from connectors.transports.directory import Directory, Job
from connectors.transports.memory import SqliteMemory
from tests.connectors.contract import Case
from tests.connectors.councils.test_cin_census import CASE as RETURN
from tests.connectors.councils.test_sui_extract import CASE as EXTRACT
from tests.connectors.health.test_hl7v2_adt import CASE as MESSAGES
from tests.connectors.police.test_encompass_notice import CASE as NOTICES
from tests.connectors.police.test_encompass_notice import NOTICE
from tests.connectors.schools.test_school_census import CASE as CENSUS
from tests.connectors.transports.notes import AT_ONCE, Broker, run

Files = dict[str, bytes]


def drop(inbox: Path, case: Case, files: Files) -> list[Event]:
    """Drop a set of files and return what is published of it."""
    told: list[Event] = []

    async def publish(events: Iterable[Event]) -> None:
        told.extend(events)

    async def work() -> None:
        memory = SqliteMemory(inbox.parent / "state" / "memory.sqlite")
        kind = CONNECTORS[case.connector.name]
        job = Job(case.connector, case.agency(), sets=kind.sets, messages=kind.messages)
        try:
            async for outcome in Directory(inbox, job, publish, memory, AT_ONCE).deliveries(once=True):
                assert outcome.accepted, outcome.reason
        finally:
            memory.close()

    for name, content in files.items():
        (inbox / name).write_bytes(content)
    asyncio.run(work())
    return told


def changed(case: Case, old: bytes, new: bytes) -> Files:
    files = {name: content.replace(old, new) for name, content in case.files.items()}
    assert files != case.files
    return files


def test_an_extract_as_it_was_before_a_slip_takes_the_slip_back(inbox: Path) -> None:
    slip = changed(EXTRACT, b"2015", b"2016")
    drop(inbox, EXTRACT, EXTRACT.files)
    wrong = drop(inbox, EXTRACT, slip)

    right = drop(inbox, EXTRACT, EXTRACT.files)

    assert wrong
    assert {event.header.supersedes for event in right} == {event.header.event_id for event in wrong}
    assert drop(inbox, EXTRACT, EXTRACT.files) == []


def test_a_notice_that_was_withdrawn_by_mistake_is_told_anew(inbox: Path) -> None:
    notice, withdrawn = {"n.txt": NOTICE.encode()}, {"n.txt": NOTICE.replace("Grade: medium", "Standing: withdrawn").encode()}

    told = [drop(inbox, NOTICES, files) for files in (notice, withdrawn, notice, notice)]

    assert [[event.header.action for event in events] for events in told] == [[Action.NEW], [Action.RETRACT], [Action.NEW], []]


def test_a_suspension_that_was_left_out_by_mistake_is_told_anew(inbox: Path) -> None:
    table = next(name for name in CENSUS.files if "xclusion" in name.lower())
    lines = CENSUS.files[table].splitlines(keepends=True)
    without = {**CENSUS.files, table: b"".join(lines[:1] + lines[2:])}

    first, gone, back = (drop(inbox, CENSUS, files) for files in (CENSUS.files, without, CENSUS.files))

    assert [event.header.action for event in gone] == [Action.RETRACT]
    assert [event.header.event_type for event in back] == [event.header.event_type for event in gone]
    assert back[0].header.action is Action.NEW
    assert back[0].header.event_id not in {event.header.event_id for event in (*first, *gone)}


@pytest.mark.parametrize("case", [EXTRACT, NOTICES, CENSUS, MESSAGES, RETURN], ids=lambda case: str(case.connector.name))
def test_the_same_file_after_others_publishes_nothing_twice(inbox: Path, case: Case) -> None:
    drop(inbox, case, case.files)
    deliver_others(inbox)

    assert drop(inbox, case, case.files) == []


def deliver_others(inbox: Path) -> None:
    """Deliver other files in between, as the memory sees it."""
    memory = SqliteMemory(inbox.parent / "state" / "memory.sqlite")
    memory.note_delivered("0" * 64, 1)  # type: ignore[arg-type]  # any digest but theirs
    memory.close()


def test_messages_are_said_once_whatever_comes_after(inbox: Path) -> None:
    for name, words in (("a", "one"), ("b", "two"), ("a", "one")):
        (inbox / f"{name}.note").write_text(words)
        (outcome,) = run(inbox, Broker(), messages=True)

    assert "delivered before" in outcome.reason
