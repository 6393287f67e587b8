"""The canonical form: every fault with line and field, never a value; the good lines are taken."""

import json
from dataclasses import replace
from typing import Any

import pytest

from broker.canonical import BadLine, read_lines
from broker.codec import decode_event, encode_event
from broker.core.intake.publishing import InForce
from broker.core.model.event import Event, Sector, SharingMode
from broker.core.model.identifiers import AgencyId, Millis, RecipientId
from broker.core.model.registers import Agency
from broker.policyfile import load_policy
from tests.core.values import area

SCHOOL = AgencyId("urn:100001")
POLICY = load_policy()
KNOWN = InForce(events=POLICY.events, purposes=POLICY.purposes, now=Millis(1_795_200_000_000), sector=Sector.SCHOOLS)
GOOD: dict[str, Any] = {
    "header": {"event_type": "school.concern.raised", "recorded_at": "2026-11-20T09:00:00Z", "occurred_at": "2026-11-19"},
    "identity": {
        "identifiers": [{"scheme": "upn", "value": "H801200001001"}],
        "names": [{"given": "Alfie", "family": "Marsh"}],
        "birth_date": "2015-03-02",
    },
    "concern": {"codes": [{"scheme": "local", "code": "N1", "abuse": "NEG"}]},
}


def read(*lines: object) -> list[Event | BadLine]:
    return list(read_lines([one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines], SCHOOL, KNOWN))


def changed(**header: object) -> dict[str, Any]:
    return {**GOOD, "header": {**GOOD["header"], **header}}


def test_a_publisher_may_say_that_it_shares_existence_only_and_shares_content_where_it_says_nothing() -> None:
    said, unsaid = read(changed(sharing_mode="EXISTENCE"), GOOD)

    assert isinstance(said, Event)
    assert isinstance(unsaid, Event)
    assert [one.header.sharing_mode for one in (said, unsaid)] == [SharingMode.EXISTENCE, SharingMode.CONTENT]
    assert said.body == unsaid.body


def test_what_is_left_out_is_filled_without_guessing() -> None:
    [event] = read(GOOD)

    assert isinstance(event, Event)
    assert (event.header.producer, event.header.sector) == (SCHOOL, Sector.SCHOOLS)
    assert event.header.recorded_at == 1_795_165_200_000
    assert event.body["identity"]["identifiers"][0]["check_ok"] is True
    assert decode_event(encode_event(event)) == event


def test_the_same_words_have_the_same_id_wherever_they_stand() -> None:
    first, second, other = read(GOOD, GOOD, changed(occurred_at="2026-11-18"))

    assert isinstance(first, Event)
    assert isinstance(second, Event)
    assert isinstance(other, Event)
    assert first.header.event_id == second.header.event_id != other.header.event_id


