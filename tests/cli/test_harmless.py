"""Whoever writes a field of text writes nothing of the broker's own on anybody's screen, in any report and in any notice."""

import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from broker import codec
from broker.cli import cli, reviews
from broker.cli.lag import page
from broker.cli.layout import Page
from broker.cli.subscribe import print_disclosure
from broker.core.account.explain import explain_entry
from broker.core.account.harmless import acts
from broker.core.account.words import Words
from broker.core.intake.delivery import Delivery, Finding
from broker.core.model.event import Event
from broker.core.model.facts import Finding as PeoplesFinding
from broker.core.model.identifiers import AgencyId, EventId, Millis
from broker.sealing.reviews import seal_event
from broker.sealing.secrets import new_master
from broker.stream.watching.review_reader import Review
from broker.stream.watching.told_before import ToldOf
from connectors.transports.report import Outcome, Tally, write_report
from tests.connectors.contract import RECEIVED
from tests.core.account.test_explain import an_entry
from tests.lag.test_words import a_lag, a_report, an_undelivered
from tests.stream.lines import SECRETS, an_event
from tests.stream.people import POLICE

BAD = "desk\x1b[2J\x1b[31mRED\r\nALERT  forged\u202eabc\u2028review forged\x9b31m\x07\n\nEND OF NOTICE"
NAMES = Words(names={"urn:100001/dsl": BAD, "police:42": BAD}, events={"police.encompass.notified": BAD})
FORGED = ("ALERT  forged", "review forged", "END OF NOTICE")


def check(text: str) -> None:
    """Nothing in it acts, nothing of it was dropped, and no line of it begins with what a source wrote."""
    lines = text.split("\n")
    assert "\\u{1b}[2J" in text
    assert "END OF NOTICE" in text
    assert [line for line in lines if acts(line)] == []
    assert [line for line in lines if line.startswith(FORGED)] == []


def a_page(*, terminal: bool) -> tuple[Page, Callable[[], str]]:
    out = io.StringIO()
    console = Console(file=out, width=60, force_terminal=terminal, color_system=None, highlight=False, markup=False)
    return Page(console), out.getvalue


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize(
    "lay_out",
    [
        lambda page: page.line(BAD),
        lambda page: page.head(BAD, BAD),
        lambda page: page.marked("!", "red", BAD),
        lambda page: page.labelled("says", BAD),
        lambda page: page.labelled(BAD, "says"),
        lambda page: page.labelled("says", BAD, whole=True),
        lambda page: page.command(BAD),
        lambda page: page.table(["says"], [[BAD]]),
    ],
    ids=["line", "head", "marked", "labelled", "label", "whole", "command", "table"],
)
def test_no_way_to_lay_out_a_text_lets_it_act(lay_out: Callable[[Page], None], terminal: bool) -> None:
    page, shown = a_page(terminal=terminal)
    lay_out(page)

    check(shown())


def test_an_account_of_several_lines_keeps_them_below_its_own_beginning() -> None:
    page, shown = a_page(terminal=False)
    page.labelled("account", "He came at nine.\nALERT  forged\n\nThen he left.")

    blank = " " * len("  account      ")
    assert shown() == f"  account      He came at nine.\n{blank}ALERT  forged\n{blank}\n{blank}Then he left.\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_disclosure_on_the_hubs_screen(terminal: bool) -> None:
    message = {
        "disclosure_id": "d", "recipient": "urn:100001/dsl", "role": "dsl", "child": "p", "kind": "ALERT", "issued_at": 1,
        "event_type": "police.encompass.notified", "lawful_basis": "b", "token": b"", "narrative": {"text": BAD, "checked": True},
        "identity": {"names": [{"given": BAD, "family": BAD}], "birth_date": BAD, "identifiers": []}, "contact_point": BAD,
        "producer": "police:42", "concern": {"reason": BAD}, "location": {"organisation": BAD, "place": BAD}, "occurred_at": BAD,
        "wish": {"words": BAD}, "third_party": {"people": [{"role": BAD, "given": BAD}]}, "obligations": [BAD], "because": [BAD],
    }  # fmt: skip
    page, shown = a_page(terminal=terminal)
    print_disclosure(page, codec.decode("disclosure", codec.encode("disclosure", message)), NAMES)

    check(shown())
    assert sum(line.startswith("ALERT") for line in shown().splitlines()) == 1


