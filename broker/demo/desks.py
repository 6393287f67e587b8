"""The desks that subscribe during the demo: each follows what it is told as `broker subscribe` does, and confirms it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broker.core.model.registers import Registers
from broker.kafkaaccess import Kafka
from broker.sealing.signatures import Signer, load_signer
from broker.settings import Settings
from broker.stream.clients import KafkaProducer
from broker.stream.inbox import Inbox, Shown
from broker.stream.receipt import confirm
from broker.stream.subscribe import BEGINNING, From, following

Seen = Callable[[str, dict[str, Any], int], None]  # recipient, disclosure, when it was in hand


@dataclass(frozen=True, slots=True)
class Desk:
    """One recipient in front of its screen."""

    inbox: Inbox
    signer: Signer
    kafka_producer: KafkaProducer
    seen: Seen

    async def sit(self, kafka: Kafka) -> None:
        """Follow until told to leave."""
        async with following(kafka, self.inbox, From(at=BEGINNING, anew=True)) as batches:
            async for batch in batches:
                now = time.time_ns() // 1_000_000
                fresh = [one for one in batch.disclosures if not self.inbox.was_shown(one["disclosure_id"])]
                shown = [Shown(one["disclosure_id"], one["token"], one["event_type"], one["kind"]) for one in fresh]
                for one, remembered in zip(fresh, shown, strict=True):
                    self.seen(self.inbox.recipient, one, now)
                    self.inbox.show(remembered)
                await confirm(self.kafka_producer, self.signer, self.inbox, [one for one in shown if one.token])
                self.inbox.read_up_to(batch.read_up_to)


def subscribing(registers: Registers) -> tuple[str, ...]:
    """Return who subscribes: every recipient with a topic of its own in the area of the demo."""
    return tuple(sorted(one.id for one in registers.recipients.values() if one.own_topic and not one.id.endswith("tarnmouth")))


@asynccontextmanager
async def open_desks(
    settings: Settings, recipients: Iterable[str], kafka_producer: KafkaProducer, seen: Seen, folder: Path
) -> AsyncIterator[None]:
    """Have these recipients sit at their desks while the context is open."""
    async with AsyncExitStack() as stack:
        for recipient in recipients:
            inbox = Inbox(folder, recipient)
            stack.callback(inbox.close)
            desk = Desk(inbox, load_signer(settings.keys, recipient), kafka_producer, seen)
            sitting = asyncio.create_task(desk.sit(settings.kafka))
            stack.push_async_callback(_leave, sitting)
        yield


async def _leave(sitting: "asyncio.Task[None]") -> None:
    sitting.cancel()
    with suppress(asyncio.CancelledError):
        await sitting
