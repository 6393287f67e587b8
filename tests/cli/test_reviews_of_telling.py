"""`broker reviews`: whether a family cannot safely be told is asked in words of its own, and answered by who was asked alone."""

import pytest

from broker.cli.review_words import answers, question
from broker.errors import InputError
from broker.stream.watching.review_reader import check_asked
from tests.cli.test_reviews import a_review, with_other_hubs
from tests.stream.lines import HUB, SCHOOL

REVIEW = a_review(event_type="control.told_family")


def test_nobody_but_who_was_asked_answers() -> None:
    check_asked(REVIEW, SCHOOL, with_other_hubs())
    with pytest.raises(InputError, match="was not asked"):
        check_asked(REVIEW, HUB, with_other_hubs())


def test_it_is_asked_so_that_no_answer_is_mistaken() -> None:
    message = {**REVIEW.message, "candidates": []}

    assert question(message) == "Is it still not safe to tell the family?"
    assert [(command.split()[2], means) for command, means in answers(message)] == [
        ("link", "it is still not safe: it is asked again after as long"),
        ("reject", "the family may be told now, and everybody who was told hears that"),
    ]
