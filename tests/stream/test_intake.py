"""What intake takes and what it refuses, each with its reason."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from broker import codec
from broker.core.model.event import Action, Event, Sector
from broker.core.model.identifiers import AgencyId, Digest, EventId, Millis, RecipientId
from broker.core.model.ports import ACCEPTED, CAUSE, ORIGIN, Effects, Outgoing, Record
from broker.core.model.registers import Agency, Area, Recipient, Registers, SigningKey
from broker.errors import EventIdError, RejectError
from broker.sealing.signatures import Signer, new_key
from broker.stream.cloudevents import headers_of
from broker.stream.event_size import MAX_EVENT_BYTES
from broker.stream.intake import Intake
from broker.stream.publish import signed_record
from broker.stream.topics import CANDIDATES
from tests.stream.identify_runner import SECRETS, FixedRegisters
from tests.stream.people import COUNCIL, NHS, POLICE, SCHOOL, TRUST, an_event, enrolled

NOW = 2_000_000


@pytest.fixture
def school(tmp_path: Path) -> Signer:
    return new_key(tmp_path, SCHOOL)


def registers(signer: Signer, **agency: Any) -> FixedRegisters:
    entry = Agency(
        **{
            "id": AgencyId(SCHOOL),
            "name": "School",
            "sector": Sector.SCHOOLS,
            "area": COUNCIL,
            "registers_people": True,
            **agency,
        }
    )
    key = SigningKey(id=signer.key_id, holder=signer.holder, public_key=signer.public_key, until=Millis(NOW + 1))
    area = Area(id=COUNCIL, name="Eskshire", hub="hub")  # type: ignore[arg-type]  # a recipient's id is a string
    return FixedRegisters(
        Registers(
            version="1", digest=Digest(""), agencies={entry.id: entry}, keys={key.id: key}, recipients={}, areas={COUNCIL: area}
        )
    )


def record(outgoing: Outgoing, timestamp: int = NOW) -> Record:
    return Record(outgoing.topic, 3, 7, timestamp, outgoing.key, outgoing.value, outgoing.headers)


def take(source: FixedRegisters, taken: Record) -> list[Outgoing]:
    effects = Effects()
    try:
        Intake(SECRETS, source).open(0, {}).step(taken, effects)
    except RejectError:
        assert (effects.audit, effects.outputs, effects.state) == ([], [], {})
        raise
    return effects.outputs


def test_a_good_record_goes_on_byte_for_byte_under_its_matching_key(school: Signer) -> None:
    event = enrolled(given="Alfie", upn="H801200001001")
    sent = record(signed_record(school, event))

    [candidate] = take(registers(school), sent)

    message = codec.decode("candidate", candidate.value or b"")
    assert (candidate.topic, candidate.key) == (CANDIDATES, SECRETS.matching_key("2015-03-02").encode())
    assert (message["event"], message["opens_child"], message["hub"]) == (sent.value, True, "hub")
    accepted = b"%d" % sent.timestamp  # Kafka's own time, whatever the publisher says
    came = {ORIGIN: b"events.schools.v1/3@7+0", ACCEPTED: accepted, CAUSE: b"events.schools.v1/3@7+0"}
    assert dict(candidate.headers) == came


@pytest.mark.parametrize(
    ("said", "starts"),
    [({"born": None, "nhs": NHS[0]}, "i-"), ({"born": "2015"}, "n-"), ({"born": "1900-01-01"}, "n-"), ({}, "m-")],
)
def test_the_key_is_of_the_birth_date_else_of_an_identifier_else_of_the_event(
    school: Signer, said: dict[str, Any], starts: str
) -> None:
    [candidate] = take(registers(school), record(signed_record(school, enrolled(**said))))

    assert (candidate.key or b"").decode().startswith(starts)


def test_only_an_agency_that_registers_people_opens_children(school: Signer) -> None:
    [candidate] = take(registers(school, registers_people=False), record(signed_record(school, enrolled())))

    assert codec.decode("candidate", candidate.value or b"")["opens_child"] is False


def with_value(sent: Record, value: bytes | None) -> Record:
    return dataclasses.replace(sent, value=value)


def with_header(sent: Record, name: str, value: bytes | None) -> Record:
    kept = tuple(one for one in sent.headers if one[0] != name)
    return dataclasses.replace(sent, headers=kept if value is None else (*kept, (name, value)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda sent: with_value(sent, None), "unreadable"),
        (lambda sent: with_value(sent, b"nonsense"), "unknown_schema"),
        (lambda sent: with_value(sent, b"\x00\x00\x00\x00\x63rest"), "unknown_schema"),
        (lambda sent: with_value(sent, (sent.value or b"")[:40]), "unreadable"),
        (lambda sent: with_value(sent, b"\x00" * (MAX_EVENT_BYTES + 1)), "too_large"),
        (lambda sent: with_header(sent, "ce_id", b"another"), "headers_disagree"),
        (lambda sent: with_header(sent, "ce_time", b"1999-01-01T00:00:00Z"), "headers_disagree"),
        (lambda sent: with_header(sent, "content-type", None), "headers_disagree"),
        (lambda sent: with_header(sent, "sb_signature", None), "bad_signature"),
        (lambda sent: with_header(sent, "sb_signature", b"x" * 64), "bad_signature"),
        (lambda sent: with_header(sent, "sb_key_id", b"unknown"), "bad_signature"),
        (lambda sent: dataclasses.replace(sent, topic="events.police.v1"), "bad_signature"),
        (lambda sent: dataclasses.replace(sent, timestamp=NOW + 1), "bad_signature"),
    ],
)
def test_a_record_that_is_not_as_it_should_be_is_refused_with_its_reason(school: Signer, change: Any, reason: str) -> None:
    with pytest.raises(RejectError) as found:
        take(registers(school), change(record(signed_record(school, enrolled()))))

    assert found.value.reason == reason
    assert "Alfie" not in str(found.value)


@pytest.mark.parametrize(("ahead", "taken"), [(5 * 60_000, True), (5 * 60_000 + 1, False)])
def test_what_was_recorded_in_the_future_is_refused(school: Signer, ahead: int, taken: bool) -> None:
    event = enrolled()
    early = dataclasses.replace(event, header=dataclasses.replace(event.header, recorded_at=Millis(NOW + ahead)))
    sent = record(signed_record(school, early))

    if taken:
        assert take(registers(school), sent)
        return
    with pytest.raises(RejectError) as found:
        take(registers(school), sent)
    assert found.value.reason == "time_in_future"


@pytest.mark.parametrize(
    ("event_type", "occurred_at", "taken"),
    [
        ("school.concern.raised", "1970", True),
        ("school.concern.raised", "1970-01-02", True),  # it is tomorrow there already
        ("school.concern.raised", "1970-01-03", False),
        ("school.concern.raised", "2099", False),
        ("school.concern.raised", "2099-06", False),
        ("school.pupil.registered", "1970-09-01", True),
        ("school.pupil.left", "1970-09-01", True),
    ],
)
def test_what_says_that_it_happened_on_a_day_to_come_is_refused(
    school: Signer, event_type: str, occurred_at: str, taken: bool
) -> None:
    """A roll says beforehand from when a child is on it, and a retraction of anything is always taken."""
    event = an_event(event_type, SCHOOL, given="Alfie")
    ahead = dataclasses.replace(event, header=dataclasses.replace(event.header, occurred_at=occurred_at))
    gone = dataclasses.replace(ahead.header, action=Action.RETRACT, supersedes=event.header.event_id)

    assert take(registers(school), record(signed_record(school, dataclasses.replace(ahead, header=gone))))
    sent = record(signed_record(school, ahead))
    if taken:
        assert take(registers(school), sent)
        return
    with pytest.raises(RejectError) as found:
        take(registers(school), sent)
    assert found.value.reason == "time_in_future"
    assert occurred_at not in str(found.value)


def test_a_time_is_taken_in_any_spelling_of_the_same_instant(school: Signer) -> None:
    sent = record(signed_record(school, enrolled()))

    assert take(registers(school), with_header(sent, "ce_time", b"1970-01-01T01:00:01+01:00"))


@pytest.mark.parametrize(
    ("agency", "event"),
    [
        ({"sector": Sector.HEALTH}, enrolled()),
        ({"event_types": frozenset({"school.suspension"})}, enrolled()),
        ({"id": AgencyId("urn:100002")}, enrolled()),
        ({}, an_event("police.missing.reported", SCHOOL)),
    ],
    ids=["another sector", "a type it may not publish", "no such agency", "another sector's type"],
)
def test_an_agency_publishes_as_itself_on_its_own_topic_what_its_role_allows(
    school: Signer, agency: dict[str, Any], event: Event
) -> None:
    with pytest.raises(RejectError) as found:
        take(registers(school, **agency), record(signed_record(school, event)))

    assert found.value.reason == "not_permitted"


@pytest.mark.parametrize("event_type", ["control.consent", "school.concern.raised"])
def test_an_agency_does_not_publish_on_another_sectors_topic(school: Signer, event_type: str) -> None:
    """Signed for that topic, headers and all: only the registers say that it may not."""
    event = enrolled()
    header = dataclasses.replace(event.header, sector=Sector.POLICE, event_type=event_type)
    moved = signed_record(school, dataclasses.replace(event, header=header))

    with pytest.raises(RejectError, match="publishes on its own topic only"):
        take(registers(school), record(moved))


def test_nobody_publishes_as_another_agency(school: Signer, tmp_path: Path) -> None:
    other = new_key(tmp_path / "other", "urn:100002")
    event = enrolled()
    honest = signed_record(school, event)
    forged = (*headers_of(event.header), *other.headers(honest.topic, honest.value or b"", event.header.event_id))
    source = registers(other)

    with pytest.raises(RejectError, match="cannot publish as another agency"):
        take(source, dataclasses.replace(record(honest), headers=forged))


SOME_ID = "0D7E6A4C-6B0E-5D7E-9B63-1F5A3C1D2E4F"  # in upper case it would be another event than in lower case


@pytest.mark.parametrize("name", ["", "x" * 201, "a\r\nb", "Alfie Marsh", "Alfie-Marsh-2015-03-02", "é", SOME_ID, SOME_ID[:-1]])
@pytest.mark.parametrize("field", ["event_id", "supersedes", "concerns_event"])
def test_an_id_that_could_hold_a_name_or_be_written_in_two_ways_is_refused(school: Signer, field: str, name: str) -> None:
    event = enrolled()
    if field == "concerns_event":
        named = dataclasses.replace(event, control={**(event.control or {}), "concerns_event": name})
    else:
        named = dataclasses.replace(event, header=dataclasses.replace(event.header, **{field: EventId(name)}))

    with pytest.raises(EventIdError, match=f"field `{field}`") as found:
        take(registers(school), record(signed_record(school, named)))

    assert not name or name not in str(found.value)


@pytest.mark.parametrize("said", [{"action": Action.RETRACT}, {"event_type": "control.retraction"}])
def test_a_retraction_that_takes_nothing_back_is_refused_not_taken_in_silence(school: Signer, said: dict[str, Any]) -> None:
    event = enrolled()
    naming_none = dataclasses.replace(event, header=dataclasses.replace(event.header, **said))

    with pytest.raises(RejectError, match="names no event"):
        take(registers(school), record(signed_record(school, naming_none)))


def test_a_hub_that_the_publisher_excludes_is_not_asked_whose_event_it_is(school: Signer) -> None:
    """The child of somebody at the hub: its alternate looks at what nobody could be found for, or the operator (R11)."""
    source, event = registers(school), enrolled()
    kept_from = dataclasses.replace(event, header=dataclasses.replace(event.header, excluded=(RecipientId("hub"),)))
    asked = [
        codec.decode("candidate", take(source, record(signed_record(school, one)))[0].value or b"") for one in (event, kept_from)
    ]

    assert [one["hub"] for one in asked] == ["hub", ""]


def test_who_stands_in_for_the_hub_travels_along_in_turn(school: Signer) -> None:
    """Whether the hub may be asked shows only where it is seen which children it may be about."""
    source = registers(school)
    alternates = {"hub": "deputy", "deputy": "manager", "manager": "hub"}
    desks = {
        RecipientId(one): Recipient(
            id=RecipientId(one), name=one, agency=AgencyId(COUNCIL), area=COUNCIL, roles=frozenset(), alternate=RecipientId(then)
        )
        for one, then in alternates.items()
    }
    source.registers = dataclasses.replace(source.registers, recipients=desks)
    event = enrolled(excluded=(RecipientId("deputy"),))

    [candidate] = take(source, record(signed_record(school, event)))

    message = codec.decode("candidate", candidate.value or b"")
    assert (message["hub"], message["stand_ins"]) == ("hub", ["manager"])


@pytest.mark.parametrize(("excluded", "asked"), [((), ["hub", "duty"]), (("duty",), ["hub"]), (("hub",), ["duty"])])
def test_the_duty_team_stands_in_last_unless_it_is_excluded(excluded: tuple[str, ...], asked: list[str], school: Signer) -> None:
    source = registers(school)
    area = dataclasses.replace(source.registers.areas[COUNCIL], out_of_hours=RecipientId("duty"))
    source.registers = dataclasses.replace(source.registers, areas={COUNCIL: area})
    event = enrolled(excluded=tuple(map(RecipientId, excluded)))

    [candidate] = take(source, record(signed_record(school, event)))

    message = codec.decode("candidate", candidate.value or b"")
    assert [message["hub"], *message["stand_ins"]] == asked


@pytest.mark.parametrize(("named", "own"), [(None, True), (COUNCIL, True), ("E10000031", False), ("nowhere", True)])
def test_whether_the_hub_is_of_its_publishers_own_area_say_the_registers(named: str | None, own: bool, school: Signer) -> None:
    """An event may name any area: that makes its publisher no neighbour of the children there (I10)."""
    source = registers(school)
    far = Area(id="E10000031", name="Far", hub=RecipientId("far-hub"))
    source.registers = dataclasses.replace(source.registers, areas={**source.registers.areas, far.id: far})
    event = enrolled()
    event = dataclasses.replace(event, header=dataclasses.replace(event.header, area=named))

    [candidate] = take(source, record(signed_record(school, event)))

    message = codec.decode("candidate", candidate.value or b"")
    assert (message["hub"], message["own_area"]) == ("hub" if own else "far-hub", own)


def a_merge(by: str) -> Event:
    ending: Any = [{"scheme": "nhs_number", "value": NHS[1], "verified": True}]
    return an_event("identity.merged", by, control={"kind": "merge", "identifiers": ending}, nhs=NHS[0])


@pytest.mark.parametrize("by", [SCHOOL, POLICE, TRUST, COUNCIL])
def test_only_who_gives_out_numbers_of_its_own_says_that_two_are_one_childs(tmp_path: Path, by: str) -> None:
    """Of two children that a school or the police take for one, the hub hears otherwise."""
    merge, signer = a_merge(by), new_key(tmp_path, by)
    source, sent = registers(signer, id=AgencyId(by), sector=merge.header.sector), record(signed_record(signer, merge))
    if by in {TRUST, COUNCIL}:
        assert take(source, sent)
        return

    with pytest.raises(RejectError, match="may not publish this event type"):
        take(source, sent)


def test_whose_hub_is_the_publishers_is_not_for_a_merge_to_say(tmp_path: Path) -> None:
    """Else it would name the area of the child that it takes over, and its own hub would be the one that has to allow it."""
    signer = new_key(tmp_path, COUNCIL)
    source = registers(signer, id=AgencyId(COUNCIL), sector=Sector.COUNCILS)
    there = Area(id="E1", name="Elsewhere", hub="hub-there")  # type: ignore[arg-type]  # a recipient's id is a string
    source.registers = dataclasses.replace(source.registers, areas={**source.registers.areas, "E1": there})
    asked = []
    for event in (a_merge(COUNCIL), an_event("council.case.opened", COUNCIL)):
        named = dataclasses.replace(event, header=dataclasses.replace(event.header, area="E1"))
        [candidate] = take(source, record(signed_record(signer, named)))
        asked.append(codec.decode("candidate", candidate.value or b"")["hub"])

    assert asked == ["hub", "hub-there"]


def test_an_empty_purpose_is_refused(school: Signer) -> None:
    event = enrolled()
    silent = dataclasses.replace(event, header=dataclasses.replace(event.header, purpose=" "))

    with pytest.raises(RejectError, match="purpose"):
        take(registers(school), record(signed_record(school, silent)))


def test_a_publishers_own_words_about_where_its_record_stands_are_not_believed(school: Signer) -> None:
    sent = with_header(record(signed_record(school, enrolled())), ORIGIN, b"events.police.v1/0@1+0")

    [candidate] = take(registers(school), sent)

    assert dict(candidate.headers)[ORIGIN] == b"events.schools.v1/3@7+0"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("expires_at", 9 * 10**18),
        ("expires_at", -(9 * 10**18)),
        ("recorded_at", -5 * 10**12),
        ("received_at", 10**15),
        ("occurred_at", "0001-01-01T00:00:00+01:00"),
        ("occurred_at", "9999-12-31"),
        ("occurred_at", "some day"),
    ],
)
def test_a_time_that_no_screen_could_say_is_refused(school: Signer, field: str, value: Any) -> None:
    event = enrolled()
    strange = dataclasses.replace(event, header=dataclasses.replace(event.header, **{field: value}))

    with pytest.raises(RejectError) as found:
        take(registers(school), record(signed_record(school, strange)))

    assert found.value.reason == "impossible_time"
    assert f"`{field}`" in str(found.value)


def test_a_reason_without_end_is_refused(school: Signer) -> None:
    event = enrolled()
    endless = dataclasses.replace(event.header, told_family_reason="x" * 50_000)
    sent = record(signed_record(school, event))
    large = with_value(sent, codec.encode_event(dataclasses.replace(event, header=endless)))

    with pytest.raises(RejectError) as found:
        take(registers(school), large)

    assert found.value.reason == "too_large"
