"""Let an administrator sign what an older version of this software released unsigned, so that what was decided by it stands.

Nothing of it comes into force anew: it is known again, for the lines that are still under it and for whoever asks later.
"""

from collections.abc import Sequence

from broker.errors import NotFoundError
from broker.kafkaaccess import Kafka
from broker.sealing.signatures import Signer
from broker.stream.clients import open_producer
from broker.stream.releases.belief import check_administrator
from broker.stream.releases.book import Release
from broker.stream.releases.follow import vouch
from broker.stream.releases.registers import released


async def unsigned_releases(kafka: Kafka) -> tuple[Release, ...]:
    """Return what stands there and nobody signed, in the order of the log; raises KafkaUnavailableError or TopicsMissingError."""
    return (await released(kafka)).unsigned()


async def vouch_for(kafka: Kafka, digests: Sequence[str], signer: Signer) -> list[Release]:
    """Sign the unsigned releases whose digests are named, or begin so; return them.

    Raises RetryError before registers and a policy are released, KeysError when the signer is no administrator there,
    NotFoundError when a digest is none of theirs, or of several; then nothing was signed.
    """
    book = await released(kafka)
    check_administrator(book.newest(), signer, "the registers in force")
    book.newest_policy()  # else the first that somebody vouches for would be taken for it
    chosen = [_one(book.unsigned(), named) for named in digests]
    async with open_producer(kafka) as kafka_producer:
        for one in chosen:
            await vouch(kafka_producer, one, signer)
    return chosen


def _one(there: Sequence[Release], named: str) -> Release:
    found = [one for one in there if named and one.digest.startswith(named)]
    if len(found) != 1:
        what = "no release that nobody signed has it" if not found else "more than one begins so"
        raise NotFoundError(f"digest `{named}`: {what}: see `broker registers vouch`")
    return found[0]
