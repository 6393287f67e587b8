"""What operators rely on, on a real Kafka: releases, dead letters put back, open work, and what the commands say."""

import asyncio
import json
import time
from collections.abc import Sequence

import pytest
from click.testing import CliRunner, Result

from broker.cli import cli
from broker.codec import encode
from broker.core.model.identifiers import Digest, digest
from broker.core.model.ports import CAUSE, ORIGIN, Outgoing, Position, Record
from broker.core.model.registers import ADMINISTRATOR
from broker.errors import BrokerError, RetryError
from broker.registerfile import load_content
from broker.settings import Settings, load_settings
from broker.stream.clients import Writer, open_consumer, open_producer
from broker.stream.dead_letters import read_dead_letters, redrive
from broker.stream.engine.chunk import ATTEMPT, dead_letter
from broker.stream.log_ends import log_ends
from broker.stream.releases.book import ReleaseBook
from broker.stream.releases.follow import EPOCH, Releases, release
from broker.stream.topics import CANDIDATES, DEAD_LETTERS, DISCLOSURES, EVENTS, RECEIPTS, REVIEWS, SUBJECTS
from broker.stream.watching.places import places_of
from broker.stream.watching.watch import open_watch
from tests.area import Area, encompass

pytestmark = pytest.mark.kafka

POLICE_TOPIC = next(topic for sector, topic in EVENTS.items() if sector.value == "POLICE")


@pytest.fixture
def settings(area: Area) -> Settings:
    return load_settings(area.settings_file)


def broker(area: Area, *words: str) -> Result:
    return CliRunner().invoke(cli, [*words, "--settings", str(area.settings_file)])


async def write(kafka: str, *records: Outgoing) -> None:
    async with open_producer(kafka) as producer:
        await Writer(producer).write(records)


async def read(kafka: str, topic: str) -> list[Record]:
    async with open_consumer(kafka, topic) as consumer:
        ends = await log_ends(consumer, list(consumer.assignment()))
        found: list[Record] = []
        for place, end in ends.items():
            while await consumer.position(place) < end:
                found += (await consumer.getmany(place, timeout_ms=500)).get(place, [])
        return found


async def test_a_release_is_whole_before_its_epoch_stands_in_every_line(area: Area) -> None:
    content = b'{"version":"1"}'
    book = ReleaseBook(lambda found: found)
    async with open_consumer(area.kafka) as consumer, open_producer(area.kafka) as producer:
        releases = Releases(area.kafka, consumer, book)
        await releases.start()
        waiting = asyncio.create_task(releases.wait_for("policy", digest(content)))
        administrator = area.signers[ADMINISTRATOR]
        await release(producer, "registers", "1", load_content(area.registers_file), administrator)
        made = await release(producer, "policy", "1", content, administrator)
        await asyncio.wait_for(waiting, 5)
        await releases.stop()
    epochs = [
        record for record in await read(area.kafka, SUBJECTS) if dict(record.headers).get(EPOCH, b"").startswith(b"policy:")
    ]

    assert made.digest == digest(content)
    assert book.content("policy", made.digest) == content
    assert sorted(record.partition for record in epochs) == list(range(area.partitions))


async def test_a_version_that_has_not_come_is_waited_for_not_guessed() -> None:
    with pytest.raises(RetryError, match="has not come yet"):
        ReleaseBook(lambda found: found).policy(Digest("0" * 64))


async def test_a_dead_letter_goes_back_as_it_came_and_counts_as_one_attempt_more(area: Area) -> None:
    signed = area.sign(encompass(area.child(1), "dead"))
    record = Record(signed.topic, 2, 40, 0, signed.key, signed.value, signed.headers)
    await write(area.kafka, dead_letter(record, "bad_signature"))

    (letter,) = await read_dead_letters(area.kafka)
    async with open_producer(area.kafka) as producer:
        count = await redrive(Writer(producer), [letter])
    (back,) = await read(area.kafka, POLICE_TOPIC)

    assert count == 1
    assert (back.partition, back.key, back.value) == (2, signed.key, signed.value)
    assert dict(back.headers) == {**dict(signed.headers), ATTEMPT: b"2"}
    assert await read_dead_letters(area.kafka) == []


