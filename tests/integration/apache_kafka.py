"""Where a real Apache Kafka can be started."""

import pytest

from broker.stream.node.kafka_node import why_no_apache_kafka


def need_apache_kafka() -> None:
    """Skip what needs a Kafka of its own where Java and Maven are not there; where they are, nothing is skipped."""
    reason = why_no_apache_kafka()
    if reason is not None:
        pytest.skip(f"no Apache Kafka here: {reason}")
