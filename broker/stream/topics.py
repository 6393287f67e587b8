"""Every topic, declared once: its name, partitions, what is kept and for how long.

Partition counts are part of the keys' meaning (the same key must always meet the same state): they never change after creation.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from broker.core.model.event import Sector
from broker.core.model.identifiers import RecipientId
from broker.core.model.registers import Registers, topic_of

EVENTS: Mapping[Sector, str] = {sector: f"events.{sector.value.lower()}.v1" for sector in Sector}
CANDIDATES = "candidates.v1"
IDENTIFIERS = "identifiers.v1"
IDENTITIES = "identities.v1"
SUBJECTS = "subjects.v1"
FACTS = "facts.v1"
CLOCKS = "clocks.v1"
REGISTERS = "registers.v1"
POLICIES = "policies.v1"
AUDIT = "audit.v1"
DISCLOSURES = "disclosures.v1"
REVIEWS = "reviews.v1"
RECEIPTS = "receipts.v1"
DEAD_LETTERS = "dead-letters.v1"

_NARROW = 1024 * 1024  # of what others write: its dead letter fits
_ROOMY = 4 * 1024 * 1024
LARGEST_RECORD = _ROOMY - 64 * 1024  # the largest value that a stage may write: its key and headers come on top
_DAY = 24 * 60 * 60 * 1000
FOREVER = -1
_REPLICAS, _IN_SYNC = 3, "min.insync.replicas"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it should be. `retention_ms` is -1 for ever; `cleanup` is `delete` or `compact`.

    To one with `outsiders`, agencies or recipients may write: Kafka unpacks what they packed, so that the largest size holds
    for what a worker has to keep in memory and in a dead letter, and a few bytes cannot become gigabytes there.
    """

    name: str
    partitions: int
    cleanup: str = "delete"
    retention_ms: int = FOREVER
    max_message_bytes: int = _ROOMY
    outsiders: bool = False

    def config(self, replicas: int = 1) -> dict[str, str]:
        """Return its settings in Kafka's words. Time stamps are Kafka's own, never a client's: they order decisions.

        Of three replicas two must have a record before it counts as written: one that is lost with its node was never said
        to be there.

        State is not compacted for a day: as long a worker may be down after a late record of a dead one was written over
        newer state; the newer record is still in the log then and wins.
        """
        lag = {"min.compaction.lag.ms": str(_DAY)} if self.cleanup == "compact" else {}
        unpacked = {"compression.type": "uncompressed"} if self.outsiders else {}
        return {
            **lag,
            **unpacked,
            **({_IN_SYNC: "2"} if replicas >= _REPLICAS else {}),
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(self.max_message_bytes),
            "message.timestamp.type": "LogAppendTime",
        }


def declared(partitions: int) -> tuple[Topic, ...]:
    """Return every topic that does not belong to one recipient; state has the partitions of its input."""
    return (
        *(Topic(name, partitions, retention_ms=30 * _DAY, max_message_bytes=_NARROW, outsiders=True) for name in EVENTS.values()),
        Topic(CANDIDATES, partitions, retention_ms=30 * _DAY),
        Topic(IDENTITIES, partitions, cleanup="compact"),
        Topic(IDENTIFIERS, partitions, cleanup="compact"),
        Topic(SUBJECTS, partitions, retention_ms=30 * _DAY),
        Topic(FACTS, partitions, cleanup="compact"),
        Topic(CLOCKS, partitions, cleanup="compact"),
        Topic(REGISTERS, 1),
        Topic(POLICIES, 1),
        Topic(AUDIT, partitions),
        Topic(DISCLOSURES, partitions, retention_ms=30 * _DAY),
        Topic(REVIEWS, partitions, retention_ms=400 * _DAY),
        Topic(RECEIPTS, partitions, retention_ms=90 * _DAY, max_message_bytes=_NARROW, outsiders=True),
        Topic(DEAD_LETTERS, partitions, retention_ms=90 * _DAY),
    )


def disclosures_topic(recipient: RecipientId) -> str:
    """Return the topic of a recipient that has a Kafka principal of its own."""
    return topic_of(recipient)


def recipient_topics(registers: Registers) -> tuple[Topic, ...]:
    """Return the topics of the recipients in the registers: one partition each, so that each reads one order."""
    return tuple(
        Topic(disclosures_topic(recipient.id), 1, retention_ms=30 * _DAY)
        for recipient in sorted(registers.recipients.values(), key=lambda one: one.id)
        if recipient.own_topic
    )


@dataclass(frozen=True, slots=True)
class Existing:
    """A topic as Kafka has it; `config` is None where Kafka does not tell."""

    partitions: int
    config: Mapping[str, str] | None = None
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between a topic's declaration and Kafka. `refused` says why it must not be mended by command."""

    topic: Topic
    missing: bool = False
    settings: Mapping[str, tuple[str, str]] | None = None  # setting -> (as it is, as declared)
    refused: str | None = None

    def lines(self) -> Iterable[str]:
        """Say it in plain words, one line each."""
        name = f"`{self.topic.name}`"
        if self.missing:
            yield f"create {name}: {self.topic.partitions} partition(s), {self.topic.cleanup}, {_kept(self.topic)}"
        for setting, (now, then) in sorted((self.settings or {}).items()):
            yield f"change {name}: {setting} from {now} to {then}"
        if self.refused:
            yield f"refuse {name}: {self.refused}"


def differences(wanted: Iterable[Topic], existing: Mapping[str, Existing]) -> tuple[Difference, ...]:
    """Compare the declaration with what Kafka has; a topic that nobody declared is left alone."""
    found = (_difference(topic, existing.get(topic.name)) for topic in wanted)
    return tuple(one for one in found if one is not None)


def _difference(topic: Topic, existing: Existing | None) -> Difference | None:
    if existing is None:
        return Difference(topic, missing=True)
    refused = None
    if existing.partitions != topic.partitions:
        refused = (
            f"it has {existing.partitions} partition(s), {topic.partitions} are declared: the count is part of the keys' meaning"
            f" and never changes; set `partitions` in the settings back to {existing.partitions}, or move to a new topic version"
        )
    wanted = topic.config(existing.replicas)
    told = existing.config if existing.config is not None else wanted
    if told.get(_IN_SYNC, "1") > wanted.get(_IN_SYNC, "1"):
        wanted.pop(_IN_SYNC, None)  # somebody asks for more
    changed = {name: (told.get(name, "unset"), value) for name, value in wanted.items() if told.get(name) != value}
    return Difference(topic, settings=changed, refused=refused) if changed or refused else None


def _kept(topic: Topic) -> str:
    return "kept for ever" if topic.retention_ms == FOREVER else f"kept {topic.retention_ms // _DAY} days"
