"""`broker publish --form`: an agency without a connector reads there how an event is written."""

import json

from click.testing import CliRunner

import schemas
from broker.canonical import read_lines
from broker.cli import cli
from broker.core.intake.publishing import InForce
from broker.core.model.event import Action, Event, Sector
from broker.core.model.identifiers import AgencyId, Millis
from broker.policyfile import load_policy

POLICY = load_policy()
IN_2026 = Millis(1_795_700_000_000)


def shown() -> str:
    done = CliRunner().invoke(cli, ["publish", "--form"])  # of a place that has no settings and no keys
    assert done.exit_code == 0
    return done.output


def test_every_field_and_every_event_type_is_in_it() -> None:
    form = shown()

    for group in schemas.whole("event")["fields"]:
        assert f"\n{group['name']}: {group['doc']}\n" in form
    for one in POLICY.events.values():
        assert f"  {one.name}: {one.says}\n" in form
    for label in (
        "  birth_date  ",
        "    scheme *  ",
        "    given *  ",
        "  action  ",
        "NEW | UPDATE | RETRACT",
        "  sharing_mode  ",
        "CONTENT | EXISTENCE",
        "danger: immediate | no",
    ):
        assert label in form


def test_the_events_that_it_shows_can_be_published_one_anew_and_one_that_takes_it_back() -> None:
    examples = [line.strip() for line in shown().splitlines() if line.startswith("  {")]
    known = InForce(events=POLICY.events, findings=POLICY.findings, purposes=POLICY.purposes, now=IN_2026, sector=Sector.SCHOOLS)

    read = list(read_lines([one.encode() for one in examples], AgencyId("urn:100001"), known))

    assert [one.header.action for one in read if isinstance(one, Event)] == [Action.NEW, Action.RETRACT], read
    assert json.loads(examples[1])["header"]["supersedes"] == read[1].header.supersedes
    assert "with `action` UPDATE and in `supersedes` the id of the one that it corrects" in shown()
