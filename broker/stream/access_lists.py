"""Who may do what in Kafka, declared once beside the topics: the half of I10 that holds for clients other than ours.

An agency writes its own sector's topic; a recipient reads its own topic and sends receipts; both read the releases, as the
programs do that check what they publish and as whom they act. Nobody but the broker writes what the broker says, releases
included: they are written at the broker's place and believed for their administrator's signature.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from broker.core.model.registers import Agency, Recipient, Registers
from broker.errors import RegistersError
from broker.kafkaaccess import KafkaPrincipals
from broker.stream.topics import (
    AUDIT,
    DEAD_LETTERS,
    DISCLOSURES,
    EVENTS,
    POLICIES,
    RECEIPTS,
    REGISTERS,
    REVIEWS,
    declared,
    disclosures_topic,
)

ANYWHERE = "*"
_EVERY_DISCLOSURE = DISCLOSURES.partition(".")[0] + "."  # the shared topic's name and those of recipients begin so
_CLUSTER_NAME = "kafka-cluster"  # Kafka's own name for it


class Kind(StrEnum):
    """What access is to."""

    TOPIC = "topic"
    GROUP = "group"
    CLUSTER = "cluster"


class Operation(StrEnum):
    """What one may do, in Kafka's words. To read or to write is to describe, too."""

    ALL = "do everything with"
    READ = "read"
    WRITE = "write"
    CREATE = "create"
    DELETE = "delete"
    ALTER = "alter"
    DESCRIBE = "describe"
    DESCRIBE_CONFIGS = "describe the settings of"
    ALTER_CONFIGS = "alter the settings of"
    CLUSTER_ACTION = "act as a node of"
    IDEMPOTENT_WRITE = "write without repeats to"


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One line of Kafka's access lists that permits something. `prefix`: whatever begins with the name."""

    principal: str
    operation: Operation
    kind: Kind
    name: str
    prefix: bool = False
    host: str = ANYWHERE

    def __str__(self) -> str:
        what = "the cluster" if self.kind is Kind.CLUSTER else f"{self.kind} `{self.name}{'…' if self.prefix else ''}`"
        where = "" if self.host == ANYWHERE else f" from {self.host}"
        return f"`{self.principal}` may {self.operation} {what}{where}"


@dataclass(frozen=True, slots=True)
class Declaration:
    """Who may do what. Without registers nothing is known of agencies and recipients: what they may do is left as it is."""

    entries: frozenset[Entry]
    topics: frozenset[str]
    group: str
    registers_known: bool

    def covers(self, entry: Entry) -> bool:
        """Tell whether this declaration says everything that there is to say about what an entry gives access to."""
        ours = {one.principal for one in self.entries}
        if entry.kind is Kind.CLUSTER or not self.registers_known:
            return entry.principal in ours and (entry.kind is Kind.CLUSTER or self._is_ours(entry))
        return self._is_ours(entry)

    def _is_ours(self, entry: Entry) -> bool:
        if entry.kind is Kind.GROUP:
            return entry.name == self.group or entry.name.startswith(_EVERY_DISCLOSURE)
        return entry.name.startswith(_EVERY_DISCLOSURE) or (not entry.prefix and entry.name in self.topics)

    def reaches(self, entry: Entry) -> bool:
        """Tell whether an entry that is not covered gives access to something of ours all the same."""
        if entry.kind is Kind.TOPIC:
            names = [*self.topics, _EVERY_DISCLOSURE]
            return entry.name == ANYWHERE or (entry.prefix and any(name.startswith(entry.name) for name in names))
        return entry.kind is Kind.GROUP and (entry.name == ANYWHERE or (entry.prefix and self.group.startswith(entry.name)))


@dataclass(frozen=True, slots=True)
class AccessDifference:
    """What differs: `missing` is to be permitted, `undeclared` to be taken away, `wider` is for a person to see to."""

    missing: tuple[Entry, ...] = ()
    undeclared: tuple[Entry, ...] = ()
    wider: tuple[Entry, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.undeclared)

    def lines(self) -> Iterable[str]:
        """Say it in plain words, one line each."""
        yield from (f"permit: {entry}" for entry in self.missing)
        yield from (f"take away: {entry}, which nobody declared" for entry in self.undeclared)
        yield from (f"see to it yourself: {entry}, which reaches the broker's own and is left alone here" for entry in self.wider)


