"""`explain`: why somebody was told, asked of an audit log of a million entries, as a person asks it: the whole command.

What is asked about was really decided, for all possible recipients, with its sealed request; the rest is short.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from broker import codec
from broker.core.model.ports import Outgoing
from broker.settings import Settings
from broker.stream.clients import Writer, open_producer
from broker.stream.topics import AUDIT
from broker.stream.watching.audit_follower import open_audit_follower
from tests.area import Area, create_topics, encompass, on_roll
from tests.benchmarks import RUNS, Figure, Place
from tests.benchmarks.bare_line import BareLine
from tests.feed import prepare

ENTRIES = int(os.environ.get("EXPLAIN_ENTRIES", "1000000"))
_AT_ONCE = 5_000


def measure(place: Place) -> list[Figure]:
    """Fill the audit log, build the index once, then time the command; the median of five."""
    with tempfile.TemporaryDirectory() as folder:
        line = BareLine(area := Area(Path(folder) / "area", place.kafka))
        asyncio.run(create_topics(area))
        asyncio.run(prepare(area, []))
        decided = _decided(line)
        asyncio.run(_fill(area.kafka, decided))
        indexed = asyncio.run(_index(line.settings))
        seconds = [_asked(area, _decision_in(one)) for one in decided]
    detail = {
        "entries": ENTRIES,
        "seconds": [round(one, 3) for one in seconds],
        "at_most": "1 s",
        "index_built_s": round(indexed, 1),
        "index_built_entries_per_s": round(ENTRIES / indexed),
    }
    return [Figure("explain", round(statistics.median(seconds), 3), "seconds for the whole command", detail=detail)]


def _decided(line: BareLine) -> list[Outgoing]:
    """Return the audit entries of one alert about each of some children, as the stages make them."""
    children = [line.area.child(at) for at in range(RUNS)]
    line.run(map(on_roll, children))
    line.run(encompass(child, f"asked-{at}") for at, child in enumerate(children))
    found = [one for one in line.audited if codec.decode("audit_entry", one.value or b"")["decisions"]]
    assert len(found) == RUNS, "every alert is decided"
    return found


def _decision_in(entry: Outgoing) -> str:
    return str(codec.decode("audit_entry", entry.value or b"")["decisions"][0]["decision_id"])


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


async def _fill(kafka: str, decided: Sequence[Outgoing]) -> None:
    """Write the log, with what was really decided spread all over it."""
    entries = _entries()
    async with open_producer(kafka, topics=[AUDIT]) as producer:
        writer, left, written = Writer(producer), list(decided), 0
        while batch := [one for _, one in zip(range(_AT_ONCE), entries, strict=False)]:
            await writer.write(batch)
            written += len(batch)
            while left and written >= ENTRIES * (len(decided) - len(left)) // len(decided):
                await writer.write([left.pop()])


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
