"""Follows every topic that the demo has to see, from the start, and writes it into the notebook as it comes."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress

from broker.demo.notebook import Notebook
from broker.errors import RetryError
from broker.kafkaaccess import Kafka
from broker.stream.clients import KafkaConsumer, kafka_errors, open_consumer, to_record
from broker.stream.watching.places import places_of

_PATIENCE_S = 60.0
_QUIET_S = 0.3


class Observer:
    """Reads along while the demo runs."""

    def __init__(self, consumer: KafkaConsumer, notebook: Notebook) -> None:
        self._consumer = consumer
        self._notebook = notebook
        self._last_news = time.monotonic()

    async def follow(self) -> None:
        """Read until cancelled."""
        while True:
            with kafka_errors("the demo's own reading"):
                batches = await self._consumer.getmany(timeout_ms=50)
            now = time.time_ns() // 1_000_000
            for records in batches.values():
                self._last_news = time.monotonic()
                for record in records:
                    self._notebook.note(to_record(record), now)

    async def settle(self, published: int, check: Callable[[], None]) -> None:
        """Wait until as many events are in the log, every one has ended and what it allows is seen, and a moment is quiet.

        Raises RetryError when that takes too long; `check` raises when going on waiting is of no use.
        """
        until = time.monotonic() + _PATIENCE_S
        while not self._settled(published):
            if time.monotonic() > until:
                book, after = self._notebook, f"after {_PATIENCE_S:.0f} s"
                unseen = f"; {book.unseen} disclosures are on their way" if book.unseen else ""
                raise RetryError(f"{book.waiting} of {book.published} events have not ended {after}{unseen}")
            check()
            await asyncio.sleep(0.02)

    def _settled(self, published: int) -> bool:
        quiet = time.monotonic() - self._last_news > _QUIET_S
        book = self._notebook
        return quiet and book.published >= published and not book.waiting and not book.unseen


@asynccontextmanager
async def open_observer(kafka: Kafka, topics: Collection[str], notebook: Notebook) -> AsyncIterator[Observer]:
    """Follow topics from their beginning while the context is open; raises KafkaUnavailableError."""
    places = await places_of(kafka, topics)
    async with open_consumer(kafka, fetch_max_wait_ms=20, max_poll_records=2_000) as consumer:
        with kafka_errors("the demo's own reading"):
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
        observer = Observer(consumer, notebook)
        following = asyncio.create_task(observer.follow())
        try:
            yield observer
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
