"""The plain words that commands print instead of codes, from the policy and the registers that were released last."""

from broker.core.account.words import Words, words_of
from broker.errors import BrokerError
from broker.kafkaaccess import Kafka
from broker.policyfile import load_policy
from broker.policyfile.code_lists import load_code_lists
from broker.stream.releases.book import ReleaseBook
from broker.stream.releases.registers import released


async def words_in_force(kafka: Kafka) -> Words:
    """Return the words of what was released last; before any release, those of the policy that comes with the program.

    Raises KafkaUnavailableError or TopicsMissingError.
    """
    return words_of_book(await released(kafka))


async def words_at_hand(kafka: Kafka) -> Words:
    """Return the words in force, else those that come with the program: whoever looks for a fault must not be stopped by one."""
    try:
        return await words_in_force(kafka)
    except BrokerError:
        return words_of(load_policy(), lists=load_code_lists())


def words_of_book(book: ReleaseBook) -> Words:
    """Return the words of what a book of releases holds, as `words_in_force`."""
    policy = book.newest_policy() if book.latest("policy") else load_policy()
    return words_of(policy, book.newest() if book.latest("registers") else None, load_code_lists())
