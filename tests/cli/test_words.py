"""Commands that people read say what a code means; the code stands behind the words, for whoever has to ask for help."""

import io
from collections import Counter
from typing import Any

import pytest
from rich.console import Console

from broker.cli.lag import page
from broker.cli.layout import Page
from broker.cli.refusals import REFUSALS, refusal
from broker.cli.review_words import source_said
from broker.core.account.words import Words, words_of
from broker.lag.open_work import Undelivered
from broker.lag.report import Report
from broker.policyfile import load_policy
from broker.policyfile.code_lists import load_code_lists
from connectors.transports.report import Tally, published

WORDS = Words(events={"school.suspension": "The child was suspended"}, names={"dsl-1": "Oak School", "E10000901": "Eskshire"})


def printed(what: Any, width: int = 80) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=True, color_system=None, highlight=False).print(what)
    return out.getvalue().splitlines()


def test_lag_names_the_desks_that_have_not_received() -> None:
    waiting = Undelivered(recipient="dsl-1", count=2, oldest_seconds=60.0, at_risk=1, past_due=0, next_due_at=None)
    report = Report(at=0, group="g", members=1, partitions=(), undelivered=(waiting,))

    lines = printed(page(report, WORDS, width=80))

    assert any(line.startswith("Oak School (dsl-1)") for line in lines)
    assert all(len(line) <= 80 for line in lines)


def test_what_a_connector_published_is_said_in_words_with_the_code_behind_them() -> None:
    tally = Tally(events=Counter({"school.suspension": 2, "school.suspension, taken back": 11, "unknown.type": 1}))

    assert published(tally, WORDS) == [
        " 2  The child was suspended (school.suspension)",
        "11  The child was suspended (school.suspension), taken back",
        " 1  unknown.type",
    ]


def test_every_event_type_of_the_catalogue_has_words() -> None:
    words = words_of(load_policy())

    assert all(words.event_and_code(one) == f"{words.event(one)} ({one})" for one in load_policy().events)


@pytest.mark.parametrize("reason", [*REFUSALS, "of a later version"])
def test_every_reason_is_a_sentence_and_something_to_do(reason: str) -> None:
    says, remedy = refusal(reason)

    assert says[0].isupper()
    assert len(says.split()) > 4
    assert len(remedy.split()) > 2
    assert "_" not in says


def test_a_review_shows_what_the_source_said_without_codes_and_numbers_for_machines() -> None:
    event = {
        "header": {
            "event_id": "e",
            "action": "NEW",
            "recorded_at": 1_795_643_776_871,
            "assertion": "NOT_SAID",
            "source": {"x": 1},
        },
        "identity": {
            "birth_date": "2020-01-27",
            "identifiers": [{"scheme": "la_child_id", "value": "77001", "issuer": "E10000901", "check_ok": None}],
        },
        "concern": {
            "child_present": True,
            "codes": [{"scheme": "cin-assessment-factor", "code": "3B", "abuse": None, "present": True}],
            "referral_source": "6",
            "starts_on": "2026-11-21",
        },
    }
    words = Words(lists=load_code_lists())

    assert {name: list(lines) for name, lines in source_said(event, words)} == {
        "header": [("action", "new"), ("recorded at", "Wed 25 Nov 2026 at 21:56"), ("assertion", "not said")],
        "identity": [("birth date", "27 Jan 2020"), ("number", "council's child ID 77001")],
        "concern": [
            ("child present", "yes"),
            ("code", "domestic abuse of a parent (assessment factor 3B)"),
            ("referral source", "police (6)"),
            ("starts on", "Sat 21 Nov 2026"),
        ],
    }


def test_a_contact_point_names_a_council_too() -> None:
    assert WORDS.named("safeguarding desk of E10000901") == "safeguarding desk of Eskshire"
    assert Words(names={"hub": "North Hub"}).named("the hub decides") == "the hub decides", "a word of the language"


def test_a_command_to_be_copied_is_never_broken() -> None:
    out = io.StringIO()
    command = "broker acknowledge hub-eskshire d-of5c53ew3fi752gjr427jyniy2ifprm2 and more than fits"
    Page(Console(file=out, width=60, force_terminal=True, color_system=None)).labelled("then", command, whole=True)

    assert out.getvalue().splitlines() == [f"  then         {command}"]
