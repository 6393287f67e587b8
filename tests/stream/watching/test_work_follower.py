"""What is open is counted as the lists show it: what none of our stages wrote is in neither."""

from aiokafka import TopicPartition

from broker.core.model.ports import Headers, Outgoing, Record
from broker.errors import RejectError
from broker.stream.engine.chunk import dead_letter
from broker.stream.topics import DEAD_LETTERS
from broker.stream.watching.work_follower import WorkFollower

REFUSED = Record("events.police.v1", 3, 7, 1, b"key", b"junk", ())


def written(outgoing: Outgoing) -> Record:
    return Record(DEAD_LETTERS, 0, 0, 5, outgoing.key, outgoing.value, outgoing.headers)


def by_hand(key: bytes | None, value: bytes, headers: Headers = ()) -> Record:
    return Record(DEAD_LETTERS, 0, 1, 6, key, value, headers)


def following(*records: Record) -> WorkFollower:
    follower = WorkFollower(None, None, "workers")
    for record in records:
        try:
            follower._note(TopicPartition(DEAD_LETTERS, 0), record)
        except RejectError:  # as it is passed over where records are taken
            continue
    return follower


def test_a_dead_letter_is_counted_with_its_reason() -> None:
    letter = written(dead_letter(REFUSED, "unknown_schema"))

    found = following(letter)

    assert found.work.dead_letters == {(letter.key or b"").decode(): 5}
    assert found.tally.dead_letters == {"unknown_schema": 1}


def test_what_somebody_wrote_there_by_hand_is_no_dead_letter() -> None:
    """Nobody can list it, show it or put it back, so its count would never go down again."""
    letter = written(dead_letter(REFUSED, "unknown_schema"))

    found = following(by_hand(b"k", b"junk"), by_hand(None, b"junk"), by_hand(b"k", letter.value or b""))

    assert not found.work.dead_letters
    assert not found.tally.dead_letters
