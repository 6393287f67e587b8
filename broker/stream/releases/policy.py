"""Put a version of the policy in force, by epoch."""

from broker.core.policy import Policy
from broker.errors import PolicyError
from broker.kafkaaccess import Kafka
from broker.sealing.signatures import Signer
from broker.stream.clients import open_producer
from broker.stream.releases.belief import check_administrator
from broker.stream.releases.book import Release
from broker.stream.releases.follow import release
from broker.stream.releases.registers import confirm, made_at, released
from broker.stream.topics import SUBJECTS


async def release_policy(kafka: Kafka, policy: Policy, content: bytes, signer: Signer) -> Release:
    """Release a policy that has passed its checks; releasing the same again is harmless.

    Raises PolicyError when this version was released before with other rules, KeysError when the signer is no administrator
    in the registers in force.
    """
    book = await released(kafka)
    check_administrator(book.newest(), signer, "the registers in force")
    for one in book.all("policy"):
        if one.version == policy.version and one.digest != policy.digest:
            raise PolicyError(
                f"policy version `{policy.version}` was released before with other rules: "
                f"give it a new version in `[policy]` of `policy.toml`"
            )
    async with open_producer(kafka, topics=[SUBJECTS]) as kafka_producer:
        return await release(
            kafka_producer,
            "policy",
            policy.version,
            content,
            signer,
            after=made_at(book, "policy"),
            confirm=lambda made: confirm(kafka, made),
        )
