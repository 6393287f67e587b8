"""Compare Kafka's access lists with their declaration, and change what was shown and nothing else."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import ClusterAuthorizationFailedError, IncompatibleBrokerVersion, SecurityDisabled, for_code
from aiokafka.protocol.admin import (
    CreateAclsRequest_v1,
    DeleteAclsRequest_v1,
    DescribeAclsRequest,
)
from aiokafka.protocol.api import Request, RequestStruct

from broker.errors import StopError
from broker.kafkaaccess import Kafka
from broker.stream.access_lists import AccessDifference, Declaration, Entry, Kind, Operation, compare_access
from broker.stream.clients import kafka_errors, open_admin
from broker.stream.raw_requests import send

GUARD_IT = "for real records set `authorizer.class.name` in Kafka's settings, then: broker topics apply"
UNGUARDED = (
    "Kafka checks nobody's rights here: whoever reaches it may read and write everything. That is fine for looking around;"
    f" {GUARD_IT}"
)
_AT_ONCE = 500
_TRIES, _PAUSE_S = 100, 0.1
_ANY, _ALLOW = 1, 3
_LITERAL, _PREFIXED = 3, 4
_KINDS = {Kind.TOPIC: 2, Kind.GROUP: 3, Kind.CLUSTER: 4}
_OPERATIONS = {
    Operation.ALL: 2,
    Operation.READ: 3,
    Operation.WRITE: 4,
    Operation.CREATE: 5,
    Operation.DELETE: 6,
    Operation.ALTER: 7,
    Operation.DESCRIBE: 8,
    Operation.CLUSTER_ACTION: 9,
    Operation.DESCRIBE_CONFIGS: 10,
    Operation.ALTER_CONFIGS: 11,
    Operation.IDEMPOTENT_WRITE: 12,
}
_KIND_OF = {number: kind for kind, number in _KINDS.items()}
_OPERATION_OF = {number: operation for operation, number in _OPERATIONS.items()}


class _Create(Request[CreateAclsRequest_v1]):  # type: ignore[misc] # aiokafka gives its structs no type
    """As aiokafka's own, which makes one entry at a time."""

    API_KEY = CreateAclsRequest_v1.API_KEY

    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._rows = rows

    def build(self, request_struct_class: type[RequestStruct]) -> Any:
        return request_struct_class(self._rows)


class _Delete(Request[DeleteAclsRequest_v1]):  # type: ignore[misc] # as above
    API_KEY = DeleteAclsRequest_v1.API_KEY

    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._rows = rows

    def build(self, request_struct_class: type[RequestStruct]) -> Any:
        return request_struct_class(self._rows)


async def look_at_access(kafka: Kafka, wanted: Declaration) -> AccessDifference | None:
    """Return how Kafka's access lists differ from the declaration; None where Kafka checks nobody's rights.

    Raises StopError when we may not know, and KafkaUnavailableError.
    """
    async with open_admin(kafka) as admin:
        existing = await _existing(admin)
    return None if existing is None else compare_access(wanted, existing)


async def change_access(kafka: Kafka, wanted: Declaration, found: AccessDifference) -> None:
    """Permit what was missing, then take away what nobody declared, as it was shown; return once Kafka goes by it.

    Raises StopError when Kafka refuses it.
    """
    missing, undeclared = [_row(one) for one in found.missing], [_row(one) for one in found.undeclared]
    async with open_admin(kafka) as admin:
        with kafka_errors("access lists"):
            for begin in range(0, len(missing), _AT_ONCE):
                made = await send(admin, _Create(missing[begin : begin + _AT_ONCE]))
                _check(made.creation_responses)
            for begin in range(0, len(undeclared), _AT_ONCE):
                gone = await send(admin, _Delete(undeclared[begin : begin + _AT_ONCE]))
                _check(gone.filter_responses)
            await _until_seen(admin, wanted)


async def _until_seen(admin: AIOKafkaAdminClient, wanted: Declaration) -> None:
    for _ in range(_TRIES):
        if not compare_access(wanted, await _existing(admin) or ()):
            return
        await asyncio.sleep(_PAUSE_S)
    raise StopError("access lists were changed and Kafka does not show it yet: look again with `broker topics apply`")


async def _existing(admin: AIOKafkaAdminClient) -> list[Entry] | None:
    with kafka_errors("access lists"):
        try:
            await send(
                admin, _Delete([])
            )  # the embedded broker says that there are no entries, checks nobody, and knows not this
        except IncompatibleBrokerVersion:
            return None
        told = await send(admin, DescribeAclsRequest(_ANY, None, _ANY, None, None, _ANY, _ANY))
    if for_code(told.error_code) is SecurityDisabled:
        return None
    _check([(told.error_code, told.error_message)])
    return [
        Entry(who, _OPERATION_OF[operation], _KIND_OF[kind], name, pattern == _PREFIXED, host)
        for kind, name, pattern, rows in told.resources
        for who, host, operation, permission in rows
        # What is denied needs no declaration: it gives nobody anything.
        if kind in _KIND_OF and operation in _OPERATION_OF and permission == _ALLOW
    ]


def _row(entry: Entry) -> tuple[Any, ...]:
    pattern = _PREFIXED if entry.prefix else _LITERAL
    return _KINDS[entry.kind], entry.name, pattern, entry.principal, entry.host, _OPERATIONS[entry.operation], _ALLOW


def _check(answers: Sequence[Sequence[Any]]) -> None:
    for code, message, *_ in answers:
        if not code:
            continue
        if for_code(code) is ClusterAuthorizationFailedError:
            raise StopError(
                "access lists: Kafka does not permit it to this principal: use a super user of Kafka, "
                "or one that `kafka_principals.administrator` in the settings names"
            )
        raise StopError(f"access lists: Kafka refused it: {for_code(code).__name__}{f': {message}' if message else ''}")
