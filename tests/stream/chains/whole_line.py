"""The broker's own stages from intake to disclosure and back: what an agency said reaches the school, once and as it stands.

A story has notices that are changed, taken back or questioned by another agency, a protection that is refused, two records
that are joined, a release of the policy, receipts, answers of people, and clocks of alerts and of questions that fall due.
The reconciler judges that every accepted record ends in exactly one way. The rest is about what leaves: recorded first, the
same bytes under the same id, the last version of every notice in force and no other, every receipt taken once, no clock
missed.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import Any

from broker import codec
from broker.audit.books import Books
from broker.core.model.event import Action, Category, Event, Sector
from broker.core.model.identifiers import AgencyId, Digest, EventId, digest, event_id
from broker.core.model.policy import Condition, Policy, Question
from broker.core.model.ports import CAUSE, Outgoing, Position, Record, Stage
from broker.core.model.registers import Agency, Area, Registers
from broker.core.waiting.clocks import clock_id, question_clock_id
from broker.stream.decide.stage import Decide
from broker.stream.deliver import Deliver
from broker.stream.identify.stage import Identify
from broker.stream.identify.state import child_from_bytes
from broker.stream.identify.store import children_lines
from broker.stream.intake import Intake
from broker.stream.publish import signed_record
from broker.stream.receipt import Answer, signed_receipt
from broker.stream.topics import (
    AUDIT,
    CANDIDATES,
    DEAD_LETTERS,
    EVENTS,
    IDENTITIES,
    RECEIPTS,
    REVIEWS,
    SUBJECTS,
    declared,
    recipient_topics,
)
from broker.stream.watching.reconcile_reader import note
from tests.stream.explorer import Chain
from tests.stream.inprocess import START, InProcessKafka
from tests.stream.lines import HUB, SCHOOL, SECRETS, HeldReleases, a_policy, a_rule, a_signer, its_key, some_registers
from tests.stream.people import POLICE, TRUST, UPN, an_event, enrolled, merged, notified, registered
from tests.stream.people import SCHOOL as SCHOOL_AGENCY

FAR = "police:99"  # nothing to any child
COUNT = 2
CLOCK = "1_working_day"
CHILDREN = (
    {"given": "Alfie", "born": "2015-03-02", "upn": UPN[0], "postcode": "ZZ1 1ZZ"},
    {"given": "Bea", "born": "2016-04-03", "upn": UPN[1], "postcode": "ZZ2 2ZZ"},
)
MOST_NOTICES = 2
ROLLS = tuple(event_id("school", str(number), "1") for number in range(len(CHILDREN)))
# Of each child the chains of what the police say: a notice, then its later version.
CHAINS = tuple(
    tuple(tuple(event_id("police", f"{number}/{one}/{version}", "1") for version in range(2)) for one in range(MOST_NOTICES))
    for number in range(len(CHILDREN))
)
ROLL_OF = {notice: roll for roll, chains in zip(ROLLS, CHAINS, strict=True) for chain in chains for notice in chain}


@cache
def the_registers() -> Registers:
    found = some_registers(keys=map(its_key, (POLICE, FAR, SCHOOL_AGENCY, TRUST, HUB, SCHOOL)))
    far = Agency(id=AgencyId(FAR), name="Far Police", sector=Sector.POLICE, area="E10000031")
    trust = Agency(id=AgencyId(TRUST), name="Trust", sector=Sector.HEALTH, area="E10000030")
    registering = {SCHOOL_AGENCY, TRUST}
    agencies = {name: replace(one, registers_people=name in registering) for name, one in found.agencies.items()}
    areas = {**found.areas, "E10000031": Area(id="E10000031", name="Far", hub=HUB)}
    return replace(found, areas=areas, agencies=agencies | {far.id: far, trust.id: replace(trust, registers_people=True)})


@cache
def the_policy(version: str = "1") -> Policy:
    """Where it happened goes to the school only if a person says so."""
    known = frozenset({Category.EXISTENCE, Category.IDENTITY, Category.CONCERN})
    unsure = Condition(Question.ATTRIBUTE, name="seen", values=frozenset({"yes"}))
    where = a_rule("where", "dsl", when=(*a_rule("x", "dsl").when, unsure), categories=frozenset({Category.LOCATION}))
    rules = (a_rule("school", "dsl", clock=CLOCK, categories=known), where, a_rule("answerable", "hub"))
    return a_policy(*rules, version=version)


class Newest:
    """The registers that intake, identify and deliver ask."""

    def newest(self) -> Registers:
        return the_registers()


def stages() -> Sequence[Stage]:
    policies, registers = map(the_policy, "12"), the_registers()
    releases = HeldReleases({one.digest: one for one in policies}, {registers.digest: registers})
    return (Intake(SECRETS, Newest()), Identify(SECRETS, Newest()), Decide(SECRETS, releases), Deliver(SECRETS, Newest()))


def feed(dice: random.Random) -> Sequence[Outgoing]:
    """The releases, then what agencies say about a child or two, some of it twice, the versions of a notice in their order."""
    told: list[list[Event]] = []
    for child, roll, chains in islice(zip(CHILDREN, ROLLS, CHAINS, strict=True), dice.choice((1, 1, 2))):
        told.append([enrolled(**child, event_id=roll)])
        told += [said_by_police(without_upn(child), chain, dice) for chain in chains[: dice.randint(1, MOST_NOTICES)]]
    if dice.random() < 0.3:
        told.append(two_numbers(CHILDREN[0]))
    if dice.random() < 0.2:
        told.append([bogus(CHILDREN[0])])
    said = in_any_order(told, dice)
    records = [signed_record(a_signer(event.header.producer), event) for event in said]
    records = [unsigned(one) if dice.random() < 0.05 else one for one in records]
    records += [dice.choice(records) for _ in range(2)]
    if dice.random() < 0.3:
        at = dice.randint(0, len(records))
        records[at:at] = epochs("policy", the_policy("2").digest, "2")
    return [*epochs("policy", the_policy().digest), *epochs("registers", the_registers().digest), *records]


def said_by_police(child: dict[str, str], chain: Sequence[str], dice: random.Random) -> list[Event]:
    first, second = chain
    said = [notified(**child, event_id=first)]
    if dice.random() < 0.4:
        said.append(notified(**child, event_id=second, action=Action.UPDATE, supersedes=EventId(first)))
    over = {"action": Action.RETRACT, "supersedes": EventId(dice.choice(chain[: len(said)]))}
    luck = dice.random()
    if luck < 0.3:  # half of them say nothing of the child
        child = child if luck < 0.15 else {"born": ""}
        said.append(notified(**child, event_id=event_id("police", f"back {first}", "1"), **over))
    elif luck < 0.4:  # the school takes back what the police said: people decide, and say no
        said.append(an_event("control.retraction", SCHOOL_AGENCY, **child, event_id=event_id("school", first, "1"), **over))
    return said


def two_numbers(child: dict[str, str]) -> list[Event]:
    """What a hospital says of one child under two numbers, and that they are one."""
    one, other = {"given": child["given"], "born": child["born"]}, {"postcode": "ZZ9 9ZZ"}
    return [
        registered(**one, postcode=child["postcode"], local="M1", event_id=event_id("trust", "M1", "1")),
        registered(**one, **other, local="M2", event_id=event_id("trust", "M2", "1")),
        notified(**one, **other, event_id=event_id("police", "elsewhere", "1")),
        merged("M2", local="M1", **one, event_id=event_id("trust", "merged", "1")),
    ]


def bogus(child: dict[str, str]) -> Event:
    """A protection that nobody but the hub would hear through, by who is nothing to the child: the hub refuses it."""
    control: Any = {"kind": "protected_person", "state": "set"}
    said = an_event("control.protection", POLICE, **child, control=control, event_id=event_id("far", "bogus", "1"))
    return replace(said, header=replace(said.header, producer=AgencyId(FAR)))


def in_any_order(told: list[list[Event]], dice: random.Random) -> list[Event]:
    """Mix what was told; what one agency says of one thing keeps its order."""
    turns = [number for number, said in enumerate(told) for _ in said]
    dice.shuffle(turns)
    left = [iter(said) for said in told]
    return [next(left[number]) for number in turns]


def without_upn(child: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in child.items() if key != "upn"}


def unsigned(record: Outgoing) -> Outgoing:
    return replace(record, headers=())


def epochs(of: str, wanted: str, version: str = "1") -> list[Outgoing]:
    epoch = {"kind": "EPOCH", "child_ref": "", "epoch": {"of": of, "version": version, "digest": Digest(wanted)}}
    value = codec.encode("subject_record", epoch)
    return [Outgoing(SUBJECTS, None, value, partition=one) for one in range(COUNT)]


def react(record: Record) -> Sequence[Outgoing]:
    """What people do who read this: the school says of some messages that it read them, the hub answers most questions."""
    if record.topic == REVIEWS:
        return answers(codec.decode("review", record.value or b""))
    if record.topic.startswith("disclosures."):
        return receipts(codec.decode("disclosure", record.value or b""))
    return ()


def receipts(told: dict[str, Any]) -> Sequence[Outgoing]:
    if told["recipient"] != SCHOOL or not is_confirmed(told["disclosure_id"]):
        return ()
    answer = Answer(disclosure_id=told["disclosure_id"], token=told["token"], state="READ", said_at=START)
    return (signed_receipt(a_signer(SCHOOL), answer),)


def is_confirmed(disclosure_id: str) -> bool:
    return digest(disclosure_id.encode())[0] < "8"


def answers(review: dict[str, Any]) -> Sequence[Outgoing]:
    """The hub lets the school take nothing back, and half of what may go on goes on; gaps it leaves to whoever fills them."""
    goes_on = digest(review["review_id"].encode())[0] < "8"
    if review["state"] != "OPEN" or review["kind"] in {"GAP", "UNIDENTIFIED"} or (review["kind"] == "ASK" and not goes_on):
        return ()
    if not review["child_ref"]:
        return whose(review) if review["kind"] == "AMBIGUOUS" else ()
    decision = "REJECT" if review["event_type"] in {"control.retraction", "control.protection"} else "LINK"
    resolution = {"review_id": review["review_id"], "decision": decision, "by": "person", "reason": "known"}
    value = codec.encode("subject_record", {"kind": "RESOLUTION", "child_ref": review["child_ref"], "resolution": resolution})
    headers = a_signer(HUB).headers(SUBJECTS, value, review["review_id"])
    return (Outgoing(SUBJECTS, review["child_ref"].encode(), value, headers),)


def whose(review: dict[str, Any]) -> Sequence[Outgoing]:
    """Of whom an event is that may be of more than one child: of the first of them, or of a new one."""
    child = next(iter(review["candidates"]), None)
    resolution = {
        "review_id": review["review_id"],
        "decision": "LINK" if child else "REJECT",
        "child_ref": child,
        "by": a_signer(HUB).key_id,
        "reason": "known",
    }
    value = codec.encode("candidate", {"kind": "RESOLUTION", "resolution": resolution})
    headers = a_signer(HUB).headers(CANDIDATES, value, review["review_id"])
    return (Outgoing(CANDIDATES, review["matching_key"].encode(), value, headers),)


@dataclass(frozen=True, slots=True)
class Left:
    """What a schedule left: audit entries and disclosures with their records, by time."""

    kafka: InProcessKafka
    audits: list[tuple[Record, Any]]
    told: list[tuple[Record, Any]]


def judge(kafka: InProcessKafka, fed: Sequence[Outgoing]) -> list[str]:
    audits = [(record, codec.decode("audit_entry", record.value or b"")) for record in kafka.topic(AUDIT)]
    left = Left(kafka, audits, [(record, codec.decode("disclosure", record.value or b"")) for record in disclosures(kafka)])
    checks = (not_recorded_first, not_the_same, not_one_line, not_in_force, not_let_go, not_received, not_rung, not_given_up)
    return [*out_of_balance(kafka), *(fault for check in checks for fault in check(left))]


def disclosures(kafka: InProcessKafka) -> list[Record]:
    found = [record for (topic, _), log in kafka.logs.items() if topic.startswith("disclosures.") for record in log]
    return sorted(found, key=lambda record: record.timestamp)


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


def not_recorded_first(left: Left) -> Iterable[str]:
    recorded: dict[str, int] = {}
    for record, entry in left.audits:
        for decision in entry["decisions"]:
            recorded.setdefault(decision["disclosure_id"], record.timestamp)
    for record, disclosure in left.told:
        if recorded.get(disclosure["disclosure_id"], record.timestamp) >= record.timestamp:
            yield f"disclosure {disclosure['disclosure_id']} left before it was recorded"


def not_the_same(left: Left) -> Iterable[str]:
    """A repeat that overtakes a merge is told about the child under its other reference, too: the id is the same (I12)."""
    seen: dict[tuple[str, str], set[bytes | None]] = defaultdict(set)
    for record, disclosure in left.told:
        seen[disclosure["disclosure_id"], disclosure["child"]].add(record.value)
    yield from (f"disclosure {name} came with {len(values)} contents" for (name, _), values in seen.items() if len(values) > 1)


def not_one_line(left: Left) -> Iterable[str]:
    """Every step of a child's line was made once, and a release that is in force stays so."""
    steps: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    for _, entry in left.audits:
        if entry["child_ref"]:
            steps[entry["child_ref"], entry["facts_version"]][entry["entry_id"]] = entry["policy_digest"]
    yield from (f"step {step} was made {len(made)} times" for step, made in steps.items() if len(made) > 1)
    newest: dict[str, str] = {}
    for (child, _), made in sorted(steps.items()):
        for policy in made.values():
            if policy < newest.get(child, ""):
                yield f"{child} went back from {newest[child]} to {policy}"
            newest[child] = max(policy, newest.get(child, ""))


