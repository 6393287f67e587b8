"""One real Kafka for the whole run."""

import asyncio
import os
from collections.abc import Iterator

import pytest

from broker.stream.node.kafka_node import EMBEDDED, GivenNode, KafkaNode
from tests.area import Area, create_topics
from tests.integration.apache_kafka import need_apache_kafka


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The address of an Apache Kafka: KAFKA=host:port, else one started here.

    Where Java and Maven are, a Kafka that does not come up fails the tests; it never skips them.
    """
    given = os.environ.get("KAFKA")
    if not given or given == EMBEDDED:
        need_apache_kafka()
    node = GivenNode(given) if given and given != EMBEDDED else KafkaNode()
    yield node.start()
    node.stop()


@pytest.fixture(scope="module")
def area(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Area]:
    """A small area with its topics on a Kafka of its own: topic names are fixed, so what other tests wrote must not be in it."""
    need_apache_kafka()
    node = KafkaNode()
    made = Area(tmp_path_factory.mktemp("area"), node.start())
    made.write()
    asyncio.run(create_topics(made))
    yield made
    node.stop()
