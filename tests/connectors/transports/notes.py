"""A format made for these tests, a broker that keeps what is published, and one process's work on an inbox."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from broker.core.intake.delivery import Connector, Delivery, Finding, Memory
from broker.core.model.event import Event, Header, Sector, Source
from broker.core.model.identifiers import AgencyId, Digest, Millis, event_id
from broker.core.model.registers import Agency
from broker.errors import DeliveryError, SendFailedError
from connectors.transports.directory import Check, Directory, Job
from connectors.transports.memory import SqliteMemory
from connectors.transports.report import Outcome
from connectors.transports.settling import Patience

AT_ONCE = Patience(settled=0, unsure=0, together=0, cut_off=0, look=0)
AGENCY = Agency(id=AgencyId("urn:100001"), name="A school", sector=Sector.SCHOOLS, area="E10000099")


class Notes:
    """A format for these tests: each line of a `.note` file is an event, unless it was said before; `?` is a finding.

    Files that begin with the same letter belong together.
    """

    name = "notes"
    sector = Sector.SCHOOLS

    def claims(self, names: tuple[str, ...]) -> bool:
        return all(name.endswith(".note") for name in names) and len({name[0] for name in names}) == 1

    def read(self, delivery: Delivery, memory: Memory) -> Iterator[Event | Finding]:
        for piece in delivery.pieces:
            with piece.open() as stream:
                for number, line in enumerate(stream.read().decode().split(), 1):
                    if line == "!":
                        raise DeliveryError("file is broken from line 3 on: export it again")
                    if line == "?":
                        yield Finding("warning", "odd", f"{piece.name} line {number}", "a strange line", "mend it")
                    elif memory.get(line) is None:
                        event = _event(line, piece.digest)
                        if delivery.takes(event):
                            memory.put(line, b"said")
                        yield event


def _event(line: str, digest: Digest) -> Event:
    header = Header(
        event_id=event_id("notes", line, ""),
        event_type="school.concern.raised",
        producer=AGENCY.id,
        sector=Sector.SCHOOLS,
        recorded_at=Millis(0),
        source=Source("notes", "notes", "", digest, line),
    )
    return Event(header)


class Broker:
    """Stands in for the broker: keeps what was published, and may fail after some events."""

    def __init__(self, fail_after: int | None = None) -> None:
        self.published: list[str] = []
        self.fail_after = fail_after

    async def publish(self, events: Iterable[Event]) -> None:
        for event in events:
            if self.fail_after is not None and len(self.published) >= self.fail_after:
                raise SendFailedError("kafka did not take the events: publish the same again")
            self.published.append(event.header.source.location)


def run(
    inbox: Path,
    broker: Broker,
    *,
    sets: bool = True,
    patience: Patience = AT_ONCE,
    confirmed: bool = False,
    messages: bool = False,
    connector: Connector | None = None,
    check: Check = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> list[Outcome]:
    """Work on the inbox until nothing is left, as one process does from its start to its end."""

    async def work() -> list[Outcome]:
        memory = SqliteMemory(inbox.parent / "state" / "notes.sqlite")
        job = Job(connector or Notes(), AGENCY, sets=sets, messages=messages, accept_disappearances=confirmed)
        try:
            work = Directory(inbox, job, broker.publish, memory, patience, check, say=say)
            return [one async for one in work.deliveries(once=True)]
        finally:
            memory.close()

    return asyncio.run(work())


def first_of(inbox: Path, connector: Connector) -> Outcome:
    """What becomes of the first delivery, by a process that goes on."""

    async def work() -> Outcome:
        memory = SqliteMemory(inbox.parent / "state" / "notes.sqlite")
        try:
            work = Directory(inbox, Job(connector, AGENCY, sets=True), Broker().publish, memory, Patience(look=1))
            return await anext(work.deliveries())
        finally:
            memory.close()

    return asyncio.run(work())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())
