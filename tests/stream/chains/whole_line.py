"""The broker's own stages from intake to disclosure, on a small policy: what an agency said reaches the school, once.

The reconciler judges: every accepted record ends in exactly one way. The rest is about what leaves: recorded first, the same
bytes under the same id, and every notice about a child on the school's roll told to the school.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from broker import codec
from broker.audit.books import Books
from broker.core.event import Event
from broker.core.identifiers import Digest, EventId, event_id
from broker.core.ports import Outgoing, Record, Stage
from broker.core.registers import Registers
from broker.stream.decide.stage import Decide
from broker.stream.identify.stage import Identify
from broker.stream.intake import Intake
from broker.stream.publish import signed_record
from broker.stream.topics import AUDIT, DEAD_LETTERS, EVENTS, IDENTITIES, REVIEWS, SUBJECTS, declared, recipient_topics
from broker.stream.watching.reconcile_reader import note
from tests.stream.explorer import Chain
from tests.stream.inprocess import START, InProcessKafka
from tests.stream.lines import SCHOOL, SECRETS, HeldReleases, a_policy, a_signer, its_key, some_registers
from tests.stream.people import POLICE, UPN, enrolled, notified
from tests.stream.people import SCHOOL as SCHOOL_AGENCY

COUNT = 2
CHILDREN = (
    {"given": "Alfie", "born": "2015-03-02", "upn": UPN[0], "postcode": "ZZ1 1ZZ"},
    {"given": "Bea", "born": "2016-04-03", "upn": UPN[1], "postcode": "ZZ2 2ZZ"},
)


@cache
def the_registers() -> Registers:
    found = some_registers(keys=map(its_key, (POLICE, SCHOOL_AGENCY)))
    agencies = {name: replace(one, registers_people=name == SCHOOL_AGENCY) for name, one in found.agencies.items()}
    return replace(found, agencies=agencies)


class Newest:
    """The registers that intake and identify ask."""

    def newest(self) -> Registers:
        return the_registers()


def stages() -> Sequence[Stage]:
    policy, registers = a_policy(), the_registers()
    releases = HeldReleases({policy.digest: policy}, {registers.digest: registers})
    return (Intake(SECRETS, Newest()), Identify(SECRETS, Newest()), Decide(SECRETS, releases))


def feed(dice: random.Random) -> Sequence[Outgoing]:
    """The releases, then what a school and the police say about two children, some of it twice, in any order."""
    said: list[Event] = []
    for number, child in enumerate(CHILDREN):
        said.append(enrolled(**child, event_id=event_id("school", str(number), "1")))
        ids = [event_id("police", f"{number}/{one}", "1") for one in range(dice.randint(1, 3))]
        said += [notified(**without_upn(child), event_id=one) for one in ids]
    dice.shuffle(said)
    said += [dice.choice(said) for _ in range(2)]
    records = [signed_record(a_signer(event.header.producer), event) for event in said]
    return [*epochs(), *(unsigned(one) if dice.random() < 0.05 else one for one in records)]


def without_upn(child: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in child.items() if key != "upn"}


def unsigned(record: Outgoing) -> Outgoing:
    return replace(record, headers=())


def epochs() -> Iterable[Outgoing]:
    for of, digest in (("policy", a_policy().digest), ("registers", the_registers().digest)):
        epoch = {"kind": "EPOCH", "child_ref": "", "epoch": {"of": of, "version": "1", "digest": Digest(digest)}}
        value = codec.encode("subject_record", epoch)
        yield from (Outgoing(SUBJECTS, None, value, partition=one) for one in range(COUNT))


def judge(kafka: InProcessKafka, fed: Sequence[Outgoing]) -> list[str]:
    audits = [(record, codec.decode("audit_entry", record.value or b"")) for record in kafka.topic(AUDIT)]
    told = [(record, codec.decode("disclosure", record.value or b"")) for record in disclosures(kafka)]
    return [*out_of_balance(kafka), *not_recorded_first(audits, told), *not_the_same(told), *not_told(kafka, audits, told)]


def disclosures(kafka: InProcessKafka) -> list[Record]:
    return [record for (topic, _), log in kafka.logs.items() if topic.startswith("disclosures.") for record in log]


def out_of_balance(kafka: InProcessKafka) -> Iterable[str]:
    ends = {lane: kafka.end(lane) for lane in kafka.logs if lane[0] in EVENTS.values()}
    names = {lane: f"{lane[0]}/{lane[1]}" for lane in ends}
    books = Books(None, "script")
    with books.batch():
        books.begin(dict.fromkeys(names.values(), 0), {names[lane]: end for lane, end in ends.items()})
        for lane, end in ends.items():
            for record in kafka.logs[lane]:
                note(books, record)
            books.accepted_to(names[lane], end)
        for topic in (IDENTITIES, REVIEWS, AUDIT, DEAD_LETTERS):
            for record in kafka.topic(topic):
                note(books, record)
    found = books.balance()
    books.close()
    for one in found:
        yield from (f"`{fault.topic}` partition {fault.partition} offset {fault.offset}: {fault.problem}" for fault in one.faults)


def not_recorded_first(audits: list[tuple[Record, Any]], told: list[tuple[Record, Any]]) -> Iterable[str]:
    recorded: dict[str, int] = {}
    for record, entry in audits:
        for decision in entry["decisions"]:
            recorded.setdefault(decision["disclosure_id"], record.timestamp)
    for record, disclosure in told:
        if recorded.get(disclosure["disclosure_id"], record.timestamp) >= record.timestamp:
            yield f"disclosure {disclosure['disclosure_id']} left before it was recorded"


def not_the_same(told: list[tuple[Record, Any]]) -> Iterable[str]:
    seen: dict[str, set[bytes | None]] = defaultdict(set)
    for record, disclosure in told:
        seen[disclosure["disclosure_id"]].add(record.value)
    yield from (f"disclosure {name} came with {len(values)} contents" for name, values in seen.items() if len(values) > 1)


def not_told(kafka: InProcessKafka, audits: list[tuple[Record, Any]], told: list[tuple[Record, Any]]) -> Iterable[str]:
    """Every signed notice about a child on the roll reaches the school under one id."""
    to_school = {disclosure["disclosure_id"] for _, disclosure in told if disclosure["recipient"] == SCHOOL}
    ids: dict[EventId, set[str]] = defaultdict(set)
    for _, entry in audits:
        for decision in entry["decisions"]:
            if decision["recipient"] == SCHOOL and decision["disclosure_id"] in to_school:
                ids[entry["event_id"]].add(decision["disclosure_id"])
    for event in signed_notices(kafka):
        if len(ids[event]) != 1:
            yield f"{event} reached the school under {len(ids[event])} ids"


def signed_notices(kafka: InProcessKafka) -> set[EventId]:
    """Return the notices that intake took, of children whose registration it took, too."""
    taken = {
        codec.decode_header(record.value or b"").event_id
        for topic in EVENTS.values()
        for record in kafka.topic(topic)
        if record.headers
    }
    return {one for one in taken if one.startswith("notice-") and f"roll-{one.split('-')[1]}" in taken}


def partitions() -> dict[str, int]:
    counts = {topic.name: topic.partitions for topic in declared(COUNT)}
    return counts | {topic.name: topic.partitions for topic in recipient_topics(the_registers())}


assert START > 1_000, "what people say was recorded before the clock of the script"

CHAIN = Chain("whole-line", partitions(), stages, feed, judge, timers=True, costs=20)
