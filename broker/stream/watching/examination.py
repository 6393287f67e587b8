"""Examine a set-up from the outside: what is there, what is in force, who works, and for each fault what to do."""

import os
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from aiokafka.errors import KafkaError

from broker.audit.local_file import is_damaged
from broker.core.model.identifiers import Digest
from broker.errors import BrokerError, DataLossError, KeysError, StopError
from broker.lag.evaluation import Status
from broker.lag.report import Report
from broker.lag.words import clocks, sentences
from broker.sealing.secrets import Secrets
from broker.settings import Settings
from broker.stream.access_admin import GUARD_IT, look_at_access
from broker.stream.access_lists import declare
from broker.stream.clients import open_consumer, open_producer
from broker.stream.decide.epochs import KEY, InForce, epochs_from_bytes
from broker.stream.recognise import read_identity
from broker.stream.releases.belief import older_releases
from broker.stream.releases.book import Kind, ReleaseBook
from broker.stream.releases.follow import Releases
from broker.stream.topic_admin import compare
from broker.stream.topics import DEAD_LETTERS, FACTS, Topic, declared, recipient_topics
from broker.stream.watching.audit_follower import INDEX_FILE
from broker.stream.watching.log_reader import read_whole
from broker.stream.watching.master_key import check_master
from broker.stream.watching.noted import read_noted, with_noted
from broker.stream.watching.reconcile_reader import BOOKS_FILE
from broker.stream.watching.watch import open_watch

PROBE = "sb_doctor"  # header of the empty record by which Kafka's clock is read; readers of dead letters pass it by
_SKEW_MS = 2_000
_SLOW_MS = 1_000
_LEAST_FREE = 1 << 30
_SURE_S = 12.0  # to tell slow from stuck, when something waits


