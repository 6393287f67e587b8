"""What the demo shows of an alert: words, and no codes of the policy's."""

from io import StringIO

from rich.console import Console

from broker.demo.page import Screen
from broker.simulate.compare import Received
from tests.stream.lines import HUB, some_registers


def test_a_gap_says_in_words_which_role_nobody_fills() -> None:
    out = StringIO()
    screen = Screen(Console(file=out, width=200), some_registers())
    said = {
        "kind": "GAP", "event_type": "council.cp_plan.started", "role": "hub", "lawful_basis": "PUBLIC_TASK",
        "because": ["nobody can be told in the role `gp`: see to it that somebody there hears of it"],
    }  # fmt: skip

    screen.day("a day")
    screen.told(Received(HUB, said, b""))
    screen.told(Received(HUB, said, b""))
    screen.close_day(1, 1)

    assert "in the role “the child's GP practice”" in out.getvalue()
    assert "1 event in 1 delivery, 1 more alert\n" in out.getvalue()
