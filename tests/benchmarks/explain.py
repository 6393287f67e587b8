"""`explain`: why somebody was told, asked of an audit log of a million entries, as a person asks it: the whole command."""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from broker import codec
from broker.core.model.ports import Outgoing
from broker.settings import Settings
from broker.stream.clients import Writer, open_producer
from broker.stream.topics import AUDIT
from broker.stream.watching.audit_follower import open_audit_follower
from tests.area import Area, create_topics
from tests.benchmarks import RUNS, Figure, Place
from tests.feed import prepare

ENTRIES = int(os.environ.get("EXPLAIN_ENTRIES", "1000000"))
_AT_ONCE = 5_000


def measure(place: Place) -> list[Figure]:
    """Fill the audit log, build the index once, then time the command; the median of five."""
    with tempfile.TemporaryDirectory() as folder:
        area = Area(Path(folder) / "area", place.kafka)
        settings = area.write()
        asyncio.run(create_topics(area))
        asyncio.run(prepare(area, []))
        asyncio.run(_fill(area.kafka))
        indexed = asyncio.run(_index(settings))
        seconds = [_asked(area, f"n-{at * ENTRIES // RUNS}") for at in range(RUNS)]
    detail = {
        "entries": ENTRIES,
        "seconds": [round(one, 3) for one in seconds],
        "at_most": "1 s",
        "index_built_s": round(indexed, 1),
        "index_built_entries_per_s": round(ENTRIES / indexed),
    }
    return [Figure("explain", round(statistics.median(seconds), 3), "seconds for the whole command", detail=detail)]


def _entries() -> Iterator[Outgoing]:
    decision = {
        "recipient": "hub",
        "role": "hub",
        "outcome": "DISCLOSE",
        "granted": ["existence", "identity"],
        "reasons": [{"rule": "encompass-to-hub", "because": "The hub decides whether the child needs more."}],
        "lawful_basis": "DUTY_16LA",
    }
    entry = {
        "at": 1_790_000_000_000,
        "outcome": "DECIDED",
        "subject": "event",
        "event_type": "police.encompass.notified",
        "producer": "police:42",
        "policy_digest": "p",
        "registers_digest": "r",
        "others": "no rule names them",
        "request": b"\x00" * 120,
        "facts_version": 1,
    }
    for at in range(ENTRIES):
        about = {**decision, "decision_id": f"n-{at}", "disclosure_id": f"d-{at}"}
        child = f"c-{at % 100_000}"
        names = {"entry_id": f"a-{at}", "child_ref": child, "event_id": f"e-{at}", "decisions": [about]}
        yield Outgoing(AUDIT, child.encode(), codec.encode("audit_entry", {**entry, **names}))


async def _fill(kafka: str) -> None:
    entries = _entries()
    async with open_producer(kafka, topics=[AUDIT]) as producer:
        writer = Writer(producer)
        while batch := [one for _, one in zip(range(_AT_ONCE), entries, strict=False)]:
            await writer.write(batch)


async def _index(settings: Settings) -> float:
    began = time.perf_counter()
    async with open_audit_follower(settings) as follower:
        await follower.catch_up()
    return time.perf_counter() - began


def _asked(area: Area, decision: str) -> float:
    command = [sys.executable, "-m", "broker", "explain", decision, "--settings", str(area.settings_file)]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
