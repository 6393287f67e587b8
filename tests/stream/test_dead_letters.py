"""What can be said of a dead letter: nothing that whoever wrote it could use to put words on an operator's screen (I9)."""

import dataclasses
from collections.abc import Sequence

import pytest

from broker.codec import encode, encode_event
from broker.core.model.identifiers import AgencyId, EventId
from broker.core.model.ports import UNREADABLE, Outgoing, Record
from broker.stream.dead_letters import read_dead_letter, redrive
from broker.stream.engine.chunk import MALFORMED, dead_letter
from tests.stream.people import enrolled

SOME_ID = "0d7e6a4c-6b0e-5d7e-9b63-1f5a3c1d2e4f"


def a_letter(**header: str) -> dict[str, str | int | None]:
    """What is told of a dead letter that holds an event with this header, read back as an operator's command does."""
    event = enrolled()
    value = encode_event(dataclasses.replace(event, header=dataclasses.replace(event.header, **header)))  # type: ignore[arg-type]  # fields by name
    written = dead_letter(Record("events.schools.v1", 3, 7, 0, b"key", value), "bad_signature")
    return read_dead_letter(Record(written.topic, 0, 1, 0, written.key, written.value, written.headers)).about()


def test_an_event_is_named_by_type_publisher_and_id() -> None:
    told = a_letter(event_id=SOME_ID)

    assert (told["schema"], told["event_type"], told["event_id"]) == ("event", "school.pupil.registered", SOME_ID)


@pytest.mark.parametrize(
    ("topic", "name", "more"),
    [("candidates.v1", "candidate", {}), ("subjects.v1", "subject_record", {"child_ref": "c-1"})],
)
def test_an_event_between_stages_is_named_too_so_that_its_publisher_can_be_asked(
    topic: str, name: str, more: dict[str, str]
) -> None:
    event = enrolled()
    event = dataclasses.replace(event, header=dataclasses.replace(event.header, event_id=EventId(SOME_ID)))
    value = encode(name, {"kind": "EVENT", "event": encode_event(event), **more})
    written = dead_letter(Record(topic, 3, 7, 0, b"key", value), "content_differs")

    told = read_dead_letter(Record(written.topic, 0, 1, 0, written.key, written.value, written.headers)).about()

    assert told["schema"] == name
    assert (told["event_type"], told["producer"], told["event_id"]) == (event.header.event_type, event.header.producer, SOME_ID)
    assert "Alfie" not in str(told)


@pytest.mark.parametrize("name", ["Alfie-Marsh-2015-03-02", "Alfie Marsh", "\x1b[2J", SOME_ID.upper()])
def test_an_id_that_is_no_uuid_is_not_shown_for_it_may_be_a_name(name: str) -> None:
    told = a_letter(event_id=name)

    assert told["event_id"] == "not shown: no UUID"
    assert name not in str(told)


@pytest.mark.parametrize("field", ["event_type", "producer"])
@pytest.mark.parametrize("name", ["Alfie Marsh", "\x1b[2J", "x" * 5000])
def test_a_name_that_is_none_is_not_shown(field: str, name: str) -> None:
    told = a_letter(**{field: AgencyId(name)})

    assert told[field] == "not shown: no plain name"
    assert not [value for value in told.values() if isinstance(value, str) and name in value]


@dataclasses.dataclass
class Written:
    """Keeps what is written."""

    records: list[Outgoing] = dataclasses.field(default_factory=list)

    async def write(self, batch: Sequence[Outgoing]) -> None:
        self.records += batch


async def test_what_no_client_can_write_again_stays_and_the_others_go_back() -> None:
    whole = Record("events.schools.v1", 3, 7, 0, b"key", b"junk", (("note", b"1"),))
    marked = dataclasses.replace(whole, offset=8, headers=((UNREADABLE, b"\xff"), ("\\xff", b"1")))
    letters = [
        read_dead_letter(Record(one.topic, 0, 1, 0, one.key, one.value, one.headers))
        for one in (dead_letter(whole, "unknown_schema"), dead_letter(marked, MALFORMED))
    ]
    writer = Written()

    number = await redrive(writer, letters)

    assert (number, [one.can_be_put_back for one in letters]) == (1, [True, False])
    assert letters[1].record.headers == marked.headers, "its bytes are kept as they came"
    assert [one.topic for one in writer.records] == ["events.schools.v1", "dead-letters.v1"]
    assert writer.records[1].key == b"events.schools.v1/3@7+0", "only what went back is marked so"