def declare(principals: KafkaPrincipals, registers: Registers | None, group: str) -> Declaration:
    """Return who may do what; raises RegistersError when one of the broker's own people is an agency or a recipient, too."""
    topics = frozenset(topic.name for topic in declared(1))
    _check_apart(principals, registers)
    entries = (*_own(principals, topics, group), *(_others(registers) if registers else ()))
    return Declaration(frozenset(entries), topics, group, registers is not None)


def compare_access(wanted: Declaration, existing: Collection[Entry]) -> AccessDifference:
    """Compare the declaration with what Kafka has. What is for topics and groups that are not ours is left alone."""
    more = [entry for entry in existing if entry not in wanted.entries]
    return AccessDifference(
        tuple(sorted(wanted.entries.difference(existing))),
        tuple(sorted(entry for entry in more if wanted.covers(entry))),
        tuple(sorted(entry for entry in more if not wanted.covers(entry) and wanted.reaches(entry))),
    )


def _own(principals: KafkaPrincipals, topics: Collection[str], group: str) -> Iterator[Entry]:
    """Return what the broker's own people may do."""
    for who in principals.broker:
        yield from _on(who, topics, Operation.READ, Operation.WRITE, Operation.DESCRIBE_CONFIGS)
        for operation in (Operation.READ, Operation.WRITE, Operation.CREATE, Operation.DESCRIBE_CONFIGS):
            yield Entry(who, operation, Kind.TOPIC, _EVERY_DISCLOSURE, prefix=True)
        yield Entry(who, Operation.READ, Kind.GROUP, group)
        yield Entry(who, Operation.DESCRIBE, Kind.CLUSTER, _CLUSTER_NAME)
    for who in principals.operator:
        yield from _on(who, topics, Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS)
        yield from _on(who, (REVIEWS, RECEIPTS, DEAD_LETTERS), Operation.READ)
        yield Entry(who, Operation.DESCRIBE, Kind.TOPIC, _EVERY_DISCLOSURE, prefix=True)
        yield Entry(who, Operation.DESCRIBE, Kind.GROUP, group)
        yield Entry(who, Operation.DESCRIBE, Kind.CLUSTER, _CLUSTER_NAME)
    for who in principals.auditor:
        yield from _on(who, (AUDIT, REGISTERS, POLICIES), Operation.READ)
    for who in principals.administrator:
        settings = (Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS, Operation.ALTER_CONFIGS)
        yield from _on(who, topics, *settings)
        yield from _on(who, (REGISTERS, POLICIES), Operation.READ)
        for operation in settings:
            yield Entry(who, operation, Kind.TOPIC, _EVERY_DISCLOSURE, prefix=True)
        for operation in (Operation.CREATE, Operation.DESCRIBE, Operation.ALTER):
            yield Entry(who, operation, Kind.CLUSTER, _CLUSTER_NAME)


def _others(registers: Registers) -> Iterator[Entry]:
    """Return what agencies and recipients may do: publish as themselves, and read what was disclosed to them."""
    for agency in registers.agencies.values():
        if agency.principal:
            yield Entry(agency.principal, Operation.WRITE, Kind.TOPIC, EVENTS[agency.sector])
            yield from _on(agency.principal, (REGISTERS, POLICIES), Operation.READ)
    for recipient in registers.recipients.values():
        if recipient.principal:
            own = disclosures_topic(recipient.id)
            yield from _on(recipient.principal, (own, REGISTERS, POLICIES), Operation.READ)
            yield Entry(recipient.principal, Operation.WRITE, Kind.TOPIC, RECEIPTS)
            # No topic's name holds a slash: the groups of one recipient begin as those of no other.
            yield Entry(recipient.principal, Operation.READ, Kind.GROUP, f"{own}/", prefix=True)


def _on(who: str, topics: Iterable[str], *operations: Operation) -> Iterator[Entry]:
    return (Entry(who, operation, Kind.TOPIC, topic) for topic in topics for operation in operations)


def _check_apart(principals: KafkaPrincipals, registers: Registers | None) -> None:
    """Check that nobody from outside is one of the broker's own people to Kafka."""
    own: Mapping[str | None, str] = {who: role for role, names in principals for who in names}
    outside: list[Agency | Recipient] = []
    if registers is not None:
        outside = [*registers.agencies.values(), *registers.recipients.values()]
    clashes = [
        f"principal `{one.principal}` of `{one.id}` is that of `kafka_principals.{own[one.principal]}` in the settings: "
        "nobody from outside may be one of the broker's own"
        for one in outside
        if one.principal in own
    ]
    if clashes:
        raise RegistersError("\n".join(clashes))
