"""Runs the demo from the first file to the page of results, and leaves nothing running behind."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from rich.console import Console

from broker.core.account.balance import total
from broker.core.model.policy import Effect
from broker.core.model.registers import ADMINISTRATOR
from broker.demo.desks import open_desks, subscribing
from broker.demo.lag_log import LagLog
from broker.demo.notebook import Notebook
from broker.demo.observer import Observer, open_observer
from broker.demo.outcome import Outcome
from broker.demo.page import Screen, day_title, next_steps, opening, results
from broker.demo.post import Post
from broker.demo.progress import Progress, undisturbed
from broker.demo.scene import Scene, connect_scene, set_scene
from broker.demo.workers import Workers
from broker.errors import InputError
from broker.kafkaaccess import Kafka, KafkaAccess
from broker.policyfile import load_policy, policy_content
from broker.registerfile import load_content
from broker.settings import Settings
from broker.simulate.area import Area
from broker.simulate.arrival import REGISTERS, Dispatch
from broker.simulate.compare import compare
from broker.stream.clients import open_producer
from broker.stream.node.kafka_node import Node, choose
from broker.stream.releases.follow import release
from broker.stream.releases.registers import released
from broker.stream.topic_admin import apply
from broker.stream.topics import Topic, declared, recipient_topics
from broker.stream.watching.reconcile_reader import reconcile

_SEEN = ("events.", "disclosures.", "audit.", "reviews.", "dead-letters.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person may choose. `kafka`: `host:port`, `embedded`, or None for the best that this machine can do.

    `access` is how the Kafka at `host:port` lets us in; None where it lets everybody in.
    """

    area: Area
    folder: Path
    workers: int = 2
    kafka: str | None = None
    access: KafkaAccess | None = None
    keep: bool = False


@dataclass(frozen=True, slots=True)
class _Cast:
    """Everybody who acts in the week."""

    scene: Scene
    post: Post
    observer: Observer
    workers: Workers
    screen: Screen
    progress: Progress


def run_demo(options: Options, console: Console) -> Outcome:
    """Run it and return what came of it; raises BrokerError when it cannot be run to its end."""
    progress = Progress(console)
    console.print(opening())
    node = choose(options.kafka, access=options.access)
    try:
        with progress.step("starting Kafka") as said:  # first: a folder is not overwritten for a Kafka that is not there
            address = node.start()
            said(f"{node.description}, at {address}")
        with progress.step("inventing a county") as said:
            scene = set_scene(options.area, options.folder)
            files = sum(len(one.files) for one in scene.arrivals)
            said(f"{options.area.children:,} children, {scene.written.told} families with a story, {files} native files")
        connect_scene(scene, address, options.access)
        return asyncio.run(_play(options, scene, progress))
    finally:
        _end(node, progress)


def _end(node: Node, progress: Progress) -> None:
    with undisturbed(), progress.step("stopping Kafka"):
        node.stop()


async def _play(options: Options, scene: Scene, progress: Progress) -> Outcome:
    settings = scene.settings
    topics = (*declared(settings.partitions), *recipient_topics(scene.registers))
    with progress.step("applying topics") as said:
        await apply(settings.kafka, topics)
        said(f"{len(topics)} topics, {len(scene.registers.recipients)} desks that can be told")
    screen = Screen(progress.console, scene.registers)
    workers = Workers(options.workers, scene.settings_file, scene.folder / "logs")
    try:
        async with _cast(scene, topics, workers, screen, progress) as (cast, book), LagLog.open(settings) as lag:
            await _week(cast, book)
            with progress.step("reconciling"):
                outcome = await _outcome(scene, settings, book, lag)
            progress.console.print(results(outcome, screen))
        if options.keep:
            await _stay(scene, _an_event(outcome), workers, progress)
        return outcome
    finally:
        with undisturbed(), progress.step("stopping the workers"):
            workers.stop()


