"""A worker for the tests, in a process of its own: one stage that copies and counts, with faults and protections by name.

`python -m tests.integration.worker KAFKA DATA RUN [--fault NAME] [--without NAME] ...` reads `in-RUN` and writes `audit-RUN`,
`out-RUN` and `state-RUN`. A fault happens once: a file in DATA remembers that it did.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka.errors import IllegalStateError, KafkaTimeoutError

from broker.core.model.ports import Effects, Outgoing, Record, Table
from broker.errors import BrokerError, RejectError
from broker.log import configure_log
from broker.stream import clients
from broker.stream.engine import app, progress, transport
from broker.stream.engine.table import StateTable

FAULT_AT = b"37"
NEVER_SECONDS = 600


@dataclass(frozen=True)
class Place:
    kafka: str
    data: Path
    group: str


@dataclass
class Once:
    """A fault that happens the first time only, also over restarts."""

    file: Path

    def __call__(self) -> bool:
        if self.file.exists():
            return False
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.touch()
        return True


@dataclass
class Copy:
    """Copies every record and counts per key; `bad` is rejected."""

    run: str
    fault: str
    once: Once
    dead_letters: str = ""

    name = "copy"

    @property
    def inputs(self) -> tuple[str, ...]:
        return (f"in-{self.run}",)

    @property
    def state_topics(self) -> tuple[str, ...]:
        return (f"state-{self.run}",)

    def open(self, partition: int, tables: Mapping[str, Table]) -> "CopyTask":
        return CopyTask(self, tables[f"state-{self.run}"])


@dataclass
class CopyTask:
    stage: Copy
    table: Table

    def step(self, record: Record, effects: Effects) -> None:
        assert record.key is not None
        if record.value is None or record.value.startswith(b"bad"):
            raise RejectError("unreadable")
        if record.value == FAULT_AT and (
            self.stage.fault == "raise-always" or (self.stage.fault == "raise" and self.stage.once())
        ):
            raise KeyError(record.value)
        offset, _, count = (self.table.get(record.key) or b"-1 0").partition(b" ")
        if record.offset <= int(offset):
            return
        size = 2_000_000 if record.value == FAULT_AT and self.stage.fault == "oversize" and self.stage.once() else 0
        effects.audit.append(Outgoing(f"audit-{self.stage.run}", record.key, record.value))
        effects.outputs.append(Outgoing(f"out-{self.stage.run}", record.key, record.value + b" " * size))
        self.table.put(record.key, b"%d %d" % (record.offset, int(count) + 1), effects)

    def due(self, now: int) -> Iterable[Outgoing]:
        return ()


async def _fail(*_: Any, **__: Any) -> Any:
    future = asyncio.get_running_loop().create_future()
    future.set_exception(KafkaTimeoutError())
    return future


def refuse_a_send(once: Once) -> None:
    """One send of the outputs is refused by Kafka."""
    send = clients.AIOKafkaProducer.send_batch

    async def send_batch(self: Any, batch: Any, topic: str, *, partition: int) -> Any:
        if topic.startswith("out-") and once():
            return await _fail()
        return await send(self, batch, topic, partition=partition)

    clients.AIOKafkaProducer.send_batch = send_batch


def pause_before_state(once: Once) -> None:
    """Stop this process, as an overloaded machine would, when the outputs are written and the state is not.

    Once it goes on it writes the state, and dies: what it wrote is for others to put right.
    """
    write = clients.Writer.write

    async def writing(self: Any, batch: Sequence[Outgoing]) -> None:
        if not (batch[0].topic.startswith("state-") and once()):
            await write(self, batch)
            return
        os.kill(os.getpid(), signal.SIGSTOP)
        await write(self, batch)
        os._exit(9)

    clients.Writer.write = writing


def die_before_state(once: Once) -> None:
    """Die when the outputs are written and the state is not."""
    write = clients.Writer.write

    async def writing(self: Any, batch: Sequence[Outgoing]) -> None:
        if batch[0].topic.startswith("state-") and once():
            os.kill(os.getpid(), signal.SIGKILL)
        await write(self, batch)

    clients.Writer.write = writing


def hang_in_hand(once: Once) -> None:
    """Never come to the end of the outputs."""
    write = clients.Writer.write

    async def writing(self: Any, batch: Sequence[Outgoing]) -> None:
        if batch[0].topic.startswith("out-") and once():
            await asyncio.sleep(NEVER_SECONDS)
        await write(self, batch)

    clients.Writer.write = writing


def crash_when_told_to_leave(once: Once) -> None:
    """Have a chunk in hand that ends, as the worker leaves, with a fault of its own."""
    write = clients.Writer.write

    async def writing(self: Any, batch: Sequence[Outgoing]) -> None:
        if not (batch[0].topic.startswith("out-") and once()):
            await write(self, batch)
            return
        try:
            await asyncio.sleep(NEVER_SECONDS)
        finally:
            raise KeyError(FAULT_AT)

    clients.Writer.write = writing


def pass_a_chunk_by(once: Once) -> None:
    """Drop a chunk between Kafka and the stage, as Faust does with what it skips."""
    put = app.Line.put

    def putting(self: Any, chunk: progress.Chunk) -> None:
        if not once():
            put(self, chunk)

    app.Line.put = putting


def highwater_raises(_: Once) -> None:
    """Answer as aiokafka does after a rebalance."""

    def highwater(_self: Any, tp: Any) -> int:
        raise IllegalStateError("No current assignment")

    transport.stock.Consumer.highwater = highwater


FAULTS: dict[str, Callable[[Once], None]] = {
    "refuse": refuse_a_send,
    "pause": pause_before_state,
    "die": die_before_state,
    "hang": hang_in_hand,
    "crash-leaving": crash_when_told_to_leave,
    "skip": pass_a_chunk_by,
    "highwater": highwater_raises,
}


def nothing(*_: Any) -> None:
    """Do not do what the protection does."""


def without_verified_sends() -> None:
    """Go on after a send that failed, as Faust's flush does."""
    write = clients.Writer.write

    async def writing(self: Any, batch: Sequence[Outgoing]) -> None:
        try:
            await write(self, batch)
        except BrokerError:
            return

    clients.Writer.write = writing