def not_in_force(left: Left) -> Iterable[str]:
    """The school holds in force the last version of every notice that intake took, and nothing that the police took back.

    Of whom a notice is may be for a person to say; then it may be told or not.
    """
    reviews = (codec.decode("review", record.value or b"") for record in left.kafka.topic(REVIEWS))
    asked = {one["event_id"] for one in reviews if not one["child_ref"] and one["kind"] != "UNIDENTIFIED"}
    taken = {one.event_id: one for one in headers_taken(left.kafka)}
    about = {one["disclosure_id"]: entry["event_id"] for _, entry in left.audits for one in entry["decisions"]}
    to_school = {one["disclosure_id"]: one for _, one in left.told if one["recipient"] == SCHOOL}
    over = {one["replaces"] for one in to_school.values()}
    for name, one in to_school.items():
        if about[name] not in ROLL_OF and one["replaces"]:  # what a person granted is about the event of what it replaces
            about[name] = about[one["replaces"]]
    kept = [about[name] for name, one in to_school.items() if name not in over and one["kind"] in {"ALERT", "CORRECTION"}]
    for chain in (chain for chains in CHAINS for chain in chains):
        versions = [one for one in chain if one in taken]
        back = (one.supersedes for one in taken.values() if one.action is Action.RETRACT and one.producer == POLICE)
        is_over = any(one in {chain[0], *versions} for one in back)
        wanted = versions[-1:] if ROLL_OF[chain[0]] in taken and not is_over else []
        held = [one for one in kept if one in chain]
        if held != wanted and not asked & {*chain, ROLL_OF[chain[0]]}:
            of_chain = [[chain.index(one) for one in some] for some in (held, wanted)]
            yield f"the school holds versions {of_chain[0]} of {chain[0]} and not {of_chain[1]}"


