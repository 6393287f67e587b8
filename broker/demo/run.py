"""Runs the demo from the first file to the page of results, and leaves nothing running behind."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from rich.console import Console

from broker.demo.notebook import Notebook
from broker.demo.observer import Observer, open_observer
from broker.demo.outcome import Outcome
from broker.demo.page import Screen, day_title, opening, results
from broker.demo.post import Post
from broker.demo.scene import Scene, connect_scene, set_scene
from broker.demo.workers import Workers
from broker.errors import RetryError
from broker.policyfile import load_policy, policy_content
from broker.registerfile import load_content
from broker.simulate.area import Area
from broker.simulate.arrival import REGISTERS, Dispatch
from broker.simulate.compare import compare
from broker.stream.clients import open_producer
from broker.stream.kafka_node import Node, choose
from broker.stream.releases import release
from broker.stream.topic_admin import apply
from broker.stream.topics import Topic, declared, recipient_topics
from broker.stream.watch import Watch, open_watch

_LOOK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person may choose. `kafka`: `host:port`, `embedded`, or None for the best that this machine can do."""

    area: Area
    folder: Path
    workers: int = 2
    kafka: str | None = None
    keep: bool = False


@dataclass(slots=True)
class _Lag:
    """How many records waited, as often as was looked."""

    history: list[int] = field(default_factory=list)

    async def follow(self, watch: Watch) -> None:
        while True:
            with suppress(RetryError):
                report = await watch.look()
                self.history.append(sum(one.lag for one in report.partitions))
            await asyncio.sleep(_LOOK_S)


def run_demo(options: Options, console: Console) -> Outcome:
    """Run it and return what came of it; raises BrokerError when it cannot be run to its end."""
    console.print(opening())
    with _step(console, "inventing a county"):
        scene = set_scene(options.area, options.folder)
    written = scene.written
    files = sum(len(one.files) for one in scene.arrivals)
    console.print(f"    {options.area.children:,} children, {written.told} families with a story, {files} native files", style="dim")
    node = choose(options.kafka, data=None)
    try:
        with _step(console, "starting Kafka"):
            address = node.start()
        console.print(f"    {node.description}, at {address}", style="dim")
        connect_scene(scene, address)
        return asyncio.run(_play(options, scene, console))
    finally:
        _stop(node, console)


def _stop(node: Node, console: Console) -> None:
    with _undisturbed(), _step(console, "stopping"):
        node.stop()


async def _play(options: Options, scene: Scene, console: Console) -> Outcome:
    settings = scene.settings
    topics = (*declared(settings.partitions), *recipient_topics(scene.registers))
    with _step(console, f"making {len(topics)} topics, releasing registers and policy"):
        await apply(settings.kafka, topics)
    workers = Workers(options.workers, scene.settings_file, scene.folder / "logs")
    screen = Screen(console, scene.registers)
    book = Notebook(told=screen.told)
    try:
        async with open_producer(settings.kafka) as producer, open_observer(settings.kafka, _seen(topics), book) as observer:
            await release(producer, "registers", scene.registers.version, load_content(scene.registers_file))
            await release(producer, "policy", load_policy().version, policy_content())
            with _step(console, f"starting {options.workers} workers"):
                workers.start()
            post = Post(scene, producer)
            try:
                async with _watched(settings_watch(scene)) as lag:
                    await _week(options, Stage(scene, post, observer, workers, screen))
                    outcome = await _outcome(scene, book, lag)
            finally:
                post.close()
        console.print(results(outcome, screen))
        if options.keep:
            await _stay(console)
        return outcome
    finally:
        with _undisturbed(), _step(console, "stopping the workers"):
            workers.stop()


@dataclass(frozen=True, slots=True)
class Stage:
    """Everybody who acts in the week."""

    scene: Scene
    post: Post
    observer: Observer
    workers: Workers
    screen: Screen


def settings_watch(scene: Scene) -> "object":
    return open_watch(scene.settings)
