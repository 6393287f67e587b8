"""The house rules that no linter knows: budgets, reasons for exceptions, and what must not stand in a committed file."""

import ast
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILE_LINES = 400
FUNCTION_LINES = 50
TEXT = {".py", ".md", ".toml", ".txt", ".lock", ".yaml", ".yml", ".json", ".avsc", ".xml", ".html", ".css", ".cfg", ""}

# Put together from pieces so that this file does not hold what it looks for.
REGISTRIES = re.compile("|".join(("python" + "hosted", "npm" + r"js\.", "pypi" + r"\.o", "repo" + r"\d?\.maven", "/ma" + "ven2")))
MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:" + "|".join(("wor" + "k", "ro" + "ot", "far" + "m", "ho" + "me/[a-z]")) + r")/")
UNFINISHED = re.compile("|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X:", "Not" + "ImplementedError")))


def committed() -> list[Path]:
    """Every text file that git tracks."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name and Path(name).suffix in TEXT and (ROOT / name).is_file()]


def python_files() -> list[Path]:
    return [path for path in committed() if path.suffix == ".py"]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (REGISTRIES, "a package registry's address ties the project to one place"),
        (MACHINE_PATHS, "a path of one machine works nowhere else"),
        (UNFINISHED, "finish it or take it out"),
    ],
    ids=["registries", "machine-paths", "unfinished"],
)
def test_no_committed_file_holds_what_belongs_elsewhere(pattern: re.Pattern[str], why: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in committed()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]

    assert not found, f"{why}:\n" + "\n".join(found)


def test_files_stay_small() -> None:
    long = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()}

    assert not {name: lines for name, lines in long.items() if lines > FILE_LINES}


def test_functions_stay_small() -> None:
    long = []
    for path in python_files():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}: {lines} lines")

    assert not long, "\n".join(long)


def test_every_exception_from_a_check_names_its_rule_and_its_reason() -> None:
    bare = re.compile(
        r"#\s*(noqa(?!: [A-Z]+\d+(?:, ?[A-Z]+\d+)* - \w)|type: ignore(?!\[[\w, -]+\] *# *\w)|pragma: no cover(?! - \w))"
    )
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in python_files()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if bare.search(line)
    ]

    assert not found, f"write `noqa: RULE - reason` or `type: ignore[rule] # reason`: {found}"


def test_no_module_is_named_after_nothing_in_particular() -> None:
    vague = {"utils", "helpers", "common", "base", "manager"}

    assert not [path for path in python_files() if path.stem in vague]


def test_every_invariant_names_tests_that_name_it() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (I\d+) [\w-]+ \|[^|]+\|([^|]+)\|$", text, re.MULTILINE)
    silent = [
        (number, name)
        for number, named in rows
        for name in re.findall(r"`([^`]+)`", named) or ["no test"]
        if not (ROOT / name).is_file() or not re.search(rf"\b{number}\b", (ROOT / name).read_text(encoding="utf-8"))
    ]

    assert [number for number, _ in rows] == [f"I{number}" for number in range(1, 13)]
    assert not silent


def test_every_file_that_the_documents_name_is_there() -> None:
    """A decision names a file by the end of its path: who moves one puts its name right."""
    there = tuple(f"/{path.relative_to(ROOT)}" for path in committed())
    named = {
        (document.name, name)
        for document in (*ROOT.glob("*.md"), ROOT / "broker" / "policies" / "README.md")
        for name in re.findall(r"`([\w./-]+\.(?:py|toml|avsc))`", document.read_text(encoding="utf-8"))
    }

    assert named
    assert not {(document, name) for document, name in named if not any(one.endswith(f"/{name}") for one in there)}


def test_nothing_adds_to_what_others_share_across_an_await() -> None:
    """`self.count += await more()` reads the sum before it waits: what others add meanwhile is lost."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in python_files()
        if "await" in path.read_text(encoding="utf-8")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.AugAssign)
        and isinstance(node.target, ast.Attribute)
        and any(isinstance(part, ast.Await) for part in ast.walk(node.value))
    ]

    assert not found