def not_let_go(left: Left) -> Iterable[str]:
    """Nobody is asked any more about what its own agency took back, nor about that."""
    back = [one for one in headers_taken(left.kafka) if one.action is Action.RETRACT and one.producer == POLICE]
    over = {name for one in back for name in (one.event_id, one.supersedes)}
    there = {one.event_id for one in headers_taken(left.kafka)}
    for name, review in asked_last(left.kafka).items():
        if review["state"] == "OPEN" and review["event_id"] in over and all(one.supersedes in there for one in back):
            yield f"the question {name} ({review['kind']}) stands although its event was taken back"


def not_given_up(left: Left) -> Iterable[str]:
    """Nothing guards a child in `identify` that the hub refused on its line."""
    refused = {entry["event_id"] for _, entry in left.audits if entry["others"] == "a person decided that this does not go on"}
    states = {record.key or b"": record.value or b"" for record in left.kafka.topic(IDENTITIES)}
    for _, ref, line in children_lines(states):
        guards = child_from_bytes(line).guards
        yield from (f"{one.event_id} guards {ref} though it was refused" for one in guards if one.event_id in refused)


def headers_taken(kafka: InProcessKafka) -> Iterable[Any]:
    for topic in EVENTS.values():
        yield from (codec.decode_header(record.value or b"") for record in kafka.topic(topic) if record.headers)


