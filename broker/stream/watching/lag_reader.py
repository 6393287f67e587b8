"""Read from Kafka how far behind each stage is: the reading side of `broker.lag`, which judges what is seen here."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from broker.errors import KafkaUnavailableError
from broker.lag.evaluation import Reading, slide
from broker.lag.measures import silence
from broker.lag.report import Observation, PartitionLag, Report, SilentFeed, partition_lag
from broker.stream.log_ends import log_ends
from broker.stream.watching.group_view import GroupView, view_group
from broker.stream.watching.places import places_from
from broker.stream.watching.record_times import RecordTimes


@dataclass(frozen=True, slots=True)
class Plan:
    """What to watch: the topics that each stage reads, which of them are feeds of agencies, and how long each is kept."""

    group: str
    inputs: Mapping[str, tuple[str, ...]]
    feeds: frozenset[str]
    retention_ms: Mapping[str, int]


@dataclass(slots=True)
class LagReader:
    """Look at every partition that a stage reads. Keeps the windows that trends and statuses are judged by.

    `consumer` belongs to no group and serves nothing else.
    """

    plan: Plan
    consumer: AIOKafkaConsumer
    admin: AIOKafkaAdminClient
    _windows: dict[tuple[str, str, int], tuple[Reading, ...]] = field(default_factory=dict)
    _times: RecordTimes = field(init=False)

    def __post_init__(self) -> None:
        self._times = RecordTimes(self.consumer)

    async def look(self) -> Report:
        """Return how everything stands now, without open work; raises KafkaUnavailableError.

        Raises TopicsMissingError when a topic is missing: it must not look as if nothing waited there.
        """
        inputs = {topic for topics in self.plan.inputs.values() for topic in topics}
        places = await places_from(self.admin, inputs)
        group = await view_group(self.admin, self.plan.group, places)
        try:
            return await self._look(group, places)
        except KafkaError as error:
            raise KafkaUnavailableError(f"kafka does not tell how far topics are: {type(error).__name__}") from error

    async def _look(self, group: GroupView, places: list[TopicPartition]) -> Report:
        begins = await self.consumer.beginning_offsets(places)
        ends = await log_ends(self.consumer, places)
        at = time.time_ns() // 1_000_000
        committed = {place: group.committed.get((place.topic, place.partition), begins[place]) for place in places}
        waiting = {place: max(committed[place], begins[place]) for place in places if committed[place] < ends[place]}
        times = await self._times.at(waiting)
        lags: list[PartitionLag] = []
        for stage, topics in self.plan.inputs.items():
            for place in sorted(place for place in places if place.topic in topics):
                alive = group.reads((place.topic, place.partition))
                window = self._slide(stage, place, Reading(at, committed[place], ends[place], alive))
                lags.append(
                    partition_lag(
                        Observation(
                            stage=stage,
                            topic=place.topic,
                            partition=place.partition,
                            window=window,
                            begin=begins[place],
                            waiting_since=times.get(place),
                            retention_ms=self.plan.retention_ms.get(place.topic, -1),
                            alive=alive,
                        )
                    )
                )
        spans = {place: (begins[place], ends[place]) for place in places if place.topic in self.plan.feeds}
        return Report(
            at=at,
            group=self.plan.group,
            members=group.members,
            partitions=tuple(lags),
            silent=await self._silent(spans, at),
        )

    def _slide(self, stage: str, place: TopicPartition, reading: Reading) -> tuple[Reading, ...]:
        key = (stage, place.topic, place.partition)
        window = self._windows[key] = slide(self._windows.get(key, ()), reading)
        return window

    async def _silent(self, spans: Mapping[TopicPartition, tuple[int, int]], now: int) -> tuple[SilentFeed, ...]:
        arrivals: dict[str, list[int]] = {}
        for place, times in (await self._times.latest(spans)).items():
            arrivals.setdefault(place.topic, []).extend(times)
        found = ((topic, silence(times, now)) for topic, times in sorted(arrivals.items()))
        return tuple(
            SilentFeed(topic=topic, seconds=one.seconds, usual_seconds=one.usual_seconds)
            for topic, one in found
            if one is not None
        )