def an_evil_event() -> Event:
    body = {"identity": {"names": [{"given": BAD, "family": "x"}], "identifiers": []}, "location": {"organisation": BAD}}
    return an_event("e1", producer=POLICE, contact_point=BAD, body=body)


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    file = tmp_path / "broker.toml"
    file.write_text('kafka = "127.0.0.1:1"\ndata = "state"\nkeys = "keys"\narea = "E10000030"\nmode = "live"\n')
    new_master(tmp_path / "keys")
    said = {"decision": "REJECT", "by": "police:42", "reason": BAD}
    message = {
        "review_id": "r-1", "kind": "UNIDENTIFIED", "state": "RESOLVED", "for_recipient": "hub", "event_id": "e1", "why": BAD,
        "event_type": "police.encompass.notified", "producer": "police:42", "opened_at": 1, "accepted_at": 1, "due_at": None,
        "clock": None, "candidates": [], "child_ref": None, "matching_key": "m", "resolution": said,
    }  # fmt: skip
    sealed = seal_event(SECRETS, "r-1", codec.encode_event(an_evil_event()))

    async def read(*_: Any, **__: Any) -> tuple[dict[str, Review], Words]:
        return {"r-1": Review(message, None, sealed)}, NAMES

    async def look(*_: Any) -> Any:
        identity = {"names": [{"given": BAD, "family": BAD}], "birth_date": BAD, "identifiers": []}
        told = {
            "identity": identity,
            "subject_role": BAD,
            "child": "p-1",
            "event_type": "t",
            "issued_at": 1,
            "disclosure_id": "d-1",
        }
        return reviews._Seen(codec.event_to_message(an_evil_event()), BAD, "p-2", (ToldOf("c-1", (told,)),))

    monkeypatch.setattr(reviews, "_read", read)
    monkeypatch.setattr(reviews, "_look", look)
    monkeypatch.setattr(reviews.Secrets, "load", lambda _: SECRETS)
    return lambda *line: CliRunner().invoke(cli, ["reviews", *line, "--settings", str(file)], catch_exceptions=False).output


def test_a_review_on_the_hubs_screen(show: Callable[..., str]) -> None:
    check(show("list", "--all"))
    check(show("show", "r-1"))


def test_a_review_for_a_machine_says_every_sign_exactly(show: Callable[..., str]) -> None:
    out = show("show", "r-1", "--json")

    assert json.loads(out)["event"]["identity"]["names"][0]["given"] == BAD
    assert out.count("\n") == 1
    assert not acts(out.rstrip("\n"))


@pytest.mark.parametrize("width", [None, 100])
def test_the_story_of_a_decision(width: int | None) -> None:
    found = PeoplesFinding(
        kind="detriment", event_id=EventId("f"), producer=AgencyId("police:42"), by_role="hub", since=Millis(1), reason=BAD
    )
    entry = an_entry(findings=(found,), decided_by="police:42", decided_with="k", decided_because=BAD)

    check(explain_entry(entry, NAMES, width))


@pytest.mark.parametrize("width", [80, 140])
def test_how_far_behind_it_is(width: int) -> None:
    console = Console(width=width, file=io.StringIO(), force_terminal=False, highlight=False)
    with console.capture() as shown:
        console.print(page(a_report(a_lag(), undelivered=(an_undelivered(),)), NAMES, width=width), soft_wrap=True)

    assert not any(acts(line) for line in shown.get().split("\n"))
    assert not any(line.startswith(FORGED) for line in shown.get().split("\n"))
    assert "\\u{1b}" in shown.get()


def test_brackets_in_a_name_are_no_marks_of_a_table() -> None:
    named = Words(names={"urn:100001/dsl": "Oak [/red] School"})
    console = Console(width=140, file=io.StringIO(), force_terminal=False, highlight=False)
    with console.capture() as shown:
        console.print(page(a_report(a_lag(), undelivered=(an_undelivered(),)), named, width=140))

    assert "Oak [/red] School" in shown.get()


def test_the_report_beside_a_file() -> None:
    finding = Finding("warning", "x", BAD, BAD, BAD)
    tally = Tally(Counter({"police.encompass.notified": 1}), Counter({("warning", "x"): 1}), [finding])
    agency: Any = type("Named", (), {"name": BAD, "id": "police:42"})
    delivery = Delivery(agency, RECEIVED, ())

    check(write_report(Outcome((f"a{BAD}.txt",), True, tally), delivery, "encompass-notice", NAMES))
    check(write_report(Outcome((BAD,), False, tally, BAD), delivery, "encompass-notice", NAMES))
