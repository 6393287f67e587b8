"""Follow what a desk is asked, so that a question reaches its screen and not only a list that somebody has to look at.

Questions stand on the broker's own topic of reviews: a desk with a Kafka principal of its own cannot read it, and gets none here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Container
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition

from broker.core.model.ports import Record
from broker.errors import StopError
from broker.kafkaaccess import Kafka
from broker.stream.clients import kafka_errors, open_admin, open_consumer, to_record
from broker.stream.log_ends import is_before, log_ends
from broker.stream.recognise import why_absent
from broker.stream.topics import REVIEWS
from broker.stream.watching.places import places_where
from broker.stream.watching.review_record import review_in

_WAIT_MS = 500
_LOOK_S = 5.0  # before it is looked again whether the topic is there by now
WITHDRAWN = "WITHDRAWN"
_TOLD = frozenset({"GAP"})  # whoever is asked about a gap has a message of its own about it

Review = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Questions:
    """Open questions, and those that are no more, in the order of the log, and up to where reading has come."""

    reviews: list[Review]
    read_up_to: list[tuple[str, int, int]]


def is_shown_to(review: Review, recipient: str, hubs: Container[str]) -> bool:
    """Tell whether a desk is shown a question: who is asked, and the duty team of `hubs` where it is about nobody known.

    Of that never whom an event excludes for a child that it may be about (R11): asking tells.
    """
    if review["for_recipient"] == recipient:
        return True
    return not review["child_ref"] and review["for_recipient"] in hubs and recipient in review["stand_ins"]


async def follow_questions(
    kafka: Kafka, is_asked: Callable[[Review], bool], next_offset: Callable[[str, int], int | None], *, until_now: bool
) -> AsyncIterator[Questions]:
    """Yield what is asked and still open; what was decided before it could be shown is passed over. Ends with `until_now`.

    Also what nobody is asked any more, without anybody having decided it: `is_asked` tells for whom that is news.

    `next_offset` says where reading goes on. Raises KafkaUnavailableError.
    """
    places = await _places(kafka, until_now=until_now)
    if not places:
        return
    async with open_consumer(kafka) as consumer:
        with kafka_errors("questions"):
            consumer.assign(places)
            ends = await log_ends(consumer, places)
            for place, first in (await consumer.beginning_offsets(places)).items():
                consumer.seek(place, max(next_offset(place.topic, place.partition) or 0, first))
            waiting: dict[str, Review] = {}
            while True:
                if waiting and not await is_before(consumer, ends):
                    yield Questions(list(waiting.values()), [(*one, await consumer.position(one)) for one in places])
                    waiting.clear()
                if until_now and not await is_before(consumer, ends):
                    return
                for batch in (await consumer.getmany(timeout_ms=_WAIT_MS)).values():
                    for record in map(to_record, batch):
                        _take(record, waiting, is_asked)


async def _places(kafka: Kafka, *, until_now: bool) -> list[TopicPartition]:
    """Return where questions stand, and wait until there is such a place; none where an access list hides it."""
    async with open_admin(kafka) as admin:
        while True:
            places = await places_where(admin, {REVIEWS}.__contains__)
            if places or until_now or isinstance(await why_absent(admin, [REVIEWS]), StopError):
                return places
            await asyncio.sleep(_LOOK_S)


def _take(record: Record, waiting: dict[str, Review], is_asked: Callable[[Review], bool]) -> None:
    review = review_in(record)
    if review is None:
        return
    waiting.pop(review["review_id"], None)
    asks = review["state"] == "OPEN" and review["kind"] not in _TOLD
    if (asks or review["state"] == WITHDRAWN) and is_asked(review):
        waiting[review["review_id"]] = review
