"""One real Kafka for the whole run."""

import os
from collections.abc import Iterator

import pytest

from broker.stream.kafka_node import EMBEDDED, GivenNode, KafkaNode, why_no_apache_kafka


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The address of an Apache Kafka: KAFKA=host:port, else one started here.

    Where Java and Maven are, a Kafka that does not come up fails the tests; it never skips them.
    """
    given = os.environ.get("KAFKA")
    reason = why_no_apache_kafka()
    if (not given or given == EMBEDDED) and reason is not None:
        pytest.skip(f"no Apache Kafka here: {reason}")
    node = GivenNode(given) if given and given != EMBEDDED else KafkaNode()
    yield node.start()
    node.stop()
