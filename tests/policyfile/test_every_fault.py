"""No mistake hides another, and nothing is told that may only come of what could not be read."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from broker.cli import cli
from broker.policyfile.checks import check
from tests.policyfile.local_rule import CASE, RULE, TODAY

Edit = tuple[str, str, str]  # a file, what stands in it, and what is written instead


def edited(folder: Path, *edits: Edit) -> None:
    for name, old, new in edits:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))


def told(folder: Path) -> list[tuple[str, str]]:
    return [(one.file, one.what) for one in check(folder, TODAY).faults]


def test_an_unknown_key_hides_no_other_fault_of_its_rule_its_file_or_another_file(folder: Path) -> None:
    second = RULE.replace("local-rule", "local-second").replace("PUBLIC_TASK", "PUBLIC_TAKS")
    first = RULE.replace("owner", "ownr").replace('["gp"]', '["gpp"]').replace("2027-01-01", "2026-01-01")
    case = CASE.replace('["local-rule"]', '["local-rule", "local-second"]').replace("gp@practice", "gpp@practice")
    (folder / "local.toml").write_text(first + second)
    (folder / "local.cases.toml").write_text(case)
    edited(folder, ("roles.toml", '["hospital"]', '["hospitl"]'))

    assert told(folder) == [
        ("local.cases.toml", "unknown role `gpp`"),
        ("local.toml", "`owner` is missing"),
        ("local.toml", "unknown role `gpp`"),
        ("local.toml", "unknown key `ownr`"),
        ("local.toml", "its review was due on 2026-01-01; it asks a person until then"),
        ("local.toml", "unknown basis `PUBLIC_TAKS`"),
        ("roles.toml", "no event begins the relation or status `hospitl`"),
    ]


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (("emergencies.toml", "basis =", "bsis ="), "unknown key `bsis`"),
        (("emergencies.toml", "share =", "shre ="), "unknown key `shre`"),
        (("emergencies.toml", "event =", "evnt ="), "unknown condition `evnt`"),
        (("emergencies.toml", "review_by = 2028-03-31", 'review_by = "soon"'), "`review_by` cannot be read"),
        (("emergencies.toml", 'effect = "disclose"', 'effect = "tell"'), "`effect` cannot be read"),
        (("emergencies.toml", 'id = "danger-to-whoever-can-act"', "id = 7"), "`id` cannot be read"),
        (("councils.toml", 'event = ["council.child.died"]', 'evnt = ["council.child.died"]'), "unknown condition `evnt`"),
        (("protections.toml", 'categories = ["location", "contact"]', 'categries = ["location"]'), "unknown key `categries`"),
        (("protections.toml", "finding = [", "findng = ["), "unknown condition `findng`"),
        (("health.toml", "short = ", "shrt = "), "unknown key `shrt`"),
        (("catalogue.toml", "opens_matter = true\nanswered_by", "opens_mater = true\nanswered_by"), "unknown key `opens_mater`"),
        (("roles.toml", 'later = "allegations', 'latr = "allegations'), "unknown key `latr`"),
        (("clocks.toml", 'next = "duty_team"', 'nxt = "duty_team"'), "unknown key `nxt`"),
        (("policy.toml", "purposes =", "purpses ="), "unknown key `purpses`"),
        (("schools.cases.toml", "attributes =", "atributes ="), "unknown key `atributes`"),
        (("schools.cases.toml", "because =", "becaus ="), "unknown key `told.0.becaus`"),
        (("police.cases.toml", "why =", "why"), "this is not TOML: expected '=' after a key in a key/value pair"),
    ],
    ids=lambda one: one[2] if isinstance(one, tuple) else "",
)
def test_what_may_only_come_of_a_mistake_is_not_told(folder: Path, edit: Edit, what: str) -> None:
    edited(folder, edit)

    found = told(folder)
    assert (edit[0], what) in found
    assert {(file, words) for file, words in found if not words.endswith("is missing")} == {(edit[0], what)}


def test_each_table_that_is_not_toml_is_told_and_the_others_are_read(folder: Path) -> None:
    broken = RULE.replace('"local-rule"', '"local-first"').replace('"disclose"', '"disclose')
    unknown = RULE.replace("owner", "ownr")
    other = RULE.replace('"local-rule"', '"local-third"').replace('["gp"]', '["gp"')
    (folder / "local.toml").write_text(broken + unknown + other)
    edited(folder, ("roles.toml", "or_area_team =", "or_area_teem ="))

    found = [(one.file, one.line, one.what) for one in check(folder, TODAY).faults]
    assert found == [
        ("local.toml", 4, "this is not TOML: illegal character '\\n'"),
        ("local.toml", 17, "`owner` is missing"),
        ("local.toml", 24, "unknown key `ownr`"),
        ("local.toml", 37, "this is not TOML: unclosed array"),
        ("roles.toml", 26, "unknown key `or_area_teem`"),
    ]


def test_names_that_may_be_in_a_file_that_cannot_be_read_are_not_called_unknown(folder: Path) -> None:
    (folder / "roles.toml").write_bytes(b"# caf\xe9\n")

    assert told(folder) == [("roles.toml", "this is not TOML: a letter is not in UTF-8")]


def test_a_case_that_cannot_be_read_whole_is_not_run_and_its_rule_not_called_silent(folder: Path) -> None:
    (folder / "local.toml").write_text(RULE)
    (folder / "local.cases.toml").write_text(CASE.replace("why =", "wy ="))

    done = CliRunner().invoke(cli, ["policy", "test", str(folder)])
    assert "unknown key `wy`" in done.output
    assert "speaks in no case" not in done.output
    assert done.exit_code == 2


def test_a_file_with_a_mistake_is_still_compared_with_the_others(folder: Path) -> None:
    one, two, three = (RULE.replace("local-rule", name) for name in ("local-one", "local-two", "local-three"))
    (folder / "local.toml").write_text(one + two + three.replace("basis", "bsis"))
    (folder / "local.cases.toml").write_text(CASE.replace('["local-rule"]', '["local-one", "local-two", "local-three"]'))

    assert told(folder) == [
        ("local.toml", "idle: `local-one` says all that it says"),
        ("local.toml", "unknown key `bsis`"),
    ]


@pytest.mark.parametrize(
    ("edit", "says_more"),
    [(("police.toml", "gateway =", "gatway ="), True), (("police.toml", '["dsl"]', '["dls"]'), False)],
    ids=["a key that nobody knows", "a role that nobody knows"],
)
def test_it_says_when_more_may_show_once_something_can_be_read(folder: Path, edit: Edit, *, says_more: bool) -> None:
    edited(folder, edit)

    done = CliRunner().invoke(cli, ["policy", "check", str(folder)])
    assert ("more may show once" in done.output) is says_more
