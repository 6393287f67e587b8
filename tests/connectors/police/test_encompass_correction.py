"""A correction of a notice: what was told of the wrong child, or under the wrong name, ends with it."""

import pytest

from broker.core.model.event import Action, Event
from tests.connectors.contract import MemoryInHand
from tests.connectors.police.test_encompass_notice import NOTICE, SECOND, read


def corrected(old: str, new: str, *more: str) -> str:
    lines = "".join(f"{line}\n" for line in ("Standing: correction", *more))
    return NOTICE.replace(old, new).replace("END OF NOTICE", f"{lines}END OF NOTICE")


def sent(*texts: str) -> list[tuple[list[Event], list[str]]]:
    """What each of some notices yields, and the rules of its findings."""
    memory = MemoryInHand()
    return [(events, [one.rule for one in findings]) for events, findings in (read(text, memory) for text in texts)]


@pytest.mark.parametrize(("old", "new"), [("Ottilie", "Odile"), ("2016-04-02", "2016-02-04"), ("A950000178301", "H243278544154")])
def test_a_corrected_name_or_birth_date_takes_the_place_of_the_wrong_one(old: str, new: str) -> None:
    ((first,), _), ((second,), findings) = sent(NOTICE, corrected(old, new))

    assert (second.header.action, second.header.supersedes) == (Action.UPDATE, first.header.event_id)
    assert second.header.sequence > first.header.sequence
    assert findings == []


def test_a_correction_is_itself_corrected_and_withdrawn() -> None:
    texts = (NOTICE, corrected("Ottilie", "Odile"), corrected("Ottilie", "Odette"), corrected("Ottilie", "Odette"))
    withdrawn = NOTICE.replace("Ottilie", "Odette").replace("Grade: medium", "Standing: withdrawn")

    (first,), (second,), (third,), again, (last,) = (events for events, _ in sent(*texts, withdrawn))

    assert [event.header.supersedes for event in (second, third, last)] == [
        event.header.event_id for event in (first, second, third)
    ]
    assert again == [], "the same again says nothing new"
    assert last.header.action is Action.RETRACT


def test_a_correction_back_to_what_was_said_first_is_told() -> None:
    (first,), (second,), (third,) = (
        events for events, _ in sent(NOTICE, corrected("Ottilie", "Odile"), corrected("Ottilie", "Ottilie"))
    )

    assert third.header.event_id not in {first.header.event_id, second.header.event_id}
    assert third.header.supersedes == second.header.event_id


def test_of_several_children_a_correction_names_the_notice_that_it_replaces() -> None:
    named = NOTICE.replace("END OF NOTICE", "Notice id: 42-17\nEND OF NOTICE")

    both, (told, findings), (doubtful, doubts), (late, none) = sent(
        named + SECOND,
        corrected("Ottilie", "Odile", "Replaces notice: 42-17"),
        corrected("Ottilie", "Olive"),
        corrected("Ottilie", "Odette", "Replaces notice: 42-17"),
    )

    assert [event.header.supersedes for event in told] == [both[0][0].header.event_id]
    assert [event.header.supersedes for event in late] == [told[0].header.event_id]
    assert (findings, none) == ([], [])
    assert ([event.header.action for event in doubtful], doubts) == ([Action.NEW], ["nothing-to-correct"])


def test_a_correction_of_nothing_known_is_told_as_new_and_said_to_be() -> None:
    """The school hears in time either way; whoever was told wrongly is named to the force."""
    ((event,), findings), (_, unknown) = sent(
        corrected("Ottilie", "Odile"), corrected("Ottilie", "Olive", "Replaces notice: never sent")
    )

    assert (event.header.action, findings) == (Action.NEW, ["nothing-to-correct"])
    assert unknown == ["nothing-to-correct"]


def test_without_the_word_another_name_under_one_reference_is_another_child() -> None:
    (_, ((event,), _)) = sent(NOTICE, NOTICE.replace("Ottilie", "Ben"))

    assert event.header.action is Action.NEW