def test_an_id_in_upper_case_is_taken_in_the_one_form_that_ids_have() -> None:
    """The same id written otherwise would be a second event, and a correction that names it would find nothing."""
    one, other = "0d7e6a4c-6b0e-5d7e-9b63-1f5a3c1d2e4f", "4f2e1d3c-5a1f-5b63-8d7e-0e6b4c6a7e0d"
    [event] = read(changed(event_id=one.upper(), supersedes=other.upper(), action="UPDATE"))

    assert isinstance(event, Event)
    assert (event.header.event_id, event.header.supersedes) == (one, other)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "line is not JSON"),
        (b"\xff\xfe", "line is not JSON"),
        (b"[1]", "must hold an object with a `header`"),
        (changed(event_type=None), "field `header.event_type`: missing"),
        (changed(event_type="Not A Type"), "field `header.event_type`: is not in the form"),
        (changed(recorded_at="yesterday"), "field `header.recorded_at`: is no instant: write an instant with its zone"),
        (changed(recorded_at="2026-11-20T09:00:00"), "field `header.recorded_at`: is no instant"),
        (changed(recorded_at=1_790_000_000), "field `header.recorded_at`: is given in seconds, it seems: write"),
        (changed(expires_at=1_800_000_000), "field `header.expires_at`: is given in seconds"),
        (changed(acton="NEW"), "field `header.acton`: unknown"),
        (changed(action="DELETE"), "field `header.action`: input should be 'NEW', 'UPDATE' or 'RETRACT'"),
        ({**GOOD, "identity": {"birth_date": "02/03/2015"}}, "field `identity.birth_date`: is not in the form"),
        ({**GOOD, "identity": {"names": [{"given": "Alfie"}]}}, "field `identity.names.0.family`: missing"),
        ({**GOOD, "extra": 1}, "field `extra`: unknown"),
        (b"[" * 100_000, "line is not JSON"),
        (b'{"header":' * 50_000, "line is not JSON"),
        (changed(occurred_at="2026-02-31"), "field `header.occurred_at`: is no date of the calendar"),
        (changed(occurred_at="2026-02-01T25:00Z"), "field `header.occurred_at`: is no date of the calendar"),
        (changed(occurred_at="0000"), "field `header.occurred_at`: is no date of the calendar"),
        ({**GOOD, "identity": {"birth_date": "2015-13"}}, "field `identity.birth_date`: is no date of the calendar"),
        ({**GOOD, "identity": {"birth_date": "2015-02-29"}}, "field `identity.birth_date`: is no date of the calendar"),
        (changed(event_id=""), "field `header.event_id`: is no UUID"),
        (changed(event_id="a\r\nb"), "field `header.event_id`: is no UUID"),
        (changed(event_id="Alfie-Marsh-2015-03-02"), "field `header.event_id`: is no UUID"),
        (changed(supersedes=""), "field `header.supersedes`: is no UUID"),
        ({**GOOD, "control": {"concerns_event": "Alfie"}}, "field `control.concerns_event`: is no UUID"),
        (changed(source="our system"), "field `header.source`"),
        (changed(sector="POLICE"), "field `header.sector`: agency `urn:100001` is of the sector SCHOOLS"),
        (changed(sharing_mode="NOTHING"), "field `header.sharing_mode`: input should be 'CONTENT' or 'EXISTENCE'"),
        (changed(purpose=" "), "field `header.purpose`: is empty"),
        (changed(purpose="safe guarding"), "field `header.purpose`: is none of promoting_welfare, safeguarding"),
        (changed(recorded_at="2100-01-01T00:00:00Z"), "field `header.recorded_at`: is in the future"),
        (changed(occurred_at="2099-01-01"), "field `header.occurred_at`: is in the future"),
        (changed(occurred_at="2099"), "field `header.occurred_at`: is in the future"),
        (changed(recorded_at=10**30), "field `header.recorded_at`: input should be less than"),
        (changed(sequence=10**30), "field `header.sequence`: input should be less than"),
        (changed(expires_at="2026-11-20T09:00:00Z"), "field `header.expires_at`: is not after `recorded_at`"),
        (changed(event_type="police.encompass.notified"), "field `header.event_type`: is not for this agency to publish"),
        (changed(event_type="school.no_such_type"), "field `header.event_type`: is not in the catalogue"),
        (changed(action="RETRACT"), "field `header.supersedes`: missing"),
        (changed(event_type="control.retraction"), "field `header.supersedes`: missing"),
        (changed(attributes={"level": "Alfie lives at"}), "field `header.attributes.level`: is none of"),
        (changed(attributes={"Alfie": "yes"}), "field `header.attributes`: holds what this event type does not know"),
        (changed(contact_point="\ud800"), "field `contact_point`: holds half a sign"),
        (changed(source={"system": "\ud800"}), "field `system`: holds half a sign"),
        (changed(excluded=["hub", "\ud800"]), "field `excluded`: holds half a sign"),
        (changed(**{"\ud800": 1}), "field `?`: holds half a sign"),
        (
            b'{"header":{"event_type":"school.suspension","event_type":"school.concern.raised"}}',
            "field `event_type`: stands twice",
        ),
        ({**GOOD, "identity": {"birth_date": "2090-01-01"}}, "field `identity.birth_date`: is after `recorded_at`"),
    ],
)
def test_a_bad_line_is_told_with_its_field_and_without_its_value(line: object, said: str) -> None:
    good, bad = read(GOOD, line)

    assert isinstance(good, Event)
    assert isinstance(bad, BadLine)
    assert bad.line == 2
    assert any(said in fault for fault in bad.faults)
    assert not any(value in fault for fault in bad.faults for value in ("Alfie", "02/03/2015", "yesterday", "Not A Type"))


