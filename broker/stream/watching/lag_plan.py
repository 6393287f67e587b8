"""Which topics each stage reads, for whoever watches from outside without running the stages."""

from collections.abc import Mapping

from broker.settings import Settings
from broker.stream.topics import CANDIDATES, EVENTS, RECEIPTS, SUBJECTS, declared
from broker.stream.watching.lag_reader import Plan

# A test holds this to the stages' own `inputs`.
STAGE_INPUTS: Mapping[str, tuple[str, ...]] = {
    "intake": tuple(EVENTS.values()),
    "identify": (CANDIDATES,),
    "decide": (SUBJECTS,),
    "deliver": (RECEIPTS,),
}


def plan_of(settings: Settings) -> Plan:
    """Return what to watch at this place."""
    return Plan(
        group=settings.group,
        inputs=STAGE_INPUTS,
        feeds=frozenset(EVENTS.values()),
        retention_ms={topic.name: topic.retention_ms for topic in declared(settings.partitions)},
    )