class State(StrEnum):
    """How a thing is."""

    WELL = "well"
    DOUBTFUL = "doubtful"
    ILL = "ill"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: how it is, in words, and what to do about it."""

    what: str
    state: State
    words: str
    remedy: str = ""


async def examine(settings: Settings, book: ReleaseBook) -> AsyncIterator[Finding]:
    """Look at everything in the order in which one thing needs another; stop where the rest cannot be looked at."""
    yield _data_folder(settings.data)
    for file in (INDEX_FILE, BOOKS_FILE):
        if is_damaged(settings.data / file):
            words = f"`{settings.data / file}` is damaged"
            yield Finding("local file", State.DOUBTFUL, words, "delete it: it is made anew from the log when it is next used")
    keys = _keys(settings)
    yield keys
    kafka = await _kafka(settings)
    yield kafka
    if kafka.state is State.ILL:
        return
    topics = await _topics(settings, declared(settings.partitions))
    yield topics
    if topics.state is State.ILL:
        return
    if keys.state is not State.ILL and (master := await _master(settings)):
        yield master
    yield await _clock(settings)
    async for finding in _releases(settings, book):
        yield finding
    yield await _access(settings, book)
    async with open_watch(settings) as watch:
        report = with_noted(await watch.look_until_sure(_SURE_S), read_noted(settings.data))
    yield workers(report, settings.group)
    yield alerts(report)
    yield people(report)


def _data_folder(folder: Path) -> Finding:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding("data folder", State.ILL, f"`{folder}`: {error.strerror}", "name another in the settings as `data`")
    if not os.access(folder, os.W_OK):
        return Finding("data folder", State.ILL, f"`{folder}` cannot be written to", "give the broker's user the right to")
    if free < _LEAST_FREE:
        return Finding("data folder", State.DOUBTFUL, f"`{folder}`: {free >> 20} MB free", "make room: the audit index needs it")
    return Finding("data folder", State.WELL, f"`{folder}`, {free >> 30} GB free")


def _keys(settings: Settings) -> Finding:
    try:
        Secrets.load(settings.keys)
    except BrokerError as error:
        return Finding("keys", State.ILL, str(error), "copy it from another worker, or make the first one as said")
    open_to_others = [file.name for file in settings.keys.glob("*.keys") if file.stat().st_mode & 0o077]
    if open_to_others:
        names = ", ".join(f"`{name}`" for name in sorted(open_to_others)[:5])
        return Finding(
            "keys", State.DOUBTFUL, f"{names} can be read by others on this machine", f"chmod 600 {settings.keys}/*.keys"
        )
    return Finding("keys", State.WELL, f"the broker's own and {len(list(settings.keys.glob('*.keys'))) - 1} others")


async def _master(settings: Settings) -> Finding | None:
    try:
        await check_master(settings.kafka, Secrets.load(settings.keys))
    except KeysError as error:
        return Finding("master key", State.ILL, str(error), "start no worker here before: it would know no child")
    return None


async def _kafka(settings: Settings) -> Finding:
    try:
        identity = await read_identity(settings.kafka)
    except DataLossError as error:
        return Finding(
            "kafka", State.ILL, str(error), "see whether `kafka` in the settings is right, and what became of its disk"
        )
    except BrokerError as error:
        return Finding("kafka", State.ILL, str(error), "start it, or mend `kafka` in the settings")
    if identity is None:
        words = f"{settings.kafka} is the embedded one: memory only, one node, client's time stamps"
        return Finding("kafka", State.DOUBTFUL, words, "use Apache Kafka 4 for anything but looking around")
    return Finding("kafka", State.WELL, f"{settings.kafka} answers, cluster `{identity.cluster}`, {len(identity.topics)} topics")


async def _topics(settings: Settings, wanted: tuple[Topic, ...]) -> Finding:
    found = await compare(settings.kafka, wanted)
    if not found:
        return Finding("topics", State.WELL, f"{len(wanted)} are as declared")
    refused = [one for one in found if one.refused]
    if refused:
        others = f"; {len(refused) - 1} more likewise" if len(refused) > 1 else ""
        words = f"`{refused[0].topic.name}`: {refused[0].refused}{others}"
        return Finding("topics", State.ILL, words, "mend `partitions` in the settings: no command may change a topic's count")
    lines = [line for one in found for line in one.lines()]
    words = "; ".join(lines[:3]) + (f"; and {len(lines) - 3} more" if len(lines) > 3 else "")
    gone = any(one.missing for one in found)
    return Finding("topics", State.ILL if gone else State.DOUBTFUL, words, "broker topics apply --registers FILE --yes")


async def _clock(settings: Settings) -> Finding:
    """Compare this machine's clock with Kafka's, which is the one that decisions go by."""
    try:
        async with open_producer(settings.kafka) as producer:
            before = time.time_ns() // 1_000_000
            sent = await producer.send_and_wait(DEAD_LETTERS, None, key=PROBE.encode(), headers=[(PROBE, b"1")])
            after = time.time_ns() // 1_000_000
    except KafkaError as error:
        return Finding("sending", State.ILL, f"Kafka does not acknowledge a send: {type(error).__name__}", "look at Kafka's log")
    skew = min(abs(sent.timestamp - before), abs(sent.timestamp - after))
    if not before <= sent.timestamp <= after and skew > _SKEW_MS:
        return Finding("clock", State.DOUBTFUL, f"this machine and Kafka are {skew / 1000:.1f} s apart", "set both by NTP")
    if after - before > _SLOW_MS:
        return Finding("sending", State.DOUBTFUL, f"a send took {after - before} ms", "look at Kafka's disk and network")
    return Finding("clock", State.WELL, f"agrees with Kafka's; a send is acknowledged in {after - before} ms")


async def _releases(settings: Settings, book: ReleaseBook) -> AsyncIterator[Finding]:
    async with open_consumer(settings.kafka) as consumer:
        releases = Releases(settings.kafka, consumer, book)
        await releases.start()
        await releases.stop()
    in_force = await _in_force(settings)
    for kind in ("registers", "policy"):
        yield _release(book, kind, in_force, settings.partitions)
    if book.unsigned():
        yield Finding("releases", State.DOUBTFUL, older_releases(book), "broker registers vouch")
    elif book.refusals:
        others = f"; {book.refused - 1} more likewise" if book.refused > 1 else ""
        words = f"{book.refusals[-1]}{others}"
        yield Finding("releases", State.DOUBTFUL, words, "see who can write there: broker topics access")
    if book.latest("registers") is not None:
        if settings.area not in book.newest().areas:
            words = f"`area` in the settings is `{settings.area}`, which no area of the registers in force is"
            yield Finding("settings", State.DOUBTFUL, words, "put the area's code there as `broker registers show` lists it")
        topics = await _topics(settings, recipient_topics(book.newest()))
        yield Finding("recipients' topics", topics.state, topics.words, topics.remedy)


def _release(book: ReleaseBook, kind: Kind, in_force: dict[int, InForce], partitions: int) -> Finding:
    newest = book.latest(kind)
    if newest is None:
        return Finding(kind, State.ILL, "none was released: nothing can be decided", f"broker {kind} release")
    digests: list[Digest | None] = [one.policy if kind == "policy" else one.registers for one in in_force.values()]
    there = sum(found == newest.digest for found in digests)
    words = f"version `{newest.version}`, digest {newest.digest[:12]}"
    if there < partitions:
        waits = f"{words}: in force in {there} of {partitions} partitions"
        return Finding(kind, State.DOUBTFUL, waits, "start a worker, or wait until it has come so far; else release it again")
    return Finding(kind, State.WELL, f"{words}, in force in all {partitions} partitions")


async def _access(settings: Settings, book: ReleaseBook) -> Finding:
    """Say whether Kafka itself lets everybody do what is theirs and nothing else (I10)."""
    registers = book.newest() if book.latest("registers") is not None else None
    wanted = declare(settings.kafka_principals, registers, settings.group)
    try:
        found = await look_at_access(settings.kafka, wanted)
    except StopError as error:
        return Finding("access", State.DOUBTFUL, str(error), "name this place's principal in `kafka_principals.broker`")
    if found is None:
        state = State.WELL if settings.mode == "demo" else State.ILL
        return Finding(
            "access", state, "Kafka checks nobody's rights: whoever reaches it may read and write everything", GUARD_IT
        )
    if lines := list(found.lines()):
        words = "; ".join(lines[:3]) + (f"; and {len(lines) - 3} more" if len(lines) > 3 else "")
        return Finding("access", State.DOUBTFUL, words, "broker topics apply --yes")
    return Finding("access", State.WELL, f"{len(wanted.entries)} entries of Kafka's access lists are as declared")


async def _in_force(settings: Settings) -> dict[int, InForce]:
    """Return what is in force at the end of every partition, from the state of the stage that decides."""
    found: dict[int, InForce] = {}
    async for records in read_whole(settings.kafka, FACTS):
        for record in records:
            if record.key == KEY and (epochs := epochs_from_bytes(record.value)):
                found[record.partition] = epochs[-1]
    return found


def workers(report: Report, group: str) -> Finding:
    """Say who works and how far behind the events are."""
    # What waits for people and for recipients are findings of their own.
    words = "; ".join(sentences(replace(report, undelivered=(), reviews={}, dead_letters=0)))
    if not report.members:
        return Finding("workers", State.ILL, f"none runs in group `{group}`; {words}", "broker run")
    behind = report.status is not Status.OK
    state = State.ILL if report.needs_help else State.DOUBTFUL if behind else State.WELL
    count = f"{report.members} worker{'' if report.members == 1 else 's'}"
    return Finding("workers", state, f"{count} in group `{group}`; {words}", "" if state is State.WELL else "broker lag --watch")


def alerts(report: Report) -> Finding:
    """Say whether somebody may hear too late: the program may be well, and a child's school still not know."""
    if late := clocks(report.undelivered):
        remedy = "`broker lag` names the recipients: ask them to look, by telephone where it is urgent"
        return Finding("alerts", State.DOUBTFUL, "; ".join(late), remedy)
    return Finding("alerts", State.WELL, "none is at risk of coming too late")


def people(report: Report) -> Finding:
    """Say whether something waits for a person beyond its clock, or could not be taken: nothing of it goes by itself."""
    late, letters = report.reviews_past_due, report.dead_letters
    if not late and not letters:
        return Finding("people", State.WELL, "nothing waits for a person beyond its clock, nothing is a dead letter")
    waiting = [f"{late:,} of {sum(report.reviews.values()):,} open reviews past the clock: `broker reviews list`"] if late else []
    refused = [f"{letters:,} dead letters: `broker dead-letters list`"] if letters else []
    return Finding("people", State.DOUBTFUL, "somebody has to decide", "; ".join((*waiting, *refused)))
