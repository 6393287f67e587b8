"""Whatever a folder of policy files holds, it is told with file, line and remedy, and nothing is thrown at its reader."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from broker.cli import cli
from broker.errors import PolicyError
from broker.policyfile.checks import check
from broker.policyfile.reading import Fault
from tests.policyfile.local_rule import CASE, RULE, TODAY

pytestmark = pytest.mark.search

Change = Callable[[Path], object]

MISSPELT = '"police.encompass.notified"\nattributes = { threshhold = "met" }'


def rule(old: str, new: str) -> Change:
    """Add a local rule, written otherwise."""
    assert old in RULE
    return lambda folder: _both(folder, RULE.replace(old, new, 1), CASE)


def case(old: str, new: str) -> Change:
    """Add a local rule whose case is written otherwise."""
    assert old in CASE
    return lambda folder: _both(folder, RULE, CASE.replace(old, new, 1))


def child(said: str) -> Change:
    return lambda folder: _both(folder, RULE, f"{CASE}child = {{ {said} }}\n")


def file(name: str, content: bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(content)


def edit(name: str, old: str, new: str) -> Change:
    """Change a shipped file in one place."""

    def change(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return change


def _both(folder: Path, rules: str, cases: str) -> None:
    (folder / "local.toml").write_text(rules)
    (folder / "local.cases.toml").write_text(cases)


# what is done, where it is told, what is said of it, and what to do
BROKEN = [
    ("latin-1", file("local.toml", b"# caf\xe9\n"), "local.toml:1", "a letter is not in UTF-8", "save the file as UTF-8"),
    ("utf-16", file("local.toml", "[[rule]]".encode("utf-16")), "local.toml:1", "a letter is not in UTF-8", "UTF-8"),
    ("binary", file("local.toml", bytes(range(256))), "local.toml:2", "not TOML", "save the file"),
    ("nested", file("local.toml", b"x = " + b"[" * 50_000), "local.toml:1", "brackets in brackets without end", "mend"),
    ("huge", file("local.toml", b"# x\n" * 600_000), "local.toml:1", "larger than 2 MB", "cut it into files"),
    ("folder", lambda to: (to / "sub.toml").mkdir(), "sub.toml:1", "it is a folder", "take it out"),
    ("folder-of-cases", lambda to: (to / "sub.cases.toml").mkdir(), "sub.cases.toml:1", "it is a folder", "take it out"),
    ("dangling", lambda to: (to / "a.toml").symlink_to("/nowhere"), "a.toml:1", "not there", "take it out"),
    ("no-head", lambda to: (to / "policy.toml").unlink(), "policies:1", "`policy` is missing", "no file here holds [policy]"),
    ("no-roles", lambda to: (to / "roles.toml").unlink(), "policies:1", "`role` is missing", "no file here holds [[role]]"),
    ("unknown-table", file("a.toml", b'\n[[rules]]\nid = "x"\n'), "a.toml:2", "unknown table `rules`", "did you mean `rule`?"),
    ("one-table", file("a.toml", b'[rule]\nid = "x"\n'), "a.toml:1", "`rule` is one table", "write [[rule]]"),
    ("no-table", file("a.toml", b'rule = ["a"]\n'), "a.toml:1", "`rule` is no table", "write [[rule]]"),
    ("in-one-line", file("a.toml", b'\nrule = [{ id = "x", effct = "y" }]\n'), "a.toml:2", "unknown key `effct`", "`effect`"),
    ("loose-key", file("a.toml", b"\nnames = 3\n"), "a.toml:2", "`names` stands outside of every table", "put it under"),
    ("number-for-words", rule('"A local reason."', "7"), "local.toml:5", "`because` cannot be read", "write words in quotes"),
    ("words-for-list", rule('event = ["school.suspension"]', "event = 7"), "local.toml:15", "`event` cannot be read", "a list"),
    ("capitals", rule("local-rule", "Local Rule"), "local.toml:3", "`id` cannot be read", "small letters, digits and hyphens"),
    ("maybe", rule("verified = true", 'verified = "maybe"'), "local.toml:11", "`verified`", "write true or false"),
    ("year", rule("review_by = 2027-01-01", "review_by = 2027"), "local.toml:13", "`review_by`", "write a date"),
    ("no-day", rule("2027-01-01", "2027-02-31"), "local.toml:13", "invalid date", "mend this line"),
    ("day-first", rule("2027-01-01", "31-03-2027"), "local.toml:13", "not TOML", "a date as year-month-day"),
    ("day-first-in-quotes", rule("2027-01-01", '"31/03/2027"'), "local.toml:13", "`review_by`", "write a date, without quotes"),
    ("month-last", rule("2027-01-01", "2027-31-03"), "local.toml:13", "not TOML", "a date as year-month-day"),
    ("True", rule("= true", "= True"), "local.toml:11", "not TOML", "true or false, in small letters"),
    ("bare-words", rule('"somebody"', "somebody"), "local.toml:9", "not TOML", "write words in quotes"),
    ("bare-words-in-list", rule('["gp"]', "[gp]"), "local.toml:6", "not TOML", "write words in quotes"),
    ("curly-quotes", rule('"somebody"', "\u201csomebody\u201d"), "local.toml:9", "not TOML", "write straight quotes"),
    ("quotes-in-quotes", rule("local reason", 'local "reason" here'), "local.toml:5", "not TOML", 'write \\" for a quotation'),
    ("key-twice", rule('owner = "somebody"', 'owner = "a"\nowner = "b"'), "local.toml:10", "cannot overwrite", "mend this line"),
    ("no-sector", rule("event =", 'publisher = ["polise"]\nevent ='), "local.toml:15", "neither a sector", "`police`"),
    ("no-area", rule("event =", 'area = ["E0"]\nevent ='), "local.toml:15", "no council's code", "E10000030"),
    ("source", rule('"a statute"', '"a statute [S46][S460]"'), "local.toml:10", "unknown source `[S460]`", "in words"),
    ("no-source", rule('"a statute"', '""'), "local.toml:10", "`source` is empty", "say something"),
    ("consent", rule("PUBLIC_TASK", "CONSENT"), "local.toml:8", "consent is no lawful basis", "`SERVICE_AGREEMENT`"),
    ("reviewed-before", rule("2024-01-01", "2027-06-01"), "local.toml:13", "before it is in force", "later day"),
    ("nothing-shorter", rule("basis", 'short = ["existence"]\nbasis'), "local.toml:8", "no shorter form", "take it out"),
    ("cases-as-number", file("x.cases.toml", b"case = 3\n"), "x.cases.toml:1", "`case` is no list of cases", "write [[case]]"),
    ("cases-misspelt", file("x.cases.toml", b"[[cases]]\n"), "x.cases.toml:1", "`cases` is no list of cases", "write [[case]]"),
    ("cases-no-toml", file("x.cases.toml", b"[[case]]\nname =\n"), "x.cases.toml:2", "not TOML", "mend this line"),
    ("cases-latin-1", file("x.cases.toml", b"#\n# caf\xe9\n"), "x.cases.toml:2", "not in UTF-8", "save the file as UTF-8"),
    ("case-key", child("statuses = {}"), "local.cases.toml:2", "unknown key `child.statuses`", "did you mean `status`?"),
    ("case-twice", lambda to: _both(to, RULE, CASE * 2), "local.cases.toml:8", "a second case of this name", "is in local.cases"),
    ("case-rule", case('"local-rule"', '"local-rul"'), "local.cases.toml:2", "unknown rule `local-rul`", "`local-rule`"),
    ("case-role", case("gp@practice", "gpp@practice"), "local.cases.toml:2", "unknown role `gpp`", "did you mean `gp`?"),
    ("case-place", case("gp@practice", "gp@nowhere"), "local.cases.toml:2", "unknown place `nowhere`", "use one of"),
    ("case-category", case('"identity"', '"identiti"'), "local.cases.toml:2", "unknown category `identiti`", "`identity`"),
    ("case-status", child('status = { cp = "home" }'), "local.cases.toml:2", "unknown status `cp`", "`cp_plan`"),
    ("case-status-of", child('status = { cin = "hom" }'), "local.cases.toml:2", "`child.status.cin`", "no place `hom`"),
    ("case-school", child('school = ["scool"]'), "local.cases.toml:2", "`child.school.0`", "no place `scool`"),
    ("case-referrer", child('referrer = "hom"'), "local.cases.toml:2", "`child.referrer`", "no place `hom`"),
    ("case-tie", child('ties = { social_car = "home" }'), "local.cases.toml:2", "unknown relation `social_car`", "`social_care`"),
    ("case-protection", child('protection = ["safe_adress"]'), "local.cases.toml:2", "unknown protection", "`safe_address`"),
    (
        "case-finding",
        child('finding = [{ kind = "harm" }]'),
        "local.cases.toml:2",
        "unknown finding `harm`",
        "`significant_harm`",
    ),
    (
        "case-state",
        child('agreement = { service = { state = "gven" } }'),
        "local.cases.toml:2",
        "`gven`",
        "did you mean `given`?",
    ),
    ("case-wish", child('wish = { advocate = "wantd" }'), "local.cases.toml:2", "`wantd`", "did you mean `wanted`?"),
    ("case-age", child("age = 3000"), "local.cases.toml:2", "`child.age`", "less than or equal to 25"),
    ("case-part", case("why =", 'subject_role = "vitim"\nwhy ='), "local.cases.toml:2", "`subject_role`", "'victim'"),
    ("case-attribute", case('"school.suspension"', MISSPELT), "local.cases.toml:2", "`threshhold`", "`threshold`"),
    ("case-day", case("why =", 'on = "soon"\nwhy ='), "local.cases.toml:2", "`on` cannot be read", "write a date"),
    ("role-of", edit("roles.toml", '["hospital"]', '["hospitl"]'), "roles.toml:38", "no event begins", "`hospital`"),
    ("role-desks", edit("roles.toml", '["social_worker"]', '["socal_worker"]'), "roles.toml:87", "unknown role", "social_worker"),
    (
        "rung-on-itself",
        edit("policy.toml", '= "PUBLIC_TASK"', '= "DUTY_16LA"'),
        "policy.toml",
        "stands on itself",
        "another basis",
    ),
    (
        "no-purpose",
        edit("policy.toml", '"safeguarding", "promoting_welfare"', ""),
        "policy.toml:6",
        "knows no purpose",
        "purposes",
    ),
    (
        "ended",
        edit("policy.toml", "12-15", "12-15\nin_force_to = 2024-01-01"),
        "policy.toml:8",
        "it ended on 2024-01-01",
        "later day",
    ),
    ("not-yet", edit("policy.toml", "2023-12-15", "2030-12-15"), "policy.toml:7", "in force from 2030-12-15 only", "earlier day"),
    ("silence", edit("catalogue.toml", 'absent = "no"', 'absent = "never"'), "catalogue.toml:", "which is no value", "`no`"),
    (
        "ends-nothing",
        edit("catalogue.toml", 'ends = ["missing"]', 'ends = ["mising"]'),
        "catalogue.toml:",
        "nothing begins",
        "missing",
    ),
    (
        "whose",
        edit("catalogue.toml", 'name = "council.child.died"', 'name = "nhs.child.died"'),
        "catalogue.toml:",
        "who publishes it",
        "council",
    ),
    (
        "outcome-twice",
        file("a.toml", b'[[outcome]]\nname = "help_offered"\nsays = "x"\n'),
        "policy.toml:",
        "second outcome",
        "rename",
    ),
    (
        "clock-order",
        file("a.toml", b'[[clock]]\nname = "9_months"\nsays = "x"\n'),
        "clocks.toml:",
        "shorter than",
        "short to long",
    ),
]


def told(faults: tuple[Fault, ...], where: str, what: str, remedy: str) -> bool:
    return any(f"{one.file}:{one.line}".startswith(where) and what in one.what and remedy in one.remedy for one in faults)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: str(one[0]))
def test_what_is_broken_is_told_with_file_line_and_remedy(folder: Path, broken: tuple[str, Change, str, str, str]) -> None:
    name, change, where, what, remedy = broken
    change(folder)

    report = check(folder, TODAY)
    assert told(report.faults, where, what, remedy), [str(one) for one in report.faults][:5]
    if name.startswith(("case", "folder", "rung")):  # what running the cases would stumble over
        done = CliRunner().invoke(cli, ["policy", "test", str(folder)])
        assert done.exception is None or isinstance(done.exception, SystemExit | PolicyError), done.exception


@pytest.mark.parametrize("name", ["police.toml", "police.cases.toml"])
@pytest.mark.parametrize(
    "saved", [lambda text: b"\xef\xbb\xbf" + text, lambda text: text.replace(b"\n", b"\r\n")], ids=["byte-order-mark", "windows"]
)
def test_a_file_may_be_saved_as_other_systems_do(folder: Path, name: str, saved: Callable[[bytes], bytes]) -> None:
    path = folder / name
    path.write_bytes(saved(path.read_bytes()))

    assert [str(one) for one in check(folder, TODAY).faults] == []


def test_a_common_mistake_is_told_once_and_not_for_every_event_type(folder: Path) -> None:
    (folder / "local.toml").write_text('[[attribute]]\nname = "history"\nvalues = ["yes"]\n')

    assert [(one.file, one.what) for one in check(folder, TODAY).faults] == [("local.toml", "a second attribute of this name")]
