"""What stock Faust loses and our transport does not, on real Kafka; and what is lost when a protection is taken out.

Each fault happens once. A run is then started again, as a supervisor would, and what came out is compared with what went in.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import NewTopic, RecordsToDelete

from broker.core.model.ports import STATE_VERSION, Outgoing, Record
from broker.stream.clients import Writer, open_admin, open_producer
from broker.stream.engine.chunk import DEAD_LETTERS
from tests.integration.log_of_a_run import PARTITIONS, Run, a_run, ended, leave
from tests.patience import within
from tests.raw_batch import GZIP, LZ4, SNAPPY, ZSTD, a_batch, patched, produce

pytestmark = pytest.mark.kafka

HUNDRED = [b"%d" % number for number in range(100)]
ATTEMPTS = 5  # a loss without a protection is a race with the commit: not in every run, least of all on a busy machine


@pytest.fixture
async def run(kafka: str, tmp_path: Path) -> AsyncIterator[Run]:
    async with a_run(kafka, tmp_path) as made:
        yield made


async def two_lives(run: Run, *options: str) -> list[bytes]:
    """Let a worker meet its fault, start it again when that ended it, and return what was lost."""
    await run.feed(HUNDRED)
    first = run.start(*options)
    if not await run.until_committed(100, within(8)):
        if first.poll() is None:
            await leave(first)
        run.start(*options)
        await run.until_committed(100, within(8))
    return await run.lost(HUNDRED)


async def two_lives_of_stock_faust(run: Run, kind: str) -> list[bytes]:
    """The same with stock Faust: a life of a few seconds, ended properly, and another."""
    await run.feed(HUNDRED)
    for seconds in (4, 3):
        process = run.start(kind, module="stock_faust")
        await run.until_committed(100, seconds)
        if process.poll() is None:
            process.terminate()
        await ended(process, 20)
    return await run.lost(HUNDRED)


async def is_lost(kafka: str, data: Path, lives: Callable[[Run], Awaitable[list[bytes]]]) -> bool:
    """Tell whether something is lost for good in one of a few runs: it did not come out and will not be read again."""
    for attempt in range(ATTEMPTS):
        (own := data / str(attempt)).mkdir()
        async with a_run(kafka, own) as run:
            if await lives(run) and await run.committed() == 100:
                return True
    return False


@pytest.mark.parametrize("kind", ["default", "crashing", "noack", "take", "refuse", "oversize"])
async def test_stock_faust_loses_what_its_agent_failed_on_or_kafka_refused(kafka: str, tmp_path: Path, kind: str) -> None:
    """TECH 1.2: by default, with a crashing supervisor, acknowledging by hand, with batches, refused sends, and one too large."""
    assert await is_lost(kafka, tmp_path, lambda run: two_lives_of_stock_faust(run, kind)), "is the protection still needed?"


async def test_a_record_at_which_a_stage_failed_is_read_again_and_nothing_is_lost(run: Run) -> None:
    lost = await two_lives(run, "--fault", "raise")

    assert lost == []
    assert len(run.processes) == 1, "the worker began again by itself"
    run.processes[0].terminate()
    status, said = await ended(run.processes[0])
    assert status == 0
    assert f"`in-{run.name}` partition" in said
    assert "the stage failed with KeyError" in said
    assert (said.count("record_tried_again"), said.count("partitions_taken")) == (1, 1), "its other lines were left alone"
    assert "kafka_limited" not in said


async def test_a_record_at_which_a_stage_fails_again_is_a_dead_letter_and_the_line_goes_on(run: Run) -> None:
    await run.feed(HUNDRED)
    run.start("--fault", "raise-always")

    assert await run.until_committed(100)
    letters = [letter for letter in await run.read(DEAD_LETTERS) if letter.header("sb_topic") == f"in-{run.name}".encode()]
    assert [letter.header("sb_reason") for letter in letters] == [b"fault"]
    assert await run.lost(HUNDRED) == [b"37"]
    run.processes[0].terminate()
    _, said = await ended(run.processes[0])
    assert (said.count("record_set_aside"), said.count("partitions_taken")) == (1, 1), "the worker never left its group"
    counts = counted(await run.read("state"))
    assert sum(counts.values()) == 99


async def test_without_its_own_acknowledgement_a_send_that_kafka_refuses_loses_records(kafka: str, tmp_path: Path) -> None:
    assert await is_lost(kafka, tmp_path, lambda run: two_lives(run, "--fault", "refuse", "--without", "acknowledged"))


async def test_a_send_that_kafka_refuses_is_made_again_and_the_worker_goes_on_by_itself(run: Run) -> None:
    lost = await two_lives(run, "--fault", "refuse")

    assert lost == []
    assert len(run.processes) == 1, "the worker began again by itself"
    status, _ = await leave(run.processes[0])
    assert status == 0


async def test_without_verified_sends_what_kafka_refused_is_lost(kafka: str, tmp_path: Path) -> None:
    assert await is_lost(kafka, tmp_path, lambda run: two_lives(run, "--fault", "refuse", "--without", "verified"))


async def test_an_output_too_large_for_its_topic_stops_the_line_in_words_and_nothing_is_lost(run: Run) -> None:
    lost = await two_lives(run, "--fault", "oversize")

    status, said = await ended(run.processes[0])
    assert lost == []
    assert status == 2
    assert f"`out-{run.name}` partition" in said
    assert "a record is larger than the topic takes" in said


async def test_bytes_that_nobody_can_read_become_a_dead_letter_and_the_line_goes_on(run: Run) -> None:
    await run.feed([*HUNDRED[:50], b"bad \xff\x00", *HUNDRED[50:]])
    run.start()

    assert await run.until_committed(101)
    letters = [letter for letter in await run.read(DEAD_LETTERS) if letter.header("sb_topic") == f"in-{run.name}".encode()]
    assert [letter.header("sb_reason") for letter in letters] == [b"rejected"]
    assert await run.lost(HUNDRED) == []


async def test_a_header_name_that_is_no_text_makes_a_dead_letter_of_its_record_alone(run: Run) -> None:
    """Kafka takes it from any raw client, and the client that the broker reads with raises at it, at every fetch again."""
    values = [b"before", b"poison", b"after"]
    batch = a_batch([Outgoing(f"in-{run.name}", b"key-1", value, (("name-" + value.decode(), b"x"),)) for value in values])
    await run.feed(HUNDRED)
    assert await produce(run.kafka, f"in-{run.name}", 0, patched(batch, b"name-poison", b"\xff\xfe-poisoned")) == 0
    run.start()

    assert await run.until_committed(103)
    letters = [letter for letter in await run.read(DEAD_LETTERS) if letter.header("sb_topic") == f"in-{run.name}".encode()]
    assert [letter.header("sb_reason") for letter in letters] == [b"malformed"]
    assert await run.lost([*HUNDRED, *values]) == [b"poison"]


@pytest.mark.parametrize("codec", [GZIP, SNAPPY, LZ4, ZSTD])
async def test_what_a_client_packed_in_any_way_that_kafka_knows_is_taken(run: Run, codec: int) -> None:
    batch = a_batch([Outgoing(f"in-{run.name}", b"key-1", value) for value in HUNDRED], codec)
    assert await produce(run.kafka, f"in-{run.name}", 1, batch) == 0
    run.start()

    assert await run.until_committed(100)
    assert await run.lost(HUNDRED) == []


async def test_stock_faust_acknowledges_bytes_that_it_cannot_decode(run: Run) -> None:
    await run.feed([*HUNDRED[:50], b"bad \xff\x00", *HUNDRED[50:]])
    process = run.start("decode", module="stock_faust")

    assert await run.until_committed(101)
    assert await run.written("out") <= 100
    process.terminate()
    await ended(process, 20)


async def test_a_chunk_that_is_passed_by_stops_the_line_and_comes_again(run: Run) -> None:
    lost = await two_lives(run, "--fault", "skip")

    assert lost == []
    assert len(run.processes) == 1


async def test_without_the_order_of_chunks_one_that_is_passed_by_is_lost(run: Run) -> None:
    lost = await two_lives(run, "--fault", "skip", "--without", "order")
    await leave(run.processes[-1])
    run.start("--without", "order")
    await asyncio.sleep(3)

    assert lost != []
    assert await run.lost(HUNDRED) != [], "also not when it is read again: later records of the same key were applied"


async def test_a_client_that_knows_no_highwater_after_a_rebalance_takes_no_worker_down(run: Run) -> None:
    lost = await two_lives(run, "--fault", "highwater")

    assert lost == []
    assert len(run.processes) == 1


async def test_stock_faust_stands_still_when_its_client_knows_no_highwater(run: Run) -> None:
    assert len(await two_lives_of_stock_faust(run, "highwater")) == 100


async def test_a_worker_that_dies_between_outputs_and_state_repeats_but_loses_and_miscounts_nothing(run: Run) -> None:
    lost = await two_lives(run, "--fault", "die")

    counts = counted(await run.read("state"))
    assert lost == []
    assert counts == {b"key-%d" % key: 10 for key in range(10)}
    assert await run.written("out") > 100, "the chunk in hand came twice"


async def test_killed_and_stopped_workers_lose_and_miscount_nothing(run: Run, tmp_path: Path) -> None:
    """Two workers; SIGKILL and SIGTERM while they work, each followed by a rebalance."""
    values = [b"%d" % number for number in range(20_000)]
    workers = [run.start("--chunk", "100", data=tmp_path / str(one)) for one in range(2)]
    for turn, how in enumerate((signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)):
        await run.feed(values[turn * 5_000 : (turn + 1) * 5_000])
        await asyncio.sleep(1.5)
        workers[turn % 2].send_signal(how)
        workers[turn % 2] = run.start("--chunk", "100", data=tmp_path / str(turn % 2))
    await run.feed(values[15_000:])

    assert await run.until_committed(20_000, 40)
    assert await run.lost(values) == []
    assert counted(await run.read("state")) == {b"key-%d" % key: 2_000 for key in range(10)}
    for worker in workers:
        assert (await leave(worker))[0] == 0


async def test_a_worker_leaves_within_five_seconds_with_a_chunk_in_hand_that_does_not_end(run: Run) -> None:
    await run.feed(HUNDRED[:10])
    worker = run.start("--fault", "hang")
    assert await until(lambda: run.written("audit"))

    status, took = await leave(worker)

    assert status == 0
    assert took < 5
    assert await run.committed() < 10, "what was in hand is not committed"
    run.start()
    assert await run.until_committed(10)
    assert await run.lost(HUNDRED[:10]) == []


async def test_a_crash_while_a_worker_leaves_is_said_in_words_and_nothing_is_lost(run: Run) -> None:
    """TECH 12: what is left of a crash must not be told by a loop that is closed."""
    await run.feed(HUNDRED[:10])
    worker = run.start("--fault", "crash-leaving")
    assert await until(lambda: run.written("audit"))

    worker.send_signal(signal.SIGTERM)
    status, said = await ended(worker)

    assert status == 0
    assert "Traceback" not in said
    assert "kind=KeyError" in said, "the crash happened, and is told"
    assert "loop is closed" not in said
    assert await run.committed() < 10, "what was in hand is not committed"
    run.start()
    assert await run.until_committed(10)
    assert await run.lost(HUNDRED[:10]) == []


async def test_a_worker_leaves_at_once_when_it_has_nothing_in_hand(run: Run) -> None:
    await run.feed(HUNDRED)
    worker = run.start()
    assert await run.until_committed(100)

    status, took = await leave(worker)

    assert status == 0
    assert took < 2


async def zombie(run: Run, tmp_path: Path, *options: str) -> list[Record]:
    """Pause a worker before it writes state, let another take over and go on, and wake it up; return the state log."""
    await run.feed(HUNDRED[:20])
    paused = run.start("--fault", "pause", *options)
    assert await until(lambda: asyncio.to_thread((tmp_path / "fault").exists))
    other = run.start(*options, data=tmp_path / "other")
    assert await run.until_committed(20)
    await run.feed(HUNDRED[20:])
    assert await run.until_committed(100)
    os.kill(paused.pid, signal.SIGCONT)
    assert (await ended(paused))[0] == 9
    await asyncio.sleep(1.5)  # three times as long as the owner waits for its own log
    assert other.poll() is None
    return await run.read("state")


async def until(so: Callable[[], Awaitable[object]], seconds: float = 20) -> bool:
    """Ask until it is so."""
    for _ in range(int(seconds / 0.1)):
        if await so():
            return True
        await asyncio.sleep(0.1)
    return False


async def test_the_late_state_of_a_zombie_is_put_right_by_the_owner(run: Run, tmp_path: Path) -> None:
    states = await zombie(run, tmp_path)

    assert out_of_step(states), "the zombie must have written"
    assert counted(states) == {b"key-%d" % key: 10 for key in range(10)}
    assert await run.lost(HUNDRED) == []


async def test_without_following_its_state_the_late_record_of_a_zombie_stays_last(run: Run, tmp_path: Path) -> None:
    states = await zombie(run, tmp_path, "--without", "following")

    assert counted(states) != {b"key-%d" % key: 10 for key in range(10)}


async def test_records_that_expired_before_they_were_taken_are_said_and_not_passed_over(run: Run) -> None:
    await run.feed(HUNDRED)
    worker = run.start()
    assert await run.until_committed(100)
    await leave(worker)
    await run.feed(HUNDRED)
    await expire(run, 80)

    status, said = await ended(run.start())

    assert status == 2
    assert "were never processed and Kafka no longer has them: raise the topic's retention" in said


async def test_without_the_check_of_the_position_expired_records_are_passed_over(run: Run) -> None:
    await run.feed(HUNDRED)
    await leave_after(run, 100)
    await run.feed([b"late-%d" % number for number in range(100)])
    await expire(run, 80)
    run.start("--without", "position")
    await asyncio.sleep(5)

    assert await run.lost([b"late-%d" % number for number in range(100)]) != []


async def leave_after(run: Run, count: int) -> None:
    worker = run.start()
    assert await run.until_committed(count)
    await leave(worker)


async def expire(run: Run, offset: int) -> None:
    """Take the first records of every partition away, as retention does."""
    async with open_admin(run.kafka) as admin:
        places = {TopicPartition(f"in-{run.name}", one): RecordsToDelete(offset) for one in range(PARTITIONS)}
        await admin.delete_records(places)


async def test_metadata_of_all_topics_is_asked_for_at_once(run: Run) -> None:
    """TECH 12: unprimed, every first send to a recipient's topic waits for a refresh of its own."""
    topics = [f"recipient-{run.name}-{one}" for one in range(60)]
    async with open_admin(run.kafka) as admin:
        await admin.create_topics([NewTopic(topic, 1, 1) for topic in topics])
    await refreshes(run.kafka, topics, primed=True)  # every new partition has its leader after this

    assert await refreshes(run.kafka, topics, primed=True) <= 1
    assert await refreshes(run.kafka, topics, primed=False) >= len(topics)


async def refreshes(kafka: str, topics: list[str], *, primed: bool) -> int:
    """Return how often the client asked for metadata while the first records were sent."""
    asked = 0
    async with open_producer(kafka, topics=topics if primed else ()) as producer:
        update = producer.client._metadata_update

        async def counting(*arguments: object) -> object:
            nonlocal asked
            asked += 1
            return await update(*arguments)

        producer.client._metadata_update = counting
        await Writer(producer).write([Outgoing(topic, b"key", b"value") for topic in topics])
    return asked


def counted(states: list[Record]) -> dict[bytes | None, int]:
    """Return the count of each key as the last record in the log says: what compaction would keep."""
    return {record.key: int((record.value or b"").split()[1]) for record in states}


def out_of_step(states: list[Record]) -> bool:
    """Tell whether a lower version of a key comes after a higher."""
    highest: Counter[bytes | None] = Counter()
    for record in states:
        version = int(record.header(STATE_VERSION) or 0)
        if version < highest[record.key]:
            return True
        highest[record.key] = version
    return False
