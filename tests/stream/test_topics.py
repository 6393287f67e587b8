"""What differs between the declaration and Kafka."""

from dataclasses import replace

import pytest

from broker.stream.topics import Existing, Topic, differences

TOPIC = Topic("topics-test", 2)
AS_DECLARED = Existing(2, TOPIC.config(1))


@pytest.mark.parametrize(
    ("replicas", "in_sync", "found"),
    [(1, "1", None), (3, "1", ("1", "2")), (3, "2", None), (3, "3", None)],
)
def test_of_three_replicas_two_have_a_record_before_it_counts_as_written(
    replicas: int, in_sync: str, found: tuple[str, str] | None
) -> None:
    """Who asks for more keeps it."""
    existing = replace(AS_DECLARED, replicas=replicas, config={**TOPIC.config(1), "min.insync.replicas": in_sync})

    found_here = [one.settings for one in differences([TOPIC], {TOPIC.name: existing})]

    assert found_here == ([] if found is None else [{"min.insync.replicas": found}])
    assert ("min.insync.replicas" in TOPIC.config(replicas)) is (replicas == 3)