def test_all_faults_of_a_line_are_told_and_empty_lines_count() -> None:
    [bad] = read(b"", b"  \n", changed(acton=1, recorded_at="x"))

    assert isinstance(bad, BadLine)
    assert (bad.line, len(bad.faults)) == (3, 2)


def test_a_line_that_is_too_long_is_told_and_the_next_is_read() -> None:
    bad, good = read(b'{"header": "' + b"x" * 2_000_000 + b'"}', GOOD)

    assert isinstance(bad, BadLine)
    assert isinstance(good, Event)


def test_what_intake_would_refuse_by_the_registers_is_told_before_it_is_sent() -> None:
    """An agency's own entry, and whom an exclusion names: one that names nobody would keep nobody out."""
    entry = Agency(id=SCHOOL, name="School", sector=Sector.SCHOOLS, area="E1", event_types=frozenset({"school.suspension"}))
    known = replace(KNOWN, agency=entry, registers=area())
    some_recipient = next(iter(area().recipients))
    lines = [changed(), changed(event_type="school.suspension", excluded=[some_recipient, RecipientId("nobody-at-all")])]
    first, second = read_lines([json.dumps(one).encode() for one in lines], SCHOOL, known)

    assert isinstance(first, BadLine)
    assert isinstance(second, BadLine)
    assert first.faults[0].startswith("field `header.event_type`: is not for this agency to publish")
    assert second.faults == ("field `header.excluded.1`: is no recipient in the registers in force: see `broker registers show`",)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, True),
        ({"action": "UPDATE", "supersedes": "0d7e6a4c-6b0e-5d7e-9b63-1f5a3c1d2e4f"}, True),
        ({"excluded": ["hub"]}, False),
    ],
    ids=["new", "a later version", "where it belongs"],
)
def test_an_exclusion_that_says_elsewhere_whom_it_keeps_out_is_told(more: dict[str, Any], told: bool) -> None:
    """`control.recipients` is read of findings and agreements; whom an exclusion means stands in `header.excluded`."""
    header = {**GOOD["header"], "event_type": "control.exclusion", **more}
    line = {"header": header, "identity": GOOD["identity"], "control": {"recipients": ["hub"]}}
    (one,) = read_lines([json.dumps(line).encode()], SCHOOL, KNOWN)

    said = one.faults if isinstance(one, BadLine) else ()
    assert [fault.startswith("field `header.excluded`: missing") for fault in said] == [True] * told


@pytest.mark.parametrize(
    ("event_type", "scope", "field"),
    [
        ("control.consent", {"recipients": ["gp", "schools"]}, "recipients.1"),
        ("control.service_agreement", {"recipients": ["nobody-there"]}, "recipients.0"),
        ("control.finding", {"recipients": ["dls"]}, "recipients.0"),
        ("control.consent", {"categories": ["narrative", "narative"]}, "categories.1"),
        ("control.consent", {"recipients": ["gp"], "categories": ["narrative"]}, ""),
    ],
)
def test_a_scope_in_which_nobody_or_nothing_is_meant_is_told(event_type: str, scope: dict[str, Any], field: str) -> None:
    """A no that is said of nobody who is known would be no no."""
    header = {**GOOD["header"], "event_type": event_type}
    line = {"header": header, "identity": GOOD["identity"], "control": {"state": "withdrawn", **scope}}
    known = replace(KNOWN, registers=area(), roles=frozenset(POLICY.roles))
    (one,) = read_lines([json.dumps(line).encode()], SCHOOL, known)

    said = one.faults if isinstance(one, BadLine) else ()
    assert [fault.split("`")[1] for fault in said] == ([f"control.{field}"] if field else [])


