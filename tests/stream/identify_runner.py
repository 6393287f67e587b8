"""Runs the stage `identify` on an in-memory log of candidates, as Kafka would: partitions, offsets, state, replays."""

import random
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from broker import codec
from broker.core.model.event import Event
from broker.core.model.identifiers import Digest
from broker.core.model.ports import CAUSE, ORIGIN, Effects, Headers, Outgoing, Position, Record, Task
from broker.core.model.registers import Registers
from broker.errors import RejectError
from broker.sealing.secrets import Secrets
from broker.sealing.signatures import Signer
from broker.stream.engine.table import StateTable
from broker.stream.identify.stage import Identify
from broker.stream.intake import REGISTRATIONS, candidate_key
from broker.stream.topics import CANDIDATES, IDENTIFIERS, IDENTITIES, REVIEWS, SUBJECTS

SECRETS = Secrets.from_master(bytes(range(32)))
HUB = "hub"
STATES = (IDENTITIES, IDENTIFIERS)


@dataclass
class FixedRegisters:
    """Registers that never change; `ports` of intake and identify."""

    registers: Registers = field(
        default_factory=lambda: Registers(version="1", digest=Digest("0" * 64), agencies={}, keys={}, recipients={}, areas={})
    )

    def newest(self) -> Registers:
        return self.registers


