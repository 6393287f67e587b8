"""What its publisher may never set protects nobody, and so holds no alert back (I10, I11)."""

import pytest

from broker.core.model.event import Control
from tests.stream.england import (
    DSL,
    FORCE,
    HOME,
    HUB,
    NOTICE,
    OTHER_SCHOOL,
    POLICE_PROTECTION,
    a_child,
    questions,
    says,
    told,
)
from tests.stream.lines import ALine


def held(line: ALine) -> list[tuple[str, str]]:
    return [one for one in questions(line) if one[0] == "HOLD"]


@pytest.mark.parametrize("kind", ["protected_person", "identity_changed", "banana"])
def test_a_protection_that_a_stranger_may_never_set_holds_no_alert(kind: str) -> None:
    claim = says(OTHER_SCHOOL, "control.protection", Control(kind=kind, state="set"))
    line = a_child(claim, says(FORCE, POLICE_PROTECTION), says(FORCE, NOTICE))

    assert held(line) == [("HOLD", HUB)]
    assert {HUB, "duty_team.home"} <= told(line, POLICE_PROTECTION)
    assert DSL in told(line, NOTICE)


def test_a_slip_of_the_pen_of_somebody_who_may_protect_the_child_holds_the_line() -> None:
    """What was meant to protect it is decided first."""
    line = a_child(says(HOME, "control.protection", {"kind": "safe_adress", "state": "set"}), says(FORCE, NOTICE))

    assert DSL not in told(line, NOTICE)
