"""A clock warns its own recipient, then the hub hears, then the next role; each once, and none when it was stopped (I11, I12)."""

from dataclasses import replace
from typing import Any

import pytest

from broker.core.account.tell import heading
from broker.core.model.identifiers import RecipientId, RoleName
from broker.core.model.policy import ClockKind, Policy, Role
from broker.core.model.registers import Area
from tests.stream import england
from tests.stream.lines import (
    HUB,
    NOW,
    SCHOOL,
    ALine,
    a_policy,
    a_protection,
    a_recipient,
    a_retraction,
    a_rule,
    an_event,
    its_key,
    on_roll,
    some_registers,
)  # fmt: skip

DUTY = RecipientId("north-duty")
MINUTE = 60_000
DAY = "1_working_day"


def a_warning_policy(**clock: Any) -> Policy:
    plain = a_policy(a_rule("school", "dsl", clock=DAY))
    duty = Role(name=RoleName("duty_team"), title="duty", filled_by="area_duty")
    said = {"warn_before": "30_minutes", "next": RoleName("duty_team"), "next_after": "1_hour", **clock}
    kind = ClockKind(name=DAY, says="one working day", **said)
    return replace(plain, roles={**plain.roles, duty.name: duty}, clocks={DAY: kind})


def a_told_line(*, excluded: tuple[RecipientId, ...] = (), **clock: Any) -> ALine:
    registers = some_registers(keys=map(its_key, ("police:42", HUB, SCHOOL, DUTY)))
    duty = a_recipient(DUTY, "duty_team", "la:E10000030", "E10000030")
    area = Area(id="E10000030", name="North", hub=HUB, out_of_hours=DUTY)
    registers = replace(registers, recipients={**registers.recipients, DUTY: duty}, areas={area.id: area})
    return ALine(a_warning_policy(**clock), registers=registers).take(on_roll(), an_event(excluded=excluded))


def kinds(line: ALine, recipient: str) -> list[str]:
    return [one["kind"] for one in line.disclosures(recipient)]


def test_its_recipient_is_warned_before_then_the_hub_hears_then_the_next_role() -> None:
    line = a_told_line()
    due = line.disclosures(SCHOOL)[0]["due_at"]
    heard = []
    for now in (due - 30 * MINUTE - 1, due - 30 * MINUTE, due - 1, due, due + 60 * MINUTE - 1, due + 60 * MINUTE):
        line.ring(now)
        heard.append([kinds(line, one).count("ESCALATION") for one in (SCHOOL, HUB, DUTY)])

    assert heard == [[0, 0, 0], [1, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 0], [1, 1, 1]]


def test_a_warning_names_the_recipients_own_alert_and_nothing_else() -> None:
    line = a_told_line()
    alert = line.disclosures(SCHOOL)[0]
    line.ring(alert["due_at"] - 30 * MINUTE)

    warning = line.disclosures(SCHOOL)[1]
    assert heading(warning) == "NOT CONFIRMED YET  police.encompass.notified"
    assert warning["because"] == [
        f"`{alert['disclosure_id']}` is not confirmed yet: 30 minutes are left, then the hub of the area hears that."
    ]
    assert (warning["child"], warning["role"]) == (alert["child"], alert["role"])
    assert warning["concern"] is warning["producer"] is warning["due_at"] is None


def test_the_next_role_hears_no_more_of_the_event_than_that_an_alert_is_late() -> None:
    line = a_told_line()
    line.ring(line.disclosures(SCHOOL)[0]["due_at"] + 60 * MINUTE)

    (heard,) = line.disclosures(DUTY)
    assert (heard["event_type"], heard["role"]) == ("broker.alert.unconfirmed", "duty_team")
    assert SCHOOL not in heard["because"][0]


def test_a_worker_that_died_after_ringing_rings_again_and_everybody_hears_it_once() -> None:
    line = a_told_line()
    late = line.disclosures(SCHOOL)[0]["due_at"] + 60 * MINUTE
    bells = [*line.task.due(late), *line.restart().task.due(late)]
    for bell in bells:
        line.feed_record(line.record(bell.value or b"", bell.key, stamped=False))

    assert len(bells) == 6
    assert [kinds(line, one).count("ESCALATION") for one in (SCHOOL, HUB, DUTY)] == [1, 1, 1]
    assert line.restart().ring(late + 1) == []


