"""State is what its highest version says, whatever order records come in, and the log is put right when it says otherwise."""

import random

from broker.core.model.ports import STATE_VERSION, WAITS, Effects, Outgoing, Record
from broker.stream.engine.table import StateTable


def a_state(version: int, value: bytes | None = None, key: bytes = b"k", offset: int = 0) -> Record:
    return Record("facts.v1", 2, offset, 1, key, value or b"v%d" % version, ((STATE_VERSION, b"%d" % version),))


def as_record(outgoing: Outgoing) -> Record:
    return Record(outgoing.topic, outgoing.partition or 0, 0, 1, outgoing.key, outgoing.value, outgoing.headers)


def test_a_key_without_state_has_none_and_version_zero() -> None:
    table = StateTable("facts.v1", 2)

    assert (table.get(b"k"), table.version(b"k"), list(table.items())) == (None, 0, [])


def test_putting_state_counts_up_and_writes_to_the_partition_of_the_input() -> None:
    table, effects = StateTable("facts.v1", 2), Effects()

    table.put(b"k", b"first", effects)
    table.put(b"k", b"second", effects)

    assert list(effects.state.values()) == [Outgoing("facts.v1", b"k", b"second", ((STATE_VERSION, b"2"),), 2)]
    assert (table.get(b"k"), table.version(b"k"), len(table)) == (b"second", 2, 1)


def test_state_can_be_put_as_a_version_that_its_writer_counts_and_never_as_a_lower_one() -> None:
    table, effects = StateTable("facts.v1", 2), Effects()

    table.put(b"k", b"first", effects, version=7)
    table.put(b"k", b"second", effects, version=3)

    assert (table.get(b"k"), table.version(b"k")) == (b"second", 8)


def test_an_empty_value_ends_a_state_and_a_late_older_one_does_not_bring_it_back() -> None:
    table, effects = StateTable("facts.v1", 2), Effects()
    table.load(a_state(3))
    table.put(b"k", b"", effects)
    [ended] = effects.state.values()

    assert (ended.value, table.get(b"k")) == (None, b"")
    assert table.follow(as_record(ended)) is None
    assert table.follow(a_state(2)) == ended


def test_the_highest_version_wins_in_whatever_order_records_are_loaded() -> None:
    versions = [1, 2, 3, 4]
    for seed in range(24):
        random.Random(seed).shuffle(versions)
        table = StateTable("facts.v1", 2)
        for version in versions:
            table.load(a_state(version))

        assert (table.get(b"k"), table.version(b"k")) == (b"v4", 4)
        assert bool(table.repairs()) == (versions[-1] != 4)
        assert table.repairs() == [], "once"


def test_a_late_lower_version_makes_the_owner_write_its_state_again() -> None:
    table = StateTable("facts.v1", 2)
    table.load(a_state(7))

    again = table.follow(a_state(6))

    assert again == Outgoing("facts.v1", b"k", b"v7", ((STATE_VERSION, b"7"),), 2)
    assert table.follow(as_record(again)) is None
    assert table.get(b"k") == b"v7"


def test_the_owners_own_older_records_coming_by_are_no_reason_to_write_again() -> None:
    table = StateTable("facts.v1", 2)
    written = []
    for number in range(4):
        effects = Effects()
        table.put(b"k", b"v%d" % (number + 1), effects)
        written.append(as_record(effects.state["facts.v1", b"k"]))

    assert [table.follow(record) for record in written] == [None] * 4
    assert table.follow(written[1]) is not None, "but a lower one after the highest is"


def test_a_lower_version_is_not_answered_with_a_state_whose_outputs_may_not_be_there_yet() -> None:
    """What was put last is written by its chunk, after its outputs; a worker that dies before leaves the rest to the next."""
    table = StateTable("facts.v1", 2)
    table.load(a_state(3))
    effects = Effects()
    table.put(b"k", b"v4", effects)

    assert table.follow(a_state(1)) is None
    assert table.follow(as_record(effects.state["facts.v1", b"k"])) is None
    assert table.follow(a_state(1)) is not None, "now it is there"


def test_a_higher_version_from_elsewhere_is_taken_over() -> None:
    """It was written by whoever owned the key in between, after its outputs were acknowledged."""
    table = StateTable("facts.v1", 2)
    table.load(a_state(3))

    assert table.follow(a_state(5)) is None
    assert (table.get(b"k"), table.version(b"k")) == (b"v5", 5)


def test_a_record_without_a_version_never_wins_over_one_with() -> None:
    table = StateTable("facts.v1", 2)
    table.load(a_state(1))
    table.load(Record("facts.v1", 2, 1, 1, b"k", b"stray", ()))

    assert table.get(b"k") == b"v1"


def test_what_a_states_headers_say_is_kept_and_said_again_when_it_is_written_again() -> None:
    table, effects = StateTable("facts.v1", 2), Effects()
    table.put(b"k", b"first", effects, ((WAITS, b"events.police.v1/0@1+0"),))
    (written,) = effects.state.values()
    other = StateTable("facts.v1", 2)
    other.load(as_record(written))
    other.load(a_state(0))
    table.follow(as_record(written))

    assert other.repairs() == [written]
    assert table.follow(a_state(0)) == written


def test_a_record_that_no_stage_wrote_under_a_key_without_state_is_passed_over() -> None:
    """Whoever may write there by hand must not end the worker that follows its own state."""
    table = StateTable("facts.v1", 2)

    assert table.follow(Record("facts.v1", 2, 0, 1, b"k", b"junk", ())) is None
    assert table.follow(Record("facts.v1", 2, 1, 1, None, b"junk", ())) is None
    assert (table.get(b"k"), len(table)) == (None, 0)
