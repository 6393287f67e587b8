"""Publishing: signed as the agency, acknowledged before anybody is told, the same again is the same."""

import asyncio
import dataclasses
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from broker.core.model.event import Action, Event, Identifier
from broker.core.model.identifiers import AgencyId, Millis
from broker.core.model.registers import Registers
from broker.errors import NotFoundError, NotPermittedError, RejectError, SendFailedError, TimeError, TooLargeError
from broker.policyfile import policy_from_content
from broker.sealing.signatures import Signer, new_key
from broker.stream.publish import Gate, Publisher, signed_record
from broker.stream.releases.book import ReleaseBook
from tests.stream.identify_runner import FixedRegisters
from tests.stream.people import SCHOOL, enrolled
from tests.stream.test_intake import record, take
from tests.stream.test_intake import registers as intake_registers


class Producer:
    """Takes records and acknowledges them when told; the part of aiokafka that publishing needs."""

    def __init__(self, *, fails_at: int | None = None) -> None:
        self.sent: list[bytes | None] = []
        self.waiting: list[asyncio.Future[object]] = []
        self.fails_at = fails_at

    async def send(
        self, topic: str, value: bytes | None = None, key: bytes | None = None, *, headers: object = None
    ) -> asyncio.Future[object]:
        made: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if len(self.sent) == self.fails_at:
            made.set_exception(KafkaConnectionError())
        else:
            self.waiting.append(made)
        self.sent.append(value)
        return made

    def acknowledge(self) -> None:
        for one in self.waiting:
            one.set_result(None)


@pytest.fixture
def school(tmp_path: Path) -> Signer:
    return new_key(tmp_path, SCHOOL)


async def test_nothing_counts_as_published_before_kafka_acknowledged_it(school: Signer) -> None:
    producer = Producer()
    publishing = asyncio.create_task(Publisher(producer, school).publish([enrolled(), enrolled()]))
    await asyncio.sleep(0.01)

    assert not publishing.done()
    producer.acknowledge()
    assert await publishing == 2


async def test_a_send_that_fails_is_told(school: Signer) -> None:
    producer = Producer(fails_at=0)

    with pytest.raises(SendFailedError, match="publish the same again"):
        await Publisher(producer, school).publish([enrolled()])


def test_the_same_event_gives_the_same_record(school: Signer) -> None:
    event = enrolled(given="Alfie", upn="H801200001001")

    record = signed_record(school, event)

    assert record == signed_record(school, event)
    assert record.key != signed_record(school, enrolled(upn="X801200001002")).key
    assert b"H801200001001" not in (record.key or b"")


def test_corrections_of_one_record_keep_its_order(school: Signer) -> None:
    first = enrolled(upn="H801200001001")
    corrected = dataclasses.replace(first, header=dataclasses.replace(first.header, supersedes=first.header.event_id))

    assert signed_record(school, first).key == signed_record(school, corrected).key


def test_an_agency_publishes_as_itself_and_not_too_much(school: Signer) -> None:
    event = enrolled()
    other = dataclasses.replace(event, header=dataclasses.replace(event.header, producer=AgencyId("urn:100002")))

    with pytest.raises(NotPermittedError, match="as its own agency"):
        signed_record(school, other)
    with pytest.raises(TooLargeError):
        signed_record(school, enrolled(given="x" * 300_000))


class Book(ReleaseBook):
    """The registers in force, as somebody who follows the releases has them."""

    def __init__(self, registers: Registers) -> None:
        super().__init__(policy_from_content)
        self.now = registers

    def newest(self) -> Registers:
        return self.now


def lasting(school: Signer) -> FixedRegisters:
    """The registers of the tests of intake, with a key that is in force today."""
    found = intake_registers(school).newest()
    keys = {name: dataclasses.replace(key, until=None) for name, key in found.keys.items()}
    return FixedRegisters(dataclasses.replace(found, keys=keys))


def changed(**said: Any) -> Event:
    event = enrolled()
    return dataclasses.replace(event, header=dataclasses.replace(event.header, **said))


def numbered(*identifiers: Identifier) -> Event:
    """A pupil's registration that names some numbers."""
    event = enrolled()
    return dataclasses.replace(event, body={**event.body, "identity": {**event.body["identity"], "identifiers": [*identifiers]}})


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (changed(event_type="school.absence.reported", occurred_at="2126-01-01"), TimeError),
        (changed(occurred_at="0201-04-02"), NotPermittedError),
        (changed(recorded_at=Millis(time.time_ns() // 1_000_000 + 24 * 3600 * 1000)), NotPermittedError),
        (changed(event_type="health.ed.attended"), NotPermittedError),
        (changed(purpose=" "), NotPermittedError),
        (changed(action=Action.RETRACT), NotPermittedError),
        (changed(contact_point="x" * 300_000), TooLargeError),
        (numbered({"scheme": "la_child_id", "value": "1", "issuer": "E10000030"}), NotPermittedError),
        (numbered({"scheme": "mrn", "value": "1", "issuer": f"{SCHOOL}0/PAS"}), NotPermittedError),
    ],
)
def test_what_intake_refuses_is_refused_before_it_is_published(school: Signer, event: Event, error: type[RejectError]) -> None:
    """A connector tells its agency only of what intake takes: the two must never differ."""
    source = lasting(school)
    with pytest.raises(error):
        Gate(Book(source.newest()), AgencyId(SCHOOL)).check(event)
    if error is not TooLargeError:
        with pytest.raises(RejectError):
            take(source, record(signed_record(school, event), time.time_ns() // 1_000_000))


def test_a_registration_names_its_own_numbers_and_national_ones_and_any_other_event_anybody_s(school: Signer) -> None:
    """A council's extract may quote a pupil's number; an alert may say under which number a council knows the child."""
    others: Identifier = {"scheme": "la_child_id", "value": "1", "issuer": "E10000030"}
    own: Identifier = {"scheme": "pupil", "value": "1", "issuer": f"{SCHOOL}/SIMS"}
    upn: Identifier = {"scheme": "upn", "value": "H801200001001", "issuer": "urn:100009"}
    concern = numbered(others)
    concern = dataclasses.replace(
        concern, header=dataclasses.replace(concern.header, event_type="school.concern.raised"), control=None
    )
    source = lasting(school)

    for event in (numbered(own, upn, {"scheme": "pupil", "value": "1"}), concern):
        Gate(Book(source.newest()), AgencyId(SCHOOL)).check(event)
        assert take(source, record(signed_record(school, event), time.time_ns() // 1_000_000))


def test_what_intake_takes_passes_and_the_registers_may_change_meanwhile(school: Signer) -> None:
    source = lasting(school)
    book = Book(source.newest())
    gate = Gate(book, AgencyId(SCHOOL))
    gate.check(enrolled())
    assert take(source, record(signed_record(school, enrolled()), time.time_ns() // 1_000_000))

    book.now = dataclasses.replace(book.now, agencies={})

    with pytest.raises(NotFoundError, match="not in the registers in force"):
        gate.agency()
