"""A subscriber's place in a log that became shorter: at its end it is lost, at its beginning it was merely trimmed."""

import pytest
from aiokafka import TopicPartition

from broker.errors import DataLossError
from broker.stream.subscribe import check_reach, deleted_unread

HERE, THERE = TopicPartition("disclosures.v1", 0), TopicPartition("disclosures.v1", 1)


def test_a_log_that_ends_before_what_was_read_of_it_lost_records() -> None:
    with pytest.raises(DataLossError, match="partition 1 ends at 3, and was read here up to 4: its records are lost: begin anew"):
        check_reach({HERE: 4, THERE: 4}, {HERE: 4, THERE: 3}, "begin anew")


def test_a_log_that_was_trimmed_lost_nothing_and_what_was_not_read_is_counted() -> None:
    check_reach({HERE: 4, THERE: 4}, {HERE: 9, THERE: 9}, "")

    said = list(deleted_unread({HERE: 9, THERE: 4}, {HERE: 9, THERE: 6}))

    assert len(said) == 1
    assert "partition 1: 2 record(s) were deleted before they were read here: going on with the oldest" in said[0]
