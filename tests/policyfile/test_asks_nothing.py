"""A condition that holds no value asked nothing, and its rule spoke of everybody: that is told, with its line."""

from pathlib import Path

import pytest

from broker.policyfile.checks import check
from tests.policyfile.local_rule import CASE, RULE, TODAY


def faults(folder: Path, rule: str) -> list[tuple[str, int, str]]:
    (folder / "local.toml").write_text(rule)
    (folder / "local.cases.toml").write_text(CASE)
    found = check(folder, TODAY).faults
    return [(one.entry, one.line, one.what) for one in found if one.file == "local.toml" and "no value" in one.what]


@pytest.mark.parametrize(
    "condition", ["status = []", "attribute = {}", "age = {}", "attribute = { danger = [] }", "agreement = { service = [] }"]
)
def test_a_condition_without_a_value_is_a_fault_and_no_wider_rule(folder: Path, condition: str) -> None:
    """A rule for children with a status that its writer had yet to name told of every child."""
    text = RULE.replace("[rule.when]", f"[rule.when]\n{condition}")
    line = text.splitlines().index(condition) + 1

    assert faults(folder, text) == [
        ("local-rule", line, f"the condition `{condition.partition(' ')[0]}` holds no value, and so asks nothing")
    ]


def test_an_exception_without_a_value_is_a_fault(folder: Path) -> None:
    text = f"{RULE}[[rule.unless]]\nfinding = []\n"

    assert [what for _, _, what in faults(folder, text)] == ["the condition `finding` holds no value, and so asks nothing"]
