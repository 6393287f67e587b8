"""`broker connect` on a real Kafka: files in, notices out, each once, and a clean end."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from broker.cli import cli
from broker.codec import decode, decode_event, encode
from broker.core.model.ports import Outgoing, Record
from broker.core.model.registers import ADMINISTRATOR
from broker.errors import DataLossError
from broker.registerfile import load_content, load_registers
from broker.stream.clients import Writer, open_consumer, open_producer
from broker.stream.releases.registers import release_registers
from broker.stream.topics import EVENTS, RECEIPTS, disclosures_topic
from broker.stream.watching.places import places_of
from connectors.transports.memory import SqliteMemory
from tests.area import TRUST, Area
from tests.patience import LONG, within

pytestmark = pytest.mark.kafka

SCHOOL, DESK = "urn:100001", "dsl-100001"
ROLL = """\
pupilonrolltableid,NativeId,pupilonrollorderseqcolumn,dob,surname,forename,upn,sex,entrydate
t1,SCH1,1,2014-May-03 00:00:00,Quill,Ada,A950000178301,F,2025-Sep-02 00:00:00
t2,SCH1,1,2012-Nov-30 00:00:00,Sedge,Ben,H243278544154,M,2024-Sep-03 00:00:00
"""
ATTENDED = """\
MSH|^~\\&|PAS|RXX01|R|R|202609011000||ADT^A04|C1|P|2.4
PID|1||77^^^RXX01^MR||QUILL^ADA||20140503|2
PV1|1|E|||||||||||||||||V1
"""


@pytest.fixture(scope="module")
def released_area(area: Area) -> Area:
    registers = load_registers(area.registers_file)
    asyncio.run(release_registers(area.kafka, registers, load_content(area.registers_file), area.signers[ADMINISTRATOR]))
    return area


def connect(area: Area, *words: str) -> Result:
    return CliRunner().invoke(cli, ["connect", *words, "--settings", str(area.settings_file)])


def log_of(area: Area, topic: str) -> list[Record]:
    async def read() -> list[Record]:
        found: list[Record] = []
        async with open_consumer(area.kafka) as consumer:
            places = await places_of(area.kafka, [topic])
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends = await consumer.end_offsets(places)
            while any([await consumer.position(place) < end for place, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [
                        Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers)) for r in records
                    ]
        return found

    return asyncio.run(read())


def test_files_in_an_inbox_are_published_once_and_signed_by_their_agency(released_area: Area, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "2025_autumn_pupilonroll.csv").write_text(ROLL)
    words = ("school-census", "--agency", SCHOOL, "--inbox", str(inbox), "--once", "--json")

    first = connect(released_area, *words)
    (inbox / "2025_autumn_pupilonroll.csv").write_text(ROLL)
    again = connect(released_area, *words)
    records = log_of(released_area, EVENTS[released_area.agencies[SCHOOL]])

    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout) == {
        "files": ["2025_autumn_pupilonroll.csv"],
        "accepted": True,
        "reason": None,
        "published": {"school.pupil.registered": 2},
        "findings": {},
    }
    assert json.loads(again.stdout)["published"] == {}
    assert Counter(decode_event(record.value or b"").header.event_type for record in records) == {"school.pupil.registered": 2}
    assert all(record.header("sb_signature") for record in records)
    assert (inbox / "accepted" / "2025_autumn_pupilonroll.csv.report.txt").exists()


def test_a_memory_of_another_log_publishes_nothing_until_it_is_forgotten(released_area: Area, tmp_path: Path) -> None:
    """Also where whoever keeps the place has said that another Kafka is meant: what the connector told is not in it."""
    area, school = released_area, "urn:100002"
    about = ("school-census", "--agency", school)
    words = (*about, "--inbox", str(tmp_path / "inbox"), "--once", "--json")
    (tmp_path / "inbox").mkdir()
    file = tmp_path / "inbox" / "2025_autumn_pupilonroll.csv"

    file.write_text(ROLL)
    first = connect(area, *words)
    memory = SqliteMemory(area.folder / "state" / "connect" / "urn_100002-school-census.sqlite")
    topic = EVENTS[area.agencies[school]]
    here = memory.log(topic)
    memory.note_log(topic, "another")
    memory.close()
    file.write_text(ROLL)
    refused = connect(area, *words)
    forgotten = connect(area, *about, "--forget-all", "--yes")
    again = connect(area, *words)

    assert here not in {None, "another"}
    assert isinstance(refused.exception, DataLossError)
    assert "--forget-all lets it publish its next files whole" in str(refused.exception)
    assert forgotten.exit_code == 0
    assert [json.loads(one.stdout)["published"] for one in (first, again)] == [{"school.pupil.registered": 2}] * 2


def test_a_rejected_file_is_an_exit_status_and_a_reason_beside_it(released_area: Area, tmp_path: Path) -> None:
    words = ("hl7v2-adt", "--agency", TRUST, "--inbox", str(tmp_path), "--once")
    empty = connect(released_area, *words)
    (tmp_path / "notes.hl7").write_text("this is a letter")

    result = connect(released_area, *words)

    assert (empty.exit_code, empty.stdout, empty.stderr) == (0, "", f"nothing to read in {tmp_path}\n")
    assert result.exit_code == 3
    assert "notes.hl7: rejected" in result.stdout
    assert "holds no HL7" in (tmp_path / "rejected" / "notes.hl7.report.txt").read_text()


@pytest.mark.parametrize(
    ("words", "said", "why"),
    [
        (("hl7v2-adt", "--agency", SCHOOL, "--inbox", "x"), "name the right agency", "a school has no hospital messages"),
        (
            ("hl7v2-adt", "--agency", "hub", "--inbox", "x"),
            "is not in the registers in force",
            "a recipient that publishes nothing",
        ),
    ],
)
def test_the_wrong_agency_is_told_so_in_words(released_area: Area, words: tuple[str, ...], said: str, why: str) -> None:
    result = connect(released_area, *words, "--once")

    assert said in str(result.exception), why


def test_a_running_connector_takes_what_comes_and_ends_cleanly_when_asked(released_area: Area, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    command = [sys.executable, "-m", "broker", "connect", "hl7v2-adt", "--agency", TRUST, "--inbox", str(inbox)]
    running = subprocess.Popen(
        [*command, "--settings", str(released_area.settings_file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        _until((inbox / "accepted").is_dir)
        (inbox / "feed.hl7").write_text(ATTENDED)
        _until((inbox / "accepted" / "feed.hl7").exists)
        asked = time.monotonic()
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=LONG)
    finally:
        running.kill()

    assert time.monotonic() - asked < within(5)
    assert running.returncode == 0
    assert "feed.hl7: 1 event published" in out
    assert "1  The child was brought to an emergency department (health.ed.attended)" in out
    assert "stopped" in err
    assert "Traceback" not in err


def _until(happened: object, seconds: float = LONG) -> None:
    end = time.monotonic() + seconds
    while not happened():  # type: ignore[operator]  # a test's condition
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def _disclosure(name: str, event_type: str, kind: str = "ALERT") -> Outgoing:
    said = {
        "disclosure_id": name,
        "recipient": DESK,
        "role": "dsl",
        "child": "p-1",
        "kind": kind,
        "event_type": event_type,
        "issued_at": 1_790_000_000_000,
        "lawful_basis": "public task",
        "because": ["a child of the school was there"],
        "token": b"token",
        "identity": {
            "names": [{"given": "Ada", "family": "Quill", "kind": "usual"}],
            "birth_date": "2014-05-03",
            "identifiers": [],
        },
        "concern": {"reference": "42/1/26", "child_present": "yes", "codes": []},
    }
    return Outgoing(disclosures_topic(DESK), b"p-1", encode("disclosure", said))  # type: ignore[arg-type]  # a name in a test


def test_notices_are_written_once_and_confirmed_with_the_recipient_s_key(released_area: Area, tmp_path: Path) -> None:
    disclosures = (
        _disclosure("d-notice1", "police.encompass.notified"),
        _disclosure("d-notice1", "police.encompass.notified"),
        _disclosure("d-other", "school.concern.raised"),
    )

    async def tell() -> None:
        async with open_producer(released_area.kafka) as producer:
            await Writer(producer).write(disclosures)

    asyncio.run(tell())
    words = ("encompass-notice", "--deliver", DESK, "--outbox", str(tmp_path), "--once")
    first, second = connect(released_area, *words), connect(released_area, *words)
    receipts = [decode("receipt", record.value or b"") for record in log_of(released_area, RECEIPTS)]
    read = CliRunner().invoke(cli, ["acknowledge", DESK, "d-notice1", "--settings", str(released_area.settings_file)])

    assert (first.exit_code, second.exit_code) == (0, 0), first.output
    assert [path.name for path in tmp_path.iterdir()] == ["d-notice1.txt"]
    assert "Child surname: Quill" in (tmp_path / "d-notice1.txt").read_text()
    assert second.stdout == ""
    assert second.stderr == f"no new notice for Desk {DESK} ({DESK})\n"
    assert [(one["disclosure_id"], one["state"], one["recipient"]) for one in receipts] == [("d-notice1", "DELIVERED", DESK)]
    assert "read" in read.stdout
