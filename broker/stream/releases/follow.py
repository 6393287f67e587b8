"""Follow the releases of policy and registers in Kafka, and put a new one in force by epoch.

A release is written whole before the epoch that puts it in force, so a worker that meets the epoch will have it soon.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from broker.codec import encode
from broker.core.model.identifiers import Digest
from broker.core.model.ports import Record
from broker.errors import KafkaUnavailableError, RetryError, SendFailedError
from broker.kafkaaccess import Kafka
from broker.sealing.signatures import Signer
from broker.stream.clients import kafka_errors, to_record
from broker.stream.log_ends import log_ends
from broker.stream.releases.belief import TOPIC_OF, Belief, Say, release_id, say_nothing
from broker.stream.releases.book import Kind, Release, ReleaseBook, encode_release
from broker.stream.topics import SUBJECTS
from broker.stream.watching.places import places_by

EPOCH = "sb_epoch"  # header of an epoch record: `policy:<digest>`, so that nobody need decode records to wait for it

Confirm = Callable[[Release], Awaitable[None]]

_WAIT_S = 30.0
_PAUSE_S = 0.05


@dataclass(slots=True)
class Releases:
    """Follows both topics from their beginning. `consumer` belongs to no group and serves nothing else."""

    kafka: Kafka
    consumer: AIOKafkaConsumer
    book: ReleaseBook
    say: Say = say_nothing
    _unjudged: list[Record] = field(default_factory=list)
    _judged: dict[TopicPartition, int] = field(default_factory=dict)  # up to where
    _belief: Belief = field(init=False)
    _following: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self._belief = Belief(self.book, self.say)

    async def start(self) -> None:
        """Read everything released so far, then go on following; raises KafkaUnavailableError or TopicsMissingError."""
        places = await places_by(self.consumer, self.kafka, TOPIC_OF.values())
        try:
            self.consumer.assign(places)
            await self.consumer.seek_to_beginning(*places)
            self._judged = {place: await self.consumer.position(place) for place in places}
            await self._take(0)
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
        """Wait until a version is here, or is known to be none; raises RetryError when it does not come."""
        until = time.monotonic() + _WAIT_S
        while not self.book.holds(of, wanted):
            # Somebody may have written a version first who may not release it: the true one stands behind that.
            if self.book.refuses(of, wanted) and await self._is_up_to_date():
                return
            if time.monotonic() > until:
                raise RetryError(f"the {of} with digest `{wanted[:12]}` is in force but did not come: is `{TOPIC_OF[of]}` whole?")
            await asyncio.sleep(_PAUSE_S)

    async def _is_up_to_date(self) -> bool:
        with kafka_errors("releases"):
            ends = await log_ends(self.consumer, list(self._judged))
        return all(self._judged[place] >= end for place, end in ends.items())

    async def _follow(self) -> None:
        while True:
            try:
                await self._take(1_000)
            except KafkaError:
                await asyncio.sleep(1)  # aiokafka finds its way back by itself

    async def _take(self, timeout_ms: int) -> None:
        """Read what is new in both topics and judge it together: a policy goes by the registers that were released before it."""
        await self._fetch(timeout_ms)
        if self._unjudged or not timeout_ms:
            ends = await log_ends(self.consumer, list(self._judged))
            while any([await self.consumer.position(place) < end for place, end in ends.items()]):
                await self._fetch(1_000)
        fetched, self._unjudged = self._unjudged, []
        self._belief.take(fetched)
        for place in self._judged:
            self._judged[place] = await self.consumer.position(place)

    async def _fetch(self, timeout_ms: int) -> None:
        for records in (await self.consumer.getmany(timeout_ms=timeout_ms)).values():
            self._unjudged.extend(to_record(record) for record in records)


async def vouch(producer: AIOKafkaProducer, made: Release, signer: Signer) -> None:
    """Sign a release that stands there unsigned, as it is; it is known then and comes into force nowhere.

    Raises SendFailedError.
    """
    try:
        await _write(producer, made, signer)
    except KafkaError as error:
        raise SendFailedError(f"kafka did not take {made.of} `{made.version}`: vouch for it again") from error


async def _write(producer: AIOKafkaProducer, made: Release, signer: Signer) -> None:
    name, value = release_id(made), encode_release(made)
    signed = signer.headers(TOPIC_OF[made.of], value, name)
    await producer.send_and_wait(TOPIC_OF[made.of], value, key=name.encode(), headers=list(signed))


async def release(  # noqa: PLR0913 - what is released, by whom, and how one makes sure of it
    producer: AIOKafkaProducer,
    of: Kind,
    version: str,
    content: bytes,
    signer: Signer,
    *,
    after: int = 0,
    confirm: Confirm | None = None,
) -> Release:
    """Release a version: write it whole and signed, then an epoch into every partition of the children's lines.

    `content` is its canonical form; `after` is when the version in force was released. In force for a child from that place in
    the child's line. `confirm` looks, before the epochs are written, whether the release is believed: an epoch of one that is
    not would be passed over. Releasing the same again is harmless. Raises SendFailedError; then some lines may have the epoch
    and others not: release again.
    """
    made = Release(of, version, content, max(time.time_ns() // 1_000_000, after + 1), (signer.key_id,))
    epoch = encode(
        "subject_record",
        {"kind": "EPOCH", "child_ref": "", "epoch": {"of": of, "version": version, "digest": made.digest}},
    )
    headers = [(EPOCH, f"{of}:{made.digest}".encode())]
    try:
        await _write(producer, made, signer)
        if confirm is not None:
            await confirm(made)
        partitions = await producer.partitions_for(SUBJECTS)
        sent = [await producer.send(SUBJECTS, epoch, key=None, partition=one, headers=headers) for one in sorted(partitions)]
        await asyncio.gather(*sent)
    except KafkaError as error:
        raise SendFailedError(f"kafka did not take the release of {of} `{version}`: release it with --again") from error
    return made
