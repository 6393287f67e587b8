"""What `broker lag` prints: whole words where nobody sets a width, and the figures that matter where one is narrow."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from broker.cli import cli, lag
from broker.cli.lag import exit_code, page
from broker.core.account.words import Words
from broker.lag.evaluation import Status
from broker.lag.report import Report
from broker.lag.words import STATUS_WORDS
from broker.sealing.secrets import new_master
from tests.lag.test_words import a_lag, a_report, an_undelivered

REPORT = a_report(a_lag(minutes=14), a_lag(stage="identify", topic="candidates.v1"), undelivered=(an_undelivered(),))


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    file = tmp_path / "broker.toml"
    file.write_text('kafka = "127.0.0.1:1"\ndata = "state"\nkeys = "keys"\narea = "E10000030"\nmode = "live"\n')
    new_master(tmp_path / "keys")
    return file


def test_into_a_pipe_every_line_is_whole(monkeypatch: pytest.MonkeyPatch, settings: Path) -> None:
    async def look(*_):
        return REPORT, Words()

    monkeypatch.setattr(lag, "_look", look)
    monkeypatch.setenv("COLUMNS", "80")

    done = CliRunner().invoke(cli, ["lag", "--settings", str(settings)])

    assert "…" not in done.output
    assert "read up to" in done.output
    assert "events.police.v1" in done.output


@pytest.mark.parametrize("width", [80, 100, 140])
def test_on_a_narrow_terminal_stage_topic_and_status_stay_whole(width: int) -> None:
    console = Console(width=width, record=True, file=None, force_terminal=False)
    with console.capture() as shown:
        console.print(page(REPORT, Words(), width=width))

    for line in ("intake", "events.police.v1", "candidates.v1", "14 minutes"):
        assert line in shown.get()


LOST = a_report(
    a_lag(minutes=14), a_lag(stage="identify", topic="candidates.v1", begin=9_999),
    undelivered=(an_undelivered(recipient="home-education-eskshire", at_risk=1), an_undelivered(recipient="duty-eskshire")),
)  # fmt: skip
NAMES = Words(
    names={"home-education-eskshire": "Eskshire Home Education Officer", "duty-eskshire": "Eskshire Emergency Duty Team"}
)


@pytest.mark.parametrize("width", [40, 50, 60, 72, 80, 100, 140])
def test_at_no_width_a_status_a_topic_or_the_id_of_a_desk_is_cut_in_two(width: int) -> None:
    """The worst status has the longest words, and an operator copies the id to see whom to telephone."""
    console = Console(width=width, force_terminal=False)
    with console.capture() as shown:
        console.print(page(LOST, NAMES, width=width), soft_wrap=True)

    lines = shown.get().splitlines()
    assert "…" not in shown.get()
    assert [line for line in lines if len(line.rstrip()) > width] == []
    for whole in (
        "events.police.v1",
        "candidates.v1",
        "(home-education-eskshire)",
        "(duty-eskshire)",
        *STATUS_WORDS[Status.LOST][0].split(),
    ):
        assert any(whole in line for line in lines), whole


@pytest.mark.parametrize(
    ("why", "expected", "report"),
    [
        ("all is well", 0, a_report(a_lag())),
        ("nobody reads it", 4, a_report(a_lag(minutes=2, alive=False))),
        ("something was lost", 4, a_report(a_lag(), unaccounted={"events.police.v1": 1})),
        ("an alert is past its time", 1, a_report(a_lag(), undelivered=(an_undelivered(past_due=1),))),
    ],
)
def test_the_exit_code_says_who_has_to_look(why, expected, report) -> None:
    assert exit_code(report) == expected


@pytest.mark.parametrize(("options", "expected"), [((), 1), (("--watch",), 0)])
def test_a_look_that_is_broken_off_does_not_say_that_all_is_well(
    monkeypatch: pytest.MonkeyPatch, settings: Path, options: tuple[str, ...], expected: int
) -> None:
    async def broken_off(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(lag, "_look", broken_off)
    monkeypatch.setattr(lag, "_watch", broken_off)

    assert CliRunner().invoke(cli, ["lag", *options, "--settings", str(settings)]).exit_code == expected


class _Looks:
    """A watch that is broken off after two looks."""

    def __init__(self) -> None:
        self._left = [REPORT, REPORT]

    async def look(self) -> Report:
        if not self._left:
            raise KeyboardInterrupt
        return self._left.pop()


def test_a_watch_into_a_file_writes_each_look_when_it_has_looked(monkeypatch: pytest.MonkeyPatch, settings: Path) -> None:
    """A file is read later, and whoever watches by `tee` or over a log wants to see it now."""

    @asynccontextmanager
    async def watching(_: object) -> AsyncIterator[_Looks]:
        yield _Looks()

    async def at_hand(_: object) -> Words:
        return Words()

    monkeypatch.setattr(lag, "open_watch", watching)
    monkeypatch.setattr(lag, "words_at_hand", at_hand)
    monkeypatch.setattr(lag, "_WATCH_EVERY_S", 0)

    done = CliRunner().invoke(cli, ["lag", "--watch", "--settings", str(settings)])

    assert done.exit_code == 0
    assert done.output.count("events.police.v1") == 2