@asynccontextmanager
async def _cast(
    scene: Scene, topics: tuple[Topic, ...], workers: Workers, screen: Screen, progress: Progress
) -> AsyncIterator[tuple[_Cast, Notebook]]:
    """Open everything, release registers and policy, and start the workers."""
    keeps = frozenset(str(rule.id) for rule in load_policy().rules if rule.effect is Effect.WITHHOLD)
    kafka, book = scene.settings.kafka, Notebook(told=screen.told, keeps=keeps)
    seen = [topic.name for topic in topics if topic.name.startswith(_SEEN)]
    async with (
        open_producer(kafka, topics=[topic.name for topic in topics]) as producer,
        open_observer(kafka, seen, book) as observer,
    ):
        await _check_new(kafka)
        with progress.step("releasing registers and policy") as said:
            policy, signer = load_policy(), scene.signer(ADMINISTRATOR)
            await release(producer, "registers", scene.registers.version, load_content(scene.registers_file), signer)
            await release(producer, "policy", policy.version, policy_content(), signer)
            said(f"policy `{policy.version}`, {len(policy.rules)} rules")
        with progress.step("starting workers") as said:
            workers.start()
            said(f"{workers.count} processes of `broker run`")
        post = Post(scene, producer)
        try:
            async with open_desks(scene.settings, subscribing(scene.registers), producer, book.seen, scene.folder / "desks"):
                yield _Cast(scene, post, observer, workers, screen, progress), book
        finally:
            post.close()


async def _check_new(kafka: Kafka) -> None:
    """Check that nothing was released in this Kafka: the area's new administrator would not be believed there."""
    if (await released(kafka)).latest("registers"):
        raise InputError(f"the Kafka at `{kafka}` holds registers already: the demo needs one in which no broker worked before")


async def _week(cast: _Cast, book: Notebook) -> None:
    """Let the week's files arrive, each day after the one before has been taken in."""
    first_day = cast.scene.area.first_day
    for wave, dispatches in groupby(cast.scene.arrivals, key=lambda one: one.wave):
        each = list(dispatches)
        if wave == REGISTERS:
            with cast.progress.step("reading the registers of pupils, patients and the council") as said:
                await _until_taken(cast, each)
                said(f"{cast.post.published:,} records of {len(each)} deliveries")
            continue
        book.day = int(wave)
        cast.screen.day(day_title(first_day, book.day))
        before = cast.post.published
        with cast.progress.waiting(f"{len(each)} deliveries"):
            await _until_taken(cast, each)
        cast.screen.close_day(cast.post.published - before, len(each))


async def _until_taken(cast: _Cast, dispatches: list[Dispatch]) -> None:
    delivering = asyncio.create_task(cast.post.deliver(dispatches))
    while not delivering.done():
        cast.workers.check()
        await asyncio.wait((delivering,), timeout=0.2)
    delivering.result()
    await cast.observer.settle(cast.post.published, cast.workers.check)


async def _outcome(scene: Scene, settings: Settings, book: Notebook, lag: LagLog) -> Outcome:
    """Count everything, and hold what was received against the truth."""
    balances = await reconcile(settings, lambda _topic, _done, _in_all: None)
    faults = [f"{fault.topic} {fault.partition}/{fault.offset}: {fault.problem}" for one in balances for fault in one.faults]
    return Outcome(
        notebook=book,
        comparison=compare(scene.truth, book.timed()),
        equation=total(balances),
        faults=tuple(faults),
        lag_now=await lag.now(),
        lag_worst=max(lag.history, default=0),
        lag_history=lag.history,
    )


def _an_event(outcome: Outcome) -> str | None:
    """Return the id of an event about which several desks were told, to explain."""
    counts = Counter(outcome.notebook.event_ids.values())
    return min(counts, key=lambda one: (-counts[one], one), default=None)


async def _stay(scene: Scene, event: str | None, workers: Workers, progress: Progress) -> None:
    """Keep Kafka and the workers running until Ctrl-C."""
    progress.console.print(next_steps(scene.folder, event=event, running=True), soft_wrap=True)
    with suppress(asyncio.CancelledError):  # Ctrl-C: what came of the demo is known, it is only time to leave
        while True:
            for words in workers.revive():
                progress.console.print(words)
            await asyncio.sleep(0.5)
