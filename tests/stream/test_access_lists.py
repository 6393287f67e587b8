"""Who may do what in Kafka: agencies publish as themselves, recipients read their own, and nobody speaks for the broker (I10)."""

from dataclasses import replace

import pytest

from broker.core.model.event import Sector
from broker.core.model.identifiers import AgencyId, RecipientId, RoleName
from broker.core.model.registers import Agency, Recipient, Registers
from broker.errors import RegistersError
from broker.kafkaaccess import KafkaPrincipals
from broker.stream.access_lists import AccessDifference, Entry, Kind, Operation, compare_access, declare

AGENCY, LEAD, GROUP = "User:police-99", "User:dsl-1", "safeguarding-broker"
OWN = KafkaPrincipals(broker=("broker",), operator=("operator",), auditor=("auditor",), administrator=("administrator",))
POLICE = Agency(id=AgencyId("police:99"), name="Police", sector=Sector.POLICE, area="a", principal=AGENCY)
SCHOOL = Agency(id=AgencyId("urn:1"), name="School", sector=Sector.SCHOOLS, area="a")
DSL = Recipient(
    id=RecipientId("dsl-1"), name="Lead", agency=SCHOOL.id, area="a", roles=frozenset({RoleName("dsl")}), principal=LEAD
)
REGISTERS = Registers(
    version="1",
    digest="d",
    agencies={one.id: one for one in (POLICE, SCHOOL)},
    keys={},
    recipients={DSL.id: DSL},
    areas={},
    calendars={},
)
WANTED = declare(OWN, REGISTERS, GROUP)


def may(who: str, operation: Operation) -> set[str]:
    """The names of the topics, groups and clusters on which somebody may do something."""
    return {
        one.name + ("…" if one.prefix else "") for one in WANTED.entries if (one.principal, one.operation) == (who, operation)
    }


def test_an_agency_writes_its_sectors_topic_alone_and_reads_the_releases() -> None:
    assert may(AGENCY, Operation.WRITE) == {"events.police.v1"}
    assert may(AGENCY, Operation.READ) == {"registers.v1", "policies.v1"}
    assert {one.operation for one in WANTED.entries if one.principal == AGENCY} == {Operation.READ, Operation.WRITE}


def test_a_recipient_reads_its_own_topic_by_its_own_groups_and_writes_receipts() -> None:
    own = "disclosures.dsl-1.v1"

    assert may(LEAD, Operation.READ) == {own, f"{own}/…", "registers.v1", "policies.v1"}
    assert may(LEAD, Operation.WRITE) == {"receipts.v1"}


@pytest.mark.parametrize(
    "topic", ["subjects.v1", "audit.v1", "reviews.v1", "registers.v1", "policies.v1", "facts.v1", "candidates.v1"]
)
def test_nobody_but_the_broker_writes_what_the_broker_says(topic: str) -> None:
    writers = {one.principal for one in WANTED.entries if one.operation is Operation.WRITE and one.name == topic}

    assert writers == {"User:broker"}


def test_nobody_but_the_broker_may_write_disclosures_or_everything() -> None:
    wide = {one.principal for one in WANTED.entries if one.prefix and one.operation is Operation.WRITE}

    assert wide == {"User:broker"}
    assert not [one for one in WANTED.entries if one.operation is Operation.ALL or one.name == "*"]


def test_the_auditor_reads_what_was_decided_and_the_operator_nobodys_events() -> None:
    assert may("User:auditor", Operation.READ) == {"audit.v1", "registers.v1", "policies.v1"}
    assert may("User:operator", Operation.READ) == {"reviews.v1", "receipts.v1", "dead-letters.v1"}
    assert may("User:administrator", Operation.WRITE) == set()


def test_who_has_no_principal_is_given_nothing() -> None:
    assert not [
        one
        for one in WANTED.entries
        if "schools" in one.name and one.operation is Operation.WRITE and one.principal != "User:broker"
    ]


def test_what_is_as_declared_differs_in_nothing() -> None:
    assert compare_access(WANTED, WANTED.entries) == AccessDifference()


def test_what_is_missing_is_permitted_and_what_nobody_declared_is_taken_away() -> None:
    gone = next(one for one in WANTED.entries if one.principal == LEAD)
    strange = Entry("User:stranger", Operation.READ, Kind.TOPIC, "disclosures.dsl-1.v1")
    everything = Entry(AGENCY, Operation.ALL, Kind.TOPIC, "audit.v1", host="10.0.0.1")

    found = compare_access(WANTED, {*WANTED.entries, strange, everything} - {gone})

    assert found == AccessDifference((gone,), tuple(sorted((strange, everything))), ())
    assert "take away: `User:stranger` may read topic `disclosures.dsl-1.v1`, which nobody declared" in list(found.lines())
    assert "take away: `User:police-99` may do everything with topic `audit.v1` from 10.0.0.1, which nobody declared" in list(
        found.lines()
    )


def test_what_is_for_others_topics_and_groups_is_left_alone() -> None:
    theirs = [
        Entry("User:billing", Operation.ALL, Kind.TOPIC, "invoices"),
        Entry(AGENCY, Operation.READ, Kind.TOPIC, "events.fire.v1"),
        Entry("User:billing", Operation.READ, Kind.GROUP, "billing"),
        Entry("User:billing", Operation.ALTER, Kind.CLUSTER, "kafka-cluster"),
    ]

    assert compare_access(WANTED, {*WANTED.entries, *theirs}) == AccessDifference()


@pytest.mark.parametrize(
    "wide",
    [
        Entry("User:tool", Operation.READ, Kind.TOPIC, "*"),
        Entry("User:tool", Operation.READ, Kind.TOPIC, "aud", prefix=True),
        Entry("User:tool", Operation.READ, Kind.TOPIC, "disc", prefix=True),
        Entry("User:tool", Operation.READ, Kind.GROUP, "*"),
    ],
)
def test_what_reaches_ours_and_more_is_said_and_left_to_a_person(wide: Entry) -> None:
    found = compare_access(WANTED, {*WANTED.entries, wide})

    assert found.wider == (wide,)
    assert not found, "nothing is to be changed"
    assert next(iter(found.lines())).startswith("see to it yourself: `User:tool`")


def test_without_registers_nothing_is_taken_from_agencies_and_recipients() -> None:
    """Before the first release, or with none at hand, nobody knows who they are."""
    blind = declare(OWN, None, GROUP)
    of_the_broker = Entry("User:broker", Operation.DELETE, Kind.TOPIC, "audit.v1")

    found = compare_access(blind, {*WANTED.entries, of_the_broker})

    assert found == AccessDifference((), (of_the_broker,), ())


def test_an_agency_that_is_gone_loses_what_it_could() -> None:
    without = declare(OWN, replace(REGISTERS, agencies={SCHOOL.id: SCHOOL}), GROUP)

    found = compare_access(without, WANTED.entries)

    assert {one.principal for one in found.undeclared} == {AGENCY}
    assert len(found.undeclared) == 3


def test_nobody_from_outside_is_one_of_the_brokers_own() -> None:
    with pytest.raises(RegistersError, match=r"of `police:99` is that of `kafka_principals\.auditor`"):
        declare(KafkaPrincipals(auditor=("police-99",)), REGISTERS, GROUP)