def without_order() -> None:
    """Take a chunk whatever came before it."""
    progress.Progress.take = nothing


def without_own_acknowledgement() -> None:
    """Count what Faust hands over as done, as stock Faust does."""

    def put(self: Any, chunk: progress.Chunk) -> None:
        self._waiting.append(chunk)
        self._wake.set()
        self._around.acknowledge(chunk)

    app.Line.put = put


def without_following() -> None:
    """Leave a late record of a zombie where it is."""
    StateTable.follow = nothing


def without_position_check() -> None:
    """Begin at the start of the log when the position is gone, as a client set to `earliest` does."""
    transport._require_present = nothing


PROTECTIONS: dict[str, Callable[[], None]] = {
    "verified": without_verified_sends,
    "order": without_order,
    "acknowledged": without_own_acknowledgement,
    "following": without_following,
    "position": without_position_check,
}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("kafka")
    parser.add_argument("data", type=Path)
    parser.add_argument("run")
    parser.add_argument("--fault", default="")
    parser.add_argument("--without", default="")
    parser.add_argument("--chunk", type=int, default=10)
    options = parser.parse_args()
    configure_log()
    app.SESSION_SECONDS = 2.0
    app.COMMIT_SECONDS = 0.2
    once = Once(options.data / "fault")
    if options.fault in FAULTS:
        FAULTS[options.fault](once)
    if options.without:
        PROTECTIONS[options.without]()
    topics = [f"{name}-{options.run}" for name in ("audit", "out", "state")]
    stage = Copy(options.run, options.fault, once)
    extras = app.Extras(outputs=lambda: topics, chunk_records=options.chunk)
    try:
        app.run_worker([stage], Place(options.kafka, options.data, f"group-{options.run}"), extras)
    except BrokerError as error:
        print(f"broker: {error}", file=sys.stderr, flush=True)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
