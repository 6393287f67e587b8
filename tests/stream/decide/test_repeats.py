"""The same event again, or an earlier version of it: a duplicate or a dead letter, and never lost in silence (I2)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from broker import codec
from broker.core.model.event import Body
from broker.core.model.identifiers import Millis
from broker.core.model.ports import Outgoing
from broker.errors import ChangedContentError, StaleVersionError
from broker.stream.engine.chunk import REASON, DeadLetterLimits, run_chunk
from tests.stream.lines import CHILD, HUB, NOW, SCHOOL, ALine, a_retraction, an_event, an_update, at_practice, on_roll

LOW: Body = {"concern": {"grade": "low"}}


@dataclass
class Written:
    """Keeps what a chunk writes."""

    records: list[Outgoing] = field(default_factory=list)

    async def write(self, batch: Sequence[Outgoing]) -> None:
        self.records += batch


def a_told_line() -> ALine:
    return ALine().take(on_roll(), at_practice(), an_event())


async def test_other_content_under_a_known_id_becomes_a_dead_letter_with_its_own_reason_and_changes_nothing() -> None:
    line, writer = a_told_line(), Written()
    before = line.facts()
    event = codec.encode_event(an_event(body=LOW))
    record = line.record(codec.encode("subject_record", {"kind": "EVENT", "child_ref": CHILD, "event": event}), CHILD.encode())

    await run_chunk(line.task, [record], writer, DeadLetterLimits())

    (letter,) = writer.records
    assert (letter.topic, dict(letter.headers)[REASON]) == ("dead-letters.v1", b"content_differs")
    assert codec.decode("dead_letter", letter.value or b"")["value"] == record.value
    assert line.facts() == before


@pytest.mark.parametrize("restart", [False, True])
def test_a_true_repeat_stays_a_duplicate_also_when_it_was_written_down_again(restart: bool) -> None:
    line = a_told_line()
    if restart:
        line.restart()
    line.take(an_event(), an_event(recorded_at=Millis(NOW + 9), sequence=4))

    assert [one["outcome"] for one in line.audits()[-2:]] == ["DUPLICATE", "DUPLICATE"]
    assert len(line.disclosures(SCHOOL)) == 1


def test_a_retraction_or_a_correction_under_the_id_of_an_earlier_event_is_not_lost_in_silence() -> None:
    line = a_told_line()

    for other in (a_retraction("e1", "e1"), an_update("e9", "e1")):
        with pytest.raises(ChangedContentError, match="under an id of its own"):
            line.take(other)


def test_other_content_is_known_as_such_while_the_event_waits_for_a_person_and_after_a_merge() -> None:
    held = a_told_line().take(a_retraction("e1", producer="urn:100001"), an_event("e2"))
    merged = ALine().take(on_roll(), an_event(), child="c-loser")
    merged.feed({"kind": "HANDOVER", "child_ref": CHILD}, key=b"c-loser")

    for line, name in ((held, "e2"), (merged, "e1")):
        assert line.take(an_event(name)).audits()[-1]["outcome"] == "DUPLICATE"
        with pytest.raises(ChangedContentError):
            line.take(an_event(name, body=LOW))
    assert len(merged.disclosures(HUB)) == 1


def test_of_versions_that_all_name_the_first_one_that_its_source_puts_before_another_never_overwrites_it() -> None:
    """As when a version comes back from the dead letters after a later one."""
    line = ALine().take(on_roll(), an_event("e1", sequence=1), an_update("e1", "e3", sequence=3, body=LOW))

    with pytest.raises(StaleVersionError):
        line.take(an_update("e1", "e2", sequence=2, body=LOW))


def test_nor_one_that_waits_for_a_person() -> None:
    """It was taken off as if it were the earlier one, and what its publisher had said before stood."""
    line = ALine().take(on_roll(), an_event("e1"), an_event("odd", "control.protection", body=Body()))
    line.take(an_update("e1", "e3", sequence=3, body=LOW))
    with pytest.raises(StaleVersionError):
        line.take(an_update("e1", "e2", sequence=2))
    line.resolve(next(one for one in line.reviews() if one["kind"] == "HOLD"))

    assert line.disclosures(SCHOOL)[-1]["concern"]["grade"] == "low"


def test_a_version_that_names_the_one_before_it_is_the_next_whatever_its_number() -> None:
    line = ALine().take(on_roll(), an_event("e1", sequence=9), an_update("e1", "e2", sequence=5))
    line.take(an_update("e2", "e3", sequence=2, body=LOW))

    assert line.disclosures(SCHOOL)[-1]["kind"] == "CORRECTION"
