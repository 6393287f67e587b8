"""`broker reviews`: that nothing waits is said only of a desk that there is, and nothing is answered without a reason."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from broker.cli import cli, reviews
from broker.core.account.words import Words
from broker.core.model.registers import Registers
from broker.errors import NotFoundError
from broker.sealing.secrets import new_master
from tests.stream.lines import HUB, some_registers


class _Book:
    def latest(self, _: str) -> bool:
        return True

    def newest(self) -> Registers:
        return some_registers()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The settings of a place where nothing waits for anybody."""
    file = tmp_path / "broker.toml"
    file.write_text('kafka = "127.0.0.1:1"\ndata = "state"\nkeys = "keys"\narea = "E10000030"\nmode = "live"\n')

    new_master(tmp_path / "keys")

    async def found(_: Any, *, in_words: bool) -> tuple[dict[str, Any], Words]:
        return {}, Words()

    async def released(_: Any) -> _Book:
        return _Book()

    monkeypatch.setattr(reviews, "_read", found)
    monkeypatch.setattr(reviews, "released", released)
    return str(file)


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["in words", "as JSON"])
def test_of_a_desk_that_is_misspelt_nobody_is_told_that_nothing_waits(settings: str, form: tuple[str, ...]) -> None:
    listed = ("reviews", "list", "--settings", settings, *form, "--for")

    known = CliRunner().invoke(cli, [*listed, HUB])
    misspelt = CliRunner().invoke(cli, [*listed, HUB[:-1]])

    assert known.exit_code == 0
    assert isinstance(misspelt.exception, NotFoundError)
    assert f"desk `{HUB[:-1]}`: not in the registers" in str(misspelt.exception)


@pytest.mark.parametrize("answer", ["link", "reject"])
@pytest.mark.parametrize("reason", ["", "  "])
def test_a_blank_is_no_reason(settings: str, answer: str, reason: str) -> None:
    result = CliRunner().invoke(cli, ["reviews", answer, "r-1", "--reason", reason, "--settings", settings])

    assert result.exit_code == 2
    assert "say why" in result.output
