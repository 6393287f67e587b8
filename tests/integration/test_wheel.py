"""The built wheel, installed somewhere else, holds all that it needs."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.patience import LONG

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment that holds the built wheel, and sees the locked dependencies but not this checkout."""
    place = tmp_path_factory.mktemp("elsewhere")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(place), str(ROOT)]
    subprocess.run(command, check=True, cwd=place)
    wheel = next(place.glob("*.whl"))
    venv.create(place / "venv", with_pip=False)
    folder = next((place / "venv" / "lib").glob("python3*")) / "site-packages"
    shutil.unpack_archive(wheel, folder, "zip")
    # A path in a .pth file brings the dependencies along; the .pth files in there, the editable checkout's too, are not followed.
    (folder / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place / "venv" / "bin" / "python"


def run(python: Path, *arguments: str, timeout: float = LONG) -> subprocess.CompletedProcess[str]:
    """Run the installed program far from the checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BROKER", "KAFKA"))}
    return subprocess.run(
        [str(python), "-m", "broker", *arguments],
        cwd=python.parent.parent.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.mark.kafka
def test_it_is_the_wheel_that_runs_and_not_the_checkout(installed: Path) -> None:
    command = [installed, "-c", "import broker; print(broker.__file__)"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=installed.parent)

    assert str(ROOT) not in shown.stdout


@pytest.mark.kafka
@pytest.mark.parametrize("arguments", [("--version",), ("schemas", "check"), ("policy", "check"), ("policy", "test")])
def test_the_wheel_carries_its_schemas_and_rules(installed: Path, arguments: tuple[str, ...]) -> None:
    done = run(installed, *arguments)

    assert done.returncode == 0, done.stderr


@pytest.mark.kafka
def test_the_wheel_runs_the_demo(installed: Path) -> None:
    done = run(installed, "demo", "--children", "200", "--stories", "30", timeout=240)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
