"""Stock Faust doing what our worker does, with one fault: `python -m tests.integration.stock_faust KAFKA DATA RUN KIND`.

It is here to show what is lost without our transport. One process is one life: it ends on SIGTERM or when its app crashes.
"""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import faust
from aiokafka.errors import IllegalStateError, KafkaTimeoutError
from faust.transport.drivers import aiokafka as stock

from tests.integration.worker import FAULT_AT, Once


class AgentError(Exception):
    """What an agent may raise."""


def make_app(kafka: str, data: Path, run: str, kind: str) -> faust.App:
    return faust.App(
        f"group-{run}",
        broker=f"kafka://{kafka}",
        datadir=data / "faust",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        producer_acks=-1,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=2.0,
        broker_heartbeat_interval=0.5,
        broker_commit_interval=0.2,
        agent_supervisor="mode.CrashingSupervisor" if kind == "crashing" else "mode.OneForOneSupervisor",
    )


def add_agent(app: Any, run: str, kind: str, once: Once) -> None:
    out = app.topic(f"out-{run}", value_type=bytes, value_serializer="raw")

    async def copy(event: Any) -> None:
        if event.value == FAULT_AT and kind in ("default", "crashing", "noack", "take") and once():
            raise AgentError
        value = event.value if isinstance(event.value, bytes) else b"%d" % event.value
        too_large = event.value == FAULT_AT and kind == "oversize" and once()
        await out.send(key=event.key, value=value + b" " * (2_000_000 if too_large else 0))

    typed = {"value_type": int, "value_serializer": "json"} if kind == "decode" else RAW
    source = app.topic(f"in-{run}", key_type=bytes, key_serializer="raw", **typed)
    app.agent(source, name="copy")(AGENTS.get(kind, plain)(copy))


RAW: dict[str, Any] = {"value_type": bytes, "value_serializer": "raw"}


def plain(copy: Any) -> Any:
    async def agent(stream: Any) -> None:
        async for event in stream.events():
            await copy(event)

    return agent


def noack(copy: Any) -> Any:
    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            await copy(event)
            event.ack()

    return agent


def taking(copy: Any) -> Any:
    async def agent(stream: Any) -> None:
        async for events in stream.take_events(10, within=0.5):
            for event in events:
                await copy(event)

    return agent


AGENTS = {"noack": noack, "take": taking}


def refuse_sends(once: Once) -> None:
    """Let Kafka refuse every batch of this process's life."""
    future_of = stock.aiokafka.AIOKafkaProducer.send

    async def send(self: Any, *arguments: Any, **options: Any) -> Any:
        if not once.file.exists():
            future = asyncio.get_running_loop().create_future()
            future.set_exception(KafkaTimeoutError())
            return future
        return await future_of(self, *arguments, **options)

    stock.aiokafka.AIOKafkaProducer.send = send


def highwater_raises() -> None:
    """Answer as aiokafka does after a rebalance."""

    def highwater(_self: Any, tp: Any) -> int:
        raise IllegalStateError("No current assignment")

    stock.Consumer.highwater = highwater


async def main(kafka: str, data: Path, run: str, kind: str) -> None:
    once = Once(data / "fault")
    if kind == "refuse":
        refuse_sends(once)
    if kind == "highwater":
        highwater_raises()
    app: Any = make_app(kafka, data, run, kind)
    add_agent(app, run, kind, once)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await app.start()
    crashed = asyncio.create_task(app._crashed.wait())
    await asyncio.wait({crashed, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait_for(app.stop(), 10)
    if kind == "refuse":
        once()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], sys.argv[4]))
