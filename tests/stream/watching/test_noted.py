"""What one worker found is what the others show."""

from collections import Counter
from pathlib import Path

import pytest

from broker.core.account.balance import Balance, Fault
from broker.lag.tally import Tally
from broker.stream.watching.noted import FILE, Noted, read_noted, write_noted

LOST = Fault(topic="events.police.v1", partition=1, offset=7, problem="accepted and then nowhere")


def test_what_was_noted_is_read_as_it_was_written(tmp_path: Path) -> None:
    tally = Tally(records=Counter(decided=1), decisions=Counter(disclose=1))
    balance = Balance(
        topic="events.police.v1", partition=1, first=0, end=9, counts={"decided": 8}, faults=(LOST,), faults_in_all=1
    )
    noted = Noted(tally, (balance,), 1_000)

    write_noted(tmp_path, noted)

    assert read_noted(tmp_path) == noted
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"tally": 1}', "{garbage"])
def test_a_note_that_cannot_be_read_is_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)

    assert read_noted(tmp_path) is None
    assert read_noted(tmp_path / "nowhere") is None
