"""A child's facts cost what a record changes, and read back the same wherever the worker or its log was cut off."""

from dataclasses import replace
from statistics import mean

import pytest
from hypothesis import given

from broker.core.model.facts import Facts
from broker.core.model.identifiers import ChildRef, Millis
from broker.core.model.ports import Effects, Outgoing, Record
from broker.stream.decide.facts_record import facts_to_bytes
from broker.stream.decide.journal import Journal
from broker.stream.engine.table import StateTable
from broker.stream.topics import FACTS
from tests.stream.decide.test_facts_record import FACTS as SOME_FACTS
from tests.stream.lines import CHILD, SCHOOL, ALine, a_retraction, an_event, on_roll

KEY = CHILD.encode()
MANY = 60


def loaded(log: list[Outgoing]) -> Journal:
    """What a worker knows that takes this log of the state topic up."""
    table = StateTable(FACTS, 0)
    for at, one in enumerate(log):
        table.load(Record(FACTS, 0, at, 0, one.key, one.value, one.headers))
    return Journal(table)


def a_long_line() -> tuple[ALine, list[Facts]]:
    """A child of many events, some taken back and some confirmed; and its facts after each record."""
    line = ALine().take(on_roll())
    history = [line.task._journal.get(KEY)]
    for at in range(MANY):
        line.take(an_event(f"e{at}"))
        history.append(line.task._journal.get(KEY))
        if at % 10 == 5:
            line.take(a_retraction(f"e{at - 3}", f"back-{at}"))
            history.append(line.task._journal.get(KEY))
        if at % 10 == 7:
            line.receipt(line.disclosures(SCHOOL)[at // 2], "READ")
            history.append(line.task._journal.get(KEY))
    return line, history


@pytest.mark.search
@given(SOME_FACTS, SOME_FACTS)
def test_facts_read_back_as_they_were_put_whatever_changed(one: Facts, other: Facts) -> None:
    table = StateTable(FACTS, 0)
    kept = Journal(table)
    for version, facts in enumerate((one, other, one), 1):
        now = replace(facts, child_ref=ChildRef(CHILD), version=version)
        kept.put(KEY, kept.change(KEY, now), Effects())

        assert kept.get(KEY) == now
        again = Journal(table).get(KEY)
        assert again == now
        assert facts_to_bytes(again) == facts_to_bytes(now)


def test_a_log_cut_off_anywhere_holds_the_facts_after_some_record_and_never_older_ones_than_before() -> None:
    line, history = a_long_line()
    log = [one for one in line.facts_log if one.topic == FACTS and (one.key or b"").startswith(KEY)]
    wholes = sum(one.key == KEY for one in log)
    versions = [0]

    for length in range(1, len(log) + 1):
        found = loaded(log[:length]).get(KEY)
        assert found.version >= versions[-1]
        assert found in history
        versions.append(found.version)
    assert found == history[-1]
    assert 2 < wholes < len(log) / 6  # it began anew more than once, or nothing was shown


def test_changes_left_from_before_a_whole_count_no_more() -> None:
    line, history = a_long_line()
    whole = Journal(line.tables[FACTS])
    effects = Effects()
    line.tables[FACTS].put(KEY, facts_to_bytes(replace(history[-1], version=history[-1].version + 1)), effects)

    assert whole.get(KEY).version == history[-1].version + 1
    assert Journal(line.tables[FACTS]).get(KEY).version == history[-1].version + 1


def test_a_workers_value_gives_way_to_what_another_wrote_further() -> None:
    line, _ = a_long_line()
    mine = Journal(line.tables[FACTS])
    known = mine.get(KEY)
    other = Journal(line.tables[FACTS])
    other.put(KEY, other.change(KEY, replace(known, version=known.version + 1, at=Millis(known.at + 1))), Effects())

    assert mine.get(KEY).version == known.version + 1


def test_a_record_costs_no_more_state_however_much_came_before() -> None:
    line, sizes = ALine().take(on_roll()), []
    for at in range(MANY * 4):
        before = len(line.facts_log)
        line.take(an_event(f"e{at}"))
        sizes.append(sum(len(one.value or b"") for one in line.facts_log[before:] if one.topic == FACTS))

    assert mean(sizes[MANY:]) < 2 * mean(sizes[:MANY])
