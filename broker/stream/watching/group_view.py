"""See the workers' consumer group from outside: where it stands and who reads what."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import GroupCoordinatorNotAvailableError

from broker.stream.clients import kafka_errors

Place = tuple[str, int]  # topic, partition
_PATIENCE, _PAUSE_S = 20, 0.25


@dataclass(frozen=True, slots=True)
class GroupView:
    """A consumer group at one moment. `assigned` is None when Kafka does not say who reads what."""

    state: str
    members: int
    committed: Mapping[Place, int]
    assigned: frozenset[Place] | None

    def reads(self, place: Place) -> bool:
        """Tell whether a living member of the group reads this partition."""
        return self.members > 0 and (self.assigned is None or place in self.assigned)


async def view_group(admin: AIOKafkaAdminClient, group: str, places: Collection[TopicPartition]) -> GroupView:
    """Look at a group and how far it is at these places; one that never was has no members and no offsets.

    The places are named because not every Kafka can tell of all at once. Raises KafkaUnavailableError.
    """
    with kafka_errors(f"group `{group}`"):
        coordinator = await _coordinator(admin, group)
        offsets = await admin.list_consumer_group_offsets(group, coordinator, list(places))
        description = await _describe(admin, group)
    committed = {(place.topic, place.partition): found.offset for place, found in offsets.items() if found.offset >= 0}
    if description is None:
        return GroupView("Dead", 0, committed, frozenset())
    state, members = description
    return GroupView(state, len(members), committed, _assigned(members))


async def _coordinator(admin: AIOKafkaAdminClient, group: str) -> int:
    """Ask which node keeps the group; a Kafka that never kept any needs a moment to begin."""
    for _ in range(_PATIENCE):
        try:
            return int(await admin.find_coordinator(group))
        except GroupCoordinatorNotAvailableError:
            await asyncio.sleep(_PAUSE_S)
    return int(await admin.find_coordinator(group))


async def _describe(admin: AIOKafkaAdminClient, group: str) -> tuple[str, list[bytes]] | None:
    """Return the group's state and each member's assignment in Kafka's form."""
    for response in await admin.describe_consumer_groups([group]):
        for found in response.groups:
            error_code, name, state, _, _, members, *_ = found
            if name == group and not error_code:
                return state, [member[4] for member in members]
    return None


def _assigned(assignments: Iterable[bytes]) -> frozenset[Place] | None:
    places: set[Place] = set()
    for assignment in assignments:
        if not assignment:
            continue  # a member that is just joining reads nothing yet
        try:
            partitions: list[TopicPartition] = ConsumerProtocolMemberAssignment.decode(assignment).partitions()
        except (ValueError, TypeError, IndexError):
            return None
        places.update((one.topic, one.partition) for one in partitions)
    return frozenset(places)
