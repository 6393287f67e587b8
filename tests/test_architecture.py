"""The architecture rules really bind: each is broken in a copy of the tree, and `lint-imports` has to say so."""

import ast
import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from broker.cli import COMMANDS
from connectors.registry import CONNECTORS

ROOT = Path(__file__).parent.parent
RULES = ".importlinter"
PACKAGES = ("broker", "connectors", "schemas")
NO_CLOCK_CHANCE_OR_IO = frozenset(
    ("asyncio", "logging", "os", "pathlib", "random", "secrets", "socket", "sqlite3", "subprocess", "threading", "time")
)
BROKEN = {
    "Every module of broker has its layer": ("broker/stray.py", "import json"),
    "Every sector's connectors have their place": ("connectors/charities/notes.py", "import json"),
    "The simulator imports neither deciding": ("broker/simulate/judge.py", "import broker.core.deciding.decide"),
    "Connectors import the core alone": ("connectors/police/posting.py", "import broker.settings"),
    "Connectors never import each other": ("connectors/councils/cin_codes.py", "import connectors.councils.sui_extract"),
    "Only broker.stream knows Kafka": ("broker/settings.py", "import aiokafka"),
    "Commands and the demo import no Kafka client": ("broker/cli/lag.py", "import aiokafka"),
    "The rooms of the core stand one upon the other": ("broker/core/model/stray.py", "import broker.core.deciding.decide"),
    "Layers, top first": ("broker/lag/words.py", "import broker.stream.topics"),
}


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What `lint-imports` says of a copy in which every rule is broken once."""
    copy = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / RULES, copy)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=lambda folder, names: _not_code(Path(folder), names))
    for name, line in BROKEN.values():
        file = copy / name
        file.parent.mkdir(exist_ok=True)
        (file.parent / "__init__.py").touch()
        with file.open("a", encoding="utf-8") as stream:
            stream.write(f"\n{line}\n")
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False).stdout


def _not_code(folder: Path, names: list[str]) -> set[str]:
    return {name for name in names if name == "__pycache__" or ((folder / name).is_file() and not name.endswith(".py"))}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_said_to_be_broken(rule: str, verdict: str) -> None:
    said = [line for line in verdict.splitlines() if line.startswith(rule)]

    assert said
    assert said[0].endswith("BROKEN")


def test_every_registered_connector_stands_in_the_rule_that_keeps_them_apart() -> None:
    rules = configparser.ConfigParser()
    rules.read(ROOT / RULES)

    assert {one.module for one in CONNECTORS.values()} == set(rules["importlinter:contract:connectors-apart"]["modules"].split())


def test_the_map_of_the_core_names_every_module_in_its_room() -> None:
    rows = re.findall(r"^\| `(\w+)` \|[^|]+\|([^|]+)\|$", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE)
    drawn = {room: sorted(re.findall(r"`(\w+)`", named)) for room, named in rows}
    modules = [path for path in (ROOT / "broker" / "core").glob("*/*.py") if path.stem != "__init__"]
    built = {
        room: sorted(path.stem for path in modules if path.parent.name == room) for room in {one.parent.name for one in modules}
    }

    assert {room: drawn.get(room) for room in built} == built


def test_the_core_imports_the_standard_library_and_nothing_that_reads_clock_or_chance() -> None:
    found = {(path.name, name) for path in (ROOT / "broker" / "core").rglob("*.py") for name in _imported(path)}
    foreign = {(file, name) for file, name in found if name.partition(".")[0] not in {*sys.stdlib_module_names, "broker"}}
    unwanted = {(file, name) for file, name in found if name.partition(".")[0] in NO_CLOCK_CHANCE_OR_IO}
    upwards = {(file, name) for file, name in found if name.startswith("broker") and not _inwards(name)}

    assert not foreign | unwanted | upwards


def test_nobody_asks_a_client_where_a_log_ends_but_the_one_place_that_knows_the_answer_may_be_wrong() -> None:
    asking = {
        str(path.relative_to(ROOT)) for path in (ROOT / "broker").rglob("*.py") if ".end_offsets(" in path.read_text("utf-8")
    }

    assert asking == {"broker/stream/log_ends.py"}


def test_clients_are_made_where_it_is_seen_to_that_it_is_the_kafka_that_the_place_knows() -> None:
    """Besides: Faust's own, which a worker opens behind that, and the look whether a Kafka of this machine is up."""
    making = re.compile(r"\bAIOKafka(Consumer|Producer|AdminClient)\(")
    found = {str(path.relative_to(ROOT)) for path in (ROOT / "broker").rglob("*.py") if making.search(path.read_text("utf-8"))}

    assert found == {
        "broker/stream/clients.py",
        "broker/stream/engine/transport.py",
        "broker/stream/node/kafka_probe.py",
    }


def test_commands_start_without_faust_which_takes_longer_to_load_than_most_of_them_to_run() -> None:
    """But for a worker, and the doctor that looks at how it works."""
    modules = sorted({module for module, _ in COMMANDS.values()} - {"run", "doctor"})
    code = f"import sys\nimport broker.cli.{', broker.cli.'.join(modules)}\nprint('faust' in sys.modules)"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert said == "False\n"


def _inwards(name: str) -> bool:
    return name.startswith(("broker.core", "broker.errors"))


def _imported(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    plain = [one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names]
    return plain + [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
