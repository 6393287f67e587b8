"""Publishing: signed as the agency, acknowledged before anybody is told, the same again is the same."""

import asyncio
import dataclasses
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError

from broker.core.identifiers import AgencyId
from broker.errors import NotPermittedError, SendFailedError, TooLargeError
from broker.sealing.signatures import Signer, new_key
from broker.stream.publish import Publisher, signed_record
from tests.stream.people import SCHOOL, enrolled


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