@dataclass
class Runner:
    """One log of candidates with its partitions, and what came out."""

    partitions: int = 3
    registers: FixedRegisters = field(default_factory=FixedRegisters)
    chance: random.Random | None = None
    log: dict[int, list[Record]] = field(default_factory=dict)
    done: dict[int, int] = field(default_factory=dict)
    tasks: dict[int, Task] = field(default_factory=dict)
    states: dict[tuple[str, int], list[Record]] = field(default_factory=dict)
    written: list[Outgoing] = field(default_factory=list)
    audit: list[Outgoing] = field(default_factory=list)
    rejected: list[RejectError] = field(default_factory=list)
    published: int = 0
    hubs: tuple[str, ...] = (HUB,)
    own_area: bool = True  # whether they are those of the publisher's own area
    began: int = 1_000_000  # when Kafka took the first record

    def publish(self, *events: Event) -> None:
        """Put events into the log, as intake passes them on."""
        for event in events:
            message = {
                "kind": "EVENT",
                "event": codec.encode_event(event),
                "opens_child": event.header.event_type in REGISTRATIONS,
                "hub": self.hubs[0],
                "stand_ins": list(self.hubs[1:]),
                "own_area": self.own_area,
            }
            place = bytes(Position("events.tests.v1/0", self.published))
            self.published += 1
            headers = ((ORIGIN, place), (CAUSE, place))
            self.append(Outgoing(CANDIDATES, candidate_key(SECRETS, event).encode(), codec.encode("candidate", message), headers))

    def resolve(
        self, signer: Signer, review: dict[str, Any], decision: str, child_ref: str | None = None, child_key: str | None = None
    ) -> None:
        """Answer a review as its hub does."""
        resolution = {
            "review_id": review["review_id"],
            "decision": decision,
            "child_ref": child_ref,
            "by": signer.key_id,
            "reason": "seen in the case system",
            "child_key": child_key,
        }
        value = codec.encode("candidate", {"kind": "RESOLUTION", "resolution": resolution})
        headers = signer.headers(CANDIDATES, value, review["review_id"])
        self.append(Outgoing(CANDIDATES, review["matching_key"].encode(), value, headers))

    def append(self, outgoing: Outgoing) -> None:
        partition = zlib.crc32(outgoing.key or b"") % self.partitions
        log = self.log.setdefault(partition, [])
        log.append(record_of(outgoing, partition, len(log), self.began))

    def run(self) -> None:
        """Take every candidate, also those that come of others; partitions take turns by chance, when there is any."""
        while ready := [one for one in sorted(self.log) if self.done.get(one, 0) < len(self.log[one])]:
            partition = self.chance.choice(ready) if self.chance else ready[0]
            begin = self.done.get(partition, 0)
            size = self.chance.randint(1, 4) if self.chance else 1
            records = self.log[partition][begin : begin + size]
            effects = self.step(partition, records)
            self.write(partition, effects)
            self.done[partition] = begin + len(records)

    def step(self, partition: int, records: Sequence[Record]) -> Effects:
        """Let the partition's task take a chunk; nothing is written."""
        task = self.tasks.get(partition) or self.tasks.setdefault(partition, self.open(partition))
        effects = Effects()
        for record in records:
            try:
                task.step(record, effects)
            except RejectError as error:
                self.rejected.append(error)
        effects.close()
        return effects

    def open(self, partition: int) -> Task:
        """Take a partition up from its logged state."""
        tables = {topic: StateTable(topic, partition) for topic in STATES}
        for (topic, place), records in self.states.items():
            if place == partition:
                for record in records:
                    tables[topic].load(record)
        return Identify(SECRETS, self.registers).open(partition, tables)

    def write(self, partition: int, effects: Effects, *, state: Iterable[Outgoing] | None = None) -> None:
        """Write what a chunk made; `state` only some of its state records, as after a crash between them."""
        self.audit.extend(effects.audit)
        for outgoing in effects.outputs:
            self.written.append(outgoing)
            if outgoing.topic == CANDIDATES:
                self.append(outgoing)
        for outgoing in effects.state.values() if state is None else state:
            log = self.states.setdefault((outgoing.topic, partition), [])
            log.append(record_of(outgoing, partition, len(log)))

    def lines(self) -> dict[str, list[str]]:
        """Return the events of each child's line, each once, by event id."""
        found: dict[str, list[str]] = {}
        seen: set[tuple[str, bytes]] = set()
        for outgoing in self.written:
            if outgoing.topic != SUBJECTS or (stamp := (str(outgoing.key), header(outgoing.headers, CAUSE))) in seen:
                continue
            seen.add(stamp)
            message = codec.decode("subject_record", outgoing.value or b"")
            if message["kind"] == "EVENT":
                event_id = codec.decode_header(message["event"]).event_id
                found.setdefault((outgoing.key or b"").decode(), []).append(event_id)
        return found

    def handovers(self) -> dict[str, str]:
        """Return which child's line was told to hand over to which."""
        messages = ((one.key, codec.decode("subject_record", one.value or b"")) for one in self.written if one.topic == SUBJECTS)
        return {(key or b"").decode(): message["child_ref"] for key, message in messages if message["kind"] == "HANDOVER"}

    def reviews(self, state: str = "OPEN") -> list[dict[str, Any]]:
        """Return the reviews that stand in a state now."""
        last: dict[str, dict[str, Any]] = {}
        for outgoing in self.written:
            if outgoing.topic == REVIEWS:
                message = codec.decode("review", outgoing.value or b"")
                last[message["review_id"]] = message
        return [one for one in last.values() if one["state"] == state]

    def outcomes(self) -> list[str]:
        """Return how records ended by audit entry; a person's answer ends none."""
        return [one["outcome"] for one in self.audits() if one["subject"] == "event"]

    def audits(self) -> list[dict[str, Any]]:
        """Return the audit entries."""
        return [codec.decode("audit_entry", one.value or b"") for one in self.audit]


def record_of(outgoing: Outgoing, partition: int, offset: int, began: int = 1_000_000) -> Record:
    return Record(outgoing.topic, partition, offset, began + offset, outgoing.key, outgoing.value, outgoing.headers)


def header(headers: Headers, name: str) -> bytes:
    return next(value for found, value in headers if found == name)


def asked(runner: Runner) -> dict[str, tuple[str, str]]:
    """Return what of each event in review is asked, and of whom."""
    return {one["event_id"]: (one["kind"], one["for_recipient"]) for one in runner.reviews()}
