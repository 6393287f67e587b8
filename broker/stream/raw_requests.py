"""A request of Kafka's protocol that aiokafka cannot make: settings changed one by one."""

from collections.abc import Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Schema, String

_TEXT = String("utf-8")
_INCREMENTAL_ALTER_CONFIGS = 44
_TOPIC, _SET = 2, 0  # kind of resource, and what to do with a setting: any that is not named stays as it is


class _AlterResponse(Response):
    API_KEY = _INCREMENTAL_ALTER_CONFIGS
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("responses", Array(("error_code", Int16), ("error_message", _TEXT), ("type", Int8), ("name", _TEXT))),
    )


class _AlterStruct(RequestStruct):
    API_KEY = _INCREMENTAL_ALTER_CONFIGS
    API_VERSION = 0
    RESPONSE_TYPE = _AlterResponse
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("type", Int8),
                ("name", _TEXT),
                ("configs", Array(("name", _TEXT), ("operation", Int8), ("value", _TEXT))),
            ),
        ),
        ("validate_only", Boolean),
    )


class _AlterRequest(Request[_AlterStruct]):
    API_KEY = _INCREMENTAL_ALTER_CONFIGS

    def __init__(self, settings: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> None:
        self._settings = settings

    def build(self, request_struct_class: type[_AlterStruct]) -> _AlterStruct:
        resources = [(_TOPIC, topic, [(name, _SET, value) for name, value in wanted]) for topic, wanted in self._settings]
        return request_struct_class(resources, False)  # noqa: FBT003 - Kafka's own order of fields


async def set_topic_settings(
    admin: AIOKafkaAdminClient, settings: Sequence[tuple[str, Sequence[tuple[str, str]]]]
) -> list[tuple[str, int, str]]:
    """Set these settings of these topics and leave every other alone; return topic, error code and words of each."""
    answer = await send(admin, _AlterRequest(settings))
    return [(name, code, message or "") for code, message, _, name in answer.responses]


async def send(admin: AIOKafkaAdminClient, request: Request[Any]) -> Any:
    """Send a request to any node; of what only the controller can do, any node hands it on."""
    client: Any = admin._client  # noqa: SLF001 - aiokafka has no public way to send these requests
    return await client.send(client.get_random_node(), request)
