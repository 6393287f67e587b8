"""Plays the agencies: puts their files into the inboxes, where the connectors find them and publish what they say.

The connectors are the ones that `broker connect` runs, one for each agency and format; the canonical form goes in as
`broker publish` takes it.
"""

import asyncio
import shutil
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from broker.canonical import BadLine, read_lines
from broker.core.account.words import Words, words_of
from broker.core.intake.publishing import InForce
from broker.core.model.event import Event
from broker.core.model.identifiers import AgencyId, Millis
from broker.core.model.policy import Policy
from broker.demo.scene import Scene
from broker.errors import InputError
from broker.policyfile import load_policy
from broker.simulate.arrival import Dispatch
from broker.stream.clients import KafkaProducer
from broker.stream.publish import Publisher
from connectors.registry import CONNECTORS
from connectors.transports.directory import Directory, Job
from connectors.transports.memory import SqliteMemory
from connectors.transports.settling import Patience

_CANONICAL = "canonical"
# The files are whole: they are moved in, not written there.
_PATIENCE = Patience(settled=0.0, unsure=0.0, together=0.0, cut_off=0.0, look=0.01)


@dataclass(slots=True)
class Post:
    """Everybody's inboxes. `published` counts the events that Kafka acknowledged, `findings` what was wrong in the files."""

    scene: Scene
    kafka_producer: KafkaProducer
    published: int = 0
    findings: int = 0
    rejected: list[str] = field(default_factory=list)
    _inboxes: dict[tuple[str, str], Directory] = field(default_factory=dict)
    _words: Words = field(init=False)
    _policy: Policy = field(init=False)
    _publishers: dict[str, Publisher] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take the words for the reports from the policy that is in force here."""
        self._policy = load_policy()
        self._words = words_of(self._policy, self.scene.registers)

    async def deliver(self, dispatches: Sequence[Dispatch]) -> None:
        """Put these deliveries into their inboxes and have all of them read; returns when Kafka has every event."""
        by_inbox: defaultdict[tuple[str, str], list[Dispatch]] = defaultdict(list)
        for one in dispatches:
            by_inbox[one.connector, one.agency].append(one)
        await asyncio.gather(*(self._read(connector, agency, each) for (connector, agency), each in by_inbox.items()))

    def close(self) -> None:
        """Let go of what the connectors remember."""
        for inbox in self._inboxes.values():
            inbox.memory.close()

    async def _read(self, connector: str, agency: str, dispatches: Sequence[Dispatch]) -> None:
        if connector == _CANONICAL:
            for one in dispatches:
                for name in one.files:
                    await self._publish_lines(AgencyId(agency), self.scene.folder / name)
            return
        inbox = self._inbox(connector, agency)
        for one in dispatches:  # one after the other: a later file must not be taken for part of an earlier set
            for name in one.files:
                _drop(self.scene.folder / name, inbox.inbox)
            async for outcome in inbox.deliveries(once=True):
                self.findings += sum(outcome.tally.findings.values())
                if not outcome.accepted:
                    self.rejected.append(f"{', '.join(outcome.files)}: {outcome.reason}")

    async def _publish_lines(self, agency: AgencyId, file: Path) -> None:
        self._count(await self._publisher(agency).publish(self._events(file, agency)))

    def _count(self, published: int) -> None:
        """Add to the count. Never `+= await`: that reads the sum before it waits, and what others add meanwhile is lost."""
        self.published += published

    def _inbox(self, connector: str, agency: str) -> Directory:
        if (connector, agency) not in self._inboxes:
            place = f"{connector}/{agency.replace(':', '-')}"
            folder = self.scene.folder / "inboxes" / place
            folder.mkdir(parents=True, exist_ok=True)
            publisher = self._publisher(agency)

            async def publish(events: object) -> None:
                self._count(await publisher.publish(events))  # type: ignore[arg-type]  # the port says what they are

            kind = CONNECTORS[connector]
            entry = self.scene.registers.agencies[AgencyId(agency)]
            job = Job(kind.make(), entry, sets=kind.sets, messages=kind.messages)
            memory = SqliteMemory(self.scene.folder / "state" / "connectors" / f"{place}.sqlite")
            self._inboxes[connector, agency] = Directory(folder, job, publish, memory, _PATIENCE, words=self._words)
        return self._inboxes[connector, agency]

    def _events(self, file: Path, agency: AgencyId) -> list[Event]:
        """Read a file in the canonical form; raises InputError for a line that cannot be taken."""
        registers = self.scene.registers
        entry, now = registers.agencies[agency], Millis(time.time_ns() // 1_000_000)
        policy = self._policy
        known = InForce(
            events=policy.events,
            findings=policy.findings,
            purposes=policy.purposes,
            roles=frozenset(policy.roles),
            now=now,
            sector=entry.sector,
            agency=entry,
            registers=registers,
        )
        events = []
        for one in read_lines(iter(file.read_bytes().splitlines()), agency, known):
            if isinstance(one, BadLine):
                raise InputError(f"`{file}` line {one.line}: {'; '.join(one.faults)}")
            events.append(one)
        return events

    def _publisher(self, agency: str) -> Publisher:
        if agency not in self._publishers:
            self._publishers[agency] = Publisher(self.kafka_producer, self.scene.signer(agency))
        return self._publishers[agency]


def _drop(file: Path, inbox: Path) -> None:
    """Put a copy into an inbox the way careful systems do: whole under another name, then renamed."""
    waiting = inbox / f"{file.name}.part"
    shutil.copyfile(file, waiting)
    waiting.rename(inbox / file.name)