async def test_between_stages_a_dead_letter_goes_back_on_a_lane_of_its_own(area: Area) -> None:
    origin = bytes(Position(f"{POLICE_TOPIC}/1", 7))
    record = Record(CANDIDATES, 1, 3, 0, b"key", b"bytes of no schema", ((ORIGIN, origin), (CAUSE, origin)))
    await write(area.kafka, dead_letter(record, "unknown_schema"))

    (letter,) = await read_dead_letters(area.kafka)
    async with open_producer(area.kafka) as producer:
        await redrive(Writer(producer), [letter])
    (back,) = await read(area.kafka, CANDIDATES)
    headers = dict(back.headers)

    assert headers[ORIGIN] == origin, "the reconciler still knows which accepted record it is"
    assert Position.parse(headers[CAUSE]) == Position(f"redriven:{CANDIDATES}/1@3", 2), "its old position would count as a repeat"


def test_the_commands_list_show_and_redrive_without_a_childs_name(area: Area) -> None:
    child = area.child(2)
    signed = area.sign(encompass(child, "listed"))
    asyncio.run(
        write(area.kafka, dead_letter(Record(signed.topic, 0, 9, 0, signed.key, signed.value, signed.headers), "too_large"))
    )
    place = f"{signed.topic}/0@9"

    listed, as_json = broker(area, "dead-letters", "list"), broker(area, "dead-letters", "list", "--json")
    shown = broker(area, "dead-letters", "show", place)
    missing = broker(area, "dead-letters", "show", "events.police.v1/0@77")
    redriven = broker(area, "dead-letters", "redrive", place)
    empty = broker(area, "dead-letters", "list")

    assert [result.exit_code for result in (listed, as_json, shown, redriven, empty)] == [0] * 5
    assert place in listed.output
    for result in (listed, shown):
        assert "is larger than the broker takes (too_large)" in result.output
        assert (
            "Police attended domestic abuse in a home to which the child is linked (police.encompass.notified)" in result.output
        )
    assert json.loads(as_json.output)["event_type"] == "police.encompass.notified"
    assert "its publisher has to send" in shown.output
    assert isinstance(missing.exception, BrokerError)
    assert "see `broker dead-letters list`" in str(missing.exception)
    assert redriven.output.startswith("1 record put back")
    assert empty.output.endswith("no dead letters\n")
    for result in (listed, as_json, shown):
        assert child.name["family"] not in result.output
        assert child.birth_date not in result.output


def test_a_closed_dead_letter_is_nobodys_work_any_more_and_can_still_be_put_back(area: Area) -> None:
    signed = area.sign(encompass(area.child(3), "closed"))
    asyncio.run(
        write(area.kafka, dead_letter(Record(signed.topic, 0, 9, 0, signed.key, signed.value, signed.headers), "too_large"))
    )
    place = f"{signed.topic}/0@9"

    closed = broker(area, "dead-letters", "close", place, "--because", "sent-again")
    left, listed, shown = (broker(area, "dead-letters", *words) for words in (("list",), ("list", "--closed"), ("show", place)))
    twice = broker(area, "dead-letters", "redrive", "--all")
    back = broker(area, "dead-letters", "redrive", place)
    over = broker(area, "dead-letters", "list", "--closed")

    assert closed.output == "1 dead letter closed: its publisher has sent it again, or what takes its place\n"
    assert left.output.endswith("no dead letters\n")
    assert place in listed.output
    assert "its publisher has sent it again" in shown.output
    assert twice.output.endswith("no dead letters to put back\n"), "what is closed goes back by its place alone"
    assert back.output.startswith("1 record put back")
    assert over.output.endswith("no closed dead letters\n")


def a_disclosure(name: str, recipient: str, now: int, due_at: int | None = None) -> Outgoing:
    message = {
        "disclosure_id": name, "recipient": recipient, "role": "dsl", "child": "c", "kind": "ALERT", "event_type": "t",
        "issued_at": now - 60_000, "lawful_basis": "b", "token": b"", "due_at": due_at,
    }  # fmt: skip
    return Outgoing(DISCLOSURES, name.encode(), encode("disclosure", message))


