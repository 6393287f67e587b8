"""Put a version of the policy in force, by epoch."""

from broker.core.model.policy import Policy
from broker.errors import PolicyError
from broker.kafkaaccess import Kafka
from broker.sealing.signatures import Signer
from broker.stream.releases.belief import check_administrator
from broker.stream.releases.book import Release
from broker.stream.releases.registers import release_after, released


async def release_policy(kafka: Kafka, policy: Policy, content: bytes, signer: Signer, *, again: bool = False) -> Release | None:
    """Release a policy that has passed its checks; None of the one that is in force, unless that is released `again`.

    Raises PolicyError when this version was released before with other rules, KeysError when the signer is no administrator
    in the registers in force.
    """
    book = await released(kafka)
    check_administrator(book.newest(), signer, "the registers in force")
    latest = book.latest("policy")
    if latest is not None and latest.content == content and not again:
        return None
    for one in book.all("policy"):
        if one.version == policy.version and one.digest != policy.digest:
            raise PolicyError(
                f"policy version `{policy.version}` was released before with other rules: "
                f"give it a new version in `[policy]` of `policy.toml`"
            )
    return await release_after(kafka, book, "policy", policy.version, content=content, signer=signer)
