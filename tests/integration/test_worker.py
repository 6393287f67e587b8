"""Workers on a real Kafka, from the first record to the last, through what happens to Kafka and to them."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from broker.core.model.ports import Outgoing
from broker.core.model.registers import ADMINISTRATOR
from broker.registerfile import load_content
from broker.sealing.signatures import new_key
from broker.stream.clients import Writer, open_producer
from broker.stream.node.kafka_node import KafkaNode
from broker.stream.node.kafka_probe import free_port
from broker.stream.releases.follow import release
from tests.area import POLICE, Area, create_topics, encompass
from tests.feed import Feed, Ledger, Subscribers, prepare
from tests.integration.apache_kafka import need_apache_kafka
from tests.patience import LONG, within
from tests.raw_batch import a_batch, patched, produce
from tests.worker import LEAVE_SECONDS, Worker, fetch, wait_for, workers

pytestmark = pytest.mark.kafka

CHILDREN = 24


def broker(area: Area, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "broker", *words, "--settings", str(area.settings_file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)


def alert(area: Area, count: int, ledger: Ledger, run: str) -> bool:
    """Publish alerts about known children and wait until every one was seen."""

    async def both() -> bool:
        async with Subscribers(area, ledger) as subscribers, open_producer(area.kafka) as producer:
            await Writer(producer).write(Feed(area, area.children(CHILDREN), ledger, run=run).make(count))
            return await subscribers.until(len(ledger.expected), LONG)

    return asyncio.run(both())


async def write(area: Area, *records: Outgoing) -> None:
    async with open_producer(area.kafka) as producer:
        await Writer(producer).write(records)


@pytest.fixture(scope="module")
def known(area: Area) -> Area:
    """The area with policy and registers in force and its children on their way."""
    asyncio.run(prepare(area, area.children(CHILDREN)))
    return area


def test_an_alert_reaches_its_school_and_nobody_else_and_everything_is_accounted_for(known: Area) -> None:
    ledger = Ledger("ES/first")
    port = free_port()
    with workers(known, 2, "--metrics-port", "0") as (first, second):
        assert alert(known, 40, ledger, "first")
        second.stop()
        code, took = first.stop()
    with workers(known, 1, "--metrics-port", str(port)):
        assert wait_for(lambda: fetch(f"http://127.0.0.1:{port}/health")[0] == 200), fetch(f"http://127.0.0.1:{port}/health")
        assert wait_for(lambda: "broker_workers 1.0" in fetch(f"http://127.0.0.1:{port}/metrics")[1])
        _, metrics = fetch(f"http://127.0.0.1:{port}/metrics")
        page, told = broker(known, "lag"), broker(known, "lag", "--json")
    equation = json.loads(broker(known, "reconcile", "--json").stdout)
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
    }

    assert (ledger.lost, ledger.misrouted, ledger.shown_twice) == (0, 0, 0)
    assert (code, took < within(LEAVE_SECONDS)) == (0, True)
    assert equation["balances"]
    assert equation["total"]["accepted"] == 2 * CHILDREN + 40
    assert equation["total"]["decided"] + equation["total"]["applied"] == 2 * CHILDREN + 40
    assert (page.returncode, told.returncode) == (0, 0), page.stdout
    at_risk = "40 alerts may not be received by the time they must be"  # when their school is about to begin its day
    assert "everything is up to date" in page.stdout or at_risk in page.stdout
    assert all(one["lag"] == 0 for one in json.loads(told.stdout)["partitions"])
    assert sum(one["count"] for one in json.loads(told.stdout)["undelivered"]) == 40, "nobody has said that it received any"
    assert samples["broker_records_total", "decided"] == 40
    assert samples["broker_decisions_total", "disclose"] == 40


def test_a_record_signed_by_an_unknown_key_waits_as_a_dead_letter_until_the_key_is_registered(
    known: Area, tmp_path: Path
) -> None:
    ledger = Ledger("ES/unknown-key")
    known.signers[POLICE] = new_key(tmp_path, POLICE)
    feed = Feed(known, known.children(CHILDREN), ledger, run="unknown-key")
    with workers(known):
        asyncio.run(write(known, *feed.make(1)))
        assert wait_for(lambda: "bad_signature" in broker(known, "dead-letters", "list").stdout)
        listed = broker(known, "dead-letters", "list")
        letter = json.loads(broker(known, "dead-letters", "list", "--json").stdout)
        told = broker(known, "explain", "--event", letter["event_id"])
        asyncio.run(release_registers(known))
        redriven = broker(known, "dead-letters", "redrive", "--reason", "bad_signature")
        seen = asyncio.run(watch(known, ledger))
    balance = broker(known, "reconcile")

    assert "if the agency has a new key, put it into the registers and release them" in " ".join(listed.stdout.split())
    assert "nothing was decided: it could not be taken: bad_signature" in told.stdout
    assert f"see `broker dead-letters show {letter['place']}`" in told.stdout
    assert redriven.stdout.startswith("1 record put back")
    assert seen
    assert broker(known, "dead-letters", "list").stdout == "no dead letters\n"
    assert "it balances: nothing vanished" in balance.stdout


def test_a_raw_client_cannot_hold_up_a_sector_with_a_header_name_that_is_no_text(known: Area) -> None:
    """Its record waits as a dead letter and says that it cannot be put back; the alerts around it arrive."""
    ledger = Ledger("ES/raw")
    first, poison, last = Feed(known, known.children(CHILDREN), ledger, run="raw").make(3)
    named = Outgoing(poison.topic, poison.key, poison.value, (*poison.headers, ("x-tracker", b"1")))
    ledger.expected.pop("ES/raw-1")
    batch = patched(a_batch([first, named, last]), b"x-tracker", b"\xff-tracker")
    with workers(known):
        assert asyncio.run(produce(known.kafka, poison.topic, 2, batch)) == 0
        assert asyncio.run(watch(known, ledger))
        assert wait_for(lambda: "malformed" in broker(known, "dead-letters", "list").stdout)
        redriven = broker(known, "dead-letters", "redrive", "--reason", "malformed")
        assert wait_for(lambda: all(not one["lag"] for one in lag(known))), "the commit went past it"
    balance = broker(known, "reconcile")

    assert "1 record cannot be put back as it came" in redriven.stdout
    assert "malformed" in broker(known, "dead-letters", "list").stdout
    assert "it balances: nothing vanished" in balance.stdout


def lag(area: Area) -> list[dict[str, int]]:
    return json.loads(broker(area, "lag", "--json").stdout)["partitions"]


async def release_registers(area: Area) -> None:
    area.registers_file.write_text("\n".join(area._entries()))
    async with open_producer(area.kafka) as producer:
        await release(producer, "registers", "tests-2", load_content(area.registers_file), area.signers[ADMINISTRATOR])


async def watch(area: Area, ledger: Ledger) -> bool:
    async with Subscribers(area, ledger) as subscribers:
        return await subscribers.until(len(ledger.expected), LONG)


@pytest.fixture
def own_node(tmp_path: Path) -> Iterator[tuple[KafkaNode, Area]]:
    """A Kafka whose plug a test may pull, and an area on it."""
    need_apache_kafka()
    node = KafkaNode(tmp_path / "kafka", port=free_port())
    area = Area(tmp_path / "area", node.address)
    area.write()
    yield node, area
    node.stop()


def test_a_worker_waits_for_a_kafka_that_is_away_goes_on_when_it_is_back_and_stops_when_it_came_back_empty(
    own_node: tuple[KafkaNode, Area], tmp_path: Path
) -> None:
    node, area = own_node
    ledger, worker = Ledger(), Worker(area).start()

    assert worker.said("kafka_waited_for"), "away at start: it waits"
    assert "does not answer" in broker(area, "lag").stderr, "a command says so in words"
    node.start()
    asyncio.run(create_topics(area))
    asyncio.run(prepare(area, area.children(CHILDREN)))
    assert worker.said("partitions_taken")
    assert alert(area, 10, ledger, "before")

    node.kill()
    node.start()
    assert alert(area, 10, ledger, "after"), worker.log.read_text()
    assert worker.stop()[0] == 0
    assert (ledger.lost, ledger.misrouted, ledger.shown_twice) == (0, 0, 0)

    node.stop()
    empty = KafkaNode(tmp_path / "empty", port=int(area.kafka.rpartition(":")[2]))
    try:
        empty.start()
        asyncio.run(create_topics(area))
        again = Worker(area, "again").start()
        assert again.process is not None
        assert again.process.wait(20) == 2
    finally:
        empty.stop()
    words = again.log.read_text()
    assert "another Kafka, or empty" in words
    assert "Traceback" not in words


def test_a_worker_that_cannot_reach_kafka_still_leaves_in_time(tmp_path: Path) -> None:
    area = Area(tmp_path / "area", f"127.0.0.1:{free_port()}")
    area.write()
    worker = Worker(area).start()
    assert worker.said("kafka_waited_for")

    code, took = worker.stop()

    assert (code, took < within(LEAVE_SECONDS)) == (0, True)


@pytest.mark.parametrize(
    ("why", "text", "words"),
    [
        ("nothing at all", "", ["`kafka`: missing", "`data`: missing", "`keys`: missing", "`area`: missing", "`mode`: missing"]),
        ("an unknown key", 'kafkaa = "x"\n', ["`kafkaa`: unknown key", "`kafka`: missing"]),
        ("not TOML", "kafka = \n", ["not TOML"]),
    ],
)
def test_settings_faults_are_told_all_at_once_in_one_line_each(why: str, text: str, words: list[str], tmp_path: Path) -> None:
    (tmp_path / "broker.toml").write_text(text)
    command = [sys.executable, "-m", "broker", "run", "--settings", str(tmp_path / "broker.toml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for one in words:
        assert one in done.stderr


def test_an_alert_is_the_same_once_after_a_worker_was_killed_in_the_middle(known: Area) -> None:
    ledger = Ledger("ES/killed")
    with workers(known, 1) as (first,):
        asyncio.run(write(known, *Feed(known, known.children(CHILDREN), ledger, run="killed").make(300)))
        first.kill()
    with workers(known, 1):
        assert asyncio.run(watch(known, ledger))
    equation = json.loads(broker(known, "reconcile", "--json").stdout)

    assert (ledger.lost, ledger.shown_twice) == (0, 0)
    assert equation["balances"]


def test_a_child_nobody_knows_goes_to_people_as_an_event_about_nobody(known: Area) -> None:
    stranger = known.child(CHILDREN + 5)
    with workers(known, 1):
        asyncio.run(write(known, known.sign(encompass(stranger, "stranger"))))
        assert wait_for(lambda: "1 review for people" in broker(known, "lag").stdout), broker(known, "lag").stdout
    equation = json.loads(broker(known, "reconcile", "--json").stdout)
    (review,) = (json.loads(line) for line in broker(known, "reviews", "list", "--json").stdout.splitlines())
    hears = ("subscribe", review["for_recipient"], "--from", "beginning", "--until-now")
    seen, again = broker(known, *hears), broker(known, *hears)
    by_event, by_review = (broker(known, "explain", "--event", review[name]) for name in ("event_id", "review_id"))
    unknown = broker(known, "explain", "--event", "no-such-event")

    assert f"broker reviews show {review['review_id']}" in seen.stdout, "the hub need not look into a list to hear of it"
    assert review["review_id"] not in again.stdout, "it is shown once"
    assert review["due_at"] == review["accepted_at"] + 3_600_000
    assert by_event.stdout == by_review.stdout
    assert "nothing was decided yet: a person has to first" in by_event.stdout
    assert f"see `broker reviews show {review['review_id']}`" in by_event.stdout
    assert (by_event.returncode, unknown.returncode) == (0, 2)
    assert "the log knows no event, decision or disclosure of this id" in unknown.stderr
    assert equation["total"]["in_review"] == 1
    assert equation["balances"]


def test_the_doctor_says_what_is_wrong_and_what_to_do(known: Area) -> None:
    with workers(known, 1):
        assert wait_for(lambda: broker(known, "doctor").returncode in {0, 1}), broker(known, "doctor").stdout
        well = broker(known, "doctor", "--json")
    assert wait_for(lambda: broker(known, "doctor").returncode == 4), "a worker that was killed is gone after its session"
    alone = broker(known, "doctor")
    findings = [json.loads(line) for line in well.stdout.splitlines()]

    by_people = {"alerts", "people"}  # nobody reads what the tests before have left
    assert {one["state"] for one in findings if one["what"] not in by_people} == {"well"}
    assert [one["what"] for one in findings] == [
        "settings", "data folder", "keys", "kafka", "topics", "clock", "registers", "policy", "recipients' topics", "access",
        "workers", "alerts", "people",
    ]  # fmt: skip
    assert alone.returncode == 4
    assert "✗ workers: none runs in group `safeguarding-broker`" in alone.stdout
    assert "→ broker run" in alone.stdout


def test_the_doctor_names_a_wrong_count_a_missing_key_and_a_damaged_file_each_with_its_remedy(
    known: Area, tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "audit-index.sqlite").write_bytes(b"garbage " * 2_000)
    settings = tmp_path / "broker.toml"
    settings.write_text(
        f'kafka = "{known.kafka}"\ndata = "state"\nkeys = "none"\narea = "E10000030"\nmode = "live"\npartitions = 7\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "broker", "doctor", "--settings", str(settings)],
        capture_output=True, text=True, timeout=LONG, check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()

    assert (done.returncode, done.stderr) == (4, "")
    assert "audit-index.sqlite` is damaged" in done.stdout
    assert "none/broker.keys`: not there: copy it from where a worker runs" in done.stdout
    assert sum("the count is part of the keys' meaning" in line for line in lines) == 1, "said once, not once a topic"
    assert "  → mend `partitions` in the settings: no command may change a topic's count" in lines


def test_the_doctor_of_a_set_up_that_is_not_there_yet(tmp_path: Path) -> None:
    area = Area(tmp_path / "area", f"127.0.0.1:{free_port()}")
    area.write()
    (tmp_path / "wrong.toml").write_text('kafka = "nowhere"\n')
    wrong = [sys.executable, "-m", "broker", "doctor", "--settings", str(tmp_path / "wrong.toml")]
    settings = subprocess.run(wrong, capture_output=True, text=True, timeout=LONG, check=False)

    away = broker(area, "doctor")

    assert (settings.returncode, away.returncode) == (4, 4)
    assert settings.stdout.count("✗ settings:") == 5, "every fault at once"
    assert "✗ kafka:" in away.stdout
    assert "→ start it, or mend `kafka` in the settings" in away.stdout
    assert "Traceback" not in settings.stderr + away.stderr


def a_busy_worker(node: KafkaNode, area: Area, ledger: Ledger) -> Worker:
    """A worker in the middle of three thousand alerts."""
    node.start()
    asyncio.run(create_topics(area))
    asyncio.run(prepare(area, area.children(CHILDREN)))
    worker = Worker(area).start()
    assert worker.said("partitions_taken")
    asyncio.run(write(area, *Feed(area, area.children(CHILDREN), ledger).make(3_000)))
    return worker


def test_a_busy_worker_leaves_in_time_though_kafka_went_away_under_it(own_node: tuple[KafkaNode, Area]) -> None:
    node, area = own_node
    worker = a_busy_worker(node, area, Ledger())
    node.kill()

    code, took = worker.stop()

    assert (code, took < within(LEAVE_SECONDS + 1)) == (0, True), "its clients would wait for ever"


@pytest.mark.deep
def test_a_worker_outlives_a_kafka_that_is_away_for_longer_than_its_clients_bear(own_node: tuple[KafkaNode, Area]) -> None:
    node, area = own_node
    ledger = Ledger()
    worker = a_busy_worker(node, area, ledger)
    node.kill()
    time.sleep(60)
    node.start()

    seen = asyncio.run(watch(area, ledger))

    assert seen
    assert worker.running
    assert (ledger.lost, ledger.shown_twice, ledger.misrouted) == (0, 0, 0)
    assert worker.stop()[0] == 0