def a_receipt(name: str, recipient: str, now: int) -> Outgoing:
    message = {"disclosure_id": name, "recipient": recipient, "state": "DELIVERED", "said_at": now, "token": b""}
    return Outgoing(RECEIPTS, name.encode(), encode("receipt", message))


def a_review(name: str, state: str, now: int, cause: bytes | None = b"subjects.v1/0@1+0") -> Outgoing:
    message = {
        "review_id": name, "kind": "UNIDENTIFIED", "state": state, "for_recipient": "hub", "opened_at": now - 5_000,
        "event_id": "e", "event_type": "t", "producer": "p", "why": "w", "matching_key": "m",
    }  # fmt: skip
    return Outgoing(REVIEWS, name.encode(), encode("review", message), ((CAUSE, cause),) if cause else ())


async def taken(kafka: str, group: str) -> None:
    """Commit everything of the receipts as the workers do once the stage has taken them."""
    async with open_consumer(kafka, group=group) as consumer:
        places = await places_of(kafka, [RECEIPTS])
        consumer.assign(places)
        await consumer.commit(await consumer.end_offsets(places))


async def test_open_work_is_what_was_disclosed_and_not_received_and_what_people_have_not_decided(
    area: Area, settings: Settings
) -> None:
    now = time.time_ns() // 1_000_000
    records: Sequence[Outgoing] = (
        a_disclosure("d1", "dsl-1", now, due_at=now + 60_000),
        a_disclosure("d2", "dsl-1", now),
        a_receipt("d2", "dsl-1", now),
        a_review("r1", "OPEN", now),
        a_review("r2", "OPEN", now),
        a_review("r2", "RESOLVED", now),
        a_review("r1", "RESOLVED", now, None),  # who can write there says so: no stage of the broker does
        a_review("r3", "OPEN", now, None),
    )
    await write(area.kafka, *records)
    await taken(area.kafka, settings.group)
    async with open_watch(settings) as watch:
        report = await watch.look()
        await write(area.kafka, a_receipt("d1", "dsl-1", now))
        await taken(area.kafka, settings.group)
        after = await watch.look()

    (one,) = report.undelivered
    assert (one.recipient, one.count, one.at_risk) == ("dsl-1", 1, 1)
    assert report.reviews == {"UNIDENTIFIED": 1}
    assert after.undelivered == ()


async def test_a_receipt_that_was_refused_or_not_looked_at_yet_hides_no_alert(area: Area, settings: Settings) -> None:
    """Anybody who can write there can say that an alert was received: it counts once it was checked who says so."""
    now = time.time_ns() // 1_000_000
    await write(area.kafka, a_disclosure("d3", "dsl-3", now), a_receipt("d3", "dsl-3", now))
    async with open_watch(settings) as watch:
        unchecked = await watch.look()
        (said,) = [one for one in await read(area.kafka, RECEIPTS) if one.key == b"d3"]
        record = Record(RECEIPTS, said.partition, said.offset, now, said.key, said.value, ())
        await write(area.kafka, dead_letter(record, "bad_signature"))
        await taken(area.kafka, settings.group)
        refused = await watch.look()
        await write(area.kafka, Outgoing(DEAD_LETTERS, bytes(Position(f"{RECEIPTS}/{said.partition}", said.offset)), None))
        put_back = await watch.look()
    async with open_watch(settings) as watch:
        from_the_start = await watch.look()
        await write(area.kafka, a_receipt("d3", "dsl-3", now))
        await taken(area.kafka, settings.group)
        checked = await watch.look()

    for report in (unchecked, refused, put_back, from_the_start):
        assert [one.recipient for one in report.undelivered] == ["dsl-3"]
    assert checked.undelivered == ()


def test_lag_says_that_no_worker_runs_and_exits_so_that_a_monitor_notices(area: Area) -> None:
    page, told = broker(area, "lag"), broker(area, "lag", "--json")

    assert (page.exit_code, told.exit_code) == (4, 4)
    assert "stopped: no worker reads it; start a worker" in page.output
    assert json.loads(told.stdout)["status"] == "STOP"
