"""A partition's position moves over what is acknowledged without a gap, and never over a chunk that was passed by."""

from types import SimpleNamespace

import pytest

from broker.errors import ChunkSkippedError
from broker.stream.engine.progress import Chunk, Progress


def chunks(progress: Progress, *ends: int) -> list[Chunk]:
    made = [progress.fetch("in", 0, [SimpleNamespace(offset=end - 1)]) for end in ends]
    for chunk in made:
        progress.give(chunk)
    return made


def test_the_position_is_the_end_of_the_longest_acknowledged_run() -> None:
    progress = Progress()
    first, second, third = chunks(progress, 10, 20, 30)

    progress.acknowledge(third)
    assert progress.position is None
    progress.acknowledge(first)
    assert progress.position == 10
    progress.acknowledge(second)
    assert progress.position == 30
    assert len(progress) == 0


def test_the_head_alone_holds_the_position_back() -> None:
    """Stock Faust takes a single unacknowledged head for a gap in the log, and commits past it."""
    progress = Progress()
    _head, second = chunks(progress, 1, 2)

    progress.acknowledge(second)

    assert progress.position is None


def test_a_chunk_that_does_not_follow_the_one_before_is_refused() -> None:
    progress = Progress()
    first, _passed_by, third = chunks(progress, 10, 20, 30)
    progress.take(first)

    with pytest.raises(ChunkSkippedError, match="`in` partition 0: chunk 2 came where 1 was due"):
        progress.take(third)