@pytest.mark.parametrize("stopped_by", ["receipt", "retraction", "protection"])
def test_a_stopped_clock_neither_warns_nor_escalates(stopped_by: str) -> None:
    line = a_told_line()
    alert = line.disclosures(SCHOOL)[0]
    on_their_way = list(line.task.due(alert["due_at"] + 60 * MINUTE))
    if stopped_by == "receipt":
        line.receipt(alert, "READ")
    else:
        line.take(a_retraction("e1") if stopped_by == "retraction" else a_protection())
    told = len(line.disclosures())
    for bell in on_their_way:
        line.feed_record(line.record(bell.value or b"", bell.key, stamped=False))

    assert len(line.disclosures()) == told
    assert [one["others"] for one in line.audits()[-3:]] == ["the clock had been stopped"] * 3
    own = [one for one in line.restart().task.due(alert["due_at"] + 60 * MINUTE) if alert["disclosure_id"].encode() in one.value]
    assert own == []


def test_the_next_role_is_not_woken_once_the_hub_has_read_that_the_clock_ran_out() -> None:
    line = a_told_line()
    due = line.disclosures(SCHOOL)[0]["due_at"]
    line.ring(due)
    line.receipt(line.disclosures(HUB)[0], "READ").ring(due + 60 * MINUTE)

    assert kinds(line, DUTY) == []
    assert line.audits()[-1]["others"] == "whoever heard that the clock ran out has confirmed it"


def test_whom_the_publisher_excludes_hears_no_bell() -> None:
    line = a_told_line(excluded=(HUB,))
    line.ring(line.disclosures(SCHOOL)[0]["due_at"] + 60 * MINUTE)

    assert (kinds(line, HUB), kinds(line, DUTY)) == ([], ["ESCALATION"])  # the duty team heard instead, and not twice


def test_a_recipient_that_is_excluded_later_is_not_warned() -> None:
    line = a_told_line()
    line.take(an_event("e2", excluded=(SCHOOL,))).ring(line.disclosures(SCHOOL)[0]["due_at"] - 30 * MINUTE)

    assert kinds(line, SCHOOL) == ["ALERT"]


def test_a_warning_that_would_have_to_come_before_its_alert_is_left_out() -> None:
    line = a_told_line(warn_before="999_hours")
    due = line.disclosures(SCHOOL)[0]["due_at"]

    assert line.ring(due - 1) == []
    assert len(line.ring(due)) == 1


def test_a_clock_without_these_steps_rings_once_as_before() -> None:
    line = a_told_line(warn_before=None, next=None, next_after=None)
    line.ring(line.disclosures(SCHOOL)[0]["due_at"] + 9999 * MINUTE)

    assert [kinds(line, one).count("ESCALATION") for one in (SCHOOL, HUB, DUTY)] == [0, 1, 0]


HOUR = 3_600_000


def late(line: ALine) -> set[str]:
    line.ring(NOW + 2 * HOUR)
    return {one["recipient"] for one in line.disclosures() if one["kind"] == "ESCALATION"}


def test_a_bell_rings_at_nobody_to_whom_a_rule_denies_that_there_is_anything() -> None:
    """I8: that there is anything about a child with a changed identity is for the hub alone, also when the hub is late."""
    changed = england.says(england.HOME, "control.protection", {"kind": "identity_changed", "state": "set"})
    alert = england.says(england.FORCE, england.POLICE_PROTECTION)

    assert england.DUTY in late(england.a_child(alert))
    assert england.DUTY not in late(england.a_child(changed, alert))


def test_a_bell_rings_at_nobody_from_whom_a_finding_keeps_it() -> None:
    found = {**england.DETRIMENT, "by_role": "social_worker", "recipients": [england.DUTY]}
    alert = england.says(england.FORCE, england.POLICE_PROTECTION)

    assert england.DUTY not in late(england.a_child(england.says(england.HOME, "control.finding", found), alert))
