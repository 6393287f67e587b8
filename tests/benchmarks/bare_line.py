"""The stages' own code over their own state tables, one partition, without Kafka: what a worker computes, and nothing else."""

import time
from collections import defaultdict
from collections.abc import Iterable

from broker import bootstrap
from broker.codec import encode
from broker.core.model.event import Event
from broker.core.model.identifiers import digest
from broker.core.model.ports import Outgoing, Record
from broker.policyfile import policy_content
from broker.registerfile import load_content
from broker.sealing.secrets import Secrets
from broker.stream.engine.chunk import DeadLetterLimits, take
from broker.stream.engine.table import StateTable
from broker.stream.releases.book import Kind, Release
from broker.stream.topics import CANDIDATES, SUBJECTS
from tests.area import Area

CHUNK = 1_000


class BareLine:
    """Intake, identify and decide of one partition, fed by hand. `audited` are the audit entries of the last run."""

    def __init__(self, area: Area) -> None:
        self.area = area
        self.settings = area.write()
        self.audited: list[Outgoing] = []
        book = bootstrap.make_book()
        stages = bootstrap.make_stages(Secrets.load(self.settings.keys), book, ("intake", "identify", "decide"))
        self._tasks = {one.name: one.open(0, {topic: StateTable(topic, 0) for topic in one.state_topics}) for one in stages}
        self._ends: defaultdict[str, int] = defaultdict(int)
        self._release(book, "registers", load_content(self.area.registers_file))
        self._release(book, "policy", policy_content())

    def run(self, events: Iterable[Event]) -> tuple[float, int]:
        """Take events from their signed bytes to their disclosures; return the processor seconds and how many outputs came."""
        self.audited.clear()
        signed: defaultdict[str, list[Outgoing]] = defaultdict(list)
        for event in events:
            record = self.area.sign(event)
            signed[record.topic].append(record)
        began = time.process_time()
        candidates = [one for records in signed.values() for one in self._step("intake", records)]
        subjects: list[Outgoing] = []
        while candidates:
            found = self._step("identify", candidates)
            subjects += [one for one in found if one.topic == SUBJECTS]
            candidates = [one for one in found if one.topic == CANDIDATES]
        outputs = self._step("decide", subjects)
        return time.process_time() - began, len(outputs)

    def _release(self, book: bootstrap.ReleaseBook, of: Kind, content: bytes) -> None:
        book.enter(Release(of, "1", content))
        epoch = {"of": of, "version": "1", "digest": digest(content)}
        self._step(
            "decide", [Outgoing(SUBJECTS, None, encode("subject_record", {"kind": "EPOCH", "child_ref": "", "epoch": epoch}))]
        )

    def _step(self, stage: str, records: list[Outgoing]) -> list[Outgoing]:
        made: list[Outgoing] = []
        for at in range(0, len(records), CHUNK):
            chunk = [self._record(one) for one in records[at : at + CHUNK]]
            effects = take(self._tasks[stage], chunk, DeadLetterLimits())
            self.audited += effects.audit
            made += effects.outputs
        return made

    def _record(self, one: Outgoing) -> Record:
        offset, self._ends[one.topic] = self._ends[one.topic], self._ends[one.topic] + 1
        return Record(one.topic, 0, offset, time.time_ns() // 1_000_000, one.key, one.value, one.headers)
