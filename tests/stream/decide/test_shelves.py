"""However much waits for one child, no record grows with it, and nothing of what is answered stays behind."""

import pytest

from broker import codec
from broker.core.model.event import Body, Event
from broker.core.model.identifiers import ChildRef
from broker.errors import TooLargeError, UnreadableRecordError
from broker.stream.decide import stage
from broker.stream.decide.shelf import shelf_to_bytes
from broker.stream.decide.shelves import Shelves
from broker.stream.topics import FACTS, LARGEST_RECORD
from tests.stream.lines import CHILD, SECRETS, ALine, an_event, on_roll

LONG = 250_000


def a_long(name: str) -> Event:
    return an_event(name, body=Body(narrative={"text": name * (LONG // len(name)), "checked": False}))


def a_held_line() -> ALine:
    return ALine().take(on_roll(), an_event("nonsense", "control.protection"))


def shelf_records(line: ALine) -> dict[bytes, bytes]:
    return {key: value for key, value in line.tables[FACTS].items() if key.startswith(b"shelf/") and value}


def waiting(line: ALine) -> list[str]:
    shelf = Shelves(line.tables[FACTS], SECRETS).get(ChildRef(CHILD))
    return [codec.decode_header(one.event).event_id for one in shelf]


def test_twenty_long_alerts_on_a_held_line_are_twenty_records_and_all_go_on_once_it_is_answered() -> None:
    line = a_held_line().take(*(a_long(f"long-{at}") for at in range(20)))

    assert max(map(len, shelf_records(line).values())) < 2 * LONG < LARGEST_RECORD < 20 * LONG
    assert waiting(line) == ["nonsense", *(f"long-{at}" for at in range(20))]

    line.restart().resolve(next(one for one in line.reviews() if one["event_id"] == "nonsense"), "REJECT")

    decided = [one["event_id"] for one in line.audits() if one["outcome"] == "DECIDED" and one["event_id"].startswith("long-")]
    assert decided == [f"long-{at}" for at in range(20)]
    assert shelf_records(line) == {}, "nothing of an event stays once nobody is asked about it"


def test_an_event_that_several_are_asked_about_is_kept_once() -> None:
    line = a_held_line().take(a_long("long"))
    (list_, *events) = sorted(shelf_records(line).items(), key=lambda one: len(one[0]))

    assert list_[0] == b"shelf/" + CHILD.encode()
    assert len(events) == len(set(waiting(line))) == 2
    assert all(b"long" not in value for _, value in shelf_records(line).items()), "sealed"


def test_a_shelf_that_was_kept_whole_is_read_and_kept_apart_from_the_next_change_on() -> None:
    line = a_held_line().take(an_event("before"))
    table = line.tables[FACTS]
    shelf = Shelves(table, SECRETS).get(ChildRef(CHILD))
    for key in shelf_records(line):
        table.put(key, b"", line.effects)
    table.put(b"shelf/" + CHILD.encode(), shelf_to_bytes(shelf, SECRETS, ChildRef(CHILD)), line.effects)

    assert waiting(line) == ["nonsense", "before"]
    line.restart().take(an_event("after"))

    assert waiting(line) == ["nonsense", "before", "after"]
    assert len(shelf_records(line)) == 4


def test_an_event_that_is_gone_from_the_state_is_said_to_be_gone() -> None:
    line = a_held_line()
    (gone,) = (key for key in shelf_records(line) if b"@" in key)
    line.tables[FACTS].put(gone, b"", line.effects)

    with pytest.raises(UnreadableRecordError, match="not in its state topic"):
        waiting(line)


def test_what_would_be_more_than_a_topic_takes_is_refused_whole_and_the_line_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    line = a_held_line()
    before = dict(line.tables[FACTS].items())
    monkeypatch.setattr(stage, "LARGEST_RECORD", LONG)

    with pytest.raises(TooLargeError) as found:
        line.take(a_long("long"))

    assert found.value.sender != "", "the limit on dead letters counts who sent it"
    assert dict(line.tables[FACTS].items()) == before, "all or nothing"
    assert waiting(line.take(an_event("after"))) == ["nonsense", "after"]
