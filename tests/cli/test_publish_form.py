"""`broker publish --form`: an agency without a connector reads there how an event is written."""

import json

from click.testing import CliRunner

import schemas
from broker.canonical import read_lines
from broker.cli import cli
from broker.core.intake.publishing import InForce
from broker.core.model.event import Event, Sector
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


def test_the_event_that_it_shows_can_be_published() -> None:
    example = next(line for line in shown().splitlines() if line.startswith("  {"))
    known = InForce(events=POLICY.events, findings=POLICY.findings, purposes=POLICY.purposes, now=IN_2026, sector=Sector.SCHOOLS)

    (event,) = read_lines([example.encode()], AgencyId("urn:100001"), known)

    assert isinstance(event, Event)
    assert json.loads(example)["header"]["event_type"] == event.header.event_type
