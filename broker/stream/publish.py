"""Publish an agency's events: signed, with CloudEvents headers, and acknowledged by Kafka before anybody is told so.

The same event published twice has the same id and the same bytes; the broker tells nobody twice.
"""

import asyncio
import time
from collections.abc import Iterable
from itertools import islice
from typing import Protocol

from aiokafka.errors import KafkaError

from broker.codec import encode_event
from broker.core.intake.publishing import InForce, cannot_have_happened, refusals_of
from broker.core.model.event import Event
from broker.core.model.identifiers import AgencyId, Millis
from broker.core.model.ports import Headers, Outgoing
from broker.core.model.registers import Agency
from broker.errors import NotFoundError, NotPermittedError, SendFailedError, TimeError
from broker.sealing.signatures import Signer
from broker.stream import event_size
from broker.stream.cloudevents import headers_of
from broker.stream.releases.book import ReleaseBook
from broker.stream.topics import EVENTS

_AT_ONCE = 500  # events on their way before their acknowledgements are awaited


class KafkaProducer(Protocol):
    """The part of aiokafka's producer that publishing needs: acks from all replicas, idempotent."""

    async def send(
        self, topic: str, value: bytes | None = None, key: bytes | None = None, *, headers: Headers | None = None
    ) -> "asyncio.Future[object]":
        """Queue a record and return the future of its acknowledgement."""
        ...


class Publisher:
    """Publishes as one agency, whose private key the signer holds."""

    def __init__(self, kafka_producer: KafkaProducer, signer: Signer) -> None:
        self._kafka_producer = kafka_producer
        self._signer = signer

    async def publish(self, events: Iterable[Event]) -> int:
        """Publish events in their order and return how many; all are acknowledged then.

        Raises SendFailedError when Kafka did not take all of them: publish the same again, nobody is told twice. Raises
        TooLargeError or NotPermittedError for an event that intake would refuse; those before it may be published.
        """
        count = 0
        walk = iter(events)
        while chunk := list(islice(walk, _AT_ONCE)):
            await self._send([signed_record(self._signer, event) for event in chunk])
            count += len(chunk)
        return count

    async def _send(self, records: list[Outgoing]) -> None:
        try:
            sent = [
                await self._kafka_producer.send(one.topic, one.value, one.key, headers=list(one.headers))  # type: ignore[arg-type]  # aiokafka wants a list
                for one in records
            ]
            await asyncio.gather(*sent)
        except KafkaError as error:
            raise SendFailedError(f"kafka did not take the events: {type(error).__name__}: publish the same again") from error


def signed_record(signer: Signer, event: Event) -> Outgoing:
    """Return the record of an event, signed by its agency.

    Its key keeps the order of the agency's own record of the child and tells nobody which that is. Raises
    NotPermittedError when the signer is another agency, TooLargeError when the event is larger than the broker takes.
    """
    header = event.header
    if header.producer != signer.holder:
        raise NotPermittedError(
            f"event says it is from `{header.producer}`, the key is of `{signer.holder}`: publish it as its own agency"
        )
    topic, value = EVENTS[header.sector], check_size(event)
    headers = (*headers_of(header), *signer.headers(topic, value, header.event_id))
    return Outgoing(topic, signer.record_key(_own_record(event)), value, headers)


def check_size(event: Event) -> bytes:
    """Return an event's bytes; raises TooLargeError when they are more than the broker takes."""
    value = encode_event(event)
    event_size.check_whole(len(value))
    event_size.check_head(event, len(value))
    event_size.check_numbers(event)
    return value


class Gate:
    """What intake would say of an agency's events, by the registers in force when it is asked."""

    def __init__(self, book: ReleaseBook, agency: AgencyId) -> None:
        """Keep the book, which somebody else keeps up to date."""
        self._book = book
        self._agency = agency

    def agency(self) -> Agency:
        """Return the agency's entry; raises NotFoundError when the registers in force hold none."""
        found = self._book.newest().agencies.get(self._agency)
        if found is None:
            raise NotFoundError(
                f"agency `{self._agency}` is not in the registers in force: see `broker registers show`, then release them"
            )
        return found

    def check(self, event: Event) -> None:
        """Raise TooLargeError, TimeError or NotPermittedError for an event that intake would refuse."""
        check_size(event)
        agency, now = self.agency(), Millis(time.time_ns() // 1_000_000)
        known = InForce(events={}, now=now, sector=agency.sector, agency=agency)
        if faults := "; ".join(refusals_of(event, known)):
            raise (TimeError if cannot_have_happened(event, now) else NotPermittedError)(f"the broker would refuse it: {faults}")


def _own_record(event: Event) -> str:
    """Name the agency's own record of the child: its first identifier, else the matter, else the event by itself."""
    identifiers = event.body.get("identity", {}).get("identifiers") or ()
    for one in identifiers:
        return f"{one['scheme']}:{one['value']}"
    return f"event:{event.header.supersedes or event.header.event_id}"
