"""Put a version of the registers in force: its recipients' topics first, then the release and its epoch."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from broker.core.model.registers import Registers
from broker.errors import RegistersError, ReleaseRefusedError, SignatureError
from broker.kafkaaccess import Kafka
from broker.policyfile import policy_from_content
from broker.sealing.signatures import Signer
from broker.stream.clients import open_consumer, open_producer
from broker.stream.releases.belief import Say, check_administrator, check_not_last, say_nothing
from broker.stream.releases.book import Kind, Release, ReleaseBook
from broker.stream.releases.follow import Releases, release
from broker.stream.topic_admin import apply
from broker.stream.topics import SUBJECTS, recipient_topics


async def released(kafka: Kafka, say: Say = say_nothing) -> ReleaseBook:
    """Return everything released so far, and say what stands beside it that is no release.

    Raises KafkaUnavailableError or TopicsMissingError.
    """
    async with following_releases(kafka, say) as book:
        return book


@asynccontextmanager
async def following_releases(kafka: Kafka, say: Say = say_nothing) -> AsyncIterator[ReleaseBook]:
    """Give everything released so far, kept up to date as long as the context is open; raises as `released`."""
    async with open_consumer(kafka) as consumer:
        following = Releases(kafka, consumer, ReleaseBook(policy_from_content), say)
        await following.start()
        try:
            yield following.book
        finally:
            await following.stop()


async def release_registers(kafka: Kafka, registers: Registers, content: bytes, signer: Signer) -> Release:
    """Release the registers; a recipient's topic is there before anything can be decided for it.

    Raises RegistersError when this version was released before with another content, or nobody could release anything after
    it; KeysError when the signer is no administrator in the registers in force.
    """
    try:
        check_not_last(registers)
    except SignatureError as error:
        raise RegistersError(f"registers version `{registers.version}`: {error}: `broker keys new administrator`") from None
    book = await released(kafka)
    vouching, where = (book.newest(), "the registers in force") if book.latest("registers") else (registers, "this file")
    check_administrator(vouching, signer, where)
    for one in book.all("registers"):
        if one.version == registers.version and one.digest != registers.digest:
            raise RegistersError(
                f"registers version `{registers.version}` was released before with other entries: give it a new version"
            )
    await apply(kafka, recipient_topics(registers))
    return await release_after(kafka, book, "registers", registers.version, content=content, signer=signer)


async def release_after(  # noqa: PLR0913 - where, after what, and what is released by whom
    kafka: Kafka, book: ReleaseBook, of: Kind, version: str, *, content: bytes, signer: Signer
) -> Release:
    """Release a version after the one in force, than which it has to be made later, and check that it is believed."""
    latest = book.latest(of)
    after = latest.released_at if latest else 0
    async with open_producer(kafka, topics=[SUBJECTS]) as kafka_producer:
        return await release(
            kafka_producer, of, version, content, signer, after=after, confirm=lambda made: _confirm(kafka, made)
        )


async def _confirm(kafka: Kafka, made: Release) -> None:
    """Check that a release that was written is believed; raises ReleaseRefusedError."""
    book = await released(kafka)
    if book.refuses(made.of, made.digest):
        raise ReleaseRefusedError(f"{made.of} `{made.version}`: {book.refusals[-1]}")
