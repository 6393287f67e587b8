"""I5: an audit entry is decided again from the entry and the releases that it names, and comes out the same."""

from dataclasses import replace

import pytest

from broker.errors import UnreadableRecordError
from broker.sealing.secrets import Secrets
from broker.stream.decide.replay import differences, replay
from tests.stream.england import AWAY, FAR_SCHOOL, SAFE, SCHOOL, a_child, says, tie
from tests.stream.lines import SECRETS, ALine, a_protection, a_retraction, an_event, at_practice, on_roll


def a_week() -> ALine:
    """A child's line with what replays differently when something that was used is not kept."""
    line = ALine().take(on_roll(), at_practice(), an_event("first"))
    line.take(
        an_event("excluding", excluded=("oak-dsl",)), an_event("elsewhere", area="south"), an_event("marketing", purpose="sales")
    )
    line.take(an_event("unfit", "control.protection"), an_event("while-held"))
    line.resolve(next(one for one in line.reviews() if one["kind"] == "HOLD"))
    line.take(an_event("with-people", body={"third_party": {"people": [{"role": "suspect", "family": "Wexwick"}]}}))
    line.receipt(line.disclosures()[0], "OUTCOME", "assessment")
    return line.take(a_protection(), an_event("after"), a_retraction("first"))


def test_every_entry_of_a_week_replays() -> None:
    line = a_week()
    decided = [one for one in line.audits() if one["request"]]

    found = {one["event_id"]: differences(one, replay(one, SECRETS, line.releases)) for one in decided}

    assert len(decided) > 9
    assert not {event: ids for event, ids in found.items() if ids}


def test_of_other_people_an_entry_keeps_their_roles_alone() -> None:
    line = a_week()
    entry = next(one for one in line.audits() if one["event_id"] == "with-people")

    request = replay(entry, SECRETS, line.releases).request

    assert request.event.body == {"third_party": {"people": [{"role": "suspect"}]}}


def test_a_decision_that_comes_out_otherwise_is_named() -> None:
    line = a_week()
    entry = next(one for one in line.audits() if one["event_id"] == "first")
    verdict = replay(entry, SECRETS, line.releases)
    silent = replace(verdict, decisions=tuple(replace(one, granted=()) for one in verdict.decisions))

    assert differences(entry, silent) == sorted(one["decision_id"] for one in entry["decisions"] if one["granted"])


def test_what_was_erased_is_said_to_be_so_and_never_decided_otherwise() -> None:
    line = a_week()
    entry = next(one for one in line.audits() if one["request"])

    with pytest.raises(UnreadableRecordError):
        replay(entry, Secrets.from_master(bytes(32)), line.releases)
    with pytest.raises(UnreadableRecordError, match="keeps no request"):
        replay({**entry, "request": b""}, SECRETS, line.releases)


def test_who_may_know_what_is_hidden_is_the_same_again_where_one_agency_spoke_for_another() -> None:
    """A council that protected the child named its school itself: by its own word nobody has a neighbour there."""
    named = says(AWAY, "council.school.changed", tie("school", FAR_SCHOOL))
    line = a_child(says(AWAY, "council.case.opened", tie("social_care", f"la:{AWAY}")), named)
    for asked in [one for one in line.reviews() if one["kind"] == "HOLD"]:
        line.resolve(asked)
    line.take(says(AWAY, "control.protection", {"kind": "safe_address", "state": "set"}), SAFE, says(SCHOOL, "school.suspension"))
    entry = line.audits()[-1]

    assert FAR_SCHOOL in {one.organisation for one in line.facts().connections}
    assert "social_worker.away" in {one["recipient"] for one in entry["decisions"]}
    assert differences(entry, replay(entry, SECRETS, line.releases)) == []
