"""What should be told and is not, because it ran out or names another purpose, ends in no silence (I3, I11)."""

from dataclasses import replace

import pytest

from broker.core.model.event import Action, Event
from broker.core.model.identifiers import EventId, Millis
from tests.stream.england import (
    FORCE,
    HOME,
    HUB,
    POLICE_PROTECTION,
    a_child,
    questions,
    says,
)
from tests.stream.lines import NOW


@pytest.mark.parametrize("said", [{"expires_at": Millis(NOW - 1000)}, {"purpose": "safe guarding"}], ids=["expired", "purpose"])
def test_what_a_rule_wants_told_ends_in_no_silence(said: dict[str, object]) -> None:
    """I3: nobody reads any of it; but the hub hears that somebody should have, and whom to ask."""
    line = a_child(says(FORCE, POLICE_PROTECTION, **said))

    assert {(one["recipient"], one["kind"]) for one in line.disclosures()} == {(HUB, "GAP")}
    assert all("Ask its publisher" in " ".join(one["because"]) for one in line.disclosures())
    assert not any("Wexwick" in repr(one) for one in line.disclosures())
    assert {("GAP", HUB)} == set(questions(line))


def test_what_nobody_is_told_of_raises_no_alarm() -> None:
    assert questions(a_child(says(HOME, "council.assessment.started", purpose="safe guarding"))) == []


def test_a_later_version_that_runs_out_raises_no_alarm() -> None:
    first = says(FORCE, POLICE_PROTECTION)
    second = says(FORCE, POLICE_PROTECTION, expires_at=Millis(NOW - 1000))
    header = replace(second.header, action=Action.UPDATE, supersedes=EventId(first.header.event_id))

    assert "GAP" not in {kind for kind, _ in questions(a_child(first, Event(header, second.body, None)))}