def not_received(left: Left) -> Iterable[str]:
    """Every receipt of the school is one step of the child's line."""
    entries: dict[str, set[str]] = defaultdict(set)
    for _, entry in left.audits:
        if entry["subject"] == "receipt":
            entries[entry["event_id"]].add(entry["entry_id"])
    for record in left.kafka.topic(RECEIPTS):
        said = codec.decode("receipt", record.value or b"")
        about = digest(f"{said['disclosure_id']}\x1fread\x1f".encode())[:32]
        if len(entries[about]) != 1:
            yield f"the receipt of {said['disclosure_id']} was taken {len(entries[about])} times"


def not_rung(left: Left) -> Iterable[str]:
    """I11: what the school neither confirmed nor was told to let go of has rung, and every question that nobody answered."""
    rung = {entry["event_id"] for _, entry in left.audits if entry["subject"] == "clock"}
    late = {entry["event_id"] for _, entry in left.audits if entry["subject"] == "clock" and entry["outcome"] == "DECIDED"}
    for name, review in asked_last(left.kafka).items():
        if review["state"] == "OPEN" and question_clock_id(name, review["clock"]) not in late:
            yield f"the question {name} ({review['kind']}) fell due and nobody heard"
    over = {one["replaces"] for _, one in left.told}
    for name in {one["disclosure_id"] for _, one in left.told if one["recipient"] == SCHOOL and one["due_at"]}:
        if name not in over and not is_confirmed(name) and clock_id(name, CLOCK) not in rung:
            yield f"the clock of {name} fell due and did not ring"


def asked_last(kafka: InProcessKafka) -> dict[str, Any]:
    """Return how each question of `identify` stands by what it said last: a dead worker may say later what it said before."""
    found: dict[str, tuple[int, Any]] = {}
    for record in kafka.topic(REVIEWS):
        review, order = codec.decode("review", record.value or b""), Position.parse(record.header(CAUSE) or b"").order
        if review["matching_key"] and order >= found.get(review["review_id"], (0, None))[0]:
            found[review["review_id"]] = order, review
    return {name: review for name, (_, review) in found.items()}


def partitions() -> dict[str, int]:
    counts = {topic.name: topic.partitions for topic in declared(COUNT)}
    return counts | {topic.name: topic.partitions for topic in recipient_topics(the_registers())}


assert START > 1_000, "what people say was recorded before the clock of the script"

CHAIN = Chain("whole-line", partitions(), stages, feed, judge, react=react, timers=True, share=0.25)