@pytest.mark.parametrize(
    ("role", "told"), [("Referrer", True), ("mum's new partner", True), ("referrer", False), ("suspect", False)]
)
def test_a_part_in_the_matter_that_no_rule_knows_is_told(role: str, told: bool) -> None:
    """R9: who is kept back as a referrer has to be called one."""
    line = {**GOOD, "third_party": {"people": [{"role": "mother"}, {"role": role, "given": "Lay"}]}}
    (one,) = read_lines([json.dumps(line).encode()], SCHOOL, KNOWN)

    said = one.faults if isinstance(one, BadLine) else ()
    assert [fault.startswith("field `third_party.people.1.role`: is none of carer, father") for fault in said] == [True] * told


@pytest.mark.parametrize(("scheme", "told"), [("NHS_NUMBER", True), ("NHS number", True), ("nhs_number", False), ("mrn", False)])
def test_a_number_by_whose_scheme_no_child_is_found_is_told(scheme: str, told: bool) -> None:
    line = {**GOOD, "identity": {**GOOD["identity"], "identifiers": [{"scheme": scheme, "value": "9990000018"}]}}
    (one,) = read_lines([json.dumps(line).encode()], SCHOOL, KNOWN)

    said = one.faults if isinstance(one, BadLine) else ()
    assert [fault.startswith("field `identity.identifiers.0.scheme`: is not in small letters") for fault in said] == [True] * told


@pytest.mark.parametrize(
    ("until", "told"), [("2126-01-01", True), ("2027-12-01", True), ("2027-11-01", False), (None, False)], ids=str
)
def test_a_finding_that_would_hold_for_longer_than_its_kind_may_is_told_before_it_is_signed(
    until: str | None, told: bool
) -> None:
    control = {"kind": "detriment", "state": "made", "by_role": "dsl", "reason": "known", "recipients": ["gp"], "until": until}
    line = {"header": {**GOOD["header"], "event_type": "control.finding"}, "identity": GOOD["identity"], "control": control}
    known = replace(KNOWN, findings=load_policy().findings)
    (one,) = read_lines([json.dumps(line).encode()], SCHOOL, known)

    said = one.faults if isinstance(one, BadLine) else ()
    start = "field `control.until`: is more than 12 months ahead, the longest for `detriment`"
    assert [fault.startswith(start) for fault in said] == [True] * told


@pytest.mark.parametrize(
    ("said", "fields"),
    [
        ({"identity": {**GOOD["identity"], "names": [{"given": "Al\x1b[2J", "family": "M"}]}}, ["identity.names.given"]),
        ({"identity": {**GOOD["identity"], "names": [{"given": "Al", "family": "M\nEND"}]}}, ["identity.names.family"]),
        ({"concern": {"status": "o\u202epen", "reference": "a\tb"}}, ["concern.reference", "concern.status"]),
        ({"narrative": {"text": "He came.\r\n\tThen he left.\n", "checked": False}}, []),
        ({"narrative": {"text": "He came.\nT\x9bhen", "checked": False}}, ["narrative.text"]),
        ({"header": {**GOOD["header"], "contact_point": "desk\x07"}}, ["header.contact_point"]),
        ({}, []),
    ],
)
def test_a_field_that_acts_on_a_screen_is_named_and_its_event_is_taken(said: dict[str, Any], fields: list[str]) -> None:
    [event] = read({**GOOD, **said})

    assert isinstance(event, Event)
    assert [(one.rule, one.field, one.severity) for one in event.quality] == [
        ("control_character", one, "warning") for one in fields
    ]
    assert decode_event(encode_event(event)) == event


def test_what_a_line_says_of_its_own_quality_stays() -> None:
    own = {"rule": "r", "field": "f\x07", "severity": "info"}
    [event] = read({**GOOD, "quality": [own], "concern": {"status": "\x07"}})

    assert isinstance(event, Event)
    assert [one.field for one in event.quality] == ["f\x07", "concern.status"]
