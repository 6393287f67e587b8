"""`broker policy`, as a data protection officer meets it."""

import json
import shutil
from pathlib import Path
from typing import get_args

import pytest
from click.testing import CliRunner, Result

from broker.cli import cli
from broker.cli.policy_words import IF_NOBODY
from broker.core.model.policy import IfNobody
from broker.policyfile import POLICIES


def broker(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["policy", *arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shipped policy, to be changed."""
    copy = tmp_path / "policies"
    shutil.copytree(POLICIES, copy)
    return copy


def broken(folder: Path) -> int:
    """Misspell a role; return its line."""
    police = folder / "police.toml"
    text = police.read_text()
    police.write_text(text.replace('to = ["rhi_team"]', 'to = ["rhi_tem"]'))
    return next(number for number, line in enumerate(police.read_text().splitlines(), 1) if "rhi_tem" in line)


def test_the_shipped_policy_is_fit_and_its_cases_pass() -> None:
    checked, tested = broker("check", "--on", "2026-11-22"), broker("test")

    assert checked.exit_code == 0, checked.output
    assert checked.output.rstrip().endswith("fit to be released")
    assert tested.exit_code == 0, tested.output
    assert " 0 fail" in tested.output


def test_a_fault_is_told_with_file_line_rule_and_remedy_and_status_2(folder: Path) -> None:
    line = broken(folder)

    found = broker("check", str(folder), "--on", "2026-11-22")

    assert found.exit_code == 2
    assert f"police.toml:{line}: `found-to-return-interview`: unknown role `rhi_tem`: did you mean `rhi_team`?" in found.output


def test_a_machine_reads_the_same_faults(folder: Path) -> None:
    line = broken(folder)

    found = json.loads(broker("check", str(folder), "--on", "2026-11-22", "--json").output)

    assert {
        "file": "police.toml",
        "line": line,
        "entry": "found-to-return-interview",
        "what": "unknown role `rhi_tem`",
        "remedy": "did you mean `rhi_team`?",
    } in found["faults"]


def test_notes_list_the_law_that_nobody_verified() -> None:
    assert "not verified at its source:" in broker("check", "--notes", "--on", "2026-11-22").output


def test_a_review_that_is_due_makes_the_policy_unfit_and_says_what_happens() -> None:
    found = broker("check", "--on", "2029-01-01")

    assert found.exit_code == 2
    assert "its review was due on 2028-03-31; it goes on, being statutory" in found.output
    assert "its review was due on 2028-03-31; it asks a person until then" in found.output


def test_a_case_that_fails_says_where_and_how(folder: Path) -> None:
    schools = folder / "schools.toml"
    told = 'to = ["attendance_team"]\nshare = ["existence", "identity", "concern", "contact"]'
    assert told in schools.read_text()
    schools.write_text(schools.read_text().replace(told, 'to = ["attendance_team"]\nshare = ["existence"]'))

    found = broker("test", str(folder))

    assert found.exit_code == 2
    assert "schools.cases.toml:" in found.output
    assert "`ten days of absence`" in found.output


def test_text_that_is_no_toml_gives_a_line_and_no_traceback(folder: Path) -> None:
    (folder / "police.toml").write_text("[[rule]\n")

    found = broker("check", str(folder))
    assert found.exit_code == 2
    assert "police.toml:1: this is not TOML" in found.output


@pytest.mark.parametrize("command", ["check", "test", "release"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    assert f"Example: broker policy {command}" in broker(command, "--help").output


def test_an_unfit_policy_cannot_be_released(folder: Path, tmp_path: Path) -> None:
    broken(folder)
    settings = tmp_path / "broker.toml"
    settings.write_text(f'kafka = "127.0.0.1:1"\ndata = "{tmp_path}"\nkeys = "{tmp_path}"\narea = "E1"\nmode = "demo"\n')

    found = broker("release", str(folder), "--on", "2026-11-22", "--settings", str(settings))

    assert "is unfit and was not released" in str(found.exception)


def shown(folder: Path, rule: str, tmp_path: Path) -> str:
    """What `policy show` says of one rule."""
    settings = tmp_path / "broker.toml"
    settings.write_text(f'kafka = "127.0.0.1:1"\ndata = "{tmp_path}"\nkeys = "{tmp_path}"\narea = "E1"\nmode = "demo"\n')
    said = broker("show", str(folder), "--settings", str(settings)).output
    return next(block for block in said.split("\n\n") if block.startswith(f"{rule}  "))


def test_a_rule_is_shown_with_its_basis_its_clock_its_terms_and_its_dates(folder: Path, tmp_path: Path) -> None:
    found = shown(folder, "encompass-to-school", tmp_path)

    assert "  basis        the law names this notification, by Operation Encompass: Victims and Prisoners Act 2024" in found
    assert "; a statute or its guidance demands it" in found
    assert "  by           Before that school's next day begins" in found
    assert "  keep to      Share it no further: a further share is a new decision." in found
    assert "  owner        Safeguarding partnership: data protection officer" in found
    assert "  in force     from Fri 7 Nov 2025\n" in found
    assert "  review by    " in found


def test_whom_a_rule_spares_is_shown_where_it_else_speaks_to_everybody(folder: Path, tmp_path: Path) -> None:
    found = shown(folder, "protected-place-betrayed", tmp_path)

    assert "  to           everybody\n  but not      emergency duty team, out of hours; multi-agency safeguarding hub" in found
    assert "only where it is the child's own council's" in found
    assert "  basis" not in found, "a withhold stands on none"


def test_a_rule_that_is_over_is_not_shown_as_if_it_still_gave_anything(folder: Path, tmp_path: Path) -> None:
    found = shown(folder, "encompass-to-school-before-the-duty", tmp_path)

    assert found.startswith("encompass-to-school-before-the-duty  is over since Fri 7 Nov 2025: it gives nothing any more\n")
    assert "  in force     from Fri 15 Dec 2023 until Thu 6 Nov 2025\n" in found


def test_what_happens_where_nobody_fills_the_role_is_said_of_every_rule_that_tells(folder: Path, tmp_path: Path) -> None:
    assert "  if nobody    the hub hears that nobody fills the role\n" in shown(folder, "encompass-to-school", tmp_path)
    assert "  if nobody    nothing: " in shown(folder, "encompass-to-health-visitor", tmp_path)
    assert set(get_args(IfNobody)) == set(IF_NOBODY)
