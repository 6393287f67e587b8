"""The plain words that commands print instead of codes, from the policy and the registers that were released last."""

from broker.core.words import Words, words_of
from broker.policyfile import load_policy
from broker.stream.register_release import released


async def words_in_force(kafka: str) -> Words:
    """Return the words of what was released last; before any release, those of the policy that comes with the program.

    Raises KafkaUnavailableError or TopicsError.
    """
    book = await released(kafka)
    policy = book.newest_policy() if book.latest("policy") else load_policy()
    return words_of(policy, book.newest() if book.latest("registers") else None)
