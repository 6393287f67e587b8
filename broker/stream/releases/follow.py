"""Follow the releases of policy and registers in Kafka, and put a new one in force by epoch.

A release is written whole before the epoch that puts it in force, so a worker that meets the epoch will have it soon.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from broker.codec import encode
from broker.core.identifiers import Digest
from broker.core.ports import Record
from broker.errors import KafkaUnavailableError, RetryError, SendFailedError
from broker.kafkaaccess import Kafka
from broker.stream.log_ends import log_ends
from broker.stream.releases.book import Kind, Release, ReleaseBook, encode_release
from broker.stream.topics import POLICIES, REGISTERS, SUBJECTS
from broker.stream.watching.places import places_of

EPOCH = "sb_epoch"  # header of an epoch record: `policy:<digest>`, so that nobody need decode records to wait for it
_TOPIC_OF: dict[str, str] = {"policy": POLICIES, "registers": REGISTERS}
_WAIT_S = 30.0
_PAUSE_S = 0.05


@dataclass(slots=True)
class Releases:
    """Follows both topics from their beginning. `consumer` belongs to no group and serves nothing else."""

    kafka: Kafka
    consumer: AIOKafkaConsumer
    book: ReleaseBook
    _following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read everything released so far, then go on following; raises KafkaUnavailableError or TopicsError."""
        places = await places_of(self.kafka, _TOPIC_OF.values())
        try:
            self.consumer.assign(places)
            await self.consumer.seek_to_beginning(*places)
            ends = await log_ends(self.consumer, places)
            while any([await self.consumer.position(place) < end for place, end in ends.items()]):
                await self._take(1_000)
        except KafkaError as error:
            raise KafkaUnavailableError(f"kafka does not give the releases: {type(error).__name__}") from error
        self._following = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Stop following; what was read stays."""
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following
            self._following = None

    async def hold(self, records: Iterable[Record]) -> None:
        """Wait until every version that these records put in force is here; raises RetryError when it does not come."""
        for record in records:
            named = record.header(EPOCH)
            if named is not None:
                of, _, wanted = named.decode().partition(":")
                await self.wait_for(of, Digest(wanted))

    async def wait_for(self, of: str, wanted: Digest) -> None:
        """Wait until a version is here; raises RetryError when it does not come."""
        until = time.monotonic() + _WAIT_S
        while not self.book.holds(of, wanted):
            if time.monotonic() > until:
                raise RetryError(
                    f"the {of} with digest `{wanted[:12]}` is in force but did not come: is `{_TOPIC_OF[of]}` whole?"
                )
            await asyncio.sleep(_PAUSE_S)

    async def _follow(self) -> None:
        while True:
            try:
                await self._take(1_000)
            except KafkaError:
                await asyncio.sleep(1)  # aiokafka finds its way back by itself

    async def _take(self, timeout_ms: int) -> None:
        for records in (await self.consumer.getmany(timeout_ms=timeout_ms)).values():
            for record in records:
                if record.value is not None:
                    self.book.add(record.value)


async def release(
    producer: AIOKafkaProducer, of: Kind, version: str, content: bytes, *, signed_by: Iterable[str] = ()
) -> Release:
    """Release a version: write it whole, then an epoch into every partition of the children's lines.

    `content` is its canonical form. In force for a child from that place in the child's line. Releasing the same again is
    harmless. Raises SendFailedError; then some lines may have the epoch and others not: release again.
    """
    made = Release(of, version, content, time.time_ns() // 1_000_000, tuple(signed_by))
    epoch = encode(
        "subject_record",
        {"kind": "EPOCH", "child_ref": "", "epoch": {"of": of, "version": version, "digest": made.digest}},
    )
    headers = [(EPOCH, f"{of}:{made.digest}".encode())]
    try:
        await producer.send_and_wait(_TOPIC_OF[of], encode_release(made), key=f"{of}:{version}:{made.digest}".encode())
        partitions = await producer.partitions_for(SUBJECTS)
        sent = [await producer.send(SUBJECTS, epoch, key=None, partition=one, headers=headers) for one in sorted(partitions)]
        await asyncio.gather(*sent)
    except KafkaError as error:
        raise SendFailedError(f"kafka did not take the release of {of} `{version}`: release it again") from error
    return made
