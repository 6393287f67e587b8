"""Compare the topics in Kafka with their declaration, and create or change what may be changed."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from broker.errors import TopicsError
from broker.kafkaaccess import Kafka
from broker.stream.clients import kafka_errors, open_admin
from broker.stream.raw_requests import set_topic_settings
from broker.stream.topics import Difference, Existing, Topic, differences

_REPLICAS = 3  # on a cluster that has as many nodes
_AT_ONCE = 500
_TRIES, _PAUSE_S = 100, 0.1


async def compare(kafka: Kafka, wanted: Iterable[Topic]) -> tuple[Difference, ...]:
    """Return what differs between the declaration and Kafka; raises KafkaUnavailableError."""
    async with open_admin(kafka) as admin:
        return await _compare(admin, tuple(wanted))


async def apply(kafka: Kafka, wanted: Iterable[Topic]) -> tuple[Difference, ...]:
    """Create missing topics and mend settings; return what was done.

    Raises TopicsError, and then nothing has changed, when a topic differs in a way that must not be mended: a partition count
    is part of the keys' meaning.
    """
    async with open_admin(kafka) as admin:
        found = await _compare(admin, tuple(wanted))
        if refused := [line for one in found if one.refused for line in one.lines()]:
            raise TopicsError("\n".join(refused))
        missing = [one.topic for one in found if one.missing]
        with kafka_errors("creating topics"):
            replicas = min(_REPLICAS, len((await admin.describe_cluster())["brokers"]))
            for begin in range(0, len(missing), _AT_ONCE):
                await _create(admin, missing[begin : begin + _AT_ONCE], replicas)
            if changed := [one for one in found if one.settings and not one.missing]:
                await _alter(admin, changed)
            await _until_seen(admin, [one.topic for one in found])
        return found


async def _compare(admin: AIOKafkaAdminClient, wanted: Sequence[Topic]) -> tuple[Difference, ...]:
    with kafka_errors("topics"):
        names = set(await admin.list_topics())
        here = [one.name for one in wanted if one.name in names]
        told = await admin.describe_topics(here) if here else []
        settings = await _settings(admin, here)
    existing = {
        one["topic"]: Existing(len(one["partitions"]), settings.get(one["topic"]), _replicas(one))
        for one in told
        if not one["error_code"]
    }
    return differences(wanted, existing)


async def _settings(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, Mapping[str, str]]:
    """Return the settings of topics by name; none where Kafka does not tell, as the embedded broker does not."""
    if not names:
        return {}
    found: dict[str, Mapping[str, str]] = {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    try:
        responses = await admin.describe_configs(asked)
    except KafkaError:
        return {}
    for response in responses:
        for resource in response.resources:
            code, _, _, name, entries = resource[:5]
            if code == 0 and entries:
                found[name] = {entry[0]: entry[1] for entry in entries}
    return found


async def _create(admin: AIOKafkaAdminClient, topics: Sequence[Topic], replicas: int) -> None:
    new = [NewTopic(one.name, one.partitions, replicas, topic_configs=one.config(replicas)) for one in topics]
    _check((await admin.create_topics(new)).topic_errors)


async def _until_seen(admin: AIOKafkaAdminClient, wanted: Sequence[Topic]) -> None:
    """Wait until Kafka tells of what was done: who writes to a new topic at once must not find it missing."""
    for _ in range(_TRIES):
        if not await _compare(admin, wanted):
            return
        await asyncio.sleep(_PAUSE_S)
    raise TopicsError("topics were created or changed and kafka does not show it yet: look again with `broker topics apply`")


async def _alter(admin: AIOKafkaAdminClient, found: Sequence[Difference]) -> None:
    """Change what was shown and nothing else: an operator's own settings stay."""
    wanted = [(one.topic.name, [(name, value) for name, (_, value) in sorted((one.settings or {}).items())]) for one in found]
    _check(await set_topic_settings(admin, wanted))


def _replicas(told: Mapping[str, Any]) -> int:
    return min((len(one["replicas"]) for one in told["partitions"]), default=1)


def _check(errors: Iterable[Sequence[Any]]) -> None:
    for name, code, *message in errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise TopicsError(
                f"topic `{name}`: kafka refused it: {error.__name__}{f': {message[0]}' if message and message[0] else ''}"
            )
